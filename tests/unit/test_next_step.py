"""What a ticket's `next` says is what the tick then does."""

from hypothesis import given
from hypothesis import strategies as st

from maild.rules.events import Tick
from maild.rules.levels import Kind, Level
from maild.rules.next_step import Step, next_step
from maild.rules.policy import Escalation, Policy
from maild.rules.state import TO_SOLVE, Decision, Status, Tell, Ticket
from maild.rules.ticket import decide
from maild.rules.working_time import Span
from tests.clock import NOON
from tests.unit.tickets import HOUR, IN_STATUS, KINDS, POLICY, happens, outcome


def what_happened(before: Ticket, decision: Decision) -> Step | None:
    """Return which step a tick took, told by what it changed."""
    after = decision.after
    if decision.purge:
        return Step.PURGE
    if Tell.REMINDER in decision.tells:
        return Step.REMIND
    if Tell.RATING in decision.tells:
        return Step.ASK
    if before.status is Status.POSTPONED and after.status is not Status.POSTPONED:
        return Step.RETURN
    if after.status is Status.RESOLVED and before.status is not Status.RESOLVED:
        return Step.RESOLVE
    if after.status is Status.CLOSED and before.status is not Status.CLOSED:
        return Step.CLOSE
    if after.escalated != before.escalated:
        return Step.ESCALATE
    if before.assignee and after.assignee is None and before.status in TO_SOLVE:
        return Step.GIVE_BACK
    return Step.TELL_AGENTS if {Tell.WAITING, Tell.BREACHED} & set(decision.tells) else None


def test_a_closed_and_a_merged_ticket_have_nothing_before_them() -> None:
    assert next_step(IN_STATUS[Status.CLOSED], POLICY) is None
    assert next_step(IN_STATUS[Status.MERGED], POLICY) is None


def test_every_other_ticket_has_a_next_step_with_its_instant() -> None:
    for status, ticket in IN_STATUS.items():
        if status not in (Status.CLOSED, Status.MERGED):
            coming = next_step(ticket, POLICY)

            assert coming is not None
            assert coming.at == ticket.due_at


RISING = Policy(
    escalations=(
        Escalation("nobody-took-it", unassigned_for=Span.parse("4h"), tell=("carl@acme.example",)),
        Escalation("a-day", unanswered_for=Span.parse("24h"), department="sales", priority="urgent"),
    ),
    agents={"": frozenset({"anna@acme.example", "bert@acme.example"})},
    give_back_after=Span.parse("2d"),
)
PROMISED = Policy(level=Level("gold", targets={kind: {"normal": Span.parse("8h")} for kind in Kind}), asks_rating=True)


@given(
    st.sampled_from([POLICY, PROMISED, RISING]),
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 400)), max_size=8),
)
def test_in_every_life_the_tick_does_what_was_announced(policy: Policy, life: list[tuple[type, int]]) -> None:
    ticket, now = IN_STATUS[Status.NEW], NOON
    for kind, hours in life:
        now += hours * HOUR
        decision = outcome(ticket, happens(kind, now), policy)
        if decision is None or decision.purge:
            continue
        ticket = decision.after
    for _ in range(4):
        coming = next_step(ticket, policy)
        if coming is None:
            assert ticket.status in (Status.CLOSED, Status.MERGED)
            return
        decision = decide(ticket, Tick(coming.at), policy)

        assert what_happened(ticket, decision) is coming.step
        if decision.purge:
            return
        ticket = decision.after
