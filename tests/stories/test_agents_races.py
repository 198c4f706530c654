"""What an agent has read, told exactly: by what he was shown, in whatever order mails were stored, filed, released."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from maild.inbox import held
from maild.rules.routing import OPERATOR
from maild.rules.state import Status
from maild.services import filer
from maild.store.models import MailRow, MailState
from tests.stories.driver import ADA, ANNA, BERT, SUPPORT, Desk, Received

AGAIN = "In-Reply-To: <mail-1@client.example>"  # Ada answers her own first mail


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1; everybody has read his mail."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    read(desk)
    desk.clock.advance(minutes=5)
    return told


def read(desk: Desk) -> None:
    for each in (ADA, ANNA, BERT):
        desk.mails_to(each)


def release_address(received: Received) -> str:
    found = re.search(r"support\+h\d+\.a\d+\.\w+@acme\.example", received.text)
    assert found, received.text
    return found[0]


def is_held(desk: Desk, mail: int) -> bool:
    return desk.filed(mail).state is MailState.HELD and not [each for each in desk.mails_to(ADA) if "plug" in each.text]


def test_what_came_back_shows_no_more_than_the_mail_that_it_answered(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "#reslove\r\n\r\nPull the plug.\r\n", answers=told)
    [back] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)
    desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers=AGAIN)
    desk.clock.advance(minutes=1)
    desk.mail(ANNA, back.subject, "#reslove\r\n\r\nPull the plug.\r\n", answers=back)
    again = [each for each in desk.mails_to(ANNA) if "toaster" not in each.text][-1]
    desk.clock.advance(minutes=1)

    mail = desk.mail(ANNA, again.subject, "#resolve\r\n\r\nPull the plug.\r\n", answers=again)

    assert is_held(desk, mail)
    assert desk.status(1) is Status.NEW
    assert "toaster" in desk.mails_to(ANNA)[-1].text


def test_what_came_back_is_answered_at_once_if_nothing_is_newer(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "#reslove\r\n\r\nPull the plug.\r\n", answers=told)
    [back] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)

    desk.mail(ANNA, back.subject, "#resolve\r\n\r\nPull the plug.\r\n", answers=back)

    assert "Pull the plug." in desk.mails_to(ADA)[0].text


def test_a_mail_that_was_stored_first_and_filed_last_has_not_been_read(desk: Desk, told: Received) -> None:
    late = desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers=AGAIN, work=False)
    with desk.database.write() as connection:  # a node that died has it
        lease = {"due_at": desk.clock() + timedelta(minutes=10)}
        connection.execute(update(MailRow).where(MailRow.id == late).values(lease))
    desk.clock.advance(minutes=1)
    desk.mail(ADA, "Re: Printer on fire", "Hello?\r\n", headers=AGAIN)
    [newest] = desk.mails_to(ANNA)
    desk.wait(minutes=11)
    assert desk.filed(late).state is MailState.FILED

    mail = desk.mail(ANNA, newest.subject, "Pull the plug.\r\n", answers=newest)

    assert is_held(desk, mail)


@pytest.mark.parametrize(("answered", "waits"), [("first", True), ("second", False)])
def test_of_two_mails_that_were_filed_together_each_has_a_notification_of_its_own(
    desk: Desk, told: Received, answered: str, waits: bool
) -> None:
    for text in ("It was the toaster.\r\n", "Hello?\r\n"):
        desk.mail(ADA, "Re: Printer on fire", text, headers=AGAIN, work=False)
    desk.work()
    first, second = desk.mails_to(ANNA)

    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers={"first": first, "second": second}[answered])

    assert is_held(desk, mail) is waits


def test_a_mail_that_waited_for_its_proof_is_guarded_when_it_is_let_through(desk: Desk, told: Received) -> None:
    reply = f"In-Reply-To: <{told.message.message_id}>"
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply)
    [asked] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)
    desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers=AGAIN)
    desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)

    desk.mail(ANNA, "", "\r\n", to=release_address(asked))

    assert is_held(desk, mail)
    [waits] = desk.mails_to(ANNA)
    assert "toaster" in waits.text
    desk.mail(ANNA, " ", "\r\n", to=release_address(waits))
    assert "Pull the plug." in desk.mails_to(ADA)[0].text


def test_who_lets_his_answer_go_has_read_what_he_was_shown_and_no_more(desk: Desk, told: Received) -> None:
    desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers=AGAIN)
    read(desk)
    desk.clock.advance(minutes=1)
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [waits] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)
    desk.mail(ADA, "Re: Printer on fire", "No, the lamp.\r\n", headers=AGAIN)
    desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)

    desk.mail(ANNA, "", "\r\n", to=release_address(waits))

    assert is_held(desk, mail)
    [waits] = desk.mails_to(ANNA)
    assert "lamp" in waits.text
    assert "toaster" not in waits.text.partition("Pull the plug")[0]


@pytest.mark.parametrize("for_trust", [True, False])
def test_the_operator_lets_an_answer_go_that_he_was_shown_to_wait(desk: Desk, told: Received, for_trust: bool) -> None:
    reply = f"In-Reply-To: <{told.message.message_id}>"
    if for_trust:
        mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply)
    desk.clock.advance(minutes=1)
    desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers=AGAIN)
    desk.clock.advance(minutes=1)
    if not for_trust:
        mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    assert is_held(desk, mail)

    with desk.database.write() as connection:
        held.release(connection, [mail], OPERATOR, desk.clock())
    desk.work()

    assert is_held(desk, mail) is for_trust  # of his proof the operator knows, of what came since he does not


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_what_another_node_files_between_a_look_and_the_sending_is_seen(
    desk: Desk, told: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order = filer._in_order
    other = Desk(desk.database, desk.clock)

    def meanwhile(*args: Any) -> Any:
        monkeypatch.setattr(filer, "_in_order", in_order)
        other._number = 100
        desk.clock.advance(seconds=1)
        other.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers=AGAIN)
        return in_order(*args)

    monkeypatch.setattr(filer, "_in_order", meanwhile)
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    assert is_held(desk, mail)
