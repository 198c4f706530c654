"""The indexer: what is said on tickets is found by its words soon after it is filed; see `store.search`.

Not in the transaction that files it: the index is a third of the work of a large mail, nobody waits for it, and on
SQLite nobody else writes meanwhile. It is written in groups of its own while no mail waits to be filed; while many come
at once it waits for them to end, or for LATEST, and then does a group every REST. A crash leaves what is not indexed
noted as it was.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from maild.store import queues, search
from maild.store.engine import Database
from maild.store.models import MailRow

IDLE_S: Final = 60.0  # the bell makes it prompt, this makes it sure
FLOOD: Final = 50  # that were filed ...
WITHIN: Final = timedelta(seconds=1)  # ... most likely go on
LATEST: Final = timedelta(minutes=1)  # what waited so long waits no longer
REST: Final = timedelta(seconds=1)


class Indexer:
    """Indexes what is filed, a group at a step."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._rests_until: datetime | None = None

    def step(self) -> float:
        """Index one group if it is time; return how long there is nothing to do, in seconds."""
        now = self._now()
        with self._database.read() as connection:
            noted = search.noted(connection, FLOOD)
            busy = noted is not None and queues.is_due(connection, MailRow, now)
        if noted is None:
            return IDLE_S
        oldest, before_newest = noted
        if busy or (before_newest is not None and now - before_newest < WITHIN):
            resting = self._rests_until is not None and now < self._rests_until
            if resting or now - oldest < LATEST:
                return REST.total_seconds()
            self._rests_until = now + REST
        with self._database.write() as connection:
            search.catch_up(connection)
        return 0.0
