"""The parameters of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2231), as senders write them."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from maild.message import charset, headers

_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_PIECE: Final = re.compile(r"(.+?)\*(\d{1,3})?(\*)?\Z")
_PARAMETERS: Final = 200
_SHORT_BYTES: Final = 60


def read(value: bytes, fallback: str = "") -> tuple[str, Mapping[str, str]]:
    """Return the value and the parameters of Content-Type and its like, both decoded (RFC 2045 5.1, RFC 2231).

    Forgives what senders do: no semicolons, no quotes, encoded words, raw 8-bit, duplicates (the first counts).
    """
    return _remembered(value, fallback) if len(value) <= _SHORT_BYTES else _read(value, fallback)


@lru_cache(maxsize=256)
def _remembered(value: bytes, fallback: str) -> tuple[str, Mapping[str, str]]:
    """Return the same of a short value: most texts of the world are of one of a few types."""
    return _read(value, fallback)


def _read(value: bytes, fallback: str) -> tuple[str, Mapping[str, str]]:
    text = headers.plain(value[: headers.STRUCTURED_BYTES], fallback)
    main, _, rest = text.partition(";")
    if "=" in main:  # seen in practice: no semicolon ("text/html charset=utf-8"), or no value ("filename=a.pdf")
        first, _, further = main.partition(" ")
        main, rest = ("", f"{main};{rest}") if "=" in first else (first, f"{further};{rest}")
    found: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    if rest:
        for name, raw in _pairs(rest):
            split = _PIECE.match(name) if "*" in name else None
            if split:
                number, star = split.group(2), split.group(3)
                pieces.setdefault(split.group(1), []).append(
                    (int(number or 0), number is None or star is not None, raw)
                )
            else:
                found.setdefault(name, headers.words(raw))
    for name, parts in pieces.items():
        joined = _extended(parts)
        if joined:
            found[name] = joined
    return main.strip(" \t\"'").lower(), found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parameters of `text`, raw."""
    at, count = 0, 0
    while at < len(text) and count < _PARAMETERS:
        equals = text.find("=", at)
        if equals < 0:
            return
        name = text[at:equals].strip(" \t;,").lower()
        name = name.rpartition(";")[2].strip()
        at = equals + 1
        while at < len(text) and text[at] in " \t":
            at += 1
        if text[at : at + 1] == '"':
            value, at = _quoted(text, at + 1)
        else:
            semicolon = text.find(";", at)
            semicolon = len(text) if semicolon < 0 else semicolon
            value = text[at:semicolon].strip()
            nested = re.search(r"\s[a-zA-Z-]+\*?\s?=[\s\"]*(?!\?)", value) if "=" in value else None
            if nested and not value.startswith("=?"):  # "charset=utf-8 format=flowed": the semicolon was forgotten
                semicolon = at + nested.start()
                value = value[: nested.start()].strip()
            at = semicolon
        if name:
            count += 1
            yield name, value


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Return the quoted string that begins behind the quote at `at` - 1, and where it ends."""
    out: list[str] = []
    while at < len(text):
        match = _QUOTED.match(text, at)
        if match is None:
            break
        out.append(match.group(0))
        at = match.end()
        if text[at : at + 1] == "\\":
            # backslashes of Windows paths are left alone; only a quote or a backslash is ever escaped in earnest
            if text[at + 1 : at + 2] in ('"', "\\"):
                out.append(text[at + 1])
            else:
                out.append(text[at : at + 2])
            at += 2
        else:
            return "".join(out), at + 1
    return "".join(out), len(text)


_QUOTED: Final = re.compile(r'[^"\\]*')


def _extended(pieces: list[tuple[int, bool, str]]) -> str:
    """Return the value of an RFC 2231 parameter from its pieces."""
    pieces.sort(key=lambda piece: piece[0])
    label = ""
    data = bytearray()
    for position, (_, encoded, raw) in enumerate(pieces):
        value = raw
        if encoded and position == 0 and raw.count("'") >= 2:
            label, _, value = raw.split("'", 2)
        octets = value.encode("utf-8", "surrogateescape")
        if encoded:
            octets = _PERCENT.sub(lambda match: bytes([int(match.group(1), 16)]), octets)
        data += octets
    text = charset.decode(bytes(data), label).text
    return headers.words(text) if "=?" in text else headers.clean(text)
