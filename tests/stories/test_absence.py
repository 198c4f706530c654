"""An agent is away, and his mail program answers for him: no customer ever gets its note as his answer."""

import pytest

from maild.rules.state import Status
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BERT, Desk, Received

NOTE = "I am out of the office until Monday.\r\n\r\nAnna\r\n"


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, which Ada opened a moment ago."""
    desk.mail(f"Ada Lovelace <{ADA}>", "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    for each in (ADA, BERT):
        desk.mails_to(each)
    desk.clock.advance(seconds=20)
    return told


def test_a_note_without_any_mark_is_held_and_its_agent_asked(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, f"Re: {told.subject}", NOTE, answers=told)

    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW
    assert desk.filed(mail).state is MailState.HELD
    [asked] = desk.mails_to(ANNA)
    assert "reads like a note that you are away" in asked.text
    [release] = [line.split("mailto:")[1] for line in asked.text.splitlines() if line.startswith("Release")]
    desk.mail(ANNA, "", "\r\n", to=release.partition("?")[0])
    assert "out of the office" in desk.mails_to(ADA)[0].text


def test_it_is_put_away_by_a_click(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, f"Re: {told.subject}", NOTE, answers=told)
    [asked] = desk.mails_to(ANNA)
    [reject] = [line.split("mailto:")[1] for line in asked.text.splitlines() if line.startswith("Reject")]

    desk.mail(ANNA, "", "\r\n", to=reject.partition("?")[0])

    assert desk.filed(mail).state is MailState.NOTED
    assert desk.mails_to(ADA) == []


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        (NOTE, 10),  # nobody's program waits so long
        (f"{NOTE}\r\n> It does not work.\r\n", 0),
        (f"Hello Ada,\r\n\r\n{NOTE}", 0),
        (f"#resolve\r\n\r\n{NOTE}", 0),
        ("The technician is out of the office until Monday.\r\n", 0),
    ],
)
def test_what_a_person_wrote_goes_to_the_customer(desk: Desk, told: Received, text: str, minutes: int) -> None:
    desk.clock.advance(minutes=minutes)
    desk.mail(ANNA, f"Re: {told.subject}", text, answers=told)

    assert "out of the office" in desk.mails_to(ADA)[0].text


def test_a_note_to_the_department_opens_no_ticket(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, "I am away", NOTE, proven=True)

    assert desk.tickets() == [1]
    assert desk.mails_to(BERT) == []


def test_a_note_to_the_desk_address_is_not_answered(desk: Desk, told: Received) -> None:
    address, _ = told.click("help")
    desk.mail(ANNA, "I am away", NOTE, to=address)

    assert desk.mails_to(ANNA) == []
