"""The clock of the daemon: what `rules.clock` makes of the machine's two.

The only place where the daemon reads a clock; all else is given the instant. The counter is one that goes on while
the machine sleeps, so that closing a laptop is no jump.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

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

    def belief(self) -> Belief:
        """Return what is believed now."""
        return self._look()

    def go_on(self, belief: Belief) -> None:
        """Go on from what another process of this machine believes; its counter is ours."""
        with self._mutex:
            self._belief = belief

    def agree(self, at: datetime) -> None:
        """Believe the wall clock if another process does, for which it is `at` now: it may have been told to."""
        if self.doubt is not None and abs(self._show() - at) <= rules.TOLERANCE:
            self.believe()

    def believe(self) -> None:
        """Believe the wall clock: the operator says that it is right."""
        with self._mutex:
            self._belief = Belief(self._show(), self._count_s())

    def _look(self) -> Belief:
        with self._mutex:  # the two are read together: a thread that is late must not see a jump that is none
            self._belief = rules.look(self._belief, self._show(), self._count_s())
            return self._belief


def written(belief: Belief) -> dict[str, Any]:
    """Return a belief as another process can read it."""
    doubt = belief.doubt
    told = (
        {"off_s": doubt.off.total_seconds(), "since": doubt.since.isoformat(), "at_start": doubt.at_start}
        if doubt
        else None
    )
    return {"at": belief.at.isoformat(), "counted_s": belief.counted_s, "doubt": told}


def belief_of(told: dict[str, Any]) -> Belief:
    """Return the belief that was `written`."""
    doubt = told["doubt"]
    return Belief(
        datetime.fromisoformat(told["at"]),
        told["counted_s"],
        Doubt(timedelta(seconds=doubt["off_s"]), datetime.fromisoformat(doubt["since"]), doubt["at_start"])
        if doubt
        else None,
    )
