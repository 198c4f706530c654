"""Two people answer, or the customer has written meanwhile: nobody gets an answer to what he no longer says."""

import pytest

from maild.rules.state import Status
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BERT, Desk, Received


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, to which Ada has written once more since."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=5)
    desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers="In-Reply-To: <mail-1@client.example>")
    for each in (ADA, ANNA, BERT):
        desk.mails_to(each)
    desk.clock.advance(minutes=1)
    return told


def test_an_answer_to_what_is_no_longer_true_waits_and_its_agent_learns_why(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "#resolve\r\n\r\nBuy a new printer.\r\n", answers=told)

    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW
    assert desk.filed(mail).state is MailState.HELD
    [waits] = desk.mails_to(ANNA)
    assert "It was the toaster." in waits.text
    assert "> #resolve" in waits.text
    assert "> Buy a new printer." in waits.text


def test_it_is_sent_all_the_same_with_one_mail_and_does_what_it_said(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "#resolve\r\n\r\nBuy a new printer.\r\n", answers=told)
    [waits] = desk.mails_to(ANNA)
    release = next(line for line in waits.text.splitlines() if line.startswith("Send it all the same")).split(
        "mailto:"
    )[1]

    desk.mail(ANNA, "", "\r\n", to=release)

    assert "Buy a new printer." in desk.mails_to(ADA)[0].text
    assert desk.status(1) is Status.RESOLVED
    desk.mail(ANNA, "again", "\r\n", to=release)
    assert desk.mails_to(ADA) == []


def test_another_answer_is_sent_instead(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "Buy a new printer.\r\n", answers=told)
    [waits] = desk.mails_to(ANNA)
    desk.mail(ANNA, waits.subject, "Buy a new toaster.\r\n", answers=waits)

    [got] = desk.mails_to(ADA)
    assert "toaster" in got.text
    assert "printer" not in got.text


def test_whoever_knows_better_says_force(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "#force\r\n\r\nBuy a new printer.\r\n", answers=told)

    assert "Buy a new printer." in desk.mails_to(ADA)[0].text


def test_a_note_and_words_alone_do_not_wait(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "#note\r\nA printer again.\r\n", answers=told)
    desk.mail(ANNA, told.subject, "#priority low\r\n", answers=told)

    assert desk.ticket(1).priority == "low"
    assert desk.mails_to(ANNA) == []


@pytest.mark.parametrize("together", [False, True])
def test_the_second_of_two_agents_learns_of_the_first(desk: Desk, told: Received, together: bool) -> None:
    desk.mail(ADA, "Re: Printer on fire", "Hello?\r\n", headers="In-Reply-To: <mail-1@client.example>")
    [annas], [berts] = desk.mails_to(ANNA), desk.mails_to(BERT)
    desk.clock.advance(minutes=1)

    desk.mail(ANNA, annas.subject, "Buy a new toaster.\r\n", answers=annas, work=not together)
    desk.clock.advance(minutes=1)
    desk.mail(BERT, berts.subject, "Buy a new printer.\r\n", answers=berts, work=not together)
    desk.work()

    [got] = desk.mails_to(ADA)
    assert "toaster" in got.text
    [waits] = desk.mails_to(BERT)
    assert "Buy a new toaster." in waits.text


def test_an_agent_may_add_to_his_own_answer(desk: Desk, told: Received) -> None:
    desk.mail(ADA, "Re: Printer on fire", "Hello?\r\n", headers="In-Reply-To: <mail-1@client.example>")
    [newest] = desk.mails_to(ANNA)
    for text in ("Buy a new toaster.\r\n", "And bread.\r\n"):
        desk.clock.advance(minutes=1)
        desk.mail(ANNA, newest.subject, text, answers=newest)

    assert [each.text.split(".")[0] for each in desk.mails_to(ADA)] == ["Buy a new toaster", "And bread"]
