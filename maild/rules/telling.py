"""Who must be told of what happened to a ticket; what time alone tells is in `rules.waiting`."""

from typing import Final

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
from maild.rules.state import Status, Tell, Ticket

GOOD: Final = 3  # of a rating; agents hear of what is worse


def tells(before: Ticket, after: Ticket, event: Event) -> tuple[Tell, ...]:
    """Return which mails follow when `event` made `after` of `before`, in order."""
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
        case Rated():
            return (Tell.RATED,) if event.words or event.rating < GOOD else ()
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
            | Leave()
            | SetRequester()
            | KnowAs()
            | ClockSetBack()
            | Tag()
            | Relate()
            | TakeBack()
            | Tick()
        ):
            return ()
