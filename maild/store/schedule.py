"""What the schedulers of all nodes know of the time: one row, written seldom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from maild.store.models import MailRow, ScheduleRow
from maild.store.upsert import upsert

_ONE: Final = 1
_COLUMNS: Final = (
    ScheduleRow.seen_at,
    ScheduleRow.braked_at,
    ScheduleRow.held_at,
    ScheduleRow.confirmed_at,
    ScheduleRow.doubted_since,
    ScheduleRow.doubted_wall,
    ScheduleRow.doubt_told_at,
    ScheduleRow.doubted_off_s,
)
_LOAD: Final = select(*_COLUMNS).where(ScheduleRow.id == _ONE)
_LAST_STORED: Final = select(MailRow.stored_at).order_by(MailRow.id.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The row; the columns of `ScheduleRow` say what each is."""

    seen_at: datetime | None = None
    braked_at: datetime | None = None
    held_at: datetime | None = None
    confirmed_at: datetime | None = None
    doubted_since: datetime | None = None
    doubted_wall: datetime | None = None
    doubt_told_at: datetime | None = None
    doubted_off_s: int | None = None


def load(connection: Connection) -> Remembered:
    """Return what is remembered; nothing at a desk that never ran."""
    row = connection.execute(_LOAD).one_or_none()
    return Remembered(*row) if row else Remembered()


def desk_time(connection: Connection, wall: datetime) -> datetime:
    """Return what time it is for the daemon of this machine when the wall clock shows `wall`.

    Of several machines on one server each has a clock of its own, so whose is doubted says nothing of this one's.
    """
    off_s = load(connection).doubted_off_s if connection.dialect.name == "sqlite" else None
    return wall - timedelta(seconds=off_s or 0)


def note(connection: Connection, **values: Any) -> None:
    """Remember `values`, columns of the row."""
    connection.execute(
        upsert(connection, ScheduleRow)
        .values(id=_ONE, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def see(connection: Connection, now: datetime) -> None:
    """Remember that a daemon was sure of the time at `now`; a node that is behind takes nothing back."""
    if connection.scalar(select(func.count()).select_from(ScheduleRow)) == 0:
        note(connection, seen_at=now)
        return
    earlier = (ScheduleRow.seen_at.is_(None)) | (ScheduleRow.seen_at < now)
    connection.execute(update(ScheduleRow).where(ScheduleRow.id == _ONE, earlier).values(seen_at=now))


def last_seen(connection: Connection) -> datetime | None:
    """Return the last instant that is remembered, by a daemon that was sure or by the newest mail."""
    instants = (load(connection).seen_at, connection.scalar(_LAST_STORED))
    return max((each for each in instants if each is not None), default=None)
