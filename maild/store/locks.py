"""Who may write to a SQLite file next: locks among processes, and turns among the threads of one.

    thread ---- Turn ----+
    thread ---- Turn ----+--- FairLock --- the file
    another process ----------+

Neither starves the other. A process that has the lock cannot have it again before one that waits for it, however soon
it asks; and an urgent thread, behind which somebody waits for an answer, is next of its process and takes the lock
over from the thread before it. So it waits for one transaction of another process at most, not for one before each
thread that asked earlier.
"""

import errno
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

WRITE_LOCKS: Final = (".write-lock", ".write-next")  # behind the name of the file: to write, and to be the next one
LOOK_S: Final = 0.001  # between two looks at a lock that another process has


class FileLock:
    """An advisory lock on a file, for as long as this process lives or until it is released."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held = False
        self._file: int | None = None

    def try_acquire(self, *, shared_note: str = "") -> bool:
        """Return whether the lock is ours now; `shared_note` is written into the file for others to read."""
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                return False
            raise
        self.held = True
        if shared_note:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, shared_note.encode(), 0)
        return True

    def acquire(self, wait_s: float) -> bool:
        """Return whether the lock became ours within `wait_s` seconds."""
        if self.try_acquire():
            return True
        deadline = time.monotonic() + wait_s
        pause = threading.Event()
        while time.monotonic() < deadline:
            pause.wait(LOOK_S)
            if self.try_acquire():
                return True
        return False

    def note(self) -> str:
        """Return what the holder wrote into the file."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def release(self) -> None:
        """Give the lock back; the file stays."""
        if self._file is not None:
            self.held = False
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock back and close the file."""
        if self._file is not None:
            self.held = False
            os.close(self._file)
            self._file = None


class FairLock:
    """A lock on a file that nobody has again before those who wait for it: these wait at another one meanwhile."""

    def __init__(self, path: Path, waiting_at: Path) -> None:
        self._lock = FileLock(path)
        self._next = FileLock(waiting_at)  # held by whoever waits for the other, hence is next

    def probe(self) -> None:
        """Find out whether files can be locked here.

        Raises:
            OSError: they cannot.
        """
        self._next.try_acquire()
        self._lock.try_acquire()
        self.release()

    def acquire(self, wait_s: float) -> bool:
        """Return whether the lock became ours within `wait_s` seconds, or was ours already."""
        if self._lock.held:
            return True
        deadline = time.monotonic() + wait_s
        if not self._next.acquire(wait_s):
            return False
        try:
            return self._lock.acquire(deadline - time.monotonic())
        finally:
            self._next.release()

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()
        self._next.release()

    def close(self) -> None:
        """Give the lock back and close the files."""
        self._lock.close()
        self._next.close()


@dataclass(slots=True, eq=False)
class _Waiting:
    """A thread that waits for its turn."""

    urgent: bool
    call: threading.Lock = field(default_factory=threading.Lock)


class Turn:
    """A lock among threads that is had in the order of asking, the urgent first: no writer here starves another.

    `between` is called between two turns, unless the next one is urgent.
    """

    def __init__(self, between: Callable[[], None] = lambda: None) -> None:
        self._between = between
        self._mutex = threading.Lock()
        self._taken = False
        self._waiting: deque[_Waiting] = deque()

    @contextmanager
    def taken(self, wait_s: float, *, urgent: bool = False) -> Iterator[bool]:
        """Give whether it became our turn within `wait_s` seconds; at the end it is the next one's."""
        ours = self._take(wait_s, urgent=urgent)
        try:
            yield ours
        finally:
            if ours:
                self._pass_on()

    def _take(self, wait_s: float, *, urgent: bool) -> bool:
        waiting = _Waiting(urgent)
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            waiting.call.acquire()
            if urgent:
                self._waiting.appendleft(waiting)
            else:
                self._waiting.append(waiting)
        if waiting.call.acquire(timeout=max(0.0, wait_s)):
            return True
        with self._mutex:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                return False
        return True  # called at the last instant

    def _pass_on(self) -> None:
        with self._mutex:  # whoever is called, or comes now, finds done what is to be done between
            called = self._waiting.popleft() if self._waiting else None
            if called is None or not called.urgent:
                self._between()
            if called is not None:
                called.call.release()
            else:
                self._taken = False
