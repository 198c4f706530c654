"""Tickets read, locked and written: one statement a table for a whole batch.

The history is computed here from the difference between a ticket before and after. No other file writes to the table
of tickets.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, Dialect, bindparam, delete, func, insert, select, update

from maild import people
from maild.desk.happenings import MAILD, Happening, Opening
from maild.outbox.letters import Thread, Withheld
from maild.rules.events import Assign, Event, KnowAs
from maild.rules.levels import Finished
from maild.rules.state import COMPUTED, FIELDS, Status, Tell, Ticket
from maild.store import driver, search
from maild.store.models import AddressRow, ClockRow, Direction, HistoryRow, MailRow, ParticipantRow, TicketRow

log = structlog.get_logger("maild.desk")

RECORDED: Final = tuple(name for name in Ticket._fields if name not in COMPUTED)
_OF_OPENING: Final = ("subject", "department", "requester")  # are recorded as they were asked for
OPENED: Final = {
    "undelivered": False,
    "priority": "normal",
    "participants": frozenset(),
    "tags": frozenset(),
    "related": frozenset(),
    "escalated": frozenset(),
}  # not worth an entry
_OPENED: Final = tuple(OPENED.get(name) for name in Ticket._fields)
_NEWS: Final = frozenset(RECORDED)
_NEWS_OF_OPENED: Final = _NEWS.difference(_OF_OPENING)

# Built once: building a statement anew costs more than executing it.
_READ: Final = (
    select(
        TicketRow.id,
        TicketRow.requester_id,
        TicketRow.language,
        TicketRow.silenced_until,
        *(getattr(TicketRow, name) for name in FIELDS),
    )
    .where(TicketRow.id.in_(bindparam("ids", expanding=True)))
    .order_by(TicketRow.id)
)
_LOCK: Final = _READ.with_for_update()
_JOINED: Final = select(ParticipantRow.ticket_id, ParticipantRow.address_id, ParticipantRow.left_at).where(
    ParticipantRow.ticket_id.in_(bindparam("ids", expanding=True))
)
_CHANGED: Final = (*FIELDS, "requester_id", "attempts")
_NEW: Final = (*_CHANGED, "language", "follows_id")
_INSERT: Final = insert(TicketRow).returning(TicketRow.id, sort_by_parameter_order=True)
_INSERT_NUMBERED: Final = driver.insert(TicketRow, *_NEW, "id")
_UPDATE: Final = driver.update(TicketRow, "id", *_CHANGED)
_INSERT_CLOCK: Final = insert(ClockRow)
_REPLACED_CLOCK: Final = delete(ClockRow).where(
    ClockRow.ticket_id == bindparam("its_ticket"),
    ClockRow.kind == bindparam("its_kind"),
    ClockRow.started_at == bindparam("its_start"),
)


class Entry(NamedTuple):
    """An entry of a ticket's history; its fields are the columns."""

    at: datetime
    actor: str
    cause: str
    mail_id: int | None
    field: str
    old: str | None
    new: str | None


_INSERT_HISTORY: Final = driver.insert(HistoryRow, *Entry._fields, "ticket_id")


@dataclass(slots=True)
class Card:
    """A ticket in memory, while a batch is decided."""

    thread: Thread
    state: Ticket
    recorded: Ticket | None  # what history knows; None for a new ticket
    stored: Ticket | None  # what the table has; None for a new ticket
    opening: Opening | None = None
    changes: list[Entry] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)  # addresses that turn out to be the requester's
    finished: list[Finished] = field(default_factory=list)  # clocks that ended
    purge: bool = False
    ready: tuple[driver.Ready, list[driver.Ready]] | None = None  # its row and its history, of one that was prepared
    threads: list[Thread] = field(default_factory=list)  # as it was before, to which mails may have been asked for


def load(connection: Connection, ticket_ids: Sequence[int], *, lock: bool = True) -> dict[int, Card]:
    """Read tickets and lock them, in the order of their ids, so that two nodes never wait for each other."""
    ids = sorted(set(ticket_ids))
    if not ids:
        return {}
    rows = connection.execute(_LOCK if lock else _READ, {"ids": ids}).all()
    joined = connection.execute(_JOINED, {"ids": ids}).all()
    everybody = people.by_id(connection, {row.requester_id for row in rows} | {row.address_id for row in joined})
    joined_to: defaultdict[int, list[Any]] = defaultdict(list)
    for each in joined:
        joined_to[each.ticket_id].append(each)
    cards = {}
    for row in rows:
        here = joined_to[row.id]
        participants = tuple(everybody[each.address_id] for each in here if each.left_at is None)
        ticket = Ticket(
            **dict(zip(FIELDS, row[4:], strict=True)),
            requester=everybody[row.requester_id].normal,
            participants=frozenset(each.normal for each in participants),
            gone=frozenset(everybody[each.address_id].normal for each in here if each.left_at is not None),
        )
        thread = Thread(
            row.id,
            row.subject,
            row.department,
            everybody[row.requester_id],
            participants,
            row.language,
            row.silenced_until,
        )
        cards[row.id] = Card(thread, ticket, ticket, ticket)
    return cards


def changes(card: Card, after: Ticket, event: Event, happening: Happening) -> list[Entry]:
    """Return the history of one event: each field that it changed, once."""
    before = card.recorded
    told = list(_asked_for(card.opening)) if before is None and card.opening is not None else []
    if isinstance(event, KnowAs):
        told.append(("alias", None, event.address))
    if isinstance(event, Assign) and event.reason:
        told.append(("reason", None, event.reason))
    news = _NEWS if before else _NEWS_OF_OPENED
    for name, old, new in zip(Ticket._fields, before or _OPENED, after, strict=True):
        if old is not new and old != new and name in news:
            told.append((name, _text(old) if before else None, _text(new)))
    actor = happening.actor[:320]  # nobody has a longer address; From may name one all the same
    cause = type(event).__name__
    return [Entry(event.at, actor, cause, happening.mail_id, *each) for each in told]


def _asked_for(opening: Opening) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield what a new ticket is by the mail that opens it."""
    yield "subject", None, opening.subject
    yield "department", None, opening.department
    yield "requester", None, opening.requester.normal
    if opening.follows_id is not None:
        yield "follows_id", None, str(opening.follows_id)


def _text(value: object) -> str | None:
    if type(value) is str:  # most are; a StrEnum is none
        return value
    match value:
        case None:
            return None
        case datetime():
            return value.isoformat()
        case Enum():
            return str(value.value)
        case bool():
            return "yes" if value else "no"
        case frozenset():
            return ", ".join(map(str, sorted(value))) or None
        case _:
            return str(value)


def write(connection: Connection, cards: Sequence[Card], now: datetime) -> None:
    """Write tickets, who joined them, and their history; new tickets have their number on return."""
    fresh = [card for card in cards if card.opening is not None]
    if fresh:
        _insert(connection, fresh)
    changed = [card for card in cards if card.stored is not None and card.state != card.stored]
    if changed:
        dialect = connection.dialect
        rows = [_UPDATE.in_order(dialect, (*_columns(card), card.thread.ticket_id)) for card in changed]
        _UPDATE.execute_ready(connection, rows)
    renamed = [card for card in changed if card.stored is not None and card.state.subject != card.stored.subject]
    search.note(connection, (-card.thread.ticket_id for card in renamed), now)
    _write_people(connection, cards)
    dialect = connection.dialect
    history = (card.ready[1] if card.ready else _ready_history(dialect, card) for card in cards)
    _INSERT_HISTORY.execute_ready(connection, [each for several in history for each in several])
    _write_clocks(connection, cards)


def _write_clocks(connection: Connection, cards: Sequence[Card]) -> None:
    """Write the clocks that ended; one that had ended before, and went on when its ticket opened again, once."""
    ended = {
        (card.thread.ticket_id, each.kind, each.started_at): each for card in cards for each in card.finished
    }  # the last word of each
    if not ended:
        return
    again = [
        {"its_ticket": ticket_id, "its_kind": kind.value, "its_start": started_at}
        for ticket_id, kind, started_at in ended
    ]
    connection.execute(_REPLACED_CLOCK, again)
    connection.execute(
        _INSERT_CLOCK,
        [
            {
                "ticket_id": ticket_id,
                "kind": kind.value,
                "started_at": started_at,
                "target_at": each.due_at,
                "stopped_at": each.stopped_at,
                "used_s": int(each.used.total_seconds()),
                "outcome": each.outcome.value if each.outcome else None,
                "level": each.level,
                "priority": each.priority,
                "department": each.department,
                "agent": each.agent,
            }
            for (ticket_id, kind, started_at), each in ended.items()
        ],
    )


def _write_people(connection: Connection, cards: Sequence[Card]) -> None:
    """Write who joined and who left, and addresses that turned out to be a requester's."""
    joining: list[dict[str, Any]] = []
    for card in cards:
        before = card.stored.participants if card.stored else frozenset()
        if not card.stored and not card.thread.participants and not card.aliases:
            continue  # most new tickets are of one alone
        at = card.changes[-1].at if card.changes else card.state.since
        joined = [each for each in card.thread.participants if each.normal not in before]
        joining += [
            {"ticket_id": card.thread.ticket_id, "address_id": each.address_id, "joined_at": at} for each in joined
        ]
        here = ParticipantRow.ticket_id == card.thread.ticket_id
        if joined and card.stored:  # one who left may come back
            again = ParticipantRow.address_id.in_([each.address_id for each in joined])
            connection.execute(delete(ParticipantRow).where(here, again))
        if gone := before - card.state.participants:
            theirs = select(AddressRow.id).where(AddressRow.normal.in_(gone))
            connection.execute(
                update(ParticipantRow).where(here, ParticipantRow.address_id.in_(theirs)).values(left_at=at)
            )
        for address in card.aliases:
            people.unite(connection, address, card.thread.requester)
    if joining:
        connection.execute(insert(ParticipantRow), joining)


def _columns(card: Card) -> tuple[object, ...]:
    return *card.state[: len(FIELDS)], card.thread.requester.address_id, 0


def _new_columns(card: Card) -> tuple[object, ...]:
    opening = card.opening
    return *_columns(card), *((opening.language, opening.follows_id) if opening else (None, None))


def _insert(connection: Connection, fresh: Sequence[Card]) -> None:
    numbered = [card for card in fresh if card.opening and card.opening.number is not None]
    others = [card for card in fresh if card.opening and card.opening.number is None]
    if numbered:
        for card in numbered:
            number(card)
        rows = [card.ready[0] if card.ready else _ready_ticket(connection.dialect, card) for card in numbered]
        _INSERT_NUMBERED.execute_ready(connection, rows)
    if others:
        ids = connection.scalars(_INSERT, [dict(zip(_NEW, _new_columns(card), strict=True)) for card in others]).all()
        for card, ticket_id in zip(others, ids, strict=True):
            number(card, ticket_id)


def make_ready(connection: Connection, card: Card) -> None:
    """Reckon what is written of a new ticket, which has its number, as the driver takes it."""
    card.ready = _ready_ticket(connection.dialect, card), _ready_history(connection.dialect, card)


def _ready_ticket(dialect: Dialect, card: Card) -> driver.Ready:
    return _INSERT_NUMBERED.in_order(dialect, (*_new_columns(card), card.thread.ticket_id))


def _ready_history(dialect: Dialect, card: Card) -> list[driver.Ready]:
    ticket_id = card.thread.ticket_id
    return [_INSERT_HISTORY.in_order(dialect, (*entry, ticket_id)) for entry in card.changes]


def number(card: Card, ticket_id: int | None = None) -> None:
    """Give a ticket its number, or the one that was reserved for it."""
    own = ticket_id or (card.opening.number if card.opening else None) or 0
    for thread in (card.thread, *card.threads):
        thread.ticket_id = own


def record_withheld(connection: Connection, withheld: Sequence[Withheld], now: datetime) -> None:
    """Keep in the history which automatic mails were not sent, and why; silence the tickets that must be."""
    rows: list[dict[str, Any]] = []
    for each in withheld:
        ticket_id = each.thread.ticket_id
        common = {"ticket_id": ticket_id, "at": now, "actor": MAILD, "cause": each.cause, "mail_id": None}
        rows.append(
            {**common, "field": "withheld", "old": None, "new": f"{each.tell} to {each.recipient}: {each.reason}"}
        )
        if each.silence_until is not None:
            old, new = _text(each.silenced_before), _text(each.silence_until)
            rows.append({**common, "field": "silenced_until", "old": old, "new": new})
            connection.execute(
                update(TicketRow).where(TicketRow.id == ticket_id).values(silenced_until=each.silence_until)
            )
        log.info("withheld", ticket=ticket_id, purpose=each.tell.value, why=each.reason)
    _INSERT_HISTORY.execute(connection, rows)


def make_due(connection: Connection, statuses: Iterable[Status], now: datetime) -> int:
    """Let the time come to all tickets of these statuses, to look at them anew; return how many."""
    later = TicketRow.status.in_(statuses) & (TicketRow.due_at > now)
    return connection.execute(update(TicketRow).where(later).values(due_at=now)).rowcount


def last_answers(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, int]:
    """Return the last public answer's mail of each ticket."""
    rows = connection.execute(
        select(MailRow.ticket_id, func.max(MailRow.id))
        .where(
            MailRow.ticket_id.in_(set(ticket_ids)), MailRow.purpose == Tell.ANSWER, MailRow.direction == Direction.OUT
        )
        .group_by(MailRow.ticket_id)
    ).all()
    return {row[0]: row[1] for row in rows if row[0] is not None}


def put_right(connection: Connection, ticket_ids: Sequence[int], values: Mapping[str, Any]) -> None:
    """Write what tickets must be although nothing happens to them: rebuilt, measured late, or somebody is forgotten."""
    connection.execute(update(TicketRow).where(TicketRow.id.in_(ticket_ids)).values(**values))


def reminded(connection: Connection, ticket_ids: Iterable[int]) -> frozenset[int]:
    """Return which of these tickets wait for customers who have been reminded."""
    wanted = TicketRow.id.in_(set(ticket_ids)) & (TicketRow.status == Status.ANSWERED)
    return frozenset(connection.scalars(select(TicketRow.id).where(wanted, TicketRow.reminded_at.is_not(None))))


def purge(connection: Connection, ticket_ids: Sequence[int]) -> None:
    """Remove tickets for good, with their mails, deliveries and history."""
    if not ticket_ids:
        return
    # What hangs on a ticket goes with it: its mails with their bytes, deliveries, history, and its aliases.
    connection.execute(delete(TicketRow).where(TicketRow.id.in_(ticket_ids)))
    log.info("purged", tickets=" ".join(map(str, ticket_ids)))
