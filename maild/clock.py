"""The clock of the daemon: what `rules.clock` makes of the machine's two.

The only place where the daemon reads a clock; all else is given the instant. The counter is one that goes on while
the machine sleeps, so that closing a laptop is no jump.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from maild.rules import clock as rules
from maild.rules.clock import Belief, Doubt

_COUNTER: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # only Linux counts the time of sleep apart


def wall() -> datetime:
    """Return what the wall clock shows."""
    return datetime.now(UTC)


def counter_s() -> float:
    """Return the seconds that have passed since the machine started."""
    return time.clock_gettime(_COUNTER)


class Clock:
    """Tells the time: call it. Safe to share between threads."""

    def __init__(self, show: Callable[[], datetime] = wall, count_s: Callable[[], float] = counter_s) -> None:
        """Begin with what the wall clock shows."""
        self._show = show
        self._count_s = count_s
        self._mutex = threading.Lock()
        self._belief = Belief(show(), count_s())

    def __call__(self) -> datetime:
        """Return the present instant."""
        return self._look().at

    def wall(self) -> datetime:
        """Return what the wall clock shows, whether it is believed or not."""
        return self._show()

    @property
    def doubt(self) -> Doubt | None:
        """Why the wall clock is not believed now, None if it is."""
        return self._look().doubt

    def begin(self, remembered: datetime | None) -> None:
        """Compare the wall with the last instant that is remembered; for the start of the daemon."""
        with self._mutex:
            self._belief = rules.begin(self._show(), self._count_s(), remembered)

    def believe(self) -> None:
        """Believe the wall clock: the operator says that it is right."""
        with self._mutex:
            self._belief = Belief(self._show(), self._count_s())

    def _look(self) -> Belief:
        with self._mutex:  # the two are read together: a thread that is late must not see a jump that is none
            self._belief = rules.look(self._belief, self._show(), self._count_s())
            return self._belief
