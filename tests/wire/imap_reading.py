"""A mailbox that is read step by step, and the store that it is read into."""

import imaplib
import itertools
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from maild.config import Settings, parse
from maild.inbox import GroupCommit, Incoming, raw_of
from maild.services.imap_poller.wire import Pace, Watchdog
from maild.services.imap_poller.worker import Worker
from maild.store.engine import Database
from maild.store.models import MailboxRow, MailRow
from tests.clock import FakeClock
from tests.dovecot import Account, Dovecot

DESK = """
[maild]
operator = "ops@acme.example"
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
address = "anna@acme.example"
name = "Anna"
"""
QUICK = Pace(connect_s=5, operation_s=10, idle_s=0, save_s=0, poll_s=0, first_pause_s=0.01, longest_pause_s=0.02)

_numbers = itertools.count(1)


def mail(
    subject: str = "Help", *, body: str = "It does not work.", date: str = "Mon, 2 Mar 2026 11:00:00 +0000"
) -> bytes:
    """Return a mail that there is once."""
    number = next(_numbers)
    return (
        f"From: Ada <ada@customer.example>\r\nTo: support@acme.example\r\nSubject: {subject}\r\n"
        f"Date: {date}\r\nMessage-ID: <m{number}@customer.example>\r\n\r\n{body} ({number})\r\n"
    ).encode()


def settings_for(
    host: str, port: int, user: str, more: str = "", *, security: str = "none", name: str = "inbox"
) -> Settings:
    """Return a configuration with one mailbox."""
    password = "" if "oauth" in more else 'password = "secret"\n'
    box = f'[[mailbox]]\nname = "{name}"\nhost = "{host}"\nport = {port}\nuser = "{user}"\nsecurity = "{security}"\n'
    return parse(DESK + box + password + more)


class Reading:
    """One worker, driven by hand."""

    def __init__(self, database: Database, settings: Settings, clock: FakeClock, pace: Pace = QUICK) -> None:
        self.database = database
        self.settings = settings
        self.clock = clock
        self.pace = pace
        self.inbox = GroupCommit(database, clock, lambda: None)
        self.inbox.start()
        self.watchdog = Watchdog()
        self.submit: Callable[..., Any] = self.inbox.submit
        self.worker = self.hire()

    def hire(self, settings: Settings | None = None) -> Worker:
        """Put a new worker in the place of one that was killed: it knows nothing, and the lease is over."""
        if hasattr(self, "worker"):
            self.worker.interrupt()
            self.worker._hang_up()
            self.clock.advance(minutes=10)
        self.settings = settings or self.settings
        [mailbox] = self.settings.mailboxes
        self.worker = Worker(self.database, self.settings, mailbox, self._submit, self.clock, self.watchdog, self.pace)
        return self.worker

    def _submit(self, incoming: Incoming) -> Any:
        return self.submit(incoming)

    def read(self, steps: int = 400) -> None:
        """Work until there is nothing left to do; trouble is waited for."""
        rested = 0  # a server tells of what is new only between two commands
        for _ in range(steps):
            pause_s = self.worker.step()
            busy = self.worker._progress is None or self.worker._uids or not self.worker._connection
            busy = busy or self.worker._reconciler or self.row.failing_since or not self.row.last_success_at
            rested = 0 if busy else rested + 1
            if rested == 3:
                return
            if pause_s:
                self.clock.advance(seconds=max(pause_s, 0.05))
        raise AssertionError(f"does not come to rest: {self.row}")

    def close(self) -> None:
        self.worker.stop()
        self.worker.leave()
        self.inbox.stop(5)

    @property
    def row(self) -> Any:
        with self.database.read() as connection:
            return connection.execute(select(MailboxRow.__table__)).one_or_none() or _NOTHING

    def stored(self) -> list[Any]:
        """Return all mails that came in, in the order in which they were stored."""
        with self.database.read() as connection:
            return list(
                connection.execute(
                    select(MailRow.id, MailRow.source, MailRow.old_since, MailRow.size_bytes)
                    .where(MailRow.direction == "in")
                    .order_by(MailRow.id)
                )
            )

    def raws(self) -> Counter[bytes]:
        """Return the bytes of all mails that came in, and how often each is there."""
        with self.database.read() as connection:
            ids = connection.scalars(select(MailRow.id).where(MailRow.direction == "in")).all()
            return Counter(raw_of(connection, each) for each in ids)


class _Nothing:
    failing_since = last_success_at = None


_NOTHING = _Nothing()


class Box:
    """A mailbox as another mail program sees it."""

    def __init__(self, server: Dovecot, account: Account) -> None:
        self.server = server
        self.account = account
        self._connect()

    def _connect(self) -> None:
        self.client = imaplib.IMAP4(self.server.host, self.server.port)
        self.client.login(self.account.user, self.account.password)
        self.client.select("INBOX")

    def add(self, *mails: bytes, folder: str = "INBOX", came_at: datetime | None = None) -> None:
        """Put mails into a folder."""
        when = imaplib.Time2Internaldate(came_at.astimezone(UTC)) if came_at else ""
        for each in mails:
            typ, said = self.client.append(folder, "", when, each)
            assert typ == "OK", said

    def uids(self, folder: str = "INBOX", criterion: str = "ALL") -> list[int]:
        self.client.select(folder)
        found = self.client.uid("SEARCH", criterion)[1][0]
        return [int(each) for each in found.split()]

    def remove(self, uids: Sequence[int]) -> None:
        self.client.uid("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", "(\\Deleted)")
        self.client.expunge()

    def create(self, folder: str) -> None:
        self.client.create(folder)

    def kick(self) -> None:
        """Have the server drop all other sessions of this user."""
        self.close()
        with suppress(subprocess.CalledProcessError):  # nobody else is there
            self.server.doveadm("kick", self.account.user)
        self._connect()

    def renumber(self) -> None:
        """Have the server forget its numbers: the folder gets another UIDVALIDITY, and UIDs begin anew."""
        self.close()
        with suppress(subprocess.CalledProcessError):  # nobody else is there
            self.server.doveadm("kick", self.account.user)
        for path in self.account.maildir.glob("dovecot.index*"):
            path.unlink()
        numbers = self.account.maildir / "dovecot-uidlist"
        head = numbers.read_text().splitlines()[0]
        validity = re.search(r" V(\d+) ", head)
        assert validity
        guid = head.rpartition(" G")[2]
        numbers.write_text(f"3 V{int(validity[1]) + 7} N1 G{guid}\n")
        self._connect()

    def close(self) -> None:
        self.client.logout()


@contextmanager
def box(server: Dovecot) -> Iterator[Box]:
    """Give a mailbox of one's own on a server."""
    opened = Box(server, server.account())
    try:
        yield opened
    finally:
        opened.close()
