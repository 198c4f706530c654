"""How a command ends: one table of exit statuses (sysexits.h), and the words for what went wrong.

    0   done                             70  a fault of maild itself
    1   failed or refused, see the words 74  a file or the database cannot be read or written
    2   called wrongly                   75  busy, try again (another process holds the database)
    66  a file cannot be read            77  no permission
    69  a server cannot be reached       78  configuration, templates or schema are not right

Every error says what happened, where, and what to do next, on standard error.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from maild.cli import output

OK: Final = 0
FAILED: Final = 1
NO_INPUT: Final = 66
UNAVAILABLE: Final = 69
SOFTWARE: Final = 70
IO_ERROR: Final = 74
TRY_AGAIN: Final = 75
NO_PERMISSION: Final = 77
CONFIGURATION: Final = 78
INTERRUPTED: Final = 130  # what shells say of a program that Ctrl-C ended


class Failure(Exception):  # noqa: N818 - its name is what the user reads about
    """A command cannot do what it was asked for; the text is for the user."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


def tell_outcomes(noun: str, verb: str, results: Sequence[Mapping[str, Any]], field: str, *, as_json: bool) -> int:
    """Print what became of each that was to be changed; return the exit status: FAILED if any refused."""
    if as_json:
        output.envelope(f"{noun}-{verb}", results)
    for each in results:
        if each["refused"]:
            output.say(f"{noun} {each['id']}: {each['refused']}")
        elif not as_json:
            output.line(output.printable(f"{noun} {each['id']}: {each['before']} -> {each[field]}"))
    return FAILED if any(each["refused"] for each in results) else OK


def explain(error: BaseException) -> int:
    """Tell the user what `error` means; return the exit status."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else FAILED
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            output.say("interrupted")
            return INTERRUPTED
        case Failure():
            output.say(str(error))
            return error.status
        case _:
            return _of_the_rooms_below(error)


def _of_the_rooms_below(error: BaseException) -> int:
    known = _known(error)
    if known is not None:
        text, status = known
        output.say(text)
        return status
    output.say("this is a fault of maild itself; please report it with the lines below")
    traceback.print_exception(error, file=sys.stderr)
    return SOFTWARE


def _known(error: BaseException) -> tuple[str, int] | None:
    """Return words and status of errors of the rooms below, whose modules are only there if they were used."""
    if _is(error, "maild.config", "ConfigError"):
        return error.render(), CONFIGURATION  # type: ignore[attr-defined]  # it is a ConfigError
    if _is(error, "maild.store.schema", "SchemaError"):
        return str(error), CONFIGURATION
    if _is(error, "maild.store.engine", "AlreadyRunning"):
        return str(error), TRY_AGAIN
    if _is(error, "maild.templates", "BrokenTemplatesError"):
        return str(error), CONFIGURATION
    if _is(error, "sqlalchemy.exc", "DBAPIError"):
        return _of_database(error)
    if isinstance(error, PermissionError):
        return f"{_file(error)}: permission denied; run it as the user of the daemon{_as_daemon()}", NO_PERMISSION
    if isinstance(error, OSError):
        return f"{_file(error)}: {error.strerror or error}", IO_ERROR
    return None


def _is(error: BaseException, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)


def _file(error: OSError) -> str:
    return output.printable(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else "maild"


def _as_daemon() -> str:
    return f": sudo -u maild maild {sys.argv[1]} ..." if len(sys.argv) > 1 and sys.argv[0].endswith("maild") else ""


def _of_database(error: Any) -> tuple[str, int] | None:
    """Return words and status of what a database said (`sqlalchemy.exc.DBAPIError`)."""
    said = " ".join(str(error.orig).split())
    if _is(error, "maild.store.engine", "DatabaseBusyError") or "database is locked" in said:
        return "another process keeps the database locked for writing; try again in a moment", TRY_AGAIN
    if "readonly database" in said or "unable to open" in said or "permission denied" in said:
        return f"the database: {said}; run it as the user of the daemon{_as_daemon()}", NO_PERMISSION
    if "malformed" in said or "not a database" in said:
        return f"the database is damaged ({said}); stop the daemon, then: maild db check, or restore a backup", IO_ERROR
    if "disk" in said:
        return f"the database cannot be written: {said}", IO_ERROR
    if error.connection_invalidated or _is(error, "sqlalchemy.exc", "OperationalError"):
        return f"the database cannot be reached: {said}; is its server running?", UNAVAILABLE
    return None
