"""What is promised, and what became of it: levels of service, with a target for each clock and priority.

A clock that a level leaves out is measured and promises nothing. `rules.promises` says when clocks run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from maild.rules.working_time import ALWAYS, Calendar, Span

PRIORITIES: Final = ("urgent", "high", "normal", "low")  # in the order in which they are worked off


def more_urgent(one: str, other: str | None) -> str:
    """Return the more urgent one of two priorities, the known one if one is unknown; `one` if there is no other."""
    return next((each for each in PRIORITIES if each in (one, other)), one)


class Kind(StrEnum):
    """A clock; the value is what the database and the commands say."""

    FIRST_RESPONSE = "first response"
    NEXT_RESPONSE = "next response"
    RESOLUTION = "resolution"


class Outcome(StrEnum):
    """What a clock that ended came to."""

    MET = "met"
    MISSED = "missed"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Level:
    """A level of service."""

    name: str
    calendar: Calendar = ALWAYS  # which time counts
    targets: Mapping[Kind, Mapping[str, Span]] = field(default_factory=dict)  # by clock and priority
    warn_at: tuple[int, ...] = (75, 100)  # percent of a target after which the agents are told

    def target(self, kind: Kind, priority: str) -> Span | None:
        """Return how long a clock may run, None if nothing is promised; an unknown priority is a normal one."""
        spans = self.targets.get(kind, {})
        return spans.get(priority) or spans.get("normal")


@dataclass(frozen=True, slots=True)
class Finished:
    """A clock that ended."""

    kind: Kind
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime
    used: timedelta  # working time
    outcome: Outcome | None  # None: there was no target
    level: str | None = None
    priority: str = ""
    department: str = ""
    agent: str | None = None  # whose answer stopped it
