"""What a department promises and how patient it is: what the rules know of the configuration, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from maild.rules.levels import Level
from maild.rules.working_time import ALWAYS, Calendar, Span

MOST_ESCALATIONS: Final = 50  # rules: each is looked at whenever a ticket in which somebody waits changes


@dataclass(frozen=True, slots=True)
class Escalation:
    """A rule of `[[escalate]]`: of which tickets, after how long, and what follows.

    What is empty is not asked for, or not done. `rules.escalation` says when one is due and what it does.
    """

    name: str  # what history and mails call it
    departments: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    unassigned_for: Span | None = None
    unanswered_for: Span | None = None
    breached: bool = False
    priority: str | None = None  # at least this one: what is more urgent stays so
    department: str | None = None
    assignee: str | None = None  # normalised
    tell: tuple[str, ...] = ()  # agents, normalised

    @property
    def tells(self) -> bool:
        """Whether somebody hears of it."""
        return bool(self.tell or self.assignee or self.department)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a department promises and how patient it is."""

    respond_after: Span = field(default_factory=lambda: Span.parse("7d"))  # the customer waits: tell the agents again
    remind_after: Span = field(default_factory=lambda: Span.parse("5d"))  # we wait: remind the customer
    resolve_after: Span = field(default_factory=lambda: Span.parse("10d"))  # we wait: believe it solved
    close_after: Span = field(default_factory=lambda: Span.parse("14d"))  # resolved: close
    calendar: Calendar = ALWAYS  # counts the spans
    office: Calendar = ALWAYS  # when a customer gets automatic mails
    level: Level | None = None  # what is promised; None: nothing
    asks_rating: bool = False  # whether a customer is asked how we did
    told_in: Calendar = ALWAYS  # when agents are told that a customer waits
    escalations: tuple[Escalation, ...] = ()
    agents: Mapping[str, frozenset[str]] = field(default_factory=dict)  # who works in each department
    give_back_after: Span | None = None  # the customer waits and his agent does nothing: offer it to the department
