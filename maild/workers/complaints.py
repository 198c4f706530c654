"""What cannot be delivered is told to the desk, which the daemon puts together only when that happens.

It renders, and what renders takes much memory and is elsewhere otherwise. Failures for good are few.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy import Connection

from maild.clock import Clock
from maild.config import Settings
from maild.store.engine import Database

log = structlog.get_logger("maild.sender")


class Complaints:
    """Takes them to the desk."""

    def __init__(self, settings: Settings, database: Database, now: Clock) -> None:
        self._settings = settings
        self._database = database
        self._now = now

    def delivery_failed(self, connection: Connection, failures: Mapping[int, str], now: datetime) -> None:
        """Note that deliveries (by id) failed for good, with the server's own words."""
        from maild.templates import BrokenTemplatesError  # noqa: PLC0415 - see above
        from maild.works import desk_of  # noqa: PLC0415 - see above

        try:
            desk = desk_of(self._settings, self._database, self._now)
        except BrokenTemplatesError as error:  # broken since they were taken: a failure is told all the same
            log.error("templates cannot be used, the built-in ones are", faults=str(error))  # noqa: TRY400 - the faults are all that is needed
            plain = self._settings.maild.model_copy(update={"templates": None})
            desk = desk_of(self._settings.model_copy(update={"maild": plain}), self._database, self._now)
        desk.delivery_failed(connection, failures, now)
