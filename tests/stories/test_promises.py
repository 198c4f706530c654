"""What is promised to customers, and who hears of it when it is late: from mail to mail."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import ClockRow
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received
from tests.stories.promises import MONDAY, PROMISES

CARLA = "carla@acme.example"


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, FakeClock(MONDAY), PROMISES)


def clocks(desk: Desk) -> list[tuple[str, str | None, int]]:
    with desk.database.read() as connection:
        rows = connection.execute(select(ClockRow).order_by(ClockRow.stopped_at, ClockRow.kind))
        return [(row.kind, row.outcome, row.used_s) for row in rows]


def until(desk: Desk, day: int, hour: int, minute: int = 0) -> None:
    """Let time pass to an instant of that week, by the wall clock of the desk."""
    at = MONDAY.replace(hour=hour, minute=minute) + timedelta(days=day)
    desk.wait(seconds=(at - desk.clock()).total_seconds())


def forget(desk: Desk) -> None:
    for who in (ADA, BEN, ANNA, BERT, CARLA):
        desk.mails_to(who)


def test_the_customer_is_promised_an_answer_and_the_agents_see_by_when(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)

    [acknowledged] = desk.mails_to(ADA)
    [told] = desk.mails_to(ANNA)
    assert "You will hear from us by Monday, November 23, 2026, 11:00\N{NO-BREAK SPACE}AM UTC." in acknowledged.text
    assert "First answer due: Monday, November 23, 2026, 11:00\N{NO-BREAK SPACE}AM UTC" in told.text
    assert "Solution due: Monday, November 30, 2026" in told.text


def test_nothing_is_promised_without_a_level(database: Database) -> None:
    desk = Desk(database, FakeClock(MONDAY))
    desk.mail(ADA, "Printer on fire", proven=True)

    assert "by Monday" not in desk.mails_to(ADA)[0].text
    assert "due:" not in desk.mails_to(ANNA)[0].text


def test_agents_are_warned_before_it_is_late_and_their_lead_hears_of_it_when_it_is(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    forget(desk)

    until(desk, 0, 12)
    [warned] = desk.mails_to(ANNA)
    assert "ada@customer.example has been waiting for an answer for 3 hours." in warned.text
    assert warned.subject == "[#1] Printer on fire"
    assert (len(desk.mails_to(BERT)), desk.mails_to(CARLA)) == (1, [])

    until(desk, 0, 13)
    [late] = desk.mails_to(ANNA)
    assert "ada@customer.example should have had an answer by Monday, November 23, 2026, 11:00" in late.text
    assert "(late)" in late.text
    assert late.action("n")
    assert (len(desk.mails_to(BERT)), len(desk.mails_to(CARLA))) == (1, 1)

    until(desk, 4, 17)
    assert len(desk.mails_to(ANNA)) == 4  # once a day, from Tuesday to Friday
    assert clocks(desk) == []


def test_who_owns_the_ticket_is_told_alone(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(BERT)
    desk.mail(BERT, told.subject, "#take\r\n", answers=told)
    forget(desk)

    until(desk, 0, 12, 30)

    assert (len(desk.mails_to(BERT)), desk.mails_to(ANNA)) == (1, [])


def test_a_public_answer_keeps_the_promise_and_a_note_does_not(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.clock.advance(hours=1)
    desk.mail(ANNA, told.subject, "Ask Bert.\r\n", to=told.action("n"))
    assert clocks(desk) == []

    desk.clock.advance(hours=1)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    assert clocks(desk) == [("first response", "met", 7200)]
    assert desk.status(1) is Status.ANSWERED


def test_the_whole_life_of_a_ticket_is_measured(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.clock.advance(hours=1)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    answer = desk.mails_to(ADA)[-1]
    until(desk, 1, 9)  # a night, in which we wait for her
    desk.mail(ADA, "Re: Printer on fire", "I did.\r\n", answers=answer)
    until(desk, 1, 13)
    desk.mail(ANNA, told.subject, "#resolve\r\n\r\nA technician comes.\r\n", answers=desk.mails_to(ANNA)[-1])

    assert clocks(desk) == [
        ("first response", "met", 3600),
        ("next response", "missed", 4 * 3600),
        ("resolution", "met", 5 * 3600),
    ]


def test_customers_of_a_domain_have_a_level_of_their_own(desk: Desk) -> None:
    desk.mail("ceo@eu.vip.example", "Printer on fire", proven=True)

    assert "by Monday, November 23, 2026, 8:00" in desk.mails_to("ceo@eu.vip.example")[0].text


def test_a_raised_priority_counts_from_the_beginning(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    forget(desk)
    desk.clock.advance(hours=2)

    desk.mail(ANNA, told.subject, "#priority urgent\r\n", answers=told)

    [late] = desk.mails_to(BERT)
    assert "should have had an answer by Monday, November 23, 2026, 8:00" in late.text


def test_what_came_over_night_is_one_mail_in_the_morning_with_a_line_for_each(desk: Desk) -> None:
    until(desk, 0, 13, 30)
    for number, sender in enumerate((ADA, BEN, "cid@customer.example")):
        desk.mail(sender, f"Printer {number}", proven=True)
    forget(desk)
    until(desk, 1, 8, 59)
    desk.mails_to(ANNA)  # the warnings of the afternoon

    until(desk, 1, 12)

    [mail] = desk.mails_to(ANNA)
    assert mail.subject == "3 tickets wait for you"
    assert [f"Printer {number}" in mail.text for number in range(3)] == [True] * 3
    assert len(desk.mails_to(CARLA)) == 1
    assert mail.message.header("auto-submitted") == "auto-generated"


def test_a_ticket_is_answered_from_the_mail_that_lists_many(desk: Desk) -> None:
    mail = many(desk)
    links = [line.partition(": ")[2] for line in mail.text.splitlines() if line.startswith("answer: ")]
    address = links[1].removeprefix("mailto:").partition("?")[0]

    desk.mail(ANNA, "[#2] Printer 1", "We look at it.\r\n", to=address)

    assert desk.status(2) is Status.ANSWERED
    assert "We look at it." in desk.mails_to(BEN)[-1].text


def test_a_click_in_the_mail_that_lists_many_postpones_one(desk: Desk) -> None:
    mail = many(desk)
    address, words = mail.click("#postpone")

    desk.mail(ANNA, "", f"{words}\r\n", to=address)

    assert desk.status(1) is Status.POSTPONED


def many(desk: Desk) -> Received:
    """Return the mail that lists three tickets which came at once."""
    for number, sender in enumerate((ADA, BEN, "cid@customer.example")):
        desk.mail(sender, f"Printer {number}", proven=True)
    forget(desk)
    until(desk, 0, 12)
    [mail] = desk.mails_to(ANNA)
    return mail


def test_next_gives_what_is_late_and_then_what_is_due_soonest(desk: Desk) -> None:
    desk.mail(ADA, "Standard", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=30)
    desk.mail("ceo@vip.example", "Gold", proven=True)
    forget(desk)

    desk.mail(ANNA, "next", "", to=told.action("d"))

    assert desk.mails_to(ANNA)[-1].subject == "[#2] Gold"


def test_a_postponed_ticket_does_not_hide_a_broken_promise(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#postpone 3d\r\n", answers=told)
    forget(desk)

    until(desk, 2, 9)

    assert [("(late)" in each.text) for each in desk.mails_to(ANNA)] == [False, True]
    assert desk.status(1) is Status.POSTPONED


def test_what_is_promised_from_now_on_holds_for_tickets_that_wait_already(database: Database) -> None:
    clock = FakeClock(MONDAY)
    before = Desk(database, clock)
    before.mail(ADA, "Printer on fire", proven=True)
    assert before.ticket(1).target_at == MONDAY + timedelta(days=7)

    after = Desk(database, clock, PROMISES)
    after.work()

    assert after.ticket(1).target_at == MONDAY + timedelta(hours=4)
    after.wait(hours=4)
    assert "should have had an answer" in after.mails_to(CARLA)[0].text
