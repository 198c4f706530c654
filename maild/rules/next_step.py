"""What happens next to a ticket if nobody does anything, and when: the life cycle's own words, for people to read.

It says of a ticket what `rules.waiting` will do at the tick of `due_at`; a test lives through tickets and compares.
Nothing here decides anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from maild.rules import escalation, keeping
from maild.rules.policy import Escalation, Policy
from maild.rules.state import TO_SOLVE, Status, Ticket


class Step(StrEnum):
    """What time alone will do; the value is what commands say."""

    TELL_AGENTS = "tell agents"
    ESCALATE = "escalate"
    GIVE_BACK = "give back"
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
    told: tuple[str, ...] = ()  # agents who hear of it, normalised; none: all of the department
    rules: tuple[str, ...] = ()  # that act
    department: str = ""  # to which they move it


def next_step(ticket: Ticket, policy: Policy) -> NextStep | None:
    """Return what time alone does to `ticket` next, None if nothing, ever.

    A reminder that comes due out of office hours is put off to the next ones.
    """
    step, at = _step(ticket), ticket.due_at
    if step is None or at is None:
        return None
    if step is not Step.TELL_AGENTS:
        return NextStep(step, at)
    if policy.escalations and ticket.status in TO_SOLVE:
        after = escalation.escalated(ticket, at, policy)
        if acted := escalation.acted(ticket, after, policy):
            return _escalates(ticket, after, acted, at)
    mine = (ticket.assignee,) if ticket.assignee else ()
    if keeping.is_due(ticket, at, policy):
        return NextStep(Step.GIVE_BACK, at, mine)
    return NextStep(step, at, mine)


def _escalates(ticket: Ticket, after: Ticket, acted: Sequence[Escalation], at: datetime) -> NextStep:
    named = [agent for rule in acted for agent in (*rule.tell, rule.assignee) if agent]
    moved = after.department if after.department != ticket.department else ""
    return NextStep(Step.ESCALATE, at, tuple(dict.fromkeys(named)), tuple(rule.name for rule in acted), moved)


def sentence(coming: NextStep, zone: ZoneInfo, now: datetime) -> str:
    """Return what happens, when by the wall clock of `zone`, and what would keep it from happening."""
    told = [*coming.told, *([f"all of {coming.department}"] if coming.department else [])]
    return _SENTENCES[coming.step].format(
        when="now" if coming.at <= now else f"on {moment(coming.at, zone, now)}",
        who=", ".join(told) or "all of its department",
        is_="is" if len(coming.told) == 1 and not coming.department else "are",
        rules=", ".join(coming.rules),
        hears=f"; {', '.join(told)} hear{'s' if len(told) == 1 else ''} of it" if told else "",
    )


def moment(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return an instant as people say it: "Mon 30 Nov, 10:00 Tallinn", with the year if it is another."""
    local = at.astimezone(zone)
    year = f" {local.year}" if local.year != now.astimezone(zone).year else ""
    place = zone.key.rpartition("/")[2].replace("_", " ")
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M} {place}"


_SENTENCES: Final = {
    Step.TELL_AGENTS: "{who} {is_} told {when}, unless it is answered",
    Step.ESCALATE: "{rules} acts {when}, unless it is answered{hears}",
    Step.GIVE_BACK: "is given back to its department {when}, unless {who} does something about it",
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
