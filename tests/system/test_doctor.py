"""`maild doctor` beside a daemon that works: what an operator types, and what he reads."""

import json
import smtplib
import threading
from pathlib import Path

import pytest

from tests.system.commands import run
from tests.system.daemon import DaemonProcess
from tests.wire.sink import Sink, sink


def pass_on(smarthost: Sink, port: int, stop: threading.Event) -> None:
    """Be the mail servers between relay and listener."""
    done = 0
    while not stop.wait(0.05):
        for mail in smarthost.mails[done:]:
            done += 1
            ours = [each for each in mail.recipients if each.startswith("support")]
            if ours:
                with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
                    smtp.sendmail("", ours, mail.raw)


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path):
    """A daemon whose relay hands mail back to it."""
    with sink() as smarthost:
        daemon = DaemonProcess(tmp_path, sqlite_url, relay_port=smarthost.port)
        daemon.config.chmod(0o640)
        daemon.start()
        stop = threading.Event()
        server = threading.Thread(target=pass_on, args=(smarthost, daemon.port, stop))
        server.start()
        yield daemon
        stop.set()
        server.join()
        daemon.close()


def test_the_doctor_sees_a_mail_go_out_and_come_in(desk: DaemonProcess) -> None:
    done = run("doctor", "-c", desk.config, "--json", "D57", "d30", "D35", "D43")
    answer = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (answer["maild"], answer["kind"]) == (1, "doctor")
    assert [each["number"] for each in answer["data"]["checks"]] == ["D57", "D30", "D35", "D43"]
    assert {each["verdict"] for each in answer["data"]["checks"]} == {"ok"}
    assert "in by smtp 127.0.0.1" in answer["data"]["checks"][0]["findings"][0]["found"]
    assert json.loads(run("ticket", "list", "-c", desk.config, "--json").stdout)["data"] == []


def test_the_doctor_tells_what_is_wrong_why_and_what_helps(desk: DaemonProcess) -> None:
    assert desk.stop() == 0
    done = run("doctor", "-c", desk.config, "--offline")
    said = done.stdout.decode()

    assert done.returncode == 1
    assert "FAIL  D43  The daemon runs" in said
    assert "      why   It files, sends and reminds" in said
    assert "      fix   systemctl start maild" in said
    assert "checks could not be made, for want of a network (--offline)" in said
    assert "ok  " not in said
    assert said.splitlines()[-1].startswith("57 checks: ")


def test_the_doctor_mends_what_is_safe_and_says_so(desk: DaemonProcess) -> None:
    desk.config.chmod(0o666)
    done = run("doctor", "-c", desk.config, "--fix", "D08")

    assert done.returncode == 0
    assert f"done  chmod 0640 {desk.config}" in done.stdout.decode()
    assert desk.config.stat().st_mode & 0o777 == 0o640


def test_a_configuration_with_faults_ends_with_its_own_status(tmp_path: Path) -> None:
    done = run("doctor", "-c", tmp_path / "none.toml", "--offline", "--json")
    checks = json.loads(done.stdout)["data"]["checks"]

    assert done.returncode == 78
    assert checks[0]["verdict"] == "fault"
    assert len(checks) >= 30


def test_a_number_that_is_no_check_is_refused(tmp_path: Path) -> None:
    done = run("doctor", "D99")

    assert done.returncode == 2
    assert b"There is no check D99; they are D01 to D57." in done.stderr
