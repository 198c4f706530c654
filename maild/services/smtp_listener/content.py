"""What comes after DATA, read in pieces of any size: where the mail ends, and its bytes with whole line ends.

No I/O. A mail ends at CRLF.CRLF and nowhere else (RFC 5321 4.1.1.4), and a dot that begins a line is taken off it
(4.5.2). A lone CR or LF becomes CRLF, so that nothing behind us can see another line than we did. A dot that stands
alone between line ends of which one is not CRLF (or has a NUL about it) is what SMTP smuggling is made of: a server
behind us might take it for the end. Such content is told of (`smuggling`) and must be refused. Other NULs are kept:
people's mail has them, and reading a mail copes with any bytes.
"""

import re
from typing import Final

_END: Final = b"\r\n.\r\n"
_LONG_LINE_BYTES: Final = 4_096  # of a line without an end, what is kept back to wait for it
_TAIL_BYTES: Final = 64  # of such a line, what is kept back when it goes on for longer

# The true end never matches: the content before it is cut off first.
_LONE_DOT: Final = re.compile(rb"[\r\n]\0{0,16}\.\0{0,16}[\r\n]")


class Content:
    """The bytes of one mail on their way in."""

    __slots__ = ("_after_crlf", "_line_start", "_tail", "ended", "rest", "smuggling")

    def __init__(self) -> None:
        self._tail = b""  # not read yet
        self._line_start = True  # the tail begins a line
        self._after_crlf = True  # ... and what ended the line before was a CRLF
        self.ended = False
        self.rest = b""  # what came behind the end: the next commands
        self.smuggling = False

    def feed(self, chunk: bytes) -> bytes:
        """Read the next `chunk` and return what is certain of the mail; its line ends are whole CRLFs.

        What is returned together is the mail once `ended` is set; memory is bounded by the chunk, however long lines
        are. Nothing may be fed after the end.
        """
        text = self._tail + chunk if self._tail else chunk
        if self._line_start and self._after_crlf and text.startswith(b".\r\n"):
            self._end(text[3:])
            return b""
        end = text.find(b"\r\n.")
        if end >= 0:
            end = text.find(_END, end)
        if end >= 0:
            self._end(text[end + len(_END) :])
            return self._read(text[: end + 2])
        cut = text.rfind(b"\n") + 1
        if not cut:
            cut = _cut_of_long_line(text)
        self._tail = text[cut:]
        return self._read(text[:cut]) if cut else b""

    def _end(self, rest: bytes) -> None:
        self.ended = True
        self.rest = rest
        self._tail = b""

    def _read(self, text: bytes) -> bytes:
        """Return `text`, which ends with its line or inside a long one, unstuffed and with whole line ends."""
        pairs = text.count(b"\r\n")
        clean = pairs == text.count(b"\n") and pairs == text.count(b"\r")
        if not (clean and self._after_crlf) or b"\0" in text:
            before = b"\n" if self._line_start else b""
            self.smuggling = self.smuggling or _LONE_DOT.search(before + text) is not None
        dotted = self._line_start and self._after_crlf and text.startswith(b".")
        self._line_start = text.endswith(b"\n")
        self._after_crlf = text.endswith(b"\r\n") or not self._line_start
        text = text.replace(b"\r\n.", b"\r\n")
        if dotted:
            text = text[1:]
        if clean:
            return text
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _cut_of_long_line(text: bytes) -> int:
    """Return how much of a line without an end can be read now: not what may yet be part of a line end."""
    if len(text) < _LONG_LINE_BYTES:
        return 0
    carriage_return = text.rfind(b"\r", len(text) - _TAIL_BYTES)
    return len(text) if carriage_return < 0 else carriage_return
