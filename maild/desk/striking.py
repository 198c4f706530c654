"""Somebody's addresses and full names replaced wherever they are written: in bytes of mails, in texts, in columns.

    plainly                  wherever an address stands by itself: not within a longer one
    quoted-printable         also over the end of a line, and with letters that are written as numbers
    base64                   text that is in UTF-8 or ASCII; files too, if they hold it so

What is packed (a PDF, an archive) is not looked into.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

NOBODY: Final = "deleted@invalid"  # RFC 2606: nobody's, ever

# Whole lines of base64 and the rest of it, or a word of it in a header field (RFC 2047).
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{16,}\r?\n)*[A-Za-z0-9+/]{8,}={0,2}")
_LINE: Final = 76  # RFC 2045 6.8
_SOFT: Final = rb"(?:=\r?\n)?"
# Before it may stand a character that is written as a number: "=3D", "%3A".
_BEFORE: Final = rb"(?:(?<![\w.+-])|(?<=[=%][0-9A-Fa-f]{2}))"
_BEHIND: Final = rb"(?![\w-]|\.\w)"


class Words:
    """What is to be struck out."""

    def __init__(self, addresses: Sequence[str], names: Sequence[str] = (), instead: str = NOBODY) -> None:
        """Know normalised `addresses`, and `names` of more than one word: one word may be anybody's."""
        self._instead = instead
        full = [each for each in names if " " in each]
        said = [rf"(?<![\w.+-]){re.escape(each)}(?![\w-]|\.\w)" for each in addresses]
        said += [rf"(?<!\w){re.escape(each)}(?!\w)" for each in full]
        self._text = re.compile("|".join(said), re.IGNORECASE)
        self._addresses = _in_bytes(addresses)
        self._all = _in_bytes([*addresses, *full])

    def names_him(self, content: bytes) -> bool:
        """Return whether bytes of a mail hold one of the addresses, even encoded."""
        if self._addresses.search(content):
            return True
        return any(self._addresses.search(decoded) for _, decoded in _decoded(content))

    def out_of_bytes(self, content: bytes) -> bytes:
        """Return bytes of a mail without them."""
        parts: list[bytes] = []
        end = 0
        for place, decoded in _decoded(content):
            struck = self._all.sub(self._instead.encode(), decoded)
            if struck != decoded:
                parts += [content[end : place.start()], _encoded(struck, place[0])]
                end = place.end()
        return self._all.sub(self._instead.encode(), b"".join([*parts, content[end:]]))

    def out_of(self, value: Any) -> Any:
        """Return a column without them: a text, a list, a mapping, or what holds none."""
        if isinstance(value, str):
            return self._text.sub(self._instead, value)
        if isinstance(value, list):
            return [self.out_of(each) for each in value]
        if isinstance(value, dict):
            return {key: self.out_of(each) for key, each in value.items()}
        return value


def _in_bytes(words: Sequence[str]) -> re.Pattern[bytes]:
    """Return what finds `words` where they stand by themselves, as they are, in quoted-printable or in a URL."""
    found = (_BEFORE + _SOFT.join(map(_character, word.encode())) + _BEHIND for word in words)
    return re.compile(b"|".join(found), re.IGNORECASE)


def _character(code: int) -> bytes:
    if code == ord(" "):
        return rb"(?:[ _]|[=%]20|\r?\n[ \t])"
    plain = re.escape(bytes([code]))
    return plain if bytes([code]).isalnum() else b"(?:%b|[=%%]%02X)" % (plain, code)


def _decoded(content: bytes) -> Iterator[tuple[re.Match[bytes], bytes]]:
    """Give what may be base64, with what it would say."""
    for place in _BASE64.finditer(content):
        packed = place[0].replace(b"\r", b"").replace(b"\n", b"")
        try:
            yield place, base64.b64decode(packed[: len(packed) // 4 * 4])
        except binascii.Error:
            continue


def _encoded(content: bytes, before: bytes) -> bytes:
    """Return `content` as base64, with line ends if there were some."""
    packed = base64.b64encode(content)
    end = b"\r\n" if b"\r\n" in before else b"\n"
    if b"\n" not in before:
        return packed
    return end.join(packed[start : start + _LINE] for start in range(0, len(packed), _LINE))
