"""`kill -9` at random instants while a mailbox is read: every mail in the store once, and nothing left unseen."""

import random
import signal
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from maild.inbox import raw_of
from maild.message.identity import fingerprint
from maild.store.models import Direction, MailboxRow, MailRow
from tests.dovecot import Dovecot
from tests.system.daemon import DaemonProcess
from tests.wire.imap_reading import Box, box

pytestmark = pytest.mark.dovecot

ROUNDS = 20
MAILS = 1000


def mailbox(inbox: Box) -> str:
    return f"""
[[mailbox]]
name = "inbox"
host = "127.0.0.1"
port = {inbox.server.port}
user = "{inbox.account.user}"
password = "{inbox.account.password}"
security = "none"
after = "seen"
"""


def mails(count: int) -> list[bytes]:
    """Return mails of which some come by a second path, and others share a Message-ID."""
    made = []
    for number in range(count):
        text = "x" * random.randrange(6000)
        raw = (
            f"From: c{number}@customer.example\r\nTo: support@acme.example\r\nSubject: {number}\r\n"
            f"Date: Mon, 2 Mar 2026 12:00:00 +0000\r\nMessage-ID: <k{number}@customer.example>\r\n\r\n{text}\r\n"
        ).encode()
        made.append(raw)
        if number % 20 == 7:
            made.append(b"Received: by mx2.acme.example; Mon, 2 Mar 2026 12:00:01 +0000\r\n" + raw)
        if number % 30 == 11:
            made.append(raw.replace(b"\r\n\r\n", b"\r\n\r\nAnother one.\r\n", 1))
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.mark.timeout(600)
def test_no_mail_of_a_mailbox_is_lost_or_doubled_by_any_kill(dovecot_server: Dovecot, url: str, tmp_path: Path) -> None:
    pause = threading.Event()
    with box(dovecot_server) as inbox:
        daemon = DaemonProcess(tmp_path, url, more=mailbox(inbox))
        try:
            daemon.start()
            assert daemon.wait_for("first contact")
            daemon.kill()
            all_of_them = mails(MAILS)
            share = len(all_of_them) // ROUNDS + 1
            for turn in range(ROUNDS):
                inbox.add(*all_of_them[turn * share : (turn + 1) * share])
                if turn == ROUNDS // 2:
                    inbox.renumber()
                end_leases(daemon)
                daemon.start()
                pause.wait(random.uniform(0.0, 0.4))
                daemon.kill()
            end_leases(daemon)
            daemon.start()
            wait_until_read(daemon, inbox)
            assert daemon.stop() == 0
        finally:
            daemon.close()

        distinct = {fingerprint(each) for each in all_of_them}
        with daemon.database() as database, database.read() as connection:
            rows = connection.execute(select(MailRow.id, MailRow.fingerprint).where(MailRow.direction == Direction.IN))
            stored = {bytes(row.fingerprint): row.id for row in rows}
            assert set(stored) == distinct
            for print_, mail_id in list(stored.items())[::50]:
                assert fingerprint(raw_of(connection, mail_id)) == print_
        assert len(distinct) == MAILS + len(range(11, MAILS, 30))


def end_leases(daemon: DaemonProcess) -> None:
    """As if the leases of the killed ones were over, which takes minutes where several daemons share a database."""
    with daemon.database() as database, database.write() as connection:
        connection.execute(MailboxRow.__table__.update().values(due_at=MailboxRow.started_at))


def wait_until_read(daemon: DaemonProcess, inbox: Box, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while inbox.uids(criterion="UNSEEN"):
        assert time.monotonic() < deadline, "mails stay unseen:\n" + "\n".join(daemon.lines[-20:])
        pause.wait(0.2)


def test_a_daemon_that_waits_for_mail_stops_within_seconds_and_takes_another_mailbox(
    dovecot_server: Dovecot, sqlite_url: str, tmp_path: Path
) -> None:
    with box(dovecot_server) as inbox, box(dovecot_server) as other:
        daemon = DaemonProcess(tmp_path, sqlite_url, more=mailbox(inbox))
        try:
            daemon.start()
            assert daemon.wait_for("connected")
            text = daemon.config.read_text()
            daemon.config.write_text(text + mailbox(other).replace('"inbox"', '"other"'))
            daemon.signal(signal.SIGHUP)
            assert daemon.wait_for("mailbox other: connected")
            other.add(*mails(1))
            assert daemon.wait_for("stored")
            began_s = time.monotonic()

            assert daemon.stop() == 0
            assert time.monotonic() - began_s < 6
        finally:
            daemon.close()
