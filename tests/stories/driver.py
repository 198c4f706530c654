"""Drives a whole desk as its users would: mails go in, mails come out, time passes; no threads, no sleeping.

Everything is real but the network: the inbox stores, the filer files, the desk decides, the scheduler ticks and the
sender sends to a post office that keeps what it gets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote

from sqlalchemy import select

from maild import inbox
from maild.admission import accepts
from maild.config import parse as parse_settings
from maild.message.address import normalise
from maild.message.parse import Message, parse
from maild.rules.state import Status
from maild.services.filer import Ask
from maild.services.sender import Outcome, RelayTrouble, Result, sending
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import DeliveryRow, HistoryRow, MailRow, TicketRow
from maild.works import assemble
from tests.clock import FakeClock

ADA = "ada@customer.example"
BEN = "ben@customer.example"
ANNA = "anna@acme.example"
BERT = "bert@acme.example"
SUPPORT = "support@acme.example"
MX = "mx.acme.example"  # the host in front of us, whose Authentication-Results are believed

CONFIG = f"""
[maild]
authserv_id = "{MX}"

[smtp]
listen = "127.0.0.1:0"

[[department]]
name = "support"
title = "Acme Support"
address = "{SUPPORT}"

[[department]]
name = "sales"
title = "Acme Sales"
address = "sales@acme.example"

[[agent]]
name = "Anna"
address = "{ANNA}"
departments = ["support"]

[[agent]]
name = "Bert"
address = "{BERT}"
departments = ["support", "sales"]
"""


@dataclass(frozen=True)
class Received:
    """A mail as its recipient has it."""

    recipient: str
    raw: bytes = field(repr=False)

    @property
    def message(self) -> Message:
        return parse(self.raw)

    @property
    def subject(self) -> str:
        return self.message.subject

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def reply_to(self) -> str:
        return self.message.reply_to[0].address

    def action(self, word: str) -> str:
        """The address of a `mailto:` action, by the letter of its role."""
        found = re.search(rf"[\w.-]+\+t\d+\.{word}\d+\.\w+@[\w.-]+", self.text)
        if found:
            return found[0]
        raise AssertionError(f"no action {word!r} in:\n{self.text}")

    def click(self, words: str) -> tuple[str, str]:
        """The address and the text of the mail that a `mailto:` link with these words begins."""
        for address, query in re.findall(r"mailto:([^?\s]+)\?(\S+)", self.text):
            body = parse_qs(query).get("body", [""])[0]
            if body.startswith(words):
                return unquote(address), body
        raise AssertionError(f"no link {words!r} in:\n{self.text}")


class PostOffice:
    """Stands where the smarthost stands: takes every mail, or answers as it was told to."""

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.refusals: dict[str, str] = {}
        self.down = ""

    def send(self, _sender: str, recipients: Sequence[str], raw: bytes, instead: str = "") -> dict[str, Result]:
        """What `services.sender.Relay.send` does, without a network."""
        if self.down:
            raise RelayTrouble(self.down)
        results = {}
        for recipient in recipients:
            refusal = self.refusals.get(normalise(recipient))
            if refusal is None:
                self.got.append(Received(recipient, raw))
                results[recipient] = Result(Outcome.SENT, "250 2.0.0 taken")
            else:
                outcome = Outcome.LATER if refusal.startswith("4") else Outcome.FAILED
                results[recipient] = Result(outcome, refusal)
        return results

    def close(self) -> None:
        """Nothing is open."""

    def close_if_idle(self) -> bool:
        """Nothing is open."""
        return False


class Desk:
    """A desk and the people around it."""

    def __init__(self, database: Database, clock: FakeClock, config: str = CONFIG, ask: Ask | None = None) -> None:
        self.database = database
        self.clock = clock
        self.settings = parse_settings(config)
        self.works = assemble(self.settings, database, clock, ask)  # `ask` is the DNS
        self.post_office = PostOffice()
        self.works.sender._mine.worker = sending._Worker(self.post_office)
        self._number = 0
        self._read: dict[str, int] = {}

    def mail(
        self,
        sender: str,
        subject: str,
        text: str = "It does not work.\r\n",
        *,
        answers: Received | None = None,
        to: str | None = None,
        headers: str = "",
        proven: bool = False,
        envelope_from: str | None = None,
        cc: str = "",
        work: bool = True,
        rcpt: tuple[str, ...] = (),
    ) -> int:
        """Let somebody write; return the id of the stored mail. Without `work` the desk does not look at it yet."""
        self._number += 1
        to = to or (answers.reply_to if answers else SUPPORT)
        lines = [
            f"From: {sender}",
            f"To: {to}",
            f"Subject: {subject}",
            f"Date: {format_datetime(self.clock())}",
            f"Message-ID: <mail-{self._number}@client.example>",
        ]
        if cc:
            lines.append(f"Cc: {cc}")
        if answers is not None:
            theirs = answers.message
            lines.append(f"In-Reply-To: <{theirs.message_id}>")
            lines.append("References: " + " ".join(f"<{each}>" for each in (*theirs.references, theirs.message_id)))
        if proven:
            domain = parse(lines[0].encode()).from_.address.split("@")[1]
            lines.insert(0, f"Authentication-Results: {MX}; dmarc=pass header.from={domain}")
        raw = ("\r\n".join([*lines, *headers.splitlines()]) + "\r\n\r\n" + text).encode()
        return self.deliver(raw, sender if envelope_from is None else envelope_from, *(rcpt or (to,)), work=work)

    def deliver(self, raw: bytes, envelope_from: str, *recipients: str, work: bool = True) -> int:
        """Store a mail as the listener would, and let the desk work."""
        assert all(accepts(self.settings, each) for each in recipients), f"refused at RCPT: {recipients}"
        incoming = inbox.Incoming(
            parse(b"From: " + envelope_from.encode()).from_.address if envelope_from else "", recipients, "test", raw
        )
        with self.database.write() as connection:
            [stored] = inbox.store(connection, [incoming], self.clock())
        if work:
            self.work()
        return stored.mail_id

    def work(self) -> None:
        """Let every service do what is due now."""
        for _ in range(100):
            while not self.works.filer.step():
                pass
            while not self.works.indexer.step():
                pass
            self.works.scheduler.step()
            while not self.works.sender.step():
                pass
            if not self._is_due():
                return
        raise AssertionError("the desk does not come to rest")

    def _is_due(self) -> bool:
        due_at = self._next_due()
        return due_at is not None and due_at <= self.clock()

    def wait(self, **span: float) -> None:
        """Let time pass, as the daemon sees it: it looks at each instant at which something is due."""
        end = self.clock() + timedelta(**span)
        while self.clock() < end:
            due_at = self._next_due()
            self.clock.set(end if due_at is None else min(end, max(due_at, self.clock())))
            self.work()

    def _next_due(self):
        with self.database.read() as connection:
            found = [queues.next_due(connection, table) for table in (TicketRow, MailRow, DeliveryRow)]
        return min((each for each in found if each is not None), default=None)

    def mails_to(self, address: str) -> list[Received]:
        """What an address got since it was last asked for."""
        got = [each for each in self.post_office.got if normalise(each.recipient) == normalise(address)]
        new = got[self._read.get(address, 0) :]
        self._read[address] = len(got)
        return new

    def ticket(self, number: int):
        with self.database.read() as connection:
            return connection.execute(select(TicketRow.__table__).where(TicketRow.id == number)).one()

    def tickets(self) -> list[int]:
        with self.database.read() as connection:
            return list(connection.scalars(select(TicketRow.id).order_by(TicketRow.id)))

    def status(self, number: int) -> Status:
        return self.ticket(number).status

    def filed(self, mail_id: int):
        with self.database.read() as connection:
            return connection.execute(select(MailRow.__table__).where(MailRow.id == mail_id)).one()

    def history(self, number: int) -> list[tuple[str, str | None, str | None, str]]:
        with self.database.read() as connection:
            rows = connection.execute(
                select(HistoryRow.__table__).where(HistoryRow.ticket_id == number).order_by(HistoryRow.id)
            )
            return [(row.field, row.old, row.new, row.cause) for row in rows]


def opened(desk: Desk) -> Received:
    """Let Ada open ticket 1 and everybody read his mail; return Anna's notification."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mails_to(ADA)
    desk.mails_to(BERT)
    return told
