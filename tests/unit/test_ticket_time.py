"""What time alone does to tickets, and which mails follow from what happens."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

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
    Solved,
    StillAProblem,
    Tick,
    Undelete,
)
from maild.rules.policy import Policy
from maild.rules.state import TO_SOLVE, Decision, Status, Tell, Ticket, opened
from maild.rules.ticket import decide
from maild.rules.working_time import Calendar, Span
from tests.clock import NOON
from tests.unit.tickets import ANNA, DAY, FIRST, HOUR, IN_STATUS, MOMENT, POLICY, after, happens

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = replace(POLICY, office=Calendar.office(BERLIN))


def due(ticket: Ticket) -> datetime:
    """Return when `ticket` is due, which it must be."""
    assert ticket.due_at is not None
    return ticket.due_at


def tick(ticket: Ticket, late: timedelta = timedelta(), policy: Policy = POLICY) -> Decision:
    """Return what happens to `ticket` when it is due, or `late` by so much."""
    return decide(ticket, Tick(due(ticket) + late), policy)


class TestWaiting:
    """A customer waits for us."""

    def test_a_new_ticket_is_due_seven_days_after_the_first_mail(self) -> None:
        assert due(after(FIRST)) == NOON + 7 * DAY

    def test_a_second_mail_does_not_restart_the_clock(self) -> None:
        ticket = after(FIRST, CustomerWrote(NOON + DAY))

        assert ticket.waiting_since == NOON
        assert due(ticket) == NOON + 7 * DAY

    def test_a_mail_that_was_filed_late_counts_from_when_it_came(self) -> None:
        ticket = after(FIRST, CustomerWrote(NOON - HOUR))

        assert ticket.waiting_since == NOON - HOUR

    def test_the_clock_of_the_next_answer_starts_with_the_first_mail_after_ours(self) -> None:
        ticket = after(
            FIRST, AgentWrote(NOON + DAY, ANNA), CustomerWrote(NOON + 2 * DAY), CustomerWrote(NOON + 3 * DAY)
        )

        assert ticket.waiting_since == NOON + 2 * DAY
        assert due(ticket) == NOON + 9 * DAY

    def test_the_agents_are_told_again_once_a_day_as_long_as_he_waits(self) -> None:
        first = tick(after(FIRST))
        second = tick(first.after)

        assert first.tells == second.tells == (Tell.WAITING,)
        assert due(first.after) == NOON + 8 * DAY
        assert due(second.after) == NOON + 9 * DAY

    def test_what_was_missed_while_the_daemon_was_down_is_told_once(self) -> None:
        told = tick(after(FIRST), late=30 * DAY)

        assert told.tells == (Tell.WAITING,)
        assert due(told.after) == NOON + 38 * DAY

    @pytest.mark.parametrize("detour", [[Reopen], [Postpone, Reopen], [MarkSpam, NotSpam]])
    def test_no_detour_makes_the_agents_be_told_twice_a_day(self, detour: list[type[Event]]) -> None:
        told = tick(after(FIRST)).after
        assert told.told_at is not None

        for minutes, kind in enumerate(detour, start=1):
            told = decide(told, happens(kind, told.told_at + timedelta(minutes=minutes)), POLICY).after

        assert told.status in TO_SOLVE
        assert due(told) == NOON + 8 * DAY

    def test_a_reopened_ticket_waits_from_the_reopening(self) -> None:
        ticket = decide(IN_STATUS[Status.CLOSED], Reopen(NOON + DAY), POLICY).after

        assert ticket.waiting_since is None
        assert due(ticket) == NOON + 8 * DAY

    @pytest.mark.parametrize("ends", [AgentWrote, Resolve, Solved, Close])
    def test_an_answer_or_an_end_ends_the_waiting(self, ends: type[Event]) -> None:
        told = tick(after(FIRST)).after

        ticket = decide(told, happens(ends, NOON + 8 * DAY), POLICY).after

        assert ticket.waiting_since is None
        assert ticket.told_at is None


class TestSilence:
    """We wait for the customer."""

    answered = after(FIRST, AgentWrote(NOON + HOUR, ANNA))

    def test_silence_reminds_after_five_days_and_resolves_after_ten_and_closes_after_another_fourteen(self) -> None:
        reminded = tick(self.answered)
        resolved = tick(reminded.after)
        closed = tick(resolved.after)

        assert [(step.after.status, step.tells) for step in (reminded, resolved, closed)] == [
            (Status.ANSWERED, (Tell.REMINDER,)),
            (Status.RESOLVED, (Tell.RESOLVED,)),
            (Status.CLOSED, ()),
        ]
        assert due(self.answered) == NOON + HOUR + 5 * DAY
        assert due(reminded.after) == NOON + HOUR + 10 * DAY
        assert due(resolved.after) == NOON + HOUR + 24 * DAY
        assert closed.after.due_at is None

    def test_a_customer_who_was_reminded_late_has_three_days_to_answer(self) -> None:
        reminded = tick(self.answered, late=20 * DAY).after

        assert due(reminded) == NOON + HOUR + 28 * DAY

    def test_a_second_answer_restarts_the_silence(self) -> None:
        reminded = tick(self.answered).after

        again = decide(reminded, AgentWrote(NOON + 6 * DAY, ANNA), POLICY).after

        assert again.reminded_at is None
        assert again.since == again.answered_at == NOON + 6 * DAY
        assert due(again) == NOON + 11 * DAY

    @pytest.mark.parametrize("event", [NoteWritten(NOON + DAY), MachineWrote(NOON + DAY)])
    def test_notes_and_machines_do_not_break_the_silence(self, event: Event) -> None:
        assert decide(self.answered, event, POLICY).after == self.answered

    def test_an_answer_on_a_resolved_ticket_leaves_it_resolved(self) -> None:
        resolved = IN_STATUS[Status.RESOLVED]

        again = decide(resolved, AgentWrote(NOON + DAY, ANNA), POLICY)

        assert again.tells == (Tell.ANSWER,)
        assert due(again.after) == due(resolved)

    def test_a_reminder_waits_for_business_hours(self) -> None:
        saturday = datetime(2026, 3, 7, 13, tzinfo=BERLIN)
        answered = after(FIRST, AgentWrote(saturday - 5 * DAY, ANNA), policy=OFFICE)

        assert due(answered) == datetime(2026, 3, 9, 9, tzinfo=BERLIN)

    def test_a_reminder_that_is_late_waits_for_business_hours_too(self) -> None:
        answered = after(FIRST, AgentWrote(NOON, ANNA), policy=OFFICE)
        at_night = datetime(2026, 3, 11, 3, tzinfo=BERLIN)

        late = decide(answered, Tick(at_night), OFFICE)

        assert late.tells == ()
        assert late.after == answered._replace(due_at=datetime(2026, 3, 11, 9, tzinfo=BERLIN))
        assert decide(late.after, Tick(due(late.after)), OFFICE).tells == (Tell.REMINDER,)

    def test_an_end_by_silence_comes_in_business_hours(self) -> None:
        reminded = self.answered._replace(reminded_at=NOON + 6 * DAY, due_at=NOON + 10 * DAY)
        at_night, monday = datetime(2026, 3, 21, 3, tzinfo=BERLIN), datetime(2026, 3, 23, 9, tzinfo=BERLIN)

        late = decide(reminded, Tick(at_night), OFFICE)

        assert (late.tells, late.after.due_at) == ((), monday)
        assert decide(late.after, Tick(monday), OFFICE).tells == (Tell.RESOLVED,)

    def test_the_spans_are_counted_by_the_departments_calendar(self) -> None:
        calendar = Calendar.office(BERLIN)
        policy = Policy(
            respond_after=Span.parse("8h"),
            remind_after=Span.parse("1bd"),
            resolve_after=Span.parse("16h"),
            close_after=Span.parse("2bd"),
            calendar=calendar,
        )
        monday = datetime(2026, 3, 2, 12, tzinfo=BERLIN)
        waiting = decide(opened(monday), CustomerWrote(monday), policy).after
        answered = decide(waiting, AgentWrote(monday, ANNA), policy).after
        reminded = tick(answered, policy=policy).after
        resolved = tick(reminded._replace(reminded_at=monday), policy=policy).after

        assert due(waiting) == datetime(2026, 3, 3, 12, tzinfo=BERLIN)
        assert due(answered) == datetime(2026, 3, 3, 12, tzinfo=BERLIN)
        assert due(reminded) == datetime(2026, 3, 6, 12, tzinfo=BERLIN)  # three days for the reminded
        assert due(resolved) == datetime(2026, 3, 10, 12, tzinfo=BERLIN)


class TestPostponed:
    """Nobody is bothered until it is time."""

    def test_it_comes_back_when_it_was_asked_to(self) -> None:
        postponed = after(FIRST, Postpone(NOON + HOUR, NOON + 3 * DAY))
        back = tick(postponed)

        assert due(postponed) == NOON + 3 * DAY
        assert back.tells == (Tell.WAITING,)
        assert back.after.status is Status.NEW
        assert (back.after.wake_at, back.after.return_to) == (None, None)
        assert back.after.waiting_since == NOON
        assert due(back.after) == NOON + 7 * DAY  # not earlier because the agents have heard of it

    def test_postponing_again_moves_the_instant_only(self) -> None:
        ticket = after(FIRST, Postpone(NOON + HOUR, NOON + 3 * DAY), Postpone(NOON + 2 * HOUR, NOON + 4 * DAY))

        assert ticket.since == NOON + HOUR
        assert ticket.return_to is Status.NEW
        assert due(ticket) == ticket.wake_at == NOON + 4 * DAY

    def test_it_does_not_stop_the_customers_clock(self) -> None:
        ticket = after(FIRST, Postpone(NOON + HOUR, NOON + 3 * DAY), CustomerWrote(NOON + DAY))

        assert ticket.waiting_since == NOON
        assert due(ticket) == NOON + 7 * DAY


class TestPutAside:
    """Spam and what was thrown away are kept for a while, and come back whole."""

    def test_spam_is_purged_after_ninety_days_and_the_deleted_after_thirty(self) -> None:
        assert due(IN_STATUS[Status.SPAM]) == NOON + HOUR + 90 * DAY
        assert due(IN_STATUS[Status.DELETED]) == NOON + HOUR + 30 * DAY

    def test_deleting_spam_counts_from_the_deletion(self) -> None:
        assert due(after(FIRST, MarkSpam(NOON), Delete(NOON + DAY))) == NOON + 31 * DAY

    def test_who_was_waiting_waits_still(self) -> None:
        back = after(FIRST, Delete(NOON + DAY), Undelete(NOON + 2 * DAY))

        assert back.waiting_since == NOON
        assert due(back) == NOON + 7 * DAY

    def test_nobody_waits_by_writing_into_spam(self) -> None:
        ticket = after(MarkSpam(NOON), CustomerWrote(NOON + HOUR), StillAProblem(NOON + 2 * HOUR))

        assert ticket.waiting_since is None


class TestUndelivered:
    """Our answer did not arrive, so the customer waits after all."""

    failed = decide(IN_STATUS[Status.ANSWERED], DeliveryFailed(NOON + DAY), POLICY)

    def test_the_ticket_opens_again_and_the_author_is_told(self) -> None:
        assert self.failed.tells == (Tell.UNDELIVERED,)
        assert self.failed.after.status is Status.OPEN
        assert self.failed.after.undelivered
        assert self.failed.after.waiting_since == NOON + DAY

    def test_the_next_answer_takes_the_mark_away(self) -> None:
        assert not decide(self.failed.after, AgentWrote(NOON + 2 * DAY, ANNA), POLICY).after.undelivered

    def test_who_waits_already_waits_since_then(self) -> None:
        ticket = decide(IN_STATUS[Status.OPEN], DeliveryFailed(NOON + DAY), POLICY).after

        assert ticket.waiting_since == IN_STATUS[Status.OPEN].waiting_since
        assert ticket.undelivered

    @pytest.mark.parametrize("status", [Status.CLOSED, Status.SPAM, Status.DELETED])
    def test_what_is_put_aside_stays_so(self, status: Status) -> None:
        assert decide(IN_STATUS[status], DeliveryFailed(NOON + DAY), POLICY).after == IN_STATUS[status]


class TestMails:
    """Which mails follow."""

    def test_the_first_mail_is_acknowledged_and_the_agents_are_told_of_each(self) -> None:
        first = decide(opened(NOON), FIRST, POLICY)
        second = decide(first.after, CustomerWrote(NOON + HOUR), POLICY)

        assert first.tells == (Tell.ACKNOWLEDGEMENT, Tell.NOTIFICATION)
        assert second.tells == (Tell.NOTIFICATION,)

    def test_a_mail_that_must_not_be_acknowledged_is_not(self) -> None:
        assert decide(opened(NOON), CustomerWrote(NOON, acknowledge=False), POLICY).tells == (Tell.NOTIFICATION,)

    def test_old_mail_is_filed_silently(self) -> None:
        assert decide(opened(NOON), CustomerWrote(NOON, notify=False), POLICY).tells == ()

    def test_spam_tells_nobody(self) -> None:
        spam = IN_STATUS[Status.SPAM]

        assert decide(spam, CustomerWrote(NOON + DAY), POLICY).tells == ()
        assert decide(spam, StillAProblem(NOON + DAY), POLICY).tells == ()

    @pytest.mark.parametrize(
        ("event", "tells"),
        [
            (CustomerWrote(NOON + DAY), (Tell.NOTIFICATION,)),
            (StillAProblem(NOON + DAY), (Tell.NOTIFICATION,)),
            (AgentWrote(NOON + DAY, ANNA), (Tell.ANSWER,)),
            (Resolve(NOON + DAY), (Tell.RESOLVED,)),
            (DeliveryFailed(NOON + DAY), (Tell.UNDELIVERED,)),
            (Solved(NOON + DAY), ()),
            (Close(NOON + DAY), ()),
            (NoteWritten(NOON + DAY), ()),
            (MachineWrote(NOON + DAY), ()),
            (Postpone(NOON + DAY, NOON + 2 * DAY), ()),
            (Reopen(NOON + DAY), ()),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_what_follows_on_an_answered_ticket(self, event: Event, tells: tuple[Tell, ...]) -> None:
        assert decide(IN_STATUS[Status.ANSWERED], event, POLICY).tells == tells

    def test_a_ticket_is_said_to_be_resolved_once(self) -> None:
        assert decide(IN_STATUS[Status.RESOLVED], Resolve(NOON + DAY), POLICY).tells == ()

    def test_who_answers_first_owns_it(self) -> None:
        first = decide(after(FIRST), AgentWrote(NOON, ANNA), POLICY).after
        second = decide(first, AgentWrote(NOON + HOUR, "bob@desk.example"), POLICY).after

        assert first.assignee == second.assignee == ANNA

    def test_a_ticket_that_was_assigned_stays_with_its_agent(self) -> None:
        assigned = opened(NOON, assignee="bob@desk.example")

        assert decide(assigned, AgentWrote(NOON, ANNA), POLICY).after.assignee == "bob@desk.example"


@pytest.mark.parametrize("status", [status for status in Status if IN_STATUS[status].due_at is not None])
def test_a_tick_that_comes_early_does_nothing(status: Status) -> None:
    ticket = IN_STATUS[status]

    assert decide(ticket, Tick(due(ticket) - MOMENT), POLICY) == Decision(ticket)
