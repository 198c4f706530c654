"""A whole database in one file, and back; while a daemon serves it the first, never the second.

A backup is one moment of the database. It is written beside its final name, read back and counted, synced, and only
then given that name: a file of that name is a whole backup, whenever the power goes. It holds the signing keys and
every mail, so only its owner can read it.

    SQLite      a database file of its own     `sqlite`, through a connection that cannot write
    PostgreSQL  an archive of pg_dump          `postgresql`, through the server's own programs

A restored database is brought to the schema of today. It knows nothing of what happened after its backup: what was
queued then leaves again, under the same Message-IDs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from maild.store import schema
from maild.store.backup import files, postgresql, sqlite
from maild.store.backup.trouble import BackupError, NotEmptyError, UnusableError
from maild.store.engine import Database
from maild.store.models import DeliveryRow, DeliveryState

__all__ = ["BackupError", "Copy", "NotEmptyError", "Restored", "UnusableError", "back_up", "restore"]

Progress = Callable[[float], None]  # is told the share that is done, 0 to 1
SUFFIX: Final = {True: "db", False: "dump"}  # whether it is SQLite's


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup that was made, and found whole."""

    path: Path
    size_bytes: int
    schema: str | None
    rows: Mapping[str, int]  # by table, in the file


@dataclass(frozen=True, slots=True)
class Restored:
    """A database that was restored."""

    before: str | None  # schema of the backup
    schema: str  # and after it was upgraded
    rows: Mapping[str, int]
    queued: int  # deliveries that leave when a daemon starts
    kept: Path | None  # where the database lies that was there before


def back_up(database: Database, path: Path, progress: Progress, *, replace: bool = False) -> Copy:
    """Write a backup of `database` to `path`; on return it has survived a power cut, and was read back.

    Raises:
        NotEmptyError: there is such a file, and it is not to be replaced.
        BackupError: it cannot be made, or what was written is not what was read.
    """
    if not replace and path.exists():
        raise NotEmptyError(f"{path} is there already; name another file, or replace it with --force")
    with files.beside(path) as part:
        rows = sqlite.dump(database, part, progress) if database.is_sqlite else postgresql.dump(database, part)
        files.sync(part)
        size_bytes = part.stat().st_size
        part.replace(path)
        files.sync(path.parent)
    return Copy(path, size_bytes, schema.revisions(database).have, rows)


def restore(database: Database, path: Path, at: datetime, *, force: bool = False) -> Restored:
    """Put the backup `path` into the place of `database`, and bring it to the schema of today.

    No connection to `database` may be open. All that can fail is done before the present database is touched. `force`
    gives up a database with mails in it; on SQLite it is kept beside the new one.

    Raises:
        AlreadyRunning: a daemon serves it, or somebody is connected to it.
        NotEmptyError: there are mails in it.
        UnusableError: the file is no whole backup for this kind of database.
        SchemaError: a newer maild wrote it.
        BackupError: a program that is needed is missing, or failed.
    """
    if not path.is_file():
        raise UnusableError(f"{path}: there is no such file")
    kept = None
    if database.is_sqlite:
        before, rows, kept = sqlite.load(database.path, path, at, force=force)
    else:
        before, rows = postgresql.load(database, path, force=force)
        schema.upgrade(database)
    with database.read() as connection:
        waits = select(func.count()).where(DeliveryRow.state == DeliveryState.QUEUED)
        queued = connection.scalar(waits) or 0
    return Restored(before, schema.revisions(database).need, rows, queued, kept)
