"""What holds in every life of a ticket: all lives up to five events, and random ones with odd calendars and clocks.

A life is a sequence of events, at its ordinary pace or with the clock standing still, moved on or stepped back.
`decide` knows nothing but the ticket, so lives that have led to the same ticket at the same instant with the same
past (as far as a law asks for it) go on as one: every life is judged, and none twice.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maild.rules.events import CustomerWrote, Event, StillAProblem, Tick
from maild.rules.levels import Kind, Level
from maild.rules.policy import Policy
from maild.rules.state import TELL_AGAIN, TO_SOLVE, Status, Ticket, opened
from maild.rules.ticket import decide
from maild.rules.working_time import Calendar, Span
from tests.clock import NOON
from tests.unit.laws import LAWS, Past, Step, passed
from tests.unit.tickets import DAY, FACTS, HOUR, KINDS, POLICY, happens, outcome

OFFICE: Final = Calendar.office(ZoneInfo("Europe/Berlin"))
WORKING: Final = Policy(calendar=OFFICE, office=OFFICE)
TARGETS: Final = {kind: {"normal": Span.parse("8h"), "high": Span.parse("1h")} for kind in Kind}
PROMISED: Final = Policy(office=OFFICE, level=Level("gold", OFFICE, TARGETS), asks_rating=True, told_in=OFFICE)
Life = tuple[Ticket, datetime, Past]


def what_may_happen(ticket: Ticket, now: datetime, pauses: tuple[timedelta, ...]) -> Iterator[Event]:
    """Yield one event of every kind after each of `pauses`, and the ticks of a scheduler that is prompt or late."""
    for pause in pauses:
        for kind in KINDS:
            if kind in FACTS:
                continue  # they change nothing that a life goes on from: `facts_are_no_part_of_a_life`
            yield happens(kind, now + pause)
    if ticket.due_at is not None:
        yield Tick(max(ticket.due_at, now))
        yield Tick(max(ticket.due_at, now) + 40 * DAY)


def live(life: Life, event: Event, policy: Policy) -> Life | None:
    """Return the life after `event`, judged by all laws; None if it was refused or the ticket is gone."""
    ticket, now, past = life
    decision = outcome(ticket, event, policy)
    if decision is None:
        return None
    step = Step(ticket, event, decision, past, policy)
    for law in LAWS:
        law(step)
    return None if decision.purge else (decision.after, max(now, event.at), passed(step))


def judge_every_life(length: int, policy: Policy, pauses: tuple[timedelta, ...]) -> None:
    """Judge all lives of up to `length` events; lives that came to the same go on as one."""
    lives: set[Life] = {(opened(NOON), NOON, Past())}
    for _ in range(length):
        begun = [(life, event) for life in lives for event in what_may_happen(life[0], life[1], pauses)]
        lives = {after for life, event in begun if (after := live(life, event, policy)) is not None}


@pytest.mark.parametrize("pause", [timedelta(), 7 * HOUR, 6 * DAY], ids=["at once", "7 h", "6 d"])
@pytest.mark.parametrize("policy", [POLICY, WORKING, PROMISED], ids=["always", "office", "promised"])
def test_the_laws_hold_in_every_life_of_five_events(policy: Policy, pause: timedelta) -> None:
    judge_every_life(5, policy, (pause,))


@pytest.mark.parametrize("policy", [POLICY, WORKING, PROMISED], ids=["always", "office", "promised"])
def test_the_laws_hold_in_every_life_of_three_events_at_any_pace_and_with_the_clock_stepped_back(
    policy: Policy,
) -> None:
    judge_every_life(3, policy, (timedelta(hours=-3), timedelta(), HOUR, 6 * DAY))


ZONES: Final = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia")
SPANS: Final = st.one_of(
    st.integers(1, 40 * 24 * 3600).map(lambda seconds: Span(seconds=seconds)),
    st.integers(1, 15).map(lambda days: Span(business_days=days)),
)
HOURS: Final = st.tuples(st.integers(0, 11), st.integers(12, 23)).map(lambda each: ((time(each[0]), time(each[1])),))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Draw a calendar with any open days, hours and zone, or the one that is always open."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    week = draw(st.dictionaries(st.integers(0, 6), HOURS))
    return Calendar(zone, week) if week else Calendar.always()


POLICIES: Final = st.builds(Policy, SPANS, SPANS, SPANS, SPANS, calendars(), calendars())
PAUSES: Final = st.one_of(
    st.timedeltas(timedelta(), timedelta(days=60)),
    st.timedeltas(timedelta(days=-2), timedelta()),  # the clock was set back
)
STEPS: Final = st.lists(st.tuples(st.sampled_from([*KINDS, Tick, Tick]), PAUSES, st.booleans()), max_size=40)
LEVELS: Final = st.builds(
    Level,
    st.just("gold"),
    calendars(),
    st.dictionaries(st.sampled_from(Kind), st.fixed_dictionaries({"normal": SPANS, "high": SPANS})),
    st.lists(st.integers(1, 300), max_size=4).map(tuple),
)
PROMISES: Final = st.builds(
    Policy, SPANS, SPANS, SPANS, SPANS, calendars(), calendars(), LEVELS, st.booleans(), calendars()
)


@settings(max_examples=300)
@given(st.one_of(POLICIES, PROMISES), STEPS)
def test_the_laws_hold_in_lives_with_any_promises_and_any_clock(
    policy: Policy, steps: list[tuple[type[Event], timedelta, bool]]
) -> None:
    life: Life = (opened(NOON), NOON, Past())

    for kind, pause, when_due in steps:
        ticket, now, _ = life
        at = max(ticket.due_at, now) if when_due and ticket.due_at is not None else now + pause
        life = live(life, happens(kind, at), policy) or life


@settings(max_examples=300)
@given(POLICIES, STEPS)
def test_time_alone_ends_every_life_or_tells_somebody_every_day(
    policy: Policy, steps: list[tuple[type[Event], timedelta, bool]]
) -> None:
    ticket = opened(NOON)
    now = NOON
    for kind, pause, _ in steps:
        now += pause
        decision = outcome(ticket, happens(kind, now), policy)
        ticket = decision.after if decision else ticket

    for _ in range(6):  # to be reminded, put off, resolved, closed; or told again
        if ticket.due_at is None:
            break
        decision = decide(ticket, Tick(ticket.due_at), policy)
        if decision.purge:
            return
        ticket = decision.after

    unborn = ticket.status is Status.NEW and ticket.due_at is None
    assert ticket.status in {*TO_SOLVE, Status.CLOSED, Status.MERGED}
    if ticket.status in TO_SOLVE and not unborn:
        assert ticket.told_at is not None
        assert ticket.due_at == ticket.told_at + TELL_AGAIN


@given(st.lists(st.sampled_from([CustomerWrote, StillAProblem]), max_size=20), st.integers(0, 2**32), PAUSES)
def test_however_often_a_customer_writes_he_waits_no_longer(
    kinds: list[type[Event]], seed: int, pause: timedelta
) -> None:
    first = decide(opened(NOON), CustomerWrote(NOON), POLICY).after
    ticket = first
    for number, kind in enumerate(kinds):
        at = NOON + abs(pause) * ((seed >> number % 32) & 1) + number * HOUR
        ticket = decide(ticket, happens(kind, at), POLICY).after

    assert ticket.due_at == first.due_at
    assert ticket.waiting_since == NOON
