"""New requests go where the configuration says, and everybody can see why."""

import pytest

from maild.rules.state import Status
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, Desk

RULES = """
[[route]]
subject = "invoice*"
department = "sales"
priority = "low"

[[route]]
recipient = "support@acme.example"
subject = "router"
assign = "bert@acme.example"

[[route]]
header = { X-Monitor = "down" }
priority = "urgent"

[[route]]
subject = "*casino*"
spam = true

[vip]
customers = ["customer.example"]
"""


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, CONFIG + RULES)


def test_a_request_goes_to_the_department_of_its_rule(desk: Desk) -> None:
    mail = desk.mail("eve@elsewhere.example", "Invoice 77 is wrong", proven=True)

    assert desk.ticket(1).department == "sales"
    assert desk.ticket(1).priority == "low"
    assert desk.mails_to(ANNA) == []
    assert len(desk.mails_to(BERT)) == 1
    assert "for sales by rule [[route]] 1; low by rule [[route]] 1" in desk.filed(mail).reason
    assert desk.filed(mail).evidence["placed"] == ["for sales by rule [[route]] 1", "low by rule [[route]] 1"]


def test_a_request_goes_to_the_agent_of_its_rule_who_alone_is_told(desk: Desk) -> None:
    desk.mail("eve@elsewhere.example", "My router smokes", proven=True)

    assert desk.ticket(1).assignee == BERT
    assert desk.mails_to(ANNA) == []
    assert len(desk.mails_to(BERT)) == 1
    assert len(desk.mails_to("eve@elsewhere.example")) == 1


def test_a_header_decides(desk: Desk) -> None:
    desk.mail("monitor@elsewhere.example", "Host", headers="X-Monitor: host is DOWN", proven=True)

    assert desk.ticket(1).priority == "urgent"


def test_a_vip_customers_ticket_comes_first_and_is_marked(desk: Desk) -> None:
    desk.mail(ADA, "Invoice", proven=True)

    assert desk.ticket(1).priority == "high"
    [told] = desk.mails_to(BERT)
    assert "VIP" in told.text


def test_spam_by_rule_is_put_aside_and_nobody_is_told(desk: Desk) -> None:
    desk.mail("eve@elsewhere.example", "Best Casino in town", proven=True)

    assert desk.status(1) is Status.SPAM
    assert desk.post_office.got == []


def test_an_answer_stays_on_its_ticket_whatever_its_subject(desk: Desk) -> None:
    desk.mail("eve@elsewhere.example", "Hello", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "What is it?\r\n", answers=told)
    answer = desk.mails_to("eve@elsewhere.example")[-1]

    desk.mail("eve@elsewhere.example", "Re: my invoice and the casino", answers=answer, proven=True)

    assert desk.tickets() == [1]
    assert desk.ticket(1).department == "support"
    assert desk.status(1) is Status.OPEN


def test_what_follows_a_closed_ticket_is_as_urgent_as_a_new_request(desk: Desk) -> None:
    for who, urgency in ((ADA, "high"), ("eve@elsewhere.example", "normal")):
        desk.mail(who, "Hello", proven=True)
        ticket = desk.tickets()[-1]
        told = desk.mails_to(ANNA)[-1]
        desk.mail(ANNA, told.subject, "#priority low\r\n#close\r\n", answers=told)
        assert desk.status(ticket) is Status.CLOSED

        mail = desk.mail(who, "Re: Hello", answers=desk.mails_to(who)[-1], proven=True)

        follower = desk.tickets()[-1]
        assert follower != ticket
        assert desk.ticket(follower).priority == urgency
        assert ("high, as a new request" in (desk.filed(mail).reason or "")) is (urgency == "high")


def test_what_an_agent_passes_on_is_placed_as_if_its_customer_had_sent_it(desk: Desk) -> None:
    passed = "---------- Forwarded message ---------\r\nFrom: Ada <ada@customer.example>\r\n"
    passed += (
        "Date: Sat, Nov 21, 2026 at 10:00 AM\r\nSubject: My router\r\nTo: <anna@acme.example>\r\n\r\nIt smokes.\r\n"
    )
    desk.mail(ANNA, "Fwd: My router", passed, proven=True)

    assert desk.ticket(1).requester_id is not None
    assert desk.ticket(1).priority == "high"
    assert desk.ticket(1).assignee == BERT
