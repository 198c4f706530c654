"""The header section of a mail or of a part: fields, and the words in them.

A section is split once into fields (RFC 5322 2.2), whose values stay bytes until somebody asks. Reading never fails:
what is no field is stepped over and recorded as a defect. All of it is linear in the size of the section.

Bounds (RELIABILITY of the service rests on them): a section is read up to SECTION_BYTES, a value up to VALUE_BYTES, and
what has a grammar (dates, parameters, ids) from the first STRUCTURED_BYTES of a value only.
"""

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import Final, NamedTuple

from maild.message import charset

SECTION_BYTES: Final = 262_144
VALUE_BYTES: Final = 102_400
STRUCTURED_BYTES: Final = 8_192
REFERENCES: Final = 100

# A field with its folded lines, or any other line. Each byte is looked at once.
_LINE: Final = re.compile(rb"((?!--)[!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?|([^\n]*)(?:\n|\Z)")
_END: Final = re.compile(rb"\n(?:\r*\n|(?=--))")  # an empty line, or a delimiter before there was one
_BLANK_FOLD: Final = re.compile(rb"\n[ \t\r]+\Z")
_FOLD: Final = re.compile(r"[\r\n\t ]*[\r\n]+[\r\n\t ]*")
_CONTROLS: Final[dict[int, str | None]] = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " "
) | dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, *range(0xE0000, 0xE0080)))


class Headers:
    """The fields of one header section, in their order; names are compared without case."""

    __slots__ = ("_decoded", "_values", "defects", "fallback", "names")

    def __init__(self, fields: list[tuple[str, bytes]], defects: tuple[str, ...] = ()) -> None:
        self._decoded: dict[str, tuple[str, ...]] = {}
        self._values: dict[str, list[bytes]] = {}
        for name, value in fields:
            if name in self._values:
                self._values[name].append(value)
            else:
                self._values[name] = [value]
        self.names = tuple([name for name, _ in fields])  # lower case, as they stand
        self.defects = defects
        self.fallback = ""  # the charset to try for raw 8-bit values

    def has_any(self, names: frozenset[str]) -> bool:
        """Tell whether there is any of the `names`, in lower case: of what few mails have that is asked first."""
        return not names.isdisjoint(self._values)

    def raw(self, name: str) -> bytes:
        """Return the first value of `name` as it stands, folds and all, b"" if there is none."""
        values = self._values.get(name)
        return values[0] if values else b""

    def raws(self, name: str) -> list[bytes]:
        """Return every value of `name` as it stands."""
        return self._values.get(name, [])

    def first(self, name: str) -> str:
        """Return the first value of `name`, decoded and unfolded, "" if there is none."""
        return self.all(name)[0] if name in self._values else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of `name`, decoded and unfolded."""
        found = self._decoded.get(name)
        if found is None:
            found = tuple(words(plain(value, self.fallback)) for value in self._values.get(name, ()))
            if found:
                self._decoded[name] = found
        return found


class Section(NamedTuple):
    """A header section and where the body behind it begins."""

    headers: Headers
    body_at: int


def read(raw: bytes, start: int = 0, end: int | None = None) -> Section:
    """Return the header section of `raw[start:end]`, and the offset of the body.

    Line ends may be CRLF or LF. A section ends at the first empty line; without one it ends before the
    first line that is no field and is not followed by fields.
    """
    end = len(raw) if end is None else end
    if raw[start : start + 1] in (b"\n", b"\r"):  # an empty section, as parts of a multipart often have
        newline = raw.find(b"\n", start, end)
        if newline >= 0 and not raw[start:newline].strip(b"\r"):
            return Section(Headers([]), newline + 1)
    found = _END.search(raw, start, end)
    stop = found.start() + 1 if found else end
    body_at = found.end() if found else end
    cut = stop - start > SECTION_BYTES
    fields, defects, ends_at = _fields(raw, start, start + SECTION_BYTES if cut else stop)
    if cut:
        defects.insert(0, "headers-cut")
    if ends_at is not None:
        defects.append("headers-unended")
        body_at = ends_at
    return Section(Headers(fields, tuple(dict.fromkeys(defects))), body_at)


def _fields(raw: bytes, start: int, stop: int) -> tuple[list[tuple[str, bytes]], list[str], int | None]:
    """Return the fields of a section, what is wrong with it, and where lines begin behind the last that are no fields.

    There the body began without an empty line.
    """
    lines = _LINE.findall(raw, start, stop)
    if any(line.strip() for name, _, line in lines if not name):
        return _fields_among_junk(raw, start, stop)
    return [(name.decode("ascii").lower(), value[:VALUE_BYTES]) for name, value, _ in lines if name], [], None


def _fields_among_junk(raw: bytes, start: int, stop: int) -> tuple[list[tuple[str, bytes]], list[str], int | None]:
    """Return the same of a section in which some lines are no fields."""
    fields: list[tuple[str, bytes]] = []
    defects: list[str] = []
    junk_at = None
    junk: list[bytes] = []  # lines that are no fields
    for match in _LINE.finditer(raw, start, stop):
        name, value, line = match.groups()
        if name is None:
            if not line.strip():
                continue
            if junk_at is None:
                junk_at = match.start()
                if fields and _BLANK_FOLD.search(fields[-1][1]):
                    break  # the empty line was one of spaces: the body has begun
            junk.append(line)
            continue
        if junk_at is not None:
            if not _KNOWN.match(name.lower()):
                break
            defects.append("headers-junk-line")
            if fields and fields[-1][0] in _LISTS:  # a fold without its space, among addresses or ids
                fields[-1] = (fields[-1][0], b"\n ".join([fields[-1][1], *(one for one in junk if b"@" in one)]))
            junk_at = None
            junk.clear()
        fields.append((name.decode("ascii").lower(), value[:VALUE_BYTES]))
    return fields, defects, junk_at


_LISTS: Final = frozenset({"from", "to", "cc", "reply-to", "in-reply-to", "references"})
# Names that make a line a header even behind a line that is none; a body may hold "Note: ..." and the like.
_KNOWN: Final = re.compile(
    rb"(?:from|to|cc|bcc|subject|date|sender|reply-to|message-id|in-reply-to|references|received|received-spf"
    rb"|return-path|return-receipt-to|delivered-to|delivery-date|envelope-to|errors-to|mime-version|user-agent|status"
    rb"|organi[sz]ation|precedence|priority|importance|sensitivity|lines|accept-language|auto-submitted|feedback-id"
    rb"|disposition-notification-to|domainkey-signature|dkim-signature|authentication-results|mailing-list|newsgroups"
    rb"|(?:content|x|list|resent|arc|thread|old|original)-[a-z0-9-]+)\Z"
)


def plain(value: bytes, fallback: str = "") -> str:
    """Return a raw value as text, unfolded; encoded words stay as they are."""
    if value.isascii() and b"\x1b" not in value:
        text = value.decode("ascii")
    else:
        text = charset.decode(value, "", fallback).text
    if "\n" in text or "\r" in text:
        text = _FOLD.sub(" ", text.strip())
    return text.strip()


def clean(text: str) -> str:
    """Return `text` on one line, without control characters and bidi overrides: they forge headers and names."""
    if text.isprintable():  # none of those are
        return text if text.isascii() else text.strip()
    return text.translate(_CONTROLS).strip()


class _Word(NamedTuple):
    """One encoded word (RFC 2047 2): where it stands and what it holds."""

    start: int
    end: int
    label: str
    form: str
    text: str


def _encoded_words(text: str) -> Iterator[_Word]:
    """Yield the encoded words of `text`; linear, since a search that fails ends it."""
    at = text.find("=?")
    while at >= 0:
        first = text.find("?", at + 2, at + 82)
        if (
            first > at + 2
            and text[first + 2 : first + 3] == "?"
            and text[first + 1] in "bBqQ"
            and not text[at + 2 : first].isspace()
        ):
            end = text.find("?=", first + 3)
            while (
                end >= 0
                and text[first + 1] in "qQ"
                and re.match(r"[0-9A-Fa-f]{2}", text[end + 2 : end + 4])
                and text.find("?=", end + 2) >= 0
            ):
                end = text.find("?=", end + 2)  # "Why?=20Because": a question mark that should have been encoded
            if end < 0:
                return
            yield _Word(
                at, end + 2, text[at + 2 : first].partition("*")[0], text[first + 1].lower(), text[first + 3 : end]
            )
            at = text.find("=?", end + 2)
        else:
            at = text.find("=?", at + 2)


def words(text: str) -> str:
    """Return `text` with its encoded words decoded (RFC 2047), on one line.

    Words that stand next to each other are joined before they are decoded: senders split them inside characters.
    """
    if "=?" not in text:
        return clean(text)
    out: list[str] = []
    pending: list[_Word] = []
    at = 0
    for word in _encoded_words(text):
        between = text[at : word.start]
        if between.strip() or not pending:
            out.append(_joined(pending))
            pending = []
            out.append(between)
        elif pending and charset.codec(pending[-1].label) != charset.codec(word.label):
            out.append(_joined(pending))
            pending = []
        pending.append(word)
        at = word.end
    out.append(_joined(pending))
    out.append(text[at:])
    return clean("".join(out))


def _joined(pending: list[_Word]) -> str:
    """Return the text of adjacent words of one charset."""
    if not pending:
        return ""
    data = bytearray()
    base64 = ""
    for word in pending:
        if word.form == "b":
            base64 += word.text
            if not word.text.endswith("=") and len(word.text) % 4:
                continue  # a quad that was split between two words
        if base64:
            data += unbase64(base64.encode("ascii", "ignore"))
            base64 = ""
        if word.form == "q":
            data += binascii.a2b_qp(word.text.encode("utf-8", "surrogateescape"), header=True)
    if base64:
        data += unbase64(base64.encode("ascii", "ignore"))
    return charset.decode(bytes(data), pending[0].label).text


_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")


_PROSE: Final = re.compile(rb"[A-Za-z_,.:;!?-] [A-Za-z]|__|--")


def unbase64(data: bytes) -> bytes:
    """Return what base64 `data` holds; junk is stepped over, pieces that were joined are read one by one."""
    padding = data.find(b"=")
    if padding < 0 or not data[padding:].strip(b"= \t\r\n"):
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            pass  # the slow way below reads what the strict one refuses
    out = bytearray()
    for position, piece in enumerate(re.split(rb"=[=\s]*", data)):
        if position and _PROSE.search(piece):
            break  # seen in practice: lists put their footers behind the padding
        letters = _NOT_BASE64.sub(b"", piece)
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        out += binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    return bytes(out)


_ID: Final = re.compile(r"<([^<>]+)>")


def ids(value: bytes) -> tuple[str, ...]:
    """Return the message ids in `value` (RFC 5322 3.6.4), without angle brackets, at most REFERENCES of them.

    Of too many the first and the newest are kept. Where no id stands in brackets, words with an `@` are taken for ids.
    """
    if not value:
        return ()
    text = value[:VALUE_BYTES].decode("utf-8", "replace")
    found = ["".join(clean(one).split()) for one in _ID.findall(text)]
    if not found and "@" in text:
        found = [word for one in clean(text).split() if "@" in (word := one.strip("<>,;\"'()"))]
    found = [one for one in found if one and len(one) <= 998]
    if len(found) > REFERENCES:
        found = found[:1] + found[1 - REFERENCES :]
    return tuple(found)


_ISO_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


def date(value: bytes) -> datetime | None:
    """Return the instant of a Date value (RFC 5322 3.3) in UTC, None if there is none or it is absurd."""
    text = value[:200].decode("ascii", "replace").strip()
    try:
        if _ISO_DATE.match(text):  # what programs write that never read the standard
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            return moment if 1970 <= moment.year <= 2200 else None
        parts = parsedate_tz(text)
        if parts is None:
            return None
        year = parts[0] + 1900 if 100 <= parts[0] < 200 else parts[0]  # seen in practice: programs of before 2000
        if not 1970 <= year <= 2200:
            return None
        offset_s = parts[9] or 0
        if abs(offset_s) > 86_340:
            offset_s = 0
        moment = datetime(year, *parts[1:5], min(parts[5], 59), tzinfo=timezone(timedelta(seconds=offset_s)))
        return moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # parsedate_tz raises any of these on hostile dates
        return None
