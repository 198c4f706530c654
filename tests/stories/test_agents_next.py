"""`next`: the most urgent ticket, for one agent at a time."""

import pytest

from maild.rules.state import Status
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received


@pytest.fixture
def told(desk: Desk) -> dict[str, Received]:
    """Each agent's first notification; Ada waits on ticket 1, Ben, an hour later, on ticket 2."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    desk.clock.advance(hours=1)
    desk.mail(f"Ben <{BEN}>", "No paper", proven=True)
    got = {agent: desk.mails_to(agent)[0] for agent in (ANNA, BERT)}
    for each in (ADA, BEN):
        desk.mails_to(each)
    return got


def ask(desk: Desk, told: dict[str, Received], agent: str, request: str) -> Received:
    address, _ = told[agent].click("help")
    desk.mail(agent, request, "\r\n", to=address)
    [got] = desk.mails_to(agent)
    return got


def test_who_waits_longest_is_next_and_one_reply_answers_him(desk: Desk, told: dict[str, Received]) -> None:
    offered = ask(desk, told, ANNA, "next")

    assert offered.subject == "[#1] Printer on fire"
    assert "It does not work." in offered.text
    desk.mail(ANNA, offered.subject, "Pull the plug.\r\n", answers=offered)
    assert "Pull the plug." in desk.mails_to(ADA)[0].text
    assert ask(desk, told, ANNA, "next").subject == "[#2] No paper"


def test_an_urgent_ticket_comes_before_another_that_waits_as_long(desk: Desk, told: dict[str, Received]) -> None:
    for number in (1, 2):
        ask(desk, told, BERT, f"take {number}")
    desk.mail(ADA, "First", proven=True)
    desk.mail(BEN, "Second", proven=True)
    second = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, second.subject, "#priority urgent\r\n", answers=second)

    assert ask(desk, told, ANNA, "next").subject == "[#4] Second"


def test_two_agents_get_two_tickets(desk: Desk, told: dict[str, Received]) -> None:
    assert ask(desk, told, ANNA, "next").subject == "[#1] Printer on fire"
    assert ask(desk, told, BERT, "next").subject == "[#2] No paper"
    assert ask(desk, told, ANNA, "next").subject == "[#1] Printer on fire"


def test_what_was_offered_and_not_answered_is_offered_to_the_next_who_asks(
    desk: Desk, told: dict[str, Received]
) -> None:
    ask(desk, told, ANNA, "next")
    desk.clock.advance(minutes=31)

    assert ask(desk, told, BERT, "next").subject == "[#1] Printer on fire"


@pytest.mark.parametrize("by", ["pass", "link", "block"])
def test_a_ticket_that_is_passed_is_left_to_others(desk: Desk, told: dict[str, Received], by: str) -> None:
    offered = ask(desk, told, ANNA, "next")
    if by == "pass":
        following = ask(desk, told, ANNA, "pass")
    else:
        address, body = offered.click("pass") if by == "link" else (offered.reply_to, "#pass")
        desk.mail(ANNA, "", f"{body}\r\n", to=address)
        [following] = desk.mails_to(ANNA)

    assert following.subject == "[#2] No paper"
    assert ask(desk, told, BERT, "next").subject == "[#1] Printer on fire"
    assert desk.status(1) is Status.NEW


def test_a_colleagues_ticket_is_not_offered_and_an_empty_desk_says_so(desk: Desk, told: dict[str, Received]) -> None:
    for number in (1, 2):
        ask(desk, told, BERT, f"take {number}")

    assert "Nothing waits for you." in ask(desk, told, ANNA, "next").text
    assert ask(desk, told, BERT, "next").subject == "[#1] Printer on fire"


def test_a_ticket_of_which_agents_were_told_often_still_shows_what_its_customer_wrote(desk: Desk) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", "It burns.\r\n", proven=True)
    desk.wait(days=14)  # two agents are told each day that she waits
    told = desk.mails_to(ANNA)[-1]

    assert "It burns." in told.text
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [answer] = [each for each in desk.mails_to(ADA) if "plug" in each.text]
    assert "mail-1@client.example" in answer.message.references
