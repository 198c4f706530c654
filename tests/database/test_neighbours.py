"""What a command writes is noticed by a daemon beside it, on either engine, without anything being looked through."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from maild.store.engine import Database
from maild.store.models import JobRow
from maild.store.neighbours import Neighbours


@pytest.fixture
def neighbours(database: Database) -> Iterator[Neighbours]:
    """Whoever looks, after its first look."""
    made = Neighbours(database)
    assert made.wrote(), "before the first look anything may have been written"
    yield made
    made.close()


@pytest.fixture
def command(database_url: str) -> Iterator[Database]:
    """The database as a command opens it."""
    opened = Database(database_url, calls=True)
    yield opened
    opened.close()


def noticed(neighbours: Neighbours) -> bool:
    """Whether a write is noticed; a server's word takes its time."""
    pause = threading.Event()
    return any(neighbours.wrote() or pause.wait(0.01) for _ in range(500))


def write(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(JobRow).values(name=name, attempts=0))


def test_what_a_command_writes_is_noticed_once(neighbours: Neighbours, command: Database) -> None:
    assert not neighbours.wrote()

    with command.write() as connection:
        connection.execute(insert(JobRow), [{"name": "one", "attempts": 0}, {"name": "two", "attempts": 0}])

    assert noticed(neighbours)
    assert not neighbours.wrote()


def test_what_a_command_reads_or_takes_back_is_not_noticed(neighbours: Neighbours, command: Database) -> None:
    write(command, "one")
    assert noticed(neighbours)

    with command.read() as connection:
        connection.scalars(select(JobRow.name)).all()
    with pytest.raises(IntegrityError):
        write(command, "one")

    assert not neighbours.wrote()


def test_whoever_looks_holds_nobody_up(neighbours: Neighbours, command: Database, database: Database) -> None:
    for number in range(20):
        write(command, str(number))
        assert noticed(neighbours)

    with database.read() as connection:
        assert len(connection.scalars(select(JobRow.name)).all()) == 20


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_a_server_that_went_away_is_heard_again(neighbours: Neighbours, command: Database) -> None:
    operational_error = pytest.importorskip("psycopg").OperationalError
    with command.read() as connection:
        listening = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        connection.execute(text(listening))

    with pytest.raises(operational_error):
        noticed(neighbours)

    assert neighbours.wrote(), "what was written meanwhile is unknown"
    write(command, "one")
    assert noticed(neighbours)
