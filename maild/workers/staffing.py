"""How many filers there are: one always, further ones while more mails wait than it can file at once."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Final

from maild.workers.child import FIRST, Child

CROWDED_S: Final = 0.5  # filing for so long without a break means that more wait than one can file
IDLE_S: Final = 60.0  # a further filer that has had nothing to do for so long goes
MOST_FILERS: Final = 4
MOST_ON_SQLITE: Final = 2  # measured: a third one only waits for the others to write


def most_filers(*, is_sqlite: bool) -> int:
    """Return how many processes may file at once: they share the processors with the daemon; SQLite has one writer."""
    return max(1, min(MOST_ON_SQLITE if is_sqlite else MOST_FILERS, len(os.sched_getaffinity(0)) - 1))


def further(children: Sequence[Child], most: int) -> str | None:
    """Return the name of a filer that is to be begun, None if there are enough."""
    filers = [child for child in children if not child.leaving]
    now_s = time.monotonic()
    crowded = all(each.ready and each.idle_since_s is None and now_s - each.busy_since_s > CROWDED_S for each in filers)
    if not filers or not crowded or len(filers) >= most:
        return None
    names = {child.name for child in filers}
    return next(f"filer-{number}" for number in range(2, most + 2) if f"filer-{number}" not in names)


def superfluous(children: Sequence[Child]) -> Iterator[Child]:
    """Give the further filers that have had nothing to do for long."""
    now_s = time.monotonic()
    for child in tuple(children):
        idle = child.idle_since_s is not None and now_s - child.idle_since_s > IDLE_S
        if child.name != FIRST and not child.leaving and idle:
            yield child
