"""What agents get without asking: a welcome, once, and each morning what the day has for them."""

from datetime import UTC, datetime

import pytest

from maild.services.mornings import Mornings
from maild.store import agents
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, Desk, Received

MORNING = datetime(2026, 3, 3, 8, tzinfo=UTC)  # a Tuesday
LED = CONFIG.replace('title = "Acme Support"', f'title = "Acme Support"\nlead = "{ANNA}"')


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock)


def morning(desk: Desk, at: datetime = MORNING) -> dict[str, list[Received]]:
    """Let it be then, as if the daemon had done nothing before; return the digests that the agents got."""
    desk.clock.set(at)
    desk.works.mornings.step()
    desk.work()
    got = {agent: desk.mails_to(agent) for agent in (ANNA, BERT)}
    return {agent: [each for each in several if each.subject.startswith("Your day")] for agent, several in got.items()}


def test_each_agent_is_welcomed_once_with_the_address_of_his_desk(desk: Desk) -> None:
    for _ in range(3):
        desk.works.mornings.step()
    desk.work()

    [welcome] = desk.mails_to(ANNA)
    assert welcome.subject == "Welcome to the desk of Acme Support"
    assert len(desk.mails_to(BERT)) == 1
    address, body = welcome.click("mine")
    desk.mail(ANNA, "", f"{body}\r\n", to=address)
    assert desk.mails_to(ANNA)[0].subject == "Your desk: mine"


def test_two_nodes_welcome_once(desk: Desk, database: Database) -> None:
    other = Desk(database, desk.clock)
    desk.works.mornings.step()
    other.works.mornings.step()
    desk.work()

    assert len(desk.mails_to(ANNA)) == 1


def test_an_agent_who_comes_later_is_welcomed_then(desk: Desk, database: Database) -> None:
    desk.works.mornings.step()
    desk.mail(ADA, "Printer on fire")
    desk.clock.advance(days=30)
    grown = Desk(database, desk.clock, CONFIG + '[[agent]]\nname = "Carl"\naddress = "carl@acme.example"\n')
    grown.works.mornings.step()
    grown.work()

    assert "Welcome to the desk of Acme Support" in [each.subject for each in grown.mails_to("carl@acme.example")]
    assert not any("Welcome" in each.subject for each in grown.mails_to(ANNA))


def test_a_desk_that_was_there_before_welcomes_nobody(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    desk.clock.advance(days=1)
    desk.mails_to(ANNA)
    for _ in range(2):
        desk.works.mornings.step()
    desk.work()

    assert not any("Welcome" in each.subject for each in desk.mails_to(ANNA))


def test_the_digest_lists_what_waits_with_links(desk: Desk) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire")
    desk.mail(f"Ben <{BEN}>", "How much?", to="sales@acme.example")
    got = morning(desk)

    [mine], [his] = got[ANNA], got[BERT]
    assert mine.subject == "Your day: 1 to solve"
    assert "#1 Printer on fire" in mine.text
    assert "How much" not in mine.text
    assert his.subject == "Your day: 2 to solve"
    assert mine.message.header("auto-submitted") == "auto-generated"
    address, body = mine.click("take 1")
    desk.mail(ANNA, "", f"{body}\r\n", to=address)
    assert desk.ticket(1).assignee == ANNA


def test_a_ticket_of_a_colleague_is_not_in_it(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#take\r\n", answers=told)
    got = morning(desk)

    assert len(got[ANNA]) == 1
    assert got[BERT] == []


def test_it_comes_once_a_day_whatever_the_number_of_nodes_and_starts(desk: Desk, database: Database) -> None:
    desk.mail(ADA, "Printer on fire")
    assert len(morning(desk)[ANNA]) == 1
    again = Desk(database, desk.clock)
    again.works.mornings.step()
    desk.clock.advance(hours=1)

    assert morning(desk, desk.clock())[ANNA] == []
    assert len(morning(desk, MORNING.replace(day=4))[ANNA]) == 1


@pytest.mark.parametrize(
    ("at", "digests"),
    [
        (MORNING.replace(hour=7, minute=59), 0),
        (MORNING.replace(hour=11, minute=59), 1),  # maild was down at eight
        (MORNING.replace(hour=12), 0),
        (MORNING.replace(day=7), 0),  # a Saturday
    ],
)
def test_it_is_sent_in_the_morning_of_a_working_day_or_not_at_all(desk: Desk, at: datetime, digests: int) -> None:
    desk.mail(ADA, "Printer on fire")

    assert len(morning(desk, at)[ANNA]) == digests


def test_one_with_nothing_in_it_is_not_sent(desk: Desk) -> None:
    assert morning(desk) == {ANNA: [], BERT: []}


def test_who_is_away_or_wants_none_gets_none(database: Database, clock: FakeClock) -> None:
    config = CONFIG.replace('name = "Bert"', 'name = "Bert"\ndigest = "never"')
    desk = Desk(database, clock, config)
    desk.mail(ADA, "Printer on fire")
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, "away", "\r\n", to=told.click("help")[0])

    assert morning(desk) == {ANNA: [], BERT: []}


def test_his_own_hour_and_zone_count(database: Database, clock: FakeClock) -> None:
    config = CONFIG.replace('name = "Anna"', 'name = "Anna"\ndigest = "7:30"\ntimezone = "Europe/Tallinn"')
    desk = Desk(database, clock, config)
    desk.mail(ADA, "Printer on fire")

    got = morning(desk, MORNING.replace(hour=5, minute=30))
    assert (len(got[ANNA]), len(got[BERT])) == (1, 0)


def test_what_comes_back_today_what_is_held_and_what_did_not_arrive_is_in_it(desk: Desk) -> None:
    desk.mail(ADA, "One", proven=True)
    desk.mail(BEN, "Two", proven=True)
    [one, two] = desk.mails_to(ANNA)
    desk.mail(ANNA, one.subject, "#take\r\n#postpone 2026-03-03 15:00\r\n", answers=one)
    desk.post_office.refusals[BEN] = "550 5.1.1 no such user"
    desk.mail(ANNA, two.subject, "Yes.\r\n", answers=two)
    desk.mail(ANNA, "Re: Two", "It is me, really.\r\n")
    desk.mails_to(ANNA)
    [digest] = morning(desk)[ANNA]

    back, undelivered = digest.text.index("Back today"), digest.text.index("Answers that did not arrive")
    assert digest.text.index("#1 One") > back
    assert undelivered < digest.text.index("#2 Two", undelivered)
    assert "Mails in your name that wait" in digest.text
    release = digest.text[digest.text.index("let it through") :]
    held = desk.mail(ANNA, "", "\r\n", to=release.split("mailto:")[1].split()[0])
    assert desk.filed(held).purpose == "release"


def test_who_leads_a_department_sees_what_is_late_and_its_figures(database: Database, clock: FakeClock) -> None:
    level = '\n[sla.standard]\nfirst_response = { normal = "1h" }\n'
    desk = Desk(database, clock, LED.replace("\nlead =", '\nsla = "standard"\nlead =') + level)
    desk.mail(ADA, "Printer on fire")
    [told] = desk.mails_to(BERT)
    desk.mail(BERT, told.subject, "#take\r\n", answers=told)
    desk.mails_to(ANNA)
    got = morning(desk)

    [lead], [his] = got[ANNA], got[BERT]
    assert "Late in your departments" in lead.text
    assert "#1 Printer on fire" in lead.text
    assert "Yesterday" in lead.text
    assert "Came in: 1" in lead.text
    assert "Due today, or late" in his.text
    assert "Yesterday" not in his.text


@pytest.mark.parametrize("what", ["_digest", "_greet"])
def test_a_mail_to_one_agent_that_fails_keeps_no_other_from_his(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write = getattr(Mornings, what)

    def broken(self, connection, agent, *rest, **named):
        if agent.address == ANNA:
            raise KeyError("an operator's template")
        write(self, connection, agent, *rest, **named)

    if what == "_digest":
        desk.works.mornings.step()
        desk.mail(ADA, "Printer on fire")
    with monkeypatch.context() as patched:
        patched.setattr(Mornings, what, broken)
        got = morning(desk)
        assert [len(got[ANNA]), len(got[BERT])] == ([0, 1] if what == "_digest" else [0, 0])
        desk.works.mornings.step()
    with desk.database.read() as connection:
        assert agents.welcomed(connection) == ({ANNA, BERT} if what == "_digest" else {BERT})

    desk.works.mornings.step()
    desk.work()
    assert len(desk.mails_to(ANNA)) == 1
