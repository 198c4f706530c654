"""Deliveries as commands show and change them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from maild.store.models import DeliveryRow, DeliveryState, MailRow

_DELIVERIES: Final = select(
    DeliveryRow.id,
    DeliveryRow.state,
    DeliveryRow.mail_id.label("mail"),
    DeliveryRow.ticket_id.label("ticket"),
    DeliveryRow.recipient,
    DeliveryRow.automatic,
    DeliveryRow.attempts,
    DeliveryRow.created_at,
    DeliveryRow.due_at,
    DeliveryRow.ended_at,
    DeliveryRow.reply,
    MailRow.purpose,
    MailRow.subject,
).join(MailRow, MailRow.id == DeliveryRow.mail_id)


def listed(
    connection: Connection, *, states: Sequence[DeliveryState] = (), ticket: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Return deliveries, newest first; all states if none is named."""
    wanted = _DELIVERIES
    if states:
        wanted = wanted.where(DeliveryRow.state.in_(states))
    if ticket is not None:
        wanted = wanted.where(DeliveryRow.ticket_id == ticket)
    return [_delivery(row) for row in connection.execute(wanted.order_by(DeliveryRow.id.desc()).limit(limit))]


def of_mail(connection: Connection, mail_id: int) -> list[dict[str, Any]]:
    """Return the deliveries of a mail, in order."""
    rows = connection.execute(_DELIVERIES.where(DeliveryRow.mail_id == mail_id).order_by(DeliveryRow.id))
    return [_delivery(row) for row in rows]


def retry(connection: Connection, ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """Have deliveries tried at once; one that was sent is refused. Five days after its making a try is the last."""
    return _change(connection, ids, DeliveryState.QUEUED, {"due_at": now, "attempts": 0, "ended_at": None})


def cancel(connection: Connection, ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """Give up deliveries that still wait; one that a sender has in hand at this moment may arrive nevertheless."""
    return _change(connection, ids, DeliveryState.CANCELLED, {"due_at": None, "ended_at": now})


def _change(
    connection: Connection, ids: Sequence[int], to: DeliveryState, values: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(DeliveryRow.id, DeliveryRow.state, DeliveryRow.ended_at)
        .where(DeliveryRow.id.in_(ids))
        .order_by(DeliveryRow.id)
        .with_for_update()
    ).all()
    found = {row.id: row for row in rows}
    newest = connection.scalar(select(func.max(DeliveryRow.id)))
    results = []
    for delivery_id in ids:
        row = found.get(delivery_id)
        state = row.state if row else None
        refused = _refusal(state, to, newest)
        if refused is None:
            connection.execute(update(DeliveryRow).where(DeliveryRow.id == delivery_id).values(state=to, **values))
        before = str(state) if state else None
        results.append(
            {"id": delivery_id, "before": before, "state": before if refused else str(to), "refused": refused}
        )
    return results


def _refusal(state: DeliveryState | None, to: DeliveryState, newest: int | None) -> str | None:
    """Return why a delivery in `state` cannot be set to `to`, None if it can."""
    if state is None:
        return "there is no such delivery" + (f"; the newest is {newest}" if newest else "")
    if state is DeliveryState.SENT:
        return "it was sent already"
    if to is DeliveryState.CANCELLED and state is not DeliveryState.QUEUED:
        return f"it is {state}, it does not wait"
    return None


def _delivery(row: Any) -> dict[str, Any]:
    return {**row._mapping, "state": str(row.state)}  # noqa: SLF001 - the public name of a row's columns in SQLAlchemy
