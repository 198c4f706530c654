"""The filer: mails that are stored become mails on tickets.

    claim a group -> read each (pure) -> look up what all of them need -> route each (pure) -> one transaction

A group is all that is due, up to GROUP mails or GROUP_BYTES. Look-ups, inserts and updates are one statement a table
for the whole group; the mails are decided in the order in which they were stored. A group that fails is filed again
one by one, so that a poisoned mail costs only itself; a mail that fails ATTEMPTS times is set aside, where an
operator sees it (`maild mail list --state failed`) and can have it tried again.

Nothing here talks to the network. A crash anywhere rolls back; the lease ends and the mail is filed again from its
bytes. The sixty lines that say what becomes of a mail are in `rules.routing`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, select, update

from maild import people
from maild.config import Settings
from maild.desk import Desk, Happening, Opening
from maild.message import language, reading, reply
from maild.message.address import Address, normalise
from maild.message.classify import Kind
from maild.message.match import Known, Verdict, judge
from maild.message.parse import parse
from maild.message.reading import Reading
from maild.message.reply import Reply
from maild.outbox import FiledMail
from maild.people import Person
from maild.rules import routing
from maild.rules.retry import next_filing
from maild.rules.routing import Action, Facts, Route, route
from maild.rules.ticket import (
    AgentWrote,
    CustomerWrote,
    Event,
    MachineWrote,
    NoteWritten,
    Solved,
    StillAProblem,
)
from maild.store import queries, queues
from maild.store.engine import Database
from maild.store.models import MailRow, MailState

log = structlog.get_logger("maild.filer")

GROUP: Final = 100  # mails
GROUP_BYTES: Final = 8 << 20
LEASE: Final = timedelta(minutes=2)  # must exceed the longest time that a group takes
IDLE_S: Final = 30.0  # the bell makes it prompt, this makes it sure
TEXT_KEPT: Final = 64_000  # characters of the new text that are kept beside the bytes
ADDRESSES_KEPT: Final = 50  # people of a first mail's Cc who take part
MOST_UNFILED: Final = 500  # of mails that others are filing, looked through for the ones that are answered
MOST_OPENED: Final = routing.BURSTS[0][1]  # tickets of one sender in one transaction
_UNREADABLE: Final = b"Subject: Unreadable mail\r\n\r\nThis mail could not be read. It is kept as it came.\r\n"


@dataclass(frozen=True, slots=True)
class Inbound:
    """A stored mail, as it is fetched to be filed."""

    id: int
    envelope_from: str | None
    recipients: Sequence[str]
    stored_at: datetime
    attempts: int
    raw: bytes = field(repr=False)


@dataclass(slots=True)
class Filing:
    """One mail on its way: what it says, what it belongs to, what becomes of it."""

    mail: Inbound
    reading: Reading
    verdict: Verdict
    route: Route
    reply: Reply
    department: str
    deliveries: Sequence[int] = ()  # of ours that its report says failed for good
    ticket: int | Opening | None = None
    notes: list[str] = field(default_factory=list)


class Filer:
    """Files mails, a group at a step."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        desk: Desk,
        known: reading.Known,
        now: Callable[[], datetime],
        *,
        languages: Iterable[str] = ("en",),
    ) -> None:
        self._database = database
        self._settings = settings
        self._desk = desk
        self._known = known
        self._now = now
        self._languages = tuple(languages)

    def step(self) -> float:
        """File one group; return how long there is nothing to do, in seconds."""
        claim = queues.claim(self._database, MailRow, self._now(), LEASE, GROUP)
        if not claim:
            return IDLE_S
        for part in self._portions(claim):
            self._file_or_split(part)
        return 0.0

    def _portions(self, claim: queues.Claim) -> list[queues.Claim]:
        """Cut a claim so that no transaction holds more than GROUP_BYTES, one large mail excepted."""
        with self._database.read() as connection:
            rows = connection.execute(select(MailRow.id, MailRow.size_bytes).where(MailRow.id.in_(claim.ids)))
            sizes = {row.id: row.size_bytes for row in rows}
        portions: list[list[int]] = []
        room = 0
        for mail_id in sorted(claim.ids):
            size = sizes.get(mail_id, 0)
            if not portions or size > room:
                portions.append([])
                room = GROUP_BYTES
            portions[-1].append(mail_id)
            room -= size
        return [claim.only(ids) for ids in portions]

    def _file_or_split(self, claim: queues.Claim) -> None:
        try:
            self._file(claim)
        except queues.LeaseLost:
            log.warning("lease lost, another worker files these mails", mails=len(claim.ids))
        except Exception:
            if len(claim.ids) == 1:
                again = self._set_back(claim)
                log.exception("filing failed", mail=claim.ids[0], next_try=again or "never: set aside")
                return
            log.exception("group failed, its mails are filed one by one", mails=len(claim.ids))
            for mail_id in claim.ids:
                self._file_or_split(claim.only([mail_id]))

    def _set_back(self, claim: queues.Claim) -> datetime | None:
        """Have a mail that failed tried again later, or set it aside where an operator finds it; return when."""
        mail_id = claim.ids[0]
        attempts = claim.attempts[mail_id]
        again = next_filing(attempts, self._now())
        state = MailState.STORED if again else MailState.FAILED
        reason = f"filing failed {attempts} times; see the log, then: maild mail retry {mail_id}"
        with self._database.write() as connection:
            queues.hold(connection, claim)
            connection.execute(
                update(MailRow).where(MailRow.id == mail_id).values(due_at=again, state=state, reason=reason)
            )
        return again

    def _file(self, claim: queues.Claim) -> None:
        now = self._now()
        with self._database.read() as connection:
            mails = fetch(connection, claim.ids)
            filings, later = _independent(self.examine(connection, mails, now))
            filings, waiting = self._in_order(connection, claim, filings)
        with self._database.write() as connection:
            _postpone(connection, claim, waiting)
            queues.hold(connection, claim.only([filing.mail.id for filing in filings]))
            self._write(connection, filings, now)
        for filing in filings:
            log.info(
                filing.route.action.value,
                mail=filing.mail.id,
                ticket=filing.ticket if isinstance(filing.ticket, int) else "-",
                kind=filing.reading.kind.value,
                why=filing.route.reason,
            )
        if later:
            self._file_or_split(claim.only([filing.mail.id for filing in later]))

    def _in_order(
        self, connection: Connection, claim: queues.Claim, filings: list[Filing]
    ) -> tuple[list[Filing], dict[int, datetime]]:
        """Part off the mails that answer one which another worker has, or which is to be tried again, with its time.

        Filed first they would open a ticket beside the one that their conversation is about to get.
        """
        if not any(filing.route.action is Action.OPEN and filing.reading.clues.message_ids for filing in filings):
            return filings, {}
        elsewhere = _unfiled(connection, claim.ids)
        now: list[Filing] = []
        waiting: dict[int, datetime] = {}
        for filing in filings:
            awaited = [elsewhere[each] for each in filing.reading.clues.message_ids if each in elsewhere]
            if filing.route.action is Action.OPEN and awaited:
                waiting[filing.mail.id] = max(awaited)
            else:
                now.append(filing)
        return now, waiting

    def examine(self, connection: Connection, mails: Sequence[Inbound], now: datetime) -> list[Filing]:
        """Return what would become of `mails`; nothing is written."""
        readings = [self._read(mail, now) for mail in mails]
        deliveries = [self._bounced_deliveries(connection, each) for each in readings]
        by_delivery = queries.tickets_of_deliveries(connection, {each for some in deliveries for each in some})
        clues = [each.clues for each in readings]
        known = queries.known_for(
            connection,
            {one for each in clues for one in each.message_ids},
            {one for each in clues for one in each.thread_indexes},
            {*(one for each in clues for one in each.ticket_ids), *by_delivery.values()},
        )
        verdicts = [judge(each.clues, known, each.sender, each.authentication.result) for each in readings]
        said = queries.latest(connection, {each.ticket_id for each in verdicts if each.ticket_id is not None})
        senders = {each.sender for each in readings}
        reopenings = queries.reopenings(connection, senders, now - timedelta(days=1))
        habits = _Habits(
            known,
            reopenings,
            queries.resolved_among(connection, known.tickets) if reopenings else frozenset(),
            queries.opened_since(
                connection, {normalise(each.writer.address) for each in readings}, now - routing.LONGEST_BURST
            ),
            people.known(connection, senders | {normalise(each.author.address) for each in readings}),
            by_delivery,
        )
        filings = []
        for mail, each, verdict, failed in zip(mails, readings, verdicts, deliveries, strict=True):
            facts = self._facts(each, verdict, failed, habits, now)
            chosen = route(facts)
            known_texts = [one.text for one in said.get(verdict.ticket_id or 0, ()) if one.text]
            new = reply.new_text(each.message, known_texts)
            ticket = None if chosen.action is Action.OPEN else facts.ticket_id or facts.burst_ticket_id
            filings.append(Filing(mail, each, verdict, chosen, new, self._department(mail, each), failed, ticket))
        return filings

    def _read(self, mail: Inbound, now: datetime) -> Reading:
        try:
            return reading.read(mail.raw, mail.envelope_from, mail.recipients, self._known, now)
        except Exception:  # a foreign parser under ours may raise on anything; the mail must not be lost for it
            log.exception("mail cannot be read, it becomes a ticket as it is", mail=mail.id)
            return reading.read(_UNREADABLE, mail.envelope_from, mail.recipients, self._known, now)

    def _bounced_deliveries(self, connection: Connection, each: Reading) -> tuple[int, ...]:
        """Return our deliveries that a mail reports on, by its envelope recipient or by what it returns."""
        if each.bounced or each.bounce is None or not each.bounce.original_message_id:
            return each.bounced
        sent = queries.deliveries_of_mail(connection, each.bounce.original_message_id)
        failed = {normalise(failure.recipient) for failure in each.bounce.failed}
        return tuple(
            delivery for recipient, delivery in sent.items() if normalise(recipient) in failed or len(sent) == 1
        )

    def _facts(self, each: Reading, verdict: Verdict, failed: Sequence[int], habits: "_Habits", now: datetime) -> Facts:
        ticket_id = verdict.ticket_id
        if ticket_id is None:
            ticket_id = next((habits.by_delivery[one] for one in failed if one in habits.by_delivery), None)
        holder = habits.people.get(normalise(each.author.address))
        taking_part = habits.known.tickets.get(ticket_id or 0)
        opened = habits.opened.get(normalise(each.writer.address), [])
        burst = routing.in_burst([one.at for one in opened], now)
        return Facts(
            kind=each.kind.value,
            answerable=each.classification.answerable,
            ticket_id=ticket_id,
            role=verdict.role.value if verdict.role else None,
            proven=verdict.proof == "signed",
            token_is_senders=holder is not None and holder.address_id == verdict.address_id,
            third_party=verdict.third_party,
            takes_part=taking_part is not None and each.sender in taking_part.participants,
            agent=self._settings.agent_of(each.author.address) is not None,
            trust=each.authentication.result.value,
            own_list=self._is_own_list(each),
            bounced_delivery=bool(failed),
            reopenings_today=habits.reopenings.get(each.sender, 0),
            would_reopen=ticket_id in habits.resolved,
            burst_ticket_id=opened[-1].ticket_id if burst else None,
        )

    def _is_own_list(self, each: Reading) -> bool:
        """Return whether the list that brought the mail is one of our own addresses: `support@` may be a group."""
        list_id = each.message.header("list-id").rpartition("<")[2].strip("> ").lower()
        return bool(list_id) and any(list_id == ours.replace("@", ".", 1) for ours in self._known.ours)

    def _department(self, mail: Inbound, each: Reading) -> str:
        named = [*mail.recipients, *(one.address for one in (*each.message.to, *each.message.cc))]
        found = (self._settings.department_of(address) for address in named)
        return next((department.name for department in found if department), self._settings.departments[0].name)

    def _write(self, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
        self._enrol(connection, filings, now)
        happenings, owners = [], []
        for filing in filings:
            event = _event(filing, now, acknowledge=self._acknowledges(filing))
            if event is None or filing.ticket is None:
                continue
            happenings.append(
                Happening(filing.ticket, event, filing.reading.sender, self._filed(filing), filing.mail.id)
            )
            owners.append(filing)
        outcomes = self._desk.handle(connection, happenings, now)
        for filing, outcome in zip(owners, outcomes, strict=True):
            filing.ticket = outcome.ticket_id
            if outcome.refused:
                filing.notes.append(f"refused: {outcome.refused}")
        failures = {
            delivery: _server_words(filing.reading)
            for filing in filings
            if filing.route.action is Action.BOUNCE and _failed_for_good(filing.reading)
            for delivery in filing.deliveries
        }
        if failures:
            self._desk.delivery_failed(connection, failures, now)
        connection.execute(
            update(MailRow).where(MailRow.id == bindparam("mail_id")), [self._columns(filing) for filing in filings]
        )

    def _acknowledges(self, filing: Filing) -> bool:
        department = self._settings.department(filing.department)
        return filing.route.acknowledge and (department is None or department.acknowledge)

    def _enrol(self, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
        """Write down who is met for the first time, and make the tickets that are to be opened."""
        opening = [filing for filing in filings if filing.route.action is Action.OPEN]
        copied = {id(filing): self._copied(filing) for filing in opening}
        wanted = [filing.reading.writer for filing in opening] + [one for some in copied.values() for one in some]
        found = people.enrol(connection, wanted, now) if wanted else {}
        for filing in opening:
            others = {normalise(one.address): found[normalise(one.address)] for one in copied[id(filing)]}
            filing.ticket = self._opening(
                filing, found[normalise(filing.reading.writer.address)], tuple(others.values())
            )

    def _copied(self, filing: Filing) -> list[Address]:
        """Return who takes part because the first mail names him: never we, nor agents, nor the writer himself."""
        if filing.reading.kind.value != "human":
            return []
        message, writer = filing.reading.message, normalise(filing.reading.writer.address)
        others = [*message.cc, *message.to]
        return [
            each
            for each in others[:ADDRESSES_KEPT]
            if "@" in each.address
            and normalise(each.address) != writer
            and self._settings.department_of(each.address) is None
            and self._settings.agent_of(each.address) is None
        ]

    def _opening(self, filing: Filing, writer: Person, taking_part: tuple[Person, ...]) -> Opening:
        message = filing.reading.message
        department = self._settings.department(filing.department)
        spoken = writer.language or language.detect(message, filing.reply.text, self._languages)
        return Opening(
            subject=message.subject[:500],
            department=filing.department,
            requester=writer,
            participants=taking_part,
            language=spoken or (department.language if department else None),
        )

    def _filed(self, filing: Filing) -> FiledMail:
        each = filing.reading
        return FiledMail(
            filing.mail.id,
            each.message,
            filing.reply,
            each.author,
            filing.mail.stored_at,
            third_party=filing.route.third_party,
            trust=each.authentication.result.value,
            related=filing.verdict.related,
        )

    def _columns(self, filing: Filing) -> dict[str, Any]:
        each, message = filing.reading, filing.reading.message
        on_ticket = filing.ticket if isinstance(filing.ticket, int) else None
        state = _STATES.get(filing.route.action, MailState.FILED)
        return {
            "mail_id": filing.mail.id,
            "due_at": None,
            "state": state,
            "ticket_id": on_ticket if state is MailState.FILED else None,
            "kind": each.kind.value,
            "purpose": filing.route.action.value,
            "reason": "; ".join([filing.route.reason, *filing.notes]),
            "message_id": _stored(message.message_id, 998),
            "references": [*message.in_reply_to, *reversed(message.references)][:50],
            "thread_index": _thread_index(each),
            "from_address": each.sender[:320],
            "from_name": _stored(each.author.name, 320),
            "subject": _stored(message.subject, 998),
            "sent_at": message.date,
            "text": _stored(filing.reply.text, TEXT_KEPT),
            "evidence": evidence(filing),
        }


@dataclass(frozen=True, slots=True)
class _Habits:
    """What the database knows for a group."""

    known: Known
    reopenings: Mapping[str, int]
    resolved: Collection[int]
    opened: Mapping[str, Sequence[queries.Opened]]
    people: Mapping[str, Person]
    by_delivery: Mapping[int, int]


_STATES: Final = {Action.NOTED: MailState.NOTED, Action.HELD: MailState.HELD}


def fetch(connection: Connection, mail_ids: Sequence[int]) -> list[Inbound]:
    """Return stored mails with their bytes, in the order in which they were stored."""
    rows = connection.execute(
        select(MailRow.id, MailRow.envelope_from, MailRow.recipients, MailRow.stored_at, MailRow.attempts)
        .where(MailRow.id.in_(mail_ids))
        .order_by(MailRow.id)
    ).all()
    raws = queries.raws(connection, [row.id for row in rows])
    return [Inbound(*row, raw=raws[row.id]) for row in rows]


def evidence(filing: Filing) -> dict[str, Any]:
    """Return why the mail went where it went, for the record and for `maild mail explain`."""
    verdict, authenticated = filing.verdict, filing.reading.authentication
    return {
        "kind": filing.reading.kind.value,
        "kind_reasons": list(filing.reading.classification.reasons),
        "trust": authenticated.result.value,
        "trust_reasons": list(authenticated.reasons),
        "proof": verdict.proof,
        "reasons": list(verdict.reasons),
        "related": list(verdict.related),
        "third_party": filing.route.third_party,
        "action": filing.route.action.value,
        "why": filing.route.reason,
    }


def _independent(filings: Sequence[Filing]) -> tuple[list[Filing], list[Filing]]:
    """Part a group into the mails that can be filed now, and those that must see the others filed first.

    A mail waits if it answers one that opens a ticket in this very group, or if its sender has opened as many
    tickets in it as he may at once.
    """
    now: list[Filing] = []
    later: list[Filing] = []
    opening: set[str] = set()
    opened: dict[str, int] = {}
    for filing in filings:
        message_id, sender = filing.reading.message.message_id, normalise(filing.reading.writer.address)
        opens = filing.route.action is Action.OPEN
        refers = not opening.isdisjoint(filing.reading.clues.message_ids)
        if opens and (refers or opened.get(sender, 0) >= MOST_OPENED):
            later.append(filing)
            continue
        if opens:
            opened[sender] = opened.get(sender, 0) + 1
            opening.add(message_id)
        now.append(filing)
    return now, later


def _unfiled(connection: Connection, claimed: Collection[int]) -> dict[str, datetime]:
    """Return the Message-IDs of mails that somebody else files, or that are tried again, with when they are due."""
    rows = connection.execute(
        select(MailRow.id, MailRow.due_at)
        .where(MailRow.due_at.is_not(None), MailRow.attempts > 0, MailRow.id.not_in(claimed))
        .limit(MOST_UNFILED)
    ).all()
    heads = queries.heads(connection, [row.id for row in rows])
    found = ((parse(heads.get(row.id, b"")).message_id, row.due_at) for row in rows)
    return {message_id: due_at for message_id, due_at in found if message_id and due_at is not None}


def _postpone(connection: Connection, claim: queues.Claim, waiting: Mapping[int, datetime]) -> None:
    """Give mails back untried until then."""
    for mail_id, due_at in waiting.items():
        connection.execute(
            update(MailRow)
            .where(MailRow.id == mail_id, MailRow.due_at == claim.until)
            .values(due_at=due_at + timedelta(seconds=1), attempts=claim.attempts[mail_id] - 1)
        )
        log.info("waits for the mail that it answers", mail=mail_id, until=due_at)


def _event(filing: Filing, now: datetime, *, acknowledge: bool) -> Event | None:
    """Return what a mail means to its ticket, None if it means nothing."""
    match filing.route.action:
        case Action.NOTED | Action.HELD:
            return None
        case Action.MACHINE | Action.BOUNCE:
            return MachineWrote(now)
        case Action.OPEN | Action.CUSTOMER:
            return CustomerWrote(now, acknowledge=acknowledge)
        case Action.SOLVED:
            return Solved(now)
        case Action.PROBLEM:
            return StillAProblem(now)
        case Action.ANSWER:
            return AgentWrote(now, filing.reading.sender)
        case Action.NOTE:
            return NoteWritten(now)


def _failed_for_good(each: Reading) -> bool:
    return each.kind is Kind.DSN_FAILED and each.bounce is not None and any(one.permanent for one in each.bounce.failed)


def _server_words(each: Reading) -> str:
    failed = each.bounce.failed if each.bounce else ()
    said = next((f"{one.status} {one.diagnostic}".strip() for one in failed if one.permanent), "")
    return said or "the mail could not be delivered"


def _thread_index(each: Reading) -> str | None:
    return next(iter(each.clues.thread_indexes), None)


def _stored(text: str, limit: int) -> str | None:
    """Return text as a database takes it: no NUL (PostgreSQL refuses it), no half characters, not endless."""
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode("utf-8") or None
