"""How commands end: every error has words, an exit status, and no traceback unless it is a fault of maild."""

import click
import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from maild.cli import failures
from maild.cli.failures import Failure
from maild.store.engine import AlreadyRunning, DatabaseBusyError
from maild.store.schema import SchemaError
from maild.templates import BrokenTemplatesError

DENIED = PermissionError(13, "Permission denied", "/var/lib/maild/maild.db.write-lock")


def of_database(kind: type[DatabaseError], said: str) -> DatabaseError:
    return kind("SELECT secret", None, Exception(said))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Failure("there is no ticket 7"), 1, "there is no ticket 7"),
        (Failure("cannot be read", failures.NO_INPUT), 66, "cannot be read"),
        (DENIED, 77, "maild.db.write-lock: permission denied; run it as the user of the daemon"),
        (OSError(28, "No space left on device", "/var/lib/maild"), 74, "/var/lib/maild: No space left on device"),
        (AlreadyRunning("another maild serves it (pid 7)"), 75, "pid 7"),
        (SchemaError("run: maild db upgrade"), 78, "maild db upgrade"),
        (BrokenTemplatesError(["a.txt:1: wrong", "b.txt:2: wrong"]), 78, "b.txt:2: wrong"),
        (of_database(DatabaseBusyError, "x.db"), 75, "try again"),
        (of_database(OperationalError, "database is locked"), 75, "try again"),
        (of_database(OperationalError, "attempt to write a readonly database"), 77, "user of the daemon"),
        (of_database(OperationalError, "unable to open database file"), 77, "user of the daemon"),
        (of_database(OperationalError, "database or disk is full"), 74, "cannot be written"),
        (of_database(DatabaseError, "database disk image is malformed"), 74, "is damaged"),
        (of_database(OperationalError, "connection refused"), 69, "is its server running?"),
        (click.UsageError("wrong"), 2, "wrong"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_error_is_a_sentence_and_an_exit_status(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = failures.explain(error)
    said = capsys.readouterr()

    assert ended == status
    assert words in said.err
    assert "Traceback" not in said.err
    assert "secret" not in said.err
    assert said.out == ""


def test_a_fault_of_maild_itself_is_shown_with_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("never")
    except ZeroDivisionError as error:
        ended = failures.explain(error)
    said = capsys.readouterr().err

    assert ended == 70
    assert said.startswith("this is a fault of maild itself")
    assert "ZeroDivisionError: never" in said


@pytest.mark.parametrize(("code", "status"), [(0, 0), (3, 3), ("words", 1)])
def test_a_plain_exit_keeps_its_status(code: object, status: int) -> None:
    assert failures.explain(SystemExit(code)) == status
