"""Store a mail once, durably. Left of here nothing is decided; from here on a mail cannot be lost.

`store` writes mails in the caller's transaction, a statement a table for all of them. The same mail again
(`message.identity`) is the same row: recipients that are new are added to it, and whatever was done with it stays done.
`GroupCommit` is how the services store: all mails that wait go into one transaction of one writer, and each is answered
after the commit. What a commit is worth, `store.engine` says.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final, NamedTuple

import structlog
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from maild.message.identity import Fingerprint
from maild.store.engine import Database
from maild.store.models import Direction, MailRow, MailState, RawRow

log = structlog.get_logger(__name__)

PIECE_BYTES: Final = 1 << 20  # of a row of `raw`
GROUP_MAILS: Final = 200
GROUP_BYTES: Final = 8 << 20  # reached by the last mail of a group
WAITING_MAILS: Final = 1_000
ONE_BY_ONE_S: Final = 5.0  # how long after its start a failed group may still be tried mail by mail


class QueueFullError(Exception):
    """More mails wait for the database than may; the sender is to try again later."""


class StoppedError(Exception):
    """The writer has been stopped; nothing is taken any more."""


class Spooled:
    """A mail too large for memory: what was put in front of it, and a file that holds the rest."""

    def __init__(self, file: BinaryIO, size_bytes: int, *, front: bytes = b"") -> None:
        self._file = file
        self._front = front
        self.size_bytes: Final = len(front) + size_bytes  # of the mail

    def pieces(self) -> Iterator[bytes]:
        """Give the mail's bytes, at most PIECE_BYTES at a time, from the beginning each time it is called."""
        self._file.seek(0)
        piece = self._front + self._file.read(PIECE_BYTES - len(self._front))
        while piece:
            yield piece
            piece = self._file.read(PIECE_BYTES)

    def close(self) -> None:
        """Close the file; done by `GroupCommit` once the mail is stored or refused."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail as it arrived."""

    envelope_from: str | None  # "" is the null sender, None is unknown
    recipients: tuple[str, ...]  # of the envelope
    source: str  # "smtp 192.0.2.1", "lmtp", "imap support"
    content: bytes | Spooled
    fingerprint: bytes | None = None  # None: reckoned when it is stored

    @property
    def size_bytes(self) -> int:
        """How long the mail is."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size_bytes

    def pieces(self) -> Iterator[bytes]:
        """Give the mail's bytes, at most PIECE_BYTES at a time."""
        if isinstance(self.content, Spooled):
            yield from self.content.pieces()
            return
        for start in range(0, len(self.content) or 1, PIECE_BYTES):  # an empty mail is one empty piece
            yield self.content[start : start + PIECE_BYTES]

    def close(self) -> None:
        """Close the mail's file, if it has one."""
        if isinstance(self.content, Spooled):
            self.content.close()

    def identity(self) -> bytes:
        """Return the mail's fingerprint."""
        if self.fingerprint is not None:
            return self.fingerprint
        reader = Fingerprint()
        for piece in self.pieces():
            reader.update(piece)
        return reader.digest()


class Stored(NamedTuple):
    """Where a mail is, and whether it had not been there before."""

    mail_id: int
    new: bool


_MAIL: Final[Any] = MailRow.__table__
_RAW: Final[Any] = RawRow.__table__
_INSERT_MAIL: Final = {
    kind: dialect(_MAIL)
    .on_conflict_do_nothing(index_elements=[_MAIL.c.fingerprint])
    .returning(_MAIL.c.id, _MAIL.c.fingerprint)
    for kind, dialect in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_INSERT_RAW: Final = insert(_RAW)
_ADD_RECIPIENTS: Final = update(_MAIL).where(_MAIL.c.id == bindparam("mail_id")).values(recipients=bindparam("grown"))


def store(connection: Connection, mails: Sequence[Incoming], now: datetime) -> list[Stored]:
    """Write `mails` and return where each is, in their order; durable once the caller's transaction is committed."""
    prints = [mail.identity() for mail in mails]
    first: dict[bytes, Incoming] = {}
    recipients: dict[bytes, dict[str, None]] = {}  # in their order, each once
    for fingerprint, mail in zip(prints, mails, strict=True):
        first.setdefault(fingerprint, mail)
        recipients.setdefault(fingerprint, {}).update(dict.fromkeys(map(_storable, mail.recipients)))
    if not first:
        return []
    rows = [_row(mail, fingerprint, list(recipients[fingerprint]), now) for fingerprint, mail in first.items()]
    inserted = connection.execute(_INSERT_MAIL[connection.dialect.name], rows).all()
    ids = {bytes(fingerprint): mail_id for mail_id, fingerprint in inserted}
    unanswered = set(ids)
    _store_raw(connection, ((mail_id, first[fingerprint]) for fingerprint, mail_id in ids.items()))
    if len(ids) < len(first):
        ids |= _grow(connection, {known: recipients[known] for known in first if known not in ids})
    stored = []
    for fingerprint in prints:
        stored.append(Stored(ids[fingerprint], fingerprint in unanswered))
        unanswered.discard(fingerprint)
    return stored


def _row(mail: Incoming, fingerprint: bytes, recipients: list[str], now: datetime) -> dict[str, Any]:
    return {
        "direction": Direction.IN,
        "state": MailState.STORED,
        "fingerprint": fingerprint,
        "stored_at": now,
        "due_at": now,
        "source": mail.source[:80],
        "envelope_from": None if mail.envelope_from is None else _storable(mail.envelope_from),
        "recipients": recipients,
        "size_bytes": mail.size_bytes,
    }


def _storable(address: str) -> str:
    """Return `address` as both databases can keep it: a column's length, no NUL, nothing that is not Unicode."""
    return address[:320].replace("\0", "\ufffd").encode(errors="replace").decode()


def _store_raw(connection: Connection, mails: Iterable[tuple[int, Incoming]]) -> None:
    rows: list[dict[str, Any]] = []
    waiting_bytes = 0
    for mail_id, mail in mails:
        for number, piece in enumerate(mail.pieces()):
            rows.append({"mail_id": mail_id, "number": number, "content": piece})
            waiting_bytes += len(piece)
            if waiting_bytes >= PIECE_BYTES:  # so that a spooled mail is never in memory as a whole
                connection.execute(_INSERT_RAW, rows)
                rows, waiting_bytes = [], 0
    if rows:
        connection.execute(_INSERT_RAW, rows)


def _grow(connection: Connection, recipients: Mapping[bytes, Iterable[str]]) -> dict[bytes, int]:
    """Add `recipients` to the mails that are there already, and return their ids, both by fingerprint."""
    found = connection.execute(
        select(_MAIL.c.id, _MAIL.c.fingerprint, _MAIL.c.direction, _MAIL.c.recipients)
        .where(_MAIL.c.fingerprint.in_(list(recipients)))
        .order_by(_MAIL.c.id)
        .with_for_update()
    ).all()
    grown = []
    for row in found:
        more = [each for each in recipients[bytes(row.fingerprint)] if each not in row.recipients]
        if more and row.direction is Direction.IN:  # our own mail that comes back stays as we sent it
            grown.append({"mail_id": row.id, "grown": [*row.recipients, *more]})
    if grown:
        connection.execute(_ADD_RECIPIENTS, grown)
    return {bytes(row.fingerprint): row.id for row in found}


def raw_of(connection: Connection, mail_id: int) -> bytes:
    """Return the bytes of the mail `mail_id`.

    Raises:
        LookupError: there is no such mail.
    """
    pieces = connection.scalars(select(_RAW.c.content).where(_RAW.c.mail_id == mail_id).order_by(_RAW.c.number)).all()
    if not pieces:
        raise LookupError(f"no mail {mail_id}")
    return b"".join(map(bytes, pieces))


class GroupCommit:
    """One thread that stores: what waits goes into one transaction, a lone mail waits for nobody.

    When a group fails its mails are tried one by one, so that one poisoned mail costs only itself; while the database
    is away that ends after ONE_BY_ONE_S and all that is left is refused with the error.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], bell: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell  # rung after each commit that brought a new mail
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # nothing is queued behind the end
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def submit(self, mail: Incoming) -> Future[Stored]:
        """Return what will tell where `mail` is, once it is durable, or why it is not.

        The mail's file, if it has one, is closed by then. Callbacks of the future run in the writer's thread.

        Raises:
            QueueFullError: too many mails wait.
            StoppedError: the writer has been stopped.
        """
        future: Future[Stored] = Future()
        with self._gate:
            if self._stopped:
                raise StoppedError("the inbox has been stopped")
            if self._waiting.qsize() >= WAITING_MAILS:
                raise QueueFullError(f"{WAITING_MAILS} mails wait for the database")
            self._waiting.put(_Waiting(mail, future))
        return future

    def stop(self, grace_s: float) -> bool:
        """Store what waits, take nothing more; return whether all was done within `grace_s` seconds."""
        with self._gate:
            if not self._stopped:
                self._stopped = True
                self._waiting.put(None)
        self._thread.join(grace_s)
        return not self._thread.is_alive()

    def healthy(self) -> bool:
        """Return whether mails are being stored."""
        return self._thread.is_alive() and not self._stopped

    def _run(self) -> None:
        while True:
            group, last = self._next_group()
            if group:
                self._settle(group)
            if last:
                return

    def _next_group(self) -> "tuple[list[_Waiting], bool]":
        """Return the mails that wait, at least one unless they were the last, and whether they were the last."""
        group: list[_Waiting] = []
        size_bytes = 0
        block = True
        while len(group) < GROUP_MAILS and size_bytes < GROUP_BYTES:
            try:
                waiting = self._waiting.get(block)
            except queue.Empty:
                break
            if waiting is None:
                return group, True
            if waiting.future.set_running_or_notify_cancel():
                group.append(waiting)
                size_bytes += waiting.mail.size_bytes
                block = False
            else:
                waiting.mail.close()
        return group, False

    def _settle(self, group: "list[_Waiting]") -> None:
        give_up_at = time.monotonic() + ONE_BY_ONE_S
        error = self._try(group)
        if error is None:
            return
        if len(group) == 1:
            self._refuse(group[0], error)
            return
        log.warning("a group of mails failed, they are tried one by one", mails=len(group), reason=_reason(error))
        for waiting in group:
            if time.monotonic() < give_up_at:
                error = self._try([waiting])
            if error is not None:
                self._refuse(waiting, error)

    def _try(self, group: "list[_Waiting]") -> Exception | None:
        """Store `group` and tell its futures; return what was in the way, None if nothing was."""
        try:
            with self._database.write() as connection:
                stored = store(connection, [waiting.mail for waiting in group], self._clock())
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the futures, and the writer goes on
            return error
        for waiting, where in zip(group, stored, strict=True):
            waiting.future.set_result(where)
        if any(where.new for where in stored):
            self._bell()
        for waiting, where in zip(group, stored, strict=True):
            waiting.mail.close()
            log.info(
                "stored" if where.new else "known already",
                mail=where.mail_id,
                bytes=waiting.mail.size_bytes,
                sender=waiting.mail.envelope_from,
                source=waiting.mail.source,
            )
        return None

    def _refuse(self, waiting: "_Waiting", error: Exception) -> None:
        waiting.mail.close()
        log.error(
            "mail not stored",
            sender=waiting.mail.envelope_from,
            source=waiting.mail.source,
            reason=_reason(error),
            exc_info=None
            if isinstance(error, OperationalError)
            else error,  # the database's own trouble needs no frames
        )
        waiting.future.set_exception(error)


def is_full(error: BaseException) -> bool:
    """Return whether `error` says that the database's disk has no room left."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return (
        getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", None) == "53100"
    )


class _Waiting(NamedTuple):
    """A mail in the queue, and whom to tell."""

    mail: Incoming
    future: Future[Stored]


def _reason(error: Exception) -> str:
    """Return the error's first line, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(error).__name__}: {cause}".splitlines()[0][:200]
