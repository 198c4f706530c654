"""Tickets find their agent: in turn, or by what each has to do; nobody who is away, and never without somebody told."""

import pytest

from maild.rules.state import Status
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, Desk, Received

CARL = "carl@acme.example"
TURNS = CONFIG.replace('title = "Acme Support"', 'title = "Acme Support"\nassign = "round-robin"')
LEAST = TURNS.replace("round-robin", "least-open")


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, TURNS)


def told(desk: Desk) -> dict[str, list[str]]:
    """Return the subjects that each agent got since this was last asked."""
    return {agent: [each.subject for each in desk.mails_to(agent)] for agent in (ANNA, BERT)}


def ask(desk: Desk, received: Received, words: str, agent: str = ANNA) -> list[Received]:
    """Let an agent write to his desk address, as it stands in a mail that he got; return what he gets."""
    address, _ = received.click("help")
    desk.mail(agent, words, "\r\n", to=address)
    return desk.mails_to(agent)


def test_tickets_go_to_the_agents_in_turn_and_only_who_has_one_is_told(desk: Desk) -> None:
    desk.mail(ADA, "One")
    desk.mail(BEN, "Two")
    desk.mail(ADA, "Three")

    assert [desk.ticket(each).assignee for each in (1, 2, 3)] == [ANNA, BERT, ANNA]
    assert told(desk) == {ANNA: ["[#1] One", "[#3] Three"], BERT: ["[#2] Two"]}
    assert ("assignee", None, ANNA, "Assign") in desk.history(1)
    assert ("reason", None, "round-robin: his turn", "Assign") in desk.history(1)


def test_many_mails_at_once_are_shared_too(desk: Desk) -> None:
    for number in range(7):
        desk.mail(f"c{number}@customer.example", f"Mail {number}", work=False)
    desk.work()

    assert [desk.ticket(each).assignee for each in range(1, 8)] == [ANNA, BERT, ANNA, BERT, ANNA, BERT, ANNA]


def test_a_department_that_assigns_nobody_tells_all(desk: Desk) -> None:
    desk.mail(ADA, "How much?", to="sales@acme.example")

    assert desk.ticket(1).assignee is None
    assert told(desk)[BERT] == ["[#1] How much?"]


def test_whoever_has_the_fewest_gets_the_next(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock, LEAST)
    for number in range(4):
        desk.mail(f"c{number}@customer.example", f"Mail {number}")
    first = desk.mails_to(BERT)
    for each in first:
        desk.mail(BERT, each.subject, "Yes.\r\n", answers=each)
    for number in range(2):
        desk.mail(f"d{number}@customer.example", f"Mail {number}")

    assert [desk.ticket(each).assignee for each in (5, 6)] == [BERT, BERT]


def test_a_ticket_that_opens_again_stays_with_its_agent(desk: Desk) -> None:
    desk.mail(ADA, "One")
    [received] = desk.mails_to(ANNA)
    desk.mail(ANNA, received.subject, "#resolve\r\n", answers=received)
    [_, resolved] = desk.mails_to(ADA)
    desk.mail(ADA, "Re: One", "No.\r\n", answers=resolved)

    assert desk.status(1) is Status.OPEN
    assert told(desk) == {ANNA: ["[#1] One"], BERT: []}


def test_a_follow_up_goes_to_who_had_the_ticket_before(desk: Desk) -> None:
    desk.mail(ADA, "One", proven=True)
    [received] = desk.mails_to(ANNA)
    [acknowledged] = desk.mails_to(ADA)
    desk.mail(ANNA, received.subject, "#close\r\n", answers=received)
    desk.mail(BEN, "Two")
    desk.mail(ADA, "Re: One", "Once more.\r\n", answers=acknowledged, proven=True)

    assert desk.ticket(3).assignee == ANNA
    assert ("reason", None, "he had the ticket before", "Assign") in desk.history(3)


def test_a_ticket_that_moves_to_a_department_is_given_there(desk: Desk) -> None:
    desk.mail(ADA, "How much?", to="sales@acme.example")
    [received] = desk.mails_to(BERT)
    desk.mail(BERT, received.subject, "#department support\r\n", answers=received)

    assert desk.ticket(1).assignee == ANNA
    [handed] = desk.mails_to(ANNA)
    assert "Bert" in handed.text


def test_one_who_is_away_gets_none_and_his_tickets_go_to_the_department_too(desk: Desk) -> None:
    desk.mail(ADA, "One", proven=True)
    [received] = desk.mails_to(ANNA)
    [answer] = ask(desk, received, "away until wednesday")
    assert "You are away until Wed" in answer.text
    [acknowledged] = desk.mails_to(ADA)

    desk.mail(BEN, "Two")
    desk.mail(BEN, "Three")
    assert [desk.ticket(each).assignee for each in (2, 3)] == [BERT, BERT]
    told(desk)
    desk.mail(ADA, "Re: One", "And now?\r\n", answers=acknowledged, proven=True)
    assert told(desk) == {ANNA: ["[#1] One"], BERT: ["[#1] One"]}
    assert desk.ticket(1).assignee == ANNA

    desk.wait(days=2)
    desk.mail(BEN, "Four")
    assert desk.ticket(4).assignee == ANNA


def test_one_who_is_back_earlier_says_so(desk: Desk) -> None:
    desk.mail(ADA, "One")
    [received] = desk.mails_to(ANNA)
    assert "until you write “back”" in ask(desk, received, "away")[0].text
    desk.mail(BEN, "Two")
    desk.mail(BEN, "Three")
    assert "You are back" in ask(desk, received, "back")[0].text
    desk.mail(BEN, "Four")

    assert [desk.ticket(each).assignee for each in (2, 3, 4)] == [BERT, BERT, ANNA]


def test_while_all_are_away_all_are_told(desk: Desk) -> None:
    desk.mail(ADA, "One")
    desk.mail(ADA, "Two")
    for agent in (ANNA, BERT):
        [received] = desk.mails_to(agent)
        ask(desk, received, "away", agent)
    desk.mail(BEN, "Three")

    assert desk.ticket(3).assignee is None
    assert told(desk) == {ANNA: ["[#3] Three"], BERT: ["[#3] Three"]}


def test_the_configuration_knows_holidays(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock, TURNS.replace('name = "Anna"', 'name = "Anna"\naway = ["2026-03-01..2026-03-03"]'))
    desk.mail(ADA, "One")
    desk.wait(days=1, hours=20)
    desk.mail(ADA, "Two")

    assert [desk.ticket(each).assignee for each in (1, 2)] == [BERT, ANNA]


def test_who_is_at_work_comes_before_who_is_not(database: Database, clock: FakeClock) -> None:
    night = '\n[calendar.night]\nhours = { always = ["20:00-24:00"] }\n'
    config = TURNS.replace('name = "Anna"', 'name = "Anna"\ncalendar = "night"') + night
    desk = Desk(database, clock, config.replace("always = ", "mon-sun = "))
    desk.mail(ADA, "One")
    desk.mail(ADA, "Two")
    desk.wait(hours=9)
    desk.mail(BEN, "Three")

    assert [desk.ticket(each).assignee for each in (1, 2, 3)] == [BERT, BERT, ANNA]


def test_a_ticket_that_its_agent_leaves_lying_is_given_back_to_all(desk: Desk) -> None:
    desk.mail(f"Ada <{ADA}>", "One", proven=True)
    [received] = desk.mails_to(ANNA)
    desk.wait(days=1)
    desk.mail(ANNA, received.subject, "#note\r\n\r\nI am looking at it.\r\n", answers=received)
    desk.wait(days=1, hours=20)
    assert desk.ticket(1).assignee == ANNA
    told(desk)

    desk.wait(days=1)
    assert desk.ticket(1).assignee is None
    [mine], [given] = desk.mails_to(ANNA), desk.mails_to(BERT)
    assert "Anna had it and has not answered." in given.text
    assert mine.subject == given.subject == "[#1] One"
    assert ("assignee", ANNA, None, "Tick") in desk.history(1)
    desk.mail(BERT, given.subject, "Here it is.\r\n", answers=given)
    assert desk.ticket(1).assignee == BERT


def test_where_nobody_else_works_nothing_is_given_back(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock)
    desk.mail(ADA, "How much?", to="sales@acme.example")
    [received] = desk.mails_to(BERT)
    desk.mail(BERT, received.subject, "#take\r\n", answers=received)
    desk.wait(days=6)

    assert desk.ticket(1).assignee == BERT
