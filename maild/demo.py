"""The demo: a whole desk in one process, and the life of a ticket shown step by step.

Everything is real but the people and the clock: Ada's and Anna's mails go in by SMTP through the listener and the group
commit, are filed, decided and answered; what leaves goes by SMTP to a second listener that stands for the world and
keeps each mail as a file. No account, no configuration, no network beyond loopback, and no waiting: the demo's own
clock jumps to the next instant at which something is due.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import select

from maild import config
from maild.admission import accepts
from maild.config.connections import Relay as RelaySettings
from maild.inbox import GroupCommit, Incoming, Stored
from maild.message.address import Address, normalise
from maild.message.compose import Automatic, Draft, compose
from maild.message.parse import Message, parse
from maild.services.sender import Outcome, Relay
from maild.services.smtp_listener import SmtpListener
from maild.store import queues, schema
from maild.store.engine import Database
from maild.store.models import DeliveryRow, HistoryRow, MailRow, TicketRow
from maild.works import Works, assemble

ADA: Final = Address("Ada Lovelace", "ada@customer.example")
ANNA: Final = Address("Anna", "anna@acme.example")
SUPPORT: Final = Address("", "support@acme.example")
MX: Final = "mx.acme.example"

_CONFIGURATION: Final = f"""
[maild]
authserv_id = "{MX}"   # the mail host in front, which checked who sent what
[smtp]
listen = "127.0.0.1:0"
[relay]
host = "127.0.0.1"
port = {{port}}
[[department]]
name = "support"
title = "Acme Support"
address = "{SUPPORT.address}"
[[agent]]
name = "{ANNA.name}"
address = "{ANNA.address}"
"""


@dataclass
class Clock:
    """Time that jumps."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the demo's present instant."""
        return self.now


@dataclass(frozen=True)
class Received:
    """A mail in somebody's mailbox."""

    recipient: str
    message: Message
    raw: bytes = field(repr=False)

    def action(self, role: str) -> str:
        """Return the address of one of its `mailto:` links, by the role that is signed into it."""
        found = re.search(rf"[\w.-]+\+t\d+\.{role}\d+\.\w+@[\w.-]+", self.message.text)
        if found is None:
            raise LookupError(f"no link of role {role!r} in the mail to {self.recipient}")
        return found[0]


class World:
    """Everybody's mailboxes: an SMTP server that takes every mail."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.new: list[Received] = []
        self.count = 0
        self.listener = SmtpListener(self._take, lambda _address: True, clock, hostname="world.example")

    def _take(self, mail: Incoming) -> Future[Stored]:
        raw = b"".join(mail.pieces())
        mail.close()
        with self._lock:
            for recipient in mail.recipients:
                self.count += 1
                message = parse(raw)
                name = f"{self.count:02d} to {recipient.partition('@')[0]} - {_file_name(message.subject)}.eml"
                (self._folder / name).write_bytes(raw)
                self.new.append(Received(recipient, message, raw))
            answer: Future[Stored] = Future()
            answer.set_result(Stored(self.count, True))
        return answer

    def fetch(self) -> list[Received]:
        """Return the mails that came since the last look."""
        with self._lock:
            new, self.new = self.new, []
        return new


class Demo:
    """The desk, the people and the story."""

    def __init__(self, folder: Path, say: Callable[[str], None], pause: Callable[[], object]) -> None:
        """Write mails into `folder`, tell the story through `say`, and call `pause` after each step."""
        self._folder = folder
        self._say = say
        self._pause = pause
        today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
        self._clock = Clock(today - timedelta(days=today.weekday()))  # a Monday morning
        self._mails = 0
        self._shown = 0

    def run(self) -> None:
        """Tell the whole story."""
        with ExitStack() as stack:
            home = Path(tempfile.mkdtemp(prefix="maild-demo-"))
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            self._world = World(self._folder, self._clock)
            self._world.listener.start()
            stack.callback(self._world.listener.stop, 2.0)
            port = self._world.listener.address[1]
            settings = config.parse(_CONFIGURATION.format(port=port))
            database = Database(f"sqlite:///{home / 'maild.db'}")
            stack.callback(database.close)
            schema.upgrade(database)
            self._works: Works = assemble(settings, database, self._clock)
            stack.callback(self._works.sender.close)
            inbox = GroupCommit(database, self._clock, lambda: None)
            inbox.start()
            stack.callback(inbox.stop, 2.0)
            listener = SmtpListener(
                inbox.submit, lambda address: accepts(settings, address), self._clock, hostname="desk.acme.example"
            )
            listener.start()
            stack.callback(listener.stop, 2.0)
            host, self._port = listener.address
            self._say(f"A desk listens at {host}:{self._port}. Its agent is Anna; Ada is a customer.\n")
            self._story()

    def _story(self) -> None:
        ack, told = self._ada_begins()
        answer = self._talk(told)
        silence = self._silence(answer)
        closing = self._reopen(silence)
        self._afterwards(closing)
        self._strangers(told)
        self._end(ack)

    def _ada_begins(self) -> tuple[Received, Received]:
        self._step("Ada writes to support@acme.example from her mail client.")
        self._send(
            ADA, SUPPORT.address, "Printer on fire", "Hello,\n\nour printer is on fire. What shall we do?\n\nAda\n"
        )
        got = self._work()
        return got[ADA.address], got[ANNA.address]

    def _talk(self, told: Received) -> Received:
        self._step("Twenty minutes later Anna presses Reply in hers.", minutes=20)
        self._reply(ANNA, told, "Please pull the plug first. Does it still smoke?\n\nAnna\n")
        answer = self._work()[ADA.address]
        self._step("Ada answers: the ticket is open again, and Anna has it in her inbox.", hours=2)
        self._reply(ADA, answer, "It does, a little. The paper is gone.\n")
        told = self._work()[ANNA.address]
        self._step("Anna answers once more.", minutes=10)
        self._reply(ANNA, told, "A new one is on its way to you, it arrives tomorrow.\n")
        return self._work()[ADA.address]

    def _silence(self, _answer: Received) -> Received:
        self._step("Nobody writes. Five days after the answer, in office hours, Ada is reminded.", jump=True)
        self._work()
        self._step("Still nobody writes. Silence is taken for yes: resolved, and Ada is told.", jump=True)
        return self._work()[ADA.address]

    def _reopen(self, resolved: Received) -> Received:
        self._step("Ada clicks 'still a problem' in that mail: reopened.", days=1)
        self._send(ADA, resolved.action("p"), "Still a problem", "The new printer has no plug.\n", resolved)
        told = self._work()[ANNA.address]
        self._step("Anna answers.", hours=1)
        self._reply(ANNA, told, "The plug follows by courier today. Sorry!\n")
        answer = self._work()[ADA.address]
        self._step("Ada does not answer; she is reminded ...", jump=True)
        reminder = self._work()[ADA.address]
        self._step("... and clicks 'solved'. Nothing is sent: she knows.", hours=3)
        self._send(ADA, reminder.action("s"), "Solved", "Yes, it is solved.\n", reminder)
        self._work()
        return answer

    def _afterwards(self, answer: Received) -> None:
        self._step("Fourteen days after that it is closed, in silence.", jump=True)
        self._work()
        self._step("Months later Ada answers the old mail: a new ticket that follows the closed one.", days=90)
        self._reply(ADA, answer, "The new printer is on fire, too.\n")
        self._work()

    def _strangers(self, told: Received) -> None:
        self._step("Ada is on holiday, and her mail client says so: filed, and never answered.", minutes=5)
        draft = self._draft(
            ADA, SUPPORT.address, "Out of office", "I am away until Monday.\n", automatic=Automatic.REPLIED
        )
        self._put("", SUPPORT.address, compose(draft))
        self._work()
        self._step("Somebody writes in Anna's name, without her proof: held, and nothing else happens.", minutes=5)
        forged = Draft(
            from_=ANNA,
            to=(SUPPORT,),
            subject=told.message.subject,
            text="Dear customer, please send me your password.\n",
            message_id="forged@attacker.example",
            date=self._clock(),
        )
        self._put("anna@attacker.example", SUPPORT.address, compose(forged))
        self._work()

    def _end(self, _ack: Received) -> None:
        self._say("\nWhat happened to ticket #1, from its history (maild ticket history 1):\n")
        with self._works.database.read() as connection:
            rows = connection.execute(
                select(HistoryRow.at, HistoryRow.actor, HistoryRow.cause, HistoryRow.old, HistoryRow.new)
                .where(HistoryRow.ticket_id == 1, HistoryRow.field == "status")
                .order_by(HistoryRow.id)
            ).all()
        for at, actor, cause, old, new in rows:
            self._say(f"  {at:%a %d %b %H:%M}  {old or '-':>9} -> {new:<9} {cause:<14} {actor}")
        self._say(f"\nAll {self._world.count} mails that left are in {self._folder}/ : open them in any mail client.")
        self._say("A desk of your own: maild init. README.md, 'Your desk, in a minute', says the rest.")

    def _step(self, what: str, *, jump: bool = False, **later: float) -> None:
        """Let time pass, to the next instant at which something is due if `jump`, and tell what comes."""
        self._pause()
        if jump:
            self._clock.now = self._next_due()
        else:
            self._clock.now += timedelta(**later)
        self._say(f"{self._clock.now:%a %d %b %Y %H:%M}  {what}")

    def _next_due(self) -> datetime:
        with self._works.database.read() as connection:
            due_at = queues.next_due(connection, TicketRow)
        if due_at is None:
            raise RuntimeError("nothing is due; the demo's story has lost its thread")
        return due_at

    def _draft(
        self, sender: Address, to: str, subject: str, text: str, *, automatic: Automatic = Automatic.NO
    ) -> Draft:
        self._mails += 1
        return Draft(
            from_=sender,
            to=(Address("", to),),
            subject=subject,
            text=text,
            message_id=f"client-{self._mails}@{sender.address.partition('@')[2]}",
            date=self._clock(),
            automatic=automatic,
        )

    def _reply(self, sender: Address, mail: Received, text: str) -> None:
        """Answer as a mail client does: to Reply-To, with the other's mail quoted below."""
        theirs = mail.message
        quoted = "".join(f"> {line}\n" for line in theirs.text.splitlines())
        said = f"On {theirs.date:%a, %d %b %Y at %H:%M}, {theirs.from_.name if theirs.from_ else ''} wrote:"
        subject = theirs.subject if theirs.subject.startswith("Re:") else f"Re: {theirs.subject}"
        self._send(sender, theirs.reply_to[0].address, subject, f"{text}\n{said}\n{quoted}", mail)

    def _send(self, sender: Address, to: str, subject: str, text: str, answers: Received | None = None) -> None:
        draft = self._draft(sender, to, subject, text)
        if answers is not None:
            theirs = answers.message
            thread = (*theirs.references, theirs.message_id)
            draft = replace(draft, in_reply_to=theirs.message_id, references=thread)
        raw = compose(draft)
        domain = sender.address.partition("@")[2]
        # What the mail host in front of the desk adds once it has checked the sender (RFC 8601).
        self._put(
            sender.address, to, f"Authentication-Results: {MX}; dmarc=pass header.from={domain}\r\n".encode() + raw
        )

    def _put(self, envelope_from: str, to: str, raw: bytes) -> None:
        relay = Relay(RelaySettings.model_validate({"host": "127.0.0.1", "port": self._port}), "client.example")
        result = relay.send(envelope_from, [to], raw)[to]
        relay.close()
        if result.outcome is not Outcome.SENT:
            raise RuntimeError(f"the desk refused the mail: {result.words}")

    def _work(self) -> dict[str, Received]:
        """Let the desk work until nothing is due; show what it did, and return the newest mail of each mailbox."""
        while self._busy():
            self._works.filer.step()
            self._works.indexer.step()
            self._works.scheduler.step()
            self._works.sender.step()
        self._show()
        got = self._world.fetch()
        for mail in got:
            said = " ".join(mail.message.text.split())
            self._say(f"      -> {mail.recipient:<22} {mail.message.subject:<24.24} | {said[:70]}")
        self._say("")
        return {normalise(mail.recipient): mail for mail in got}

    def _busy(self) -> bool:
        now = self._clock()
        with self._works.database.read() as connection:
            return any(queues.waiting(connection, table, now)["due"] for table in (MailRow, TicketRow, DeliveryRow))

    def _show(self) -> None:
        with self._works.database.read() as connection:
            mails = connection.execute(
                select(MailRow.id, MailRow.state, MailRow.kind, MailRow.reason, MailRow.ticket_id)
                .where(MailRow.id > self._shown, MailRow.direction == "in")
                .order_by(MailRow.id)
            ).all()
            tickets = connection.execute(select(TicketRow.id, TicketRow.status).order_by(TicketRow.id)).all()
        for mail in mails:
            self._shown = mail.id
            self._say(f"      mail {mail.id}: {mail.state}, {mail.kind}; {mail.reason}")
        self._say("      " + "   ".join(f"ticket #{ticket.id} is {ticket.status.value}" for ticket in tickets))


def _file_name(text: str) -> str:
    return "".join(each if each.isalnum() or each in " -" else "" for each in text).strip()[:50]


def run(folder: Path, say: Callable[[str], None], pause: Callable[[], object] = lambda: None) -> None:
    """Show the demo; the mails that leave are written into `folder`, which is made anew."""
    if folder.exists():
        for old in folder.glob("*.eml"):
            old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    Demo(folder, say, pause).run()
