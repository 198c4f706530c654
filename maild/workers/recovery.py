"""What the dead had leased is due again at once, and the mails that a worker had begun are remembered for it."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, case, update

from maild.rules import pace
from maild.services.sender import sending
from maild.store.engine import Database
from maild.store.models import DeliveryRow, MailRow, TicketRow

_ENDED: Final = (
    update(MailRow)
    .where(MailRow.due_at == bindparam("fence"))
    .values(
        due_at=MailRow.stored_at,  # so that they keep their order
        attempts=MailRow.attempts - 1,  # counts what failed; what a process dies of is counted apart
        deaths=MailRow.deaths + case((MailRow.id.in_(bindparam("begun", expanding=True)), 1), else_=0),
    )
)


def free(database: Database, fence: datetime, begun: Collection[int]) -> int:
    """End the lease that is known by `fence`; the mails that were `begun` may be what it died of. Return how many."""
    with database.write() as connection:
        return connection.execute(_ENDED, {"fence": fence, "begun": list(begun)}).rowcount


def recover(database: Database, now: datetime) -> None:
    """End the leases of a daemon that was killed, on SQLite, where there is no other whose they could be."""
    with database.write() as connection:
        connection.execute(
            update(MailRow).where(MailRow.due_at.is_not(None), MailRow.attempts > 0).values(due_at=MailRow.stored_at)
        )
        for table, lease in ((DeliveryRow, sending.LEASE), (TicketRow, pace.LEASE)):
            connection.execute(
                update(table)
                .where(table.due_at > now, table.due_at <= now + lease, table.attempts > 0)
                .values(due_at=now)
            )
