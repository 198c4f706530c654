"""Whether a database is sound: the engine's own checks, and ours for what it cannot know."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DatabaseError

from maild.rules.state import Status
from maild.store import raw, schema
from maild.store.engine import Database
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow, MailState, RawRow, TicketRow

MOST_FAULTS: Final = 100  # of one kind that are told
_FROM_HERE: Final = "restore a backup, or write to those who know maild before anything else is changed"


def faults(database: Database) -> Iterator[str]:
    """Yield what is wrong with a database, each a sentence; nothing is changed."""
    found = schema.revisions(database)
    if found.have != found.need:
        yield f"schema {found.have or 'none'}, this version needs {found.need}: maild db upgrade"
        return
    if database.is_sqlite:
        damaged = _damage(database)
        yield from damaged
        if damaged:
            return  # nothing more can be asked of it
    with database.read() as connection:
        if database.is_sqlite:
            yield from _broken_references(connection)
        yield from _incomplete_mails(connection)
        yield from _damaged_mails(connection)
        yield from _stranded(connection)


def _damage(database: Database) -> list[str]:
    found: list[str] = []
    try:
        with database.read() as connection:
            rows = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_FAULTS})")
            found += [f"integrity: {row[0]}; {_FROM_HERE}" for row in rows if row[0] != "ok"]
    except DatabaseError as error:  # damaged so badly that it cannot even be looked through
        found.append(f"integrity: {error.orig}; {_FROM_HERE}")
    return found


def _broken_references(connection: Connection) -> Iterator[str]:
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_FAULTS):
        yield f"reference: row {row[1]} of {row[0]} names a row of {row[2]} that is not there; {_FROM_HERE}"


def _incomplete_mails(connection: Connection) -> Iterator[str]:
    """Find mails whose bytes are not all there."""
    kept = func.coalesce(func.sum(raw.LENGTH), 0)
    rows = connection.execute(
        select(MailRow.id, MailRow.size_bytes, kept.label("kept"))
        .outerjoin(RawRow, RawRow.mail_id == MailRow.id)
        .group_by(MailRow.id, MailRow.size_bytes)
        .having(kept != MailRow.size_bytes)
        .order_by(MailRow.id)
        .limit(MOST_FAULTS)
    )
    for row in rows:
        yield f"mail {row.id}: {row.kept} of its {row.size_bytes} bytes are there; {_FROM_HERE}"


def _damaged_mails(connection: Connection) -> Iterator[str]:
    """Find mails whose bytes are not what was written; one piece at a time is in memory."""
    packed = select(RawRow.mail_id, RawRow.content, RawRow.unpacked_bytes).where(RawRow.unpacked_bytes.is_not(None))
    found = 0
    for row in connection.execution_options(yield_per=4).execute(packed.order_by(RawRow.mail_id, RawRow.number)):
        try:
            raw.unpack(row.content, row.unpacked_bytes)
        except raw.DamagedError as error:
            yield f"mail {row.mail_id}: {error}; {_FROM_HERE}"
            found += 1
            if found == MOST_FAULTS:
                return


def _stranded(connection: Connection) -> Iterator[str]:
    """Find what waits for something that will never come."""
    filed = select(MailRow.id).where(MailRow.state == MailState.FILED, MailRow.ticket_id.is_(None))
    unfiled = select(MailRow.id).where(
        MailRow.state == MailState.STORED, MailRow.due_at.is_(None), MailRow.direction == Direction.IN
    )
    unsent = select(DeliveryRow.id).where(DeliveryRow.state == DeliveryState.QUEUED, DeliveryRow.due_at.is_(None))
    final = (Status.CLOSED, Status.MERGED)
    unseen = select(TicketRow.id).where(TicketRow.status.not_in(final), TicketRow.due_at.is_(None))
    questions: list[tuple[str, Any]] = [
        ("mail {}: filed, but on no ticket", filed),
        ("mail {}: waits, but is never due; run: maild mail retry {}", unfiled),
        ("delivery {}: waits, but is never due; run: maild delivery retry {}", unsent),
        ("ticket {}: nothing will ever happen to it by itself, as should", unseen),
    ]
    for words, question in questions:
        for found in connection.scalars(question.limit(MOST_FAULTS)):
            yield words.format(found, found)
