"""What is due is claimed, as much of each lane as its pace allows, and ticked."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, bindparam, distinct, func, select

from maild.config import Settings
from maild.desk import MAILD, Desk, Happening
from maild.rules import pace
from maild.rules.events import Tick
from maild.rules.pace import LANES, TOLD_BY, Bucket
from maild.rules.state import Tell
from maild.services.scheduler.watching import Watch
from maild.store import queues, schedule
from maild.store.engine import Database
from maild.store.models import MailRow, TicketRow

log = structlog.get_logger("maild.scheduler")

BATCH: Final = 50  # tickets in one transaction
LEASE: Final = pace.LEASE
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
        self._tick_allowed(allowed, now)
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

    def _tick_allowed(self, allowed: Mapping[Bucket, int], now: datetime) -> None:
        """Tick what is due, of several departments together: who works in two of them is told once."""
        rooms = {bucket: room for bucket, room in allowed.items() if room > 0}
        while rooms:
            claims, left = [], BATCH
            for bucket, room in list(rooms.items()):
                theirs = (TicketRow.department == bucket.department) & TicketRow.status.in_(bucket.statuses)
                claim = queues.claim(self._database, TicketRow, now, LEASE, min(room, left), only=theirs)
                if not claim:
                    del rooms[bucket]
                    continue
                self._ticked.append((now, bucket, len(claim.ids)))
                claims.append(claim)
                left -= len(claim.ids)
                rooms[bucket] -= len(claim.ids)
                if not rooms[bucket]:
                    del rooms[bucket]
                if not left:
                    break
            if claims:
                self._tick_or_split(claims, now)

    def _tick_or_split(self, claims: Sequence[queues.Claim], now: datetime) -> None:
        """Tick a batch; if it fails each of its tickets by itself, so that one costs only itself."""
        several = sum(len(each.ids) for each in claims)
        try:
            self._tick_all(claims, now)
        except queues.LeaseLost:
            if several == 1:
                log.warning("lease lost, another worker has this ticket", ticket=claims[0].ids[0])
                return
            for claim in claims:  # on one something happened meanwhile; the others must not wait for their lease
                for ticket_id in claim.ids:
                    self._tick_or_split([claim.only([ticket_id])], now)
        except Exception:
            if several == 1:
                again = self._set_back(claims[0], now)
                log.exception("tick failed", ticket=claims[0].ids[0], next_try=again)
                return
            log.exception("batch failed, its tickets are ticked one by one", tickets=several)
            for claim in claims:
                for ticket_id in claim.ids:
                    self._tick_or_split([claim.only([ticket_id])], now)

    def _tick_all(self, claims: Sequence[queues.Claim], now: datetime) -> None:
        with self._database.write() as connection:
            for claim in claims:
                queues.hold(connection, claim)
            happenings = [Happening(each, Tick(now), MAILD) for claim in claims for each in claim.ids]
            self._desk.handle(connection, happenings, now)

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
