"""Claiming work: one idea for inbox, outbox, clock and mailboxes.

A row is due when `due_at` is reached. Whoever claims rows leases them: `due_at` moves forward by the lease and the
attempt is counted, both committed before the work begins. The new `due_at` is a fencing token: the transaction that
does the work holds the rows by it first, so a worker that slept through its lease writes nothing. There is no "in
progress" state and no heartbeat: a lease that runs out makes the row due again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Select, bindparam, func, select, update

from maild.store.engine import Database
from maild.store.models import DeliveryRow, JobRow, MailboxRow, MailRow, TicketRow

QueueTable = type[MailRow] | type[TicketRow] | type[DeliveryRow] | type[MailboxRow] | type[JobRow]


class LeaseLost(Exception):  # noqa: N818 - nothing failed; another worker took over
    """The claim is over; nothing may be written."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows of one queue that are ours until `until`."""

    table: QueueTable
    ids: tuple[int, ...]
    attempts: Mapping[int, int]  # by id, this one counted
    until: datetime

    def __bool__(self) -> bool:
        return bool(self.ids)

    def only(self, ids: Sequence[int]) -> "Claim":
        """Return the claim on some of its rows."""
        return Claim(self.table, tuple(ids), self.attempts, self.until)


# The statements of each queue are built once: every service asks them at every step.


@cache
def _is_due(table: QueueTable) -> Executable:
    return select(table.id).where(table.due_at <= bindparam("now")).limit(1)


@cache
def _lock_due(table: QueueTable) -> Select[int]:
    due = select(table.id).where(table.due_at <= bindparam("now")).order_by(table.due_at, table.id)
    return due.limit(bindparam("most")).with_for_update(skip_locked=True)


@cache
def _lease(table: QueueTable) -> Executable:
    chosen = table.id.in_(bindparam("ids", expanding=True))
    leased = update(table).where(chosen).values(due_at=bindparam("until"), attempts=table.attempts + 1)
    return leased.returning(table.id, table.attempts)


@cache
def _lock_leased(table: QueueTable) -> Executable:
    ours = (table.id.in_(bindparam("ids", expanding=True))) & (table.due_at == bindparam("until"))
    return select(table.id).where(ours).order_by(table.id).with_for_update()


@cache
def _next_due(table: QueueTable) -> Executable:
    return select(func.min(table.due_at)).where(table.due_at.is_not(None))


def claim(
    database: Database,
    table: QueueTable,
    now: datetime,
    lease: timedelta,
    limit: int,
    *,
    only: ColumnElement[bool] | None = None,
    synced: bool = False,
) -> Claim:
    """Claim up to `limit` rows of `table`, those due longest first, `only` some of them; an empty claim if none is due.

    If `synced`, all that was written until then has survived a power cut when the work begins; the claim itself need
    not, since a row without its lease is due again, that is all.
    On SQLite a look that finds nothing takes no lock; on PostgreSQL rows that another node is claiming are skipped.
    """
    with database.read() as connection:
        if not is_due(connection, table, now):
            return Claim(table, (), {}, now)
    until = now + lease
    with database.write(synced=synced) as connection:
        chosen = _lock_due(table) if only is None else _lock_due(table).where(only)
        ids = connection.scalars(chosen, {"now": now, "most": limit}).all()
        if not ids:
            return Claim(table, (), {}, now)
        leased = connection.execute(_lease(table), {"ids": ids, "until": until}).all()
    return Claim(table, tuple(ids), {row.id: row.attempts for row in leased}, until)


def hold(connection: Connection, claimed: Claim) -> None:
    """Lock the claimed rows in the transaction that does the work.

    That transaction must set `due_at` of each: to null if the work is done, else to the instant of the next try.

    Raises:
        LeaseLost: at least one row was claimed by another or changed by hand meanwhile; nothing may be written.
    """
    table = claimed.table
    held = connection.scalars(_lock_leased(table), {"ids": claimed.ids, "until": claimed.until}).all()
    if len(held) != len(claimed.ids):
        raise LeaseLost(f"{table.__tablename__} {sorted(set(claimed.ids) - set(held))}")


def still_held(connection: Connection, claimed: Claim) -> Claim:
    """Return what of a claim is still ours at this moment."""
    table = claimed.table
    held = select(table.id).where(table.id.in_(claimed.ids), table.due_at == claimed.until)
    ours = frozenset(connection.scalars(held))
    return claimed.only([each for each in claimed.ids if each in ours])


def is_due(connection: Connection, table: QueueTable, now: datetime) -> bool:
    """Return whether a row of `table` is due."""
    return connection.scalar(_is_due(table), {"now": now}) is not None


def release(database: Database, claimed: Claim, due_at: datetime) -> None:
    """Make the claimed rows due at `due_at`, those that are still ours."""
    table = claimed.table
    with database.write() as connection:
        connection.execute(
            update(table).where(table.id.in_(claimed.ids), table.due_at == claimed.until).values(due_at=due_at)
        )


def next_due(connection: Connection, table: QueueTable) -> datetime | None:
    """Return the earliest `due_at` of `table`, None if nothing waits."""
    due_at: datetime | None = connection.scalar(_next_due(table))
    return due_at


def waiting(connection: Connection, table: QueueTable, now: datetime) -> dict[str, Any]:
    """Return how many rows of `table` are due and the oldest of them, for `maild status`."""
    due: ColumnElement[bool] = table.due_at <= now
    count, oldest = connection.execute(select(func.count(), func.min(table.due_at)).where(due)).one()
    return {"due": count, "oldest_due_at": oldest}
