"""The thread of the daemon that has the workers: begins them, hears them, begins them again.

One worker is always wanted; more filers while mails wait that it cannot file at once, at most as many as `most_filers`
says. A worker that dies is begun again: at once if it had filed anything, else after a pause that doubles up to
LONGEST_PAUSE_S. One that hangs is ended first.

A changed configuration is tried by a new worker: if it is ready it takes the place of the old one, whose present step
ends meanwhile; if it refuses, the old one goes on.
"""

import os
import queue
import selectors
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from maild import clock
from maild.clock import Clock
from maild.services.loop import ServiceState
from maild.store.engine import Database
from maild.workers import spawning
from maild.workers.channel import HungUp
from maild.workers.child import Child
from maild.workers.recovery import free

log = structlog.get_logger("maild.workers")

FIRST: Final = "worker"  # the one that is always there
ASKED_EVERY_S: Final = 10.0  # how they are
SHORTEST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
CROWDED_S: Final = 0.5  # filing for so long without a break means that more wait than one can file
IDLE_S: Final = 60.0  # a further filer that has had nothing to do for so long goes
MOST_FILERS: Final = 4
MOST_ON_SQLITE: Final = 2  # measured: a third one only waits for the others to write
READY_S: Final = 60.0  # for a new worker to say whether it can work
Facts = Counter[tuple[str, str]]


def most_filers(*, is_sqlite: bool) -> int:
    """Return how many processes may file at once: they share the processors with the daemon; SQLite has one writer."""
    return max(1, min(MOST_ON_SQLITE if is_sqlite else MOST_FILERS, len(os.sched_getaffinity(0)) - 1))


class NoWorkerError(Exception):
    """A worker cannot be had; no fault of its configuration."""


class Supervisor(threading.Thread):
    """Has the workers."""

    def __init__(
        self,
        file: Path,
        now: Clock,
        level: int,
        *,
        posted: Callable[[], None],
        command: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._file = file
        self._now = now
        self._level = level
        self._posted = posted
        self._command = spawning.command() if command is None else command
        self._most = 1  # processes that file at once
        self._database: Database | None = None  # None until it is ready
        self._configuration = ""
        self._children: list[Child] = []
        self._pauses: dict[str, tuple[int, float]] = {}  # by name: deaths without use, when it may be begun again
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
        self._begin(FIRST)
        self.start()

    def go(self, database: Database) -> None:
        """Let the workers use the database."""

        def go() -> None:
            self._database = database
            self._most = most_filers(is_sqlite=database.is_sqlite)
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

    def pids(self) -> list[int]:
        """Return the numbers of the processes."""
        return [child.pid for child in tuple(self._children)]

    def stop(self) -> None:
        """Tell all workers to end after their present step; `join` waits for them."""

        def stop() -> None:
            self._stopping = True
            for child in self._children:
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
                else:
                    self._hear(key.data)
            while not self._asked.empty():
                self._asked.get()()
            if not self._stopping:
                self._look_after()

    def _sleep_s(self) -> float:
        """Return for how long nothing is to be done if nobody says anything."""
        wanted = [at_s for _, at_s in self._pauses.values() if at_s > time.monotonic()]
        if any(child.idle_since_s is None for child in self._children):
            wanted.append(time.monotonic() + CROWDED_S)
        return max(0.01, min([self._ask_at_s, *wanted]) - time.monotonic())

    def _hear(self, child: Child) -> None:
        try:
            for message in child.channel.hear():
                self._note(child, message)
        except HungUp:
            self._bury(child)

    def _note(self, child: Child, message: Mapping[str, Any]) -> None:
        child.note(message)
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
        self._configuration = str(child.settings)
        for other in self._children:
            if other is not child:
                self._dismiss(other)  # it is of another configuration
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
        if not child.ready:
            child.kill()  # it has nothing to finish, and on a busy machine would hear of it seconds later

    def _bury(self, child: Child) -> None:
        """A worker has ended: free what it had, and have another in its place."""
        self._selector.unregister(child.channel)
        self._children.remove(child)
        how = child.ended()
        if child.name == FIRST and not child.ready:
            self._decide(child.refused, f"the worker died: {how}")
        if child.leaving or child.left() or any(each.name == child.name and each.ready for each in self._children):
            return
        if child.refused is not None:
            log.error("worker refuses its configuration", worker=child.name, faults=child.refused)
        else:
            log.error("worker died", worker=child.name, pid=child.pid, how=how, filing=len(child.begun))
        self._free(child)
        self._pause(child.name, anew=child.useful)

    def _pause(self, name: str, *, anew: bool = False) -> float:
        """Wait before a worker is begun again, longer each time unless it begins `anew`; return how long."""
        deaths, _ = (0, 0.0) if anew else self._pauses.get(name, (0, 0.0))
        pause_s = min(SHORTEST_PAUSE_S * 2 ** (deaths - 1), LONGEST_PAUSE_S) if deaths else 0.0
        self._pauses[name] = (deaths + 1, time.monotonic() + pause_s)
        return pause_s

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
            if why := child.hangs():
                log.error("worker hangs, it is ended", worker=child.name, pid=child.pid, why=why)
                child.unanswered = 0
                child.kill()
        if now_s >= self._ask_at_s:
            self._ask_at_s = now_s + ASKED_EVERY_S
            for child in self._children:
                child.unanswered += 1
                child.channel.mention(how=clock.written(self._now.belief()))
        self._staff(now_s)

    def _staff(self, now_s: float) -> None:
        """Begin whom we need, and let go whom we do not."""
        here = {child.name for child in self._children if not child.leaving}
        if FIRST not in here and self._may_begin(FIRST, now_s):
            self._begin(FIRST)
        filers = [child for child in self._children if not child.leaving]
        crowded = all(h.ready and h.idle_since_s is None and now_s - h.busy_since_s > CROWDED_S for h in filers)
        if filers and crowded and len(filers) < self._most:
            free = next(f"filer-{number}" for number in range(2, self._most + 2) if f"filer-{number}" not in here)
            if self._may_begin(free, now_s):
                self._begin(free)
        for child in filers:
            if child.name != FIRST and child.idle_since_s is not None and now_s - child.idle_since_s > IDLE_S:
                self._dismiss(child)

    def _may_begin(self, name: str, now_s: float) -> bool:
        return now_s >= self._pauses.get(name, (0, 0.0))[1]

    def _begin(self, name: str, configuration: str | None = None) -> None:
        text = self._configuration if configuration is None else configuration
        given = {"file": str(self._file), "configuration": text, "level": self._level}
        try:
            process, channel = spawning.begin(self._command, name, self._file, given)
        except (OSError, subprocess.SubprocessError) as error:
            pause_s = self._pause(name)
            log.error("no worker can be begun", worker=name, why=str(error), next_try_s=round(pause_s))  # noqa: TRY400 - no frames needed
            if name == FIRST:
                self._decide(None, f"no worker can be begun: {error}")
            return
        child = Child(name, process, channel, text)
        self._children.append(child)
        self._selector.register(channel, selectors.EVENT_READ, child)
        self._let_go(child)

    def _let_go(self, child: Child) -> None:
        if self._database is not None:
            child.channel.mention(go=clock.written(self._now.belief()))
