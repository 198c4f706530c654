"""What the sender asks of the queue: which deliveries are claimed, and what must wait for what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, Connection, bindparam, func, select, update
from sqlalchemy.orm import aliased

from maild.outbox.purposes import TO_AGENTS
from maild.store.models import DeliveryRow, DeliveryState, MailRow, TicketRow
from maild.store.queues import Claim

Conversation = tuple[int | None, int]  # ticket and address: what arrives in order

_OLDER = aliased(DeliveryRow)
_IDS: Final[BindParameter[int]] = bindparam("ids", expanding=True)

# Built once: every batch asks them, and building costs more than asking.
_CLAIMED: Final = (
    select(DeliveryRow.__table__, MailRow.purpose, MailRow.size_bytes, TicketRow.department)
    .join(MailRow, MailRow.id == DeliveryRow.mail_id)
    .outerjoin(TicketRow, TicketRow.id == DeliveryRow.ticket_id)
    .where(DeliveryRow.id.in_(_IDS))
    .order_by(DeliveryRow.id)
)
_WAITS: Final = (
    select(DeliveryRow.id, func.max(_OLDER.due_at).label("due_at"))
    .join(_OLDER, (_OLDER.address_id == DeliveryRow.address_id) & (_OLDER.ticket_id == DeliveryRow.ticket_id))
    .where(
        DeliveryRow.id.in_(_IDS),
        _OLDER.id < DeliveryRow.id,
        _OLDER.id.not_in(_IDS),
        _OLDER.state == DeliveryState.QUEUED,
        _OLDER.due_at.is_not(None),
    )
    .group_by(DeliveryRow.id)
)
_PARKED: Final = (
    select(DeliveryRow.id, DeliveryRow.ticket_id, DeliveryRow.address_id, DeliveryRow.attempts)
    .where(
        DeliveryRow.address_id.in_(bindparam("addresses", expanding=True)),
        DeliveryRow.ticket_id.in_(bindparam("tickets", expanding=True)),
        DeliveryRow.state == DeliveryState.QUEUED,
        DeliveryRow.due_at > bindparam("now"),
    )
    .order_by(DeliveryRow.id)
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery, as it is fetched to be sent."""

    id: int
    mail_id: int
    size_bytes: int
    conversation: Conversation
    recipient: str
    reply_to: str
    leave: str
    from_null: bool
    department: str | None
    created_at: datetime
    attempts: int


def claimed(connection: Connection, claim: Claim) -> list[Letter]:
    """Return the claimed deliveries, oldest first."""
    rows = connection.execute(_CLAIMED, {"ids": claim.ids}).all()
    return [
        Letter(
            row.id,
            row.mail_id,
            row.size_bytes,
            (row.ticket_id, row.address_id),
            row.recipient,
            row.reply_to,
            row.leave or "",
            row.automatic and row.purpose not in TO_AGENTS,
            row.department,
            row.created_at,
            claim.attempts[row.id],
        )
        for row in rows
    ]


def waits(connection: Connection, claim: Claim) -> dict[int, datetime]:
    """Return the claimed deliveries before which an older one is under way elsewhere, with when that is due next."""
    rows = connection.execute(_WAITS, {"ids": claim.ids}).all()
    return {row.id: row.due_at for row in rows}


def unpark(connection: Connection, ended: Sequence[Letter], now: datetime) -> None:
    """Make due the next delivery of each conversation; what was tried already keeps its own time."""
    conversations = {letter.conversation: letter.id for letter in ended}
    if not conversations:
        return
    waiting = connection.execute(
        _PARKED,
        {
            "addresses": list({address_id for _, address_id in conversations}),
            "tickets": list({ticket_id for ticket_id, _ in conversations}),
            "now": now,
        },
    ).all()
    following: dict[Conversation, int] = {}
    for row in waiting:
        conversation = (row.ticket_id, row.address_id)
        if row.id > conversations.get(conversation, row.id) and row.attempts == 0:
            following.setdefault(conversation, row.id)
    if following:
        connection.execute(update(DeliveryRow).where(DeliveryRow.id.in_(following.values())).values(due_at=now))
