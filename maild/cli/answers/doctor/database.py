"""Checks of the database: that it is there, whole, of this version, safe in a power cut, and has room."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from maild.cli.access import database_of, shown_url, sqlite_file
from maild.cli.answers import soundness
from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.cli.failures import Failure
from maild.store import schema
from maild.store.engine import AlreadyRunning, wal_reset_fixed
from maild.store.models import RawRow, SigningKeyRow
from maild.store.standing import is_served

LITTLE_BYTES: Final = 1 << 30
TOO_LITTLE_BYTES: Final = 100 << 20
LARGE_LOG_BYTES: Final = 256 << 20  # SQLite keeps it at 4 MiB unless a reader stays for long
OLDEST_SERVER: Final = 130_000  # PostgreSQL 13


def _there(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        yield unknown(f"{path} is not there yet: the daemon makes it when it starts", "start it, or: maild db upgrade")
        return
    try:
        with database_of(settings, any_schema=True) as database:
            schema.revisions(database)
    except (OSError, DBAPIError, Failure) as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        yield fault(f"{shown_url(settings)}: {said}")
    else:
        yield ok(shown_url(settings))


def _version(patient: Patient) -> Iterator[Finding]:
    store = patient.store
    if store.is_sqlite:
        yield _of_sqlite(sqlite3.sqlite_version_info, wal=store.journal is not None and store.journal.mode == "WAL")
        return
    with store.read() as connection:
        number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        name = connection.exec_driver_sql("SHOW server_version").scalar_one()
    if number < OLDEST_SERVER:
        yield warning(f"PostgreSQL {name} gets no more corrections", "upgrade to a version that does")
    else:
        yield ok(f"PostgreSQL {name}")


def _of_sqlite(version: tuple[int, ...], *, wal: bool) -> Finding:
    name = ".".join(map(str, version))
    if wal_reset_fixed(version):
        return ok(f"SQLite {name} has the fix of the WAL-reset fault")
    if wal:
        return ok(f"SQLite {name} lacks the fix of the WAL-reset fault; maild lets one process write at a time instead")
    return warning(
        f"SQLite {name} lacks the fix of the WAL-reset fault, and files cannot be locked here: "
        "slower, and commands wait for the daemon",
        "put the database on a local disk",
    )


def _schema(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        yield unknown(f"{path} is not there yet")
        return
    try:
        with database_of(settings, any_schema=True) as database:
            found = schema.revisions(database)
    except (OSError, DBAPIError, Failure):
        yield unknown("the database cannot be read (D12)")
        return
    if found.have == found.need:
        yield ok(f"schema {found.have}")
    elif found.have is not None and found.have > found.need:  # they are numbered
        yield fault(
            f"schema {found.have} was made by a newer maild; this one knows {found.need}", "install that version"
        )
    else:
        yield fault(f"schema {found.have or 'none'}, this version needs {found.need}")


def _upgrade(patient: Patient) -> Iterator[str]:
    with database_of(patient.desk, any_schema=True) as database:
        found = schema.revisions(database)
        if found.have is not None and found.have > found.need:
            return
        try:
            database.claim_for_daemon("maild doctor")
        except AlreadyRunning:
            return
        schema.upgrade(database)
        yield f"schema {found.have or 'none'} -> {found.need}"


def _sound(patient: Patient) -> Iterator[Finding]:
    found = list(soundness.faults(patient.store))
    yield from map(fault, found)
    if not found:
        yield ok("integrity, references, the bytes of every mail")


def _reindex(patient: Patient) -> Iterator[str]:
    """Make indexes anew, the one damage that loses nothing when it is mended."""
    store = patient.store
    if not store.is_sqlite or is_served(store):
        return
    about_indexes = ("missing from index", "in index", "wrong # of entries")
    if any(words in each for each in soundness.faults(store) for words in about_indexes):
        with store.write() as connection:
            connection.exec_driver_sql("REINDEX")
        yield "REINDEX"


def _power_cut(patient: Patient) -> Iterator[Finding]:
    store = patient.store
    if store.is_sqlite:
        journal = store.journal
        with store.read() as connection:
            mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()).upper()
        if journal is not None and mode == journal.mode:
            yield ok(f"journal {mode}, synchronous {journal.synchronous}: {journal.reason}")
        else:
            yield warning(f"journal {mode} until the daemon opens the file", "start the daemon")
        return
    with store.read() as connection:
        commit = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        fsync = connection.exec_driver_sql("SHOW fsync").scalar_one()
    if fsync != "on" or commit == "off":
        yield fault(f"fsync is {fsync}, synchronous_commit is {commit}: a power cut loses mail that was accepted")
    else:
        yield ok(f"fsync {fsync}, synchronous_commit {commit}")


def _keys(patient: Patient) -> Iterator[Finding]:
    with patient.store.read() as connection:
        rows = connection.execute(
            select(SigningKeyRow.id, SigningKeyRow.created_at).where(SigningKeyRow.retired_at.is_(None))
        ).all()
    if not rows:
        yield unknown("no signing key yet: the daemon makes one when it starts", "start the daemon")
        return
    newest = max(row.created_at for row in rows)
    if newest > patient.now + timedelta(minutes=10):
        yield fault("the signing key was made in the future: this clock, or the one that made it, is wrong", "see D41")
    else:
        yield ok(f"{len(rows)}, the newest of {newest:%Y-%m-%d}")


def _room(patient: Patient) -> Iterator[Finding]:
    path = sqlite_file(patient.desk)
    if path is None:
        yield unknown("PostgreSQL's disk is seen by its own server only", "watch it there")
        return
    folder = path.parent
    if not folder.is_dir():
        yield fault(f"there is no folder {folder}", f"install -d -m 700 -o maild -g maild {folder}")
        return
    free = shutil.disk_usage(folder).free
    size = path.stat().st_size if path.exists() else 0
    said = f"{_mib(free)} free in {folder}; the database has {_mib(size)}"
    if free < TOO_LITTLE_BYTES:
        yield fault(said)
    elif free < LITTLE_BYTES:
        yield warning(said)
    else:
        yield ok(said)


def _size(patient: Patient) -> Iterator[Finding]:
    store = patient.store
    with store.read() as connection:
        mails = connection.scalar(select(func.count(func.distinct(RawRow.mail_id)))) or 0
    if not store.is_sqlite:
        yield ok(f"{mails} mails")
        return
    log = store.path.with_name(store.path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LARGE_LOG_BYTES:
        yield warning(f"{log} has {_mib(size)}: something reads without end, so that it cannot be folded in")
    else:
        yield ok(f"{mails} mails, {_mib(store.path.stat().st_size)}; write-ahead log {_mib(size)}")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


_WANTS = (Need.CONFIGURATION,)
_WANTS_STORE = (Need.CONFIGURATION, Need.DATABASE)
CHECKS = (
    Check(
        "D12",
        Group.DATABASE,
        "The database can be reached",
        "It is all that maild remembers; without it senders hear `451` and try again.",
        "check `database` in [maild], and whether its server runs",
        _there,
        _WANTS,
    ),
    Check(
        "D13",
        Group.DATABASE,
        "Its schema is this version's",
        "The daemon migrates an older one when it starts; a newer one is refused.",
        "stop the daemon, then: maild db upgrade",
        _schema,
        _WANTS,
        _upgrade,
    ),
    Check(
        "D14",
        Group.DATABASE,
        "Its engine has no known fault",
        "SQLite from 3.7.0 to 3.51.2 may lose transactions when two connections write at the same instant.",
        "see what was found",
        _version,
        _WANTS_STORE,
    ),
    Check(
        "D15",
        Group.DATABASE,
        "It is sound",
        "Damage grows: what is read wrong today is written wrong tomorrow.",
        "stop the daemon and restore a backup: maild db restore FILE",
        _sound,
        _WANTS_STORE,
        _reindex,
        600.0,
    ),
    Check(
        "D16",
        Group.DATABASE,
        "What is accepted survives a power cut",
        "`250` promises the sender that his mail is on disk.",
        "set fsync and synchronous_commit to on in postgresql.conf",
        _power_cut,
        _WANTS_STORE,
    ),
    Check(
        "D17",
        Group.DATABASE,
        "There is a key that signs addresses",
        "Without it no answer finds its ticket.",
        "restore a backup that has it",
        _keys,
        _WANTS_STORE,
    ),
    Check(
        "D18",
        Group.DATABASE,
        "There is room on the disk",
        "A full disk means `451` to every sender, and nothing leaves.",
        "free some, or move the database: stop, copy, change `database` in [maild], start",
        _room,
        _WANTS,
    ),
    Check(
        "D19",
        Group.DATABASE,
        "Its write-ahead log is small",
        "A large one slows every look, and is read anew after a crash.",
        "end the program that reads the file for so long, then restart the daemon",
        _size,
        _WANTS_STORE,
    ),
)
