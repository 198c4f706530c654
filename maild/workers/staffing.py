"""How many filers there are: one always, further ones while more mails wait than it can file at once."""

import os
from collections.abc import Sequence
from typing import Final

from maild.workers.child import FIRST, Child

IDLE_S: Final = 60.0  # a further filer that has had nothing to do for so long goes
MOST_FILERS: Final = 4  # measured: on SQLite, where one writes at a time, more would only wait for each other


def most_filers() -> int:
    """Return how many processes may file at once: they leave a processor to those that move bytes."""
    return max(1, min(MOST_FILERS, len(os.sched_getaffinity(0)) - 1))


def lacks_first(children: Sequence[Child], *, has_fork_server: bool) -> bool:
    """Return whether the one that is always there is to be begun.

    Who has lost its fork server works on, but another is begun in its place: how it ends nobody would be told.
    """
    return not any(
        child.name == FIRST and not child.leaving and not (child.orphaned and has_fork_server) for child in children
    )


def further(children: Sequence[Child], most: int, now_s: float) -> str | None:
    """Return the name of a filer that is to be begun, None if there are enough."""
    filers = [child for child in children if not child.leaving]
    if not filers or len(filers) >= most or not all(each.crowded(now_s) for each in filers):
        return None
    names = {child.name for child in filers}
    return next(f"filer-{number}" for number in range(2, most + 2) if f"filer-{number}" not in names)


def superfluous(children: Sequence[Child], now_s: float) -> list[Child]:
    """Return the further filers that have had nothing to do for long."""
    return [
        child
        for child in children
        if child.name != FIRST and not child.leaving and child.idle_since_s is not None
        if now_s - child.idle_since_s > IDLE_S
    ]
