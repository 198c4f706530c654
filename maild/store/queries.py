"""What is asked of the database, a group at a time: one statement a question, whatever the number of mails.

The statements are built once, as constants: building one anew costs five times what asking it does.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BindParameter, Connection, Executable, and_, bindparam, func, or_, select

from maild.message.match import Known, KnownTicket
from maild.rules.routing import Action
from maild.rules.tickets import Status, Tell
from maild.store.models import (
    AddressRow,
    DeliveryRow,
    Direction,
    HistoryRow,
    MailRow,
    ParticipantRow,
    PersonRow,
    TicketRow,
)

MOST_MERGES: Final = 20  # a longer chain of merged tickets is followed no further
UNPROVEN_ACKNOWLEDGEMENT: Final = "acknowledgement_unproven"  # the purpose of one to an address that is not proven
LATEST: Final = 8  # mails of a ticket that are quoted, referred to and recognised in answers


def _some(name: str) -> BindParameter[list[object]]:
    """Return what stands for a list in a statement."""
    return bindparam(name, expanding=True)


class Opened(NamedTuple):
    """A ticket that somebody opened, when, and how far his From was proven then."""

    ticket_id: int
    at: datetime
    trust: str  # message.authentication.Trust, "" where no mail of his opened it


def known_for(
    connection: Connection, message_ids: Collection[str], thread_indexes: Collection[str], ticket_ids: Collection[int]
) -> Known:
    """Return what the store knows of these ids, and every ticket that they lead to."""
    by_id = _tickets_by(connection, _BY_MESSAGE_ID, message_ids)
    by_thread = _tickets_by(connection, _BY_THREAD_INDEX, thread_indexes)
    wanted = {*ticket_ids, *by_id.values(), *by_thread.values()}
    return Known(message_ids=by_id, thread_indexes=by_thread, tickets=known_tickets(connection, wanted))


# Newest first, so the oldest is kept: who repeats a known Message-ID must not draw answers to his own ticket.
_BY_MESSAGE_ID: Final = (
    select(MailRow.message_id, MailRow.ticket_id)
    .where(MailRow.message_id.in_(_some("values")), MailRow.ticket_id.is_not(None))
    .order_by(MailRow.id.desc())
)
_BY_THREAD_INDEX: Final = (
    select(MailRow.thread_index, MailRow.ticket_id)
    .where(MailRow.thread_index.in_(_some("values")), MailRow.ticket_id.is_not(None))
    .order_by(MailRow.id.desc())
)


def _tickets_by(connection: Connection, statement: Executable, values: Collection[str]) -> dict[str, int]:
    if not values:
        return {}
    rows = connection.execute(statement, {"values": list(set(values))})
    return {name: ticket for name, ticket in rows if name is not None and ticket is not None}


_KNOWN_TICKETS: Final = (
    select(TicketRow.id, TicketRow.merged_into, AddressRow.person_id)
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .where(TicketRow.id.in_(_some("tickets")))
)


def known_tickets(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, KnownTicket]:
    """Return who takes part in tickets, those that they were merged into included."""
    found: dict[int, KnownTicket] = {}
    wanted = set(ticket_ids)
    for _ in range(MOST_MERGES):
        if not wanted:
            break
        rows = connection.execute(_KNOWN_TICKETS, {"tickets": list(wanted)}).all()
        people = _addresses_of_people(connection, {row.person_id for row in rows})
        joined = _participants(connection, {row.id for row in rows})
        for row in rows:
            requester = people.get(row.person_id, frozenset())
            found[row.id] = KnownTicket(requester | joined.get(row.id, frozenset()), row.merged_into, requester)
        wanted = {row.merged_into for row in rows if row.merged_into is not None} - found.keys()
    return found


_ADDRESSES_OF_PEOPLE: Final = select(AddressRow.person_id, AddressRow.normal).where(
    AddressRow.person_id.in_(_some("people"))
)


def _addresses_of_people(connection: Connection, person_ids: Collection[int]) -> dict[int, frozenset[str]]:
    if not person_ids:
        return {}
    rows = connection.execute(_ADDRESSES_OF_PEOPLE, {"people": list(person_ids)}).all()
    return _grouped((row.person_id, row.normal) for row in rows)


_PARTICIPANTS: Final = (
    select(ParticipantRow.ticket_id, AddressRow.normal)
    .join(AddressRow, AddressRow.id == ParticipantRow.address_id)
    .where(ParticipantRow.ticket_id.in_(_some("tickets")), ParticipantRow.left_at.is_(None))
)


def _participants(connection: Connection, ticket_ids: Collection[int]) -> dict[int, frozenset[str]]:
    if not ticket_ids:
        return {}
    rows = connection.execute(_PARTICIPANTS, {"tickets": list(ticket_ids)}).all()
    return _grouped((row.ticket_id, row.normal) for row in rows)


def _grouped(pairs: Iterable[tuple[int, str]]) -> dict[int, frozenset[str]]:
    gathered: dict[int, set[str]] = {}
    for key, value in pairs:
        gathered.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in gathered.items()}


@dataclass(frozen=True, slots=True)
class Said:
    """A mail on a ticket, as later mails refer to it and quote it."""

    ticket_id: int
    direction: Direction
    purpose: str | None
    message_id: str | None
    references: Sequence[str]  # newest first
    from_name: str | None
    from_address: str | None
    text: str | None
    at: datetime
    source: str

    @property
    def with_customer(self) -> bool:
        """Whether the customer wrote it or got it."""
        return self.purpose in (_FROM_CUSTOMER if self.direction is Direction.IN else _TO_CUSTOMER)


_FROM_CUSTOMER: Final = frozenset({Action.OPEN, Action.CUSTOMER, Action.SOLVED, Action.PROBLEM, Action.RATING})
_TO_CUSTOMER: Final = frozenset(
    {
        Tell.ACKNOWLEDGEMENT,
        UNPROVEN_ACKNOWLEDGEMENT,
        Tell.ANSWER,
        Tell.REMINDER,
        Tell.RESOLVED,
        Tell.FOLLOW_UP,
        Tell.RATING,
    }
)


_NEWEST: Final = func.row_number().over(partition_by=MailRow.ticket_id, order_by=MailRow.id.desc())
# Not what agents are told: of three agents and two warnings the customer's own mail would be the ninth.
_RANKED: Final = (
    select(MailRow.id, _NEWEST.label("rank"))
    .where(
        MailRow.ticket_id.in_(_some("tickets")),
        or_(
            and_(MailRow.direction == Direction.IN, MailRow.purpose.in_((*_FROM_CUSTOMER, Action.NOTE))),
            and_(MailRow.direction == Direction.OUT, MailRow.purpose.in_(_TO_CUSTOMER)),
        ),
    )
    .subquery("ranked")
)
_LATEST: Final = (
    select(
        MailRow.ticket_id,
        MailRow.direction,
        MailRow.purpose,
        MailRow.message_id,
        MailRow.references,
        MailRow.from_name,
        MailRow.from_address,
        MailRow.text,
        MailRow.stored_at,
        MailRow.source,
    )
    .join(_RANKED, _RANKED.c.id == MailRow.id)
    .where(_RANKED.c.rank <= LATEST)
    .order_by(_RANKED.c.rank)
)


def latest(connection: Connection, ticket_ids: Collection[int]) -> dict[int, tuple[Said, ...]]:
    """Return the latest mails of tickets, newest first."""
    if not ticket_ids:
        return {}
    rows = connection.execute(_LATEST, {"tickets": list(ticket_ids)})
    gathered: dict[int, list[Said]] = {}
    for ticket_id, direction, purpose, message_id, references, *rest in rows:
        if ticket_id is not None:
            said = Said(ticket_id, direction, purpose, message_id, references or (), *rest)
            gathered.setdefault(ticket_id, []).append(said)
    return {ticket_id: tuple(each) for ticket_id, each in gathered.items()}


_REOPENINGS: Final = (
    select(HistoryRow.actor, func.count())
    .where(
        HistoryRow.actor.in_(_some("senders")),
        HistoryRow.at > bindparam("since"),
        HistoryRow.field == "status",
        HistoryRow.old == "resolved",
        HistoryRow.new == "open",
    )
    .group_by(HistoryRow.actor)
)


def reopenings(connection: Connection, senders: Collection[str], since: datetime) -> dict[str, int]:
    """Return how many resolved tickets each of `senders` reopened since then."""
    if not senders:
        return {}
    rows = connection.execute(_REOPENINGS, {"senders": list(senders), "since": since}).all()
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True)
class Newer:
    """What somebody said in public."""

    ticket_id: int
    name: str
    address: str  # of the customer, or of the agent who answered
    text: str
    at: datetime
    mail_id: int = 0
    known_at: datetime | None = None  # since when the desk has it: when it was filed, or written
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail of ours on a ticket."""

    mail_id: int
    at: datetime
    purpose: str
    about_id: int | None  # the mail that it tells of


_SENT: Final = select(MailRow.message_id, MailRow.id, MailRow.stored_at, MailRow.purpose, MailRow.about_id).where(
    MailRow.message_id.in_(_some("ids")), MailRow.direction == Direction.OUT, MailRow.ticket_id.is_not(None)
)
_REFERENCES: Final = select(MailRow.id, MailRow.references).where(MailRow.id.in_(_some("mails")))
_KNOWN_AT: Final = func.coalesce(MailRow.filed_at, MailRow.stored_at, type_=MailRow.stored_at.type)
_SPOKEN: Final = (
    select(
        MailRow.ticket_id,
        MailRow.from_name,
        MailRow.from_address,
        MailRow.text,
        MailRow.stored_at,
        MailRow.id,
        _KNOWN_AT,
        MailRow.direction,
    )
    .where(
        MailRow.ticket_id.in_(_some("tickets")),
        bindparam("since", type_=MailRow.stored_at.type) <= _KNOWN_AT,
        or_(
            and_(MailRow.direction == Direction.IN, MailRow.purpose.in_((Action.CUSTOMER, Action.PROBLEM))),
            and_(MailRow.direction == Direction.OUT, MailRow.purpose == Tell.ANSWER),
        ),
    )
    .order_by(MailRow.id)
)


def sent(connection: Connection, message_ids: Collection[str]) -> dict[str, Sent]:
    """Return those of `message_ids` that are mails of ours on tickets."""
    if not message_ids:
        return {}
    rows = connection.execute(_SENT, {"ids": list(message_ids)})
    return {row.message_id: Sent(row.id, row.stored_at, row.purpose or "", row.about_id) for row in rows}


def references(connection: Connection, mail_ids: Collection[int]) -> dict[int, list[str]]:
    """Return what mails answer, newest first."""
    if not mail_ids:
        return {}
    return {row.id: row.references or [] for row in connection.execute(_REFERENCES, {"mails": list(mail_ids)})}


def spoken(connection: Connection, ticket_ids: Collection[int], since: datetime) -> dict[int, list[Newer]]:
    """Return what customers and agents said on tickets, as far as the desk has it since then, oldest first."""
    gathered: dict[int, list[Newer]] = {}
    rows = connection.execute(_SPOKEN, {"tickets": list(ticket_ids), "since": since})
    for ticket_id, name, address, text, at, mail_id, known_at, direction in rows:
        if ticket_id is not None:
            newer = Newer(
                ticket_id, name or "", address or "", text or "", at, mail_id, known_at, direction is Direction.OUT
            )
            gathered.setdefault(ticket_id, []).append(newer)
    return gathered


_HOLD_TICKETS: Final = (
    select(TicketRow.id).where(TicketRow.id.in_(_some("tickets"))).order_by(TicketRow.id).with_for_update()
)


def hold_tickets(connection: Connection, ticket_ids: Collection[int]) -> None:
    """Keep other nodes from changing tickets until the transaction ends; in the order in which the desk takes them."""
    connection.execute(_HOLD_TICKETS, {"tickets": sorted(ticket_ids)}).all()


class Addressed(NamedTuple):
    """Whom an answer on a ticket is for, and what it is about."""

    name: str
    subject: str
    language: str | None


_ADDRESSED: Final = (
    select(PersonRow.name, TicketRow.subject, TicketRow.language)
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .join(PersonRow, PersonRow.id == AddressRow.person_id)
    .where(TicketRow.id == bindparam("ticket"))
)


def addressed(connection: Connection, ticket_id: int) -> Addressed:
    """Return whom an answer on a ticket is for."""
    row = connection.execute(_ADDRESSED, {"ticket": ticket_id}).one_or_none()
    return Addressed(row.name or "", row.subject, row.language) if row else Addressed("", "", None)


_DEPARTMENTS_OF: Final = select(TicketRow.id, TicketRow.department).where(TicketRow.id.in_(_some("tickets")))


def departments_of(connection: Connection, ticket_ids: Collection[int]) -> dict[int, str]:
    """Return the name of each ticket's department."""
    if not ticket_ids:
        return {}
    return {row.id: row.department for row in connection.execute(_DEPARTMENTS_OF, {"tickets": list(ticket_ids)})}


_RESOLVED_AMONG: Final = select(TicketRow.id).where(
    TicketRow.id.in_(_some("tickets")), TicketRow.status == Status.RESOLVED
)


def resolved_among(connection: Connection, ticket_ids: Collection[int]) -> frozenset[int]:
    """Return those of `ticket_ids` that are resolved: a mail would reopen them."""
    if not ticket_ids:
        return frozenset()
    return frozenset(connection.scalars(_RESOLVED_AMONG, {"tickets": list(ticket_ids)}))


_OPENED_SINCE: Final = (
    select(AddressRow.normal, TicketRow.id, TicketRow.created_at, MailRow.evidence)
    .join(TicketRow, TicketRow.requester_id == AddressRow.id)
    .outerjoin(MailRow, and_(MailRow.ticket_id == TicketRow.id, MailRow.purpose == Action.OPEN))
    .where(AddressRow.normal.in_(_some("senders")), TicketRow.created_at > bindparam("since"))
    .order_by(TicketRow.id)
)


def opened_since(connection: Connection, senders: Collection[str], since: datetime) -> dict[str, list[Opened]]:
    """Return the tickets that each of `senders` opened since then, oldest first."""
    if not senders:
        return {}
    rows = connection.execute(_OPENED_SINCE, {"senders": list(senders), "since": since})
    gathered: dict[str, list[Opened]] = {}
    for normal, ticket_id, at, evidence in rows:
        gathered.setdefault(normal, []).append(Opened(ticket_id, at, str((evidence or {}).get("trust", ""))))
    return gathered


_TICKETS_OF_DELIVERIES: Final = select(DeliveryRow.id, DeliveryRow.ticket_id).where(
    DeliveryRow.id.in_(_some("deliveries")), DeliveryRow.ticket_id.is_not(None)
)


def tickets_of_deliveries(connection: Connection, delivery_ids: Collection[int]) -> dict[int, int]:
    """Return the ticket of each delivery that belongs to one."""
    if not delivery_ids:
        return {}
    rows = connection.execute(_TICKETS_OF_DELIVERIES, {"deliveries": list(delivery_ids)})
    return {delivery: ticket for delivery, ticket in rows if ticket is not None}


def deliveries_of_mail(connection: Connection, message_id: str) -> dict[str, int]:
    """Return the deliveries of a mail of ours by normalised recipient."""
    rows = connection.execute(
        select(DeliveryRow.recipient, DeliveryRow.id)
        .join(MailRow, MailRow.id == DeliveryRow.mail_id)
        .where(MailRow.message_id == message_id, MailRow.direction == Direction.OUT)
    )
    return {row.recipient: row.id for row in rows}
