"""What happens next to a ticket if nobody does anything, and when: the life cycle's own words, for people to read.

It says of a ticket what `rules.waiting` will do at the tick of `due_at`; a test lives through tickets and compares.
Nothing here decides anything.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

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


def sentence(coming: NextStep, zone: ZoneInfo, now: datetime) -> str:
    """Return what happens, when by the wall clock of `zone`, and what would keep it from happening."""
    return _SENTENCES[coming.step].format(when="now" if coming.at <= now else f"on {moment(coming.at, zone, now)}")


def moment(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return an instant as people say it: "Mon 30 Nov, 10:00 Tallinn", with the year if it is another."""
    local = at.astimezone(zone)
    year = f" {local.year}" if local.year != now.astimezone(zone).year else ""
    place = zone.key.rpartition("/")[2].replace("_", " ")
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M} {place}"


_SENTENCES: Final = {
    Step.TELL_AGENTS: "agents are told {when}, unless it is answered",
    Step.REMIND: "the customer is reminded {when}, unless he writes",
    Step.RESOLVE: "resolves itself {when}, unless the customer writes",
    Step.RETURN: "comes back {when}, or when the customer writes",
    Step.ASK: "the customer is asked {when} how we did",
    Step.CLOSE: "closes {when}, unless the customer writes",
    Step.PURGE: "is removed for good {when}",
}


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
