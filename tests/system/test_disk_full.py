"""The disk is full: senders are asked to try again, nothing is lost, and mail goes on when there is room, by itself."""

import os
import re
import resource
import smtplib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from maild.store import raw
from maild.store.models import Direction, MailRow
from tests.system.daemon import DaemonProcess
from tests.wire.imap_server import Imap, serving

LIMIT = 4 << 20
TEXT = "The printer is on fire. " * 2000  # 48 KB
MOST_MAILS = 200
RECOVERY_S = 10.0
SUBJECT = re.compile(rb"\nSubject: mail-(\d+)\r\n")

MAILBOX = """
[[mailbox]]
name = "box"
host = "127.0.0.1"
port = {port}
security = "none"
user = "u"
password = "secret"
after = "delete"
"""

Room = Callable[[], None]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path / "small")], check=False, capture_output=True)


@pytest.fixture
def provider() -> Iterator[Imap]:
    """A mailbox at a provider."""
    with serving(Imap()) as running:
        yield running


@pytest.fixture(params=["a small disk", "a limit for files"])
def full(request: pytest.FixtureRequest, folder: Path, provider: Imap) -> Iterator[tuple[DaemonProcess, Room]]:
    """A daemon on a disk that is full soon, and what makes room."""
    small = folder / "small"
    small.mkdir()
    if request.param == "a small disk":
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={LIMIT}", "tmpfs", str(small)], check=False, capture_output=True
        )
        if mounted.returncode:
            pytest.skip(
                "not run: a small disk cannot be mounted here, which takes root; a limit for files stands for it"
            )
    daemon = DaemonProcess(folder, f"sqlite:///{small}/maild.db", more=MAILBOX.format(port=provider.port))
    daemon.start()

    def make_room() -> None:
        if request.param == "a small disk":
            subprocess.run(["mount", "-o", "remount,size=100m", str(small)], check=True)
        else:
            resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    if request.param != "a small disk":
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (LIMIT, hard))
    yield daemon, make_room
    daemon.close()


def send(daemon: DaemonProcess, number: int) -> int:
    """Send a mail; return how it was answered, 0 for a connection that ended."""
    sender = f"c{number}@client.example"
    head = f"From: {sender}\r\nTo: support@acme.example\r\nSubject: mail-{number}\r\n"
    try:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=20) as smtp:
            smtp.sendmail(sender, ["support@acme.example"], f"{head}\r\n{TEXT}{number}\r\n")
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except (OSError, smtplib.SMTPException):
        return 0
    return 250


@pytest.mark.timeout(200)
def test_a_full_disk_turns_senders_away_for_now_and_loses_nothing(full: tuple[DaemonProcess, Room]) -> None:
    daemon, make_room = full
    answers: dict[int, int] = {}
    for number in range(MOST_MAILS):
        answers[number] = send(daemon, number)
        if list(answers.values())[-5:].count(250) == 0 and len(answers) > 5:
            break
    refused = [code for code in answers.values() if code != 250]

    assert refused, "the disk never was full"
    assert set(refused) <= {451, 452}
    assert daemon.process.poll() is None

    make_room()
    begun, pause = time.monotonic(), threading.Event()
    number = MOST_MAILS
    while (answer := send(daemon, number)) != 250 and time.monotonic() - begun < RECOVERY_S:
        number += 1
        pause.wait(0.2)
    answers[number] = answer
    assert answer == 250, "no mail is taken though there is room"
    assert daemon.stop() == 0
    assert stored(daemon) == sorted(number for number, code in answers.items() if code == 250)


@pytest.mark.timeout(200)
def test_a_full_disk_lets_mail_wait_in_its_mailbox(full: tuple[DaemonProcess, Room], provider: Imap) -> None:
    daemon, make_room = full
    assert daemon.wait_for("first contact")
    numbers = range(MOST_MAILS)
    for number in numbers:
        head = f"From: c{number}@client.example\r\nTo: support@acme.example\r\nSubject: mail-{number}\r\n"
        provider.add(f"{head}\r\n{os.urandom(24_000).hex()}\r\n".encode())
    assert daemon.wait_for("storing mail")
    with provider.lock:
        waiting = {int(SUBJECT.search(each.raw)[1]) for each in provider.inbox.values()}

    assert waiting, "the disk never was full"
    assert daemon.process.poll() is None
    assert set(stored(daemon)) >= set(numbers) - waiting, "deleted before it was stored"

    make_room()
    with provider.changed:
        assert provider.changed.wait_for(lambda: not provider.inbox, 90), "no mail is fetched though there is room"
    assert daemon.stop() == 0
    assert stored(daemon) == list(numbers)


def stored(daemon: DaemonProcess) -> list[int]:
    with daemon.database() as database, database.read() as connection:
        ids = connection.scalars(select(MailRow.id).where(MailRow.direction == Direction.IN)).all()
        found = raw.of(connection, ids).values()
    return sorted(int(SUBJECT.search(each)[1]) for each in found)
