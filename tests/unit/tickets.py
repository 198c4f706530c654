"""Tickets in every status and events of every kind, for the tests of the rules."""

from datetime import datetime, timedelta
from typing import Final, get_args

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
    Leave,
    MachineWrote,
    MarkSpam,
    Merge,
    MoveTo,
    NoteWritten,
    Offer,
    Postpone,
    Rated,
    Relate,
    Resolve,
    Retitle,
    SetPriority,
    SetRequester,
    Solved,
    StillAProblem,
    Tag,
    TakeBack,
)
from maild.rules.policy import Policy
from maild.rules.refusals import Refused
from maild.rules.state import Decision, Status, Ticket, opened
from maild.rules.ticket import decide
from tests.clock import NOON

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MOMENT: Final = timedelta(microseconds=1)
POLICY: Final = Policy()
ANNA: Final = "anna@desk.example"
KINDS: Final[tuple[type[Event], ...]] = get_args(Event)
FACTS: Final = (
    Assign,
    Offer,
    SetPriority,
    Retitle,
    MoveTo,
    Admit,
    Dismiss,
    Leave,
    SetRequester,
    KnowAs,
    Tag,
    Relate,
    TakeBack,
    Rated,
)  # no part of its life
MAILS: Final = (CustomerWrote, MachineWrote, AgentWrote, NoteWritten, Solved, StillAProblem, DeliveryFailed)


def happens(kind: type[Event], at: datetime) -> Event:
    """Return an ordinary event of `kind` at `at`."""
    if kind is AgentWrote:
        return AgentWrote(at, ANNA)
    if kind is Rated:
        return Rated(at, 1)
    if kind is Offer:
        return Offer(at, ANNA, at + HOUR)
    if kind is Postpone:
        return Postpone(at, at + DAY)
    if kind in (Assign, SetRequester, KnowAs, Leave):
        return kind(at, ANNA)
    if kind in (SetPriority, Retitle, MoveTo):
        return kind(at, "high")
    if kind in (Admit, Dismiss):
        return kind(at, frozenset({ANNA} if kind is Admit else ()))
    if kind in (Tag, Relate):
        return kind(at, frozenset({"vip"} if kind is Tag else {7}))
    if kind is TakeBack:
        return TakeBack(at, ())
    if kind is Merge:
        return Merge(at, into=7)
    return kind(at)  # type: ignore[call-arg]  # the others have no more than their instant


def after(*events: Event, policy: Policy = POLICY) -> Ticket:
    """Return a ticket that was opened at noon and lived through `events`."""
    ticket = opened(NOON)
    for event in events:
        ticket = decide(ticket, event, policy).after
    return ticket


def outcome(ticket: Ticket, event: Event, policy: Policy = POLICY) -> Decision | None:
    """Return what `event` does to `ticket`, None if it is refused."""
    try:
        return decide(ticket, event, policy)
    except Refused:
        return None


FIRST: Final = CustomerWrote(NOON)
IN_STATUS: Final[dict[Status, Ticket]] = {
    Status.NEW: after(FIRST),
    Status.OPEN: after(FIRST, AgentWrote(NOON + HOUR, ANNA), CustomerWrote(NOON + 2 * HOUR)),
    Status.ANSWERED: after(FIRST, AgentWrote(NOON + HOUR, ANNA)),
    Status.POSTPONED: after(FIRST, Postpone(NOON + HOUR, NOON + DAY)),
    Status.RESOLVED: after(FIRST, AgentWrote(NOON + HOUR, ANNA), Resolve(NOON + 2 * HOUR)),
    Status.CLOSED: after(FIRST, Close(NOON + HOUR)),
    Status.SPAM: after(FIRST, MarkSpam(NOON + HOUR)),
    Status.DELETED: after(FIRST, Delete(NOON + HOUR)),
    Status.MERGED: after(FIRST, Merge(NOON + HOUR, into=7)),
}
