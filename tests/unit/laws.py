"""What must hold after every event of every life of a ticket."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

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
from maild.rules.policy import Policy
from maild.rules.state import AFTER_REMINDER, TELL_AGAIN, TO_SOLVE, Decision, Status, Tell, Ticket
from maild.rules.ticket import decide
from tests.unit.tickets import DAY, FACTS, MAILS, MOMENT

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
        unchanged = step.before._replace(due_at=step.after.due_at, kept_since=kept.kept_since)
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
        assert step.before._replace(**settled, **facts) == step.after
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
