"""The parts of a mail (RFC 2045 to 2049): found by one scan over the bytes, decoded only when asked.

A multipart's delimiter lines are looked for in a single pass, however deep parts are nested, so that the cost is the
size of the mail. A delimiter of an outer multipart ends all inner ones (RFC 2046 5.1.2), one that only begins like
ours is text, one behind the closing delimiter still opens a part: nothing that was attached is lost.

Bounds: PARTS parts, DEPTH levels, boundaries of BOUNDARY_BYTES; what lies beyond stays in the part it is in.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from maild.message import charset, filename, headers, parameters, uuencode
from maild.message.headers import Headers
from maild.message.once import once
from maild.message.shorten import Gap, Shortened

PARTS: Final = 1_000
DEPTH: Final = 50
BOUNDARY_BYTES: Final = 2_048
TEXT_BYTES: Final = 8_388_608  # of one part; more than this nobody reads, and nobody's memory holds twice

_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a mail: where it stands in `raw`, what its headers say, and the parts inside it."""

    raw: bytes = field(repr=False)
    head: Headers = field(repr=False)
    start: int  # of its header section
    body_at: int
    end: int
    content_type: str  # lower case, "text/plain" where none is given or it makes no sense
    parameters: Mapping[str, str] = field(repr=False)
    parts: tuple["Part", ...] = ()
    depth: int = 0
    defects: tuple[str, ...] = ()

    @property
    def is_multipart(self) -> bool:
        """Return whether the part is only a frame around others."""
        return self.content_type.startswith("multipart/") and bool(self.parts)

    @once
    def _disposition(self) -> tuple[str, Mapping[str, str]]:
        raw = self.head.raw("content-disposition")
        return parameters.read(raw, self.head.fallback) if raw else ("", {})

    @once
    def disposition(self) -> str:
        """Return "inline", "attachment", another word, or "" (RFC 2183)."""
        return self._disposition[0].split(" ")[0]

    @once
    def name(self) -> str:
        """Return the file name, decoded and made safe, "" if there is none."""
        given = (
            self._disposition[1].get("filename")
            or self.parameters.get("name")
            or self._disposition[1].get("name")
            or ""
        )
        return filename.safe(given)

    @once
    def content_id(self) -> str:
        """Return the Content-ID without angle brackets (RFC 2392)."""
        return self.head.first("content-id").strip("<> ")

    @once
    def transfer_encoding(self) -> str:
        """Return the transfer encoding (RFC 2045 6.1), squeezed to its letters and digits: senders spell it freely."""
        raw = self.head.raw("content-transfer-encoding")
        return _NOT_LETTERS.sub(b"", raw[:80].partition(b";")[0].lower()).decode("ascii") if raw else ""

    @property
    def encoded(self) -> bytes:
        """Return the body as it was sent."""
        return self.raw[self.body_at : self.end]

    def content(self) -> bytes:
        """Return the body with its transfer encoding undone; as it was sent if that is broken or unknown."""
        if self._left_out:
            return decoded(self.raw.whole(self.body_at, self.end), self.transfer_encoding)  # type: ignore[attr-defined]  # only Shortened leaves out
        return decoded(self.encoded, self.transfer_encoding)

    @once
    def _left_out(self) -> list[Gap]:
        return self.raw.within(self.body_at, self.end) if isinstance(self.raw, Shortened) else []

    def size_bytes(self) -> int:
        """Return how long `content` is, without loading what was left out of a large mail."""
        if not self._left_out:
            return len(self.content())
        if self.transfer_encoding.startswith("base64"):
            here = len(decoded(self.encoded, self.transfer_encoding))
            return here + sum(gap.letters for gap in self._left_out) // 4 * 3
        return len(self.encoded) + sum(gap.size_bytes for gap in self._left_out)

    def text(self, fallback: str = "") -> charset.Decoded:
        """Return the body as text with LF line ends, cut at TEXT_BYTES."""
        return self.decode(self.content(), fallback)

    def decode(self, content: bytes, fallback: str = "") -> charset.Decoded:
        """Return `content`, bytes of this part, as text in its charset, with LF line ends."""
        label = self.parameters.get("charset", "")
        if self.content_type == "text/html" and not charset.codec(label):
            label = _html_charset(content) or label
        if len(content) <= TEXT_BYTES:
            return charset.lines(content, label, fallback)
        return charset.Decoded(charset.lines(content[:TEXT_BYTES], label, fallback).text, "text-cut")

    def message(self) -> "Part":
        """Return the mail that a message/rfc822 part holds, as a part of its own."""
        if self.transfer_encoding in ("base64", "quotedprintable"):  # RFC 2046 5.2.1 forbids it, Exchange does it
            content = self.content()
            return read(content, 0, len(content), self.depth + 1)
        start = self.body_at
        while self.raw[start : start + 1] in (b"\r", b"\n") and start < self.end:
            start += 1
        return read(self.raw, start, self.end, self.depth + 1)

    def walk(self) -> Iterator["Part"]:
        """Yield the part itself and all that it frames, in the order of the mail; not into attached mails."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.parts))


_META: Final = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=[\s\"']{0,5}([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def _html_charset(content: bytes) -> str:
    """Return the charset that an HTML body declares itself (HTML 13.2.3.2), "" if none."""
    match = _META.search(content, 0, 4096)
    return match.group(1).decode("ascii") if match else ""


def decoded(body: bytes, encoding: str) -> bytes:
    """Return `body` with a squeezed transfer encoding undone (RFC 2045 6); an unknown one is taken for none."""
    if encoding.startswith("base64"):
        return body if _is_prose(body[:1024]) else headers.unbase64(body)
    if encoding.startswith("quotedprintable"):
        return binascii.a2b_qp(body)
    if encoding in ("xuuencode", "uuencode", "xuue", "uue"):
        return next((piece.content() for piece in uuencode.find(body)), body)
    return body


_NOT_LETTERS: Final = re.compile(rb"[^a-z0-9]+")
_BASE64_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


def _is_prose(sample: bytes) -> bool:
    """Return whether what is said to be base64 is plainly not: senders label texts so."""
    rest = sample.translate(None, _BASE64_LETTERS)
    spaces = rest.count(b" ")
    return 4 * (len(rest) - spaces - rest.count(b"\n") - rest.count(b"\r")) > len(sample) or 12 * spaces > len(sample)


@dataclass(slots=True)
class _Open:
    """A part that is being read."""

    start: int
    section: headers.Section
    content_type: str
    parameters: Mapping[str, str]
    depth: int
    boundary: bytes = b""
    shadowed: int = -1  # the open multipart further out that has the same boundary
    closed: bool = False
    children: list[Part] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def read(
    raw: bytes, start: int = 0, end: int | None = None, depth: int = 0, section: headers.Section | None = None
) -> Part:
    """Return the mail or part `raw[start:end]` with all the parts that it frames."""
    return _Scan(raw, len(raw) if end is None else end).run(start, depth, section)


class _Scan:
    """The single pass over a mail's delimiter lines."""

    def __init__(self, raw: bytes, end: int) -> None:
        self.raw = raw
        self.end = end
        self.stack: list[_Open] = []  # the multiparts that are open, outermost first
        self.levels: dict[bytes, int] = {}  # boundary -> the innermost place in the stack that has it
        self.leaf: _Open | None = None
        self.count = 0

    def run(self, start: int, depth: int, section: headers.Section | None) -> Part:
        """Read the part that begins at `start`."""
        top = self._begin(start, depth, "text/plain", section)
        if self._enter(top):
            headed = _HEADED.match(self.raw, top.section.body_at, self.end)
            if headed:  # seen in practice: the first delimiter is missing
                top.defects.append("boundary-missing")
                self._open(top, headed.end())
            self._delimiters(top.section.body_at)
            untouched = not top.children and self.leaf is None and len(self.stack) == 1
            if untouched and (guess := self._guessed(top.section.body_at)):
                top.defects.append("boundary-wrong")
                self.stack.clear()
                self._push(top, guess)
                self._delimiters(top.section.body_at)
            self._close(0, self.end)
            self.stack.clear()
        return self._part(top, self.end)

    def _begin(self, start: int, depth: int, default: str, section: headers.Section | None = None) -> _Open:
        section = section or headers.read(self.raw, start, self.end)
        head, body_at = section
        kinds = head.raws("content-type")
        kind, given = parameters.read(kinds[0], head.fallback) if kinds else (default, {})
        for other in kinds[1:3]:  # seen in practice: two Content-Types, of which the second tells the boundary in use
            mark = given.get("boundary")
            if mark is None or self.raw.find(b"--" + mark.encode("utf-8", "replace"), body_at, body_at + 65_536) < 0:
                another, its = parameters.read(other, head.fallback)
                if "boundary" in its:
                    kind, given = another, its
        if not _TYPE.fullmatch(kind):
            kind = _mended(kind, default)
        return _Open(start, section, kind, given, depth)

    def _enter(self, part: _Open) -> bool:
        """Make `part` the innermost open multipart; False if it is none or has no delimiters to go by."""
        if not part.content_type.startswith("multipart/"):
            return False
        if part.depth >= DEPTH:
            part.defects.append("parts-too-deep")
            return False
        boundary = part.parameters.get("boundary", "").encode("utf-8", "surrogateescape").rstrip()[:BOUNDARY_BYTES]
        if not boundary:
            part.defects.append("boundary-missing")
            boundary = self._guessed(part.section.body_at)
        if boundary:
            self._push(part, boundary)
        return bool(boundary)

    def _push(self, part: _Open, boundary: bytes) -> None:
        part.boundary = boundary
        part.shadowed = self.levels.get(boundary, -1)
        self.levels[boundary] = len(self.stack)
        self.stack.append(part)

    def _guessed(self, at: int) -> bytes:
        """Return the boundary that the body behind `at` seems to use, b"" if none."""
        match = _DELIMITER.search(self.raw, at, min(self.end, at + 65_536))
        return match.group(1) if match else b""

    def _delimiters(self, body_at: int) -> None:
        """Go through the delimiter lines from `body_at` on."""
        raw, end = self.raw, self.end
        at = body_at - 1  # the line feed before the body begins the first delimiter
        while True:
            # Two shortcuts: the first hyphen is found by memchr, which passes over a base64 part ten times faster;
            # and with one multipart open its whole delimiter is looked for, since a long needle is found faster.
            hyphen = raw.find(b"-", max(at, 0), end)
            if hyphen < 0:
                return
            needle = b"\n--" + self.stack[0].boundary if len(self.stack) == 1 else b"\n--"
            at = raw.find(needle, max(at, hyphen - 1), end)
            if at < 0:
                return
            newline = raw.find(b"\n", at + 3, end)
            stop = end if newline < 0 else newline
            line = raw[at + 3 : min(stop, at + BOUNDARY_BYTES + 8)].rstrip(b" \t\r")
            level, closes = self.levels.get(line, -1), False
            if level < 0 and line.endswith(b"--"):
                level, closes = self.levels.get(line[:-2], -1), True
            if level < 0:
                at = stop
                continue
            self._close(level, at - 1 if raw[at - 1 : at] == b"\r" else at)
            part = self.stack[level]
            if closes:
                part.closed = True
                at = stop
            elif self.count >= PARTS:
                part.defects.append("parts-too-many")
                return
            else:
                at = self._open(part, min(stop + 1, end))

    def _open(self, parent: _Open, start: int) -> int:
        """Begin a part of `parent` at `start`; return where the search for delimiters goes on."""
        self.count += 1
        default = "message/rfc822" if parent.content_type == "multipart/digest" else "text/plain"
        part = self._begin(start, parent.depth + 1, default)
        if not self._enter(part):
            self.leaf = part
        return max(part.section.body_at, start) - 1

    def _close(self, level: int, end: int) -> None:
        """End the part that is being read, and the multiparts deeper than `level`."""
        if self.leaf is not None:
            if self.leaf.start < end:  # else two delimiters in a row, with nothing between them
                self.stack[-1].children.append(self._part(self.leaf, end))
            self.leaf = None
        while len(self.stack) > level + 1:
            part = self.stack.pop()
            if part.shadowed < 0:
                del self.levels[part.boundary]
            else:
                self.levels[part.boundary] = part.shadowed
            self.stack[-1].children.append(self._part(part, end))

    def _part(self, part: _Open, end: int) -> Part:
        """Return the finished `part`, which ends at `end`."""
        if part.boundary and not part.closed:
            part.defects.append("boundary-unclosed" if part.children else "boundary-unused")
        head, body_at = part.section
        end = max(end, part.start)
        return Part(
            self.raw, head, part.start, min(body_at, end), end, part.content_type, part.parameters,
            tuple(part.children), part.depth, (*part.defects, *head.defects),
        )  # fmt: skip


_HEADED: Final = re.compile(rb"[\r\n]{0,20}(?=content-(?:type|disposition|transfer-encoding|length):)", re.IGNORECASE)
_DELIMITER: Final = re.compile(
    rb"^--(\S[^\n\r]{0,200}?)[ \t]*\r?\n(?=content-[a-z-]{1,40}:)", re.IGNORECASE | re.MULTILINE
)


_MEANT: Final = {
    "text": "text/plain",
    "plain": "text/plain",
    "html": "text/html",
    "multipart": "multipart/mixed",
    "message": "message/rfc822",
    "application": "application/octet-stream",
    "image": "image/unknown",
}


def _mended(kind: str, default: str) -> str:
    """Return the content type that a malformed one was meant to be, the default if there is no telling."""
    match = _TYPE.search(re.sub(r"\s*/\s*", "/", kind))
    return match.group(0) if match else _MEANT.get(kind.rstrip("/"), default)
