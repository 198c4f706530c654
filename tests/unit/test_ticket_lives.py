"""What holds in every life of a ticket: all lives up to five events, and random ones with odd calendars and clocks.

A life is a sequence of events, at its ordinary pace or with the clock standing still, moved on or stepped back.
`decide` knows nothing but the ticket, so lives that have led to the same ticket at the same instant with the same
past (as far as a law asks for it) go on as one: every life is judged, and none twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maild.rules.events import (
    AgentWrote,
    Assign,
    ClockSetBack,
    CustomerWrote,
    Delete,
    Event,
    MachineWrote,
    MarkSpam,
    MoveTo,
    NoteWritten,
    NotSpam,
    StillAProblem,
    Tick,
    Undelete,
)
from maild.rules.levels import Kind, Level
from maild.rules.policy import Policy
from maild.rules.ticket import decide
from maild.rules.tickets import AFTER_REMINDER, TELL_AGAIN, TO_SOLVE, Decision, Status, Tell, Ticket, opened
from maild.rules.working_time import Calendar, Span
from tests.clock import NOON
from tests.unit.tickets import DAY, FACTS, HOUR, KINDS, MAILS, MOMENT, POLICY, happens, outcome

CHANGEABLE: Final = (
    "rating",
    "gone",
    "assignee",
    "offered_to",
    "offered_until",
    "priority",
    "subject",
    "department",
    "requester",
    "participants",
    "tags",
    "related",
)
TIMELESS: Final = (NoteWritten, MachineWrote)
OFFICE: Final = Calendar.office(ZoneInfo("Europe/Berlin"))
WORKING: Final = Policy(calendar=OFFICE, office=OFFICE)
TARGETS: Final = {kind: {"normal": Span.parse("8h"), "high": Span.parse("1h")} for kind in Kind}
PROMISED: Final = Policy(office=OFFICE, level=Level("gold", OFFICE, TARGETS), asks_rating=True, told_in=OFFICE)


@dataclass(frozen=True, slots=True)
class Past:
    """What the laws ask of what has been."""

    breach_told_at: datetime | None = None  # the agents, in the present wait
    acknowledged: bool = False
    reminded: bool = False  # since the last public answer


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a life."""

    before: Ticket
    event: Event
    decision: Decision
    past: Past
    policy: Policy

    @property
    def after(self) -> Ticket:
        return self.decision.after


def passed(step: Step) -> Past:
    """Return the past after `step`."""
    past, tells = step.past, step.decision.tells
    if step.after.waiting_since != step.before.waiting_since:
        past = replace(past, breach_told_at=None)
    if isinstance(step.event, Tick) and Tell.WAITING in tells:
        past = replace(past, breach_told_at=step.event.at)
    if isinstance(step.event, AgentWrote):
        past = replace(past, reminded=False)
    if isinstance(step.event, ClockSetBack) and past.breach_told_at is not None:
        past = replace(past, breach_told_at=min(past.breach_told_at, step.event.at))
    if Tell.REMINDER in tells:
        past = replace(past, reminded=True)
    return replace(past, acknowledged=past.acknowledged or Tell.ACKNOWLEDGEMENT in tells)


def time_alone_has_an_instant_for_all_but_the_final(step: Step) -> None:
    """A waiting customer always has an instant at which someone is told."""
    final = step.after.status in (Status.CLOSED, Status.MERGED)
    unborn = isinstance(step.event, Tick) and step.before.due_at is None  # its first mail is not filed yet
    assert (step.after.due_at is None) is final or unborn
    if isinstance(step.event, CustomerWrote | StillAProblem) and step.after.status not in (Status.SPAM, Status.MERGED):
        assert step.decision.follow_up or step.after.waiting_since is not None


def a_tick_that_is_due_makes_progress(step: Step) -> None:
    """No due time stays in the past, else the scheduler spins."""
    if isinstance(step.event, Tick) and not step.decision.purge and step.after.due_at is not None:
        assert step.after.due_at > step.event.at


def an_early_tick_does_nothing(step: Step) -> None:
    """Whoever ticks too early (a clock that was stepped back) does no harm."""
    if step.after.due_at is not None:
        assert decide(step.after, Tick(step.after.due_at - MOMENT), step.policy) == Decision(step.after)


def more_mails_of_the_customer_move_nothing_later(step: Step) -> None:
    """Whoever writes again waits no longer for it."""
    before, after = step.before, step.after
    if not isinstance(step.event, CustomerWrote | StillAProblem) or before.waiting_since is None:
        return
    assert after.waiting_since is not None
    assert after.waiting_since <= before.waiting_since
    if before.status in TO_SOLVE:
        assert before.due_at is not None
        assert after.due_at is not None
        assert after.due_at <= before.due_at


def notes_and_machines_change_nothing(step: Step) -> None:
    """Only people's mail changes a ticket (RFC 3834 2)."""
    if isinstance(step.event, TIMELESS) and step.before.due_at is not None:
        kept = step.after if isinstance(step.event, NoteWritten) else step.before  # by a note its agent did something
        unchanged = replace(step.before, due_at=step.after.due_at, kept_since=kept.kept_since)
        assert step.decision == Decision(unchanged)
        # A late reminder that was put off until business hours may be looked at once more.
        assert step.after.due_at is not None
        assert step.after.due_at <= step.before.due_at


def no_mail_changes_a_final_ticket(step: Step) -> None:
    """What is closed stays closed: a customer's mail begins another ticket."""
    if isinstance(step.event, MAILS) and step.before.status in (Status.CLOSED, Status.MERGED):
        assert step.after == step.before
        assert step.decision.follow_up is isinstance(step.event, CustomerWrote | StillAProblem)


def an_alias_stays_an_alias(step: Step) -> None:
    """Merged is for ever."""
    if step.before.status is Status.MERGED:
        assert step.decision == Decision(step.before)


def instants_belong_to_their_status(step: Step) -> None:
    """No status keeps what was another's."""
    ticket = step.after
    hidden = ticket.status in (Status.POSTPONED, Status.SPAM, Status.DELETED)
    assert (ticket.return_to is not None) is hidden
    assert not hidden or ticket.return_to in TO_SOLVE
    assert (ticket.wake_at is not None) is (ticket.status is Status.POSTPONED)
    assert (ticket.merged_into is not None) is (ticket.status is Status.MERGED)
    if ticket.status in (Status.ANSWERED, Status.RESOLVED, Status.CLOSED):
        assert (ticket.waiting_since, ticket.told_at) == (None, None)
    if ticket.status is not Status.ANSWERED:
        assert ticket.reminded_at is None
    else:
        assert ticket.answered_at == ticket.since


def a_status_begins_when_it_is_entered(step: Step) -> None:
    """`since` is the instant of the last change, or of the answer that the silence is counted from."""
    if step.after.status is not step.before.status:
        assert step.after.since == step.event.at
    elif step.after.since != step.before.since:
        assert isinstance(step.event, AgentWrote | ClockSetBack)
        assert step.after.status is Status.ANSWERED or step.after.since == step.event.at


def the_agents_are_told_of_a_breach_once_a_day(step: Step) -> None:
    """However often the ticket goes to and fro."""
    told_at = step.past.breach_told_at
    if step.policy.level is not None:  # which is warned of before, for each clock: test_clocks.py
        return
    if isinstance(step.event, Tick) and step.before.status in TO_SOLVE and Tell.WAITING in step.decision.tells:
        assert told_at is None or step.event.at >= told_at + TELL_AGAIN


def a_customer_is_acknowledged_once(step: Step) -> None:
    """Acknowledgements are a weapon in a spammer's hand."""
    if Tell.ACKNOWLEDGEMENT in step.decision.tells:
        assert not step.past.acknowledged
        assert isinstance(step.event, CustomerWrote)


def a_customer_is_reminded_once_and_has_time_to_answer(step: Step) -> None:
    """Once after our answer, in business hours, and silence ends it only after a while."""
    tells = step.decision.tells
    if Tell.REMINDER in tells:
        assert not step.past.reminded
        assert step.policy.office.is_open(step.event.at)
        assert step.before.answered_at is not None
        assert step.event.at >= step.policy.calendar.add(step.before.answered_at, step.policy.remind_after)
    if isinstance(step.event, Tick) and Tell.RESOLVED in tells:
        assert step.before.reminded_at is not None
        assert step.before.answered_at is not None
        assert step.event.at >= step.before.reminded_at + AFTER_REMINDER
        assert step.event.at >= step.policy.calendar.add(step.before.answered_at, step.policy.resolve_after)


def answers_and_agents_are_remembered(step: Step) -> None:
    """The first to answer owns it; an answer ends the waiting and the mark of the failed one."""
    if isinstance(step.event, AgentWrote):
        assert step.after.answered_at == step.event.at
        assert step.after.assignee == (step.before.assignee or step.event.agent)
        assert step.after.waiting_since is None
        assert not step.after.undelivered
    else:
        set_back = isinstance(step.event, ClockSetBack) and step.after.answered_at == step.event.at
        assert step.after.answered_at == step.before.answered_at or set_back
        assert step.after.assignee == step.before.assignee or isinstance(step.event, Assign | MoveTo)


def only_what_was_put_aside_is_purged(step: Step) -> None:
    """And only by time alone, after its while."""
    if step.decision.purge:
        assert isinstance(step.event, Tick)
        assert step.before.status in (Status.SPAM, Status.DELETED)
        assert step.event.at >= step.before.since + 30 * DAY
        assert step.after == step.before


def spam_and_deletion_lose_nothing(step: Step) -> None:
    """Who was waiting waits still when the ticket comes back."""
    if isinstance(step.event, MarkSpam | Delete | NotSpam | Undelete):
        assert step.after.waiting_since == step.before.waiting_since or step.after.waiting_since is None
        assert step.decision.tells == ()


def no_instant_is_to_come_when_the_clock_was_set_back(step: Step) -> None:
    """And who sleeps does not sleep longer for it."""
    if isinstance(step.event, ClockSetBack):
        ticket, at = step.after, step.event.at
        happened = (ticket.since, ticket.waiting_since, ticket.answered_at, ticket.reminded_at, ticket.told_at)
        assert all(instant is None or instant <= at or step.before.status is Status.MERGED for instant in happened)
        assert (ticket.status, step.decision.tells) == (step.before.status, ())
        if ticket.wake_at is not None and step.before.wake_at is not None:
            assert ticket.wake_at - ticket.since <= step.before.wake_at - min(step.before.since, at)


def facts_are_no_part_of_a_life(step: Step) -> None:
    """Who has it, what it is called and who takes part moves no status and no instant, and tells no customer."""
    if isinstance(step.event, FACTS):
        told = set(step.decision.tells)
        facts = {name: getattr(step.after, name) for name in CHANGEABLE}
        settled = {name: getattr(step.after, name) for name in ("due_at", "target_at", "told_at", "kept_since")}
        assert replace(step.before, **settled, **facts) == step.after
        assert step.after.told_at in (None, step.before.told_at)
        assert told <= {Tell.HANDED_OVER, Tell.RATED}
    elif not isinstance(step.event, AgentWrote | ClockSetBack):
        assert all(getattr(step.before, name) == getattr(step.after, name) for name in CHANGEABLE)


LAWS: Final[tuple[Callable[[Step], None], ...]] = (
    time_alone_has_an_instant_for_all_but_the_final,
    a_tick_that_is_due_makes_progress,
    an_early_tick_does_nothing,
    more_mails_of_the_customer_move_nothing_later,
    notes_and_machines_change_nothing,
    no_mail_changes_a_final_ticket,
    an_alias_stays_an_alias,
    instants_belong_to_their_status,
    a_status_begins_when_it_is_entered,
    the_agents_are_told_of_a_breach_once_a_day,
    a_customer_is_acknowledged_once,
    a_customer_is_reminded_once_and_has_time_to_answer,
    answers_and_agents_are_remembered,
    only_what_was_put_aside_is_purged,
    spam_and_deletion_lose_nothing,
    facts_are_no_part_of_a_life,
    no_instant_is_to_come_when_the_clock_was_set_back,
)

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
