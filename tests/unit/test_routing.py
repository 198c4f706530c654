"""What becomes of a mail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.classify import Kind
from maild.rules.routing import BURSTS, REOPENINGS_A_DAY, Action, Facts, in_burst, route

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HUMAN = Facts(kind="human")
ON_TICKET = Facts(kind="human", ticket_id=1, proven=True, takes_part=True)
AGENT = Facts(kind="human", agent=True)

CASES = [
    ("our own mail", Facts(kind="own"), Action.NOTED),
    ("our own mail with our token", Facts(kind="own", ticket_id=1, proven=True), Action.NOTED),
    ("a bounce of ours", Facts(kind="dsn-failed", bounced_delivery=True, ticket_id=1), Action.BOUNCE),
    ("a bounce that names our ticket", Facts(kind="dsn-failed", ticket_id=1, proven=True), Action.MACHINE),
    ("a stray bounce", Facts(kind="dsn-failed"), Action.NOTED),
    ("a bounce that only claims a ticket", Facts(kind="dsn-failed", ticket_id=1), Action.NOTED),
    ("out of office on a ticket", Facts(kind="ooo", ticket_id=1), Action.MACHINE),
    ("out of office on nothing", Facts(kind="ooo"), Action.NOTED),
    ("a receipt on nothing", Facts(kind="mdn"), Action.NOTED),
    ("a contact form", Facts(kind="auto"), Action.OPEN),
    ("a machine on a ticket", Facts(kind="auto", ticket_id=1), Action.MACHINE),
    ("an agent's machine", Facts(kind="auto", agent=True), Action.NOTED),
    ("a newsletter", Facts(kind="list"), Action.OPEN),
    ("a list on a ticket by a stored id", Facts(kind="list", ticket_id=1), Action.MACHINE),
    ("a list on a ticket by our proof", Facts(kind="list", ticket_id=1, proven=True), Action.CUSTOMER),
    ("our own group address", Facts(kind="list", own_list=True), Action.OPEN),
    ("a request", HUMAN, Action.OPEN),
    ("an answer", ON_TICKET, Action.CUSTOMER),
    ("solved", replace(ON_TICKET, role="s"), Action.SOLVED),
    ("still a problem", replace(ON_TICKET, role="p"), Action.PROBLEM),
    ("solved, authentication failed", replace(ON_TICKET, role="s", trust="fail"), Action.HELD),
    ("a stranger at an agent's address", replace(ON_TICKET, role="a", takes_part=False), Action.CUSTOMER),
    ("an agent's answer by token", replace(AGENT, ticket_id=1, role="a", token_is_senders=True), Action.ANSWER),
    ("an agent's note by token", replace(AGENT, ticket_id=1, role="n", token_is_senders=True), Action.NOTE),
    ("an agent's answer, authenticated", replace(AGENT, ticket_id=1, trust="pass"), Action.ANSWER),
    ("an agent without proof", AGENT, Action.HELD),
    ("an agent without proof on a ticket", replace(AGENT, ticket_id=1), Action.HELD),
    ("an agent with another's token", replace(AGENT, ticket_id=1, role="a"), Action.HELD),
    ("an agent with another's token, authenticated", replace(AGENT, ticket_id=1, role="a", trust="pass"), Action.HELD),
    ("an agent, failed", replace(AGENT, ticket_id=1, role="a", token_is_senders=True, trust="fail"), Action.HELD),
    ("an agent as customer", replace(AGENT, trust="pass"), Action.OPEN),
    (
        "an agent on his own request",
        replace(AGENT, ticket_id=1, role="c", token_is_senders=True, takes_part=True),
        Action.CUSTOMER,
    ),
    ("too many reopenings", replace(ON_TICKET, would_reopen=True, reopenings_today=REOPENINGS_A_DAY), Action.HELD),
    ("a burst", replace(HUMAN, burst_ticket_id=7), Action.CUSTOMER),
    ("a burst of a machine", Facts(kind="auto", burst_ticket_id=7), Action.MACHINE),
]


@pytest.mark.parametrize(("facts", "action"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_kind_of_mail_goes_where_it_belongs(facts: Facts, action: Action) -> None:
    assert route(facts).action is action


def facts() -> st.SearchStrategy[Facts]:
    """Every combination that the filer could ask about, and many that it could not."""
    maybe = st.booleans()
    return st.builds(
        Facts,
        kind=st.sampled_from([each.value for each in Kind]),
        answerable=maybe,
        ticket_id=st.sampled_from([None, 1]),
        role=st.sampled_from([None, "c", "a", "n", "s", "p", "r"]),
        proven=maybe,
        token_is_senders=maybe,
        third_party=maybe,
        takes_part=maybe,
        agent=maybe,
        trust=st.sampled_from(["pass", "fail", "none"]),
        own_list=maybe,
        bounced_delivery=maybe,
        reopenings_today=st.integers(0, 20),
        would_reopen=maybe,
        burst_ticket_id=st.sampled_from([None, 7]),
    )


@given(facts())
def test_nobody_acts_as_an_agent_without_from_and_proof(each: Facts) -> None:
    chosen = route(each)

    if chosen.action in (Action.ANSWER, Action.NOTE):
        assert each.agent
        assert each.kind in ("human", "list")
        assert each.trust != "fail"
        assert each.ticket_id is not None
        assert each.trust == "pass" or (each.token_is_senders and each.role in ("a", "n"))


@given(facts())
def test_only_people_are_acknowledged_and_only_for_a_new_request(each: Facts) -> None:
    chosen = route(each)

    if chosen.acknowledge:
        assert each.kind == "human" or each.own_list
        assert chosen.action is Action.OPEN
        assert each.trust != "fail"
        assert each.answerable


@given(facts())
def test_every_action_on_a_ticket_has_a_ticket_and_every_route_a_reason(each: Facts) -> None:
    chosen = route(each)

    if chosen.action not in (Action.NOTED, Action.HELD, Action.OPEN):
        assert each.ticket_id is not None or each.burst_ticket_id is not None or each.bounced_delivery
    assert chosen.reason


@given(facts())
def test_a_customers_action_needs_a_token_made_for_it(each: Facts) -> None:
    action = route(each).action

    if action is Action.SOLVED:
        assert each.role == "s"
    if action is Action.PROBLEM:
        assert each.role == "p"


def test_ten_tickets_in_ten_minutes_are_a_burst_and_nine_are_none() -> None:
    instants = [NOON - timedelta(minutes=9)] * 9

    assert not in_burst(instants, NOON)
    assert in_burst([*instants, NOON], NOON)
    assert not in_burst([*instants, NOON], NOON + timedelta(minutes=10))


def test_a_slow_loop_is_a_burst_within_the_hour() -> None:
    span, most = BURSTS[1]
    instants = [NOON + number * span / (most + 1) for number in range(most)]

    assert in_burst(instants, instants[-1])
