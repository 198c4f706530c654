"""Two daemons on one database, one of them killed under load: each mail once, each conversation on one ticket."""

import smtplib
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from maild.store.engine import Database
from maild.store.models import DeliveryRow, Direction, HistoryRow, MailRow, MailState, TicketRow
from tests.system.daemon import DaemonProcess

MAILS = 300
CLIENTS = 8
CONVERSATION = 5  # mails: the first opens a ticket, each other answers the one before it
KILLED_AT = MAILS // 3  # accepted mails

pytestmark = pytest.mark.postgresql


class Customer(threading.Thread):
    """Holds conversations with whichever node answers; sends each mail until one of them said 250."""

    def __init__(self, number: int, ports: list[int], accepted: "Accepted") -> None:
        super().__init__(daemon=True)
        self._number = number
        self._ports = ports
        self._accepted = accepted
        self._pause = threading.Event()

    def run(self) -> None:
        while (number := self._accepted.next_conversation()) is not None:
            for place in range(CONVERSATION):
                self._send(f"{number}-{place}", place, number)

    def _send(self, name: str, place: int, number: int) -> None:
        sender = f"customer{number}@client.example"
        answers = f"In-Reply-To: <{number}-{place - 1}@client.example>\r\n" if place else ""
        mail = (
            f"From: {sender}\r\nTo: support@acme.example\r\nSubject: {name}\r\nDate: Mon, 2 Mar 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{name}@client.example>\r\n{answers}\r\n{name} is what I say.\r\n"
        )
        for attempt in range(1000):
            # Mails of one conversation go to both nodes by turns, as an MX with two hosts has it.
            port = self._ports[(place + attempt + self._number) % len(self._ports)]
            try:
                with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
                    smtp.sendmail(sender, ["support@acme.example"], mail)
            except (OSError, smtplib.SMTPException):
                self._pause.wait(0.02)
            else:
                self._accepted.add(name)
                return
        raise AssertionError(f"nobody takes {name}")


class Accepted:
    """What was answered 250, and what is to be said next."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.third = threading.Event()  # KILLED_AT mails are accepted
        self._mutex = threading.Lock()
        self._conversations = iter(range(MAILS // CONVERSATION))

    def next_conversation(self) -> int | None:
        """Return the number of a conversation that nobody holds yet, None if all are held."""
        with self._mutex:
            return next(self._conversations, None)

    def add(self, name: str) -> None:
        """Note a mail that was answered 250."""
        with self._mutex:
            self.names.append(name)
            if len(self.names) == KILLED_AT:
                self.third.set()


@pytest.fixture
def nodes(postgresql_url: str, tmp_path: Path):
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found.append(DaemonProcess(tmp_path / name, postgresql_url))
    yield found
    for node in found:
        node.close()


@pytest.mark.timeout(300)
def test_two_nodes_file_each_mail_once_and_keep_conversations_together_though_one_is_killed(
    nodes: list[DaemonProcess],
) -> None:
    for node in nodes:
        node.start()
    accepted = Accepted()
    customers = [Customer(number, [node.port for node in nodes], accepted) for number in range(CLIENTS)]
    for customer in customers:
        customer.start()
    assert accepted.third.wait(120)
    nodes[0].kill()
    for customer in customers:
        customer.join(120)

    with nodes[1].database() as database:
        _wait_until_filed(database)
        _judge(database, accepted.names)
    assert nodes[1].stop() == 0


def _judge(database: Database, accepted: list[str]) -> None:
    with database.read() as connection:
        rows = connection.execute(
            select(MailRow.subject, MailRow.state, MailRow.ticket_id).where(MailRow.direction == Direction.IN)
        ).all()
        tickets = connection.scalar(select(func.count()).select_from(TicketRow))
        opened = Counter(
            connection.scalars(
                select(HistoryRow.ticket_id).where(HistoryRow.field == "status", HistoryRow.old.is_(None))
            )
        )
        acknowledged = Counter(
            connection.scalars(select(DeliveryRow.recipient).where(DeliveryRow.recipient.like("customer%")))
        )
    assert sorted(row.subject for row in rows) == sorted(accepted)
    assert len(accepted) == MAILS
    assert {row.state for row in rows} == {MailState.FILED}
    ticket_of: dict[str, set[int]] = {}
    for row in rows:
        ticket_of.setdefault(row.subject.partition("-")[0], set()).add(row.ticket_id)
    assert {each: ids for each, ids in ticket_of.items() if len(ids) > 1} == {}
    assert tickets == len(ticket_of)
    assert set(opened.values()) == {1}
    assert set(acknowledged.values()) == {1}


def _wait_until_filed(database: Database, seconds: float = 120.0) -> None:
    """Wait for what is stored, and for the lease of the node that was killed, which is made to end at once."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    unfiled = MailRow.state == MailState.STORED
    with database.write() as connection:
        # The dead lock nothing; to wait for what the other node is writing could be to wait for each other.
        leased = select(MailRow.id).where(unfiled, MailRow.attempts > 0).with_for_update(skip_locked=True)
        connection.execute(update(MailRow).where(MailRow.id.in_(leased)).values(due_at=MailRow.stored_at))
    while time.monotonic() < deadline:
        with database.read() as connection:
            if not connection.scalar(select(func.count()).where(unfiled)):
                return
        pause.wait(0.2)
    raise AssertionError("mails stay unfiled")
