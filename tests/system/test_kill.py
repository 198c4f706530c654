"""`kill -9` at random instants under load: what was answered 250 is there, once, on the ticket where it belongs."""

import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from maild.store.models import Direction, HistoryRow, MailRow, MailState, TicketRow
from tests.system.customers import Customer
from tests.system.daemon import DaemonProcess

ROUNDS = 20
CLIENTS = 6


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
        daemon.kill(workers=random.random() < 0.5)
    daemon.start()
    done.set()
    for customer in customers:
        customer.join(60)
    wait_until_filed(daemon)
    assert daemon.stop() == 0

    acknowledged = [name for customer in customers for name in customer.acknowledged]
    assert not [each for customer in customers for each in customer.refused]
    assert len(acknowledged) > ROUNDS
    judge(daemon, acknowledged)


def judge(daemon: DaemonProcess, acknowledged: list[str]) -> None:
    """What was answered 250 is there, once, on the ticket where it belongs."""
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


def wait_until_filed(daemon: DaemonProcess, seconds: float = 240.0) -> None:
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
            undisturbed = time.monotonic() + 15  # a group that is being filed loses its lease by that
            while time.monotonic() < undisturbed:
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
