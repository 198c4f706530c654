"""The control: the same job as anybody would first write it with the same libraries.

    aiosmtpd -> `email.policy.default` -> one SQLAlchemy ORM transaction for each mail, then 250

A mail finds its ticket by References, else it opens one; mail, contact, ticket and event are rows of a SQLite file that
is as durable as maild's (WAL, synchronous=FULL). It does far less: nothing is acknowledged or notified, classified,
authenticated or logged, and HTML is kept as it is.

    python -m tests.benchmarks.naive DATABASE.db      prints its port, ends with its input
"""

import asyncio
import re
import sys
import threading
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope
from sqlalchemy import ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

LARGEST_BYTES = 64 << 20
_ID = re.compile(r"<[^<>\s]+>")


class _Base(DeclarativeBase):
    pass


class Contact(_Base):
    __tablename__ = "contact"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Ticket(_Base):
    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    status: Mapped[str]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(index=True)


class Mail(_Base):
    __tablename__ = "mail"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    message_id: Mapped[str] = mapped_column(index=True)
    sender: Mapped[str]
    stored_at: Mapped[datetime]
    text: Mapped[str]
    html: Mapped[str]
    files: Mapped[int]
    raw: Mapped[bytes]


class Event(_Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    at: Mapped[datetime]
    what: Mapped[str]


def sessions(path: str) -> sessionmaker[Session]:
    """Return sessions on a new SQLite file."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: Any) -> None:
        dbapi.execute("PRAGMA journal_mode=WAL")
        dbapi.execute("PRAGMA synchronous=FULL")

    _Base.metadata.create_all(engine)
    return sessionmaker(engine)


def file(session: Session, raw: bytes) -> None:
    """Put one mail on a ticket, in a transaction of its own."""
    now = datetime.now(UTC)
    mail = message_from_bytes(raw, policy=policy.default)
    texts = {"plain": "", "html": ""}
    files = 0
    for part in mail.walk():
        if part.is_multipart():
            continue
        if part.get_content_maintype() == "text" and not part.get_filename():
            texts[part.get_content_subtype()] = part.get_content()
        else:
            part.get_payload(decode=True)
            files += 1
    author = mail["from"].addresses[0]
    references = _ID.findall(f"{mail['references'] or ''} {mail['in-reply-to'] or ''}")
    ticket = None
    if references:
        found = select(Ticket).join(Mail, Mail.ticket_id == Ticket.id).where(Mail.message_id.in_(references)).limit(1)
        ticket = session.scalar(found)
    if ticket is None:
        contact = session.scalar(select(Contact).where(Contact.address == author.addr_spec))
        if contact is None:
            contact = Contact(address=author.addr_spec, name=author.display_name)
            session.add(contact)
            session.flush()
        ticket = Ticket(
            subject=str(mail["subject"]),
            status="new",
            contact_id=contact.id,
            created_at=now,
            updated_at=now,
            due_at=now,
        )
        session.add(ticket)
        session.flush()
        session.add(Event(ticket_id=ticket.id, at=now, what="opened"))
    else:
        ticket.status, ticket.updated_at = "open", now
        session.add(Event(ticket_id=ticket.id, at=now, what="answered"))
    session.add(
        Mail(
            ticket_id=ticket.id,
            message_id=str(mail["message-id"]),
            sender=author.addr_spec,
            stored_at=now,
            text=texts["plain"],
            html=texts["html"],
            files=files,
            raw=raw,
        )
    )
    session.commit()


class Handler:
    """aiosmtpd's handler: each mail in a thread, one transaction at a time."""

    def __init__(self, path: str) -> None:
        self._sessions = sessions(path)
        self._alone = threading.Lock()

    def _file(self, raw: bytes) -> None:
        with self._alone, self._sessions() as session:
            file(session, raw)

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802
        """Answer when the mail is on its ticket."""
        await asyncio.to_thread(self._file, envelope.content)
        return "250 filed"


async def _serve(path: str) -> None:
    loop = asyncio.get_running_loop()
    handler = Handler(path)
    listening = await loop.create_server(
        lambda: SMTP(handler, hostname="naive.example", data_size_limit=LARGEST_BYTES, loop=loop), "127.0.0.1", 0
    )
    print(listening.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for the parent
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
