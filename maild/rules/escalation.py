"""What is done when a customer waits too long: the rules of `[[escalate]]`, as values.

`rules.escalating` says when one is due and what it does.
"""

from dataclasses import dataclass
from typing import Final

from maild.rules.sla import Span

MOST: Final = 50  # rules: each is looked at whenever a ticket in which somebody waits changes


@dataclass(frozen=True, slots=True)
class Escalation:
    """A rule: of which tickets, after how long, and what follows. What is empty is not asked for, or not done."""

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
