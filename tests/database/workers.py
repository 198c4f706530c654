"""What other processes do to a database in these tests; each says a line when it is where it should be."""

import os
import signal
import sqlite3
import sys
from typing import Any

from sqlalchemy import event, insert, select, update

from maild.store import schema
from maild.store.engine import Database
from maild.store.models import JobRow


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def wait() -> None:
    """Do nothing until the test says so, or ends."""
    sys.stdin.read()


def increment(url: str, times: str) -> None:
    """Add one to the counter, `times` times, as read and write."""
    database = Database(url)
    say("ready")
    for _ in range(int(times)):
        with database.write() as connection:
            count = connection.scalars(select(JobRow.attempts).with_for_update()).one()
            connection.execute(update(JobRow).values(attempts=count + 1))
    database.close()


def serve(url: str) -> None:
    """Be the daemon."""
    database = Database(url)
    database.claim_for_daemon(f"process {os.getpid()}")
    say("serving")
    wait()


def hold_for_writing(url: str) -> None:
    """Be in the midst of writing."""
    with Database(url).write() as connection:
        connection.execute(update(JobRow).values(attempts=-1))
        say("writing")
        wait()


def lock_file(path: str) -> None:
    """Lock the file as a program that knows nothing of maild does."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    say("locked")
    wait()


def write_and_die(url: str) -> None:
    """Write, and be killed as soon as that is over."""
    with Database(url).write() as connection:
        connection.execute(insert(JobRow).values(name="last words", attempts=0))
    os.kill(os.getpid(), signal.SIGKILL)


def upgrade(url: str) -> None:
    """Migrate, at the same time as others."""
    database = Database(url)
    say("ready")
    sys.stdin.readline()
    schema.upgrade(database)
    database.close()


def upgrade_and_die(url: str, at: str) -> None:
    """Migrate, and be killed at the statement that begins with `at`."""
    database = Database(url)

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.strip().startswith(at):
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database._writer, "before_cursor_execute", die)
    schema.upgrade(database)


def upgrade_aloud(url: str) -> None:
    """Migrate, and say so before each statement and before the commit."""
    database = Database(url)
    event.listen(database._writer, "before_cursor_execute", lambda *_: say("statement"))
    event.listen(database._writer, "commit", lambda _: say("commit"))
    schema.upgrade(database)
    say("done")
