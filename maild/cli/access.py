"""How commands reach the configuration and the database, without disturbing the daemon that serves them.

Reading goes over connections that can only read. A command fetches all that it needs, closes, and prints afterwards:
a transaction that waits for somebody's pager would hold up a checkpoint. Nothing is ever created by looking.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from maild.cli.failures import CONFIGURATION, Failure
from maild.store.locks import WRITE_LOCKS

if TYPE_CHECKING:
    from maild.config.settings import Settings
    from maild.store.engine import Database

_Command = TypeVar("_Command", bound=Callable[..., Any])


def configured(command: _Command) -> _Command:
    """Give a command the option -c."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Configuration [default: $MAILD_CONFIG, else /etc/maild/config.toml]",
    )(command)


def answering_json(command: _Command) -> _Command:
    """Give a command the option --json."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as JSON; its keys stay.")(command)


def wall() -> datetime:
    """Return what the machine's clock shows."""
    return datetime.now(UTC)


def now(database: "Database") -> datetime:
    """Return the present instant as the desk has it: its daemon may not believe the machine's clock."""
    from maild.store import schedule

    with database.read() as connection:
        return schedule.desk_time(connection, wall())


def settings_of(config: Path | None) -> "Settings":
    """Return the configuration.

    Raises:
        ConfigError: it cannot be used.
    """
    from maild import config as configuration

    return configuration.load(configuration.find(config))


@contextmanager
def database_of(settings: "Settings", *, any_schema: bool = False, create: bool = False) -> Iterator["Database"]:
    """Give the database of a configuration; its schema is the one that this version needs, unless `any_schema`.

    Raises:
        Failure: there is none.
        SchemaError: its schema is another.
    """
    from maild import logs
    from maild.store import schema
    from maild.store.engine import Database

    logs.configure(level=logging.WARNING)  # what was done is told by the command itself
    path = sqlite_file(settings)
    if path is not None:
        if not create and not path.exists():
            raise Failure(
                f"there is no database {path}; start the daemon once, or run: maild db upgrade\n"
                "(maild.database in the configuration names another; without it $STATE_DIRECTORY counts, "
                "else the working directory)",
                CONFIGURATION,
            )
        _leave_to_owner(path)
    before = os.umask(0o077) if create else None  # as the daemon does: what it holds is nobody else's
    database = Database(settings.maild.database, calls=True)
    try:
        if not any_schema:
            schema.require(database)
        yield database
    finally:
        database.close()
        if before is not None:
            os.umask(before)


@contextmanager
def desk_database(config: Path | None) -> Iterator[tuple["Settings", "Database"]]:
    """Give the settings and the database of a desk that is in use."""
    settings = settings_of(config)
    with database_of(settings) as database:
        yield settings, database


@contextmanager
def desk_or_empty(settings: "Settings") -> Iterator["Database"]:
    """Give the desk's database; an empty one in its place if the desk has never run, so that nothing is created."""
    from maild.store import schema
    from maild.store.engine import Database

    with ExitStack() as stack:
        try:
            database = stack.enter_context(database_of(settings))
        except (Failure, schema.SchemaError):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            database = Database(f"sqlite:///{folder}/empty.db")
            stack.callback(database.close)
            schema.upgrade(database)
        yield database


def sqlite_file(settings: "Settings") -> Path | None:
    """Return the file of the database, None if it is a server's."""
    from sqlalchemy import make_url

    written = settings.maild.database
    url = make_url(written if "://" in written else f"sqlite:///{written}")
    return Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None


def shown_url(settings: "Settings") -> str:
    """Return the database's URL without its password."""
    from sqlalchemy import make_url

    written = settings.maild.database
    return make_url(written if "://" in written else f"sqlite:///{written}").render_as_string(hide_password=True)


def _leave_to_owner(path: Path) -> None:
    """Make what root is about to create beside a database belong to the database's owner, who could not open it else.

    SQLite does so itself for its journals.
    """
    if os.geteuid() != 0:
        return
    owner = (path if path.exists() else path.parent).stat()
    if owner.st_uid == 0:
        return
    for each in (path.with_name(path.name + end) for end in ("", ".lock", *WRITE_LOCKS)):
        try:
            made = os.open(each, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        os.fchown(made, owner.st_uid, owner.st_gid)
        os.close(made)
