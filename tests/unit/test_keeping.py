"""A ticket that its agent leaves lying is given back, where somebody else could take it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from maild.rules.events import Assign, CustomerWrote, MachineWrote, NoteWritten, Tick
from maild.rules.policy import Escalation, Policy
from maild.rules.state import Tell, Ticket, opened
from maild.rules.ticket import decide
from maild.rules.working_time import Calendar, Span

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
BOTH = {"support": frozenset({"anna", "bert"})}
POLICY = Policy(office=Calendar.office(ZoneInfo("UTC")), give_back_after=Span.parse("8h"), agents=BOTH)


def assigned(policy: Policy = POLICY) -> Ticket:
    """Return a ticket of Anna's since Monday noon."""
    ticket = opened(NOON)._replace(department="support")
    ticket = decide(ticket, CustomerWrote(NOON), policy).after
    return decide(ticket, Assign(NOON, "anna", "anna"), policy).after


def test_it_is_given_back_after_so_many_office_hours_and_all_are_told() -> None:
    ticket = assigned()
    assert ticket.due_at == NOON + 24 * HOUR  # five hours on Monday, three on Tuesday

    decision = decide(ticket, Tick(NOON + 24 * HOUR), POLICY)
    assert decision.after.assignee is None
    assert decision.tells == (Tell.WAITING,)
    assert decision.after.told_at == NOON + 24 * HOUR  # so nobody is told the same again at the next tick


def test_a_note_begins_it_anew_and_a_machine_does_not() -> None:
    noted = decide(assigned(), NoteWritten(NOON + HOUR), POLICY).after
    noticed = decide(assigned(), MachineWrote(NOON + HOUR), POLICY).after

    assert noted.due_at == NOON + 25 * HOUR
    assert noticed.due_at == NOON + 24 * HOUR


def test_nothing_is_given_back_where_nobody_else_works_or_where_it_is_not_wanted() -> None:
    for policy in (replace(POLICY, agents={"support": frozenset({"anna"})}), replace(POLICY, give_back_after=None)):
        ticket = assigned(policy)

        assert decide(ticket, Tick(NOON + 24 * HOUR), policy).after.assignee == "anna"


def test_a_rule_that_gives_it_to_him_again_gives_him_as_long_again() -> None:
    rule = Escalation("again", unanswered_for=Span.parse("1h"), assignee="anna")
    policy = replace(POLICY, escalations=(rule,))
    ticket = assigned()._replace(waiting_since=NOON, told_at=NOON)
    at = NOON + 24 * HOUR

    decision = decide(ticket, Tick(at), policy)

    assert decision.after.assignee == "anna"
    assert decision.after.kept_since == at
    assert decision.after.due_at is not None
    assert decision.after.due_at > at
