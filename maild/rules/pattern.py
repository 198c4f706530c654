"""Words to look for in a line, as an operator writes them: "invoice", "refund*", "order * late".

Case is not looked at, spaces of any kind and number are one. A pattern is found as whole words; `*` stands for
anything, also for nothing, so "refund*" finds "refunding", and "*" at both ends finds a part of a word or words of a
language that writes without spaces. There is no other sign, and no pattern that takes long: a look is linear in the
line, which is cut at LONGEST_LINE.
"""

from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200
LONGEST_LINE: Final = 8192


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to look for; made by `parse`."""

    text: str  # as it was written
    pieces: tuple[str, ...]  # what stands between the stars, in order
    open_start: bool  # it begins with a star
    open_end: bool

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Return the pattern that `text` says.

        Raises:
            ValueError: it says nothing, or is too long.
        """
        folded = _folded(text)
        pieces = tuple(each for each in folded.split("*") if each.strip())
        if not pieces:
            raise ValueError("expected words to look for, such as 'invoice' or 'refund*'")
        if len(text) > LONGEST:
            raise ValueError(f"expected at most {LONGEST} characters")
        return cls(text, pieces, folded.startswith("*"), folded.endswith("*"))

    def found_in(self, line: str) -> bool:
        """Return whether `line` has it."""
        return self._found(_folded(line[:LONGEST_LINE]))

    def _found(self, line: str) -> bool:
        first, *others = self.pieces
        start = self._next(line, first, 0, starts=not self.open_start, ends=not (others or self.open_end))
        if start < 0:
            return False
        # Each piece as early as it can be: that leaves the most room for the ones behind it.
        end = start + len(first)
        for place, piece in enumerate(others, 1):
            last = place == len(others)
            found = self._next(line, piece, end, starts=False, ends=last and not self.open_end)
            if found < 0:
                return False
            end = found + len(piece)
        return True

    @staticmethod
    def _next(line: str, piece: str, begin: int, *, starts: bool, ends: bool) -> int:
        """Return where `piece` stands from `begin` on, at the start or end of a word as asked for; -1 if nowhere."""
        at = line.find(piece, begin)
        while at >= 0:
            behind = at + len(piece)
            if not (starts and _joins(line[at - 1 : at], piece[0])) and not (
                ends and _joins(piece[-1], line[behind : behind + 1])
            ):
                return at
            at = line.find(piece, at + 1)
        return -1


def _joins(one: str, other: str) -> bool:
    """Return whether two characters beside each other are of one word."""
    return bool(one) and bool(other) and one.isalnum() and other.isalnum()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
