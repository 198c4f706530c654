"""What all tests may ask for: a clock to set, and databases, each test with a fresh one."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from maild.store import schema
from maild.store.engine import Database
from tests import dovecot, postgresql
from tests.clock import FakeClock
from tests.parts import missing

pytest.register_assert_rewrite("tests.unit.laws")  # which say what was broken, and by which values
hypothesis.settings.register_profile("maild", deadline=None)  # a busy machine is no fault
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "maild")
# By itself structlog draws the local variables of each frame, which takes ten seconds where they are many.
plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what a test does to the logging of its process: each command that is called here sets it up for itself."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configuration)


@pytest.fixture
def clock() -> FakeClock:
    """A clock at noon of a Monday."""
    return FakeClock()


def migrate(url: str) -> None:
    """Bring the database at `url` to the schema of today."""
    database = Database(url)
    try:
        schema.upgrade(database)
    finally:
        database.close()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "maild.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "maild.db"
    shutil.copyfile(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """This worker's PostgreSQL; to crash one, take `tests.postgresql.server()` instead."""
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError:
        missing("psycopg", "python3-psycopg, or: pip install '.[postgres]'")
    with postgresql.server() as server:
        yield server


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[dovecot.Dovecot]:
    """This worker's Dovecot; take a user of your own with `account`. To crash one: `tests.dovecot.server()`."""
    with dovecot.server() as server:
        yield server


@pytest.fixture(scope="session")
def _postgresql_migrated(postgresql_server: postgresql.Server) -> str:
    url = postgresql_server.create()
    migrate(url)
    return url


@pytest.fixture
def postgresql_url(postgresql_server: postgresql.Server, _postgresql_migrated: str) -> str:
    """A migrated PostgreSQL database with nothing in it."""
    postgresql_server.empty(_postgresql_migrated)
    return _postgresql_migrated


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Runs a test once on each database; `parametrize` it to take one only."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest) -> str:
    """A migrated database with nothing in it, on either engine."""
    url: str = request.getfixturevalue(f"{database_kind}_url")
    return url


@pytest.fixture
def empty_database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, on either engine."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.create()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database with nothing in it, open, on either engine."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """The same, for what concerns SQLite only."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()
