"""Answers that leave later: until then nothing has happened, and they can be kept back."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, Desk, Received, opened

DELAYED = CONFIG.replace('name = "support"\n', 'name = "support"\nsend_delay = "2m"\n', 1)


@pytest.fixture
def slow(database: Database, clock: FakeClock) -> Desk:
    """A desk whose answers wait for two minutes."""
    return Desk(database, clock, DELAYED)


def answer(desk: Desk, told: Received, text: str, **kwargs: object) -> int:
    """Let whoever got `told` answer it."""
    return desk.mail(told.recipient, f"Re: {told.subject}", text, answers=told, **kwargs)


def test_an_answer_leaves_when_it_was_told_to(desk: Desk, told: Received) -> None:
    mail = answer(desk, told, "#send 14:00\r\n#resolve\r\n\r\nPull the plug.")

    [told_so] = desk.mails_to(ANNA)
    assert "Your answer leaves on Monday, March 2, 2026, 2:00" in told_so.text
    assert desk.status(1) is Status.NEW
    assert desk.mails_to(ADA) == []
    assert desk.filed(mail).state is MailState.DELAYED

    desk.wait(hours=1, minutes=59)
    assert desk.mails_to(ADA) == []
    desk.wait(minutes=1)

    assert [each.text.strip()[:14] for each in desk.mails_to(ADA)] == ["Pull the plug."]
    assert desk.status(1) is Status.RESOLVED
    assert desk.ticket(1).answered_at == datetime(2026, 3, 2, 14, tzinfo=UTC)


def test_until_then_it_can_be_kept_back_and_is_its_authors_again(desk: Desk, told: Received) -> None:
    mail = answer(desk, told, "#send tomorrow 9:00\r\n\r\nPull the plug.")
    [told_so] = desk.mails_to(ANNA)
    address, words = told_so.click("#cancel")
    desk.mail(ANNA, "", f"{words}\r\n-- \r\nAnna", to=address)

    [back] = desk.mails_to(ANNA)
    assert "Your answer was not sent." in back.text
    assert "> Pull the plug." in back.text
    assert desk.filed(mail).state is MailState.NOTED
    desk.wait(days=2)
    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW


@pytest.mark.parametrize("word", ["#cancel", "#undo", "#CANCEL"])
def test_a_delay_lets_every_answer_be_kept_back_for_a_while(slow: Desk, word: str) -> None:
    told = opened(slow)
    answer(slow, told, "Pull the plug.")
    assert slow.mails_to(ANNA) == []

    slow.wait(seconds=100)
    answer(slow, told, word)
    slow.wait(hours=1)

    assert slow.mails_to(ADA) == []
    assert "> Pull the plug." in slow.mails_to(ANNA)[0].text
    assert slow.status(1) is Status.NEW


def test_after_the_delay_it_leaves_and_nothing_can_be_kept_back(slow: Desk) -> None:
    told = opened(slow)
    answer(slow, told, "Pull the plug.")
    slow.wait(minutes=2)

    assert len(slow.mails_to(ADA)) == 1
    assert slow.status(1) is Status.ANSWERED
    slow.mail(ANNA, "cancel", "", to=told.action("d"))
    assert "no answer that has not left" in slow.mails_to(ANNA)[0].text


def test_words_and_notes_wait_for_nothing(slow: Desk) -> None:
    told = opened(slow)
    answer(slow, told, "#priority high")
    answer(slow, told, "#note\r\nHm.")

    assert slow.ticket(1).priority == "high"


def test_if_the_customer_writes_meanwhile_it_is_held(desk: Desk, told: Received) -> None:
    answer(desk, told, "#send tomorrow 9:00\r\n\r\nPull the plug.")
    desk.mails_to(ANNA)
    desk.wait(hours=1)
    desk.mail(ADA, "Re: Printer on fire", "I did.\r\n", headers="References: <mail-1@client.example>", proven=True)

    held = next(each for each in desk.mails_to(ANNA) if "was not sent yet" in each.text)
    assert "I did." in held.text
    desk.wait(days=1)
    assert desk.mails_to(ADA) == []

    found = re.search(r"support\+h\d+\.a\d+\.\w+@acme\.example", held.text)
    assert found
    desk.mail(ANNA, "", "\r\n", to=found[0])
    assert [each.text.strip()[:14] for each in desk.mails_to(ADA)] == ["Pull the plug."]


def test_of_two_agents_the_first_answer_leaves_and_the_second_is_held(slow: Desk) -> None:
    slow.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [annas], [berts] = slow.mails_to(ANNA), slow.mails_to(BERT)
    slow.mails_to(ADA)
    answer(slow, annas, "Pull the plug.")
    slow.wait(seconds=30)
    answer(slow, berts, "Pull it out.")
    slow.wait(minutes=5)

    assert [each.text.strip()[:14] for each in slow.mails_to(ADA)] == ["Pull the plug."]
    assert any("was not sent yet" in each.text for each in slow.mails_to(BERT))


def test_what_would_be_refused_is_refused_at_once(desk: Desk, told: Received) -> None:
    answer(desk, told, "#close")
    answer(desk, told, "#send tomorrow 9:00\r\n\r\nPull the plug.")

    assert "With #open on top your answer opens it again" in desk.mails_to(ANNA)[0].text


@pytest.mark.parametrize(
    "text", ["#send 14:00", "#send 14:00\r\n#note Hm.", "#send whenever\r\n\r\nHello", "#send\r\n\r\nHello"]
)
def test_a_wrong_word_sends_nothing_ever(desk: Desk, told: Received, text: str) -> None:
    answer(desk, told, text)
    assert len(desk.mails_to(ANNA)) == 1

    desk.wait(days=1)
    assert desk.mails_to(ADA) == []


def test_who_asks_for_the_next_ticket_does_not_get_one_that_is_answered_already(desk: Desk, told: Received) -> None:
    answer(desk, told, "#send tomorrow 9:00\r\n\r\nPull the plug.")
    desk.mail(BERT, "next", "", to=told.action("d"), proven=True)

    assert desk.ticket(1).offered_to == ANNA
    assert desk.ticket(1).offered_until == datetime(2026, 3, 3, 9, tzinfo=UTC)


def test_a_stop_before_it_leaves_loses_and_doubles_nothing(slow: Desk, database: Database, clock: FakeClock) -> None:
    told = opened(slow)
    answer(slow, told, "Pull the plug.")
    clock.set(clock() + timedelta(hours=3))  # down meanwhile

    again = Desk(database, clock, DELAYED)
    again.work()
    again.wait(hours=1)

    assert len(again.mails_to(ADA)) == 1
