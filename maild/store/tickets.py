"""What the filer asks of tickets, a group of mails at a time: one statement a question, however many there are.

The statements are built once, as constants: building one anew costs five times what asking it does.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select, text

from maild.rules.routing import Action
from maild.rules.state import Status
from maild.store.models import AddressRow, HistoryRow, MailRow, PersonRow, TicketRow

_REOPENINGS: Final = (
    select(HistoryRow.actor, func.count())
    .where(
        HistoryRow.actor.in_(bindparam("senders", expanding=True)),
        HistoryRow.at > bindparam("since"),
        HistoryRow.field == "status",
        HistoryRow.old == "resolved",
        HistoryRow.new == "open",
    )
    .group_by(HistoryRow.actor)
)
_HOLD_TICKETS: Final = (
    select(TicketRow.id)
    .where(TicketRow.id.in_(bindparam("tickets", expanding=True)))
    .order_by(TicketRow.id)
    .with_for_update()
)
_ADDRESSED: Final = (
    select(PersonRow.name, TicketRow.subject, TicketRow.language)
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .join(PersonRow, PersonRow.id == AddressRow.person_id)
    .where(TicketRow.id == bindparam("ticket"))
)
_DEPARTMENTS_OF: Final = select(TicketRow.id, TicketRow.department).where(
    TicketRow.id.in_(bindparam("tickets", expanding=True))
)
_RESOLVED_AMONG: Final = select(TicketRow.id).where(
    TicketRow.id.in_(bindparam("tickets", expanding=True)), TicketRow.status == Status.RESOLVED
)
_OPENED_SINCE: Final = (
    select(AddressRow.normal, TicketRow.id, TicketRow.created_at, MailRow.evidence)
    .join(TicketRow, TicketRow.requester_id == AddressRow.id)
    .outerjoin(MailRow, and_(MailRow.ticket_id == TicketRow.id, MailRow.purpose == Action.OPEN))
    .where(AddressRow.normal.in_(bindparam("senders", expanding=True)), TicketRow.created_at > bindparam("since"))
    .order_by(TicketRow.id)
)


_RESERVE: Final = {
    "sqlite": text("UPDATE sqlite_sequence SET seq = seq + :count WHERE name = 'ticket' RETURNING seq"),
    "postgresql": text("SELECT nextval(pg_get_serial_sequence('ticket', 'id')) FROM generate_series(1, :count)"),
}
_FIRST: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('ticket', :count)")  # nothing has had a number


def reserve(connection: Connection, count: int) -> list[int]:
    """Return as many numbers of tickets, which nobody else gets from now on."""
    dialect = connection.dialect.name
    numbers = list(connection.scalars(_RESERVE[dialect], {"count": count}))
    if dialect != "sqlite":
        return sorted(numbers)
    if not numbers:
        connection.execute(_FIRST, {"count": count})
    last = numbers[0] if numbers else count
    return list(range(last - count + 1, last + 1))


class Opened(NamedTuple):
    """A ticket that somebody opened, when, and how far his From was proven then."""

    ticket_id: int
    at: datetime
    trust: str  # message.authentication.Trust, "" where no mail of his opened it


class Addressed(NamedTuple):
    """Whom an answer on a ticket is for, and what it is about."""

    name: str
    subject: str
    language: str | None


def reopenings(connection: Connection, senders: Collection[str], since: datetime) -> dict[str, int]:
    """Return how many resolved tickets each of `senders` reopened since then."""
    if not senders:
        return {}
    rows = connection.execute(_REOPENINGS, {"senders": list(senders), "since": since}).all()
    return {row[0]: row[1] for row in rows}


def opened_since(connection: Connection, senders: Collection[str], since: datetime) -> dict[str, list[Opened]]:
    """Return the tickets that each of `senders` opened since then, oldest first."""
    if not senders:
        return {}
    rows = connection.execute(_OPENED_SINCE, {"senders": list(senders), "since": since})
    gathered: dict[str, list[Opened]] = {}
    for normal, ticket_id, at, evidence in rows:
        gathered.setdefault(normal, []).append(Opened(ticket_id, at, str((evidence or {}).get("trust", ""))))
    return gathered


def resolved_among(connection: Connection, ticket_ids: Collection[int]) -> frozenset[int]:
    """Return those of `ticket_ids` that are resolved: a mail would reopen them."""
    if not ticket_ids:
        return frozenset()
    return frozenset(connection.scalars(_RESOLVED_AMONG, {"tickets": list(ticket_ids)}))


def departments_of(connection: Connection, ticket_ids: Collection[int]) -> dict[int, str]:
    """Return the name of each ticket's department."""
    if not ticket_ids:
        return {}
    return {row.id: row.department for row in connection.execute(_DEPARTMENTS_OF, {"tickets": list(ticket_ids)})}


def addressed(connection: Connection, ticket_id: int) -> Addressed:
    """Return whom an answer on a ticket is for."""
    row = connection.execute(_ADDRESSED, {"ticket": ticket_id}).one_or_none()
    return Addressed(row.name or "", row.subject, row.language) if row else Addressed("", "", None)


def hold_tickets(connection: Connection, ticket_ids: Collection[int]) -> None:
    """Keep other nodes from changing tickets until the transaction ends; in the order in which the desk takes them."""
    connection.execute(_HOLD_TICKETS, {"tickets": sorted(ticket_ids)}).all()
