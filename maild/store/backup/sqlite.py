"""Backups of SQLite: a copy of the pages, by SQLite's own backup interface.

The reading connection holds one transaction over the whole copy: it is a single moment, and writers go on beside it
(with the journal DELETE, where files cannot be locked, they wait until the copy is made). It can neither write nor
checkpoint, so the rule of one writer (`maild.store.engine`) stands.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from maild.store import engine, schema
from maild.store.backup import files
from maild.store.backup.trouble import BackupError, NotEmptyError, UnusableError
from maild.store.engine import AlreadyRunning, Database, DatabaseBusyError
from maild.store.locks import FileLock

_STEP_PAGES: Final = 4096  # 16 MiB, between two words about progress
_LOGS: Final = ("-wal", "-shm", "-journal")
_KEPT: Final = ("mail", "ticket", "person")  # a database with a row in one of these is somebody's


def dump(database: Database, part: Path, progress: Callable[[float], None]) -> dict[str, int]:
    """Write a copy of `database` into the file `part`; return the rows of each table in it.

    Raises:
        BackupError: what was written is not what was read, or it could not be written.
    """
    with database.read() as connection:
        source: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # of SQLite
        rows = _counted(source)  # the first question begins the transaction, and so chooses the moment
        try:
            with closing(sqlite3.connect(part)) as target:
                target.execute("PRAGMA synchronous=OFF")  # the caller syncs once, when all is written
                source.backup(target, pages=_STEP_PAGES, progress=lambda _, left, all_: progress(1 - left / all_))
                target.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the journal of the original
        except sqlite3.Error as error:
            raise BackupError(f"{part.parent}: the backup cannot be written: {error}") from error
    found, _ = examine(part)
    if found != rows:
        raise BackupError(f"the backup is not what the database was: {files.difference(rows, found)}; nothing was kept")
    return rows


def load(path: Path, backup: Path, at: datetime, *, force: bool) -> tuple[str | None, dict[str, int], Path | None]:
    """Put `backup` into the place of the database `path`.

    Return the schema that it had, the rows of each table, and where the database lies that was there before.

    Raises:
        AlreadyRunning, DatabaseBusyError: another process uses it.
        NotEmptyError, UnusableError, SchemaError: see `maild.store.backup.restore`.
    """
    with _alone(path):
        rows, revision = examine(backup)
        if not force and (why := _in_use(path)):
            raise NotEmptyError(f"{path}: {why}; to give it up for the backup use --force")
        owner = (path if path.exists() else path.parent).stat()
        folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.restore-", dir=path.parent))
        try:
            made = folder / path.name
            _upgraded_copy(backup, made)
            if os.geteuid() == 0:
                os.chown(made, owner.st_uid, owner.st_gid)
            kept = _put_aside(path, at)
            made.replace(path)
            files.sync(path.parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return revision, rows, kept


def examine(path: Path) -> tuple[dict[str, int], str | None]:
    """Return the rows of each table of a backup, and its schema, once SQLite has looked through all of it.

    Raises:
        UnusableError: it is damaged, or no database of maild.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as opened:
            found = [row[0] for row in opened.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise UnusableError(f"{path} is damaged: {'; '.join(found)}")
            rows = _counted(opened)
            if "alembic_version" not in rows:
                raise UnusableError(f"{path} is no database of maild")
            version = opened.execute("SELECT version_num FROM alembic_version").fetchone()
            return rows, version[0] if version else None
    except sqlite3.Error as error:
        raise UnusableError(f"{path} is no whole backup of an SQLite database: {error}") from error


def _counted(connection: sqlite3.Connection) -> dict[str, int]:
    asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    tables = [row[0] for row in connection.execute(asked)]
    return {
        each: connection.execute(f'SELECT count(*) FROM "{each}"').fetchone()[0]  # noqa: S608 - names of its tables
        for each in tables
    }


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep daemons and writers off a database, both locks of `maild.store.engine` in their order."""
    daemon, writer = (FileLock(path.with_name(path.name + end)) for end in (".lock", ".write-lock"))
    try:
        if not daemon.try_acquire(shared_note="maild db restore"):
            raise AlreadyRunning(f"a maild serves {path} ({daemon.note() or 'unknown process'}); stop it first")
        if not writer.acquire(engine.LOCK_WAIT_S):
            raise DatabaseBusyError("the database is being written to", None, Exception(str(path)))
        yield
    finally:
        writer.close()
        daemon.close()


def _in_use(path: Path) -> str | None:
    """Return what would be lost with a database, None if nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with closing(sqlite3.connect(path)) as opened:
            rows = _counted(opened)
    except sqlite3.Error as error:
        return f"it cannot be read ({error})"
    foreign = "" if not rows or "alembic_version" in rows else "tables of another program"
    kept = ", ".join(f"{rows[each]} in {each}" for each in _KEPT if rows.get(each))
    return f"the database is not empty ({foreign or kept})" if foreign or kept else None


def _upgraded_copy(backup: Path, made: Path) -> None:
    """Write the backup to `made`, bring it to the schema of today, sync it."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(backup.absolute()))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(made)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise BackupError(f"{made.parent.parent}: the database cannot be written: {error}") from error
    made.chmod(0o600)
    with Database(f"sqlite:///{made}") as database:
        schema.upgrade(database)
    examine(made)
    with closing(sqlite3.connect(made)) as folded:
        folded.execute("PRAGMA journal_mode=DELETE")  # no log beside it when it gets its name; the daemon sets its own
    files.sync(made)


def _put_aside(path: Path, at: datetime) -> Path | None:
    """Give the present database a second name, with its log folded in, and leave no log that the next could take up.

    A log that lies beside a database which it does not belong to destroys that one.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    names = (path.with_name(f"{path.name}.before-{at:%Y%m%dT%H%M%SZ}{end}") for end in ("", "-2", "-3", "-4"))
    kept = next((each for each in names if not each.exists()), None)
    if kept is None:
        raise BackupError(f"{path}: restored four times in a second")
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as opened:  # a damaged one is kept with its logs
        opened.execute("PRAGMA journal_mode=DELETE")
    try:
        os.link(path, kept)
    except OSError:  # a file system without second names: for a moment there is no database
        path.replace(kept)
    for end in _LOGS:
        log = path.with_name(path.name + end)
        if log.exists():
            log.replace(kept.with_name(kept.name + end))
    return kept
