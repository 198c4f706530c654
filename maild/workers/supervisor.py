"""The thread of the daemon that has the workers: begins them, hears them, begins them again.

A fork server begins them and tells how they ended; where it dies another is begun, and the workers go on until that has
begun others. One worker is always wanted; more filers while mails wait that it cannot file at once, at most as many as
`staffing` says. A worker that dies is begun again: at once if it had filed anything, else after a pause that doubles
(`pauses`). One that hangs is ended first.

A changed configuration is tried by a new worker: if it is ready it takes the place of the old one, whose present step
ends meanwhile; if it refuses, the old one goes on.
"""

import os
import queue
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from maild import clock
from maild.clock import Clock
from maild.services.loop import ServiceState
from maild.store.engine import Database
from maild.workers import staffing
from maild.workers.channel import HungUp
from maild.workers.child import ENDING_S, FIRST, Child
from maild.workers.pauses import Pauses
from maild.workers.recovery import free
from maild.workers.spawning import ForkServer

log = structlog.get_logger("maild.workers")

FORK_SERVER: Final = "fork-server"
ASKED_EVERY_S: Final = 10.0  # how they are
READY_S: Final = 60.0  # for a new worker to say whether it can work
Facts = Counter[tuple[str, str]]


class NoWorkerError(Exception):
    """A worker cannot be had; no fault of its configuration."""


class Supervisor(threading.Thread):
    """Has the workers."""

    def __init__(
        self,
        file: Path,
        now: Clock,
        level: int,
        fork_server: ForkServer,
        *,
        posted: Callable[[], None],
    ) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._file = file
        self._now = now
        self._level = level
        self._posted = posted
        self._fork_server = fork_server
        self._forks = False  # it has forked a worker
        self._number = 0  # of the last worker
        self._most = 1  # processes that file at once
        self._database: Database | None = None  # None until it is ready
        self._configuration = ""
        self._children: list[Child] = []
        self._pauses = Pauses()
        self._facts: Facts = Counter()
        self._verdict: Future[str | None] = Future()
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._asleep, self._awake = socket.socketpair()
        self._selector.register(self._asleep, selectors.EVENT_READ, None)
        self._stopping = False
        self._ask_at_s = time.monotonic() + ASKED_EVERY_S

    # What other threads ask of it.

    def begin(self, configuration: str) -> None:
        """Begin the first worker, which may load its libraries while the database is made ready."""
        self._configuration = configuration
        self._begin_fork_server()
        self._begin(FIRST)
        self.start()

    def go(self, database: Database) -> None:
        """Let the workers use the database."""

        def go() -> None:
            self._database = database
            self._most = staffing.most_filers()
            for child in self._children:
                self._let_go(child)

        self._ask(go)

    def verdict(self) -> str | None:
        """Return why the first worker refuses its configuration, None if it does not; waits until it knows.

        One that cannot be begun, or dies, is begun again and again: no reason to take no mail.
        """
        try:
            return self._verdict.result(READY_S)
        except (TimeoutError, NoWorkerError):
            return None

    def replace(self, configuration: str) -> str | None:
        """Have a new worker take over by another configuration; return why it refuses, None if it does not."""
        self._verdict = verdict = Future[str | None]()

        def replace() -> None:
            self._begin(FIRST, configuration)

        self._ask(replace)
        try:
            return verdict.result(READY_S)
        except TimeoutError:
            return "no worker becomes ready"
        except NoWorkerError as error:
            return str(error)

    def ring(self) -> None:
        """A mail was stored: a filer is to look. While the first one is at it the others may."""
        children = tuple(self._children)
        first = [child for child in children if child.name == FIRST]
        for child in first if any(child.idle_since_s is not None for child in first) else children:
            child.channel.mention(mail=1)

    def ring_all(self) -> None:
        """Nobody knows what was written: whoever works is to look."""
        for child in tuple(self._children):
            child.channel.mention(mail=1, filed=1)

    def _ring_first(self) -> None:
        """A further filer has filed: what time alone does may have become due earlier."""
        for child in self._children:
            if child.name == FIRST:
                child.channel.mention(filed=1)

    def services(self) -> Iterator[ServiceState]:
        """Return whether there is the worker that is always wanted, and how the loops of all are doing."""
        children = tuple(self._children)
        yield ServiceState(FIRST, any(child.name == FIRST and child.ready for child in children), 0)
        for child in children:
            yield from child.services()

    def facts(self) -> Mapping[tuple[str, str], int]:
        """Return how often each line was logged by workers."""
        return dict(self._facts)

    def stop(self) -> None:
        """Tell all workers to end after their present step; `join` waits for them."""

        def stop() -> None:
            self._stopping = True
            for child in tuple(self._children):
                self._dismiss(child)

        self._ask(stop)

    def end(self, grace_s: float) -> bool:
        """Wait for their end, then end what is left; return whether nothing was."""
        self.join(grace_s)
        left = tuple(self._children)
        for child in left:
            child.kill()
        if left:
            self.join(grace_s)
        return not left

    def _ask(self, what: Callable[[], None]) -> None:
        self._asked.put(what)
        with suppress(OSError):
            self._awake.send(b"!", socket.MSG_DONTWAIT)

    # The thread.

    def run(self) -> None:
        """Have them until told to stop, and all have ended."""
        while not (self._stopping and not self._children):
            for key, _ in self._selector.select(self._sleep_s()):
                if key.data is None:
                    self._asleep.recv(64)
                elif isinstance(key.data, Child):
                    self._hear(key.data)
                else:
                    self._hear_fork_server()
            while not self._asked.empty():
                self._asked.get()()
            if not self._stopping:
                self._look_after()
        self._fork_server.end()

    def _sleep_s(self) -> float:
        """Return for how long nothing is to be done if nobody says anything."""
        wanted = list(self._pauses.ends_s())
        return max(0.01, min([self._ask_at_s, *wanted]) - time.monotonic())

    def _hear(self, child: Child) -> None:
        if child not in self._children:
            return  # it was forgotten a moment ago
        try:
            for message in child.channel.hear():
                self._note(child, message)
        except HungUp:
            self._selector.unregister(child.channel)
            child.silent_since_s = time.monotonic()
            self._bury(child)

    def _hear_fork_server(self) -> None:
        try:
            told = self._fork_server.hear()
        except HungUp:
            self._bury_fork_server()
            return
        child = next((each for each in self._children if each.number == told.number), None)
        if told.pid is not None and told.process is not None:
            self._forks = True
            if child is None:
                os.close(told.process)  # it was not wanted any more, and sees that its channel has ended
            else:
                child.forked(told.pid, told.process)
        elif child is not None and told.why is not None:
            self._forget(child, told.why)
        elif child is not None:
            child.exit_status = told.status
            self._bury(child)

    def _note(self, child: Child, message: Mapping[str, Any]) -> None:
        child.note(message, time.monotonic())
        if "did" in message and message["did"] != "idle":
            self._posted()
            if child.name != FIRST:
                self._ring_first()
        elif "state" in message:
            self._facts.update({(level, event): count for level, event, count in message["facts"]})
            self._now.agree(clock.belief_of(message["belief"]).at)
        elif "ready" in message:
            self._welcome(child)
        elif "refused" in message:
            child.refused = message["refused"]

    def _welcome(self, child: Child) -> None:
        child.ready, child.busy_since_s = True, time.monotonic()
        log.info("worker ready", worker=child.name, pid=child.pid)
        if child.name != FIRST:
            return
        self._configuration = child.configuration
        for other in tuple(self._children):
            if other is not child and (other.name == FIRST or other.orphaned or not other.is_alike(child)):
                self._dismiss(other)
        self._decide(None)

    def _decide(self, refused: str | None, trouble: str = "") -> None:
        if self._verdict.done():
            return
        if refused is None and trouble:
            self._verdict.set_exception(NoWorkerError(trouble))
        else:
            self._verdict.set_result(refused)

    def _dismiss(self, child: Child) -> None:
        child.leaving = True
        child.channel.mention(stop=1)
        if child.pid is None:
            self._forget(child)
        elif not child.ready:
            child.kill()  # it has nothing to finish, and on a busy machine would hear of it seconds later

    def _bury(self, child: Child) -> None:
        """A worker has ended, if all is heard of it: free what it had, and have another in its place."""
        if not child.ended:
            return
        self._children.remove(child)
        child.close()
        how = child.how()
        if child.name == FIRST and not child.ready:
            self._decide(child.refused, f"the worker died: {how}")
        if child.exit_status == 0 or (child.leaving and child.fence is None):
            return
        heirs = {each.name for each in self._children if each.ready and not each.orphaned}
        wanted = not child.leaving and child.name not in heirs
        if child.refused is not None:
            if wanted:  # else whoever tried it is told
                log.error("worker refuses its configuration", worker=child.name, faults=child.refused)
        elif child.leaving and child.exit_status == -signal.SIGKILL:
            child.begun = ()  # no mail did it: it did not end in time
        else:
            log.error("worker died", worker=child.name, pid=child.pid, how=how, filing=len(child.begun))
        self._free(child)
        if wanted:
            self._pauses.begin(child.name, anew=child.useful)

    def _forget(self, child: Child, why: str | None = None) -> None:
        """Give up a worker that has not been begun, because of `why` or because it is not wanted any more."""
        self._selector.unregister(child.channel)
        self._children.remove(child)
        child.close()
        if why is not None:
            self._no_worker(child.name, why)

    def _no_worker(self, name: str, why: str) -> None:
        pause_s = self._pauses.begin(name)
        log.error("no worker can be begun", worker=name, why=why, next_try_s=round(pause_s))
        if name == FIRST:
            self._decide(None, f"no worker can be begun: {why}")

    def _bury_fork_server(self) -> None:
        """The fork server has ended: the workers go on, what it was to begin is begun by the next."""
        self._selector.unregister(self._fork_server)
        pid, status = self._fork_server.pid, self._fork_server.end(ENDING_S)
        how = signal.Signals(-status).name if status is not None and status < 0 else f"status {status}"
        log.error("fork server died", pid=pid, how=how)
        self._pauses.begin(FORK_SERVER, anew=self._forks)
        for child in tuple(self._children):
            if child.pid is None:
                self._forget(child, "the fork server died")
            else:
                child.orphaned = True
                self._bury(child)

    def _free(self, child: Child) -> None:
        if child.fence is None or self._database is None:
            return
        try:
            freed = free(self._database, child.fence, child.begun)
        except Exception:  # the database may be away; then the lease ends by itself
            log.exception("what a dead worker had is free when its lease is over", worker=child.name)
            return
        if freed:
            log.warning("what a dead worker had is free", worker=child.name, mails=freed, begun=len(child.begun))
            self.ring()

    def _look_after(self) -> None:
        now_s = time.monotonic()
        for child in tuple(self._children):
            if why := child.hangs(now_s):
                log.error("worker hangs, it is ended", worker=child.name, pid=child.pid, why=why)
                child.unanswered = 0
                if child.pid is None:
                    self._fork_server.kill()
                else:
                    child.kill()
        if now_s >= self._ask_at_s:
            self._ask_at_s = now_s + ASKED_EVERY_S
            for child in self._children:
                child.unanswered += 1
                child.channel.mention(how=clock.written(self._now.belief()))
        self._staff(now_s)

    def _staff(self, now_s: float) -> None:
        """Begin whom we need, and let go whom we do not."""
        if self._fork_server.pid is None and self._pauses.is_over(FORK_SERVER):
            self._begin_fork_server()
        has_fork_server = self._fork_server.pid is not None
        if staffing.lacks_first(self._children, has_fork_server=has_fork_server) and self._pauses.is_over(FIRST):
            self._begin(FIRST)
        further = staffing.further(self._children, self._most, now_s)
        if further is not None and self._pauses.is_over(further):
            self._begin(further)
        for child in staffing.superfluous(self._children, now_s):
            self._dismiss(child)

    def _begin(self, name: str, configuration: str | None = None) -> None:
        text = self._configuration if configuration is None else configuration
        given = {"file": str(self._file), "configuration": text, "level": self._level}
        self._number += 1
        try:
            channel = self._fork_server.ask(self._number, name, self._file, given)
        except OSError as error:
            self._no_worker(name, str(error))
            return
        child = Child(self._number, name, channel, text)
        self._children.append(child)
        self._selector.register(channel, selectors.EVENT_READ, child)
        self._let_go(child)

    def _begin_fork_server(self) -> None:
        try:
            if self._fork_server.pid is None:  # whoever began us may have begun it earlier
                self._fork_server.begin()
        except OSError as error:
            self._pauses.begin(FORK_SERVER)
            log.error("no fork server can be begun", why=str(error))  # noqa: TRY400 - no frames needed
            return
        self._forks = False
        self._selector.register(self._fork_server, selectors.EVENT_READ, self._fork_server)

    def _let_go(self, child: Child) -> None:
        if self._database is not None:
            child.channel.mention(go=clock.written(self._now.belief()))
