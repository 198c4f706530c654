"""A backup while the daemon works: one moment of the desk, with every mail that was answered 250 before it began."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from maild.store import raw
from maild.store.models import Direction, MailRow
from tests.postgresql import programs
from tests.system.customers import Customer
from tests.system.daemon import DaemonProcess

CLIENTS = 3
BACKUPS = 3
FEW = 15  # mails between two backups


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def daemon(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonProcess]:
    """A daemon that is ready, on either engine, with PostgreSQL's programs of the server's version in the path."""
    url = request.getfixturevalue(f"{request.param}_url")
    if request.param == "postgresql":
        monkeypatch.setenv("PATH", f"{programs()}:{os.environ['PATH']}")
    process = DaemonProcess(tmp_path, url)
    process.start()
    try:
        yield process
    finally:
        process.close()


def run(daemon: DaemonProcess, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maild", *map(str, words), "-c", str(daemon.config)]
    return subprocess.run(command, capture_output=True, check=False, timeout=100, stdin=subprocess.DEVNULL, text=True)


def acknowledged(customers: list[Customer]) -> set[str]:
    return {name for customer in customers for name in list(customer.acknowledged)}


def wait_for_more(customers: list[Customer], count: int) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + 60
    while len(acknowledged(customers)) < count and time.monotonic() < deadline:
        pause.wait(0.01)
    assert len(acknowledged(customers)) >= count


def stored(daemon: DaemonProcess) -> set[str]:
    """The subjects of what came in, from the bytes: columns are filled when a mail is filed."""
    asked = select(MailRow.id).where(MailRow.direction == Direction.IN)
    with daemon.database() as database, database.read() as connection:
        contents = raw.of(connection, connection.scalars(asked).all()).values()
        found = (re.search(rb"^Subject: (\S+)", content, re.MULTILINE) for content in contents)
        return {each[1].decode() for each in found if each}


@pytest.mark.timeout(300)
def test_a_backup_under_load_has_all_that_was_answered_before_it(daemon: DaemonProcess, tmp_path: Path) -> None:
    done = threading.Event()
    customers = [Customer(number, daemon.port, done) for number in range(CLIENTS)]
    backups: list[tuple[Path, set[str]]] = []
    try:
        for customer in customers:
            customer.start()
        for number in range(BACKUPS):
            wait_for_more(customers, FEW * (number + 1))
            before = acknowledged(customers)
            made = run(daemon, "db", "backup", tmp_path / f"copy-{number}", "--json")
            assert made.returncode == 0, made.stderr
            assert json.loads(made.stdout)["data"]["rows"]["mail"] >= len(before)
            backups.append((tmp_path / f"copy-{number}", before))
        after_the_last = acknowledged(customers)
        wait_for_more(customers, len(after_the_last) + 1)  # the daemon was not held up
    finally:
        done.set()
        for customer in customers:
            customer.join(30)
    assert [refusal for customer in customers for refusal in customer.refused] == []
    refused = run(daemon, "db", "restore", backups[0][0], "--force")
    assert refused.returncode == 75, refused.stderr
    assert stored(daemon) >= after_the_last
    assert daemon.stop() == 0

    for file, before in backups:
        restored = run(daemon, "db", "restore", file, "--force")
        assert restored.returncode == 0, restored.stderr
        assert stored(daemon) >= before
        assert run(daemon, "db", "check").stdout == "the database is sound\n"
    daemon.start()
    assert daemon.stop() == 0
