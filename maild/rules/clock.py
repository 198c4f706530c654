"""What time it is: the wall clock, as far as it can be believed.

A wall clock may be an hour, a day or a year off, at the start of the machine or from one second to the next. A desk
that believed it would remind, resolve and close everything, or stand still until the time that it has seen comes
again. So there are two witnesses beside it: a counter of seconds that nobody sets, and the last instant that the
database remembers.

    the wall moved as the counter did, give or take TOLERANCE    it is believed
    it did not, by up to MODERATE      the desk's own time goes on by the counter; when the wall has stayed there for
                                       STABLE it is believed
    it did not, by more                the same, but only the operator can say that it is right
    it came back to where it should be     it is believed again

At a start there is no counter yet. Then the wall is believed if it is not before what is remembered, and not more than
LONGEST_DOWN behind it: a desk that was down for so long is one whose operator is there. Otherwise the time goes on
from what is remembered, until the wall becomes plausible, or as above.

Nothing here reads a clock. The counter counts seconds from any origin.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=15)  # nothing that a desk does depends on less
MODERATE: Final = timedelta(days=2)  # acted upon wrongly, this much does no harm that lasts
STABLE: Final = timedelta(minutes=30)
LONGEST_DOWN: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Doubt:
    """The wall clock is somewhere else than it should be."""

    off: timedelta  # how far it is ahead of the desk's own time, negative if behind
    since: datetime  # when it was first seen there, by the desk's own time
    at_start: bool = False  # it was so when the daemon began: no counter speaks against the wall

    @property
    def settles(self) -> bool:
        """Whether it ends by itself if the wall stays where it is."""
        return abs(self.off) <= MODERATE


@dataclass(frozen=True, slots=True)
class Belief:
    """What time it was when the counter showed `counted_s`, and whether the wall says otherwise."""

    at: datetime
    counted_s: float
    doubt: Doubt | None = None


def begin(wall: datetime, counted_s: float, remembered: datetime | None) -> Belief:
    """Return what to believe at a start; `remembered` is the last instant that a daemon was sure of."""
    if remembered is None or plausible(wall - remembered):
        return Belief(wall, counted_s)
    return Belief(remembered, counted_s, Doubt(wall - remembered, remembered, at_start=True))


def plausible(gap: timedelta) -> bool:
    """Return whether so much time may have passed while nobody looked."""
    return -TOLERANCE <= gap <= LONGEST_DOWN


def look(belief: Belief, wall: datetime, counted_s: float) -> Belief:
    """Return what to believe when the wall shows `wall` and the counter `counted_s`."""
    own = belief.at + timedelta(seconds=max(0.0, counted_s - belief.counted_s))
    off, doubt = wall - own, belief.doubt
    if abs(off) <= TOLERANCE:
        return Belief(wall, counted_s)
    if doubt is None or abs(off - doubt.off) > TOLERANCE:
        at_start = doubt is not None and doubt.at_start
        if at_start and plausible(off):
            return Belief(wall, counted_s)
        return Belief(own, counted_s, Doubt(off, own, at_start))
    if doubt.settles and own - doubt.since >= STABLE:
        return Belief(wall, counted_s)
    return Belief(own, counted_s, doubt)
