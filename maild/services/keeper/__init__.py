"""The keeper: what keeps a desk in order over the years, done in small pieces beside the work of the day.

    packing    bytes of mails that have been there for a while are compressed
    watching   what is wrong with the desk is told to the operator
    retention  what is done with is removed when it is old enough
    integrity  the database is looked through for damage

Each chore is a job (`store.jobs`): one node does it, a crash leaves it to be done again. A chore that fails is told in
the log and tried again later; the others go on. Nothing here is waited for by anybody.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from maild.config import Settings
from maild.services.keeper.integrity import Integrity
from maild.services.keeper.packing import Packing
from maild.services.keeper.retention import Retention
from maild.services.keeper.watching import Watching
from maild.store import jobs, queues
from maild.store.engine import Database

__all__ = ["Keeper"]

log = structlog.get_logger("maild.keeper")

LEASE: Final = timedelta(minutes=10)  # must exceed what one step of a chore takes
AFTER_FAULT: Final = timedelta(minutes=10)
LONGEST_SLEEP_S: Final = 60.0
REST_S: Final = 0.1  # between two steps of one chore: whoever writes mails comes first


class Chore(Protocol):
    """Something that is done again and again, a little at a time."""

    name: str

    def step(self, job: jobs.Job) -> None:
        """Do a little, and write when it is due again."""


class Keeper:
    """Does the chores, one step of each at a time."""

    def __init__(self, database: Database, settings: Settings, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._chores: Sequence[Chore] = (
            Watching(database, settings, now),
            Packing(database, now),
            Retention(database, settings, now),
            Integrity(database, now),
        )

    def step(self) -> float:
        """Do what is due; return how long there is nothing to do, in seconds."""
        for chore in self._chores:
            job = jobs.claim(self._database, chore.name, self._now(), LEASE)
            if job is not None:
                self._do(chore, job)
        return self._sleep_s()

    def _do(self, chore: Chore, job: jobs.Job) -> None:
        try:
            chore.step(job)
        except queues.LeaseLost:
            log.warning("lease lost, another node does this chore", chore=chore.name)
        except Exception:  # one chore must not keep the others from being done
            again_at = self._now() + AFTER_FAULT
            log.exception("chore failed", chore=chore.name, next_try=again_at)
            queues.release(self._database, job.claim, again_at)

    def _sleep_s(self) -> float:
        now = self._now()
        with self._database.read() as connection:
            due = [jobs.next_due(connection, chore.name) for chore in self._chores]
        left_s = min(((at - now).total_seconds() for at in due if at is not None), default=LONGEST_SLEEP_S)
        return min(max(left_s, REST_S), LONGEST_SLEEP_S)
