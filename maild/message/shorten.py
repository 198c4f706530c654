"""A large mail in little memory: long runs of base64 are left out, and what was left out is known.

    whole mail      head ... base64 line, base64 line, ... 50 MB ..., last line, delimiter, ...
    shortened       head ... base64 line, last line, delimiter, ...        and a Gap: where, and how long it was

Only lines of one length that hold nothing but letters of base64 are left out, so every delimiter, header and text stays
where it was, and a mail is read from its shortened bytes as from the whole ones. What a file is long is reckoned;
what it holds is loaded from the whole mail, by whoever needs it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

LEAST_BYTES: Final = 64 << 10  # shorter runs stay
KEPT_LINES: Final = 16  # of a run: what looks at the beginning of a file must see it
BLOCK_LINES: Final = 256  # looked at together
_LONGEST_LINE: Final = 996

_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BEGIN: Final = re.compile(rb"\n((?:[A-Za-z0-9+/]{4}){10,249})(\r?\n)(?=[A-Za-z0-9+/]{40})")


@dataclass(frozen=True, slots=True)
class Gap:
    """What was left out at one place."""

    at: int  # in the shortened mail
    start: int  # in the whole mail
    size_bytes: int
    letters: int  # of base64, a multiple of four

    @property
    def end(self) -> int:
        """Where it ended in the whole mail."""
        return self.start + self.size_bytes


class Shortened(bytes):
    """A mail without its long runs of base64."""

    gaps: tuple[Gap, ...] = ()
    _whole: Callable[[], Iterator[bytes]] | None = None

    def pieces(self) -> Iterator[bytes]:
        """Give the whole mail, a piece at a time."""
        if self._whole is None:
            yield bytes(self)
        else:
            yield from self._whole()

    def whole(self, start: int, end: int) -> bytes:
        """Return what stood between two places of the shortened mail, with all that was left out there."""
        first, last = self._original(start), self._original(end)
        found: list[bytes] = []
        at = 0
        for piece in self.pieces():
            if at >= last:
                break
            if at + len(piece) > first:
                found.append(piece[max(0, first - at) : last - at])
            at += len(piece)
        return b"".join(found)

    def within(self, start: int, end: int) -> list[Gap]:
        """Return what was left out between two places of the shortened mail."""
        return [gap for gap in self.gaps if start < gap.at < end]

    def _original(self, at: int) -> int:
        return at + sum(gap.size_bytes for gap in self.gaps if gap.at < at)


def shorten(whole: Callable[[], Iterator[bytes]]) -> Shortened:
    """Return the mail of which `whole` gives the pieces, without its long runs of base64."""
    work = _Work()
    for piece in whole():
        work.read(piece)
    work.end()
    shortened = Shortened(work.kept)
    shortened.gaps = tuple(work.gaps)
    shortened._whole = whole  # noqa: SLF001 - bytes are made before their attributes
    return shortened


@dataclass(slots=True)
class _Run:
    """Lines of base64, all of one length."""

    width: int
    line_end: bytes
    lines: int = 0

    @property
    def stride(self) -> int:
        return self.width + len(self.line_end)

    def reach(self, data: bytes, at: int) -> int:
        """Return how many whole lines from `at` on belong to the run; few of its last ones may be missing."""
        stride, found, step = self.stride, 0, 4
        most = (len(data) - at) // stride
        while found < most:
            lines = min(step, most - found)
            block = data[at + found * stride : at + (found + lines) * stride]
            # Nothing but letters and line ends, and these where they belong.
            if block.translate(None, _LETTERS) != self.line_end * lines or any(
                block[self.width + place :: stride] != self.line_end[place : place + 1] * lines
                for place in range(len(self.line_end))
            ):
                break
            found += lines
            step = min(2 * step, BLOCK_LINES)
        return found


class _Work:
    """The reading of a mail, a piece at a time."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.gaps: list[Gap] = []
        self._data = b""  # read, and not looked at yet
        self._offset = 0  # of `_data` in the whole mail
        self._run: _Run | None = None
        self._held = bytearray()  # the beginning of a run, which may be too short to be left out
        self._last = b""  # line of it

    def read(self, piece: bytes) -> None:
        """Look at the next piece."""
        self._data += piece
        at = 0
        while True:
            if self._run is None:
                found = _BEGIN.search(self._data, at)
                if found is None:
                    break
                self._keep(at, found.start(1))
                self._run, at = _Run(len(found[1]), found[2]), found.start(1)
            at = self._go_on(self._run, at)
            if self._run is not None:
                break  # it may go on in the next piece
        if self._run is None:  # one may begin in what is left
            end = max(at, len(self._data) - 2 * _LONGEST_LINE)
            self._keep(at, end)
            at = end
        self._offset += at
        self._data = self._data[at:]

    def end(self) -> None:
        """Take what is left."""
        if self._run is not None:
            self._end_run(self._run, self._offset)
        self._keep(0, len(self._data))

    def _keep(self, start: int, end: int) -> None:
        self.kept += memoryview(self._data)[start:end]

    def _go_on(self, run: _Run, at: int) -> int:
        """Take the lines of a run that are there; return where they end."""
        lines = run.reach(self._data, at)
        end = at + lines * run.stride
        if lines:
            run.lines += lines
            self._last = self._data[end - run.stride : end]
            if len(self._held) < LEAST_BYTES:
                self._held += memoryview(self._data)[at:end]
        if len(self._data) - end >= run.stride:  # there is another line, which is not of the run
            self._end_run(run, self._offset + end)
            if not run.lines:  # a line that only looked like the beginning of one
                newline = self._data.find(b"\n", end)
                self._keep(end, newline)
                return newline
        return end

    def _end_run(self, run: _Run, end: int) -> None:
        size_bytes = run.lines * run.stride
        if size_bytes < LEAST_BYTES:
            self.kept += self._held
        else:
            head = KEPT_LINES * run.stride
            self.kept += memoryview(self._held)[:head]
            left_out = size_bytes - head - run.stride  # the last line stays: its end belongs to a delimiter behind it
            letters = (run.lines - KEPT_LINES - 1) * run.width
            self.gaps.append(Gap(len(self.kept), end - size_bytes + head, left_out, letters))
            self.kept += self._last
        self._held.clear()
        self._run = None
