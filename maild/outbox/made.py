"""Letters that are made before the transaction in which they are written.

A letter follows from its post, from who gets it, from the instant, and from what was said on its ticket before; from
nothing else. So one that was made beforehand is taken where all of these are the same; else it is made anew.
"""

from datetime import datetime
from typing import Final

from maild.outbox.letters import Letter

MOST_BYTES: Final = 16 << 20  # of letters that are made beforehand


class Letters:
    """Letters that are made and not written."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at
        self._made: dict[tuple[int, str, str], Letter] = {}
        self._room = MOST_BYTES

    def keep(self, letter: Letter) -> bool:
        """Keep a letter that is made; return whether there is room for another."""
        self._made[_key(letter)] = letter
        self._room -= len(letter.raw)
        return self._room > 0

    def take(self, letter: Letter, now: datetime) -> Letter | None:
        """Return the letter that `letter` would be made to, None if there is none; each is taken once."""
        made = self._made.pop(_key(letter), None)
        return made if made is not None and now == self._at and _given(made) == _given(letter) else None


def _key(letter: Letter) -> tuple[int, str, str]:
    return id(letter.post.about), letter.post.tell.value, letter.agent.address if letter.agent else ""


def _given(letter: Letter) -> tuple[object, ...]:
    """Return what a letter is made of."""
    return letter.post, letter.department, letter.language, letter.to, letter.cc, letter.agent, letter.said
