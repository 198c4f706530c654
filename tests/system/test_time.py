"""The daemon as a process, stopped for a while, with a clock that is wrong: time alone does all once."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from maild.rules.state import Status
from maild.store import schedule
from maild.store.engine import Database, DatabaseBusyError
from maild.store.models import AddressRow, HistoryRow, PersonRow, TicketRow
from tests.system.daemon import DaemonProcess

TICKETS = 30
CLOSE_AFTER = timedelta(days=14)
HOUR = timedelta(hours=1)
AFTER_AGENTS = 1000  # what a daemon gives its agents, whom it welcomes, are the first numbers


def resolved(database: Database, due_at: datetime) -> None:
    """Write resolved tickets that are to be closed at `due_at`."""
    numbers = range(AFTER_AGENTS, AFTER_AGENTS + TICKETS)
    since = due_at - CLOSE_AFTER
    with database.write() as connection:
        connection.execute(insert(PersonRow), [{"id": each, "name": "", "created_at": since} for each in numbers])
        people = [
            {"id": each, "person_id": each, "normal": f"p{each}@c.example", "address": f"p{each}@c.example"}
            for each in numbers
        ]
        connection.execute(insert(AddressRow), people)
        connection.execute(
            insert(TicketRow),
            [
                {
                    "id": each,
                    "subject": "Question",
                    "department": "support",
                    "requester_id": each,
                    "created_at": since,
                    "status": Status.RESOLVED,
                    "since": since,
                    "due_at": due_at,
                    "attempts": 0,
                    "undelivered": False,
                    "priority": "normal",
                }
                for each in numbers
            ],
        )


def closed(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(TicketRow.status == Status.CLOSED)) or 0


def closings(database: Database) -> list[int]:
    with database.read() as connection:
        rows = connection.execute(select(func.count()).where(HistoryRow.new == "closed").group_by(HistoryRow.ticket_id))
        return [row[0] for row in rows]


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until it holds; return whether it does."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        pause.wait(0.1)
    return condition()


def stop_between_two_writes(daemon: DaemonProcess, database: Database) -> None:
    """Stop the process where it holds nothing that another would wait for."""
    for _ in range(20):
        daemon.signal_all(signal.SIGSTOP)
        try:
            with database.write():
                return
        except DatabaseBusyError:
            daemon.signal_all(signal.SIGCONT)
            threading.Event().wait(0.2)
    raise AssertionError("it always writes")


@pytest.fixture
def daemon(sqlite_url: str, tmp_path: Path):
    process = DaemonProcess(tmp_path, sqlite_url)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.signal_all(signal.SIGCONT)
    process.close()


def test_a_daemon_that_was_stopped_for_an_hour_goes_on_and_does_all_of_it_once(daemon: DaemonProcess) -> None:
    with daemon.database() as database:
        resolved(database, datetime.now(UTC) + HOUR)
        daemon.start()
        stop_between_two_writes(daemon, database)

        with database.write() as connection:  # as if it had been stopped for two hours
            late = datetime.now(UTC) - HOUR
            connection.execute(update(TicketRow).values(since=late - CLOSE_AFTER, due_at=late))
        daemon.signal_all(signal.SIGCONT)

        assert until(lambda: closed(database) == TICKETS, 90)
        assert closings(database) == [1] * TICKETS
    assert daemon.stop() == 0


@pytest.mark.postgresql
def test_what_one_node_does_while_the_other_is_stopped_is_not_done_again(postgresql_url: str, tmp_path: Path) -> None:
    nodes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        nodes.append(DaemonProcess(tmp_path / name, postgresql_url))
    try:
        with Database(postgresql_url) as database:
            for node in nodes:
                node.start()
            nodes[0].signal_all(signal.SIGSTOP)
            resolved(database, datetime.now(UTC) - HOUR)

            assert until(lambda: closed(database) == TICKETS, 90)
            nodes[0].signal_all(signal.SIGCONT)
            assert nodes[0].stop() == 0
            assert closings(database) == [1] * TICKETS
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.signal_all(signal.SIGCONT)
            node.close()


def test_a_daemon_that_starts_with_a_clock_a_year_ahead_closes_nothing_until_it_is_told_to(
    daemon: DaemonProcess,
) -> None:
    with daemon.database() as database:
        now = datetime.now(UTC)
        resolved(database, now - HOUR)
        with database.write() as connection:
            schedule.note(connection, seen_at=now - timedelta(days=365))

        daemon.start()
        assert daemon.wait_for("the clock is not believed")
        assert closed(database) == 0

        said = subprocess.run(
            [sys.executable, "-m", "maild", "schedule", "release", "-c", str(daemon.config)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "released" in said.stderr + said.stdout
        assert daemon.wait_for("the clock is believed again", 90)
        assert until(lambda: closed(database) == TICKETS, 90)
    assert daemon.stop() == 0
