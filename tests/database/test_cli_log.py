"""`maild log`: what happened, in order, with the reasons."""

import pytest

from tests.database.commands import OBEYED, Shell
from tests.stories.driver import ADA, ANNA


def told(shell: Shell, what: object) -> list[tuple[str, int, str]]:
    return [(each["about"], each["id"], each["what"]) for each in shell("log", what, "--json").data["story"]]


def test_the_story_of_a_ticket_is_told_from_its_first_mail_to_its_last_delivery(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer on fire")
    [notification] = shell.desk.mails_to(ANNA)
    shell.desk.clock.advance(minutes=5)
    shell.desk.mail(ANNA, "Re: Printer on fire", "#resolve\r\nUse water.\r\n", answers=notification)
    story = told(shell, 1)

    first = [what for about, number, what in story if (about, number) == ("mail", 1)]
    assert first == ["received", "classified", "sender", "evidence", "decided"]
    assert story[0] == ("mail", 1, "received")
    assert ("ticket", 1, "changed") in story
    assert [what for about, _, what in story if about == "delivery"].count("sent") == 4
    out = shell("log", "#1").out
    assert "AgentWrote by anna@acme.example" in out
    assert "answer (#resolve): " in out
    assert "status new -> answered" in out
    assert "250 2.0.0 taken" in out


def test_each_try_to_send_is_told_with_the_servers_words(shell: Shell) -> None:
    shell.desk.post_office.refusals[ADA] = "451 4.7.1 greylisted"
    shell.desk.mail(ADA, "Printer")
    shell.desk.wait(minutes=10)
    waiting = shell("log", 1).out
    del shell.desk.post_office.refusals[ADA]
    shell.desk.wait(hours=2)
    story = shell("log", 1, "--json").data["story"]

    tries = [each for each in story if each["about"] == "delivery" and each["facts"]["recipient"] == ADA]
    assert [each["what"] for each in tries] == ["not sent", "not sent", "not sent", "sent"]
    assert [each["facts"]["attempt"] for each in tries[:3]] == [1, 2, 3]
    assert all("451 4.7.1 greylisted" in each["why"] for each in tries[:3])
    assert "is tried" in waiting


def test_the_story_of_a_mail_is_its_own_and_what_followed_from_it(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer")
    mail_id = shell.desk.mail(ADA, "Screen")
    story = told(shell, f"mail:{mail_id}")

    assert story[0] == ("mail", mail_id, "received")
    assert {number for about, number, _ in story if about == "ticket"} == {2}
    assert told(shell, "<mail-2@client.example>") == story


def test_a_mail_that_waits_and_one_that_is_held_say_so(shell: Shell) -> None:
    waiting = shell.desk.mail(ADA, "Printer", work=False)
    assert "waits for the filer" in shell("log", f"mail:{waiting}").out

    shell.desk.work()
    held = shell.desk.mail(ANNA, "Re: Printer", "Reply", to="support@acme.example")
    out = shell("log", f"mail:{held}").out
    assert "decided" in out


def test_what_was_withheld_is_told_with_the_limit(shell: Shell) -> None:
    for _ in range(4):
        shell.desk.mail(ADA, "Printer")
        shell.desk.clock.advance(minutes=1)

    stories = [each for ticket in shell.desk.tickets() for each in shell("log", ticket, "--json").data["story"]]
    assert any(each["what"] == "withheld" and "acknowledgement" in each["why"] for each in stories)


@pytest.mark.parametrize("what", ["7", "mail:99", "<nobody@nowhere>", "printer"])
def test_what_is_not_there_is_told(shell: Shell, what: str) -> None:
    answer = shell("log", what)

    assert answer.status == 1
    assert "there is no" in answer.err


def test_nothing_of_a_mail_reaches_the_terminal_unchecked(shell: Shell) -> None:
    shell.desk.mail(ADA, "\x1b[31mred\x07")

    assert not set(OBEYED) & set(shell("log", 1).out)
