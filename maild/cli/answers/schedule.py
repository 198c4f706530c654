"""What time alone does: what is due, whether it is held, and the operator's word about it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from maild.rules.pace import BRAKED, LANES, is_braked
from maild.store import schedule
from maild.store.models import TicketRow


def shown(connection: Connection, now: datetime) -> dict[str, Any]:
    """Return how what time alone does stands."""
    remembered = schedule.load(connection)
    braked = remembered.braked_at if is_braked(remembered.braked_at, now) else None
    return {
        "at": now,
        "seen_at": remembered.seen_at,
        "held_at": remembered.held_at,
        "braked_until": braked and braked + BRAKED,
        "doubted_since": remembered.doubted_since,
        "doubted_clock": remembered.doubted_wall,
        "due": _due(connection, now),
    }


def hold(connection: Connection, now: datetime) -> dict[str, Any]:
    """Hold what customers would get; return how it stands."""
    if schedule.load(connection).held_at is None:
        schedule.note(connection, held_at=now)
    return shown(connection, now)


def release(connection: Connection, now: datetime, wall: datetime) -> dict[str, Any]:
    """Let it go on, and say that the machine's clock, which shows `wall`, is right; return how it stands."""
    remembered = schedule.load(connection)
    schedule.note(connection, held_at=None, braked_at=None)
    if remembered.doubted_since is not None:
        schedule.note(connection, confirmed_at=wall)
    return shown(connection, now)


def _due(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(TicketRow.department, TicketRow.status, func.count())
        .where(TicketRow.due_at <= now)
        .group_by(TicketRow.department, TicketRow.status)
        .order_by(TicketRow.department)
    )
    found: dict[str, dict[str, int]] = {}
    for department, status, count in rows:
        lanes = found.setdefault(department, {})
        lanes[LANES[status].value] = lanes.get(LANES[status].value, 0) + count
    return [{"department": name, "lanes": lanes} for name, lanes in found.items()]
