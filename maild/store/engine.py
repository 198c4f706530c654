"""How the database is reached: `Database(url).read()` and `.write()` give connections, each one transaction.

SQLite. Writers begin IMMEDIATE (a deferred writer loses updates or fails), readers begin plainly on connections of
their own that may only read. All writing of a process goes through one connection, and across processes only one
writes or checkpoints at a time, kept apart by a lock file: so that write-ahead logging is safe with every SQLite
library, also those whose WAL-reset fault loses committed transactions when two connections write or checkpoint at
the same instant (3.7.0 to 3.51.2, fixed in 3.51.3, 3.50.7 and 3.44.6). `synchronous=FULL`: a commit that returned
has survived a power cut. Where the lock cannot be had (a file system without locks) the journal is
`DELETE` with `synchronous=EXTRA`, slower and safe by itself. `Journal.reason` tells which is in force and why.

PostgreSQL. Ordinary transactions, READ COMMITTED; `synchronous_commit` is never off. Nobody waits longer than
`LOCK_WAIT_S` for a row that another node has locked.
"""

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import structlog
from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from maild.store.locks import WRITE_LOCKS, FairLock, FileLock, Turn

log = structlog.get_logger("maild.store")

LOCK_WAIT_S: Final = 5.0  # how long a writer waits for another; then the sender of a mail hears 451
MIGRATION_WAIT_S: Final = 120.0  # another process may be migrating
IDLE_TRANSACTION_S: Final = 60.0  # PostgreSQL ends a transaction in which a node does nothing for so long
READERS: Final = 6
CHANNEL: Final = "maild"  # on which commands tell the daemons that something was written: `store.neighbours`


class DatabaseBusyError(OperationalError):
    """Another process holds the database for writing, too long to wait for it."""


class AlreadyRunning(Exception):  # noqa: N818 - a state, not a fault
    """Another daemon serves this database; the text names its process."""


@dataclass(frozen=True, slots=True)
class Journal:
    """How a SQLite file survives a power cut, and why so."""

    mode: str  # "WAL" or "DELETE"
    synchronous: str  # "FULL" or "EXTRA"
    reason: str


def wal_reset_fixed(version: tuple[int, ...]) -> bool:
    """Return whether a SQLite library of `version` is free of the WAL-reset fault."""
    if version >= (3, 51, 3):
        return True
    return (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def journal_for(version: tuple[int, ...], *, lockable: bool) -> Journal:
    """Return the journal that is safe with a SQLite library of `version`."""
    name = ".".join(map(str, version))
    if wal_reset_fixed(version):
        return Journal("WAL", "FULL", f"SQLite {name} has the fix of the WAL-reset fault")
    if lockable:
        return Journal(
            "WAL",
            "FULL",
            f"SQLite {name} lacks the fix of the WAL-reset fault; a lock file lets one process write at a time",
        )
    return Journal(
        "DELETE", "EXTRA", f"SQLite {name} lacks the fix of the WAL-reset fault, and files cannot be locked here"
    )


class Database:
    """A database and the two ways into it."""

    def __init__(self, url: str, *, calls: bool = False) -> None:
        """Reach the database at `url`; `calls` says that daemons beside us are to look at what is written."""
        self._calls: Final = calls
        self.url: Final[URL] = make_url(url if "://" in url else f"sqlite:///{url}")
        self.is_sqlite: Final = self.url.get_backend_name() == "sqlite"
        self.journal: Journal | None = None
        self.writes = 0  # transactions of this process that wrote, or tried to
        self._turn: Final = Turn(self._let_others_write)
        self._write_lock: FairLock | None = None
        self._daemon_lock: FileLock | None = None
        if self.is_sqlite:
            self._writer, self._reader = self._open_sqlite()
        else:
            self._writer = self._reader = self._open_server()

    @property
    def dialect(self) -> Dialect:
        """What statements and values are made for."""
        return self._writer.dialect

    @property
    def path(self) -> Path:
        """The file of a SQLite database, by its true name: links lead to one file, which is to have one lock."""
        if not self.url.database:
            raise ValueError("an SQLite database needs a file: sqlite:////var/lib/maild/maild.db")
        return Path(self.url.database).resolve()

    def _open_sqlite(self) -> tuple[Engine, Engine]:
        path = self.path
        self._write_lock = _lock_beside(path)
        self.journal = journal_for(sqlite3.sqlite_version_info, lockable=self._write_lock is not None)
        writer = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=1,  # one connection alone writes and checkpoints
            max_overflow=0,
            connect_args={"check_same_thread": False, "timeout": LOCK_WAIT_S, "cached_statements": 512},
        )
        reader = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=2 * READERS,
            pool_timeout=2 * LOCK_WAIT_S,
            connect_args={"check_same_thread": False, "timeout": LOCK_WAIT_S},
        )
        _prepare_sqlite(writer, self.journal, begin="BEGIN IMMEDIATE")
        _prepare_sqlite(reader, None, begin="BEGIN")
        return writer, reader

    def _open_server(self) -> Engine:
        url = self.url
        if url.get_backend_name() == "postgresql" and url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")  # both SQLAlchemy 2.0 and 2.1
        connect_args = {} if "connect_timeout" in url.query else {"connect_timeout": max(2, int(LOCK_WAIT_S))}
        server = create_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_timeout=2 * LOCK_WAIT_S,
            pool_pre_ping=True,
            connect_args=connect_args,
        )
        event.listen(server, "connect", _prepare_server)
        return server

    @contextmanager
    def write(self, *, urgent: bool = False, synced: bool = True) -> Iterator[Connection]:
        """Give a connection inside one writing transaction; on a clean end it is committed and synced.

        On SQLite, where writers wait for each other, one that is `urgent` is next. What is not `synced` survives the
        death of every process all the same; a power cut may take it back, unless a synced commit came after it.

        Raises:
            sqlalchemy.exc.OperationalError: the database is away, full or busy; nothing was written.
        """
        self.writes += 1
        with self._alone(LOCK_WAIT_S, urgent=urgent) as connection:
            lax = not synced and self.journal is not None and self.journal.mode == "WAL"  # else it could be damaged
            if lax:
                _pragma(connection, "synchronous=NORMAL")
            try:
                with connection.begin():
                    yield connection
                    if self._calls and not self.is_sqlite:
                        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")  # heard when this is committed
            finally:
                if lax:
                    _pragma(connection, "synchronous=FULL")

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """Give a connection as `write` does, on SQLite without enforcing foreign keys (a pragma, so before BEGIN)."""
        with self._alone(MIGRATION_WAIT_S) as connection:
            if not self.is_sqlite:
                with connection.begin():
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(MIGRATION_WAIT_S * 1000)}")
                    yield connection
                return
            _pragma(connection, "foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
            finally:
                _pragma(connection, "foreign_keys=ON")

    @contextmanager
    def _alone(self, wait_s: float, *, urgent: bool = False) -> Iterator[Connection]:
        """Give the connection that writes, on SQLite when nobody else does, in this process or in another.

        Whoever waits does so for `wait_s` seconds in all, however many wait before him.
        """
        if not self.is_sqlite:
            with self._writer.connect() as connection:
                yield connection
            return
        deadline = time.monotonic() + wait_s
        with self._turn.taken(wait_s, urgent=urgent) as ours:
            # The lock comes before the connection: opening one may set the journal mode or recover the log.
            if not ours or not self._lock_file(deadline - time.monotonic()):
                raise DatabaseBusyError("the database is being written to", None, Exception(str(self.path)))
            with self._writer.connect() as connection:
                left_s = max(0.0, deadline - time.monotonic())  # for programs that know nothing of our lock
                _pragma(connection, f"busy_timeout={int(left_s * 1000)}")
                yield connection

    def _lock_file(self, wait_s: float) -> bool:
        return self._write_lock is None or self._write_lock.acquire(wait_s)

    def _let_others_write(self) -> None:
        if self._write_lock is not None:
            self._write_lock.release()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection inside one reading transaction: a single moment of the database."""
        with self._reader.connect() as connection, connection.begin():
            yield connection

    def aside(self) -> Any:
        """Return a connection of the driver's that is in no transaction and belongs to whoever asked for it."""
        connection = self._reader.raw_connection()
        connection.detach()
        dbapi: Any = connection.dbapi_connection
        if not self.is_sqlite:
            dbapi.autocommit = True
        return dbapi

    def claim_for_daemon(self, note: str) -> None:
        """Keep a second daemon off a SQLite file for as long as this process lives; servers welcome several.

        Raises:
            AlreadyRunning: another daemon serves the file.
        """
        if not self.is_sqlite:
            return
        lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        if not lock.try_acquire(shared_note=note):
            lock.close()
            raise AlreadyRunning(f"another maild serves {self.path} ({lock.note() or 'unknown process'})")
        self._daemon_lock = lock
        if self.path.exists() and self.path.stat().st_nlink > 1:
            log.warning("the file of the database has a second name", path=str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The last one folds the write-ahead log in, so the lock is held meanwhile."""
        with self._turn.taken(LOCK_WAIT_S) as ours:
            locked = ours and self._lock_file(LOCK_WAIT_S)
            self._reader.dispose()
            self._writer.dispose()
            if locked and self._write_lock is not None:
                self._write_lock.close()
        if self._daemon_lock is not None:
            self._daemon_lock.close()
            self._daemon_lock = None


def _lock_beside(path: Path) -> FairLock | None:
    """Return the lock that keeps writing processes apart, None where the file system has no locks."""
    lock = FairLock(*(path.with_name(path.name + end) for end in WRITE_LOCKS))
    try:
        lock.probe()
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        return None
    return lock


def _pragma(connection: Connection, setting: str) -> None:
    """Set what SQLite must be told outside of transactions."""
    dbapi: Any = connection.connection.dbapi_connection
    dbapi.execute(f"PRAGMA {setting}")


def _prepare_server(dbapi: Any, _record: Any) -> None:
    """Set what each session of PostgreSQL needs: a commit that is durable, and nobody who waits for ever."""
    with dbapi.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, false),"
            # a node that is cut off in the midst of a transaction must not keep its rows for hours
            " set_config('idle_in_transaction_session_timeout', %s, false),"
            " CASE WHEN current_setting('synchronous_commit') = 'off'"
            " THEN set_config('synchronous_commit', 'on', false) END",
            (str(int(LOCK_WAIT_S * 1000)), str(int(IDLE_TRANSACTION_S * 1000))),
        )
    dbapi.commit()


def _prepare_sqlite(engine: Engine, journal: Journal | None, *, begin: str) -> None:
    """Make SQLAlchemy say BEGIN itself, and set what each connection needs; without `journal` it may only read."""

    @event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        if journal is None:
            cursor.execute("PRAGMA query_only=ON")
            cursor.execute("PRAGMA wal_autocheckpoint=0")  # only the writer checkpoints
        else:
            cursor.execute(f"PRAGMA journal_mode={journal.mode}")
            cursor.execute(f"PRAGMA synchronous={journal.synchronous}")
            cursor.execute("PRAGMA cache_size=-16384")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
