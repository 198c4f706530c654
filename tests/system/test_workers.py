"""The processes that think, killed, stopped and never begun: whoever delivers mail notices nothing."""

import os
import random
import signal
import smtplib
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from maild.services.filer import MOST_DEATHS
from maild.store.engine import DatabaseBusyError
from maild.store.models import DeliveryRow, Direction, MailRow, MailState
from tests.parts import free_port
from tests.system.customers import Customer
from tests.system.daemon import DaemonProcess
from tests.system.test_kill import CLIENTS, judge

ROUNDS = 10
SECRET = "not-for-everybody"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def daemon(request: pytest.FixtureRequest, tmp_path: Path):
    daemon = DaemonProcess(tmp_path, request.getfixturevalue(f"{request.param}_url"))
    yield daemon
    daemon.close()


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path):
    daemon = DaemonProcess(tmp_path, sqlite_url)
    yield daemon
    daemon.close()


class Patient(Customer):
    """A customer who notes when he is not served at once."""

    troubles = 0

    def sent(self, error: Exception | None) -> None:
        self.troubles += error is not None

    def _send(self, count: int) -> None:
        super()._send(count)
        self._retry.wait(0.1)  # else thousands come in before the first is filed


def send(port: int, name: str, text: str = "Hello") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
        smtp.sendmail(
            f"{name}@customer.example",
            ["support@acme.example"],
            f"From: {name}@customer.example\r\nTo: support@acme.example\r\nSubject: {name}\r\n"
            f"Message-ID: <{name}@c.example>\r\n\r\n{text}\r\n",
        )


def states(daemon: DaemonProcess) -> dict[str, int]:
    with daemon.database() as database, database.read() as connection:
        rows = connection.execute(
            select(MailRow.state, func.count()).where(MailRow.direction == Direction.IN).group_by(MailRow.state)
        )
        return {str(state): count for state, count in rows}


def wait_for_states(daemon: DaemonProcess, seconds: float = 60.0, **expected: int) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while (found := states(daemon)) != expected:
        assert time.monotonic() < deadline, (found, daemon.lines[-20:])
        pause.wait(0.1)


def ends(pid: int, seconds: float = 20.0) -> bool:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        pause.wait(0.05)
    return False


def stop_between_two_writes(daemon: DaemonProcess, worker: int) -> None:
    """Stop a worker where it holds nothing that another would wait for."""
    with daemon.database() as database:
        for _ in range(20):
            os.kill(worker, signal.SIGSTOP)
            try:
                with database.write():
                    return
            except DatabaseBusyError:
                os.kill(worker, signal.SIGCONT)
                threading.Event().wait(0.2)
    raise AssertionError("it always writes")


@pytest.mark.timeout(300)
def test_a_worker_killed_again_and_again_costs_nobody_anything(daemon: DaemonProcess) -> None:
    """Nothing is lost or doubled, nobody who delivers is turned away, no lease is waited for, no mail is blamed."""
    daemon.start()
    done, pause = threading.Event(), threading.Event()
    customers = [Patient(number, daemon.port, done) for number in range(CLIENTS)]
    for customer in customers:
        customer.start()
    for round_ in range(1, ROUNDS + 1):
        assert daemon.wait_for_times("worker ready worker=worker", round_)
        victim = daemon.worker()
        pause.wait(random.uniform(0.0, 0.5))
        os.kill(victim, signal.SIGKILL)
        assert ends(victim)
    done.set()
    for customer in customers:
        customer.join(60)
    acknowledged = [name for customer in customers for name in customer.acknowledged]
    wait_for_states(daemon, 60, filed=len(acknowledged))
    assert daemon.stop() == 0

    assert [customer.troubles for customer in customers] == [0] * CLIENTS
    judge(daemon, acknowledged)
    with daemon.database() as database, database.read() as connection:
        told = Counter(connection.scalars(select(DeliveryRow.recipient).where(DeliveryRow.recipient.like("c%"))))
    assert not [recipient for recipient, count in told.items() if count > 1]


@pytest.mark.timeout(300)
def test_a_mail_that_kills_its_reader_is_set_aside_and_all_others_are_filed(desk: DaemonProcess) -> None:
    desk.command = [sys.executable, "-m", "tests.system.workers", "deadly"]
    desk.start()
    for number in range(5):
        send(desk.port, f"before{number}")
    send(desk.port, "killer", "DEADLY")
    for number in range(5):
        send(desk.port, f"after{number}")

    wait_for_states(desk, 120, filed=10, failed=1)
    assert desk.stop() == 0
    with desk.database() as database, database.read() as connection:
        row = connection.execute(select(MailRow).where(MailRow.state == MailState.FAILED)).one()
    assert f"begun {MOST_DEATHS} times" in row.reason
    deaths = [line for line in desk.lines if "worker died" in line]
    assert len(deaths) == MOST_DEATHS
    assert all("how=SIGSEGV" in line for line in deaths)


def test_mail_is_taken_while_a_worker_is_stopped_and_filed_when_it_goes_on(desk: DaemonProcess) -> None:
    desk.start()
    worker = desk.worker()
    send(desk.port, "first")
    assert desk.wait_for("open ticket=1")
    stop_between_two_writes(desk, worker)
    try:
        send(desk.port, "second")
        assert states(desk) == {"filed": 1, "stored": 1}
    finally:
        os.kill(worker, signal.SIGCONT)

    assert desk.wait_for("open ticket=2")
    assert desk.stop() == 0


def test_mail_is_taken_though_no_worker_can_be_begun_and_monitors_are_told(desk: DaemonProcess) -> None:
    shown = f"127.0.0.1:{free_port()}"
    desk.config.write_text(f'{desk.config.read_text()}\n[metrics]\nlisten = "{shown}"\n')
    desk.command = [sys.executable, "-m", "tests.system.workers", "none"]
    desk.start()
    send(desk.port, "first")

    assert states(desk) == {"stored": 1}
    with urllib.request.urlopen(f"http://{shown}/metrics", timeout=20) as page:
        assert 'maild_service_up{service="worker"} 0.0' in page.read().decode()
    assert any("no worker can be begun" in line for line in desk.lines)
    assert desk.stop() == 0


def test_a_worker_ends_when_the_daemon_is_gone(desk: DaemonProcess) -> None:
    desk.start()
    worker = desk.worker()
    desk.kill(workers=False)

    assert ends(worker)


def test_the_workers_of_a_dead_fork_server_go_on_until_the_next_has_begun_others(desk: DaemonProcess) -> None:
    desk.start()
    worker, forking = desk.worker(), desk.fork_server()
    os.kill(forking, signal.SIGKILL)
    assert desk.wait_for("fork server died")
    send(desk.port, "first")
    assert desk.wait_for("open ticket=1")

    assert desk.wait_for_times("worker ready worker=worker", 2)
    assert ends(worker)
    send(desk.port, "second")
    assert desk.wait_for("open ticket=2")
    assert any("fork server died" in line and f"pid={forking} how=SIGKILL" in line for line in desk.lines)
    assert desk.fork_server() != forking
    assert desk.worker() != worker  # a child of the new one, so `maild status` and `ps` show it
    assert not any("worker died" in line for line in desk.lines)
    assert desk.stop() == 0


def test_a_worker_that_dies_after_its_fork_server_is_begun_by_the_next(desk: DaemonProcess) -> None:
    desk.start()
    worker, forking = desk.worker(), desk.fork_server()
    os.kill(forking, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    assert desk.wait_for_times("worker ready worker=worker", 2)
    send(desk.port, "first")
    assert desk.wait_for("open ticket=1")
    assert desk.stop() == 0


def test_nothing_is_left_of_a_daemon_that_is_killed_while_its_workers_begin(desk: DaemonProcess) -> None:
    desk.begin()
    forking = desk.fork_server()
    desk.kill(workers=False)

    assert ends(forking)


def test_a_fork_server_ends_when_the_daemon_is_gone(desk: DaemonProcess) -> None:
    desk.start()
    forking = desk.fork_server()
    desk.kill(workers=False)

    assert ends(forking)


def test_no_python_warns_of_how_workers_are_begun(desk: DaemonProcess) -> None:
    """As it would where a process with threads is forked."""
    desk.env = {"PYTHONWARNINGS": "error"}
    desk.start()
    send(desk.port, "first")

    assert desk.wait_for("open ticket=1")
    assert len(list(Path(f"/proc/{desk.fork_server()}/task").iterdir())) == 1
    assert desk.stop() == 0
    assert not [line for line in desk.lines if "Warning" in line]


def test_a_worker_that_hangs_is_ended_and_what_it_had_is_filed_by_another(desk: DaemonProcess) -> None:
    desk.command = [sys.executable, "-m", "tests.system.workers", "impatient"]
    desk.start()
    hanging = desk.worker()
    stop_between_two_writes(desk, hanging)
    send(desk.port, "first")

    assert desk.wait_for("open ticket=1")
    assert any("worker hangs" in line and f"pid={hanging}" in line for line in desk.lines)
    assert ends(hanging)
    assert desk.stop() == 0


def test_a_worker_that_is_told_to_end_by_hand_is_begun_anew_and_nothing_is_blamed_for_it(desk: DaemonProcess) -> None:
    desk.start()
    worker = desk.worker()
    os.kill(worker, signal.SIGTERM)
    assert ends(worker)
    send(desk.port, "first")

    assert desk.wait_for("open ticket=1")
    assert not [line for line in desk.lines if "died" in line]
    assert desk.stop() == 0


def test_who_is_who_is_seen_in_ps_and_no_secret(desk: DaemonProcess) -> None:
    desk.config.write_text(
        desk.config.read_text().replace("[relay]\n", f'[relay]\nuser = "desk"\npassword = "{SECRET}"\n')
    )
    desk.start()
    seen = [Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0") for pid in desk.pids()]

    assert seen[1:] == [["maild", "fork-server"], ["maild", "worker", str(desk.config)]]
    assert [Path(f"/proc/{pid}/comm").read_text() for pid in desk.pids()[1:]] == ["maild fork-serv\n", "maild worker\n"]
    assert SECRET not in str(seen)
    assert desk.stop() == 0


def test_a_template_that_breaks_is_refused_at_a_reload_and_ends_a_start(desk: DaemonProcess, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    text = desk.config.read_text().replace("[maild]\n", f'[maild]\ntemplates = "{templates}"\n')
    desk.config.write_text(text)
    desk.start()
    (templates / "acknowledgement.txt").write_text("{% block subject %}{{ broken")
    desk.signal(signal.SIGHUP)
    assert desk.wait_for("reload refused")
    send(desk.port, "first")
    assert desk.wait_for("open ticket=1")
    assert desk.stop() == 0

    desk.begin()
    assert desk.process.wait(60) == 78
