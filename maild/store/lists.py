"""Lists of tickets, as an agent asks his desk for them; the most urgent first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from maild.message.search import Query
from maild.rules.state import Status
from maild.store import search
from maild.store.models import AddressRow, HistoryRow, PersonRow, TicketRow
from maild.store.search import Hit
from maild.store.tags import tagged

MOST_ROWS: Final = 50  # a mail with more is nothing to read on a phone
MOST_CHANGES: Final = 200
PASSED_FOR: Final = timedelta(hours=1)
WAITING: Final = (Status.NEW, Status.OPEN)
LIVING: Final = (*WAITING, Status.ANSWERED, Status.POSTPONED, Status.RESOLVED)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an agent may see: the tickets of his departments, and those that are given to him."""

    departments: Collection[str]
    agent: str  # his normalised address

    def condition(self) -> ColumnElement[bool]:
        """Return what holds of every ticket that he may see."""
        return or_(TicketRow.department.in_(self.departments), TicketRow.assignee == self.agent)


@dataclass(frozen=True, slots=True)
class Listed:
    """A ticket in a list."""

    id: int
    subject: str
    status: Status
    assignee: str | None
    target_at: datetime | None
    waiting_since: datetime | None
    name: str
    address: str


# Breached, due soonest, oldest unanswered, priority: what is breached was due first. Nulls stand at opposite ends on
# the two databases.
URGENCY: Final = (
    TicketRow.target_at.is_(None),
    TicketRow.target_at,
    TicketRow.waiting_since.is_(None),
    TicketRow.waiting_since,
    case({"urgent": 0, "high": 1, "normal": 2, "low": 3}, value=TicketRow.priority, else_=2),
    TicketRow.id,
)
LISTED: Final = (
    select(
        TicketRow.id,
        TicketRow.subject,
        TicketRow.status,
        TicketRow.assignee,
        TicketRow.target_at,
        TicketRow.waiting_since,
        PersonRow.name,
        AddressRow.address,
    )
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .join(PersonRow, PersonRow.id == AddressRow.person_id)
    .order_by(*URGENCY)
    .limit(MOST_ROWS)
)


_ANYBODY: Final = ""


def listed(
    connection: Connection,
    seen: Seen,
    *,
    statuses: Sequence[Status] = WAITING,
    department: str | None = None,
    assignee: str | None = _ANYBODY,
    tags: Collection[str] = (),
) -> tuple[list[Listed], int]:
    """Return the most urgent tickets of these statuses that an agent may see, and how many there are in all.

    Of one department if it is given, and of one agent, None for those of nobody.
    """
    wanted: list[ColumnElement[bool]] = [seen.condition(), TicketRow.status.in_(statuses)]
    if department is not None:
        wanted.append(TicketRow.department == department)
    if assignee != _ANYBODY:
        wanted.append(TicketRow.assignee == assignee)
    wanted += [tagged(each) for each in tags]
    rows = connection.execute(LISTED.where(and_(*wanted))).all()
    count = len(rows)
    if count == MOST_ROWS:
        count = connection.scalar(select(func.count()).select_from(TicketRow).where(and_(*wanted))) or count
    return [Listed(*row) for row in rows], count


def found(connection: Connection, seen: Seen, query: Query) -> list[tuple[Listed, Hit]]:
    """Return the tickets that an agent may see in which something was written, and what; the newest first."""
    hits = {each.ticket_id: each for each in search.find(connection, query, seen.condition(), MOST_ROWS)}
    rows = {row.id: Listed(*row) for row in connection.execute(LISTED.where(TicketRow.id.in_(hits)))}
    return [(rows[ticket_id], hit) for ticket_id, hit in hits.items()]


def most_urgent(connection: Connection, seen: Seen, now: datetime) -> int | None:
    """Return the ticket that an agent is to answer next, locked; None if none waits for him.

    Nobody's or his own, and not before another agent just now. What he passed on within PASSED_FOR comes last.
    """
    passed = and_(
        TicketRow.offered_to == seen.agent, TicketRow.offered_until <= now, TicketRow.offered_until > now - PASSED_FOR
    )
    wanted = (
        select(TicketRow.id)
        .where(
            seen.condition(),
            TicketRow.status.in_(WAITING),
            or_(TicketRow.assignee.is_(None), TicketRow.assignee == seen.agent),
            or_(TicketRow.offered_until.is_(None), TicketRow.offered_until <= now, TicketRow.offered_to == seen.agent),
        )
        .order_by(case((passed, 1), else_=0), *URGENCY)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.scalar(wanted)


def offered(connection: Connection, agent: str, now: datetime) -> list[int]:
    """Return the tickets that an agent has before him."""
    return list(
        connection.scalars(
            select(TicketRow.id).where(
                TicketRow.offered_to == agent, TicketRow.offered_until > now, TicketRow.status.in_(WAITING)
            )
        )
    )


def visible(connection: Connection, seen: Seen, ticket_ids: Collection[int]) -> list[int]:
    """Return those of `ticket_ids` that an agent may see."""
    wanted = select(TicketRow.id).where(TicketRow.id.in_(ticket_ids), seen.condition()).order_by(TicketRow.id)
    return list(connection.scalars(wanted))


def changes(connection: Connection, ticket_id: int) -> Sequence[Any]:
    """Return what changed about a ticket (`at`, `actor`, `cause`, `field`, `old`, `new`), the latest, oldest first."""
    rows = connection.execute(
        select(HistoryRow.at, HistoryRow.actor, HistoryRow.cause, HistoryRow.field, HistoryRow.old, HistoryRow.new)
        .where(HistoryRow.ticket_id == ticket_id)
        .order_by(HistoryRow.id.desc())
        .limit(MOST_CHANGES)
    ).all()
    return rows[::-1]
