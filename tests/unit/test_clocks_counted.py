"""In every life of a ticket its clocks are what a count by minutes says."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from maild.rules import promises
from maild.rules.events import (
    AgentWrote,
    Close,
    CustomerWrote,
    Delete,
    DeliveryFailed,
    Event,
    MachineWrote,
    MarkSpam,
    NoteWritten,
    NotSpam,
    Postpone,
    Reopen,
    Resolve,
    SetPriority,
    Solved,
    StillAProblem,
    Tick,
    Undelete,
)
from maild.rules.levels import Kind, Level, Outcome
from maild.rules.policy import Policy
from maild.rules.refusals import Refused
from maild.rules.state import Status, opened
from maild.rules.ticket import decide
from maild.rules.working_time import Calendar, Span
from tests.unit.counting import MINUTE, is_open
from tests.unit.tickets import ANNA

HOUR: Final = timedelta(hours=1)


SPANS: Final = st.sampled_from(["30m", "1h", "7h", "11h", "1bd", "2bd"]).map(Span.parse)
TARGETS: Final = st.fixed_dictionaries({}, optional={"urgent": SPANS, "low": SPANS}).flatmap(
    lambda some: SPANS.map(lambda normal: {**some, "normal": normal})
)
WEEKS: Final = st.sampled_from(
    [
        dict.fromkeys(range(5), ((time(9), time(12)), (time(13), time(17, 30)))),
        dict.fromkeys(range(7), ((time(0), time(0)),)),
        {0: ((time(22), time(0)),), 1: ((time(0), time(6)),), 5: ((time(0, 30), time(3)),), 6: ((time(1), time(4)),)},
    ]
)
# Near which the clocks there change: Berlin in autumn, Lord Howe by half an hour, Tallinn by no change at all.
PLACES: Final = st.sampled_from(
    [
        ("Europe/Berlin", datetime(2026, 10, 23, 8, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("Australia/Lord_Howe", datetime(2026, 10, 2, 8, tzinfo=ZoneInfo("Australia/Lord_Howe"))),
        ("Europe/Tallinn", datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Tallinn"))),
    ]
)
KINDS: Final = (
    CustomerWrote,
    AgentWrote,
    NoteWritten,
    MachineWrote,
    Solved,
    StillAProblem,
    Resolve,
    Reopen,
    Close,
    Postpone,
    DeliveryFailed,
    MarkSpam,
    NotSpam,
    Delete,
    Undelete,
    Tick,
    SetPriority,
)


def event_of(kind: type[Event], now: datetime, draw: int) -> Event:
    match kind.__name__:
        case "AgentWrote":
            return AgentWrote(now, ANNA)
        case "Postpone":
            return Postpone(now, now + draw * HOUR)
        case "SetPriority":
            return SetPriority(now, ("urgent", "low", "normal")[draw % 3])
    return kind(now)  # type: ignore[call-arg]  # the others have no more than their instant


def counted(calendar: Calendar, spans: list[tuple[datetime, datetime]]) -> timedelta:
    """Return the open time within `spans`, minute by minute."""
    total = 0
    for begin, end in spans:
        now = begin
        while now < end:
            total += is_open(calendar, now)
            now += MINUTE
    return total * MINUTE


def minutes_from(calendar: Calendar, now: datetime, worked: timedelta) -> datetime:
    """Return the first minute by which so much open time has passed."""
    left = worked // MINUTE
    while left:
        left -= is_open(calendar, now)
        now += MINUTE
    return now


class Log:
    """What happened to a ticket, from which its clocks can be counted."""

    def __init__(self, begin: datetime) -> None:
        self.begin = begin
        self.changes: list[tuple[datetime, Status]] = [(begin, Status.NEW)]

    def spans(
        self, since: datetime, until: datetime, statuses: frozenset[Status]
    ) -> Iterator[tuple[datetime, datetime]]:
        ends = [*(when for when, _ in self.changes[1:]), until]
        for (begin, status), end in zip(self.changes, ends, strict=True):
            if status in statuses and max(begin, since) < min(end, until):
                yield max(begin, since), min(end, until)


@settings(max_examples=150, deadline=None)
@given(
    place=PLACES,
    week=WEEKS,
    targets=st.dictionaries(st.sampled_from(Kind), TARGETS),
    life=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40 * 60), st.integers(1, 60)), max_size=12),
)
@example(
    ("Europe/Berlin", datetime(2026, 10, 23, 8, tzinfo=ZoneInfo("Europe/Berlin"))),
    dict.fromkeys(range(7), ((time(0), time(0)),)),
    {Kind.RESOLUTION: {"normal": Span.parse("2bd")}},
    [(AgentWrote, 60, 1), (CustomerWrote, 3000, 1), (Resolve, 600, 1)],
)
def test_in_every_life_the_clocks_are_what_a_count_by_minutes_says(place, week, targets, life) -> None:
    zone, begin = ZoneInfo(place[0]), place[1].astimezone(ZoneInfo("UTC"))
    calendar = Calendar(zone, week)
    policy = Policy(level=Level("tested", calendar, targets))
    ticket, log = decide(opened(begin), CustomerWrote(begin), policy).after, Log(begin)
    waiting, now = begin, begin  # since when he waits without an answer
    for kind, minutes, draw in life:
        now += minutes * MINUTE
        event = event_of(kind, now, draw)
        before = ticket
        try:
            decision = decide(ticket, event, policy)
        except Refused:
            continue
        if decision.follow_up or decision.purge:
            continue
        ticket = decision.after
        for ended in decision.finished:
            assert ended.stopped_at == now
            if ended.kind is Kind.RESOLUTION:
                used = counted(calendar, list(log.spans(begin, now, promises.RUNNING)))
                assert ended.started_at == begin
            else:
                used = counted(calendar, [(waiting, now)])
                assert ended.started_at == waiting
            assert ended.used == used
            span = targets.get(ended.kind, {}).get(before.priority, targets.get(ended.kind, {}).get("normal"))
            if ended.outcome in (Outcome.MET, Outcome.MISSED):
                allowed = counted(calendar, [(ended.started_at, calendar.add(ended.started_at, span))])
                assert (ended.outcome is Outcome.MET) is (used <= allowed)
        log.changes.append((now, ticket.status))
        if ticket.waiting_since != before.waiting_since:
            waiting = ticket.waiting_since
            assert waiting in (None, now)
        for clock in promises.running(ticket, policy):
            check_running(clock, ticket, targets, calendar, log, now)


def check_running(clock, ticket, targets, calendar, log, now) -> None:
    spans = targets.get(clock.kind)
    if spans is None:
        assert clock.due_at is None
        return
    span = spans.get(ticket.priority, spans["normal"])
    whole = calendar.add(clock.started_at, span)
    allowed = counted(calendar, [(clock.started_at, whole)])
    if clock.kind is not Kind.RESOLUTION:
        assert clock.due_at == whole
        return
    before = list(log.spans(clock.started_at, clock.resumed_at, promises.RUNNING))
    assert clock.used == counted(calendar, before)
    assert clock.due_at is not None
    if clock.used >= allowed:  # used up before: it is due in the past
        assert clock.due_at <= now
    elif clock.used or clock.resumed_at != clock.started_at:
        left = allowed - clock.used
        assert clock.due_at == minutes_from(calendar, clock.resumed_at, left)
    else:
        assert clock.due_at == whole
