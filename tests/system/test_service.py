"""maild as a service: the unit as systemd reads it, and the daemon in the surroundings that the unit gives it."""

import re
import shutil
import signal
import smtplib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.parts import free_port, missing
from tests.system.daemon import DaemonProcess
from tests.system.systemd import NotifySocket
from tests.wire.sink import sink

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
UNITS = ("maild.service", "maild.socket")


def settings(file: str) -> dict[str, str]:
    """The settings of a unit, the last one of each name."""
    lines = (SYSTEMD / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze") or missing("systemd-analyze", "systemd")
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)


def test_systemd_reads_the_units_without_a_word(tmp_path: Path) -> None:
    for name in UNITS:
        text = (SYSTEMD / name).read_text().replace("ExecStart=maild ", f"ExecStart={sys.executable} -m maild ")
        (tmp_path / name).write_text(text)
    done = analyze("verify", "--man=no", *(tmp_path / name for name in UNITS))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_drop_in_makes_a_reload_synchronous_where_systemd_can(tmp_path: Path) -> None:
    drop_in = settings("notify-reload.conf")
    assert drop_in == {"Type": "notify-reload", "ExecReload": ""}
    version = int(re.search(r"systemd (\d+)", analyze("--version").stdout)[1])
    if version < 253:
        return  # it would not know the type, which is why it is a drop-in
    (tmp_path / "maild.service.d").mkdir()
    shutil.copy(SYSTEMD / "notify-reload.conf", tmp_path / "maild.service.d")
    text = (SYSTEMD / "maild.service").read_text().replace("ExecStart=maild ", f"ExecStart={sys.executable} -m maild ")
    (tmp_path / "maild.service").write_text(text)

    assert analyze("verify", "--man=no", tmp_path / "maild.service").returncode == 0


def test_a_reload_needs_no_program_that_a_small_system_lacks() -> None:
    """Seen in practice: Debian without procps has no /bin/kill."""
    assert settings("maild.service")["ExecReload"] == "/bin/sh -c 'kill -HUP $MAINPID'"


def test_every_setting_that_takes_something_away_is_explained_or_plain() -> None:
    """An odd line has its reason above it."""
    text = (SYSTEMD / "maild.service").read_text()

    for odd in ("PrivateUsers=", "MemoryDenyWriteExecute=", "SystemCallErrorNumber=", "LimitCORE=", "MemoryMax="):
        assert re.search(rf"^# .+\n{odd}", text, re.MULTILINE), odd


@pytest.fixture
def service(tmp_path: Path):
    """A daemon in the surroundings of the unit: state in $STATE_DIRECTORY, a password as a credential."""
    state, credentials = tmp_path / "state", tmp_path / "credentials"
    state.mkdir(mode=0o700)
    credentials.mkdir(mode=0o700)
    (credentials / "relay-password").write_text("secret\n")
    with sink(users={"desk": "secret"}) as smarthost:
        daemon = DaemonProcess(tmp_path, "sqlite:///unused.db", relay_port=smarthost.port)
        text = daemon.config.read_text().replace('database = "sqlite:///unused.db"\n', "")
        text = text.replace("[relay]\n", '[relay]\nuser = "desk"\npassword_credential = "relay-password"\n')
        daemon.config.write_text(text)
        unit = dict(each.split("=", 1) for each in settings("maild.service")["Environment"].split())
        daemon.env = {**unit, "STATE_DIRECTORY": str(state), "CREDENTIALS_DIRECTORY": str(credentials)}
        yield daemon, smarthost, state
        daemon.close()


def test_the_daemon_keeps_its_database_in_the_state_directory_and_logs_in_by_a_credential(service) -> None:
    daemon, smarthost, state = service
    daemon.start()
    with smtplib.SMTP("127.0.0.1", daemon.port, timeout=20) as smtp:
        mail = "From: ada@customer.example\r\nTo: support@acme.example\r\nSubject: Hello\r\n\r\nHello\r\n"
        smtp.sendmail("ada@customer.example", ["support@acme.example"], mail)

    assert daemon.wait_for("delivery 1: sent")
    assert {mail.user for mail in smarthost.mails} == {"desk"}
    assert daemon.stop() == 0
    assert [each.name for each in state.iterdir() if each.stat().st_mode & 0o077] == []


def test_a_reload_is_told_with_its_begin_so_that_systemd_can_wait_for_its_end(service, tmp_path: Path) -> None:
    daemon, _, _ = service
    systemd = NotifySocket(tmp_path)
    daemon.env |= {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "1000000"}
    daemon.begin()
    try:
        systemd.until("READY=1")
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        daemon.signal(signal.SIGHUP)
        reloading = systemd.until("RELOADING=1")[-1]
        begun_us = int(re.search(r"MONOTONIC_USEC=(\d+)", reloading)[1])
        assert before_us <= begun_us <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert "STATUS=serving on" in systemd.until("READY=1")[-1]
        assert systemd.until("WATCHDOG=1")
    finally:
        systemd.close()


def test_a_client_who_came_before_the_daemon_is_greeted_by_it(service) -> None:
    """systemd opens the port, and hands it over with the first client still waiting on it."""
    activate = shutil.which("systemd-socket-activate") or missing("systemd-socket-activate", "systemd")
    daemon, _, _ = service
    port = free_port()
    given = [f"--setenv={name}={value}" for name, value in daemon.env.items()]
    maild = [sys.executable, "-m", "maild", "run", "-c", str(daemon.config)]
    activated = subprocess.Popen([activate, "--listen", f"127.0.0.1:{port}", *given, *maild], stderr=subprocess.DEVNULL)
    try:
        with connected(port) as smtp:
            assert smtp.docmd("RCPT TO:<x@y.example>")[0] == 503
        activated.send_signal(signal.SIGTERM)
        assert activated.wait(20) == 0
    finally:
        activated.kill()
        activated.wait()


def connected(port: int) -> smtplib.SMTP:
    """Connect as soon as the port is open, and wait for the greeting as long as it takes."""
    ends_s = time.monotonic() + 20
    while True:
        try:
            return smtplib.SMTP("127.0.0.1", port, timeout=40)
        except ConnectionRefusedError:
            assert time.monotonic() < ends_s
