"""The commands beside a running daemon: they see what it does and do not disturb it."""

import json
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from maild.store import agents
from maild.store.models import DeliveryRow
from tests.database.commands import HOSTILE, OBEYED
from tests.parts import free_port
from tests.system.commands import on_terminal
from tests.system.daemon import DaemonProcess
from tests.wire.sink import sink

RAW = f"From: {HOSTILE} <ada@customer.example>\r\nTo: support@acme.example\r\nSubject: {HOSTILE} and more of it\r\n\r\n"


@pytest.fixture
def daemon(sqlite_url: str, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon that is ready, with a mail that was stored: the first, since its agent was welcomed before."""
    process = DaemonProcess(tmp_path, sqlite_url)
    with process.database() as database, database.write() as connection:
        agents.welcome(connection, "anna@acme.example", datetime.now(UTC))
    process.start()
    try:
        with smtplib.SMTP("127.0.0.1", process.port) as client:
            client.sendmail("ada@customer.example", ["support@acme.example"], RAW.encode() + b"Hi\xff\xfe\x1b[2J\r\n")
        assert process.wait_for("mail 1: open")
        yield process
    finally:
        process.close()


def run(daemon: DaemonProcess, *words: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "maild", *map(str, words), "-c", str(daemon.config)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


def test_commands_see_what_the_daemon_does(daemon: DaemonProcess) -> None:
    status = json.loads(run(daemon, "status", "--json").stdout)["data"]
    tickets = json.loads(run(daemon, "ticket", "list", "--json").stdout)["data"]

    assert status["daemon"]["running"] is True
    seen = {each["name"]: each["pid"] for each in status["daemon"]["processes"]}
    assert seen == {"daemon": daemon.process.pid, "fork-server": daemon.fork_server(), "worker": daemon.worker()}
    assert f"worker {daemon.worker()}" in run(daemon, "status").stdout.decode()
    assert [each["id"] for each in tickets] == [1]


def test_raw_gives_the_very_bytes(daemon: DaemonProcess) -> None:
    raw = run(daemon, "mail", "show", 1, "--raw").stdout

    assert raw.endswith(RAW.encode() + b"Hi\xff\xfe\x1b[2J\r\n")


def test_a_change_by_an_operator_needs_no_stop_of_the_daemon(daemon: DaemonProcess) -> None:
    done = run(daemon, "ticket", "set", 1, "--status", "resolved")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"ticket 1: new -> resolved\n", b"")
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    "words", [("ticket", "list"), ("mail", "list"), ("delivery", "list"), ("status",)], ids=" ".join
)
def test_lists_fit_a_terminal_of_80_columns_and_obey_no_mail(daemon: DaemonProcess, words: tuple[str, ...]) -> None:
    shown = on_terminal(80, *words, "-c", daemon.config, env={"NO_COLOR": "1"})

    assert all(len(line) <= 80 for line in shown.splitlines() if not line.startswith("database "))  # a path stays whole
    assert not set(OBEYED) & set(shown)


def test_check_knows_the_daemons_own_port_and_says_that_the_relay_is_away(daemon: DaemonProcess) -> None:
    done = run(daemon, "check", "--connect", "--json")
    found = {each["about"]: each for each in json.loads(done.stdout)["data"]["findings"] if each["level"] != "warning"}

    assert done.returncode == 78
    assert (found["relay"]["level"], "127.0.0.1:9" in found["relay"]["text"]) == ("fault", True)
    assert (found["listener"]["level"], found["listener"]["text"]) == (
        "ok",
        f"127.0.0.1:{daemon.port}: maild listens there already",
    )
    assert (found["journal"]["level"], found["database"]["level"]) == ("ok", "ok")


def test_a_second_daemon_is_refused_with_the_process_of_the_first(daemon: DaemonProcess) -> None:
    done = run(daemon, "run")

    assert done.returncode == 75
    assert b"another maild serves" in done.stderr
    assert daemon.process is not None
    assert f"pid {daemon.process.pid}".encode() in done.stderr


def test_check_names_who_has_the_listeners_port(tmp_path: Path, sqlite_url: str) -> None:
    process = DaemonProcess(tmp_path, sqlite_url, relay_port=free_port())
    with socket.create_server(("127.0.0.1", process.port)) as other:
        other.settimeout(30)
        asking = subprocess.Popen(
            [sys.executable, "-m", "maild", "check", "--connect", "-c", str(process.config)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        client, _ = other.accept()
        with client:
            client.sendall(b"220 mx.example ESMTP \x1b[31mPostfix\r\n")
            _, errors = asking.communicate(timeout=60)

    assert asking.returncode == 78
    assert f"127.0.0.1:{process.port}: another program listens there: 220 mx.example ESMTP".encode() in errors
    assert b"\x1b" not in errors


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def beside(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon on either engine whose relay is not there yet."""
    process = DaemonProcess(tmp_path, request.getfixturevalue(f"{request.param}_url"), relay_port=free_port())
    with process.database() as database, database.write() as connection:
        agents.welcome(connection, "anna@acme.example", datetime.now(UTC))
    process.start()
    try:
        yield process
    finally:
        process.close()


def test_what_a_command_makes_due_is_done_within_seconds(beside: DaemonProcess) -> None:
    """Nobody else writes: only the command itself can wake the filer, and the sender."""
    with smtplib.SMTP("127.0.0.1", beside.port) as client:
        client.sendmail("anna@acme.example", ["support@acme.example"], "From: anna@acme.example\r\n\r\nHi\r\n")
    assert beside.wait_for("mail 1: held")
    assert beside.wait_for("relay cannot be used")
    released = run(beside, "mail", "release", 1)

    assert released.returncode == 0, released.stderr
    assert beside.wait_for("mail 1: open", 10), beside.lines[-5:]

    with sink(beside.relay_port) as smarthost:
        with beside.database() as database, database.read() as connection:
            waiting = connection.scalars(select(DeliveryRow.id).where(DeliveryRow.state == "queued")).all()
        retried = run(beside, "delivery", "retry", *waiting)
        assert retried.returncode == 0, retried.stderr
        assert beside.wait_for(f"delivery {waiting[0]}: sent", 10), beside.lines[-5:]
        assert smarthost.mails
