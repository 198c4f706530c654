"""Integrity: once a week, at night, an SQLite database is looked through for damage, while everything goes on.

A server looks after its own files. What is larger than LARGEST_BYTES is left to `maild db check` in a quiet hour.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DatabaseError

from maild.store import jobs
from maild.store.engine import Database

log = structlog.get_logger("maild.keeper")

PERIOD: Final = timedelta(days=7)
HOUR: Final = time(3, 30, tzinfo=UTC)
LARGEST_BYTES: Final = 4 << 30  # some ten seconds
SOUND: Final = "ok"
FAULT_KEPT: Final = 80  # characters


class Integrity:
    """Looks for damage; its mark is what was found, "" if nothing was."""

    name = "integrity"

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def step(self, job: jobs.Job) -> None:
        """Look, unless it is the first time: a start is no time to read a whole file."""
        now = self._now()
        looks = job.done_at is not None and self._database.is_sqlite
        if looks and self._database.path.stat().st_size > LARGEST_BYTES:
            looks = False
            log.info("too large to be looked through by itself", fix="maild db check, in a quiet hour")
        fault = self._fault() if looks else ""
        if fault:
            log.error("the database is damaged", what=fault)
        with self._database.write() as connection:
            jobs.done(connection, job, _night(now + (PERIOD if looks else timedelta())), now, fault)

    def _fault(self) -> str:
        try:
            with self._database.read() as connection:
                found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        except DatabaseError as error:  # damaged so badly that it cannot even be looked through
            found = str(error.orig)
        return "" if found == SOUND else found[:FAULT_KEPT]


def _night(after: datetime) -> datetime:
    """Return the next night from then on."""
    tonight = datetime.combine(after.date(), HOUR)
    return tonight if tonight > after else tonight + timedelta(days=1)
