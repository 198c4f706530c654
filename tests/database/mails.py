"""Mails in the store, and how many bytes they take there."""

from sqlalchemy import func, select

from maild import inbox
from maild.store.engine import Database
from maild.store.models import RawRow
from tests.clock import FakeClock

MAIL = b"Subject: Printer\r\n\r\n" + b"The printer on the second floor is on fire again.\r\n" * 40


def store(database: Database, clock: FakeClock, content: bytes) -> int:
    with database.write() as connection:
        incoming = inbox.Incoming("ada@customer.example", ("support@acme.example",), "test", content)
        return inbox.store(connection, [incoming], clock())[0].mail_id


def kept_bytes(database: Database, mail_id: int) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.sum(func.length(RawRow.content))).where(RawRow.mail_id == mail_id))
