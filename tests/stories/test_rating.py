"""How customers say how we did: from mail to mail."""

import pytest

from maild.rules.state import Status
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, Desk, Received

ASKING = CONFIG.replace('name = "support"', 'name = "support"\nask_rating = true', 1)


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, ASKING)


def resolved(desk: Desk, number: int = 1) -> None:
    """Bring a new ticket of Ada's to where Anna has answered and resolved it, and everybody has read his mail."""
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "#resolve\r\n\r\nPull the plug.\r\n", answers=told)
    assert desk.status(number) is Status.RESOLVED
    for who in (ADA, ANNA, BERT):
        desk.mails_to(who)


def asked(desk: Desk) -> Received:
    resolved(desk)
    desk.wait(days=1, hours=1)
    [mail] = desk.mails_to(ADA)
    return mail


def links(mail: Received) -> list[str]:
    return [line for line in mail.text.splitlines() if line.startswith("mailto:")]


def test_a_customer_is_asked_a_day_after_it_was_solved(desk: Desk) -> None:
    resolved(desk)

    desk.wait(hours=23)
    assert desk.mails_to(ADA) == []

    desk.wait(hours=2)
    [mail] = desk.mails_to(ADA)
    assert "Your request “Printer on fire” is solved. How did we do?" in mail.text
    assert len(links(mail)) == 3
    assert mail.message.header("auto-submitted") == "auto-generated"


def test_nobody_is_asked_unless_the_department_wants_it(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock)
    resolved(desk)

    desk.wait(days=30)

    assert desk.mails_to(ADA) == []


def test_one_click_rates_and_a_good_one_disturbs_nobody(desk: Desk) -> None:
    mail = asked(desk)
    assert "subject=3%2F3" in links(mail)[0]

    desk.mail(ADA, "3/3 – Good", "3/3\r\n", to=mail.action("r"))

    assert desk.ticket(1).rating == 3
    assert desk.status(1) is Status.RESOLVED
    assert desk.mails_to(ANNA) == []
    assert ("rating", None, "3", "Rated") in desk.history(1)


def test_agents_hear_of_a_bad_one_with_the_customers_words_and_can_answer(desk: Desk) -> None:
    mail = asked(desk)

    desk.mail(ADA, "1/3 – Schlecht", "1/3\r\n\r\nIt took too long.\r\n", to=mail.action("r"))

    [told] = desk.mails_to(ANNA)
    assert "ada@customer.example says of our work: Bad." in told.text
    assert "> It took too long." in told.text
    assert desk.mails_to(BERT) == []

    desk.mail(ANNA, told.subject, "We are sorry.\r\n", answers=told)
    assert "We are sorry." in desk.mails_to(ADA)[-1].text


def test_words_with_a_good_one_are_told_too(desk: Desk) -> None:
    mail = asked(desk)

    desk.mail(ADA, "3/3 – Good", "3/3\r\nThank you, Anna!\r\n", to=mail.action("r"))

    assert "Thank you, Anna!" in desk.mails_to(ANNA)[0].text


def test_what_rates_nothing_is_a_mail_like_any_other(desk: Desk) -> None:
    mail = asked(desk)

    desk.mail(ADA, "By the way", "It burns again!\r\n", to=mail.action("r"))

    assert desk.status(1) is Status.OPEN
    assert desk.ticket(1).rating is None


def test_only_who_takes_part_rates(desk: Desk) -> None:
    mail = asked(desk)

    desk.mail("eve@evil.example", "1/3", "1/3\r\n", to=mail.action("r"))

    assert desk.ticket(1).rating is None


def test_a_customer_is_asked_once_in_thirty_days(desk: Desk) -> None:
    asked(desk)
    resolved(desk, 2)
    desk.wait(days=2)
    assert desk.mails_to(ADA) == []
    assert any(entry[0] == "withheld" and "30 days" in str(entry[2]) for entry in desk.history(2))

    desk.wait(days=31)
    resolved(desk, 3)
    desk.wait(days=2)
    assert len(desk.mails_to(ADA)) == 1


def test_who_said_nothing_is_not_asked(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    desk.wait(days=40)

    assert desk.status(1) is Status.CLOSED
    assert not any("How did we do" in each.text for each in desk.mails_to(ADA))


def test_a_rating_of_a_closed_ticket_is_kept(desk: Desk) -> None:
    mail = asked(desk)
    desk.wait(days=30)
    assert desk.status(1) is Status.CLOSED

    desk.mail(ADA, "2/3", "", to=mail.action("r"))

    assert desk.ticket(1).rating == 2
    assert desk.tickets() == [1]
    assert "says of our work: Fair." in desk.mails_to(ANNA)[0].text
