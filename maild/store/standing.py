"""How a desk stands: what waits and for how long, what failed, when something last happened.

Whether that is well is said by `rules.troubles`. Counts of what a desk has in the end (filed mails, closed tickets)
cost time in proportion to it, so they are for people; whoever asks again and again leaves them out.
"""

import fcntl
import os
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select, text

from maild.rules import limits
from maild.rules.state import Status, Tell
from maild.store import queues, schedule
from maild.store.conversations import UNPROVEN_ACKNOWLEDGEMENT
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
LATELY: Final = timedelta(days=1)
SHOWN: Final = 5  # of each kind of failure
DOMAINS_SHOWN: Final = 10
MOST_QUEUED: Final = 20_000  # deliveries that are told by domain
MOST_LOOKED_AT: Final = 100_000  # deliveries among which failures are looked for
UNREAD_TRIES: Final = 5  # to fetch a mail, after half an hour: see MISSED_WAIT of the poller
UNSETTLED: Final = (MailState.STORED, MailState.HELD, MailState.FAILED)
LIVING: Final = (Status.NEW, Status.OPEN, Status.ANSWERED, Status.POSTPONED, Status.RESOLVED)
QUEUED: Final = DeliveryRow.due_at.is_not(None) & (DeliveryRow.state == DeliveryState.QUEUED)  # by the index of due
RELAY_BLAMED: Final = "relay: "  # must equal services.sender.sending.TROUBLE, which see
BACKUP: Final = "backup"  # the job that remembers when `maild db backup` was last done
INTEGRITY: Final = "integrity"  # the job that looks for damage
_WAITS: Final = TicketRow.status.in_((Status.NEW, Status.OPEN, Status.POSTPONED)) & TicketRow.waiting_since.is_not(None)


def standing(database: Database, now: datetime, *, counted: bool = True) -> dict[str, Any]:
    """Return how the desk stands; without `counted` in a time that does not depend on how much there ever was."""
    serving = is_served(database)
    with database.read() as connection:
        return {
            "at": now,
            "daemon": {"running": serving},
            "queues": {name: _queue(connection, table, now) for name, table in QUEUES.items()},
            "ages": {
                "mail": _ages(connection, MailRow.stored_at, MailRow.state == MailState.STORED, now),
                "delivery": _ages(connection, DeliveryRow.created_at, QUEUED, now),
                "waiting": _ages(connection, TicketRow.waiting_since, _WAITS, now),
            },
            "mails": _counts(connection, MailRow.state, () if counted else UNSETTLED),
            "deliveries": _counts(connection, DeliveryRow.state) if counted else _queued(connection),
            "tickets": _counts(connection, TicketRow.status, () if counted else LIVING),
            "departments": _departments(connection),
            "waiting": _waiting(connection),
            "domains": _domains(connection, now),
            "failures": _failures(connection, now),
            "filing": _filing(connection),
            "held": _held(connection),
            "mailboxes": _mailboxes(connection),
            "relay": _relay(connection),
            "last": _last(connection),
            "disk": _disk(database, connection),
            "integrity": _integrity(connection),
            "backup": {"at": _job(connection, BACKUP).done_at},
            "schedule": _schedule(connection),
            "acknowledged": _acknowledged(connection, now),
        }


def _schedule(connection: Connection) -> dict[str, Any]:
    known = schedule.load(connection)
    return {"seen_at": known.seen_at, "held_at": known.held_at, "doubted_since": known.doubted_since}


def _acknowledged(connection: Connection, now: datetime) -> dict[str, int]:
    """Return how many mails were acknowledged within an hour, in all and to addresses that nothing proves."""
    count = select(func.count()).where(MailRow.stored_at > now - limits.HOUR)
    unproven = connection.scalar(count.where(MailRow.purpose == UNPROVEN_ACKNOWLEDGEMENT)) or 0
    proven = connection.scalar(count.where(MailRow.purpose == Tell.ACKNOWLEDGEMENT.value)) or 0
    return {"within_hour": proven + unproven, "unproven": unproven}


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


def _counts(connection: Connection, column: Any, only: Sequence[Any] = ()) -> dict[str, int]:
    counted = select(column, func.count()).group_by(column)
    rows = connection.execute(counted.where(column.in_(only)) if only else counted).all()
    found = {str(row[0]): row[1] for row in rows}
    return {str(each): found.get(str(each), 0) for each in only or column.type.enum_class}


def _queued(connection: Connection) -> dict[str, int]:
    return {str(DeliveryState.QUEUED): connection.scalar(select(func.count()).where(QUEUED)) or 0}


def _departments(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return for each department its living tickets by status, and since when its customers wait."""
    rows = connection.execute(
        select(TicketRow.department, TicketRow.status, func.count(), func.min(TicketRow.waiting_since))
        .where(TicketRow.status.in_(LIVING))
        .group_by(TicketRow.department, TicketRow.status)
        .order_by(TicketRow.department)
    )
    found: dict[str, dict[str, Any]] = {}
    for name, status, count, since in rows:
        each = found.setdefault(name, {**dict.fromkeys(map(str, LIVING), 0), "oldest_since": None})
        each[str(status)] = count
        if since is not None and status in (Status.NEW, Status.OPEN, Status.POSTPONED):
            each["oldest_since"] = min(since, each["oldest_since"] or since)
    return found


def _waiting(connection: Connection) -> dict[str, Any]:
    """Return how many customers wait for an answer, and the one that has longest."""
    count = connection.scalar(select(func.count()).where(_WAITS)) or 0
    oldest = connection.execute(
        select(TicketRow.id, TicketRow.waiting_since)
        .where(_WAITS)
        .order_by(TicketRow.waiting_since, TicketRow.id)
        .limit(1)
    ).one_or_none()
    return {
        "count": count,
        "oldest_ticket": oldest.id if oldest else None,
        "oldest_since": oldest.waiting_since if oldest else None,
    }


def _domains(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Return the domains for which most deliveries wait, by age."""
    rows = connection.execute(
        select(DeliveryRow.recipient, DeliveryRow.created_at).where(QUEUED).order_by(DeliveryRow.id).limit(MOST_QUEUED)
    )
    found: dict[str, dict[str, Any]] = {}
    for recipient, created_at in rows:
        domain = recipient.rpartition("@")[2].lower()
        each = found.setdefault(domain, {"domain": domain, "total": 0, **dict.fromkeys((*AGES, "older"), 0)})
        each["total"] += 1
        each[next((name for name, age in AGES.items() if now - created_at < age), "older")] += 1
    return sorted(found.values(), key=lambda each: (-each["total"], each["domain"]))[:DOMAINS_SHOWN]


def _failures(connection: Connection, now: datetime) -> dict[str, Any]:
    newest = connection.scalar(select(func.max(DeliveryRow.id))) or 0
    mails = select(MailRow.id, MailRow.stored_at.label("at"), MailRow.reason).where(MailRow.state == MailState.FAILED)
    failed = select(DeliveryRow.id, DeliveryRow.ended_at.label("at"), DeliveryRow.reply.label("reason")).where(
        DeliveryRow.id > newest - MOST_LOOKED_AT,
        DeliveryRow.state == DeliveryState.FAILED,
        DeliveryRow.ended_at > now - LATELY,
    )
    again = select(DeliveryRow.id, DeliveryRow.created_at.label("at"), DeliveryRow.reply.label("reason")).where(
        QUEUED, DeliveryRow.attempts > 0, DeliveryRow.reply.is_not(None)
    )
    return {
        "mails_set_aside": _latest(connection, mails, MailRow.id),
        "deliveries_failed_lately": _latest(connection, failed, DeliveryRow.id),
        "deliveries_tried_again": _latest(connection, again, DeliveryRow.id),
    }


def _latest(connection: Connection, which: Any, key: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(which.order_by(key.desc()).limit(SHOWN)).mappings()]


def _filing(connection: Connection) -> dict[str, Any]:
    """Return how many mails could not be filed and are tried again."""
    again = (MailRow.state == MailState.STORED) & (MailRow.attempts > 0) & MailRow.reason.startswith("filing failed")
    return {"count": connection.scalar(select(func.count()).where(again)) or 0}


def _held(connection: Connection) -> dict[str, Any]:
    held = select(func.count(), func.min(MailRow.stored_at)).where(MailRow.state == MailState.HELD)
    count, oldest_at = connection.execute(held).one()
    return {"count": count, "oldest_at": oldest_at}


def _relay(connection: Connection) -> dict[str, Any]:
    """Return since when the relay cannot be used, as far as deliveries tell that wait for it, and its own words."""
    blamed = QUEUED & DeliveryRow.reply.startswith(RELAY_BLAMED)
    count, oldest_at = connection.execute(select(func.count(), func.min(DeliveryRow.created_at)).where(blamed)).one()
    if not count:
        return {"waiting": 0, "failing_since": None, "reason": None}
    words = connection.scalar(select(DeliveryRow.reply).where(blamed).order_by(DeliveryRow.id.desc()).limit(1)) or ""
    sent_at = _last_sent(connection)
    since = max(oldest_at, sent_at) if sent_at else oldest_at
    return {"waiting": count, "failing_since": since, "reason": words.removeprefix(RELAY_BLAMED)[:300]}


def _disk(database: Database, connection: Connection) -> dict[str, Any]:
    """Return how large the database is, and what is left on its disk, None where it is a server's."""
    if not database.is_sqlite:
        size = connection.scalar(text("SELECT pg_database_size(current_database())"))
        return {"database_bytes": size, "free_bytes": None, "total_bytes": None}
    room = shutil.disk_usage(database.path.parent)
    log = database.path.with_name(database.path.name + "-wal")
    size = database.path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    return {"database_bytes": size, "free_bytes": room.free, "total_bytes": room.total}


class _Done(NamedTuple):
    """How a job stands."""

    done_at: datetime | None = None
    mark: str | None = None


def _job(connection: Connection, name: str) -> _Done:
    row = connection.execute(select(JobRow.done_at, JobRow.mark).where(JobRow.name == name)).one_or_none()
    return _Done() if row is None else _Done(*row)


def _integrity(connection: Connection) -> dict[str, Any]:
    """Return when the database was last looked through for damage, and what was found."""
    job = _job(connection, INTEGRITY)
    return {"checked_at": job.done_at, "fault": job.mark or None}


def _mailboxes(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(
            MailboxRow.name,
            MailboxRow.folder,
            MailboxRow.last_success_at,
            MailboxRow.failing_since,
            MailboxRow.error,
            MailboxRow.due_at,
            MailboxRow.missed,
        ).order_by(MailboxRow.name, MailboxRow.folder)
    )
    found = []
    for row in rows.mappings():
        missed = (row["missed"] or {}).values()  # the numbers of tries, and when the next is
        unread = sum(1 for tries, _ in missed if tries >= UNREAD_TRIES)
        found.append({**{name: value for name, value in row.items() if name != "missed"}, "unread": unread})
    return found


def _last(connection: Connection) -> dict[str, Any]:
    """Return when mail last came in, when some last left, and when a ticket last was opened."""
    came = select(MailRow.stored_at).where(MailRow.direction == Direction.IN).order_by(MailRow.id.desc()).limit(1)
    opened = select(TicketRow.created_at).order_by(TicketRow.id.desc()).limit(1)
    return {
        "mail_stored_at": connection.scalar(came),
        "delivery_sent_at": _last_sent(connection),
        "ticket_opened_at": connection.scalar(opened),
    }


def _last_sent(connection: Connection) -> datetime | None:
    newest = connection.scalar(select(func.max(DeliveryRow.id))) or 0
    sent = (DeliveryRow.id > newest - MOST_LOOKED_AT) & (DeliveryRow.state == DeliveryState.SENT)
    return connection.scalar(select(func.max(DeliveryRow.ended_at)).where(sent))
