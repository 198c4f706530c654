"""The clock is watched: time that was lost, a wall clock that is not believed, and what the operator says of both."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from maild.clock import Clock
from maild.config import Settings
from maild.desk import Desk
from maild.outbox import alert
from maild.rules import pace
from maild.rules.clock import TOLERANCE, Doubt
from maild.rules.pace import CAREFUL, CRAWL, Bucket, Lane
from maild.services.scheduler.straightening import straighten
from maild.store import schedule
from maild.store.engine import Database
from maild.store.schedule import Remembered

log = structlog.get_logger("maild.scheduler")

SEEN_EVERY_S: Final = 600  # must be shorter than `rules.pace.GAP`, else a restart looks like a gap
TELL_AFTER: Final = timedelta(minutes=2)  # a machine that has just started sets its clock by the network
TELL_AGAIN: Final = timedelta(days=1)


class Watch:
    """Knows how the time goes."""

    def __init__(
        self, database: Database, desk: Desk, settings: Settings, now: Callable[[], datetime], clock: Clock | None
    ) -> None:
        self._database = database
        self._desk = desk
        self._settings = settings
        self._now = now
        self._clock = clock
        self._looked_at: datetime | None = None
        self._gap = timedelta(0)  # before the present step
        self._doubt: Doubt | None = None  # at the last look

    def notice_gap(self) -> None:
        """Notice how long nobody looked: at the beginning of a step."""
        now = self._now()
        if self._looked_at is None:
            with self._database.read() as connection:
                self._looked_at = schedule.last_seen(connection) or now
            straighten(self._database, self._desk, now)
        self._gap = now - self._looked_at
        if self._gap >= pace.GAP:
            log.warning("time was lost", seconds=round(self._gap.total_seconds()))
        if self._gap <= -TOLERANCE:
            straighten(self._database, self._desk, now)

    def looked(self) -> None:
        """Notice that all was looked at: at the end of a step."""
        self._looked_at = self._now()

    def see(self) -> None:
        """Remember the present instant, for the next start."""
        with self._database.write() as connection:
            schedule.see(connection, self._now())

    def brakes(self, due: Mapping[Bucket, int], remembered: Remembered, now: datetime) -> bool:
        """Return whether what customers get goes slowly; tell the operator when that begins."""
        if pace.is_braked(remembered.braked_at, now):
            return True
        if not pace.is_mass(due, self._gap):
            return False
        careful = sum(count for bucket, count in due.items() if bucket.lane in CAREFUL)
        log.warning("unusually much is due, it goes on slowly", tickets=careful, a_minute=CRAWL)
        with self._database.write() as connection:
            schedule.note(connection, braked_at=now)
            alert.post(connection, self._settings, "Unusually many tickets are due", _mass(due, self._gap), now)
        return True

    def clock(self) -> None:
        """Look whether the wall clock is believed, and tell the operator if it is not."""
        if self._clock is None:
            return
        with self._database.read() as connection:
            remembered = schedule.load(connection)
        confirmed, wall = remembered.confirmed_at, self._clock.wall()
        if self._clock.doubt and confirmed is not None and abs(confirmed - wall) <= TOLERANCE:
            self._clock.believe()
            log.warning("the operator says that the clock is right", clock=wall)
        doubt, before, now = self._clock.doubt, self._doubt, self._now()
        self._doubt = doubt
        if doubt is not None:
            self._tell_of(doubt, wall, remembered, now)
        elif before is not None or remembered.doubted_since is not None:
            self._believe_again(remembered, now)

    def _tell_of(self, doubt: Doubt, wall: datetime, remembered: Remembered, now: datetime) -> None:
        told_at = remembered.doubt_told_at
        tell = now - doubt.since >= TELL_AFTER and (told_at is None or now - told_at >= TELL_AGAIN)
        if remembered.doubted_since is not None and not tell:
            return
        log.error("the clock is not believed", clock=wall, desk=now, settles=doubt.settles)
        with self._database.write() as connection:
            off_s = round(doubt.off.total_seconds())
            schedule.note(connection, doubted_since=doubt.since, doubted_wall=wall, doubted_off_s=off_s)
            if tell:
                schedule.note(connection, doubt_told_at=now)
                alert.post(connection, self._settings, "The clock is not believed", _doubtful(doubt, wall, now), now)

    def _believe_again(self, remembered: Remembered, now: datetime) -> None:
        log.warning("the clock is believed again", clock=now)
        with self._database.write() as connection:
            over = {"doubted_since": None, "doubted_wall": None, "doubted_off_s": None, "doubt_told_at": None}
            schedule.note(connection, seen_at=now, **over)
            if remembered.doubt_told_at is not None:
                self._tell_over(connection, now)
        straighten(self._database, self._desk, now)

    def _tell_over(self, connection: Connection, now: datetime) -> None:
        text = f"It is {now:%Y-%m-%d %H:%M} UTC, and all goes on as usual.\n"
        alert.post(connection, self._settings, "The clock is believed again", text, now)


def _mass(due: Mapping[Bucket, int], gap: timedelta) -> str:
    customers = sum(count for bucket, count in due.items() if bucket.lane is Lane.CUSTOMERS)
    quiet = sum(count for bucket, count in due.items() if bucket.lane is Lane.QUIET)
    hours = pace.BRAKED // timedelta(hours=1)
    return (
        f"After {_words(gap)} in which maild did not run, or by which the clock was set, these are due at once:\n\n"
        f"  {customers} tickets of which customers are reminded, told or asked, or which are closed\n"
        f"  {quiet} tickets to be removed, spam and what was deleted\n\n"
        f"For {hours} hour maild does {CRAWL} of each a minute and department, then it goes at the usual pace.\n"
        "If that is right there is nothing to do. If it is not (a clock that is wrong, say), stop it:\n\n"
        "  maild schedule hold\n"
        "  maild schedule release     once all is well\n\n"
        "Mail comes in, leaves, and reaches the agents all the time.\n"
    )


def _doubtful(doubt: Doubt, wall: datetime, now: datetime) -> str:
    way = "ahead of" if doubt.off > timedelta(0) else "behind"
    ends = (
        "If it stays there for half an hour it is believed."
        if doubt.settles
        else "maild believes it again when it comes back, or when you say that it is right:\n\n  maild schedule release"
    )
    return (
        f"The machine's clock shows {wall:%Y-%m-%d %H:%M} UTC, {_words(abs(doubt.off))} {way} what it should be.\n"
        f"maild goes on by its own time, {now:%Y-%m-%d %H:%M} UTC: nothing is reminded, resolved or closed because of "
        "the jump,\nand mails bear that time.\n\n"
        f"{ends}\n"
    )


def _words(gap: timedelta) -> str:
    """Return about how long that is."""
    for name, unit in (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1))):
        if gap >= 2 * unit:
            return f"{gap // unit} {name}"
    return "a moment"
