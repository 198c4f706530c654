"""The desk: the one way to change a ticket.

    happenings (ticket, event) -> snapshots -> rules.ticket.decide, in order -> rows, history, mails: one transaction

`Desk.handle` takes a batch, of which one happening is the simplest. Tickets are read once and locked, decided on in
memory in the order given (two events of one ticket see each other), and written with one statement a table. The
history is computed from the difference between the ticket before and after, so no rule can forget it. The mails that
a decision asks for go to `outbox` in the same transaction.

A customer's mail on a closed ticket goes to the ticket that follows it, an open one if there is one, else a new one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from maild import people
from maild.config import Settings
from maild.message.address import normalise
from maild.outbox import About, Outbox, Post, Thread, Undelivered, Withheld
from maild.people import Person
from maild.rules.ticket import (
    FIELDS,
    AgentWrote,
    CustomerWrote,
    DeliveryFailed,
    Event,
    NoteWritten,
    Policy,
    Refused,
    Status,
    Tell,
    Ticket,
    decide,
    opened,
)
from maild.store.models import DeliveryRow, DeliveryState, Direction, HistoryRow, MailRow, ParticipantRow, TicketRow

log = structlog.get_logger("maild.desk")

MAILD: Final = "maild"  # the actor where time alone acts
_UNRECORDED: Final = frozenset({"due_at"})  # computed from the rest
_SUPPRESSED_FOR: Final = timedelta(days=60)  # a later success lifts it


@dataclass(slots=True)
class Opening:
    """A ticket that does not exist yet. The same object given twice in a batch is the same ticket."""

    subject: str
    department: str
    requester: Person
    participants: tuple[Person, ...] = ()
    language: str | None = None
    follows_id: int | None = None
    priority: str = "normal"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, the ticket to which it happens, who caused it and by which mail."""

    ticket: int | Opening
    event: Event
    actor: str
    about: About = None  # the mail by which it came, with what the mails that follow quote of it
    mail_id: int | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a happening."""

    ticket_id: int  # where it ended: another ticket for a closed one
    refused: str = ""  # why nothing was done, a sentence for whoever asked
    status: Status | None = None


@dataclass(slots=True)
class _Card:
    """A ticket in memory, while a batch is decided."""

    thread: Thread
    state: Ticket
    recorded: Ticket | None  # what history knows; None for a new ticket
    stored: Ticket | None  # what the table has; None for a new ticket
    opening: Opening | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    purge: bool = False


class Desk:
    """Handles events by the policies of the configuration."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._outbox = outbox
        self._policies = {each.name: settings.policy_of(each) for each in settings.departments}
        self._default = next(iter(self._policies.values()))

    def policy(self, department: str) -> Policy:
        """Return the policy of a department; that of the first for one that is configured no more."""
        return self._policies.get(department, self._default)

    def handle(self, connection: Connection, happenings: Sequence[Happening], now: datetime) -> list[Outcome]:
        """Let `happenings` happen in order, and return what became of each.

        An event that the rules refuse writes nothing and is told in its outcome; the others go on.

        Raises:
            KeyError: there is no such ticket.
        """
        batch = _Batch(self, connection, [each.ticket for each in happenings if isinstance(each.ticket, int)])
        ended = [batch.happen(happening) for happening in happenings]
        _write(connection, batch.cards())
        withheld = self._outbox.post(connection, batch.posts, now)
        _record_withheld(connection, withheld, now)
        _purge(connection, [card.thread.ticket_id for card in batch.cards() if card.purge])
        outcomes = [Outcome(card.thread.ticket_id, refused, card.state.status) for card, refused in ended]
        for happening, outcome in zip(happenings, outcomes, strict=True):
            event = type(happening.event).__name__
            if outcome.refused:
                log.info(
                    "refused", ticket=outcome.ticket_id, event_name=event, actor=happening.actor, why=outcome.refused
                )
            else:
                log.info("changed", ticket=outcome.ticket_id, by=event, actor=happening.actor, status=outcome.status)
        return outcomes

    def delivery_failed(self, connection: Connection, failures: Mapping[int, str], now: datetime) -> None:
        """Note that deliveries (by id) failed for good, with the server's own words.

        The addresses get nothing automatic for a while. If it was the last public answer of a ticket, the ticket
        opens again and the answer's author is told.
        """
        rows = connection.execute(
            select(
                DeliveryRow.id,
                DeliveryRow.ticket_id,
                DeliveryRow.recipient,
                DeliveryRow.mail_id,
                MailRow.purpose,
                MailRow.text,
                MailRow.stored_at,
            )
            .join(MailRow, MailRow.id == DeliveryRow.mail_id)
            .where(DeliveryRow.id.in_(failures), DeliveryRow.state.in_((DeliveryState.QUEUED, DeliveryState.SENT)))
            .order_by(DeliveryRow.id)
        ).all()
        for row in rows:
            said = failures[row.id][:2000]
            ended = {"state": DeliveryState.FAILED, "due_at": None, "ended_at": now, "reply": said}
            connection.execute(update(DeliveryRow).where(DeliveryRow.id == row.id).values(ended))
            people.suppress(connection, [normalise(row.recipient)], now + _SUPPRESSED_FOR, said)
            log.warning("delivery failed for good", delivery=row.id, ticket=row.ticket_id, reply=said[:200])
        answers = [row for row in rows if row.purpose == Tell.ANSWER and row.ticket_id is not None]
        last = _last_answers(connection, {row.ticket_id for row in answers})
        happenings = [
            Happening(
                row.ticket_id,
                DeliveryFailed(now),
                MAILD,
                Undelivered(row.mail_id, row.text or "", row.stored_at, row.recipient, failures[row.id]),
            )
            for row in answers
            if last.get(row.ticket_id) == row.mail_id
        ]
        if happenings:
            self.handle(connection, happenings, now)


class _Batch:
    """The deciding of one batch: cards change and posts gather, nothing is written."""

    def __init__(self, desk: Desk, connection: Connection, ticket_ids: Sequence[int]) -> None:
        self._desk = desk
        self._connection = connection
        self._by_id = _load(connection, ticket_ids)
        self._opened: dict[int, _Card] = {}  # by identity of the Opening
        self._followers: dict[int, _Card] = {}  # by id of the closed ticket
        self.posts: list[Post] = []

    def cards(self) -> list[_Card]:
        """Return every ticket of the batch, each once."""
        return [*self._by_id.values(), *self._opened.values()]

    def happen(self, happening: Happening) -> tuple[_Card, str]:
        """Decide on one happening; return the ticket on which it ended and why it was refused, if it was."""
        card = self._card(happening.ticket, happening.event.at)
        try:
            decision = decide(card.state, happening.event, self._desk.policy(card.thread.department))
        except Refused as no:
            self._return(card, happening, str(no))
            return card, str(no)
        if decision.follow_up:
            return self._follow_up(card, happening), ""
        before = card.state
        self._change(card, decision.after, happening)
        card.purge = card.purge or decision.purge
        self._tell(card, decision.tells, happening, before)
        return card, ""

    def _card(self, ticket: int | Opening, at: datetime) -> _Card:
        if isinstance(ticket, int):
            return self._by_id[ticket]
        card = self._opened.get(id(ticket))
        if card is None:
            thread = Thread(
                0,
                ticket.subject,
                ticket.department,
                ticket.requester,
                ticket.participants,
                ticket.language,
                follows_id=ticket.follows_id,
            )
            card = self._opened[id(ticket)] = _Card(thread, opened(at), None, None, ticket)
        return card

    def _change(self, card: _Card, after: Ticket, happening: Happening) -> None:
        card.changes += _changes(card, after, happening)
        card.state = card.recorded = after

    def _tell(self, card: _Card, tells: Iterable[Tell], happening: Happening, before: Ticket) -> None:
        event = happening.event
        agent = event.agent if isinstance(event, AgentWrote) else None
        cause = type(event).__name__
        self.posts += [Post(tell, card.thread, before, card.state, happening.about, agent, cause) for tell in tells]

    def _return(self, card: _Card, happening: Happening, reason: str) -> None:
        """Tell the agent who asked for it what was refused; nobody else asks by mail."""
        if isinstance(happening.event, AgentWrote | NoteWritten):
            cause = type(happening.event).__name__
            self.posts.append(
                Post(Tell.RETURNED, card.thread, card.state, card.state, happening.about, None, cause, reason)
            )

    def _follow_up(self, closed: _Card, happening: Happening) -> _Card:
        closed_id = closed.thread.ticket_id
        event = CustomerWrote(happening.event.at, acknowledge=False)
        follower = self._followers.get(closed_id) or self._living_follower(closed_id)
        if follower is None:
            old = closed.thread
            opening = Opening(old.subject, old.department, old.requester, old.participants, old.language, closed_id)
            follower = self._card(opening, event.at)
            self._tell(follower, (Tell.FOLLOW_UP,), happening, follower.state)
        self._followers[closed_id] = follower
        decision = decide(follower.state, event, self._desk.policy(follower.thread.department))
        before = follower.state
        self._change(follower, decision.after, happening)
        self._tell(follower, decision.tells, happening, before)
        return follower

    def _living_follower(self, closed_id: int) -> _Card | None:
        dead = (Status.CLOSED, Status.SPAM, Status.DELETED, Status.MERGED)
        found = self._connection.scalar(
            select(TicketRow.id)
            .where(TicketRow.follows_id == closed_id, TicketRow.status.not_in(dead))
            .order_by(TicketRow.id.desc())
            .limit(1)
        )
        if found is None:
            return None
        if found not in self._by_id:
            self._by_id |= _load(self._connection, [found])
        return self._by_id[found]


def _load(connection: Connection, ticket_ids: Sequence[int]) -> dict[int, _Card]:
    """Read tickets and lock them, in the order of their ids, so that two nodes never wait for each other."""
    ids = sorted(set(ticket_ids))
    if not ids:
        return {}
    state = [getattr(TicketRow, name) for name in FIELDS]
    rows = connection.execute(
        select(
            TicketRow.id,
            TicketRow.subject,
            TicketRow.department,
            TicketRow.requester_id,
            TicketRow.language,
            TicketRow.silenced_until,
            *state,
        )
        .where(TicketRow.id.in_(ids))
        .order_by(TicketRow.id)
        .with_for_update()
    ).all()
    joined = connection.execute(
        select(ParticipantRow.ticket_id, ParticipantRow.address_id).where(
            ParticipantRow.ticket_id.in_(ids), ParticipantRow.left_at.is_(None)
        )
    ).all()
    everybody = people.by_id(connection, {row.requester_id for row in rows} | {row.address_id for row in joined})
    cards = {}
    for row in rows:
        ticket = Ticket(*row[6:])
        participants = tuple(everybody[each.address_id] for each in joined if each.ticket_id == row.id)
        thread = Thread(
            row.id,
            row.subject,
            row.department,
            everybody[row.requester_id],
            participants,
            row.language,
            row.silenced_until,
        )
        cards[row.id] = _Card(thread, ticket, ticket, ticket)
    return cards


def _changes(card: _Card, after: Ticket, happening: Happening) -> Iterator[dict[str, Any]]:
    """Yield the history of one event: each field that it changed, once."""
    common = {
        "at": happening.event.at,
        "actor": happening.actor,
        "cause": type(happening.event).__name__,
        "mail_id": happening.mail_id,
    }
    before = card.recorded
    if before is None and card.opening is not None:
        for name, value in (
            ("subject", card.opening.subject),
            ("department", card.opening.department),
            ("requester", card.opening.requester.normal),
            ("follows_id", card.opening.follows_id),
        ):
            if value is not None:
                yield {**common, "field": name, "old": None, "new": _text(value)}
    for name in FIELDS:
        old, new = (getattr(before, name) if before else None), getattr(after, name)
        if name in _UNRECORDED or old == new or (before is None and new is False):
            continue
        yield {**common, "field": name, "old": _text(old), "new": _text(new)}


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case datetime():
            return value.isoformat()
        case Enum():
            return str(value.value)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _write(connection: Connection, cards: Sequence[_Card]) -> None:
    fresh = [card for card in cards if card.opening is not None]
    if fresh:
        _insert(connection, fresh)
    changed = [card for card in cards if card.stored is not None and card.state != card.stored]
    if changed:
        connection.execute(
            update(TicketRow).where(TicketRow.id == bindparam("ticket_id")).values(attempts=0),
            [{"ticket_id": card.thread.ticket_id, **_columns(card.state)} for card in changed],
        )
    history = [{**change, "ticket_id": card.thread.ticket_id} for card in cards for change in card.changes]
    if history:
        connection.execute(insert(HistoryRow), history)


def _columns(state: Ticket) -> dict[str, Any]:
    return {name: getattr(state, name) for name in FIELDS}


def _insert(connection: Connection, fresh: Sequence[_Card]) -> None:
    rows = [
        {
            **_columns(card.state),
            "subject": card.opening.subject[:998],
            "department": card.opening.department,
            "requester_id": card.opening.requester.address_id,
            "language": card.opening.language,
            "created_at": card.state.since,
            "follows_id": card.opening.follows_id,
            "priority": card.opening.priority,
        }
        for card in fresh
        if card.opening is not None
    ]
    ids = connection.scalars(insert(TicketRow).returning(TicketRow.id, sort_by_parameter_order=True), rows).all()
    for card, ticket_id in zip(fresh, ids, strict=True):
        card.thread.ticket_id = ticket_id
    joining = [
        {"ticket_id": card.thread.ticket_id, "address_id": each.address_id, "joined_at": card.state.since}
        for card in fresh
        for each in card.thread.participants
    ]
    if joining:
        connection.execute(insert(ParticipantRow), joining)


def _record_withheld(connection: Connection, withheld: Sequence[Withheld], now: datetime) -> None:
    """Keep in the history which automatic mails were not sent, and why; silence the tickets that must be."""
    rows: list[dict[str, Any]] = []
    for each in withheld:
        ticket_id = each.thread.ticket_id
        common = {"ticket_id": ticket_id, "at": now, "actor": MAILD, "cause": each.cause, "mail_id": None}
        rows.append(
            {**common, "field": "withheld", "old": None, "new": f"{each.tell} to {each.recipient}: {each.reason}"}
        )
        if each.silence_until is not None:
            old = each.thread.silenced_until
            rows.append({**common, "field": "silenced_until", "old": _text(old), "new": _text(each.silence_until)})
            each.thread.silenced_until = each.silence_until
            connection.execute(
                update(TicketRow).where(TicketRow.id == ticket_id).values(silenced_until=each.silence_until)
            )
        log.info("withheld", ticket=ticket_id, purpose=each.tell.value, why=each.reason)
    if rows:
        connection.execute(insert(HistoryRow), rows)


def _last_answers(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, int]:
    """Return the last public answer's mail of each ticket."""
    rows = connection.execute(
        select(MailRow.ticket_id, func.max(MailRow.id))
        .where(
            MailRow.ticket_id.in_(set(ticket_ids)), MailRow.purpose == Tell.ANSWER, MailRow.direction == Direction.OUT
        )
        .group_by(MailRow.ticket_id)
    ).all()
    return {row[0]: row[1] for row in rows if row[0] is not None}


def _purge(connection: Connection, ticket_ids: Sequence[int]) -> None:
    """Remove tickets for good, with their mails, deliveries and history."""
    if not ticket_ids:
        return
    # What hangs on a ticket goes with it: its mails with their bytes, deliveries, history, and its aliases.
    connection.execute(delete(TicketRow).where(TicketRow.id.in_(ticket_ids)))
    log.info("purged", tickets=" ".join(map(str, ticket_ids)))
