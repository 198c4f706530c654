"""Mailboxes by IMAP: mails of folders elsewhere become stored mails, each once, and none is left behind.

    trouble      what can go wrong: step, the server's words, what helps
    login        by password or token
    wire         sockets that cannot hang
    protocol, connection    imapclient behind one door
    progress     how far a folder has been read, and who works on it
    fetching     UIDs -> stored mails, a batch at a time
    reconciling  the folder against the store, once a day
    worker       what is done next

A thread a mailbox. Mails are found by UID, never by flags, so it does not matter who else reads the mailbox. The
order is: fetch, store, commit, and only then mark, move or delete; `last_uid` moves forward last, and is written once a
second. So whatever ends in between is done again, and what is fetched twice is recognised by its identity:

    ends after          what happens
    fetch               fetched again
    commit              fetched again, recognised, then marked, moved or deleted
    mark, move          fetched again if it is still there, recognised
    last_uid            nothing
    UIDVALIDITY changes all fetched again, recognised; what was there before maild's time is known by its date

Nothing is decided here about what a mail means.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from maild.config import Settings
from maild.config.connections import Mailbox
from maild.services.imap_poller import progress
from maild.services.imap_poller.connection import Connection
from maild.services.imap_poller.fetching import Submit
from maild.services.imap_poller.login import log_in
from maild.services.imap_poller.trouble import Step, Trouble
from maild.services.imap_poller.wire import Pace, Watchdog
from maild.services.imap_poller.worker import Worker
from maild.services.loop import Loop
from maild.store.engine import Database

__all__ = ["Connection", "Pace", "Poller", "Step", "Trouble", "Watchdog", "log_in"]

log = structlog.get_logger("maild.imap")

POLITE_S: Final = 3.0  # how long a step may go on when it is to stop; then its connection is shut
HANG_S: Final = 600.0  # must exceed what a step can take with all its deadlines


class Poller:
    """Reads all mailboxes of a configuration."""

    def __init__(
        self,
        database: Database,
        submit: Submit,
        now: Callable[[], datetime],
        *,
        pace: Pace | None = None,
        posted: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare to read; `posted` is called when a mail to the operator waits to be sent."""
        self._posted = posted
        self._database = database
        self._submit = submit
        self._now = now
        self._pace = pace or Pace()
        self._watchdog = Watchdog()
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def start(self, settings: Settings) -> None:
        """Read the mailboxes of `settings`, and no others; those that are read in the same way already go on."""
        wanted = {each.name: each for each in settings.mailboxes}
        with self._lock:
            self._end(
                {
                    name: each
                    for name, each in self._running.items()
                    if name not in wanted or _depends_on(settings, wanted[name]) != each.depends_on
                },
                POLITE_S,
            )
            for name, mailbox in wanted.items():
                if name not in self._running:
                    self._running[name] = self._begin(settings, mailbox)

    def _begin(self, settings: Settings, mailbox: Mailbox) -> "_Running":
        worker = Worker(
            self._database,
            settings,
            mailbox,
            self._submit,
            self._now,
            self._watchdog,
            self._pace,
            self._posted,
        )
        enrolled = False

        def step() -> float:
            nonlocal enrolled
            if not enrolled:
                progress.enrol(self._database, mailbox.name, mailbox.folder, self._now())
                enrolled = True
            return worker.step()

        loop = Loop(f"imap-{mailbox.name}", step)
        loop.start()
        return _Running(_depends_on(settings, mailbox), worker, loop)

    def stop(self, grace_s: float) -> bool:
        """Stop reading; return whether all workers ended within `grace_s` seconds. Nothing is lost either way."""
        with self._lock:
            return self._end(dict(self._running), grace_s)

    def _end(self, over: "dict[str, _Running]", grace_s: float) -> bool:
        deadline = time.monotonic() + grace_s
        for _, worker, loop in over.values():
            loop.stop()
            worker.stop()
        for _, worker, loop in over.values():
            loop.join(max(0.0, min(POLITE_S, grace_s / 2, deadline - time.monotonic())))
            if loop.is_alive():
                worker.interrupt()
        clean = True
        for name, (_, worker, loop) in over.items():
            loop.join(max(0.1, deadline - time.monotonic()))
            if loop.is_alive():
                clean = False
                log.warning("does not stop", mailbox=name)
            else:
                worker.leave()
            self._running.pop(name, None)
        return clean

    def healthy(self) -> bool:
        """Return whether every worker turns."""
        now = time.monotonic()
        return all(
            loop.is_alive() and (not loop.working or now - worker.alive_s < HANG_S)
            for _, worker, loop in self._running.values()
        )

    def failing(self) -> list[str]:
        """Return the mailboxes whose worker fails for reasons of ours."""
        return [name for name, (_, _, loop) in self._running.items() if loop.failing]


class _Running(NamedTuple):
    """A worker and its thread."""

    depends_on: tuple[object, ...]
    worker: Worker
    loop: Loop


def _depends_on(settings: Settings, mailbox: Mailbox) -> tuple[object, ...]:
    """Return all of a configuration that a worker looks at: when it changes there must be a new one."""
    application = settings.oauth.get(mailbox.oauth) if mailbox.oauth else None
    return mailbox, application, settings.maild, settings.departments[0].address
