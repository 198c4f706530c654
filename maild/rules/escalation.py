"""When a rule of `[[escalate]]` is due, and what it does to a ticket.

A rule holds for tickets in which a customer waits (new, open). All that it asks for has to be so at the same time; its
spans count from when the customer began to wait, in the working time of his level. It acts once in each waiting:
`escalated` names the rules that have, and is empty again when the customer has his answer. So rules that undo each
other come to an end: there are no more steps in a waiting than there are rules.
"""

from datetime import datetime

from maild.rules import promises
from maild.rules.levels import more_urgent
from maild.rules.policy import Escalation, Policy
from maild.rules.state import TO_SOLVE, Ticket


def due(ticket: Ticket, policy: Policy) -> datetime | None:
    """Return when the first rule acts that has not acted yet, None if none will as the ticket stands."""
    instants = [at for rule in policy.escalations if (at := _due(rule, ticket, policy)) is not None]
    return policy.told_in.next_open(min(instants)) if instants else None


def escalated(ticket: Ticket, at: datetime, policy: Policy) -> Ticket:
    """Return `ticket` after all rules that are due, also those that are due because of another."""
    for _ in policy.escalations:
        rule = next((each for each in policy.escalations if _is_due(each, ticket, at, policy)), None)
        if rule is None:
            return ticket
        ticket = _after(rule, ticket, policy)
    return ticket


def acted(before: Ticket, after: Ticket, policy: Policy) -> tuple[Escalation, ...]:
    """Return the rules that have acted between two states of a ticket."""
    names = after.escalated - before.escalated
    return tuple(each for each in policy.escalations if each.name in names)


def _is_due(rule: Escalation, ticket: Ticket, at: datetime, policy: Policy) -> bool:
    due_at = _due(rule, ticket, policy)
    return due_at is not None and due_at <= at


def _due(rule: Escalation, ticket: Ticket, policy: Policy) -> datetime | None:
    if ticket.status not in TO_SOLVE or rule.name in ticket.escalated or not _concerns(rule, ticket):
        return None
    waiting_since = ticket.waiting_since or ticket.since
    calendar = policy.level.calendar if policy.level else policy.calendar
    spans = [span for span in (rule.unassigned_for, rule.unanswered_for) if span is not None]
    instants = [calendar.add(waiting_since, span) for span in spans]
    if rule.breached:
        promised = promises.target_at(ticket, policy)
        if promised is None:
            return None
        instants.append(promised)
    return max(instants, default=None)


def _concerns(rule: Escalation, ticket: Ticket) -> bool:
    return (
        (not rule.departments or ticket.department in rule.departments)
        and (not rule.priorities or ticket.priority in rule.priorities)
        and (not rule.statuses or ticket.status in rule.statuses)
        and (rule.unassigned_for is None or ticket.assignee is None)
    )


def _after(rule: Escalation, ticket: Ticket, policy: Policy) -> Ticket:
    department = rule.department or ticket.department
    works = policy.agents.get(department, frozenset())
    assignee = ticket.assignee if department == ticket.department or ticket.assignee in works else None
    if rule.assignee is not None and rule.assignee in works:
        assignee = rule.assignee
    return ticket._replace(
        escalated=ticket.escalated | {rule.name},
        department=department,
        assignee=assignee,
        priority=more_urgent(ticket.priority, rule.priority),
    )
