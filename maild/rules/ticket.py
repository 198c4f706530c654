"""The life of a ticket: its statuses, what can happen to it, and what follows.

Everything that may change a ticket is in this file and, for what time alone does, in `rules.waiting`; `rules.events`
lists what can happen, `rules.state` what a ticket is. Nothing here reads a clock, a database or a mail. `decide`
takes a ticket, one event and the policy of its department, and returns the ticket afterwards together with the mails
that must be sent. `maild.desk` is its only caller in the daemon.

                    new        open       answered   postponed  resolved   closed     spam       deleted
    CustomerWrote   new        open       open       return_to  open       follow-up  spam       follow-up
    AgentWrote      answered   answered   answered   answered   resolved   refused    refused    refused
    NoteWritten     new        open       answered   postponed  resolved   closed     spam       deleted
    MachineWrote    new        open       answered   postponed  resolved   closed     spam       deleted
    Solved          resolved   resolved   resolved   resolved   resolved   closed     spam       deleted
    StillAProblem   new        open       open       return_to  open       follow-up  spam       follow-up
    Rated           new        open       answered   postponed  resolved   closed     spam       deleted
    Resolve         resolved   resolved   resolved   resolved   resolved   refused    refused    refused
    Close           closed     closed     closed     closed     closed     closed     refused    refused
    Reopen          new        open       open       return_to  open       open       refused    refused
    Postpone        postponed  postponed  postponed  postponed  refused    refused    refused    refused
    DeliveryFailed  new        open       open       postponed  open       closed     spam       deleted
    MarkSpam        spam       spam       spam       spam       spam       spam       spam       refused
    NotSpam         refused    refused    refused    refused    refused    refused    return_to  refused
    Delete          deleted    deleted    deleted    deleted    deleted    deleted    deleted    deleted
    Undelete        refused    refused    refused    refused    refused    refused    refused    return_to
    Merge           merged     merged     merged     merged     merged     merged     refused    refused
    Assign          new        open       answered   postponed  resolved   closed     refused    refused
    Offer           new        open       refused    refused    refused    refused    refused    refused
    SetPriority     new        open       answered   postponed  resolved   closed     refused    refused
    Retitle         new        open       answered   postponed  resolved   closed     refused    refused
    MoveTo          new        open       answered   postponed  resolved   closed     refused    refused
    Admit           new        open       answered   postponed  resolved   closed     refused    refused
    Dismiss         new        open       answered   postponed  resolved   closed     refused    refused
    Leave           new        open       answered   postponed  resolved   closed     spam       deleted
    SetRequester    new        open       answered   postponed  resolved   closed     refused    refused
    KnowAs          new        open       answered   postponed  resolved   closed     refused    refused
    ClockSetBack    new        open       answered   postponed  resolved   closed     spam       deleted
    Tag             new        open       answered   postponed  resolved   closed     refused    refused
    Relate          new        open       answered   postponed  resolved   closed     refused    refused
    TakeBack        new        open       answered   postponed  resolved   closed     spam       deleted
    Tick            reminders  reminders  resolved   return_to  closed     -          purged     purged

A merged ticket is an alias: whoever finds one goes on to the ticket that it names, so every event but a note is
refused there. `TakeBack` brings back what it names, if nothing newer stands in its place. `waiting_since` is the OLDEST
customer mail without a public answer, so more mails never move a due time later. All instants are aware UTC.
"""

from datetime import datetime
from typing import Any, Final

from maild.rules import keeping, promises
from maild.rules.events import (
    Admit,
    AgentWrote,
    Assign,
    ClockSetBack,
    Close,
    CustomerWrote,
    Delete,
    DeliveryFailed,
    Dismiss,
    Event,
    KnowAs,
    Leave,
    MachineWrote,
    MarkSpam,
    Merge,
    MoveTo,
    NoteWritten,
    NotSpam,
    Offer,
    Postpone,
    Rated,
    Relate,
    Reopen,
    Resolve,
    Retitle,
    SetPriority,
    SetRequester,
    Solved,
    StillAProblem,
    Tag,
    TakeBack,
    Tick,
    Undelete,
)
from maild.rules.policy import Policy
from maild.rules.refusals import No, Refused
from maild.rules.state import MOST_PARTICIPANTS, Decision, Status, Ticket, entered, set_back
from maild.rules.telling import tells
from maild.rules.waiting import asked, due, opening, tick

_RETURN: Final = "return_to"
_FOLLOW_UP: Final = "follow-up"

_N, _O, _A, _P, _R, _C, _S, _D = (
    Status.NEW,
    Status.OPEN,
    Status.ANSWERED,
    Status.POSTPONED,
    Status.RESOLVED,
    Status.CLOSED,
    Status.SPAM,
    Status.DELETED,
)
_COLUMNS: Final = (_N, _O, _A, _P, _R, _C, _S, _D)
_SAME: Final = dict(zip(_COLUMNS, _COLUMNS, strict=True))
_IN_USE: Final = (_N, _O, _A, _P, _R, _C)

# The table above. A status that is missing in a row means: refused.
_NEXT: Final[dict[type[Event], dict[Status, Status | str]]] = {
    CustomerWrote: {_N: _N, _O: _O, _A: _O, _P: _RETURN, _R: _O, _C: _FOLLOW_UP, _S: _S, _D: _FOLLOW_UP},
    AgentWrote: {_N: _A, _O: _A, _A: _A, _P: _A, _R: _R},
    NoteWritten: {**_SAME},
    MachineWrote: {**_SAME},
    ClockSetBack: {**_SAME},
    Leave: {**_SAME},
    Rated: {**_SAME},
    Solved: {**_SAME, _N: _R, _O: _R, _A: _R, _P: _R},
    StillAProblem: {_N: _N, _O: _O, _A: _O, _P: _RETURN, _R: _O, _C: _FOLLOW_UP, _S: _S, _D: _FOLLOW_UP},
    Resolve: {_N: _R, _O: _R, _A: _R, _P: _R, _R: _R},
    Close: {_N: _C, _O: _C, _A: _C, _P: _C, _R: _C, _C: _C},
    Reopen: {_N: _N, _O: _O, _A: _O, _P: _RETURN, _R: _O, _C: _O},
    Postpone: {_N: _P, _O: _P, _A: _P, _P: _P},
    DeliveryFailed: {**_SAME, _A: _O, _R: _O},
    MarkSpam: {status: _S for status in _COLUMNS if status is not _D},
    NotSpam: {_S: _RETURN},
    Delete: dict.fromkeys(_COLUMNS, _D),
    Undelete: {_D: _RETURN},
    Merge: dict.fromkeys(_IN_USE, Status.MERGED),
    Offer: {_N: _N, _O: _O},
    **{
        kind: {status: status for status in _IN_USE}
        for kind in (Assign, SetPriority, Retitle, MoveTo, Admit, Dismiss, SetRequester, KnowAs, Tag, Relate)
    },
    TakeBack: {**_SAME},
}

_NO: Final[dict[type[Event], No]] = {
    AgentWrote: No.ANSWER,
    NoteWritten: No.NOTE,
    Solved: No.RESOLVE,
    StillAProblem: No.REOPEN,
    Resolve: No.RESOLVE,
    Close: No.CLOSE,
    Reopen: No.REOPEN,
    Postpone: No.POSTPONE,
    MarkSpam: No.SPAM,
    NotSpam: No.NOT_SPAM,
    Delete: No.DELETE,
    Undelete: No.UNDELETE,
    Merge: No.MERGE,
    Assign: No.ASSIGN,
    Offer: No.OFFER,
    SetPriority: No.PRIORITY,
    Retitle: No.RENAME,
    MoveTo: No.MOVE,
    Tag: No.TAG,
    Relate: No.LINK,
}


def decide(ticket: Ticket, event: Event, policy: Policy) -> Decision:
    """Return what `event` does to `ticket`.

    Raises:
        Refused: the event makes no sense in the ticket's status; nothing may be written.
    """
    if isinstance(event, Tick):
        target_at = promises.target_at(ticket, policy)
        due_at = due(ticket, policy)  # not the ticket's own, which a worker may have leased forward
        if due_at is not None and event.at >= due_at:
            due_at = opening(ticket, event.at, policy)  # late, it waits for office hours still
        if due_at is None or event.at < due_at:
            return Decision(ticket._replace(due_at=due_at, target_at=target_at))
        decision = tick(ticket, event.at, policy)
    elif ticket.status is Status.MERGED:
        decision = _on_an_alias(ticket, event)
    else:
        decision = _happen(ticket, event)
    after = promises.carried_on(ticket, asked(ticket, decision.after, event, policy), event, policy)
    after = keeping.kept(ticket, after, event)
    target_at = promises.target_at(after, policy)
    if _changes_promises(event) and target_at != after.target_at:
        after = after._replace(told_at=None)  # what was told was about another target
    after = after._replace(target_at=target_at, due_at=due(after, policy))
    finished = tuple(promises.finished(ticket, after, event, policy))
    return Decision(after, decision.tells, decision.follow_up, decision.purge, finished)


def _changes_promises(event: Event) -> bool:
    """Return whether an event may promise something else than before, for the same mail of the customer."""
    if isinstance(event, TakeBack):
        return any(change.field in ("priority", "department", "requester") for change in event.changes)
    return isinstance(event, SetPriority | MoveTo | SetRequester)


def rescheduled(ticket: Ticket, policy: Policy) -> Ticket:
    """Return `ticket` as it is due by `policy`: that of the department into which time has moved it."""
    return ticket._replace(target_at=promises.target_at(ticket, policy), due_at=due(ticket, policy))


def _on_an_alias(ticket: Ticket, event: Event) -> Decision:
    if isinstance(event, NoteWritten | MachineWrote):
        return Decision(ticket)
    if isinstance(event, TakeBack):
        return Decision(_as_before(ticket, event))
    raise Refused(No.MERGED, number=ticket.merged_into)


def _refused(ticket: Ticket, event: Event) -> Refused:
    if isinstance(event, AgentWrote) and ticket.status is Status.CLOSED:
        return Refused(No.ANSWER_CLOSED)
    return Refused(_NO.get(type(event), No.CHANGE), status=ticket.status)


def _happen(ticket: Ticket, event: Event) -> Decision:
    to = _NEXT[type(event)].get(ticket.status)
    if to is None:
        raise _refused(ticket, event)
    if to == _FOLLOW_UP:
        return Decision(ticket, follow_up=True)
    status = (ticket.return_to or Status.OPEN) if to == _RETURN else Status(to)
    before = ticket
    after = entered(ticket, status, event.at)
    match event:
        case CustomerWrote() | StillAProblem() | Rated():
            after = _customer_spoke(after, event)
        case AgentWrote():
            after = _answered(after, event)
        case Postpone():
            after = _postponed(before, after, event)
        case DeliveryFailed():
            after = _failed(before, after, event.at)
        case MarkSpam() | Delete():
            after = after._replace(return_to=_comes_back_as(before))
        case Merge():
            after = after._replace(merged_into=event.into)
        case ClockSetBack():
            after = set_back(after, event.at)
        case (
            Assign()
            | Offer()
            | SetPriority()
            | Retitle()
            | MoveTo()
            | Admit()
            | Dismiss()
            | Leave()
            | SetRequester()
            | Tag()
            | Relate()
        ):
            after = _changed(after, event)
        case TakeBack():
            after = _as_before(before, event)
        case (
            Solved()
            | Resolve()
            | Close()
            | Reopen()
            | NoteWritten()
            | MachineWrote()
            | NotSpam()
            | Undelete()
            | KnowAs()
            | Tick()
        ):
            pass
    return Decision(after, tells(before, after, event))


def _customer_spoke(ticket: Ticket, event: CustomerWrote | StillAProblem | Rated) -> Ticket:
    if isinstance(event, Rated):
        return ticket._replace(rating=event.rating)
    if ticket.status is Status.SPAM:
        return ticket
    # Mails may be filed in another order than they came.
    waiting_since = min(ticket.waiting_since or event.at, event.at)
    if not isinstance(event, CustomerWrote):
        return ticket._replace(waiting_since=waiting_since)
    return ticket._replace(
        waiting_since=waiting_since,
        related=ticket.related | event.links,
        participants=ticket.participants | _joining(ticket, event.brings),
    )


def _joining(ticket: Ticket, addresses: frozenset[str]) -> frozenset[str]:
    """Return those of `addresses` who may join `ticket` by somebody's mail."""
    room = max(0, MOST_PARTICIPANTS - len(ticket.participants))
    new = addresses - ticket.participants - ticket.gone - {ticket.requester}
    return frozenset(sorted(new)[:room])


def _changed(
    ticket: Ticket,
    event: Assign | Offer | SetPriority | Retitle | MoveTo | Admit | Dismiss | Leave | SetRequester | Tag | Relate,
) -> Ticket:
    """Return `ticket` with the one fact that an agent changed."""
    match event:
        case Assign():
            return ticket._replace(assignee=event.agent)
        case Offer():
            return ticket._replace(offered_to=event.agent, offered_until=event.until)
        case SetPriority():
            return ticket._replace(priority=event.priority)
        case Retitle():
            return ticket._replace(subject=event.subject)
        case MoveTo():
            kept = ticket.assignee if ticket.assignee in event.agents else None
            return ticket._replace(department=event.department, assignee=kept)
        case Admit():
            everybody = (ticket.participants | event.addresses) - {ticket.requester}
            return ticket._replace(participants=everybody, gone=ticket.gone - event.addresses)
        case Dismiss():
            if strangers := event.addresses - ticket.participants:
                raise Refused(No.NO_PARTICIPANT, address=min(strangers))
            return _without(ticket, event.addresses)
        case Leave():
            return _without(ticket, ticket.participants & {event.address})
        case SetRequester():
            return ticket._replace(requester=event.address, participants=ticket.participants - {event.address})
        case Tag():
            return ticket._replace(tags=(ticket.tags | event.added) - event.removed)
        case Relate():
            return ticket._replace(related=ticket.related | event.tickets)


def _without(ticket: Ticket, leaving: frozenset[str]) -> Ticket:
    return ticket._replace(participants=ticket.participants - leaving, gone=ticket.gone | leaving)


_ESSENTIAL: Final = frozenset(
    {"status", "waiting_since", "wake_at", "merged_into", "assignee", "priority", "subject", "department", "requester"}
)


def _as_before(ticket: Ticket, event: TakeBack) -> Ticket:
    """Return `ticket` with what `event` takes back; what agents and customers never see gives way to newer values."""
    values: dict[str, Any] = {}
    for change in event.changes:
        now = getattr(ticket, change.field)
        if isinstance(now, frozenset):
            old, new = frozenset(change.old), frozenset(change.new)
            values[change.field] = (now - (new - old)) | (old - new)
        elif now == change.new:
            values[change.field] = change.old
        elif change.field in _ESSENTIAL:
            raise Refused(No.CHANGED_SINCE)
    return ticket._replace(**values, gone=ticket.gone - values.get("participants", frozenset()))


def _answered(ticket: Ticket, event: AgentWrote) -> Ticket:
    return ticket._replace(
        since=event.at if ticket.status is Status.ANSWERED else ticket.since,
        waiting_since=None,
        answered_at=event.at,
        reminded_at=None,  # the silence begins anew
        told_at=None,
        undelivered=False,
        assignee=ticket.assignee or event.agent,  # who answers first owns it
    )


def _postponed(before: Ticket, after: Ticket, event: Postpone) -> Ticket:
    if event.until <= event.at:
        raise Refused(No.PAST)
    return after._replace(wake_at=event.until, return_to=_comes_back_as(before))


def _failed(before: Ticket, after: Ticket, at: datetime) -> Ticket:
    if before.status in (Status.CLOSED, Status.SPAM, Status.DELETED):
        return after
    # The customer has no answer after all.
    return after._replace(undelivered=True, waiting_since=after.waiting_since or at)


def _comes_back_as(ticket: Ticket) -> Status:
    """Return `return_to` of a ticket that is hidden or put aside; one that is hidden already keeps what it has."""
    if ticket.return_to is not None:
        return ticket.return_to
    return Status.NEW if ticket.status is Status.NEW else Status.OPEN
