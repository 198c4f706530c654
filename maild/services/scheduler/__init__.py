"""The scheduler: time passes.

    __init__     the metronome: when to look, jobs that are done every so often
    ticking      what is due is claimed, so much at a time, and ticked
    watching     the clock is watched: gaps, doubts, what the operator said of it
    straightening    what a clock that ran ahead has left behind

The `schedule` library is the metronome: it says when to look. What is due is asked of the database, so nothing is
forgotten over a restart and several nodes never do a thing twice (claims). Between looks the loop sleeps to the next
due instant or until a bell rings.

Guarded against what the library does alone (measured with 1.2.2): a job that raises is due again at once and starves
the others; after a step back of the clock no job runs until the old time is reached; local time with DST stalls for
an hour. So jobs are wrapped, the wall clock is watched against the monotonic one, and the process counts in UTC.

After a long stop everything that became due meanwhile is due at once: `rules.pace` says how fast it goes, so that
overdue mails are spread out and never a flood.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import schedule
import structlog

from maild.clock import Clock
from maild.config import Settings
from maild.desk import Desk
from maild.services.scheduler.ticking import BATCH, LEASE, Ticker
from maild.services.scheduler.watching import SEEN_EVERY_S, Watch
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import TicketRow

__all__ = ["BATCH", "LEASE", "Scheduler"]

log = structlog.get_logger("maild.scheduler")

SPREAD_S: Final = 10.0  # between looks while something that is due has to wait: `rules.pace.STEPS` a minute
REVIEW_EVERY_S: Final = 86_400  # and at the start, and when the configuration was read anew
LONGEST_SLEEP_S: Final = 60.0
CLOCK_EVERY_S: Final = 30  # whether the wall clock is believed
CLOCK_STEP_S: Final = 5.0  # a wall clock that lost more than this against the monotonic one was set back


class Scheduler:
    """Ticks what is due, and runs the jobs that are done every so often."""

    def __init__(
        self,
        database: Database,
        desk: Desk,
        now: Callable[[], datetime],
        settings: Settings,
        clock: Clock | None = None,
    ) -> None:
        """Make one; `clock` is what `now` asks, if that doubts the wall clock."""
        self._database = database
        self._now = now
        self._watch = Watch(database, desk, settings, now, clock)
        self._ticker = Ticker(database, desk, settings, now)
        self._metronome = schedule.Scheduler()
        self._wall_s, self._monotonic_s = time.time(), time.monotonic()
        self._left = False  # something that is due has to wait
        self.every(REVIEW_EVERY_S, "review", self._ticker.review)
        self.every(60, "tick", self._tick)
        self.every(CLOCK_EVERY_S, "clock", self._watch.clock)
        self.every(SEEN_EVERY_S, "seen", self._watch.see)

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
        self._watch.notice_gap()
        self._left = False
        self._metronome.run_pending()
        due_at = self._next_due()
        if not self._left and due_at is not None and due_at <= self._now():
            self._tick()
            due_at = self._next_due()
        self._watch.looked()
        return self._sleep_s(due_at)

    def _notice_clock_steps(self) -> None:
        wall_s, monotonic_s = time.time(), time.monotonic()
        lost_s = (monotonic_s - self._monotonic_s) - (wall_s - self._wall_s)
        self._wall_s, self._monotonic_s = wall_s, monotonic_s
        if lost_s > CLOCK_STEP_S:
            log.warning("the clock was set back", seconds=round(lost_s))
            for job in self._metronome.jobs:
                job.next_run = datetime.min  # noqa: DTZ901 - as above; due now rather than after the lost time

    def _next_due(self) -> datetime | None:
        with self._database.read() as connection:
            return queues.next_due(connection, TicketRow)

    def _tick(self) -> None:
        self._left = self._ticker.tick(self._watch)

    def _sleep_s(self, due_at: datetime | None) -> float:
        if self._left:
            return SPREAD_S
        idle_s = min(self._metronome.idle_seconds or LONGEST_SLEEP_S, LONGEST_SLEEP_S)
        if due_at is not None:
            idle_s = min(idle_s, (due_at - self._now()).total_seconds())
        return max(idle_s, 0.01)
