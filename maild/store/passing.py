"""Whether an error is the database's own and passes: a lock, a full disk, a server that restarts.

Then it is no fault of the work that met it, whose attempts must not run out for it. What a statement itself brings
about (too many values, text that is none) is told apart: it would come back for ever.
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from maild.store.engine import DatabaseBusyError

_OF_SQLITE: Final = frozenset(  # primary codes; the extended ones have them in their low byte
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# Classes of SQLSTATE: connection, rolled back (deadlocks), resources, not in the right state (locks), somebody
# intervened, the system itself.
_OF_POSTGRESQL: Final = ("08", "40", "53", "55", "57", "58")


def is_passing(error: BaseException) -> bool:
    """Return whether `error` says that the database cannot just now what it could before and will again."""
    if isinstance(error, DatabaseBusyError | PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _OF_SQLITE
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_OF_POSTGRESQL)
    return type(cause).__name__ == "OperationalError"  # psycopg's, of a server that cannot be reached: it has no state


def is_collision(error: BaseException) -> bool:
    """Return whether the work only met another's: the same again, or a part of it, may go at once."""
    return isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", "")).startswith("40")
