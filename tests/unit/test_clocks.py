"""The three clocks of a ticket: what starts, stops and pauses them."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

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
    Merge,
    MoveTo,
    NoteWritten,
    NotSpam,
    Postpone,
    Resolve,
    SetPriority,
    Solved,
    StillAProblem,
    Tick,
)
from maild.rules.levels import Finished, Kind, Level, Outcome
from maild.rules.policy import Policy
from maild.rules.state import Status, Tell, Ticket, opened
from maild.rules.ticket import decide
from maild.rules.working_time import Calendar, Span
from tests.unit.tickets import ANNA

TALLINN: Final = ZoneInfo("Europe/Tallinn")
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
OFFICE: Final = Calendar(TALLINN, dict.fromkeys(range(5), ((time(9), time(12)), (time(13), time(18)))))
MONDAY: Final = datetime(2026, 11, 23, 9, tzinfo=TALLINN)
GOLD: Final = Level(
    "gold",
    OFFICE,
    {
        Kind.FIRST_RESPONSE: {"urgent": Span.parse("1h"), "normal": Span.parse("4h"), "low": Span.parse("2bd")},
        Kind.NEXT_RESPONSE: {"normal": Span.parse("8h")},
        Kind.RESOLUTION: {"normal": Span.parse("3bd"), "urgent": Span.parse("8h")},
    },
)
POLICY: Final = Policy(level=GOLD, office=OFFICE, told_in=OFFICE)


def at(day: int, clock: str) -> datetime:
    """Return an instant of the week that begins with MONDAY, by the wall clock."""
    hour, _, minute = clock.partition(":")
    return MONDAY.replace(day=23 + day, hour=int(hour), minute=int(minute))


MON, TUE, WED, THU, FRI, SAT = range(6)


def lived(*events: Event, policy: Policy = POLICY) -> tuple[Ticket, list[Finished]]:
    """Return a ticket that was opened by the first event and lived through all, with the clocks that ended."""
    ticket, ended = opened(events[0].at), []
    for event in events:
        decision = decide(ticket, event, policy)
        ticket = decision.after
        ended += decision.finished
    return ticket, ended


def due(ticket: Ticket, kind: Kind, policy: Policy = POLICY) -> datetime | None:
    return next((clock.due_at for clock in promises.running(ticket, policy) if clock.kind is kind), None)


class TestFirstResponse:
    """From the customer's mail to the first public answer."""

    def test_only_working_time_counts(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "16:00")))

        assert due(ticket, Kind.FIRST_RESPONSE) == at(TUE, "11:00")
        assert ticket.target_at == at(TUE, "11:00")

    def test_a_public_answer_stops_it(self) -> None:
        _, [ended] = lived(CustomerWrote(at(MON, "10:00")), AgentWrote(at(MON, "14:00"), ANNA))

        assert (ended.kind, ended.outcome, ended.used) == (Kind.FIRST_RESPONSE, Outcome.MET, 3 * HOUR)
        assert (ended.started_at, ended.due_at, ended.stopped_at) == (
            at(MON, "10:00"),
            at(MON, "15:00"),
            at(MON, "14:00"),
        )
        assert (ended.level, ended.priority, ended.agent) == ("gold", "normal", ANNA)

    def test_an_answer_after_the_target_misses_it(self) -> None:
        _, [ended] = lived(CustomerWrote(at(MON, "10:00")), AgentWrote(at(TUE, "9:30"), ANNA))

        assert (ended.outcome, ended.used) == (Outcome.MISSED, 7.5 * HOUR)

    @pytest.mark.parametrize(
        "event",
        [
            NoteWritten(at(MON, "11:00")),
            MachineWrote(at(MON, "11:00")),
            Postpone(at(MON, "11:00"), at(FRI, "9:00")),
            CustomerWrote(at(MON, "11:00")),
            Tick(at(FRI, "11:00")),
            StillAProblem(at(MON, "11:00")),
        ],
        ids=lambda event: type(event).__name__,
    )
    def test_nothing_else_stops_or_moves_it(self, event: Event) -> None:
        ticket, ended = lived(CustomerWrote(at(MON, "10:00")), event)

        assert ended == []
        assert due(ticket, Kind.FIRST_RESPONSE) == at(MON, "15:00")

    @pytest.mark.parametrize(
        ("event", "outcome"),
        [
            (Solved(at(MON, "14:59")), Outcome.VOID),
            (Resolve(at(MON, "14:59")), Outcome.VOID),
            (Close(at(TUE, "9:01")), Outcome.MISSED),
            (Solved(at(TUE, "9:01")), Outcome.MISSED),
            (MarkSpam(at(TUE, "9:01")), Outcome.VOID),
            (Delete(at(TUE, "9:01")), Outcome.VOID),
            (Merge(at(TUE, "9:01"), into=7), Outcome.VOID),
        ],
        ids=lambda each: type(each).__name__ if not isinstance(each, Outcome) else each.value,
    )
    def test_what_ends_it_otherwise_voids_it_unless_an_answer_was_late_already(
        self, event: Event, outcome: Outcome
    ) -> None:
        _, ended = lived(CustomerWrote(at(MON, "10:00")), event)

        assert ended[0].kind is Kind.FIRST_RESPONSE
        assert ended[0].outcome is outcome

    def test_it_goes_on_from_its_beginning_when_spam_turns_out_to_be_none(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "10:00")), MarkSpam(at(MON, "11:00")), NotSpam(at(WED, "9:00")))

        assert due(ticket, Kind.FIRST_RESPONSE) == at(MON, "15:00")

    def test_a_ticket_that_an_agent_began_has_none(self) -> None:
        ticket, ended = lived(AgentWrote(at(MON, "10:00"), ANNA))

        assert ended == []
        assert list(promises.running(ticket, POLICY)) == []


class TestNextResponse:
    """From the oldest customer mail without an answer."""

    def test_it_begins_with_the_first_mail_after_ours_and_no_other_moves_it(self) -> None:
        ticket, _ = lived(
            CustomerWrote(at(MON, "9:00")),
            AgentWrote(at(MON, "10:00"), ANNA),
            CustomerWrote(at(MON, "11:00")),
            CustomerWrote(at(MON, "17:00")),
        )

        assert due(ticket, Kind.NEXT_RESPONSE) == at(TUE, "11:00")

    def test_it_begins_anew_when_our_answer_did_not_arrive(self) -> None:
        ticket, _ = lived(
            CustomerWrote(at(MON, "9:00")), AgentWrote(at(MON, "10:00"), ANNA), DeliveryFailed(at(MON, "11:00"))
        )

        assert due(ticket, Kind.NEXT_RESPONSE) == at(TUE, "11:00")


class TestResolution:
    """From the first mail to the end, without the time in which we wait for the customer."""

    def test_it_stands_still_while_we_wait_and_goes_on_when_the_ticket_opens_again(self) -> None:
        ticket, _ = lived(
            CustomerWrote(at(MON, "9:00")),
            AgentWrote(at(MON, "11:00"), ANNA),  # 2 h are used
            CustomerWrote(at(WED, "9:00")),
        )

        assert due(ticket, Kind.RESOLUTION) == at(FRI, "16:00")  # 24 h were promised; 22 h from Wednesday on

    def test_it_is_met_by_the_time_that_was_used_not_by_the_time_that_passed(self) -> None:
        _, ended = lived(
            CustomerWrote(at(MON, "9:00")),
            AgentWrote(at(MON, "11:00"), ANNA),
            Tick(at(MON, "11:00") + timedelta(days=6)),
            Resolve(at(MON, "11:00") + timedelta(days=20)),
        )

        assert (ended[-1].kind, ended[-1].outcome, ended[-1].used) == (Kind.RESOLUTION, Outcome.MET, 2 * HOUR)

    def test_reopening_goes_on_and_the_same_clock_ends_again(self) -> None:
        _, ended = lived(
            CustomerWrote(at(MON, "9:00")),
            Resolve(at(MON, "10:00")),
            CustomerWrote(at(TUE, "9:00")),
            Resolve(at(TUE, "11:00")),
        )
        first, second = [each for each in ended if each.kind is Kind.RESOLUTION]

        assert first.started_at == second.started_at == at(MON, "9:00")
        assert (first.used, second.used) == (HOUR, 3 * HOUR)

    def test_one_that_was_used_up_is_late_at_once_when_the_ticket_opens_again(self) -> None:
        ticket, ended = lived(
            CustomerWrote(at(MON, "9:00")), Resolve(at(FRI, "10:00")), CustomerWrote(at(FRI, "11:00"))
        )

        assert ended[-1].outcome is Outcome.MISSED
        assert due(ticket, Kind.RESOLUTION) == at(THU, "9:00")
        assert promises.breached(ticket, POLICY, at(FRI, "11:00"))

    def test_postponing_does_not_stop_it(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "9:00")), Postpone(at(MON, "10:00"), at(FRI, "9:00")))

        assert due(ticket, Kind.RESOLUTION) == at(THU, "9:00")


class TestTargets:
    """Counted from the clock's own beginning, whatever changed since."""

    def test_another_priority_counts_from_the_beginning(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "10:00")), SetPriority(at(MON, "11:30"), "urgent"))

        assert due(ticket, Kind.FIRST_RESPONSE) == at(MON, "11:00")
        assert decide(ticket, Tick(at(MON, "11:31")), POLICY).tells == (Tell.BREACHED,)  # it is told at once

    def test_a_later_target_takes_back_what_was_told_of_the_earlier_one(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "9:00")), Tick(at(MON, "12:00")), SetPriority(at(MON, "13:00"), "low"))

        assert ticket.told_at is None
        assert ticket.target_at == at(WED, "9:00")
        assert ticket.due_at == at(TUE, "14:00")  # 75 % of two working days

    def test_another_department_counts_by_its_level_from_the_beginning(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "16:00")))
        silver = replace(
            POLICY, level=Level("silver", Calendar.always(), {Kind.FIRST_RESPONSE: {"normal": Span(7200)}})
        )

        moved = decide(ticket, MoveTo(at(MON, "17:00"), "sales"), silver).after

        assert moved.target_at == at(MON, "18:00")

    def test_a_clock_without_a_target_is_measured_and_promises_nothing(self) -> None:
        policy = Policy(calendar=OFFICE)
        ticket, _ = lived(CustomerWrote(at(MON, "10:00")), policy=policy)
        [ended] = decide(ticket, AgentWrote(at(MON, "14:00"), ANNA), policy).finished

        assert (ended.used, ended.due_at, ended.outcome) == (3 * HOUR, None, None)
        assert ticket.target_at == OFFICE.add(at(MON, "10:00"), Span.parse("7d"))

    def test_old_mail_has_no_clocks(self) -> None:
        ticket, ended = lived(
            CustomerWrote(at(MON, "9:00") - timedelta(days=700), acknowledge=False, notify=False),
            Solved(at(MON, "9:00"), old=True),
        )
        again = decide(ticket, CustomerWrote(at(MON, "10:00")), POLICY).after

        assert ended == []
        assert due(again, Kind.RESOLUTION) == at(THU, "10:00")


class TestTelling:
    """When agents hear of it."""

    def test_at_each_share_that_is_warned_at_and_of_the_breach_once_a_day(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "9:00")))
        told = []
        for _ in range(5):
            assert ticket.due_at is not None
            decision = decide(ticket, Tick(ticket.due_at), POLICY)
            told.append((ticket.due_at, decision.tells))
            ticket = decision.after

        assert told == [
            (at(MON, "13:00"), (Tell.WAITING,)),  # 75 % at the closing for lunch
            (at(MON, "14:00"), (Tell.BREACHED,)),
            (at(TUE, "14:00"), (Tell.BREACHED,)),
            (at(WED, "14:00"), (Tell.BREACHED,)),  # and not at 75 % of the resolution
            (at(THU, "9:00"), (Tell.BREACHED,)),  # but when that is late
        ]

    def test_what_passed_unnoticed_is_told_once_and_in_working_hours(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "9:00")))

        late = decide(ticket, Tick(at(FRI, "18:00")), POLICY)
        monday = decide(late.after, Tick(at(FRI, "18:00") + timedelta(hours=63)), POLICY)

        assert late.tells == ()
        assert late.after.due_at == at(FRI, "18:00") + timedelta(hours=63)
        assert monday.tells == (Tell.BREACHED,)
        assert monday.after.due_at == monday.after.told_at + timedelta(days=1)

    def test_a_postponed_ticket_is_told_of_but_not_daily(self) -> None:
        ticket, _ = lived(CustomerWrote(at(MON, "9:00")), Postpone(at(MON, "10:00"), at(FRI, "9:00")))
        told = []
        while ticket.status is Status.POSTPONED:
            assert ticket.due_at is not None
            decision = decide(ticket, Tick(ticket.due_at), POLICY)
            told.append((ticket.due_at, decision.tells))
            ticket = decision.after

        assert [when for when, _ in told] == [
            at(MON, "13:00"),
            at(MON, "14:00"),
            at(THU, "9:00"),
            at(FRI, "9:00"),  # it comes back
        ]

    def test_the_breach_is_told_even_if_no_share_is_warned_at(self) -> None:
        policy = replace(POLICY, level=replace(GOLD, warn_at=()))
        ticket, _ = lived(CustomerWrote(at(MON, "9:00")), policy=policy)

        assert ticket.due_at == at(MON, "14:00")


def test_the_example_of_the_manual() -> None:
    office = Calendar.office(TALLINN)
    targets = {
        Kind.FIRST_RESPONSE: {"normal": Span.parse("4h")},
        Kind.NEXT_RESPONSE: {"normal": Span.parse("2h")},
        Kind.RESOLUTION: {"normal": Span.parse("5bd")},
    }
    policy = Policy(level=Level("standard", office, targets), office=office, told_in=office)
    week = timedelta(days=7)

    new, _ = lived(CustomerWrote(at(MON, "15:00")), policy=policy)
    assert new.due_at == at(TUE, "10:00")
    assert due(new, Kind.FIRST_RESPONSE, policy) == at(TUE, "11:00")
    assert due(new, Kind.RESOLUTION, policy) == at(MON, "15:00") + week

    answered = decide(new, AgentWrote(at(TUE, "10:30"), ANNA), policy)
    [ended] = answered.finished
    assert (ended.outcome, ended.used) == (Outcome.MET, 3.5 * HOUR)

    again = decide(answered.after, CustomerWrote(at(WED, "9:00")), policy).after
    assert due(again, Kind.NEXT_RESPONSE, policy) == at(WED, "11:00")
    assert due(again, Kind.RESOLUTION, policy) == at(TUE, "13:30") + week
    assert decide(again, Tick(at(WED, "11:00")), policy).tells == (Tell.BREACHED,)


def test_what_the_history_of_statuses_comes_to_is_what_the_clock_ran() -> None:
    """Tickets of versions that had no clock get theirs from their history."""
    ticket = opened(at(MON, "10:00"))
    statuses = [(at(MON, "10:00"), ticket.status)]
    events = (
        CustomerWrote(at(MON, "10:00")),
        AgentWrote(at(MON, "14:30"), ANNA),
        CustomerWrote(at(TUE, "7:00")),
        Postpone(at(TUE, "9:30"), at(WED, "9:00")),
        Tick(at(WED, "9:00")),
        Resolve(at(WED, "11:00")),
        CustomerWrote(at(THU, "8:00")),
    )
    for event in events:
        ticket = decide(ticket, event, POLICY).after
        statuses.append((event.at, ticket.status))

        assert promises.measured(statuses, POLICY) == (ticket.resolving_since, ticket.resolving_s)
