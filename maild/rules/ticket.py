"""The life of a ticket: its statuses, what can happen to it, and what follows.

Everything that may change a ticket is in this file (`rules.events` lists what can happen), and nothing here reads a
clock, a database or a mail. `decide` takes a ticket, one event and the policy of its department, and returns the
ticket afterwards together with the mails that must be sent. `maild.desk` is its only caller in the daemon.

                    new        open       answered   postponed  resolved   closed     spam       deleted
    CustomerWrote   new        open       open       return_to  open       follow-up  spam       follow-up
    AgentWrote      answered   answered   answered   answered   resolved   refused    refused    refused
    NoteWritten     new        open       answered   postponed  resolved   closed     spam       deleted
    MachineWrote    new        open       answered   postponed  resolved   closed     spam       deleted
    Solved          resolved   resolved   resolved   resolved   resolved   closed     spam       deleted
    StillAProblem   new        open       open       return_to  open       follow-up  spam       follow-up
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
    SetRequester    new        open       answered   postponed  resolved   closed     refused    refused
    KnowAs          new        open       answered   postponed  resolved   closed     refused    refused
    Tick            reminders  reminders  resolved   return_to  closed     -          purged     purged

A merged ticket is an alias: whoever finds one goes on to the ticket that it names, so every event but a note is
refused there. `waiting_since` is the OLDEST customer mail without a public answer, so more mails never move a due
time later. `due_at` is the earliest of all that time alone will do, computed after every event by `_due`: there are
no timers to cancel. All instants are aware UTC; spans become instants by the department's calendars.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from maild.rules.events import (
    Admit,
    AgentWrote,
    Assign,
    Close,
    CustomerWrote,
    Delete,
    DeliveryFailed,
    Dismiss,
    Event,
    KnowAs,
    MachineWrote,
    MarkSpam,
    Merge,
    MoveTo,
    NoteWritten,
    NotSpam,
    Offer,
    Postpone,
    Reopen,
    Resolve,
    Retitle,
    SetPriority,
    SetRequester,
    Solved,
    StillAProblem,
    Tick,
    Undelete,
)
from maild.rules.sla import ALWAYS, Calendar, Span

__all__ = [
    "AFTER_REMINDER",
    "DELETED_KEPT",
    "FIELDS",
    "SPAM_KEPT",
    "TELL_AGAIN",
    "TO_SOLVE",
    "Admit",
    "AgentWrote",
    "Assign",
    "Close",
    "CustomerWrote",
    "Decision",
    "Delete",
    "DeliveryFailed",
    "Dismiss",
    "Event",
    "KnowAs",
    "MachineWrote",
    "MarkSpam",
    "Merge",
    "MoveTo",
    "NotSpam",
    "NoteWritten",
    "Offer",
    "Policy",
    "Postpone",
    "Refused",
    "Reopen",
    "Resolve",
    "Retitle",
    "SetPriority",
    "SetRequester",
    "Solved",
    "Status",
    "StillAProblem",
    "Tell",
    "Tick",
    "Ticket",
    "Undelete",
    "decide",
    "opened",
]


class Status(StrEnum):
    """Where a ticket stands; the value is what the database, the commands and the mails say."""

    NEW = "new"  # no public answer yet
    OPEN = "open"  # the customer waits again
    ANSWERED = "answered"  # we wait for the customer
    POSTPONED = "postponed"  # hidden until `wake_at`
    RESOLVED = "resolved"  # believed solved; a customer's mail reopens it
    CLOSED = "closed"  # final; a customer's mail begins a linked ticket
    SPAM = "spam"  # put aside, purged later
    DELETED = "deleted"  # put aside, purged later
    MERGED = "merged"  # alias of another ticket


TO_SOLVE: Final = frozenset({Status.NEW, Status.OPEN})


class Refused(Exception):  # noqa: N818 - a rule says no; nothing went wrong
    """The event makes no sense for this ticket; the text is a sentence for whoever asked."""


class Tell(StrEnum):
    """A mail that must follow; the value is the purpose of that mail and the name of its template."""

    ACKNOWLEDGEMENT = "acknowledgement"  # to the requester: we have your mail
    NOTIFICATION = "notification"  # to the agents: somebody wrote
    ANSWER = "answer"  # to requester and participants: an agent's words
    REMINDER = "reminder"  # to the requester: we wait for you
    RESOLVED = "resolved"  # to the requester: we believe it solved
    FOLLOW_UP = "follow_up"  # to the requester: your mail began a new ticket
    WAITING = "waiting"  # to the agents: a customer waits
    HANDED_OVER = "handed_over"  # to the agents who have it from now on
    SHOWN = "shown"  # to the agent who asked for it
    COLLISION = "collision"  # to an agent: your answer waits, something newer was said
    UNDELIVERED = "undelivered"  # to the author: your answer did not arrive
    RETURNED = "returned"  # to the agent who asked: it was refused


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the rules need to know of a ticket, and all that they may change."""

    status: Status
    since: datetime  # when the present status began
    waiting_since: datetime | None = None  # the oldest customer mail without a public answer
    answered_at: datetime | None = None  # the last public answer
    reminded_at: datetime | None = None  # the customer's reminder in the present silence
    told_at: datetime | None = None  # when the agents were last told that the customer waits
    return_to: Status | None = None  # where a postponed, spam or deleted ticket comes back to
    wake_at: datetime | None = None  # set while postponed
    merged_into: int | None = None  # set while merged
    undelivered: bool = False  # the last public answer did not arrive
    assignee: str | None = None  # an agent's address
    offered_to: str | None = None  # the agent who has it before him, or had it last
    offered_until: datetime | None = None
    due_at: datetime | None = None  # when time alone will next change it
    priority: str = "normal"
    subject: str = ""
    department: str = ""
    requester: str = ""  # the normalised address that he writes from
    participants: frozenset[str] = frozenset()  # normalised addresses, without the requester's


PEOPLE: Final = ("requester", "participants")  # what is kept in tables of its own
FIELDS: Final = tuple(each.name for each in fields(Ticket) if each.name not in PEOPLE)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a department promises and how patient it is."""

    respond_after: Span = field(default_factory=lambda: Span.parse("7d"))  # the customer waits: tell the agents again
    remind_after: Span = field(default_factory=lambda: Span.parse("5d"))  # we wait: remind the customer
    resolve_after: Span = field(default_factory=lambda: Span.parse("10d"))  # we wait: believe it solved
    close_after: Span = field(default_factory=lambda: Span.parse("14d"))  # resolved: close
    calendar: Calendar = ALWAYS  # counts the spans
    office: Calendar = ALWAYS  # when a customer may be reminded


AFTER_REMINDER: Final = timedelta(days=3)  # a reminded customer has at least this long to answer
TELL_AGAIN: Final = timedelta(days=1)  # a breach is repeated at most daily
SPAM_KEPT: Final = timedelta(days=90)
DELETED_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Decision:
    """The ticket afterwards and the mails that follow, in order."""

    after: Ticket
    tells: tuple[Tell, ...] = ()
    follow_up: bool = False  # the event belongs on a new ticket that follows this one
    purge: bool = False  # the ticket and its mails are to be removed


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
        for kind in (Assign, SetPriority, Retitle, MoveTo, Admit, Dismiss, SetRequester, KnowAs)
    },
}

_WORDS: Final[dict[type[Event], str]] = {
    AgentWrote: "answer",
    NoteWritten: "add a note to",
    Solved: "resolve",
    StillAProblem: "reopen",
    Resolve: "resolve",
    Close: "close",
    Reopen: "reopen",
    Postpone: "postpone",
    MarkSpam: "mark as spam",
    NotSpam: "take out of spam",
    Delete: "delete",
    Undelete: "undelete",
    Merge: "merge",
    Assign: "assign",
    Offer: "offer",
    SetPriority: "set the priority of",
    Retitle: "rename",
    MoveTo: "move",
}


def opened(at: datetime, assignee: str | None = None) -> Ticket:
    """Return a ticket as it is the instant before its first mail is filed."""
    return Ticket(Status.NEW, at, assignee=assignee)


def decide(ticket: Ticket, event: Event, policy: Policy) -> Decision:
    """Return what `event` does to `ticket`.

    Raises:
        Refused: the event makes no sense in the ticket's status; nothing may be written.
    """
    if isinstance(event, Tick):
        due_at = _due(ticket, policy)  # not the ticket's own, which a worker may have leased forward
        if due_at is None or event.at < due_at:
            return Decision(replace(ticket, due_at=due_at))
        if ticket.status is Status.ANSWERED and ticket.reminded_at is None and not policy.office.is_open(event.at):
            return Decision(replace(ticket, due_at=policy.office.next_open(event.at)))  # late; the reminder waits still
        decision = _tick(ticket, event.at)
    elif ticket.status is Status.MERGED:
        decision = _on_an_alias(ticket, event)
    else:
        decision = _happen(ticket, event)
    return replace(decision, after=replace(decision.after, due_at=_due(decision.after, policy)))


def _on_an_alias(ticket: Ticket, event: Event) -> Decision:
    if isinstance(event, NoteWritten | MachineWrote):
        return Decision(ticket)
    raise Refused(f"This ticket was merged into #{ticket.merged_into}; write to that one.")


def _happen(ticket: Ticket, event: Event) -> Decision:
    to = _NEXT[type(event)].get(ticket.status)
    if to is None:
        word = _WORDS.get(type(event), "change")
        raise Refused(f"Cannot {word} a ticket that is {ticket.status}.")
    if to == _FOLLOW_UP:
        return Decision(ticket, follow_up=True)
    status = (ticket.return_to or Status.OPEN) if to == _RETURN else Status(to)
    before = ticket
    after = _enter(ticket, status, event.at)
    match event:
        case CustomerWrote() | StillAProblem():
            after = _customer_waits(after, event.at)
        case AgentWrote():
            after = _answered(after, event)
        case Postpone():
            after = _postponed(before, after, event)
        case DeliveryFailed():
            after = _failed(before, after, event.at)
        case MarkSpam() | Delete():
            after = replace(after, return_to=_comes_back_as(before))
        case Merge():
            after = replace(after, merged_into=event.into)
        case Assign() | Offer() | SetPriority() | Retitle() | MoveTo() | Admit() | Dismiss() | SetRequester():
            after = _changed(after, event)
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
    return Decision(after, _tells(before, after, event))


def _enter(ticket: Ticket, status: Status, at: datetime) -> Ticket:
    """Return `ticket` in `status`, without what belonged to the status that it leaves."""
    if status is ticket.status:
        return ticket
    kept_waiting = status not in (Status.ANSWERED, Status.RESOLVED, Status.CLOSED)
    return replace(
        ticket,
        status=status,
        since=at,
        waiting_since=ticket.waiting_since if kept_waiting else None,
        reminded_at=None,
        told_at=ticket.told_at if kept_waiting else None,
        return_to=None,
        wake_at=None,
    )


def _customer_waits(ticket: Ticket, at: datetime) -> Ticket:
    if ticket.status is Status.SPAM:
        return ticket
    # Mails may be filed in another order than they came.
    return replace(ticket, waiting_since=min(ticket.waiting_since or at, at))


def _changed(
    ticket: Ticket, event: Assign | Offer | SetPriority | Retitle | MoveTo | Admit | Dismiss | SetRequester
) -> Ticket:
    """Return `ticket` with the one fact that an agent changed."""
    match event:
        case Assign():
            return replace(ticket, assignee=event.agent)
        case Offer():
            return replace(ticket, offered_to=event.agent, offered_until=event.until)
        case SetPriority():
            return replace(ticket, priority=event.priority)
        case Retitle():
            return replace(ticket, subject=event.subject)
        case MoveTo():
            kept = ticket.assignee if ticket.assignee in event.agents else None
            return replace(ticket, department=event.department, assignee=kept)
        case Admit():
            return replace(ticket, participants=(ticket.participants | event.addresses) - {ticket.requester})
        case Dismiss():
            if strangers := event.addresses - ticket.participants:
                raise Refused(f"{min(strangers)} does not take part in this ticket.")
            return replace(ticket, participants=ticket.participants - event.addresses)
        case SetRequester():
            return replace(ticket, requester=event.address, participants=ticket.participants - {event.address})


def _answered(ticket: Ticket, event: AgentWrote) -> Ticket:
    return replace(
        ticket,
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
        raise Refused("Cannot postpone a ticket to an instant that is past.")
    return replace(after, wake_at=event.until, return_to=_comes_back_as(before))


def _failed(before: Ticket, after: Ticket, at: datetime) -> Ticket:
    if before.status in (Status.CLOSED, Status.SPAM, Status.DELETED):
        return after
    # The customer has no answer after all.
    return replace(after, undelivered=True, waiting_since=after.waiting_since or at)


def _comes_back_as(ticket: Ticket) -> Status:
    """Return `return_to` of a ticket that is hidden or put aside; one that is hidden already keeps what it has."""
    if ticket.return_to is not None:
        return ticket.return_to
    return Status.NEW if ticket.status is Status.NEW else Status.OPEN


def _tells(before: Ticket, after: Ticket, event: Event) -> tuple[Tell, ...]:
    match event:
        case CustomerWrote():
            if after.status is Status.SPAM or not event.notify:
                return ()
            first = before.status is Status.NEW and before.waiting_since is None and before.answered_at is None
            return (Tell.ACKNOWLEDGEMENT, Tell.NOTIFICATION) if first and event.acknowledge else (Tell.NOTIFICATION,)
        case StillAProblem():
            return () if after.status is Status.SPAM else (Tell.NOTIFICATION,)
        case AgentWrote():
            return (Tell.ANSWER,)
        case Resolve():
            return () if before.status is Status.RESOLVED or event.silent else (Tell.RESOLVED,)
        case DeliveryFailed():
            return (Tell.UNDELIVERED,)
        case Assign():
            unknown = event.agent not in (None, event.by, before.assignee)
            return (Tell.HANDED_OVER,) if unknown else ()
        case MoveTo():
            return () if after.department == before.department else (Tell.HANDED_OVER,)
        case (
            MachineWrote()
            | NoteWritten()
            | Solved()
            | Close()
            | Reopen()
            | Postpone()
            | MarkSpam()
            | NotSpam()
            | Delete()
            | Undelete()
            | Merge()
            | Offer()
            | SetPriority()
            | Retitle()
            | Admit()
            | Dismiss()
            | SetRequester()
            | KnowAs()
            | Tick()
        ):
            return ()


def _tick(ticket: Ticket, at: datetime) -> Decision:
    """Return what the passing of time does to a ticket that is due."""
    match ticket.status:
        case Status.NEW | Status.OPEN:
            return Decision(replace(ticket, told_at=at), (Tell.WAITING,))
        case Status.ANSWERED:
            if ticket.reminded_at is None:
                return Decision(replace(ticket, reminded_at=at), (Tell.REMINDER,))
            return Decision(_enter(ticket, Status.RESOLVED, at), (Tell.RESOLVED,))
        case Status.POSTPONED:
            back = _enter(ticket, ticket.return_to or Status.OPEN, at)
            return Decision(replace(back, told_at=at), (Tell.WAITING,))
        case Status.RESOLVED:
            return Decision(_enter(ticket, Status.CLOSED, at))
        case Status.SPAM | Status.DELETED:
            return Decision(ticket, purge=True)
        case Status.CLOSED | Status.MERGED:
            return Decision(ticket)


def _due(ticket: Ticket, policy: Policy) -> datetime | None:
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
