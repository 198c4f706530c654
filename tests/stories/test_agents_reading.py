"""An agent reads a ticket whole, narrows his lists, and asks what a word means."""

import pytest

from maild.store import threads
from tests.stories.driver import ADA, ANNA, BEN, Desk, Received


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, in which Ada asked, Anna answered and noted, and Ada asked again."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", "It burns.\r\n", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#take\r\n\r\nPull the plug.\r\n", answers=told)
    desk.mail(ANNA, told.subject, "#note\r\n\r\nThe third one.\r\n", answers=told)
    [_, answer] = desk.mails_to(ADA)
    desk.mail(f"Ada <{ADA}>", "Re: Printer on fire", "Grüße, es brennt noch.\r\n", answers=answer, proven=True)
    desk.mails_to(ANNA)
    return told


def ask(desk: Desk, told: Received, subject: str) -> Received:
    desk.mail(ANNA, subject, "\r\n", to=told.click("help")[0])
    return desk.mails_to(ANNA)[-1]


def test_a_ticket_comes_with_its_mails_as_they_came_and_left(desk: Desk, told: Received) -> None:
    shown = ask(desk, told, "get 1")
    attached = [each.content() for each in shown.message.attachments]

    assert [b"It burns." in attached[0], b"Pull the plug." in attached[1], len(attached)] == [True, True, 3]
    assert shown.message.attachments[0].content_type == "message/rfc822"
    assert [each.name[-4:] for each in shown.message.attachments] == [".eml"] * 3
    assert "Mails attached, as they came and left: 3." in shown.text
    assert "third one" not in b"".join(attached).decode()  # a note is in the text; its mail has its writer's addresses
    desk.mail(ANNA, shown.subject, "Then water.\r\n", answers=shown)
    assert "Then water." in desk.mails_to(ADA)[-1].text


def test_a_long_ticket_comes_with_its_latest_mails(desk: Desk, told: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST_MAILS", 2)
    shown = ask(desk, told, "get 1")

    assert len(shown.message.attachments) == 2
    assert "Not shown: 1 more." in shown.text
    monkeypatch.setattr(threads, "MOST_BYTES", 10)
    assert ask(desk, told, "get 1").message.attachments == ()


def test_a_list_is_of_a_department_an_agent_or_nobody(desk: Desk, told: Received) -> None:
    desk.mail(f"Ben <{BEN}>", "No paper", proven=True)
    desk.mail(f"Ben <{BEN}>", "How much?", to="sales@acme.example", proven=True)

    assert "#1" in ask(desk, told, "list anna").text
    assert "#2" not in ask(desk, told, "list anna").text
    assert "#2" in ask(desk, told, "list nobody").text
    assert "#1" in ask(desk, told, "list support open").text
    assert "#2" not in ask(desk, told, "list support open").text
    assert "There is no such ticket." in ask(desk, told, "list sales").text  # not hers
    assert "is no status" in ask(desk, told, "list everything").text


def test_help_tells_all_of_one_word(desk: Desk, told: Received) -> None:
    helped = ask(desk, told, "help postpone").text

    assert "#postpone WHEN" in helped
    assert "For example: #postpone tomorrow 9:00" in helped
    assert "2bd (business days)" in helped
    assert "#resolve" not in helped
    assert "search TEXT" in ask(desk, told, "help search").text
    assert "help #resolve" in ask(desk, told, "help reslove").text or "resolve" in ask(desk, told, "help reslove").text
    assert '"reslove" is no word' in ask(desk, told, "help reslove").text
