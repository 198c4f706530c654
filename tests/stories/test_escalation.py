"""A customer who waits too long: the ticket rises by the rules of the configuration, and everybody can see why."""

import pytest

from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, Desk

RULES = """
[[escalate]]
name = "nobody-took-it"
department = "support"
unassigned_for = "2h"
raise_to = "high"
assign = "anna@acme.example"

[[escalate]]
name = "four-hours"
unanswered_for = "4h"
move_to = "sales"
tell = ["anna@acme.example"]
"""


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, CONFIG + RULES)


def test_a_ticket_that_nobody_answers_rises_step_by_step(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    desk.mails_to(ANNA)
    desk.mails_to(BERT)

    desk.wait(hours=3)
    [told] = desk.mails_to(ANNA)
    assert "nobody-took-it" in told.text
    assert "The ticket is yours now." in told.text
    assert "It does not work." in told.text
    assert desk.mails_to(BERT) == []
    assert (desk.ticket(1).assignee, desk.ticket(1).priority) == (ANNA, "high")

    desk.wait(hours=2)
    [told] = desk.mails_to(BERT)
    assert "It is a ticket of Acme Sales." in told.text
    assert len(desk.mails_to(ANNA)) == 1
    assert (desk.ticket(1).assignee, desk.ticket(1).department) == (None, "sales")

    desk.wait(hours=24)
    assert desk.mails_to(ANNA) == desk.mails_to(BERT) == []


def test_the_history_says_which_rule_did_what(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)

    desk.wait(hours=3)

    done = [(field, old, new) for field, old, new, cause in desk.history(1) if cause == "Tick"]
    assert set(done) == {
        ("escalated", None, "nobody-took-it"),
        ("priority", "normal", "high"),
        ("assignee", None, ANNA),
    }


def test_an_escalated_ticket_is_answered_by_a_reply_to_that_mail(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    desk.wait(hours=3)
    told = desk.mails_to(ANNA)[-1]

    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    assert "Pull the plug." in desk.mails_to(ADA)[-1].text
    assert desk.ticket(1).escalated == frozenset()


def test_an_answer_in_time_escalates_nothing(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    desk.wait(hours=30)

    assert desk.mails_to(ANNA) == []
    assert not [each for each in desk.history(1) if each[0] == "escalated"]
