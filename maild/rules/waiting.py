"""What time alone does to a ticket, and when: the last row of the table of `rules.ticket`.

`due_at` is the earliest of all that time alone will do, computed after every event by `due`: there are no timers to
cancel. All instants are aware UTC; spans become instants by the department's calendars.
"""

from datetime import datetime

from maild.rules import escalation, keeping, promises
from maild.rules.events import Event, Resolve, Solved
from maild.rules.policy import Policy
from maild.rules.state import (
    AFTER_REMINDER,
    DELETED_KEPT,
    RATE_AFTER,
    SPAM_KEPT,
    Decision,
    Status,
    Tell,
    Ticket,
    entered,
)


def tick(ticket: Ticket, at: datetime, policy: Policy) -> Decision:
    """Return what the passing of time does to a ticket that is due."""
    match ticket.status:
        case Status.NEW | Status.OPEN:
            return _waits(ticket, at, policy)
        case Status.ANSWERED:
            if ticket.reminded_at is None:
                return Decision(ticket._replace(reminded_at=at), (Tell.REMINDER,))
            return Decision(entered(ticket, Status.RESOLVED, at), (Tell.RESOLVED,))
        case Status.POSTPONED:
            if ticket.wake_at is not None and at < ticket.wake_at:
                return Decision(ticket._replace(told_at=at), (_waits_or_late(ticket, at, policy),))
            back = entered(ticket, ticket.return_to or Status.OPEN, at)
            raised = escalation.escalated(back, at, policy)._replace(told_at=at)
            return Decision(raised, (*_of_rules(back, raised, policy), Tell.WAITING))
        case Status.RESOLVED:
            if ticket.rate_at is not None and at < _closes_at(ticket, policy):  # else it is too late to ask
                return Decision(ticket._replace(rate_at=None), (Tell.RATING,))
            return Decision(entered(ticket, Status.CLOSED, at))
        case Status.SPAM | Status.DELETED:
            return Decision(ticket, purge=True)
        case Status.CLOSED | Status.MERGED:
            return Decision(ticket)


def _waits(ticket: Ticket, at: datetime, policy: Policy) -> Decision:
    given_back = keeping.is_due(ticket, at, policy)
    left = ticket._replace(assignee=None, kept_since=None) if given_back else ticket
    raised = escalation.escalated(left, at, policy)
    if raised.assignee != left.assignee:
        raised = raised._replace(kept_since=at)  # a rule may give it to him again who let it lie
    if promises.target_at(raised, policy) != promises.target_at(ticket, policy):
        raised = raised._replace(told_at=None)  # what was told was about another target
    tells = _of_rules(left, raised, policy)
    told_at = promises.told_next(raised, policy)
    if told_at is not None and told_at <= at:
        return Decision(raised._replace(told_at=at), (*tells, _waits_or_late(raised, at, policy)))
    if given_back:
        return Decision(raised._replace(told_at=at), (*tells, Tell.WAITING))
    return Decision(raised, tells)


def _of_rules(before: Ticket, after: Ticket, policy: Policy) -> tuple[Tell, ...]:
    told = any(rule.tells for rule in escalation.acted(before, after, policy))
    return (Tell.ESCALATED,) if told else ()


def _waits_or_late(ticket: Ticket, at: datetime, policy: Policy) -> Tell:
    return Tell.BREACHED if promises.breached(ticket, policy, at) else Tell.WAITING


def opening(ticket: Ticket, at: datetime, policy: Policy) -> datetime:
    """Return when the mail that is due may be sent: `at` itself, or the next office hours if it is late."""
    if ticket.status is Status.ANSWERED:
        return policy.office.next_open(at)
    if ticket.status is Status.RESOLVED and ticket.rate_at is not None:
        return min(policy.office.next_open(at), max(at, _closes_at(ticket, policy)))
    if ticket.status not in promises.RUNNING or (ticket.wake_at is not None and at >= ticket.wake_at):
        return at
    opening = policy.told_in.next_open(at)
    return min(opening, ticket.wake_at) if ticket.wake_at else opening


def asked(before: Ticket, after: Ticket, event: Event, policy: Policy) -> Ticket:
    """Return `after` with the instant at which the customer is asked how we did, if he is.

    He is, where that is wanted, when somebody said that it is solved, after an answer: by silence he said enough.
    """
    solved = isinstance(event, Solved | Resolve) and before.status is not after.status is Status.RESOLVED
    if not (solved and policy.asks_rating and after.answered_at):
        return after
    return after._replace(rate_at=policy.office.next_open(event.at + RATE_AFTER))


def _closes_at(ticket: Ticket, policy: Policy) -> datetime:
    return policy.calendar.add(ticket.since, policy.close_after)


def due(ticket: Ticket, policy: Policy) -> datetime | None:
    """Return when time alone next changes `ticket`, None for never."""
    match ticket.status:
        case Status.NEW | Status.OPEN:
            instants = (
                promises.told_next(ticket, policy),
                escalation.due(ticket, policy),
                keeping.due(ticket, policy),
            )
            return min((at for at in instants if at), default=None)
        case Status.ANSWERED:
            quiet_since = ticket.answered_at or ticket.since
            if ticket.reminded_at is None:
                return policy.office.next_open(policy.calendar.add(quiet_since, policy.remind_after))
            quiet = max(policy.calendar.add(quiet_since, policy.resolve_after), ticket.reminded_at + AFTER_REMINDER)
            return policy.office.next_open(quiet)
        case Status.POSTPONED:
            told_at = promises.told_next(ticket, policy)
            return min((at for at in (ticket.wake_at, told_at) if at), default=None)
        case Status.RESOLVED:
            closes_at = _closes_at(ticket, policy)
            return min(ticket.rate_at, closes_at) if ticket.rate_at else closes_at
        case Status.SPAM:
            return ticket.since + SPAM_KEPT
        case Status.DELETED:
            return ticket.since + DELETED_KEPT
        case Status.CLOSED | Status.MERGED:
            return None
