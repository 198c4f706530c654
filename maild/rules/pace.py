"""How fast time alone may act: so much for each department and minute, less after a gap, nothing while it is held.

What is due falls into lanes. The lanes of a department do not wait for each other, nor for another department's:

    agents      a customer waits, a postponed ticket comes back: agents are told
    customers   a customer is reminded, told that his ticket is resolved, asked how we did; a ticket is closed
    quiet       spam and what was deleted is removed

Agents are told at any time. What customers get and what cannot be undone (`customers`, `quiet`) is
braked: if time was lost (GAP: maild was down, the machine slept, the clock was set) and more than MASS of it is due
afterwards, it goes on at CRAWL a minute for BRAKED, so that an operator who is told can stop what he does not want.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from maild.rules.state import Status, Tell

LEASE: Final = timedelta(minutes=5)  # of a ticket that is ticked; must exceed the longest time that a batch takes
GAP: Final = timedelta(minutes=15)
MASS: Final = 100  # tickets to be reminded, resolved, closed or removed at once
CRAWL: Final = 6  # of each lane and department, a minute
BRAKED: Final = timedelta(hours=1)
STEPS: Final = 6  # looks a minute while something waits
QUIET: Final = 300  # a minute; nobody gets a mail, or agents one of many tickets


class Lane(StrEnum):
    """Who is told of what time does."""

    AGENTS = "agents"
    CUSTOMERS = "customers"
    QUIET = "quiet"


LANES: Final = {
    Status.NEW: Lane.AGENTS,
    Status.OPEN: Lane.AGENTS,
    Status.POSTPONED: Lane.AGENTS,
    Status.ANSWERED: Lane.CUSTOMERS,
    Status.RESOLVED: Lane.CUSTOMERS,
    Status.CLOSED: Lane.QUIET,
    Status.SPAM: Lane.QUIET,
    Status.DELETED: Lane.QUIET,
    Status.MERGED: Lane.QUIET,
}
CAREFUL: Final = frozenset({Lane.CUSTOMERS, Lane.QUIET})
TOLD_BY: Final = {  # the mails of each lane
    Tell.WAITING: Lane.AGENTS,
    Tell.BREACHED: Lane.AGENTS,
    Tell.ESCALATED: Lane.AGENTS,
    Tell.REMINDER: Lane.CUSTOMERS,
    Tell.RESOLVED: Lane.CUSTOMERS,
    Tell.RATING: Lane.CUSTOMERS,
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """One lane of one department."""

    department: str
    lane: Lane

    @property
    def statuses(self) -> list[Status]:
        """The tickets that are in it."""
        return [status for status, lane in LANES.items() if lane is self.lane]


def is_mass(due: Mapping[Bucket, int], gap: timedelta) -> bool:
    """Return whether unusually much is due after `gap`, in which nobody looked."""
    return gap >= GAP and sum(count for bucket, count in due.items() if bucket.lane in CAREFUL) > MASS


def is_braked(braked_at: datetime | None, now: datetime) -> bool:
    """Return whether the brake that was put on then still holds."""
    return braked_at is not None and now < braked_at + BRAKED


def plan(
    due: Mapping[Bucket, int],
    told: Mapping[Bucket, int],
    most: Mapping[str, int],
    *,
    held: bool,
    braked: bool,
) -> dict[Bucket, int]:
    """Return of how many tickets of each bucket the time may come at this look.

    `told` is how many it came for within the last minute, `most` how many a department has a minute.
    """
    allowed: dict[Bucket, int] = {}
    for bucket, count in due.items():
        careful = bucket.lane in CAREFUL
        if careful and held:
            continue
        rate = most[bucket.department] if bucket.lane is Lane.CUSTOMERS else QUIET
        if careful and braked:
            rate = min(rate, CRAWL)
        step = rate if bucket.lane is Lane.AGENTS else max(1, rate // STEPS)  # an agent gets one mail of them all
        room = min(count, step, rate - told.get(bucket, 0))
        if room > 0:
            allowed[bucket] = room
    return allowed
