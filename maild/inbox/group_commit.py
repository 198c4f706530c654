"""One thread stores what all services bring, a transaction for all that waits."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Final, NamedTuple

import structlog
from sqlalchemy.exc import DBAPIError

from maild.inbox.mail import Incoming, Stored
from maild.inbox.rows import store
from maild.store.engine import Database

log = structlog.get_logger(__name__)

GROUP_MAILS: Final = 200
GROUP_BYTES: Final = 8 << 20  # reached by the last mail of a group
WAITING_MAILS: Final = 1_000
ONE_BY_ONE_S: Final = 5.0  # how long after its start a failed group may still be tried mail by mail


class QueueFullError(Exception):
    """More mails wait for the database than may; the sender is to try again later."""


class StoppedError(Exception):
    """The writer has been stopped; nothing is taken any more."""


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
        for waiting in group:
            waiting.mail.close()
        _log_stored(group, stored)
        return None

    def _refuse(self, waiting: "_Waiting", error: Exception) -> None:
        waiting.mail.close()
        log.error(
            "mail not stored",
            sender=waiting.mail.envelope_from,
            source=waiting.mail.source,
            reason=_reason(error),
            exc_info=None if isinstance(error, DBAPIError) else error,  # the database's own trouble needs no frames
        )
        waiting.future.set_exception(error)


def _log_stored(group: Sequence["_Waiting"], stored: Sequence[Stored]) -> None:
    """Tell of one mail in full, of a group in one line: under load a line for each would cost more than storing it."""
    if len(group) == 1:
        mail, where = group[0].mail, stored[0]
        log.info(
            "stored" if where.new else "known already",
            mail=where.mail_id,
            bytes=mail.size_bytes,
            sender=mail.envelope_from,
            source=mail.source,
        )
        return
    new = [where.mail_id for where in stored if where.new]
    known = [where.mail_id for where in stored if not where.new]
    log.info(
        "stored",
        mails=" ".join(map(str, new)),
        known_already=" ".join(map(str, known)),
        bytes=sum(waiting.mail.size_bytes for waiting in group),
    )


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
