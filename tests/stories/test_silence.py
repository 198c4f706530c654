"""When a customer is silent: he is reminded, it ends, and nothing is taken for silence that is none."""

from datetime import timedelta

import pytest

from maild.message.address import normalise
from maild.rules.state import Status
from tests.clock import NOON
from tests.stories.driver import ADA, ANNA, BERT, Desk

ZONE_HOURS = range(9, 17)  # of the department, in UTC


def answered(desk: Desk, sender: str = ADA, language: str = "") -> None:
    """Bring ticket 1 to where we wait for Ada; everybody has read his mail."""
    headers = f"Content-Language: {language}" if language else ""
    desk.mail(sender, "Printer on fire", proven=True, headers=headers)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    for who in (sender, ANNA, BERT):
        desk.mails_to(who)


def test_reminder_and_end_come_in_office_hours_with_both_actions_in_the_customers_language(desk: Desk) -> None:
    answered(desk, language="de")
    desk.clock.set(NOON.replace(hour=15))
    came = []
    for _ in range(20 * 24):
        desk.wait(hours=1)
        came += [(desk.clock(), mail) for mail in desk.mails_to(ADA)]

    assert [mail.message.header("content-language") for _, mail in came] == ["de", "de"]
    assert "Ist alles gelöst?" in came[0][1].text
    for at, mail in came:
        assert at.weekday() < 5
        assert at.hour - 1 in ZONE_HOURS or at.hour in ZONE_HOURS
        assert mail.action("s") != mail.action("p")
    assert desk.status(1) is Status.RESOLVED


def test_an_answer_that_did_not_arrive_is_followed_by_no_reminder_and_no_end(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.post_office.refusals[normalise(ADA)] = "552 5.2.2 mailbox full"
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    desk.post_office.refusals.clear()
    desk.mails_to(ADA)

    desk.wait(days=30)

    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.OPEN


def test_a_reminder_that_does_not_arrive_opens_the_ticket_and_its_agent_is_told(desk: Desk) -> None:
    answered(desk)
    desk.post_office.refusals[normalise(ADA)] = "550 5.1.1 no such user"

    desk.wait(days=7)

    assert desk.status(1) is Status.OPEN
    [told] = desk.mails_to(ANNA)
    assert "Our reminder of" in told.text
    assert "550 5.1.1 no such user" in told.text
    assert "> Pull the plug." in told.text  # the answer that may not have been read


def test_what_is_owed_to_a_suppressed_address_ends_in_silence(desk: Desk) -> None:
    answered(desk)
    desk.post_office.refusals[normalise(ADA)] = "550 5.1.1 no such user"
    desk.mail(ADA, "Another thing", proven=True)  # whose acknowledgement fails
    desk.post_office.refusals.clear()
    desk.mails_to(ADA)

    desk.wait(days=40)

    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.CLOSED
    withheld = [entry[2] for entry in desk.history(1) if entry[0] == "withheld"]
    assert withheld == [
        f"reminder to {ADA}: mail to this address failed before",
        f"resolved to {ADA}: mail to this address failed before",
    ]


@pytest.mark.parametrize("header", ["Auto-Submitted: auto-replied", "X-Autoreply: yes"])
def test_an_agents_out_of_office_note_is_no_answer_and_begins_no_silence(desk: Desk, header: str) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mails_to(ADA)

    desk.mail(ANNA, "Out of office", "I am away.\r\n", answers=told, headers=header)
    desk.wait(days=6)

    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW


def test_an_out_of_office_note_of_the_customer_does_not_end_the_silence(desk: Desk) -> None:
    answered(desk)
    desk.wait(days=7)
    [reminder] = desk.mails_to(ADA)
    desk.mail(ADA, "Away", "Until May.\r\n", answers=reminder, headers="Auto-Submitted: auto-replied")

    desk.wait(days=5)

    assert desk.status(1) is Status.RESOLVED


def test_the_customer_has_three_days_after_a_reminder_that_was_late(desk: Desk) -> None:
    answered(desk)
    desk.clock.advance(days=30)  # maild was down
    desk.work()
    assert len(desk.mails_to(ADA)) <= 1
    desk.wait(days=2)
    assert desk.status(1) is Status.ANSWERED

    desk.wait(days=4)

    assert desk.status(1) is Status.RESOLVED
    assert desk.clock() - NOON >= timedelta(days=33)
