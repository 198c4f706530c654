"""Agents ask their desk address for lists, tickets and help, and read the answers on a phone."""

import pytest

from maild.message.commands import WORDS
from maild.outbox.replies import PER_HOUR
from maild.rules.state import Status
from maild.services.filer.requests import ANSWERED
from maild.services.filer.wishes import AVAILABLE
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received

MALLORY = "mallory@evil.example"


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, of Ada; ticket 2 is Ben's, ticket 3 is in a department that Anna is not of."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    desk.clock.advance(hours=1)
    desk.mail(f"Ben <{BEN}>", "No paper", proven=True)
    desk.mail(f"Ben <{BEN}>", "How much is a printer?", to="sales@acme.example", proven=True)
    [told, _] = desk.mails_to(ANNA)
    for each in (ADA, BEN, BERT):
        desk.mails_to(each)
    return told


def ask(desk: Desk, told: Received, subject: str, text: str = "", agent: str = ANNA) -> Received:
    """Ask the desk whose address stands in `told`; return the one mail that answers."""
    address, _ = told.click("help")
    desk.mail(agent, subject, f"{text}\r\n", to=address)
    [got] = desk.mails_to(agent)
    return got


@pytest.mark.parametrize("asked", ["help", "Help", "#help", "Re: help"])
def test_help_tells_every_word_with_an_example(desk: Desk, told: Received, asked: str) -> None:
    helped = ask(desk, told, asked)

    for word in AVAILABLE:
        assert WORDS[word].example in helped.text
        assert WORDS[word].help in " ".join(helped.text.split())
    assert "\nmine\n" in helped.text
    assert helped.message.header("auto-submitted") == "auto-replied"


def test_help_is_had_from_a_tickets_mail_too(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, f"Re: {told.subject}", "#help\r\n", answers=told)

    assert "#postpone tomorrow 9:00" in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW


def test_an_answer_with_a_request_on_top_goes_to_nobody(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, f"Re: {told.subject}", "#help\r\n\r\nPull the plug.\r\n", answers=told)

    assert "asked alone" in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []


def test_a_list_has_what_waits_in_ones_departments_most_urgent_first(desk: Desk, told: Received) -> None:
    listed = ask(desk, told, "list")

    assert listed.text.index("#1 Printer on fire") < listed.text.index("#2 No paper")
    assert "#3" not in listed.text
    assert "#1 Printer" not in ask(desk, told, "list spam").text
    assert "There is no such ticket." in ask(desk, told, "list spam").text
    assert "is no status" in ask(desk, told, "list everything").text


def test_a_line_of_a_list_is_taken_by_one_click_and_is_then_mine(desk: Desk, told: Received) -> None:
    assert "There is no such ticket." in ask(desk, told, "mine").text
    address, body = ask(desk, told, "list").click("take 2")
    desk.mail(ANNA, "", body, to=address)

    [taken] = desk.mails_to(ANNA)
    assert taken.subject == "[#2] No paper"
    assert desk.ticket(2).assignee == ANNA
    assert "#2 No paper" in ask(desk, told, "mine").text
    desk.mail(ANNA, taken.subject, "Buy some.\r\n", answers=taken)
    assert "Buy some." in desk.mails_to(BEN)[0].text

    assert "#2 No paper" not in ask(desk, told, "release 2").text
    assert desk.ticket(2).assignee is None


def test_a_ticket_is_shown_with_what_was_said_and_its_reply_answers(desk: Desk, told: Received) -> None:
    shown = ask(desk, told, "get 1")

    assert "It does not work." in shown.text
    desk.mail(ANNA, shown.subject, "Pull the plug.\r\n", answers=shown)
    assert "Pull the plug." in desk.mails_to(ADA)[0].text


def test_a_ticket_tells_why_it_is_where_it_is(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "#resolve\r\n", answers=told)

    why = ask(desk, told, "why 1").text
    assert "resolved it\n- Status: resolved (was new)" in why
    assert why.count("Ada wrote\n") == 1  # a line for each happening
    assert "+00:00" not in why
    desk.mail(ANNA, told.subject, "#why\r\n", answers=told)
    assert "resolved it" in desk.mails_to(ANNA)[0].text


@pytest.mark.parametrize("asked", ["get 3", "why 3", "take 3", "release 3", "get 99"])
def test_nobody_sees_a_ticket_of_a_department_that_he_is_not_of(desk: Desk, told: Received, asked: str) -> None:
    answered = ask(desk, told, asked)

    assert "that you may see" in answered.text
    assert "How much" not in answered.raw.decode()
    assert desk.ticket(3).assignee is None


def test_what_is_no_request_comes_back_with_the_nearest(desk: Desk, told: Received) -> None:
    assert "Did you mean list?" in ask(desk, told, "lits").text
    assert "write: get 1042" in ask(desk, told, "get").text.lower() or "number" in ask(desk, told, "get").text
    assert ask(desk, told, "", "\r\n").text.count("#resolve") >= 1


def test_every_request_of_the_table_is_answered() -> None:
    assert {name for name, word in WORDS.items() if word.desk} == ANSWERED


def test_the_desk_address_is_of_one_agent_alone(desk: Desk, told: Received) -> None:
    address, _ = told.click("mine")

    held = desk.mail(BERT, "list", "\r\n", to=address)
    assert desk.filed(held).state is MailState.HELD

    desk.mails_to(ANNA)
    desk.mail(MALLORY, "list", "list\r\n", to=address)
    assert 4 in desk.tickets()  # a mail like any other
    assert not any("Printer on fire" in each.raw.decode() for each in desk.mails_to(MALLORY))


def test_an_automatic_mail_asks_for_nothing(desk: Desk, told: Received) -> None:
    address, _ = told.click("mine")
    mail = desk.mail(ANNA, "Out of office", "help\r\n", to=address, headers="Auto-Submitted: auto-replied")

    assert desk.filed(mail).state is MailState.NOTED
    assert desk.mails_to(ANNA) == []


def test_a_program_that_answers_in_an_agents_name_is_not_answered_for_ever(desk: Desk, told: Received) -> None:
    answered = ask(desk, told, "list")
    for _ in range(100):
        desk.mail(ANNA, f"Re: {answered.subject}", "Thank you for your mail\r\n", answers=answered)
        desk.clock.advance(seconds=10)
        answered = (desk.mails_to(ANNA) or [answered])[-1]

    assert len([each for each in desk.post_office.got if each.subject.startswith("Your desk")]) == PER_HOUR


def test_tickets_are_found_by_what_was_written_in_any_script(desk: Desk, told: Received) -> None:
    desk.mail(
        BEN,
        "打印机坏了",
        "三楼的打印机冒烟。 100% sure\r\n",
        headers="Content-Type: text/plain; charset=utf-8",
        proven=True,
    )
    desk.mail(ANNA, told.subject, "Pull the PLUG.\r\n", answers=told)
    desk.mails_to(ANNA)

    assert "#4" in ask(desk, told, "search 打印").text
    assert "#4" in ask(desk, told, "search 冒烟 sure").text
    assert "#1 Printer on fire" in ask(desk, told, "search plug").text
    assert "#1 Printer on fire" in ask(desk, told, "", "search FIRE work\r\n").text
    assert "There is no such ticket." in ask(desk, told, "search plug 打印").text
    assert "There is no such ticket." in ask(desk, told, "search much printer").text  # ticket 3 is not hers
    assert "#4" in ask(desk, told, "search 100%").text
    assert "#1 Printer" not in ask(desk, told, "search %").text


@pytest.mark.parametrize(
    "asked",
    [
        "search '; DROP TABLE mail; --",
        'search "',
        "search * OR NEAR(",
        "search _",
        "search \\",
        "search a\0b",
        "search \ud800",
    ],
)
def test_no_search_is_an_error(desk: Desk, told: Received, asked: str) -> None:
    raw = asked.encode("utf-8", "surrogatepass").decode("latin-1")
    mail = desk.mail(ANNA, "", f"{raw}\r\n", to=told.click("help")[0])

    assert desk.filed(mail).state is MailState.NOTED
    assert len(desk.mails_to(ANNA)) == 1
