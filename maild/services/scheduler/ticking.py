"""What is due is claimed, as much of each lane as its pace allows, and ticked."""

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, bindparam, distinct, func, select

from maild.config import Settings
from maild.desk import MAILD, Desk, Happening
from maild.rules import pace
from maild.rules.events import Tick
from maild.rules.pace import LANES, TOLD_BY, Bucket
from maild.rules.tickets import Tell
from maild.services.scheduler.watching import Watch
from maild.store import queues, schedule
from maild.store.engine import Database
from maild.store.models import MailRow, TicketRow

log = structlog.get_logger("maild.scheduler")

BATCH: Final = 50  # tickets in one transaction
LEASE: Final = timedelta(minutes=5)  # must exceed the longest time that a batch takes
MINUTE: Final = timedelta(minutes=1)
_DUE: Final = (
    select(TicketRow.department, TicketRow.status, func.count())
    .where(TicketRow.due_at <= bindparam("now"))
    .group_by(TicketRow.department, TicketRow.status)
)
_TOLD: Final = (
    select(TicketRow.department, MailRow.purpose, func.count(distinct(TicketRow.id)))
    .join(TicketRow, TicketRow.id == MailRow.ticket_id)
    .where(
        MailRow.purpose.in_([tell.value for tell in TOLD_BY]),
        MailRow.stored_at > bindparam("since"),
        MailRow.stored_at <= bindparam("now"),
    )
    .group_by(TicketRow.department, MailRow.purpose)
)


class Ticker:
    """Ticks tickets that are due, at the pace of their department."""

    def __init__(self, database: Database, desk: Desk, settings: Settings, now: Callable[[], datetime]) -> None:
        self._database = database
        self._desk = desk
        self._settings = settings
        self._now = now
        self._ticked: deque[tuple[datetime, Bucket, int]] = deque()  # within the last minute

    def review(self) -> None:
        """Let tickets that are due otherwise by another configuration be looked at."""
        with self._database.write() as connection:
            self._desk.review(connection, self._now())

    def tick(self, watch: Watch) -> bool:
        """Tick what may be ticked now; return whether something that is due has to wait."""
        now = self._now()
        with self._database.read() as connection:
            due = _due(connection, now)
            if not due:
                return False
            told = _told(connection, now)
            remembered = schedule.load(connection)
        lately = self._ticked_lately(now)
        braked = watch.brakes(due, remembered, now)
        done = {bucket: max(told[bucket], lately[bucket]) for bucket in due}
        most = {bucket.department: self._a_minute(bucket.department) for bucket in due}
        allowed = pace.plan(due, done, most, held=remembered.held_at is not None, braked=braked)
        for bucket, room in allowed.items():
            self._tick_some(bucket, room, now)
        return allowed != due

    def _a_minute(self, department: str) -> int:
        known = self._settings.department(department) or self._settings.departments[0]
        return known.reminders_a_minute

    def _ticked_lately(self, now: datetime) -> Counter[Bucket]:
        while self._ticked and not now - MINUTE < self._ticked[0][0] <= now:
            self._ticked.popleft()
        lately: Counter[Bucket] = Counter()
        for _, bucket, count in self._ticked:
            lately[bucket] += count
        return lately

    def _tick_some(self, bucket: Bucket, room: int, now: datetime) -> None:
        theirs = (TicketRow.department == bucket.department) & TicketRow.status.in_(bucket.statuses)
        while room > 0:
            claim = queues.claim(self._database, TicketRow, now, LEASE, min(room, BATCH), only=theirs)
            if not claim:
                return
            room -= len(claim.ids)
            self._ticked.append((now, bucket, len(claim.ids)))
            self._tick_or_split(claim, now)

    def _tick_or_split(self, claim: queues.Claim, now: datetime) -> None:
        """Tick a batch; if it fails each of its tickets by itself, so that one costs only itself."""
        try:
            self._tick_all(claim, now)
        except queues.LeaseLost:
            log.warning("lease lost, another worker has these tickets", tickets=len(claim.ids))
        except Exception:
            if len(claim.ids) == 1:
                again = self._set_back(claim, now)
                log.exception("tick failed", ticket=claim.ids[0], next_try=again)
                return
            log.exception("batch failed, its tickets are ticked one by one", tickets=len(claim.ids))
            for ticket_id in claim.ids:
                self._tick_or_split(claim.only([ticket_id]), now)

    def _tick_all(self, claim: queues.Claim, now: datetime) -> None:
        with self._database.write() as connection:
            queues.hold(connection, claim)
            self._desk.handle(connection, [Happening(each, Tick(now), MAILD) for each in claim.ids], now)

    def _set_back(self, claim: queues.Claim, now: datetime) -> datetime:
        """Try a ticket again later, at most a day; return when."""
        again = now + timedelta(minutes=min(2 ** min(claim.attempts[claim.ids[0]], 11), 1440))
        queues.release(self._database, claim, again)
        return again


def _due(connection: Connection, now: datetime) -> dict[Bucket, int]:
    """Return how many tickets of each bucket are due."""
    due: Counter[Bucket] = Counter()
    for department, status, count in connection.execute(_DUE, {"now": now}):
        due[Bucket(department, LANES[status])] += count
    return dict(due)


def _told(connection: Connection, now: datetime) -> Counter[Bucket]:
    """Return of how many tickets of each bucket somebody was told within the last minute, by any node."""
    told: Counter[Bucket] = Counter()
    for department, purpose, count in connection.execute(_TOLD, {"since": now - MINUTE, "now": now}):
        told[Bucket(department, TOLD_BY[Tell(str(purpose))])] += count
    return told
