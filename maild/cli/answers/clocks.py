"""The clocks of a ticket as commands show them: those that ended, and those that run."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from maild.rules import promises
from maild.rules.policy import Policy
from maild.rules.state import Ticket
from maild.store.models import ClockRow


def of_ticket(
    connection: Connection, ticket_id: int, ticket: Ticket, policy: Policy, now: datetime
) -> list[dict[str, Any]]:
    """Return the clocks of a ticket, the oldest first; one that runs has `outcome` "running" or "late"."""
    rows = connection.execute(
        select(ClockRow).where(ClockRow.ticket_id == ticket_id).order_by(ClockRow.stopped_at, ClockRow.kind)
    )
    running = list(promises.running(ticket, policy))
    resumed = {(clock.kind.value, clock.started_at) for clock in running}  # it ended once, and goes on
    ended = [
        {
            "kind": row.kind,
            "started_at": row.started_at,
            "due_at": row.target_at,
            "stopped_at": row.stopped_at,
            "used_s": row.used_s,
            "outcome": row.outcome,
        }
        for row in rows
        if (row.kind, row.started_at) not in resumed
    ]
    return [*ended, *(_running(clock, now) for clock in running)]


def _running(clock: promises.Clock, now: datetime) -> dict[str, Any]:
    used = clock.used + clock.calendar.between(clock.resumed_at, max(now, clock.resumed_at))
    return {
        "kind": clock.kind.value,
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "stopped_at": None,
        "used_s": int(used.total_seconds()),
        "outcome": "late" if clock.due_at is not None and clock.due_at <= now else "running",
    }
