"""Header fields of outgoing mail: cleaned, encoded, folded.

`field` is the only function that makes a field; whatever the others hand to it has gone through `clean` (any text),
`route` (addresses), `message_id` (ids) or is a constant. RFC 5322 2.2 and 3, RFC 2047 (encoded-words), RFC 2231
(parameters), RFC 6532 (addresses that are not ASCII).
"""

import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from maild.message.address import Address, ascii_domain

TEXT_LIMIT: Final = 400  # characters of a subject; clients show about 100
NAME_LIMIT: Final = 128  # characters of a display name
FILENAME_LIMIT: Final = 100  # characters: with 2 octets each still below the 255 that file systems take
ID_LIMIT: Final = 480  # octets of a Message-ID: a longer one would not fit a line with what stands around it
ADDRESS_LIMIT: Final = 320  # octets: 64 + "@" + 255 (RFC 5321 4.5.3.1), however it is shared between the two

FOLD_AT: Final = 76  # RFC 2047 2: lines with encoded-words; RFC 5322 2.1.1 would allow 78 for the others
WORD_LIMIT: Final = 75  # RFC 2047 2: one encoded-word

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_BREAKS: Final = re.compile("[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
# C0, DEL, C1, surrogates' neighbours and what Unicode calls Cf or draws as nothing: soft hyphen, bidi controls,
# zero-width space, fillers, tag characters. Not the two joiners, which scripts and emoji need between letters.
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]+"
)
_STRAY_JOINERS: Final = re.compile(
    "(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])|(?<=[\u200c\u200d])[\u200c\u200d]+"
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACES: Final = re.compile(r"\s{2,}")
_PATH: Final = re.compile(r'[/\\:*?"<>|]+')
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # names of devices

_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322 3.2.3
_PHRASE: Final = re.compile(rf"{_ATEXT}(?: {_ATEXT})*")
_ID: Final = re.compile(r"[!-;=?-~]+")  # printable ASCII without space and angle brackets
_ATOM_UTF8: Final = r"[^\x00-\x20\x7f-\x9f\"(),.:;<>@\[\\\]]+"  # RFC 6531 3.3
_DOT_STRING: Final = re.compile(rf"{_ATOM_UTF8}(?:\.{_ATOM_UTF8})*")
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_LITERAL: Final = re.compile(r"\[[0-9A-Za-z:.-]+\]")
_TOKEN_VALUE: Final = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]+")  # RFC 2231 attribute-char

_Q_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 5 (3)
_Q: Final = tuple(chr(octet) if octet in _Q_SAFE else "_" if octet == 0x20 else f"={octet:02X}" for octet in range(256))
_PERCENT: Final = tuple(chr(octet) if _TOKEN_VALUE.fullmatch(chr(octet)) else f"%{octet:02X}" for octet in range(256))


class Unsendable(ValueError):  # noqa: N818 - a rule says no; nothing went wrong
    """The draft cannot be a mail; the text says which value is wrong, in words for a log."""


def field(name: str, *tokens: str) -> str:
    """Return the header field `name` with its tokens, folded between them, with its CR LF.

    Raises:
        Unsendable: a token holds something that is not printable, such as a line end.
    """
    line = f"{name}: {' '.join(tokens)}" if tokens else f"{name}:"
    if not line.isprintable():
        raise Unsendable(f"{name}: a control character in {line!r}")
    if len(line) <= FOLD_AT:
        return line + "\r\n"
    lines, line = [], f"{name}:"
    first = True
    for token in tokens:
        # the first token stays beside the name: a first line of white space alone is obsolete (RFC 5322 4.2)
        if not first and len(line) + 1 + len(token) > FOLD_AT:
            lines.append(line)
            line = ""
        line = f"{line} {token}"
        first = False
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def text(name: str, value: str, limit: int = TEXT_LIMIT) -> str:
    """Return an unstructured field (RFC 5322 3.6.5); encoded-words only from its first to its last foreign word."""
    value = clean(value, limit)
    if value.isascii() and "=?" not in value:
        return field(name, *value.split(" ")) if value else field(name)
    words = value.split(" ")
    foreign = [place for place, word in enumerate(words) if not word.isascii() or "=?" in word]
    before, after = words[: foreign[0]], words[foreign[-1] + 1 :]
    column = len(name) + 1 + sum(len(word) + 1 for word in before) + 1
    encoded = encoded_words(" ".join(words[foreign[0] : foreign[-1] + 1]), FOLD_AT - column)
    return field(name, *before, *encoded, *after)


def addresses(name: str, people: Iterable[Address], *, ascii_only: bool = False) -> str:
    """Return a field of one or more addresses (RFC 5322 3.4).

    With `ascii_only` an address beyond ASCII is shown as an empty group, which names it and is written to by nobody
    (RFC 6857 3.2.1).

    Raises:
        Unsendable: one of them is not an address.
    """
    tokens: list[str] = []
    room = FOLD_AT - len(name) - 2
    for person in people:
        if tokens:
            tokens[-1] += ","
        where = route(person.address)
        if ascii_only and not where.isascii():
            tokens += encoded_words(clean(f"{person.name} <{where}>" if person.name else where), room)
            tokens[-1] += ":;"
        else:
            tokens += [*_phrase(person.name, room), f"<{where}>" if person.name else where]
    return field(name, *tokens)


def route(address: str) -> str:
    """Return `address` as headers and SMTP commands take it: the domain in ASCII, the local part quoted if it must.

    Raises:
        Unsendable: it is not an address; a line end, a space or a bracket never gets through unquoted.
    """
    local, at, domain = address.strip(" ").rpartition("@")
    if not domain.isascii():
        domain = ascii_domain(domain)
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    if not _DOT_STRING.fullmatch(local):
        if not (local.isascii() and local.isprintable()):
            raise Unsendable(f"not an address: {address!r}")
        # seen in practice: two dots in a row, or one at the end (mobile carriers in Japan)
        local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
    good = at and (_DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain)) and len(local) > 0 and local != '""'
    whole = f"{local}@{domain}"
    if not good or not whole.isprintable() or len(whole.encode()) > ADDRESS_LIMIT:
        raise Unsendable(f"not an address: {address!r}")
    return whole


def message_id(value: str) -> str:
    """Return the id in its angle brackets, "" if `value` cannot stand in a header (RFC 5322 3.6.4, read generously)."""
    return f"<{value}>" if len(value) <= ID_LIMIT and _ID.fullmatch(value) else ""


def date(name: str, instant: datetime) -> str:
    """Return a date field (RFC 5322 3.3) in the zone of `instant`.

    Raises:
        Unsendable: `instant` is naive.
    """
    offset = instant.utcoffset()
    if offset is None:
        raise Unsendable(f"{name}: an instant without a zone")
    minutes = round(offset.total_seconds() / 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    day = f"{_WEEKDAYS[instant.weekday()]}, {instant.day:02} {_MONTHS[instant.month - 1]} {instant.year:04}"
    return field(
        name,
        day,
        f"{instant.hour:02}:{instant.minute:02}:{instant.second:02}",
        f"{sign}{minutes // 60:02}{minutes % 60:02}",
    )


def with_filename(name: str, value: str, filename: str) -> str:
    """Return a field of one token and a `filename` parameter (RFC 2183 2.3), in RFC 2231's form where it must be."""
    if filename.isascii() and len(name) + len(value) + len(filename) < FOLD_AT:
        if _TOKEN_VALUE.fullmatch(filename):
            return field(name, f"{value};", f"filename={filename}")
        if "%" not in filename:  # some readers undo % in a quoted string; clean_filename took quotes and backslashes
            return field(name, f"{value};", f'filename="{filename}"')
    pieces = list(_fill((_percent(char) for char in filename), [FOLD_AT - len(" filename*00*=utf-8'';")]))
    if len(pieces) == 1:
        return field(name, f"{value};", f"filename*=utf-8''{pieces[0]}")
    first, *others = pieces
    tokens = [f"filename*0*=utf-8''{first}", *(f"filename*{n}*={piece}" for n, piece in enumerate(others, 1))]
    return field(name, f"{value};", *(f"{token};" for token in tokens[:-1]), tokens[-1])


def clean(value: str, limit: int = TEXT_LIMIT) -> str:
    """Return `value` as one line for a header: NFC, no control, bidi or invisible characters, at most `limit` long.

    Line ends and runs of spaces become one space. What is cut ends in an ellipsis. Cleaning twice changes nothing.
    """
    if not (value.isascii() and value.isprintable() and "  " not in value):
        value = unicodedata.normalize("NFC", _INVISIBLE.sub("", _BREAKS.sub(" ", value[: 8 * limit])))
        value = unicodedata.normalize("NFC", _STRAY_JOINERS.sub("", _SURROGATES.sub("\ufffd", value)))
        value = _SPACES.sub(" ", value)
    value = value.strip()
    return value if len(value) <= limit else value[: limit - 1].rstrip("\u200c\u200d").rstrip() + "…"


def clean_filename(name: str) -> str:
    """Return `name` as a file name without folders that every system takes; "file" if nothing is left of it."""
    name = " ".join(_PATH.sub("_", clean(name, 8 * FILENAME_LIMIT)).split()).strip(" .")
    if len(name) > FILENAME_LIMIT:  # the end tells what it is: cut before it
        stem, dot, suffix = name.rpartition(".")
        if not dot or len(suffix) > 16:
            stem, dot, suffix = name, "", ""
        stem = stem[: FILENAME_LIMIT - 1 - len(dot) - len(suffix)].rstrip(" .\u200c\u200d")
        name = f"{stem}…{dot}{suffix}"
    return f"_{name}" if _RESERVED.fullmatch(name) else name or "file"


def encoded_words(value: str, room: int) -> list[str]:
    """Return `value` as encoded-words of RFC 2047, the first one at most `room` long if that is worth while.

    Q where most of it is ASCII, else B; each word holds whole characters.
    """
    octets = value.encode("utf-8")
    plain = sum(map(_Q_SAFE.__contains__, octets)) + octets.count(b" ")
    limits = [min(room, WORD_LIMIT) if room >= 28 else WORD_LIMIT, WORD_LIMIT]
    if 3 * len(octets) - 2 * plain <= (len(octets) + 2) // 3 * 4:
        pieces = _fill(("".join([_Q[octet] for octet in char.encode()]) for char in value), [n - 12 for n in limits])
        return [f"=?utf-8?q?{piece}?=" for piece in pieces]
    chunks = _fill(value, [(n - 12) // 4 * 3 for n in limits], octets=True)
    return [f"=?utf-8?b?{b2a_base64(chunk.encode(), newline=False).decode()}?=" for chunk in chunks]


def _phrase(name: str, room: int) -> list[str]:
    """Return a display name as the tokens of a phrase (RFC 5322 3.2.5)."""
    name = clean(name, NAME_LIMIT)
    if not name:
        return []
    if name.isascii() and "=?" not in name:
        if _PHRASE.fullmatch(name):
            return name.split(" ")
        quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if len(quoted) <= room:
            return [quoted]
    return encoded_words(name, room)


def _percent(char: str) -> str:
    return "".join([_PERCENT[octet] for octet in char.encode()])


def _fill(units: Iterable[str], limits: list[int], *, octets: bool = False) -> Iterator[str]:
    """Join `units` to pieces of at most `limits` (the last one counts for all that follow) characters or octets."""
    piece: list[str] = []
    used, number = 0, 0
    for unit in units:
        size = len(unit.encode()) if octets else len(unit)
        if piece and used + size > limits[min(number, len(limits) - 1)]:
            yield "".join(piece)
            piece, used, number = [], 0, number + 1
        piece.append(unit)
        used += size
    if piece:
        yield "".join(piece)
