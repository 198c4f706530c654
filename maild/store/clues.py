"""What the store knows of the clues that mails have: which tickets they lead to, and who takes part in those.

The statements are built once, as constants: building one anew costs five times what asking it does.
"""

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, select

from maild.message.match import Known, KnownTicket
from maild.store.models import AddressRow, DeliveryRow, Direction, MailRow, ParticipantRow, TicketRow

MOST_MERGES: Final = 20  # a longer chain of merged tickets is followed no further
# Newest first, so the oldest is kept: who repeats a known Message-ID must not draw answers to his own ticket.
_BY_MESSAGE_ID: Final = (
    select(MailRow.message_id, MailRow.ticket_id)
    .where(MailRow.message_id.in_(bindparam("values", expanding=True)), MailRow.ticket_id.is_not(None))
    .order_by(MailRow.id.desc())
)
_BY_THREAD_INDEX: Final = (
    select(MailRow.thread_index, MailRow.ticket_id)
    .where(MailRow.thread_index.in_(bindparam("values", expanding=True)), MailRow.ticket_id.is_not(None))
    .order_by(MailRow.id.desc())
)
_KNOWN_TICKETS: Final = (
    select(TicketRow.id, TicketRow.merged_into, AddressRow.person_id)
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .where(TicketRow.id.in_(bindparam("tickets", expanding=True)))
)
_ADDRESSES_OF_PEOPLE: Final = select(AddressRow.person_id, AddressRow.normal).where(
    AddressRow.person_id.in_(bindparam("people", expanding=True))
)
_PARTICIPANTS: Final = (
    select(ParticipantRow.ticket_id, AddressRow.normal)
    .join(AddressRow, AddressRow.id == ParticipantRow.address_id)
    .where(ParticipantRow.ticket_id.in_(bindparam("tickets", expanding=True)), ParticipantRow.left_at.is_(None))
)
_TICKETS_OF_DELIVERIES: Final = select(DeliveryRow.id, DeliveryRow.ticket_id).where(
    DeliveryRow.id.in_(bindparam("deliveries", expanding=True)), DeliveryRow.ticket_id.is_not(None)
)


def known_for(
    connection: Connection, message_ids: Collection[str], thread_indexes: Collection[str], ticket_ids: Collection[int]
) -> Known:
    """Return what the store knows of these ids, and every ticket that they lead to."""
    by_id = _tickets_by(connection, _BY_MESSAGE_ID, message_ids)
    by_thread = _tickets_by(connection, _BY_THREAD_INDEX, thread_indexes)
    wanted = {*ticket_ids, *by_id.values(), *by_thread.values()}
    return Known(message_ids=by_id, thread_indexes=by_thread, tickets=known_tickets(connection, wanted))


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


def _tickets_by(connection: Connection, statement: Executable, values: Collection[str]) -> dict[str, int]:
    if not values:
        return {}
    rows = connection.execute(statement, {"values": list(set(values))})
    return {name: ticket for name, ticket in rows if name is not None and ticket is not None}


def _addresses_of_people(connection: Connection, person_ids: Collection[int]) -> dict[int, frozenset[str]]:
    if not person_ids:
        return {}
    rows = connection.execute(_ADDRESSES_OF_PEOPLE, {"people": list(person_ids)}).all()
    return _grouped((row.person_id, row.normal) for row in rows)


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
