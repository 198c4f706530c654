"""The mails of a ticket as they came and left, for whoever wants to read them whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, or_, select

from maild.rules.routing import Action
from maild.rules.state import Tell
from maild.store import raw
from maild.store.conversations import aliases
from maild.store.models import Direction, MailRow, MailState

MOST_MAILS: Final = 50
MOST_BYTES: Final = 10 << 20
# Neither notes nor answers as agents sent them: what these quote has addresses that were made for their writer alone.
_SHOWN: Final = or_(
    and_(
        MailRow.direction == Direction.IN,
        MailRow.state == MailState.FILED,
        MailRow.purpose.in_(
            (Action.OPEN, Action.CUSTOMER, Action.SOLVED, Action.PROBLEM, Action.MACHINE, Action.BOUNCE)
        ),
    ),
    and_(MailRow.direction == Direction.OUT, MailRow.purpose == Tell.ANSWER),
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A mail with its bytes."""

    at: datetime
    author: str
    subject: str
    content: bytes


def whole(connection: Connection, ticket_id: int) -> tuple[list[Whole], int]:
    """Return the latest mails between customers and agents, oldest first, and how many there are besides."""
    rows = connection.execute(
        select(
            MailRow.id, MailRow.size_bytes, MailRow.stored_at, MailRow.from_name, MailRow.from_address, MailRow.subject
        )
        .where(MailRow.ticket_id.in_([ticket_id, *aliases(connection, [ticket_id])]), _SHOWN)
        .order_by(MailRow.id.desc())
    ).all()
    taken = list(_fitting([row.size_bytes for row in rows]))
    raws = raw.of(connection, [rows[at].id for at in taken])
    found = [
        Whole(rows[at].stored_at, rows[at].from_name or rows[at].from_address or "", rows[at].subject or "", content)
        for at in reversed(taken)
        if (content := raws.get(rows[at].id))
    ]
    return found, len(rows) - len(found)


def _fitting(sizes: Sequence[int]) -> list[int]:
    """Return which mails fit, in order; one that is too large leaves room for those behind it."""
    taken: list[int] = []
    room = MOST_BYTES
    for at, size in enumerate(sizes):
        if size <= room and len(taken) < MOST_MAILS:
            taken.append(at)
            room -= size
    return taken
