"""How a desk stands: what waits and for how long, what failed, when something last happened; and whether that is well.

`standing` asks the database, `judge` says what of it wants a look or a person. An alarm is about what time does not
heal: a queue that nobody works off, a mail that was set aside. A relay that is away for a while is a warning.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from maild.rules.tickets import Status
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import (
    DeliveryRow,
    DeliveryState,
    Direction,
    JobRow,
    MailboxRow,
    MailRow,
    MailState,
    TicketRow,
)

QUEUES: Final[dict[str, queues.QueueTable]] = {
    "mail": MailRow,
    "ticket": TicketRow,
    "delivery": DeliveryRow,
    "mailbox": MailboxRow,
    "job": JobRow,
}
AGES: Final = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1)}  # else "older"
SLOW: Final = timedelta(minutes=5)  # overdue so long: a look
STUCK: Final = timedelta(minutes=30)  # overdue so long: nobody works
WAITS_TO_LEAVE: Final = timedelta(hours=1)  # a delivery that has not left since
FAILING: Final = timedelta(hours=1)  # of a mailbox
LATELY: Final = timedelta(days=1)
_WAITING: Final = (Status.NEW, Status.OPEN, Status.POSTPONED)  # in the others nobody waits for us
SHOWN: Final = 5  # of each kind of failure


class Level(IntEnum):
    """How bad it is; the value is the exit status that monitoring plug-ins have for it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


class Alarm(NamedTuple):
    """One thing that is not well."""

    level: Level
    text: str


def standing(database: Database, now: datetime) -> dict[str, Any]:
    """Return how the desk stands."""
    serving = is_served(database)
    with database.read() as connection:
        return {
            "at": now,
            "daemon": {"running": serving},
            "queues": {name: _queue(connection, table, now) for name, table in QUEUES.items()},
            "ages": {
                "mail": _ages(connection, MailRow.stored_at, MailRow.state == MailState.STORED, now),
                "delivery": _ages(connection, DeliveryRow.created_at, DeliveryRow.state == DeliveryState.QUEUED, now),
            },
            "mails": _counts(connection, MailRow.state),
            "deliveries": _counts(connection, DeliveryRow.state),
            "tickets": _counts(connection, TicketRow.status),
            "waiting": _waiting(connection),
            "failures": _failures(connection, now),
            "mailboxes": _mailboxes(connection),
            "last": _last(connection),
        }


def is_served(database: Database) -> bool | None:
    """Return whether a daemon serves the SQLite file, None on a server, which does not say."""
    if not database.is_sqlite:
        return None
    path = database.path.with_name(database.path.name + ".lock")
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, and for a moment only: it fails if a daemon has the lock, and nothing else tries to have it for long.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _queue(connection: Connection, table: queues.QueueTable, now: datetime) -> dict[str, Any]:
    scheduled = connection.scalar(select(func.count()).where(table.due_at.is_not(None))) or 0
    return {"scheduled": scheduled, **queues.waiting(connection, table, now)}


def _ages(connection: Connection, column: Any, which: Any, now: datetime) -> dict[str, int]:
    """Return how many have waited how long: each count is of those older than the one before."""
    ages: dict[str, int] = {}
    younger = now + timedelta(days=365)  # clocks differ
    for name, age in AGES.items():
        ages[name] = connection.scalar(select(func.count()).where(which, column > now - age, column <= younger)) or 0
        younger = now - age
    ages["older"] = connection.scalar(select(func.count()).where(which, column <= younger)) or 0
    return ages


def _counts(connection: Connection, column: Any) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).group_by(column)).all()
    found = {str(row[0]): row[1] for row in rows}
    return {str(each): found.get(str(each), 0) for each in column.type.enum_class}


def _waiting(connection: Connection) -> dict[str, Any]:
    """Return how many customers wait for an answer, and the one that has longest."""
    waits = TicketRow.status.in_(_WAITING) & TicketRow.waiting_since.is_not(None)
    count = connection.scalar(select(func.count()).where(waits)) or 0
    oldest = connection.execute(
        select(TicketRow.id, TicketRow.waiting_since)
        .where(waits)
        .order_by(TicketRow.waiting_since, TicketRow.id)
        .limit(1)
    ).one_or_none()
    return {
        "count": count,
        "oldest_ticket": oldest.id if oldest else None,
        "oldest_since": oldest.waiting_since if oldest else None,
    }


def _failures(connection: Connection, now: datetime) -> dict[str, Any]:
    mails = select(MailRow.id, MailRow.stored_at.label("at"), MailRow.reason).where(MailRow.state == MailState.FAILED)
    failed = select(DeliveryRow.id, DeliveryRow.ended_at.label("at"), DeliveryRow.reply.label("reason")).where(
        DeliveryRow.state == DeliveryState.FAILED, DeliveryRow.ended_at > now - LATELY
    )
    again = select(DeliveryRow.id, DeliveryRow.created_at.label("at"), DeliveryRow.reply.label("reason")).where(
        DeliveryRow.state == DeliveryState.QUEUED, DeliveryRow.attempts > 0, DeliveryRow.reply.is_not(None)
    )
    return {
        "mails_set_aside": _latest(connection, mails, MailRow.id),
        "deliveries_failed_lately": _latest(connection, failed, DeliveryRow.id),
        "deliveries_tried_again": _latest(connection, again, DeliveryRow.id),
    }


def _latest(connection: Connection, which: Any, key: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(which.order_by(key.desc()).limit(SHOWN)).mappings()]


def _mailboxes(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(
            MailboxRow.name,
            MailboxRow.folder,
            MailboxRow.last_success_at,
            MailboxRow.failing_since,
            MailboxRow.error,
            MailboxRow.due_at,
        ).order_by(MailboxRow.name, MailboxRow.folder)
    )
    return [dict(row) for row in rows.mappings()]


def _last(connection: Connection) -> dict[str, Any]:
    """Return when mail last came in, when some last left, and when a ticket last was opened."""
    came = select(MailRow.stored_at).where(MailRow.direction == Direction.IN).order_by(MailRow.id.desc()).limit(1)
    left = select(func.max(DeliveryRow.ended_at)).where(DeliveryRow.state == DeliveryState.SENT)
    opened = select(TicketRow.created_at).order_by(TicketRow.id.desc()).limit(1)
    return {
        "mail_stored_at": connection.scalar(came),
        "delivery_sent_at": connection.scalar(left),
        "ticket_opened_at": connection.scalar(opened),
    }


def judge(found: Mapping[str, Any]) -> list[Alarm]:
    """Return what is not well about a `standing`, the worst first."""
    return sorted(_alarms(found), key=lambda alarm: -alarm.level)


def _alarms(found: Mapping[str, Any]) -> Iterator[Alarm]:
    now: datetime = found["at"]
    if found["daemon"]["running"] is False:
        yield Alarm(Level.CRITICAL, "no daemon is running")
    for name, queue in found["queues"].items():
        overdue = now - queue["oldest_due_at"] if queue["oldest_due_at"] else timedelta(0)
        if overdue > SLOW:
            level = Level.CRITICAL if overdue > STUCK else Level.WARNING
            yield Alarm(level, f"queue {name}: {queue['due']} due, the oldest for {_minutes(overdue)}")
    if count := found["mails"]["failed"]:
        yield Alarm(Level.WARNING, f"mails set aside: {count} (maild mail list --state failed)")
    if count := found["ages"]["delivery"]["1d"] + found["ages"]["delivery"]["older"]:
        yield Alarm(Level.WARNING, f"deliveries older than an hour: {count} (maild delivery list --state queued)")
    for each in found["mailboxes"]:
        if each["failing_since"] is not None and now - each["failing_since"] > FAILING:
            yield Alarm(Level.CRITICAL, f"mailbox {each['name']} cannot be fetched: {each['error']}")


def _minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} min"
