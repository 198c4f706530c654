"""What time alone does to a ticket, and when: the last row of the table of `rules.ticket`.

`due_at` is the earliest of all that time alone will do, computed after every event by `due`: there are no timers to
cancel. All instants are aware UTC; spans become instants by the department's calendars.
"""

from dataclasses import replace
from datetime import datetime

from maild.rules.tickets import (
    AFTER_REMINDER,
    DELETED_KEPT,
    SPAM_KEPT,
    TELL_AGAIN,
    Decision,
    Policy,
    Status,
    Tell,
    Ticket,
    entered,
)


def tick(ticket: Ticket, at: datetime) -> Decision:
    """Return what the passing of time does to a ticket that is due."""
    match ticket.status:
        case Status.NEW | Status.OPEN:
            return Decision(replace(ticket, told_at=at), (Tell.WAITING,))
        case Status.ANSWERED:
            if ticket.reminded_at is None:
                return Decision(replace(ticket, reminded_at=at), (Tell.REMINDER,))
            return Decision(entered(ticket, Status.RESOLVED, at), (Tell.RESOLVED,))
        case Status.POSTPONED:
            back = entered(ticket, ticket.return_to or Status.OPEN, at)
            return Decision(replace(back, told_at=at), (Tell.WAITING,))
        case Status.RESOLVED:
            return Decision(entered(ticket, Status.CLOSED, at))
        case Status.SPAM | Status.DELETED:
            return Decision(ticket, purge=True)
        case Status.CLOSED | Status.MERGED:
            return Decision(ticket)


def due(ticket: Ticket, policy: Policy) -> datetime | None:
    """Return when time alone next changes `ticket`, None for never."""
    match ticket.status:
        case Status.NEW | Status.OPEN:
            target = policy.calendar.add(ticket.waiting_since or ticket.since, policy.respond_after)
            return target if ticket.told_at is None else max(target, ticket.told_at + TELL_AGAIN)
        case Status.ANSWERED:
            quiet_since = ticket.answered_at or ticket.since
            if ticket.reminded_at is None:
                return policy.office.next_open(policy.calendar.add(quiet_since, policy.remind_after))
            return max(policy.calendar.add(quiet_since, policy.resolve_after), ticket.reminded_at + AFTER_REMINDER)
        case Status.POSTPONED:
            return ticket.wake_at
        case Status.RESOLVED:
            return policy.calendar.add(ticket.since, policy.close_after)
        case Status.SPAM:
            return ticket.since + SPAM_KEPT
        case Status.DELETED:
            return ticket.since + DELETED_KEPT
        case Status.CLOSED | Status.MERGED:
            return None
