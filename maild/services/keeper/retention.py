"""Retention: tickets that have been closed for long enough are removed with all that hangs on them.

How long that is says `[retention]`; by default they are kept for ever. With them go mails that belong to no ticket and
are as old, and people of whom nothing is left. Spam and deleted tickets have spans of their own (`rules.state`) and
go by the scheduler.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, delete, exists, select

from maild.config import Settings
from maild.desk.rows import purge
from maild.message.address import normalise
from maild.rules.state import Status
from maild.store import jobs
from maild.store.engine import Database
from maild.store.models import (
    AddressRow,
    DeliveryRow,
    MailRow,
    MailState,
    ParticipantRow,
    PersonRow,
    TicketRow,
)

log = structlog.get_logger("maild.keeper")

PERIOD: Final = timedelta(days=1)
STEP: Final = 100  # tickets, mails, people in one transaction
_SETTLED: Final = (MailState.NOTED, MailState.OUT)


class Retention:
    """Removes what has been kept for long enough; its mark is not used."""

    name = "retention"

    def __init__(self, database: Database, settings: Settings, now: Callable[[], datetime]) -> None:
        self._database = database
        self._kept = settings.retention.closed
        self._ours = {normalise(agent.address) for agent in settings.agents}
        if settings.maild.operator is not None:
            self._ours.add(normalise(settings.maild.operator))
        self._now = now

    def step(self, job: jobs.Job) -> None:
        """Remove a few; again at once while there are more."""
        now = self._now()
        with self._database.write() as connection:
            removed = 0 if self._kept is None else self._remove(connection, now - timedelta(seconds=self._kept.seconds))
            jobs.done(connection, job, now if removed else now + PERIOD, now)

    def _remove(self, connection: Connection, before: datetime) -> int:
        closed = select(TicketRow.id).where(TicketRow.status == Status.CLOSED, TicketRow.since < before)
        tickets = connection.scalars(closed.order_by(TicketRow.id).limit(STEP)).all()
        purge(connection, tickets)
        loose = select(MailRow.id).where(
            MailRow.ticket_id.is_(None), MailRow.state.in_(_SETTLED), MailRow.stored_at < before
        )
        mails = connection.scalars(loose.order_by(MailRow.id).limit(STEP)).all()
        if mails:
            connection.execute(delete(MailRow).where(MailRow.id.in_(mails)))
        people = [] if tickets or mails else self._people(connection, before)
        if people:
            connection.execute(delete(PersonRow).where(PersonRow.id.in_(people)))
        if mails or people:
            log.info("kept long enough", mails=len(mails), people=len(people))
        return len(tickets) + len(mails) + len(people)

    def _people(self, connection: Connection, before: datetime) -> list[int]:
        """Return people of whom nothing is left: signed addresses that were made for them prove nothing any more."""
        here = AddressRow.person_id == PersonRow.id
        used = (
            exists().where(here, TicketRow.requester_id == AddressRow.id),
            exists().where(here, ParticipantRow.address_id == AddressRow.id),
            exists().where(here, DeliveryRow.address_id == AddressRow.id),
            exists().where(here, AddressRow.normal.in_(self._ours)),
        )
        unused = select(PersonRow.id).where(PersonRow.created_at < before, *(~each for each in used))
        return list(connection.scalars(unused.order_by(PersonRow.id).limit(STEP)))
