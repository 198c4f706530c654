"""A ticket that its agent leaves lying is given back to his department.

It counts from when he got it, last did anything about it, or the customer began to wait, whichever is latest, in the
office hours of the department. A department in which nobody else works gives nothing back.
"""

from datetime import datetime
from typing import Final

from maild.rules import events
from maild.rules.policy import Policy
from maild.rules.state import TO_SOLVE, Ticket

_DID: Final = (  # what an agent does about a ticket
    events.Admit,
    events.AgentWrote,
    events.Assign,
    events.Dismiss,
    events.KnowAs,
    events.MoveTo,
    events.NoteWritten,
    events.Postpone,
    events.Relate,
    events.Reopen,
    events.Retitle,
    events.SetPriority,
    events.SetRequester,
    events.Tag,
)


def kept(before: Ticket, after: Ticket, event: events.Event) -> Ticket:
    """Return `after` with the instant at which its agent got it, or last did something."""
    if after.assignee is None or after.status not in TO_SOLVE:  # when the customer waits again it counts from then
        return after if after.kept_since is None else after._replace(kept_since=None)
    if after.assignee != before.assignee or isinstance(event, _DID):
        return after._replace(kept_since=event.at)
    return after


def due(ticket: Ticket, policy: Policy) -> datetime | None:
    """Return when a ticket is given back if its agent does nothing, None for never."""
    if ticket.status not in TO_SOLVE or ticket.assignee is None or policy.give_back_after is None:
        return None
    if not policy.agents.get(ticket.department, frozenset()) - {ticket.assignee}:
        return None
    idle_since = max(at for at in (ticket.since, ticket.waiting_since, ticket.kept_since) if at)
    return policy.told_in.next_open(policy.office.add(idle_since, policy.give_back_after))


def is_due(ticket: Ticket, at: datetime, policy: Policy) -> bool:
    """Return whether a ticket is given back at `at`."""
    due_at = due(ticket, policy)
    return due_at is not None and due_at <= at
