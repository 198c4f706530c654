"""Weeks of a whole desk, from mail to mail, through the database: what must hold holds at each instant.

People write, answer, click, postpone, or keep silent, by a seed; `months` does the same without a database, for longer.
"""

import heapq
import itertools
import random
from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from maild.message.address import normalise
from maild.rules import limits
from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import AddressRow, ClockRow, DeliveryRow, HistoryRow, MailRow, TicketRow
from tests.clock import FakeClock
from tests.stories.driver import Desk, Received
from tests.stories.judge import HOURS, ZONES
from tests.stories.minutes import MINUTE, Minutes
from tests.stories.months import BEGIN, CONFIG, WORKPLACES

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
CUSTOMERS = 18
WEEKS = 3 * 7 * DAY
AFTERWARDS = 42 * DAY  # in which nobody does anything any more
AGENTS = tuple(f"agent-{number}@acme.example" for number in range(len(WORKPLACES)))
WORDS = ("", "", "", "", "", "#resolve\r\n", "#note\r\n", "#postpone 2d\r\n", "#priority high\r\n")
RESOLVE = "#resolve\r\n"  # alone: the customer is told by maild


class Weeks:
    """A desk and everybody around it."""

    def __init__(self, database: Database, clock: FakeClock, seed: int) -> None:
        agents = "\n".join(
            f'[[agent]]\nname = "Agent {number}"\naddress = "{AGENTS[number]}"\ndepartments = ["{name}"]'
            for number, name in enumerate(WORKPLACES)
        )
        clock.set(BEGIN)
        self.desk = Desk(database, clock, CONFIG + agents)
        self.random = random.Random(seed)
        self._order = itertools.count()
        self._heap: list[tuple[datetime, int, object]] = []
        self.dead: dict[str, datetime] = {}  # addresses that do not exist any more

    def run(self) -> None:
        for number in range(CUSTOMERS):
            self._later(WEEKS, lambda number=number: self._opens(f"customer-{number}@customer.example"))
        end = BEGIN + WEEKS + AFTERWARDS
        while self.desk.clock() < end:
            due_at = self.desk._next_due()
            wanted = self._heap[0][0] if self._heap else end
            self.desk.clock.set(min(end, wanted, max(due_at or end, self.desk.clock())))
            while self._heap and self._heap[0][0] <= self.desk.clock():
                act = heapq.heappop(self._heap)[2]
                if self.desk.clock() < BEGIN + WEEKS:
                    act()
            self.desk.work()
            self._read()
            self._check()

    def _later(self, within: timedelta, act: object) -> None:
        at = self.desk.clock() + (1 + self.random.randrange(within // MINUTE)) * MINUTE
        heapq.heappush(self._heap, (at, next(self._order), act))

    def _opens(self, customer: str) -> None:
        department = self.random.choice(("support", "sales", "lab"))
        self.desk.mail(customer, "It does not work", to=f"{department}@acme.example", proven=True, work=False)
        if self.random.random() < 0.4:
            self._later(self.random.choice((2 * HOUR, 4 * DAY)), lambda: self._leaves(customer))

    def _leaves(self, customer: str) -> None:
        self.dead[normalise(customer)] = self.desk.clock()
        self.desk.post_office.refusals[normalise(customer)] = "550 5.1.1 no such user"

    def _read(self) -> None:
        """Let everybody read what came, and decide what to do about it."""
        for agent in AGENTS:
            for mail in self.desk.mails_to(agent):
                if self.random.random() < 0.4:
                    self._later(
                        self.random.choice((2 * HOUR, 9 * HOUR, 3 * DAY)), lambda m=mail, a=agent: self._answers(a, m)
                    )
        for number in range(CUSTOMERS):
            customer = f"customer-{number}@customer.example"
            for mail in self.desk.mails_to(customer):
                chance = self.random.random()
                if mail.message.header("auto-submitted") == "" and chance < 0.5:
                    self._later(
                        9 * DAY,
                        lambda m=mail, c=customer: self.desk.mail(c, "Re: it", answers=m, proven=True, work=False),
                    )
                elif mail.message.header("auto-submitted") and "solved" in mail.text.casefold() and chance < 0.2:
                    self._later(5 * DAY, lambda m=mail, c=customer: self._clicks(c, m))

    def _answers(self, agent: str, mail: Received) -> None:
        text = self.random.choice([RESOLVE, *(words + "Pull the plug.\r\n" for words in WORDS)])
        self.desk.mail(agent, mail.subject, text, answers=mail, proven=True, work=False)

    def _clicks(self, customer: str, mail: Received) -> None:
        word = self.random.choice(("s", "p"))
        if f".{word}" in mail.text:
            self.desk.mail(customer, "Click", "Click.\r\n", to=mail.action(word), proven=True, work=False)

    def _check(self) -> None:
        """Nobody waits without an instant at which somebody is told, and nothing that is due is left undone."""
        now = self.desk.clock()
        with self.desk.database.read() as connection:
            lost = connection.scalars(
                select(TicketRow.id).where(
                    TicketRow.due_at.is_(None), TicketRow.status.not_in((Status.CLOSED, Status.MERGED))
                )
            ).all()
            undone = connection.scalars(select(TicketRow.id).where(TicketRow.due_at <= now)).all()
        assert (lost, undone) == ([], [])


def test_three_weeks_of_a_desk_from_mail_to_mail(sqlite_database: Database, clock: FakeClock) -> None:
    weeks = Weeks(sqlite_database, clock, seed=5)

    weeks.run()

    _everything_ended(sqlite_database)
    _no_mail_too_many(sqlite_database)
    _nothing_automatic_to_the_dead(sqlite_database, weeks.dead)
    _clocks_agree(sqlite_database)


def _everything_ended(database: Database) -> None:
    with database.read() as connection:
        statuses = connection.scalars(select(TicketRow.status)).all()
    assert set(statuses) <= {Status.NEW, Status.OPEN, Status.CLOSED}
    assert statuses.count(Status.CLOSED) > CUSTOMERS / 3


def _no_mail_too_many(database: Database) -> None:
    """Reminders and what follows them in office hours, each once in a silence; nobody gets more than the limits say."""
    begin, end = BEGIN - 2 * DAY, BEGIN + WEEKS + AFTERWARDS + 30 * DAY
    office = {name: Minutes(begin, end, HOURS[name], ZoneInfo(zone)) for name, zone in ZONES.items()}
    with database.read() as connection:
        mails = connection.execute(
            select(MailRow.ticket_id, MailRow.purpose, MailRow.stored_at, MailRow.from_address)
            .where(MailRow.purpose.in_(("reminder", "resolved", "breached", "answer")), MailRow.source == "maild")
            .order_by(MailRow.id)
        ).all()
        sent = connection.execute(
            select(DeliveryRow.ticket_id, DeliveryRow.address_id, DeliveryRow.created_at)
            .where(DeliveryRow.automatic.is_(True), DeliveryRow.recipient.like("customer-%"))
            .order_by(DeliveryRow.id)
        ).all()
    assert {mail.purpose for mail in mails} >= {"reminder", "resolved"}
    last: dict[tuple[int, str], datetime] = {}
    for mail in mails:
        if mail.purpose == "reminder":
            assert office[mail.from_address.partition("@")[0]].is_open(mail.stored_at), mail
            before = last.get((mail.ticket_id, "reminder"))
            assert before is None or mail.stored_at >= before + 3 * DAY, mail
        last[mail.ticket_id, mail.purpose] = mail.stored_at
    got: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    for each in sent:
        earlier = got[each.ticket_id, each.address_id]
        for span, most in limits.PER_TICKET:
            assert sum(at > each.created_at - span for at in earlier) < most, each
        earlier.append(each.created_at)


def _nothing_automatic_to_the_dead(database: Database, dead: dict[str, datetime]) -> None:
    assert dead
    with database.read() as connection:
        rows = connection.execute(
            select(
                AddressRow.normal,
                DeliveryRow.created_at,
                DeliveryRow.ended_at,
                DeliveryRow.state,
                DeliveryRow.automatic,
            )
            .join(AddressRow, AddressRow.id == DeliveryRow.address_id)
            .where(AddressRow.normal.in_(dead))
            .order_by(DeliveryRow.id)
        ).all()
        withheld = connection.execute(
            select(HistoryRow.at).where(HistoryRow.field == "withheld", HistoryRow.new.contains("failed before"))
        ).all()
    failed: dict[str, datetime] = {}  # whatever failed there first, an agent's answer as well
    for row in rows:
        suppressed = failed.get(row.normal)
        if row.automatic:
            assert suppressed is None or row.created_at >= suppressed + 60 * DAY, row
        if row.state.value == "failed":
            failed[row.normal] = row.ended_at
    assert set(failed) == {row.normal for row in rows if row.created_at >= dead[row.normal]}, "all of them are refused"
    assert withheld, "something was owed to a dead address, and was not sent"


def _clocks_agree(database: Database) -> None:
    """Each row of a response clock is what a count of its minutes comes to."""
    begin, end = BEGIN - 2 * DAY, BEGIN + WEEKS + AFTERWARDS + 30 * DAY
    office = {name: Minutes(begin, end, HOURS[name], ZoneInfo(zone)) for name, zone in ZONES.items()}
    with database.read() as connection:
        rows = connection.execute(select(ClockRow.__table__)).all()
    counted = [row for row in rows if row.kind != "resolution"]
    assert len(counted) > CUSTOMERS / 2
    for row in counted:
        whole = row.stopped_at - row.started_at
        worked = whole if row.level is None else office[row.department].between(row.started_at, row.stopped_at)
        assert row.used_s == worked.total_seconds(), row
        if row.outcome in ("met", "missed"):
            promised = office[row.department].between(row.started_at, row.target_at)
            assert (row.outcome == "met") is (worked <= promised), row


@pytest.mark.parametrize("seed", [6])
def test_by_other_seeds_too(
    sqlite_database: Database, clock: FakeClock, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.stories.test_weeks.CUSTOMERS", 12)
    Weeks(sqlite_database, clock, seed).run()

    _no_mail_too_many(sqlite_database)
