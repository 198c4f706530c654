"""`kill -9` at random instants under load: what was answered 250 is there, once, on the ticket where it belongs."""

import random
import smtplib
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from maild.store.models import Direction, HistoryRow, MailRow, MailState, TicketRow
from tests.system.daemon import DaemonProcess

ROUNDS = 20
CLIENTS = 6
THREAD = 4  # mails of one conversation: the first opens a ticket, the others answer it


class Customer(threading.Thread):
    """Sends numbered mails, each again and again until it is answered 250."""

    def __init__(self, number: int, port: int, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.name = f"c{number}"
        self._port = port
        self._done = done
        self._retry = threading.Event()
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        count = 0
        while not self._done.is_set():
            self._send(count)
            count += 1

    def _send(self, count: int) -> None:
        thread, place = divmod(count, THREAD)
        name = f"{self.name}-{thread}-{place}"
        first = f"<{self.name}-{thread}-0@client.example>"
        answers = f"In-Reply-To: {first}\r\nReferences: {first}\r\n" if place else ""
        # A sender for each conversation: many mails of one address in a short time would be grouped, as they must.
        sender = f"{self.name}-{thread}@client.example"
        mail = (
            f"From: {sender}\r\nTo: support@acme.example\r\nSubject: {name}\r\nDate: Mon, 2 Mar 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{name}@client.example>\r\n{answers}\r\n{name}\r\n" + "x" * random.randrange(4000) + "\r\n"
        )
        while True:  # even when all is done: a mail that was tried ends once
            try:
                with smtplib.SMTP("127.0.0.1", self._port, timeout=20) as smtp:
                    smtp.sendmail(sender, ["support@acme.example"], mail)
            except smtplib.SMTPResponseException as error:
                if error.smtp_code >= 500:
                    self.refused.append(f"{name}: {error.smtp_code} {error.smtp_error!r}")
                    return
            except (OSError, smtplib.SMTPException):
                pass
            else:
                self.acknowledged.append(name)
                return
            self._retry.wait(0.02)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def daemon(request: pytest.FixtureRequest, tmp_path: Path):
    url = request.getfixturevalue(f"{request.param}_url")
    daemon = DaemonProcess(tmp_path, url)
    yield daemon
    daemon.close()


@pytest.mark.timeout(600)
def test_a_mail_answered_250_survives_every_kill_and_is_filed_once(daemon: DaemonProcess) -> None:
    done = threading.Event()
    customers = [Customer(number, daemon.port, done) for number in range(CLIENTS)]
    pause = threading.Event()
    started = False
    for _ in range(ROUNDS):
        daemon.start()
        if not started:
            started = True
            for customer in customers:
                customer.start()
        pause.wait(random.uniform(0.01, 0.3))
        daemon.kill()
    daemon.start()
    done.set()
    for customer in customers:
        customer.join(60)
    _wait_until_filed(daemon)
    assert daemon.stop() == 0

    acknowledged = [name for customer in customers for name in customer.acknowledged]
    assert not [each for customer in customers for each in customer.refused]
    assert len(acknowledged) > ROUNDS
    with daemon.database() as database, database.read() as connection:
        rows = connection.execute(
            select(MailRow.subject, MailRow.state, MailRow.ticket_id).where(MailRow.direction == Direction.IN)
        ).all()
        tickets = connection.scalar(select(func.count()).select_from(TicketRow))
        opened = Counter(
            connection.scalars(
                select(HistoryRow.ticket_id).where(HistoryRow.field == "status", HistoryRow.old.is_(None))
            )
        )
    stored = Counter(row.subject for row in rows)
    assert set(stored) == set(acknowledged)
    assert max(stored.values()) == 1
    assert {row.state for row in rows} == {MailState.FILED}
    ticket_of: dict[str, set[int]] = {}
    for row in rows:
        ticket_of.setdefault(row.subject.rpartition("-")[0], set()).add(row.ticket_id)
    assert all(len(ids) == 1 for ids in ticket_of.values()), "a conversation on two tickets"
    assert tickets == len(ticket_of)
    assert set(opened.values()) == {1}


def _wait_until_filed(daemon: DaemonProcess, seconds: float = 240.0) -> None:
    """Wait for what is stored, and for the leases of whoever was killed."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    with daemon.database() as database:
        while time.monotonic() < deadline:
            with database.write() as connection:
                # As if the leases of the killed ones were over, which takes minutes; what the daemon has is left to it.
                free = select(MailRow.id).where(MailRow.state == MailState.STORED).order_by(MailRow.id)
                ids = connection.scalars(free.with_for_update(skip_locked=True)).all()
                connection.execute(
                    MailRow.__table__.update().where(MailRow.id.in_(ids)).values(due_at=MailRow.stored_at)
                )
            pause.wait(0.5)
            with database.read() as connection:
                if not connection.scalar(select(func.count()).where(MailRow.state == MailState.STORED)):
                    return
    raise AssertionError("mails stay unfiled")


def test_the_port_is_free_again_at_once(daemon: DaemonProcess) -> None:
    daemon.start()
    daemon.kill()

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", daemon.port))
