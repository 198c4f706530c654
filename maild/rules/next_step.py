"""What happens next to a ticket if nobody does anything, and when: the life cycle's own words, for people to read.

It says of a ticket what `rules.waiting` will do at the tick of `due_at`; a test lives through tickets and compares.
Nothing here decides anything.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from maild.rules.tickets import Status, Ticket


class Step(StrEnum):
    """What time alone will do; the value is what commands say."""

    TELL_AGENTS = "tell agents"
    REMIND = "remind customer"
    RESOLVE = "resolve"
    RETURN = "come back"
    ASK = "ask customer"
    CLOSE = "close"
    PURGE = "remove"


@dataclass(frozen=True, slots=True)
class NextStep:
    """What happens, and when; an instant that is past means at the next tick."""

    step: Step
    at: datetime


def next_step(ticket: Ticket) -> NextStep | None:
    """Return what time alone does to `ticket` next, None if nothing, ever.

    A reminder that comes due out of office hours is put off to the next ones.
    """
    step = _step(ticket)
    return NextStep(step, ticket.due_at) if step and ticket.due_at else None


def _step(ticket: Ticket) -> Step | None:
    match ticket.status:
        case Status.NEW | Status.OPEN:
            return Step.TELL_AGENTS
        case Status.ANSWERED:
            return Step.REMIND if ticket.reminded_at is None else Step.RESOLVE
        case Status.POSTPONED:
            early = ticket.wake_at and ticket.due_at and ticket.due_at < ticket.wake_at
            return Step.TELL_AGENTS if early else Step.RETURN
        case Status.RESOLVED:
            return Step.ASK if ticket.rate_at else Step.CLOSE
        case Status.SPAM | Status.DELETED:
            return Step.PURGE
        case Status.CLOSED | Status.MERGED:
            return None
