"""Which errors are the database's own and pass, and which a statement brings about."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from maild.store.engine import DatabaseBusyError
from maild.store.passing import is_collision, is_passing


class OfServer(Exception):  # noqa: N818 - stands for psycopg's
    """An error of PostgreSQL, with its state."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def of_file(code: int) -> DBAPIError:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    return DBAPIError("INSERT", None, error)


@pytest.mark.parametrize(
    "error",
    [
        DatabaseBusyError("INSERT", None, Exception("maild.db")),
        PoolTimeoutError(),
        of_file(sqlite3.SQLITE_FULL),
        of_file(sqlite3.SQLITE_IOERR_WRITE),
        of_file(sqlite3.SQLITE_BUSY_SNAPSHOT),
        DBAPIError("INSERT", None, OfServer("53100")),  # the disk is full
        DBAPIError("INSERT", None, OfServer("55P03")),  # a lock was not to be had
        DBAPIError("INSERT", None, OfServer("57P01")),  # the server is shut down
        DBAPIError("INSERT", None, OfServer("08006"), connection_invalidated=True),
        DBAPIError("INSERT", None, OfServer("40P01")),  # a deadlock
    ],
)
def test_trouble_of_the_database_passes(error: Exception) -> None:
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("poison"),
        of_file(sqlite3.SQLITE_TOOBIG),
        of_file(sqlite3.SQLITE_ERROR),  # such as: too many SQL variables
        of_file(sqlite3.SQLITE_CORRUPT),
        DBAPIError("INSERT", None, OfServer("22021")),  # text that is none
        IntegrityError("INSERT", None, OfServer("23505")),
    ],
)
def test_what_a_statement_brings_about_does_not(error: Exception) -> None:
    assert not is_passing(error)


def test_only_what_met_another_may_go_at_once() -> None:
    assert is_collision(DBAPIError("INSERT", None, OfServer("40001")))
    assert not is_collision(DBAPIError("INSERT", None, OfServer("55P03")))
    assert not is_collision(RuntimeError("poison"))
