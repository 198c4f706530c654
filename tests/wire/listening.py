"""A listener with a real inbox behind it, on any free port."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, select

from maild.inbox import GroupCommit, raw_of
from maild.services.smtp_listener import SmtpListener
from maild.store.engine import Database
from maild.store.models import MailRow
from tests.clock import FakeClock
from tests.wire.smtp_client import SmtpClient

OURS: Final = frozenset(
    ("support@acme.example", "sales@acme.example", "postmaster@acme.example", "postmaster", "hilfe@bücher.example")
)


@dataclass
class Intake:
    """A listener, its inbox and their database."""

    listener: SmtpListener
    inbox: GroupCommit
    database: Database

    def client(self, hello: str | None = "EHLO client.example", *, patience_s: float = 20) -> SmtpClient:
        """Connect."""
        return SmtpClient(self.listener.address, hello=hello, patience_s=patience_s)

    def rows(self) -> list[Row[Any]]:
        """Return the mails that are stored, in the order of their ids."""
        with self.database.read() as connection:
            return list(connection.execute(select(MailRow.__table__).order_by(MailRow.id)).all())

    def stored(self) -> list[bytes]:
        """Return the bytes of the mails that are stored, without the first field, which is the listener's."""
        with self.database.read() as connection:
            ids = connection.scalars(select(MailRow.id).order_by(MailRow.id)).all()
            return [_without_trace(raw_of(connection, mail_id)) for mail_id in ids]


def _without_trace(raw: bytes) -> bytes:
    assert raw.startswith(b"Received: from ")
    end = raw.index(b"\r\n")
    while raw[end + 2 : end + 3] == b"\t":
        end = raw.index(b"\r\n", end + 2)
    return raw[end + 2 :]


@contextmanager
def listening(
    database: Database, *, accepts: Callable[[str], bool] = OURS.__contains__, **options: Any
) -> Iterator[Intake]:
    """Listen with the `options` of `SmtpListener`, until the end of the block."""
    clock = FakeClock()
    inbox = GroupCommit(database, clock, lambda: None)
    listener = SmtpListener(inbox.submit, accepts, clock, hostname="desk.acme.example", **options)
    inbox.start()
    try:
        listener.start()
        try:
            yield Intake(listener, inbox, database)
        finally:
            listener.stop(5)
    finally:
        inbox.stop(20)
