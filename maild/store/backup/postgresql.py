"""Backups of PostgreSQL: an archive of pg_dump in its custom format, read back row by row.

The archive is of the very moment at which the rows were counted: pg_dump takes over the snapshot of our transaction.
Restoring is one transaction of psql: whatever fails in it, the database is as it was.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, func, inspect, select, table, text

from maild.store import engine, schema
from maild.store.backup import files
from maild.store.backup.trouble import BackupError, NotEmptyError, UnusableError
from maild.store.engine import AlreadyRunning, Database
from maild.store.models import Base

_COPY: Final = re.compile(rb'COPY (?:"?\w+"?\.)?"?(\w+)"? \(')
_KEPT: Final = ("mail", "ticket", "person")  # as in `sqlite`
_MAGIC: Final = b"PGDMP"
_OTHERS: Final = text(
    "SELECT pid, usename, application_name FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY pid"
)


def dump(database: Database, part: Path) -> dict[str, int]:
    """Write an archive of `database` into the file `part`; return the rows of each table in it.

    Raises:
        BackupError: pg_dump is missing or failed, or what was written is not what was read.
    """
    program = _program("pg_dump", f"pg_dump --format=custom --file=FILE {shlex.quote(_address(database))}")
    with database.read() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # it waits for pg_dump
        rows = _counted(connection)
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        command = [program, "--format=custom", f"--snapshot={snapshot}", f"--file={part}", "--no-password"]
        command += [f"--lock-wait-timeout={int(engine.LOCK_WAIT_S * 1000)}", _address(database)]
        _run(command, _environment(database))
    found, _ = examine(part)
    if found != rows:
        raise BackupError(f"the backup is not what the database was: {files.difference(rows, found)}; nothing was kept")
    return rows


def load(database: Database, backup: Path, *, force: bool) -> tuple[str | None, dict[str, int]]:
    """Put `backup` into the place of what is in `database`; return the schema that it had and the rows of each table.

    Raises:
        AlreadyRunning: somebody is connected to the database.
        NotEmptyError, UnusableError, BackupError: see `maild.store.backup.restore`.
    """
    by_hand = f"pg_restore --clean --if-exists --single-transaction --dbname={shlex.quote(_address(database))} FILE"
    psql = _program("psql", by_hand)
    rows, revision = examine(backup)
    schema.refuse_newer(revision)
    with database.read() as connection:
        others = connection.execute(_OTHERS).all()
        if others:
            who = ", ".join(f"{each.usename} (pid {each.pid}) {each.application_name}".strip() for each in others)
            raise AlreadyRunning(f"others are connected to the database, perhaps a maild: {who}; stop them first")
        present = _counted(connection)
    in_use = ", ".join(f"{present[each]} in {each}" for each in _KEPT if present.get(each))
    if in_use and not force:
        raise NotEmptyError(f"the database is not empty ({in_use}); to give it up for the backup use --force")
    _replay(database, psql, backup)
    with database.read() as connection:
        found = _counted(connection)
    lacking = {each: found.get(each, 0) for each in rows}
    if lacking != rows:
        raise BackupError(f"the database is not what the backup is: {files.difference(rows, lacking)}")
    return revision, rows


def examine(archive: Path) -> tuple[dict[str, int], str | None]:
    """Return the rows of each table of an archive, all of which is read, and its schema.

    Raises:
        UnusableError: it is damaged, or no archive of a database of maild.
        BackupError: pg_restore is missing.
    """
    with archive.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UnusableError(f"{archive} is no archive of pg_dump in its custom format")
    program = _program("pg_restore", f"pg_restore --list {shlex.quote(str(archive))}")
    with tempfile.TemporaryFile() as errors:
        command = [program, "--data-only", "--file=-", str(archive)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as reading:  # noqa: S603 - a program of PostgreSQL
            if reading.stdout is None:
                raise BackupError("pg_restore gave no output to read")
            rows, revision = _read(reading.stdout)
        if reading.returncode != 0:
            raise UnusableError(f"{archive} is damaged: {_words(errors)}")
    if "alembic_version" not in rows:
        raise UnusableError(f"{archive} is no backup of a database of maild")
    return rows, revision


def _read(script: IO[bytes]) -> tuple[dict[str, int], str | None]:
    """Count the rows in a script of COPY statements; each is one line, since text is escaped."""
    rows: dict[str, int] = {}
    filling, revision = None, None
    for line in script:
        if filling is None:
            if begins := _COPY.match(line):
                filling = begins[1].decode()
                rows[filling] = 0
        elif line == b"\\.\n":
            filling = None
        else:
            rows[filling] += 1
            if filling == "alembic_version":
                revision = line.decode().strip()
    return rows, revision


def _replay(database: Database, psql: str, archive: Path) -> None:
    """Drop what is there and run the archive's script, in one transaction, which is committed only if all was read."""
    pg_restore = _program("pg_restore", "pg_restore --help")
    wait_ms = int(engine.LOCK_WAIT_S * 1000)
    ours = ", ".join(f'"{each}"' for each in (*Base.metadata.tables, "alembic_version"))
    script = [pg_restore, "--clean", "--if-exists", "--no-owner", "--no-privileges", "--file=-", str(archive)]
    run = [psql, "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        with (
            subprocess.Popen(script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as reading,  # noqa: S603 - programs of PostgreSQL
            subprocess.Popen(  # noqa: S603 - as above
                [*run, _address(database)], stdin=subprocess.PIPE, stderr=errors, env=_environment(database)
            ) as writing,
        ):
            if reading.stdout is None or writing.stdin is None:
                raise BackupError("the programs of PostgreSQL cannot be connected to each other")
            try:
                writing.stdin.write(
                    f"BEGIN;\nSET LOCAL lock_timeout = {wait_ms};\nDROP TABLE IF EXISTS {ours} CASCADE;\n".encode()
                )
                shutil.copyfileobj(reading.stdout, writing.stdin)
                if reading.wait() == 0:  # else psql comes to the end of its input, and rolls back
                    writing.stdin.write(b"COMMIT;\nANALYZE;\n")
                writing.stdin.close()
            except BrokenPipeError:
                reading.kill()  # psql has ended, and said why
        if writing.returncode != 0 or reading.returncode != 0:
            raise BackupError(f"the database was not restored, and is as it was: {_words(errors) or _words(said)}")


def _counted(connection: Connection) -> dict[str, int]:
    tables = sorted(inspect(connection).get_table_names())
    return {each: connection.scalar(select(func.count()).select_from(table(each))) or 0 for each in tables}


def _program(name: str, instead: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not installed here (Debian: apt-get install postgresql-client); install it, or run where it is:"
            f"\n{instead}"
        )
    return found


def _address(database: Database) -> str:
    """Return how libpq is told of the database, without a password: other users see the words of a command."""
    return database.url.set(drivername="postgresql", password=None).render_as_string()


def _environment(database: Database) -> dict[str, str]:
    password = database.url.password
    environment = {**os.environ, "PGCONNECT_TIMEOUT": str(int(engine.LOCK_WAIT_S))}
    return {**environment, "PGPASSWORD": str(password)} if password else environment


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL
        command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
    )
    if done.returncode != 0:
        words = " ".join(done.stderr.decode(errors="replace").split())
        raise BackupError(f"{Path(command[0]).name} failed: {words[-600:]}")


def _words(errors: IO[bytes]) -> str:
    errors.seek(0)
    return " ".join(errors.read().decode(errors="replace").split())[:600]
