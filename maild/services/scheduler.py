"""The scheduler: time passes.

The `schedule` library is the metronome: it says when to look. What is due is asked of the database, so nothing is
forgotten over a restart and several nodes never do a thing twice (claims). Between looks the loop sleeps to the next
due instant or until a bell rings.

Guarded against what the library does alone (measured with 1.2.2): a job that raises is due again at once and starves
the others; after a step back of the clock no job runs until the old time is reached; local time with DST stalls for
an hour. So jobs are wrapped, the wall clock is watched against the monotonic one, and the process counts in UTC.

After a long stop everything that became due meanwhile is due at once: tickets are ticked a BATCH at a time with a
pause between, so that overdue mails are spread out and never a flood.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import schedule
import structlog

from maild.desk import MAILD, Desk, Happening
from maild.rules.events import Tick
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import TicketRow

log = structlog.get_logger("maild.scheduler")

BATCH: Final = 50  # tickets in one transaction
SPREAD_S: Final = 10.0  # between full batches: 300 tickets a minute
LEASE: Final = timedelta(minutes=5)  # must exceed the longest time that a batch takes
LONGEST_SLEEP_S: Final = 60.0
CLOCK_STEP_S: Final = 5.0  # a wall clock that lost more than this against the monotonic one was set back


class Scheduler:
    """Ticks what is due, and runs the jobs that are done every so often."""

    def __init__(self, database: Database, desk: Desk, now: Callable[[], datetime]) -> None:
        self._database = database
        self._desk = desk
        self._now = now
        self._metronome = schedule.Scheduler()
        self._wall_s, self._monotonic_s = time.time(), time.monotonic()
        self._pause_s = 0.0
        self.every(60, "tick", self._tick)

    def every(self, seconds: int, name: str, work: Callable[[], None]) -> None:
        """Do `work` at the next step and then every so many seconds; its faults are logged and end nothing."""

        def guarded() -> None:
            try:
                work()
            except Exception:
                # The library would call a raising job again at once and skip the jobs behind it.
                log.exception("job failed", job=name, next_try_s=seconds)

        job = self._metronome.every(seconds).seconds.do(guarded)
        job.next_run = datetime.min  # noqa: DTZ901 - the library counts in naive time

    def step(self) -> float:
        """Do what is due; return how long there is nothing to do, in seconds."""
        self._notice_clock_steps()
        self._metronome.run_pending()
        if self._is_due():
            self._tick()
        return self._sleep_s()

    def _notice_clock_steps(self) -> None:
        wall_s, monotonic_s = time.time(), time.monotonic()
        lost_s = (monotonic_s - self._monotonic_s) - (wall_s - self._wall_s)
        self._wall_s, self._monotonic_s = wall_s, monotonic_s
        if lost_s > CLOCK_STEP_S:
            log.warning("the clock was set back", seconds=round(lost_s))
            for job in self._metronome.jobs:
                job.next_run = datetime.min  # noqa: DTZ901 - as above; due now rather than after the lost time

    def _is_due(self) -> bool:
        with self._database.read() as connection:
            due_at = queues.next_due(connection, TicketRow)
        return due_at is not None and due_at <= self._now()

    def _tick(self) -> None:
        now = self._now()
        claim = queues.claim(self._database, TicketRow, now, LEASE, BATCH)
        self._pause_s = SPREAD_S if len(claim.ids) == BATCH else 0.0
        if claim:
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

    def _sleep_s(self) -> float:
        if self._pause_s:
            return self._pause_s
        with self._database.read() as connection:
            due_at = queues.next_due(connection, TicketRow)
        idle_s = min(self._metronome.idle_seconds or LONGEST_SLEEP_S, LONGEST_SLEEP_S)
        if due_at is not None:
            idle_s = min(idle_s, (due_at - self._now()).total_seconds())
        return max(idle_s, 0.01)
