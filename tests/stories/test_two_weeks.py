"""Two weeks of a team of three. It reads as they would tell it; what each has in his mailbox is what is asserted.

Anna and Bert answer for the department, Cleo leads it and speaks German. Ada, Ben and the others are customers.
"""

import re
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, SUPPORT, Desk, Received

CLEO = "cleo@acme.example"
MILA = "mila@kunde.example"
OTTO = "otto@customer.example"
PIA = "pia@customer.example"
QUIN = "quin@customer.example"
ROSA = "rosa@customer.example"
TALLINN = ZoneInfo("Europe/Tallinn")
MONDAY = datetime(2026, 11, 23, 9, tzinfo=TALLINN)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")
TEAM = (
    CONFIG.replace(
        'title = "Acme Support"',
        f'title = "Acme Support"\nsla = "standard"\nlead = "{CLEO}"\ntimezone = "Europe/Tallinn"',
        1,
    )
    + f"""
[[agent]]
name = "Cleo"
address = "{CLEO}"
departments = ["support"]

[sla.standard]
calendar = "office"
first_response = {{ normal = "4h", urgent = "1h" }}
next_response = {{ normal = "8h" }}

[calendar.office]
timezone = "Europe/Tallinn"
"""
)


class Team:
    """The desk, with its calendar on the wall."""

    def __init__(self, database: Database) -> None:
        self.desk = Desk(database, FakeClock(MONDAY), TEAM)

    def it_is(self, day: str, at: str, week: int = 1) -> None:
        """Let time pass until then."""
        hour, minute = map(int, at.split(":"))
        then = MONDAY.replace(hour=hour, minute=minute) + timedelta(days=DAYS.index(day) + 7 * (week - 1))
        self.desk.wait(seconds=(then - self.desk.clock()).total_seconds())

    def writes(self, who: str, subject: str, text: str, cc: str = "", answers: Received | None = None) -> None:
        """A customer writes; his domain proves it."""
        name = who.partition("@")[0].capitalize()
        self.desk.mail(f"{name} <{who}>", subject, f"{text}\r\n", cc=cc, answers=answers, proven=True)

    def says(self, agent: str, about: Received, text: str, proven: bool = True) -> int:
        """An agent presses Reply in a mail of the desk."""
        return self.desk.mail(agent, about.subject, f"{text}\r\n", answers=about, proven=proven)

    def has(self, who: str) -> list[Received]:
        """What is new in somebody's mailbox."""
        return self.desk.mails_to(who)

    def newest(self, who: str, words: str = "") -> Received:
        found = [each for each in self.has(who) if words in each.text or words in each.subject]
        assert found, f"{who} has nothing about {words!r}"
        return found[-1]

    def nothing_new(self, *people: str) -> bool:
        return not any(self.has(each) for each in people)

    def read_all(self) -> None:
        for each in (ANNA, BERT, CLEO, ADA, BEN, MILA, OTTO, PIA, QUIN, ROSA):
            self.has(each)

    def asks(self, agent: str, about: Received, text: str) -> Received:
        """An agent asks his desk address."""
        address, _ = about.click("help")
        self.desk.mail(agent, text, "", to=address)
        return self.newest(agent)


def test_two_weeks_of_a_team_of_three(sqlite_database: Database) -> None:
    team = Team(sqlite_database)
    first_week(team)
    second_week(team)
    what_customers_saw(team)


def first_week(team: Team) -> None:
    desk = team.desk

    # On Monday Ada's printer burns. All three hear of it, and she is told that she was heard.
    team.it_is("Mon", "9:05")
    team.writes(ADA, "Printer on fire", "It burns.", cc=BEN)
    thanks = team.newest(ADA)
    assert thanks.message.header("auto-submitted") == "auto-replied"
    told = team.newest(ANNA, "It burns.")
    assert team.has(BERT)
    assert team.has(CLEO)
    assert team.nothing_new(BEN)

    # Anna answers from her mailbox. Ada and Ben, who was in Cc, have one mail; the ticket is Anna's.
    team.it_is("Mon", "9:20")
    team.says(ANNA, told, "Is it plugged in?")
    adas, bens = team.newest(ADA, "plugged"), team.newest(BEN, "plugged")
    assert adas.message.message_id == bens.message.message_id
    assert desk.ticket(1).assignee == ANNA

    # Ben knows more. Anna alone hears him.
    team.it_is("Mon", "9:25")
    team.writes(BEN, bens.subject, "It was, and is no more.", answers=bens)
    told = team.newest(ANNA, "no more")
    assert team.nothing_new(BERT, CLEO, ADA)
    team.says(ANNA, told, "#resolve\r\n\r\nThen all is well.")
    assert desk.status(1) is Status.RESOLVED
    assert "Then all is well." in team.newest(ADA).text

    # Mila writes in German and is answered in German. Bert hands her to Cleo with a word among colleagues.
    team.it_is("Mon", "10:00")
    team.writes(MILA, "Der Drucker brennt", "Guten Tag, der Drucker brennt und ich weiß nicht, was ich machen soll.")
    assert team.newest(MILA).message.header("content-language") == "de"
    team.says(BERT, team.newest(BERT, "brennt"), "#assign cleo\r\n#note Das ist für dich.")
    handed = team.newest(CLEO, "Das ist für dich.")
    team.says(CLEO, handed, "Bitte ziehen Sie den Stecker.")
    assert "Stecker" in team.newest(MILA).text
    assert len(team.has(ANNA)) == 1  # that Mila wrote; the rest is between the two

    # Two answer Otto within a minute. The second is told what the first said, and lets it be.
    team.it_is("Mon", "11:00")
    team.writes(OTTO, "No paper", "Where is the paper?")
    annas, berts = team.newest(ANNA, "paper"), team.newest(BERT, "paper")
    team.it_is("Mon", "11:05")
    team.says(ANNA, annas, "In the cupboard.")
    team.it_is("Mon", "11:06")
    mail = team.says(BERT, berts, "On the roof.")
    assert desk.filed(mail).state is MailState.HELD
    assert "In the cupboard." in team.newest(BERT).text
    assert [each.text.split(".")[0] for each in team.has(OTTO) if not each.message.header("auto-submitted")] == [
        "In the cupboard"
    ]

    # On Tuesday Bert is away until Thursday. What comes meanwhile is told to the others.
    team.it_is("Tue", "8:55")
    team.asks(BERT, berts, "away until thursday")
    team.it_is("Tue", "9:00")
    team.read_all()
    team.writes(PIA, "A new lamp", "May I have a lamp?")
    lamp = team.newest(ANNA, "lamp")
    assert team.has(CLEO)
    assert team.nothing_new(BERT)

    # Anna must ask the house; the ticket sleeps until Friday. On Wednesday Pia asks again, and it is awake.
    team.says(ANNA, lamp, "I shall ask.")
    team.says(ANNA, lamp, "#force\r\n#postpone friday 9:00")
    assert desk.status(4) is Status.POSTPONED
    team.it_is("Wed", "14:00")
    team.writes(PIA, "Re: A new lamp", "And?", answers=team.newest(PIA, "I shall ask."))
    assert desk.status(4) is Status.OPEN
    lamp = team.newest(ANNA, "And?")
    team.says(ANNA, lamp, "#resolve\r\n\r\nYou have it tomorrow.")

    # It burns again. Anna's thumb slips: the mail comes back, and Ada has heard nothing of it.
    team.it_is("Wed", "15:00")
    team.writes(ADA, adas.subject, "It burns again.", answers=adas)
    assert desk.status(1) is Status.OPEN
    told = team.newest(ANNA, "again")
    team.read_all()
    team.says(ANNA, told, "#reslove\r\n\r\nPull the other plug.")
    back = team.newest(ANNA, "#resolve")
    assert team.nothing_new(ADA, BEN)
    team.says(ANNA, back, "#resolve\r\n\r\nPull the other plug.")
    assert "other plug" in team.newest(ADA).text
    bens = team.newest(BEN, "other plug")

    # Ben has had enough of other people's printers.
    team.it_is("Thu", "10:00")
    address = bens.message.header("list-unsubscribe").removeprefix("<mailto:").partition("?")[0]
    desk.mail(BEN, "Leave", "", to=address)
    team.writes(ADA, adas.subject, "It is out. Thank you!", answers=adas)
    team.says(ANNA, team.newest(ANNA, "It is out"), "#resolve\r\n\r\nGood.")
    assert "Good." in team.newest(ADA).text
    assert team.nothing_new(BEN)

    # On Friday afternoon everybody is at the cake when Quin writes.
    team.it_is("Fri", "15:00")
    team.read_all()
    team.writes(QUIN, "Urgent: the door", "The door does not open.")
    assert team.has(ANNA)


def second_week(team: Team) -> None:
    desk = team.desk

    # The promise was four hours of work. On Monday somebody hears that it runs out before it has, and Cleo that it did.
    team.has(BERT), team.has(CLEO)
    team.it_is("Mon", "12:00", week=2)
    warned = [each for who in (ANNA, BERT, CLEO) for each in team.has(who) if "the door" in each.subject]
    assert warned

    # Bert asks what is most urgent, gets the door, and opens it.
    door = team.asks(BERT, warned[0] if warned[0].recipient == BERT else _any(desk, BERT), "next")
    assert "The door does not open." in door.text
    team.says(BERT, door, "#resolve\r\n\r\nPush, do not pull.")
    assert "Push" in team.newest(QUIN).text

    # On Tuesday somebody writes in Bert's name, of a domain of his own. Nothing leaves, and Bert is asked.
    team.it_is("Tue", "11:00", week=2)
    team.read_all()
    forged = desk.mail(BERT, "Re: [#5] the door", "Send your password.\r\n", to=SUPPORT, envelope_from="m@evil.example")
    assert desk.filed(forged).state is MailState.HELD
    assert "password" in team.newest(BERT).text
    assert team.nothing_new(QUIN, ANNA, CLEO)

    # Otto never said whether he found the paper. He is asked, and clicks.
    team.it_is("Wed", "12:00", week=2)
    asked = [each for each in desk.post_office.got if each.recipient == OTTO][-1]
    assert asked.message.header("auto-submitted") == "auto-generated"
    desk.mail(OTTO, "Solved", "Solved\r\n", to=asked.action("s"), proven=True)
    assert desk.status(3) is Status.RESOLVED

    # Rosa wrote twice, from the heart. Anna makes one of it, thinks better of it, and again.
    team.it_is("Thu", "9:30", week=2)
    team.read_all()
    team.writes(ROSA, "The cat", "The cat sleeps in the printer.")
    team.writes(ROSA, "THE CAT", "THE CAT!")
    first, second = (each for each in team.has(ANNA) if "cat" in each.subject.lower())
    cats = desk.tickets()[-2:]
    team.says(ANNA, second, f"#merge {cats[0]}")
    assert desk.status(cats[1]) is Status.MERGED
    team.says(ANNA, first, "#force\r\n#resolve\r\n\r\nLet it sleep.")
    assert sum("Let it sleep." in each.text for each in team.has(ROSA)) == 1

    # On Friday Cleo reads the story of the printer, and goes home: nobody waits.
    team.it_is("Fri", "16:00", week=2)
    story = team.asks(CLEO, _any(desk, CLEO), "get 1")
    assert "It is out. Thank you!" in story.text
    assert "Good." in story.text
    waiting = [number for number in desk.tickets() if desk.status(number) in (Status.NEW, Status.OPEN)]
    assert waiting == []


def _any(desk: Desk, agent: str) -> Received:
    """Some mail to an agent that has his desk's address."""
    return next(each for each in desk.post_office.got if each.recipient == agent and "help" in each.text)


def what_customers_saw(team: Team) -> None:
    """No word, no address of an agent and no address made for one; nothing twice; no machine that spoke as a person."""
    customers = {ADA, BEN, MILA, OTTO, PIA, QUIN, ROSA}
    mails = [each for each in team.desk.post_office.got if each.recipient in customers]
    assert len(mails) > 15

    for each in mails:
        shown = f"{each.subject}\n{each.text}\n{each.message.html}"
        assert not re.search(r"#(?:resolve|reslove|force|note|assign|merge|postpone)", shown)
        assert not re.search(r"\+t\d+\.[and]|\+h\d+\.", shown)
        assert not any(agent in shown for agent in (ANNA, BERT, CLEO))
        assert each.message.from_ is not None
        assert each.message.from_.address == SUPPORT
    twice = Counter((each.recipient, each.message.message_id) for each in mails)
    assert max(twice.values()) == 1
    assert sum(each.recipient == BEN for each in mails) == 3  # what was said while he took part
