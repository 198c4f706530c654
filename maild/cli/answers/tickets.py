"""Tickets as commands show them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from maild.cli.answers import clocks
from maild.config import Settings
from maild.message.address import normalise
from maild.message.search import Query
from maild.rules.next_step import NextStep, next_step, sentence
from maild.rules.state import FIELDS, Status, Ticket
from maild.store import lists, search
from maild.store.models import (
    AddressRow,
    HistoryRow,
    MailRow,
    ParticipantRow,
    PersonRow,
    TicketRow,
)
from maild.store.tags import tagged

IN_USE: Final = (Status.NEW, Status.OPEN, Status.ANSWERED, Status.POSTPONED, Status.RESOLVED)  # what is not put aside
_STATE: Final = tuple(getattr(TicketRow, name) for name in FIELDS)
_TICKETS: Final = (
    select(
        TicketRow.id,
        TicketRow.subject,
        TicketRow.department,
        TicketRow.priority,
        TicketRow.language,
        TicketRow.follows_id,
        TicketRow.silenced_until,
        AddressRow.address.label("requester"),
        PersonRow.name.label("requester_name"),
        *_STATE,
    )
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .join(PersonRow, PersonRow.id == AddressRow.person_id)
)

# What one row of history says.
CHANGE: Final = (
    HistoryRow.at,
    HistoryRow.actor,
    HistoryRow.cause,
    HistoryRow.field,
    HistoryRow.old,
    HistoryRow.new,
    HistoryRow.mail_id.label("mail"),
)


def listed(
    connection: Connection,
    settings: Settings,
    *,
    statuses: Collection[Status] = IN_USE,
    department: str | None = None,
    assignee: str | None = None,
    tags: Collection[str] = (),
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return tickets, what is to be solved first and in that order, then those that something happens to soonest.

    `assignee` "none" asks for tickets that belong to nobody.
    """
    wanted = _TICKETS.where(TicketRow.status.in_(statuses), _belongs(department, assignee, tags))
    return [_ticket(row, settings) for row in connection.execute(_ordered(wanted).limit(limit))]


def found(
    connection: Connection,
    settings: Settings,
    query: Query,
    *,
    department: str | None = None,
    assignee: str | None = None,
    tags: Collection[str] = (),
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return tickets of which a mail has all that `query` asks for, and where it has; those with the newest first.

    The index of words is asked; without statuses in the query what is put aside is left out.
    """
    hits = {
        each.ticket_id: each for each in search.find(connection, query, _belongs(department, assignee, tags), limit)
    }
    rows = {row.id: row for row in connection.execute(_TICKETS.where(TicketRow.id.in_(hits)))}
    return [
        {**_ticket(rows[each], settings), "found": {"at": hit.at, "author": hit.author, "text": hit.snippet}}
        for each, hit in hits.items()
    ]


def _belongs(department: str | None, assignee: str | None, tags: Collection[str]) -> ColumnElement[bool]:
    """Return what holds of the tickets of a department and of an agent, as far as they are given."""
    here: list[ColumnElement[bool]] = [true()]
    if department is not None:
        here.append(TicketRow.department == department)
    if assignee is not None:
        mine = func.lower(TicketRow.assignee) == normalise(assignee)
        here.append(TicketRow.assignee.is_(None) if assignee == "none" else mine)
    return and_(*here, *(tagged(each.lstrip("#").casefold()) for each in tags))


def _ordered(tickets: Any) -> Any:
    # SQLite and PostgreSQL sort nulls to opposite ends
    return tickets.order_by(
        *lists.URGENCY[:-1],
        TicketRow.due_at.is_(None),
        TicketRow.due_at,
        TicketRow.id,
    )


def counted(connection: Connection, statuses: Collection[Status] = IN_USE) -> int:
    """Return how many tickets have one of these statuses."""
    return connection.scalar(select(func.count()).where(TicketRow.status.in_(statuses))) or 0


def shown(connection: Connection, settings: Settings, ticket_id: int, now: datetime) -> dict[str, Any] | None:
    """Return a ticket with who takes part, its messages and its relatives; None if there is no such ticket."""
    row = connection.execute(_TICKETS.where(TicketRow.id == ticket_id)).one_or_none()
    if row is None:
        return None
    followers = connection.scalars(select(TicketRow.id).where(TicketRow.follows_id == ticket_id).order_by(TicketRow.id))
    aliases = connection.scalars(select(TicketRow.id).where(TicketRow.merged_into == ticket_id).order_by(TicketRow.id))
    ticket, department = _state(row), settings.department(row.department) or settings.departments[0]
    policy = settings.policy_of(department, row.requester)
    coming = next_step(ticket, policy)
    return {
        **_ticket(row, settings),
        "next": coming and {**_coming(coming), "text": sentence(coming, department.timezone, now)},
        "clocks": clocks.of_ticket(connection, ticket_id, ticket, policy, now),
        "level": policy.level.name if policy.level else None,
        "timezone": department.timezone.key,
        "rating": row.rating,
        "created_at": row.created_at,
        "since": row.since,
        "answered_at": row.answered_at,
        "reminded_at": row.reminded_at,
        "wake_at": row.wake_at,
        "return_to": row.return_to,
        "undelivered": row.undelivered,
        "silenced_until": row.silenced_until,
        "merged_into": row.merged_into,
        "merged_from": list(aliases),
        "follows": row.follows_id,
        "followed_by": list(followers),
        "participants": _participants(connection, ticket_id),
        "messages": _messages(connection, ticket_id),
    }


def newest(connection: Connection) -> int | None:
    """Return the newest ticket's id, None if there is none."""
    return connection.scalar(select(func.max(TicketRow.id)))


def history(connection: Connection, ticket_id: int) -> list[dict[str, Any]]:
    """Return what ever changed about a ticket, oldest first; the mail is the one that caused it."""
    rows = connection.execute(select(*CHANGE).where(HistoryRow.ticket_id == ticket_id).order_by(HistoryRow.id))
    return [dict(row) for row in rows.mappings()]


def states(connection: Connection, ticket_ids: Sequence[int]) -> dict[int, Ticket]:
    """Return tickets as the rules see them."""
    rows = connection.execute(select(TicketRow.id, *_STATE).where(TicketRow.id.in_(ticket_ids)))
    return {row[0]: Ticket(*row[1:]) for row in rows}


def _ticket(row: Any, settings: Settings) -> dict[str, Any]:
    department = settings.department(row.department) or settings.departments[0]
    coming = next_step(_state(row), settings.policy_of(department, row.requester))
    return {
        "id": row.id,
        "subject": row.subject,
        "status": str(row.status),
        "department": row.department,
        "requester": row.requester,
        "requester_name": row.requester_name,
        "assignee": row.assignee,
        "priority": row.priority,
        "tags": sorted(row.tags),
        "related": sorted(row.related),
        "language": row.language,
        "waiting_since": row.waiting_since,
        "due_at": row.due_at,
        "target_at": row.target_at,
        "next": coming and _coming(coming),
    }


def _state(row: Any) -> Ticket:
    return Ticket(**{name: getattr(row, name) for name in FIELDS})


def _coming(coming: NextStep) -> dict[str, str | datetime]:
    return {"what": str(coming.step), "at": coming.at}


def _participants(connection: Connection, ticket_id: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(AddressRow.address, PersonRow.name, ParticipantRow.joined_at)
        .join(AddressRow, AddressRow.id == ParticipantRow.address_id)
        .join(PersonRow, PersonRow.id == AddressRow.person_id)
        .where(ParticipantRow.ticket_id == ticket_id, ParticipantRow.left_at.is_(None))
        .order_by(ParticipantRow.joined_at, AddressRow.id)
    )
    return [dict(row) for row in rows.mappings()]


def _messages(connection: Connection, ticket_id: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(
            MailRow.id,
            MailRow.direction,
            MailRow.state,
            MailRow.kind,
            MailRow.purpose,
            MailRow.from_name,
            MailRow.from_address,
            MailRow.recipients,
            MailRow.subject,
            MailRow.stored_at,
            MailRow.sent_at,
            MailRow.size_bytes,
            MailRow.text,
            MailRow.passed_by,
            MailRow.noted,
        )
        .where(MailRow.ticket_id == ticket_id)
        .order_by(MailRow.id)
    )
    return [
        {
            "mail": row.id,
            "direction": str(row.direction),
            "state": str(row.state),
            "kind": row.kind,
            "purpose": row.purpose,
            "from": {"name": row.from_name or "", "address": row.from_address or ""},
            "recipients": list(row.recipients),
            "subject": row.subject,
            "at": row.stored_at,
            "date": row.sent_at,
            "size": row.size_bytes,
            "text": row.text or "",
            "passed_by": row.passed_by,
            "noted": row.noted or "",
        }
        for row in rows
    ]
