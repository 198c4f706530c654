"""One thread stores what all services bring, a transaction for all that waits."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
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
QUIET_S: Final = 0.005  # so long without a mail, and there is time for the bell and the log
UNTOLD_MAILS: Final = 50  # ... or when so many are stored
ONE_BY_ONE_S: Final = 5.0  # how long after its start a failed group may still be tried mail by mail


class QueueFullError(Exception):
    """More mails wait for the database than may; the sender is to try again later."""


class StoppedError(Exception):
    """The writer has been stopped; nothing is taken any more."""


class GroupCommit:
    """One thread that stores: what waits goes into one transaction, a lone mail waits for nobody.

    Answers go out first; then, when no mail has come for a moment, the bell is rung (if there is a new mail) and the
    log is written: both would take their time from the answer, since they need the interpreter. Behind a mail of a
    mailbox nobody waits, so there the bell is rung at once.
    When a group fails its mails are tried one by one, so that one poisoned mail costs only itself; while the database
    is away that ends after ONE_BY_ONE_S and all that is left is refused with the error.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], bell: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell
        self._untold: list[_Fact] = []  # what is stored and answered, but not logged yet
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
            if self._untold and (last or not group or len(self._untold) >= UNTOLD_MAILS or not self._is_awaited()):
                self._tell()
            if last:
                return

    def _is_awaited(self) -> bool:
        """Return whether anybody waits for an answer who may bring the next mail: behind IMAP nobody does."""
        return not self._waiting.empty() or any(not fact.source.startswith("imap ") for fact in self._untold)

    def _next_group(self) -> "tuple[list[_Waiting], bool]":
        """Return the mails that wait, and whether they were the last; waits for one, if nothing is left to tell."""
        group: list[_Waiting] = []
        size_bytes = 0
        block, patience_s = True, QUIET_S if self._untold else None
        while len(group) < GROUP_MAILS and size_bytes < GROUP_BYTES:
            try:
                waiting = self._waiting.get(block, patience_s)
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
            with self._database.write(urgent=True) as connection:
                stored = store(connection, [waiting.mail for waiting in group], self._clock())
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the futures, and the writer goes on
            return error
        for waiting, where in zip(group, stored, strict=True):
            mail = waiting.mail
            mail.close()
            waiting.future.set_result(where)
            self._untold.append(_Fact(where, mail.size_bytes, mail.envelope_from, mail.source))
        return None

    def _tell(self) -> None:
        """Ring the bell, and log: one mail in full, several in one line, since under load each line would cost one."""
        facts, self._untold = self._untold, []
        new = [fact.stored.mail_id for fact in facts if fact.stored.new]
        if new:
            self._bell()
        if len(facts) == 1:
            [fact] = facts
            log.info(
                "stored" if new else "known already",
                mail=fact.stored.mail_id,
                bytes=fact.size_bytes,
                sender=fact.sender,
                source=fact.source,
            )
            return
        log.info(
            "stored",
            mails=" ".join(map(str, new)),
            known_already=" ".join(str(fact.stored.mail_id) for fact in facts if not fact.stored.new),
            bytes=sum(fact.size_bytes for fact in facts),
        )

    def _refuse(self, waiting: "_Waiting", error: Exception) -> None:
        waiting.mail.close()
        known = isinstance(error, DBAPIError)  # the database's own trouble needs no frames
        if not (known and waiting.mail.source.startswith("imap ")):  # who fetched a whole batch says it once
            log.error(
                "mail not stored",
                sender=waiting.mail.envelope_from,
                source=waiting.mail.source,
                reason=_reason(error),
                exc_info=None if known else error,
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


class _Fact(NamedTuple):
    """What the log has to tell of a mail; its bytes are not kept for that."""

    stored: Stored
    size_bytes: int
    sender: str | None
    source: str


def _reason(error: Exception) -> str:
    """Return the error's first line, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(error).__name__}: {cause}".splitlines()[0][:200]
