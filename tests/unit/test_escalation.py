"""Escalation: when a rule is due, what it does, and that it comes to an end."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild import config
from maild.config import ConfigError
from maild.rules.events import AgentWrote, Assign, CustomerWrote, Postpone, SetPriority, Tick
from maild.rules.levels import Kind, Level
from maild.rules.policy import Escalation, Policy
from maild.rules.state import Status, Tell, Ticket, opened
from maild.rules.ticket import decide
from maild.rules.working_time import Calendar, Span
from tests.clock import NOON

HOUR = timedelta(hours=1)
ANNA, BERT = "anna@acme.example", "bert@acme.example"
AGENTS = {"support": frozenset({ANNA}), "sales": frozenset({BERT}), "lab": frozenset({ANNA, BERT})}
H2, H4 = Span.parse("2h"), Span.parse("4h")


def policy(*rules: Escalation, **more: object) -> Policy:
    return Policy(escalations=rules, agents=AGENTS, **more)


def waiting(rules: Policy, **facts: object) -> Ticket:
    ticket = opened(NOON)._replace(department="support", requester="ada@c.example", **facts)
    return decide(ticket, CustomerWrote(NOON), rules).after


def lived(ticket: Ticket, rules: Policy, until: timedelta) -> list[tuple[timedelta, Ticket, tuple[Tell, ...]]]:
    """Let time alone pass; return what it did, and when."""
    done = []
    while ticket.due_at is not None and ticket.due_at <= NOON + until:
        at = ticket.due_at
        decision = decide(ticket, Tick(at), rules)
        done.append((at - NOON, decision.after, decision.tells))
        ticket = decision.after
        assert ticket.due_at is None or ticket.due_at > at
    return done


def test_a_ticket_that_nobody_takes_is_given_to_somebody() -> None:
    rules = policy(Escalation("a", unassigned_for=H2, assignee=ANNA, priority="high"))

    [(after, ticket, tells)] = lived(waiting(rules), rules, 48 * HOUR)

    assert (after, ticket.assignee, ticket.priority, tells) == (2 * HOUR, ANNA, "high", (Tell.ESCALATED,))
    assert ticket.escalated == {"a"}
    assert ticket.status is Status.NEW


def test_a_ticket_that_somebody_has_is_not_unassigned() -> None:
    rules = policy(Escalation("a", unassigned_for=H2, assignee=ANNA))
    ticket = decide(waiting(rules), Assign(NOON + HOUR, BERT), rules).after

    assert lived(ticket, rules, 48 * HOUR) == []


def test_an_answer_ends_it_and_the_next_waiting_begins_anew() -> None:
    rules = policy(Escalation("a", unanswered_for=H2, priority="high"))
    ticket = lived(waiting(rules), rules, 3 * HOUR)[-1][1]

    ticket = decide(ticket, AgentWrote(NOON + 3 * HOUR, ANNA), rules).after
    assert ticket.escalated == frozenset()
    ticket = decide(ticket, SetPriority(NOON + 4 * HOUR, "low"), rules).after
    ticket = decide(ticket, CustomerWrote(NOON + 10 * HOUR), rules).after

    assert [(after, each.priority) for after, each, _ in lived(ticket, rules, 48 * HOUR)] == [(12 * HOUR, "high")]


def test_more_mails_of_the_customer_escalate_nothing_twice() -> None:
    rules = policy(Escalation("a", unanswered_for=H2, priority="high"))
    ticket = lived(waiting(rules), rules, 3 * HOUR)[-1][1]

    ticket = decide(ticket, CustomerWrote(NOON + 3 * HOUR), rules).after

    assert lived(ticket, rules, 48 * HOUR) == []


def test_steps_follow_each_other() -> None:
    rules = policy(
        Escalation("first", unanswered_for=H2, priority="high"),
        Escalation("second", priorities=frozenset({"high"}), unanswered_for=H4, department="sales", tell=(ANNA,)),
    )

    steps = lived(waiting(rules, assignee=ANNA), rules, 48 * HOUR)

    assert [(after, each.priority, each.department, tells) for after, each, tells in steps] == [
        (2 * HOUR, "high", "support", ()),
        (4 * HOUR, "high", "sales", (Tell.ESCALATED,)),
    ]
    assert steps[-1][1].assignee is None  # Anna does not work in sales


def test_what_is_late_by_its_new_priority_is_told_at_once() -> None:
    """Whoever was warned of the old target knows nothing of the new one."""
    spans = {"normal": Span.parse("10h"), "urgent": Span.parse("30m")}
    level = Level("gold", targets={Kind.FIRST_RESPONSE: spans}, warn_at=(10,))
    rules = policy(Escalation("a", unanswered_for=H2, priority="urgent"), level=level)

    warned, raised, *_ = lived(waiting(rules), rules, 48 * HOUR)

    assert (warned[0], warned[2]) == (HOUR, (Tell.WAITING,))
    assert (raised[0], raised[2]) == (2 * HOUR, (Tell.BREACHED,))


def test_what_is_more_urgent_stays_so() -> None:
    rules = policy(Escalation("a", unanswered_for=H2, priority="high"))

    assert lived(waiting(rules, priority="urgent"), rules, 3 * HOUR)[-1][1].priority == "urgent"
    assert lived(waiting(rules, priority="low"), rules, 3 * HOUR)[-1][1].priority == "high"


def test_who_works_in_the_other_department_too_keeps_the_ticket() -> None:
    rules = policy(Escalation("a", unanswered_for=H2, department="lab"))

    assert lived(waiting(rules, assignee=ANNA), rules, 3 * HOUR)[-1][1].assignee == ANNA


def test_nobody_gets_a_ticket_of_a_department_in_which_he_does_not_work() -> None:
    rules = policy(Escalation("a", unassigned_for=H2, assignee=BERT))

    assert lived(waiting(rules), rules, 3 * HOUR)[-1][1].assignee is None


def test_a_broken_promise_escalates() -> None:
    level = Level("gold", targets={Kind.FIRST_RESPONSE: {"normal": H4}})
    rules = policy(Escalation("a", breached=True, priority="urgent"), level=level)

    [step] = [each for each in lived(waiting(rules), rules, 5 * HOUR) if each[1].escalated]

    assert step[0] == 4 * HOUR
    assert step[1].priority == "urgent"
    assert Tell.BREACHED in step[2]


def test_it_counts_in_the_hours_of_the_level_and_acts_in_those() -> None:
    office = Calendar.office(ZoneInfo("UTC"))  # noon of a Monday; it closes at 17
    level = Level("gold", office, {Kind.FIRST_RESPONSE: {"normal": Span.parse("40h")}})
    rules = policy(Escalation("a", unanswered_for=Span.parse("6h"), priority="high"), level=level, told_in=office)

    assert [after for after, each, _ in lived(waiting(rules), rules, 24 * HOUR) if each.escalated] == [22 * HOUR]


def test_a_postponed_ticket_rests() -> None:
    rules = policy(Escalation("a", unanswered_for=H2, priority="high"))
    ticket = decide(waiting(rules), Postpone(NOON + HOUR, NOON + 10 * HOUR), rules).after

    [woken] = lived(ticket, rules, 20 * HOUR)

    assert (woken[0], woken[1].status, woken[1].priority) == (10 * HOUR, Status.NEW, "high")
    assert woken[2] == (Tell.WAITING,)


def test_two_rules_that_undo_each_other_come_to_an_end() -> None:
    rules = policy(
        Escalation("there", departments=frozenset({"support"}), unanswered_for=H2, department="sales", tell=(BERT,)),
        Escalation("back", departments=frozenset({"sales"}), unanswered_for=H2, department="support", tell=(ANNA,)),
    )

    steps = lived(waiting(rules), rules, 6 * 24 * HOUR)

    assert len(steps) == 1
    assert steps[0][1].department == "support"
    assert steps[0][1].escalated == {"there", "back"}


_NAMES = st.sampled_from(["support", "sales", "lab"])
_PRIORITIES = st.sampled_from(["low", "normal", "high", "urgent"])


@st.composite
def some_rules(draw: st.DrawFn) -> tuple[Escalation, ...]:
    """Draw rules of any kind, many of which undo each other."""
    return tuple(
        Escalation(
            f"rule-{number}",
            frozenset(draw(st.sets(_NAMES, max_size=2))),
            frozenset(draw(st.sets(_PRIORITIES, max_size=2))),
            frozenset(draw(st.sets(st.sampled_from(["new", "open"]), max_size=1))),
            draw(st.none() | st.integers(1, 100).map(lambda hours: Span(hours * 3600))),
            draw(st.integers(1, 100).map(lambda hours: Span(hours * 3600))),
            draw(st.booleans()),
            draw(st.none() | _PRIORITIES),
            draw(st.none() | _NAMES),
            draw(st.none() | st.sampled_from([ANNA, BERT])),
            (ANNA,) if draw(st.booleans()) else (),
        )
        for number in range(draw(st.integers(1, 6)))
    )


@given(some_rules(), st.booleans())
def test_whatever_the_rules_each_acts_once_and_time_goes_on(rules: tuple[Escalation, ...], in_office: bool) -> None:
    office = Calendar.office(ZoneInfo("Europe/Berlin"))
    level = Level("gold", office, {Kind.FIRST_RESPONSE: {"normal": H4, "urgent": Span.parse("1h")}}, (75, 100))
    law = policy(*rules, level=level if in_office else None, told_in=office)

    before: frozenset[str] = frozenset()
    told = 0
    for _, ticket, tells in lived(waiting(law), law, 20 * 24 * HOUR):
        assert before <= ticket.escalated
        assert (Tell.ESCALATED in tells) <= (before != ticket.escalated)
        told += Tell.ESCALATED in tells
        before = ticket.escalated
        assert ticket.assignee is None or ticket.assignee in AGENTS[ticket.department]
    assert told <= len(rules)


DESK = """
[smtp]
listen = "127.0.0.1:2525"
[[department]]
name = "support"
address = "support@acme.example"
[[department]]
name = "sales"
address = "sales@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
departments = ["support"]
[[escalate]]
"""


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ('name = "a"\nraise_to = "high"', "expected when"),
        ('name = "a"\nbreached = true', "expected what follows"),
        ('name = "a"\nbreached = true\nmove_to = "sale"', "did you mean 'sales'"),
        ('name = "a"\nbreached = true\ndepartment = ["sale"]\nraise_to = "low"', "did you mean 'sales'"),
        ('name = "a"\nbreached = true\ntell = "ana@acme.example"', "did you mean 'anna@acme.example'"),
        ('name = "a"\nbreached = true\nmove_to = "sales"\nassign = "anna@acme.example"', "an agent of department"),
        ('name = "a"\nunanswered_for = "soon"\nraise_to = "low"', "span of time"),
        (
            'name = "a"\nbreached = true\nraise_to = "low"\n[[escalate]]\nname = "a"',
            "there is a escalate 'a' above",
        ),
        ('name = "a"\nbreached = true\nstatus = "answered"\nraise_to = "low"', "status"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_start(rule: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse(DESK + rule)

    assert fault in str(error.value)
