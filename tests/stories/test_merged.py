"""Two tickets about one matter: who works on the one that is left sees all that was said."""

from maild.rules.state import Status
from tests.stories.driver import ADA, ANNA, BERT, Desk, Received, opened


def _merged(desk: Desk) -> Received:
    """Let Ada write about her printer twice, and Anna put both together; return what Bert was told of the second."""
    opened(desk)
    desk.mail(f"Ada <{ADA}>", "Printer, again", "It prints black pages.\r\n", proven=True)
    [told], [berts] = desk.mails_to(ANNA), desk.mails_to(BERT)
    desk.mails_to(ADA)
    desk.mail(ANNA, told.subject, "#merge 1", answers=told, proven=True)
    assert desk.status(2) is Status.MERGED
    return berts


def test_mails_about_a_ticket_tell_what_was_said_on_those_merged_into_it(desk: Desk) -> None:
    _merged(desk)
    [done] = desk.mails_to(ANNA)

    desk.mail(
        f"Ada <{ADA}>", "Re: Printer", "Any news?\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True
    )

    [told] = desk.mails_to(ANNA)
    assert told.subject == "[#1] Printer on fire"
    assert "> It prints black pages." in told.text
    assert "> It does not work." in told.text

    desk.mail(ANNA, "get 1", "", to=done.action("d"))
    [ticket] = desk.mails_to(ANNA)
    assert len(ticket.message.attachments) == 3


def test_an_answer_to_a_mail_about_a_merged_ticket_is_one_to_the_other(desk: Desk) -> None:
    berts = _merged(desk)

    desk.mail(BERT, berts.subject, "Pull the plug.\r\n", answers=berts)

    [got] = desk.mails_to(ADA)
    assert got.text.startswith("Pull the plug.")
    assert desk.status(1) is Status.ANSWERED


def test_what_leaves_stays_in_the_conversation_of_its_own_ticket(desk: Desk) -> None:
    _merged(desk)
    desk.mails_to(ANNA)
    desk.mail(
        f"Ada <{ADA}>", "Re: Printer", "Any news?\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True
    )
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#resolve\r\n", answers=told)

    [resolved] = desk.mails_to(ADA)

    assert "mail-2@client.example" not in resolved.message.references
    assert resolved.subject == "Re: Printer on fire"
