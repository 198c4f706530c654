"""What a clock that ran ahead has left behind: instants that are not yet, in queues and on tickets.

While the wall clock is an hour or a year ahead, and believed, mails are queued and tickets change at instants that
will come once more. When it is set right these would wait for them. Nothing in a queue waits as long as `LONGEST` by
the rules, so what does is due now; a ticket whose instants are to come gets the present one (`ClockSetBack`).
"""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select, update

from maild.desk import MAILD, Desk, Happening
from maild.rules.clock import TOLERANCE
from maild.rules.events import ClockSetBack
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import DeliveryRow, JobRow, MailboxRow, MailRow, TicketRow

log = structlog.get_logger("maild.scheduler")

# More than any wait that the rules know; `rules.retry` has those of mails and deliveries.
LONGEST: Final[tuple[tuple[queues.QueueTable, timedelta], ...]] = (
    (MailRow, timedelta(hours=1)),
    (DeliveryRow, timedelta(days=1)),
    (MailboxRow, timedelta(days=1)),
    (JobRow, timedelta(days=40)),
)
GROUP: Final = 100  # tickets in one transaction
_INSTANTS: Final = (
    TicketRow.since,
    TicketRow.waiting_since,
    TicketRow.answered_at,
    TicketRow.reminded_at,
    TicketRow.told_at,
)


def straighten(database: Database, desk: Desk, now: datetime) -> None:
    """Make due what waits for an instant that only a wrong clock can have set."""
    for table, longest in LONGEST:
        late = table.due_at > now + longest
        with database.read() as connection:
            if connection.scalar(select(table.id).where(late).limit(1)) is None:
                continue
        with database.write() as connection:
            found = connection.execute(update(table).where(late).values(due_at=now)).rowcount
        log.warning("a wrong clock had put off", queue=table.__tablename__, rows=found)
    with database.read() as connection:
        ahead = or_(*(column > now + TOLERANCE for column in _INSTANTS))
        ids = connection.scalars(
            select(TicketRow.id).where(TicketRow.due_at.is_not(None), ahead).order_by(TicketRow.id)
        ).all()
    for first in range(0, len(ids), GROUP):
        with database.write() as connection:
            happenings = [Happening(each, ClockSetBack(now), MAILD) for each in ids[first : first + GROUP]]
            desk.handle(connection, happenings, now)
    if ids:
        log.warning("tickets had instants to come", tickets=len(ids))
