"""The daemon as a process: how it starts, what it tells systemd, how it ends, what it refuses."""

import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from maild.store.models import MailRow
from tests.system.daemon import DaemonProcess
from tests.system.systemd import NotifySocket


@pytest.fixture
def daemon(sqlite_url: str, tmp_path: Path):
    daemon = DaemonProcess(tmp_path, sqlite_url)
    yield daemon
    daemon.close()


def send(port: int, subject: str = "Hello") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
        smtp.sendmail(
            "ada@customer.example",
            ["support@acme.example"],
            f"From: ada@customer.example\r\nSubject: {subject}\r\nMessage-ID: <{subject}@c.example>\r\n\r\nHello\r\n",
        )


def test_systemd_is_told_each_step(daemon: DaemonProcess, tmp_path: Path) -> None:
    systemd = NotifySocket(tmp_path)
    daemon.env = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "400000"}
    daemon.begin()
    try:
        told = "\n".join(systemd.until("READY=1"))
        assert "STATUS=serving on 127.0.0.1" in told
        systemd.until("WATCHDOG=1")
        daemon.signal(signal.SIGHUP)
        reloading = systemd.until("RELOADING=1")
        assert "MONOTONIC_USEC=" in reloading[-1]
        systemd.until("READY=1")
        daemon.signal(signal.SIGTERM)
        systemd.until("STOPPING=1")
        assert daemon.process.wait(20) == 0
    finally:
        systemd.close()


def test_sigterm_with_an_idle_client_and_one_inside_data_loses_nothing(daemon: DaemonProcess) -> None:
    daemon.start()
    idle = smtplib.SMTP("127.0.0.1", daemon.port, timeout=20)
    idle.ehlo()
    busy = smtplib.SMTP("127.0.0.1", daemon.port, timeout=20)
    busy.ehlo()
    busy.mail("ada@customer.example")
    busy.rcpt("support@acme.example")
    busy.putcmd("data")
    assert busy.getreply()[0] == 354
    busy.send(b"From: ada@customer.example\r\nSubject: last words\r\n\r\n")

    daemon.signal(signal.SIGTERM)
    assert idle.getreply()[0] == 421
    busy.send(b"the end\r\n.\r\n")
    assert busy.getreply()[0] == 250
    assert daemon.process.wait(20) == 0
    idle.close()
    busy.close()

    with daemon.database() as database, database.read() as connection:
        assert connection.scalars(select(MailRow.size_bytes)).first()


def test_sighup_takes_a_valid_configuration_and_refuses_a_broken_one(daemon: DaemonProcess) -> None:
    daemon.start()
    written = daemon.config.read_text()
    daemon.config.write_text(written.replace('name = "support"', "nmae = 1"))
    daemon.signal(signal.SIGHUP)
    assert daemon.wait_for("reload refused")
    send(daemon.port, "still-served")

    daemon.config.write_text(written + '\n[[department]]\nname = "sales"\naddress = "sales@acme.example"\n')
    daemon.signal(signal.SIGHUP)
    assert daemon.wait_for("reloaded")
    with smtplib.SMTP("127.0.0.1", daemon.port, timeout=20) as smtp:
        smtp.ehlo()
        smtp.mail("ada@customer.example")
        assert smtp.rcpt("sales@acme.example")[0] == 250
    assert daemon.stop() == 0


def test_a_reload_that_cannot_listen_goes_on_where_it_was(daemon: DaemonProcess) -> None:
    daemon.start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        written = daemon.config.read_text()
        daemon.config.write_text(written.replace(f":{daemon.port}", f":{taken.getsockname()[1]}"))
        daemon.signal(signal.SIGHUP)
        assert daemon.wait_for("reload refused")

    send(daemon.port, "still-served")
    assert daemon.stop() == 0


def test_a_second_daemon_on_the_same_file_is_refused_and_told_who_has_it(daemon: DaemonProcess, tmp_path: Path) -> None:
    daemon.start()
    second = subprocess.run(
        [sys.executable, "-m", "maild", "run", "-c", str(daemon.config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 75
    assert f"pid {daemon.process.pid}" in second.stderr
    assert daemon.stop() == 0


def test_a_broken_configuration_ends_with_78_and_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[smtp]\nlisten = "127.0.0.1:0"\n[[department]]\nname = "support"\nadress = "s@acme.example"\n')
    ended = subprocess.run(
        [sys.executable, "-m", "maild", "run", "-c", str(path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 78
    assert f"{path}:5: department[1].adress" in ended.stderr
    assert "address" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_ends_with_words_and_no_traceback(daemon: DaemonProcess) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", daemon.port))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "maild", "run", "-c", str(daemon.config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode not in (0, 1)
    assert "Traceback" not in ended.stderr
    assert str(daemon.port) in ended.stderr


def test_an_idle_daemon_is_small_and_quiet(daemon: DaemonProcess) -> None:
    daemon.start()
    send(daemon.port)
    assert daemon.wait_for("open ticket=1")
    settled = threading.Event()
    settled.wait(1.0)
    ticks = os.sysconf("SC_CLK_TCK")

    def cpu_s() -> float:
        fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    before_s = cpu_s()
    settled.wait(3.0)
    used_s = cpu_s() - before_s
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    resident_mb = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    assert resident_mb < 120
    assert used_s < 0.15
    assert daemon.stop() == 0


def test_an_open_socket_of_systemd_is_served(daemon: DaemonProcess) -> None:
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(("127.0.0.1", 0))
        opened.listen()
        port = opened.getsockname()[1]
        early = socket.create_connection(("127.0.0.1", port), timeout=30)  # before the daemon is there
        script = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
            "os.environ['LISTEN_PID'] = str(os.getpid()); os.environ['LISTEN_FDS'] = '1';"
            "os.execv(sys.executable, [sys.executable, '-m', 'maild', 'run', '-c', sys.argv[2]])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(opened.fileno()), str(daemon.config)],
            pass_fds=[opened.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        assert early.recv(3) == b"220"
        send(port)
    finally:
        early.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
