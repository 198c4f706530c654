"""What an agent's words did is told where he could not see it, and taken back with one mail."""

import pytest

from maild.rules.state import Status
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received

CAROL = "carol@customer.example"


def answer(desk: Desk, told: Received, text: str, **kwargs: object) -> int:
    """Let whoever got `told` answer it."""
    return desk.mail(told.recipient, f"Re: {told.subject}", text, answers=told, **kwargs)


def click(desk: Desk, got: Received, words: str, sender: str = "") -> int:
    """Let the reader of a mail follow its link, in a program that adds a signature."""
    address, text = got.click(words)
    return desk.mail(sender or got.recipient, "", f"{text}\r\n\r\n-- \r\nAnna Berg", to=address)


@pytest.mark.parametrize("words", ["#take", "#priority high", "#note\r\nHm.", "#postpone 2d", "Pull the plug."])
def test_a_plain_success_is_silent(desk: Desk, told: Received, words: str) -> None:
    answer(desk, told, words)

    assert desk.mails_to(ANNA) == []


def test_several_words_are_told_in_one_mail_and_taken_back_with_one(desk: Desk, told: Received) -> None:
    before = desk.ticket(1)
    answer(desk, told, "#priority high\r\n#cc carol@customer.example\r\n#take\r\n#postpone 2d")
    [done] = desk.mails_to(ANNA)
    assert done.subject == "[#1] Printer on fire"
    for line in ("Status: postponed (was new)", "Assigned to: Anna", "Priority: high (was normal)", f"+{CAROL}"):
        assert line in done.text
    assert desk.status(1) is Status.POSTPONED

    click(desk, done, "#undo")

    [undone] = desk.mails_to(ANNA)
    assert "Taken back. As it was before:" in undone.text
    assert "Status: new (was postponed)" in undone.text
    assert desk.ticket(1) == before
    assert ("status", "postponed", "new", "TakeBack") in desk.history(1)
    desk.mail(ADA, "Re: Printer on fire", to="support@acme.example", headers="References: <mail-1@client.example>")
    assert [each.text for each in desk.mails_to(CAROL)] == []


def test_a_merger_is_taken_back_on_both_tickets(desk: Desk, told: Received) -> None:
    desk.mail(BEN, "Also on fire", proven=True)
    desk.mails_to(ANNA)
    before = desk.ticket(1), desk.ticket(2)
    answer(desk, told, "#merge 2", proven=True)
    assert desk.status(1) is Status.MERGED
    [done] = desk.mails_to(ANNA)
    assert "Merged into: #2" in done.text

    click(desk, done, "#undo")

    assert (desk.ticket(1), desk.ticket(2)) == before


def test_a_merger_to_which_somebody_has_written_stays(desk: Desk, told: Received) -> None:
    desk.mail(BEN, "Also on fire", proven=True)
    desk.mails_to(ANNA)
    answer(desk, told, "#merge 2", proven=True)
    [done] = desk.mails_to(ANNA)
    desk.mail(ADA, "Re: Printer on fire", headers="References: <mail-1@client.example>", proven=True)
    desk.mails_to(ANNA)

    click(desk, done, "#undo")

    assert desk.status(1) is Status.MERGED
    assert f"{ADA} has written since." in desk.mails_to(ANNA)[0].text


def test_undo_alone_takes_back_the_last_thing_of_that_ticket_then_the_one_before(desk: Desk, told: Received) -> None:
    answer(desk, told, "#priority high")
    answer(desk, told, "#take")

    answer(desk, told, "#undo")
    assert (desk.ticket(1).assignee, desk.ticket(1).priority) == (None, "high")
    answer(desk, told, "#Undo.")
    assert desk.ticket(1).priority == "normal"
    desk.mails_to(ANNA)
    answer(desk, told, "#undo")
    assert "nothing of the last 30 minutes" in desk.mails_to(ANNA)[0].text


def test_undo_at_the_desk_takes_back_the_last_of_all(desk: Desk, told: Received) -> None:
    answer(desk, told, "#priority high")
    desk.mail(ANNA, "undo", "", to=told.action("d"))

    assert desk.ticket(1).priority == "normal"


def test_a_link_is_good_once_and_for_half_an_hour(desk: Desk, told: Received) -> None:
    answer(desk, told, "#priority high\r\n#take")
    [done] = desk.mails_to(ANNA)
    click(desk, done, "#undo")
    answer(desk, told, "#priority high")
    desk.mails_to(ANNA)

    click(desk, done, "#undo")
    assert "It was taken back already." in desk.mails_to(ANNA)[0].text
    assert desk.ticket(1).priority == "high"

    answer(desk, told, "#priority low\r\n#take")
    [done] = desk.mails_to(ANNA)
    desk.wait(minutes=31)
    click(desk, done, "#undo")
    assert "more than 30 minutes ago" in desk.mails_to(ANNA)[0].text
    assert desk.ticket(1).priority == "low"


def test_a_colleague_may_take_it_back_and_nobody_else(desk: Desk, told: Received) -> None:
    answer(desk, told, "#priority high\r\n#take")
    [done] = desk.mails_to(ANNA)
    _, words = done.click("#undo")

    desk.mail(ADA, "", words, to=done.action("n"), proven=True)
    desk.mail("eve@elsewhere.example", "", words, to=done.action("n"), proven=True)
    assert desk.ticket(1).priority == "high"

    desk.mail(BERT, "", words, to=done.action("n"), proven=True)
    assert desk.ticket(1).priority == "high"  # Anna's address; he is Bert, and nothing in it was made for him


def test_a_changed_link_does_nothing(desk: Desk, told: Received) -> None:
    answer(desk, told, "#priority high\r\n#take")
    [done] = desk.mails_to(ANNA)
    _, words = done.click("#undo")
    changed = words[:-1] + ("a" if words[-1] != "a" else "b")

    answer(desk, told, changed)

    assert "cut off or changed" in desk.mails_to(ANNA)[0].text
    assert desk.ticket(1).priority == "high"


def test_what_reached_the_customer_cannot_be_had_back(desk: Desk, told: Received) -> None:
    answer(desk, told, "Pull the plug.")
    answer(desk, told, "#undo")

    assert desk.status(1) is Status.ANSWERED
    assert f"A mail about it has left for {ADA}." in desk.mails_to(ANNA)[0].text


def test_an_answer_that_the_relay_has_not_taken_yet_is_kept_back(desk: Desk, told: Received) -> None:
    mail = answer(desk, told, "Pull the plug.", work=False)
    while not desk.works.filer.step():
        pass
    assert desk.status(1) is Status.ANSWERED
    assert desk.filed(mail).purpose == "answer"

    answer(desk, told, "#undo", work=False)
    while not desk.works.filer.step():
        pass
    desk.work()

    assert desk.status(1) is Status.NEW
    assert desk.mails_to(ADA) == []


def test_who_had_been_given_the_ticket_is_told_that_it_is_gone(desk: Desk, told: Received) -> None:
    answer(desk, told, "#assign bert\r\n#priority high")
    [done] = desk.mails_to(ANNA)
    desk.mails_to(BERT)

    click(desk, done, "#undo")

    assert "Anna took it back" in desk.mails_to(BERT)[0].text
    assert desk.ticket(1).assignee is None
