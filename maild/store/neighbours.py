"""Whether another process has written: a command, or on SQLite anybody else. Asked every few seconds, so it is cheap.

SQLite counts along by itself (`PRAGMA data_version`): no row is read and no lock outlasts the question. What this
process writes counts as well, since it is written on another connection; whoever asks looks once more than he had to.
PostgreSQL sends word: commands say NOTIFY when they commit, and the question only reads what has arrived.

It is promptness, not certainty. Through a pooler that gives each transaction another session no word arrives; what is
due is then found by the look that every service takes now and then.
"""

from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from maild.store.engine import CHANNEL, Database


class Neighbours:
    """What is known of other processes' writing; for one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None  # the driver's; outside of any transaction
        self._version = -1

    def wrote(self) -> bool:
        """Return whether something may have been written since the last time, which nobody knows of the first time.

        Raises:
            Exception: the database is away; the next call connects anew.
        """
        began = self._connection is None
        if began:
            self._connection = self._database.aside()
        try:
            if self._database.is_sqlite:
                return self._version_changed()
            if began:
                self._connection.execute(f"LISTEN {CHANNEL}")
            return bool([*self._connection.notifies(timeout=0)]) or began
        except Exception:
            self.close()
            raise

    def _version_changed(self) -> bool:
        before = self._version
        (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return before != self._version

    def close(self) -> None:
        """Give the connection up."""
        connection, self._connection, self._version = self._connection, None, -1
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                connection.close()
