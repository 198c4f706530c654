"""Prepared texts, tags, links between tickets, and mails that become tickets of their own."""

from pathlib import Path

import pytest

from maild.config import parse as parse_settings
from maild.rules.state import Status
from maild.store.engine import Database
from maild.templates import Templates
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, CONFIG, Desk, Received, opened


@pytest.fixture
def stocked(database: Database, clock: FakeClock, tmp_path: Path) -> Desk:
    """A desk with two prepared texts, one of them in German, too."""
    replies = tmp_path / "replies"
    replies.mkdir()
    (replies / "greeting.txt").write_text("Hello {{ name or 'there' }},\n\nthank you for ticket {{ ticket }}.\n")
    (replies / "greeting.de.txt").write_text("Guten Tag {{ name }},\n\nvielen Dank.\n")
    (replies / "password-reset.txt").write_text("Use the link at <https://acme.example/?a=1&b=2>.\n100% safe.\n")
    config = CONFIG.replace("[maild]\n", f'[maild]\ntemplates = "{tmp_path}"\n', 1)
    return Desk(database, clock, config)


def answer(desk: Desk, told: Received, text: str, **kwargs: object) -> int:
    """Let whoever got `told` answer it."""
    return desk.mail(told.recipient, f"Re: {told.subject}", text, answers=told, **kwargs)


def test_a_prepared_text_stands_before_the_answer(stocked: Desk) -> None:
    told = opened(stocked)
    answer(stocked, told, "#use greeting\r\n\r\nPull the plug.\r\n")

    [got] = stocked.mails_to(ADA)
    assert got.text.startswith("Hello Ada,\n\nthank you for ticket 1.\n\nPull the plug.")
    assert stocked.mails_to(ANNA) == []


def test_prepared_texts_alone_are_an_answer(stocked: Desk) -> None:
    told = opened(stocked)
    answer(stocked, told, "#use Greeting\r\n#use password-reset\r\n#resolve")

    [got] = stocked.mails_to(ADA)
    assert "thank you for ticket 1.\n\nUse the link" in got.text
    assert stocked.status(1) is Status.RESOLVED


def test_in_html_a_prepared_text_is_text(stocked: Desk) -> None:
    told = opened(stocked)
    html = "<div>#use password-reset</div><div><br></div><div>Pull <b>the</b> plug.</div>"
    answer(stocked, told, html, headers="MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8")

    [got] = stocked.mails_to(ADA)
    assert "<b>the</b>" in got.message.html
    assert "&lt;https://acme.example/?a=1&amp;b=2&gt;" in got.message.html
    assert "#use" not in got.raw.decode()


def test_a_misspelt_name_sends_nothing_and_the_nearest_is_named(stocked: Desk) -> None:
    told = opened(stocked)
    answer(stocked, told, "#use gretting\r\n\r\nPull the plug.\r\n")

    assert "Did you mean #use greeting?" in stocked.mails_to(ANNA)[0].text
    assert stocked.mails_to(ADA) == []


def test_help_lists_the_prepared_texts(stocked: Desk) -> None:
    told = opened(stocked)
    stocked.mail(ANNA, "help", "", to=told.action("d"))

    [got] = stocked.mails_to(ANNA)
    assert "#use greeting" in got.text
    assert "Hello [name]," in got.text  # nobody's name: each customer is greeted by his own


def test_without_prepared_texts_the_agent_learns_where_they_come_from(desk: Desk, told: Received) -> None:
    answer(desk, told, "#use greeting")

    assert "There are no prepared texts yet" in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []


def test_check_finds_what_is_wrong_with_prepared_texts(tmp_path: Path) -> None:
    replies = tmp_path / "replies"
    replies.mkdir()
    (replies / "Greeting.txt").write_text("Hello")
    (replies / "unknown.txt").write_text("Hello {{ nmae }}")
    (replies / "broken.txt").write_text("Hello {{ name")
    (replies / "empty.txt").write_text("\n")
    (replies / "escape.txt").write_text("{{ ''.__class__.__mro__ }}")
    (replies / "word.txt").write_text("#resolve")
    (replies / "good.txt").write_text("Hello {{ name }}")

    faults = Templates(tmp_path).check()

    found = " ".join(faults)
    for name in ("Greeting", "unknown", "broken", "empty", "escape", "word"):
        assert f"{name}.txt" in found, faults
    assert "good.txt" not in found
    assert parse_settings(CONFIG)


def test_tags_are_given_taken_shown_and_found(desk: Desk, told: Received) -> None:
    answer(desk, told, "#tag Printer vip\r\n#tag urgent")
    answer(desk, told, "#tag -urgent")
    desk.mails_to(ANNA)
    desk.mail(BEN, "Something else", proven=True)

    assert desk.ticket(1).tags == {"printer", "vip"}
    desk.mail(ANNA, "get 1", "", to=told.action("d"))
    assert "Tags: printer, vip" in desk.mails_to(ANNA)[-1].text
    for request in ("list tag:printer", "search tag:vip", "search fire tag:printer"):
        desk.mail(ANNA, request, "", to=told.action("d"))
        [found] = desk.mails_to(ANNA)
        assert "#1 Printer on fire" in found.text, request
        assert "#2" not in found.text
    desk.mail(ANNA, "list tag:urgent", "", to=told.action("d"))
    assert "There is no such ticket." in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []


def test_linked_tickets_name_each_other_until_it_is_taken_back(desk: Desk, told: Received) -> None:
    desk.mail(BEN, "Also on fire", proven=True)
    answer(desk, told, "#link #2")
    assert (desk.ticket(1).related, desk.ticket(2).related) == ({2}, {1})
    desk.mails_to(ANNA)
    desk.mail(ANNA, "get 2", "", to=told.action("d"))
    assert "Related tickets: #1" in desk.mails_to(ANNA)[0].text

    answer(desk, told, "#undo")
    assert (desk.ticket(1).related, desk.ticket(2).related) == (set(), set())


@pytest.mark.parametrize(("words", "why"), [("#link 9", "There is no ticket #9."), ("#link 1", "linked to itself")])
def test_a_link_that_leads_nowhere_is_refused(desk: Desk, told: Received, words: str, why: str) -> None:
    answer(desk, told, f"#priority high\r\n{words}")

    assert why in desk.mails_to(ANNA)[0].text
    assert desk.ticket(1).priority == "normal"


def second_matter(desk: Desk, told: Received) -> Received:
    """Anna has answered; Ada writes of something else in her answer."""
    answer(desk, told, "Pull the plug.")
    [got] = desk.mails_to(ADA)
    desk.wait(hours=1)
    desk.mail(ADA, "Re: Printer on fire", "The coffee is cold, too.\r\n", answers=got, proven=True)
    return desk.mails_to(ANNA)[-1]


def test_a_second_matter_becomes_a_ticket_of_its_own(desk: Desk, told: Received) -> None:
    second = second_matter(desk, told)
    assert desk.status(1) is Status.OPEN
    desk.mails_to(ADA)

    answer(desk, second, "#split Cold coffee")

    assert desk.status(1) is Status.ANSWERED
    ticket = desk.ticket(2)
    assert (ticket.status, ticket.subject, ticket.related) == (Status.NEW, "Cold coffee", {1})
    done, shown = sorted(desk.mails_to(ANNA), key=lambda each: each.subject)
    assert "New ticket for: ada@customer.example\n" in done.text
    assert shown.subject == "[#2] Cold coffee"
    assert "> The coffee is cold, too." in shown.text
    assert desk.mails_to(ADA) == []

    answer(desk, shown, "A new machine comes tomorrow.")
    assert "A new machine" in desk.mails_to(ADA)[0].text
    assert desk.status(2) is Status.ANSWERED
    assert desk.status(1) is Status.ANSWERED


def test_who_wrote_behind_a_mail_that_is_split_off_still_waits(desk: Desk, told: Received) -> None:
    second = second_matter(desk, told)
    [got] = [each for each in desk.post_office.got if each.recipient == ADA and "Pull the plug" in each.text]
    desk.wait(hours=1)
    wrote = desk.clock()
    desk.mail(ADA, "Re: Printer on fire", "And it still burns.\r\n", answers=got, proven=True)

    answer(desk, second, "#split Cold coffee")

    ticket = desk.ticket(1)
    assert (ticket.status, ticket.waiting_since) == (Status.OPEN, wrote)
    assert desk.status(2) is Status.NEW


def test_splitting_is_taken_back(desk: Desk, told: Received) -> None:
    second = second_matter(desk, told)
    before = desk.ticket(1)
    answer(desk, second, "#split")
    done = next(each for each in desk.mails_to(ANNA) if "Take it back" in each.text)
    address, words = done.click("#undo")

    desk.mail(ANNA, "", words, to=address)

    assert {**desk.ticket(1)._mapping, "due_at": None} == {**before._mapping, "due_at": None}
    assert desk.status(2) is Status.DELETED
    desk.mail(ANNA, "get 1", "", to=told.action("d"))
    assert "The coffee is cold" in desk.mails_to(ANNA)[-1].text


@pytest.mark.parametrize("text", ["#split\r\n\r\nHello", "#split\r\n#resolve"])
def test_splitting_is_asked_alone(desk: Desk, told: Received, text: str) -> None:
    second = second_matter(desk, told)
    desk.mails_to(ADA)
    answer(desk, second, text)

    assert desk.tickets() == [1]
    assert desk.mails_to(ADA) == []


def test_the_first_mail_is_not_split_off(desk: Desk, told: Received) -> None:
    answer(desk, told, "#split")

    assert "nothing left" in desk.mails_to(ANNA)[0].text
    assert desk.tickets() == [1]


def test_agents_are_told_who_else_gets_their_answer(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", headers=f"Cc: Ben <{BEN}>", proven=True)

    assert f"Take part: Ben <{BEN}>" in desk.mails_to(ANNA)[0].text
