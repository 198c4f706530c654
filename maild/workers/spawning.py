"""The daemon's way to the fork server: it is begun as a process of our own interpreter, and asked for workers.

What a worker is given is never in its arguments, since everybody on the machine may read those and a configuration may
hold passwords; nor is the file read again, since an operator may be in the midst of changing it.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from maild.workers.channel import Channel, HungUp

SCRIPT: Final = Path(__file__).with_name("start.py")
ROOM: Final = "fork-server".ljust(300)  # in which a worker shows its name and its configuration: `forkserver.show`
LONGEST_MESSAGE: Final = 1 << 16
_OURS: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})  # what systemd has to do with us alone


class Told(NamedTuple):
    """What the fork server tells of a worker, by its number."""

    number: int
    pid: int | None = None  # it has begun ...
    process: int | None = None  # ... as the process of this descriptor, which is ours now
    why: str | None = None  # it could not begin
    status: int | None = None  # it has ended


class ForkServer:
    """The process that forks workers, as the daemon sees it; begun again when it dies."""

    def __init__(self, words: Sequence[str] | None = None) -> None:
        """Begin it by other `words` than usual, if tests say so."""
        self._words = command() if words is None else words
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process, None while there is none."""
        return None if self._process is None else self._process.pid

    def begin(self) -> None:
        """Start it; it takes a moment to load what it needs, and may be asked for workers at once.

        Its standard input is the way to us, its standard output and error are our standard error.

        Raises:
            OSError: no process can be had now.
        """
        environment = {key: value for key, value in os.environ.items() if key not in _OURS}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(self._words, stdin=theirs.fileno(), stdout=2, env=environment)  # noqa: S603 - our own words
            except BaseException:
                ours.close()
                raise
        ours.send(json.dumps({"path": sys.path}).encode())
        self._control = ours

    def fileno(self) -> int:
        """Return the descriptor, for whoever waits on several lines; -1 while there is none."""
        return -1 if self._control is None else self._control.fileno()

    def ask(self, number: int, name: str, file: Path, given: dict[str, Any]) -> Channel:
        """Ask for a worker and return the channel to it, on which it can be spoken to at once.

        Raises:
            OSError: it cannot be asked.
        """
        if self._control is None:
            raise ProcessLookupError("there is no fork server")
        ours, theirs = socket.socketpair()
        with theirs, os.fdopen(os.memfd_create("maild"), "w+b") as content:
            content.write(json.dumps({"name": name, **given}).encode())
            content.seek(0)
            message = json.dumps({"number": number, "name": name, "file": str(file)}).encode()
            try:
                descriptors = [theirs.fileno(), content.fileno()]
                socket.send_fds(self._control, [message], descriptors, socket.MSG_DONTWAIT)
            except OSError:
                ours.close()
                raise
        return Channel(ours)

    def hear(self) -> Told:
        """Return what it tells next; waits for it.

        Raises:
            HungUp: it is gone.
        """
        content, given = b"", list[int]()
        if self._control is not None:
            with suppress(OSError):
                content, given, _, _ = socket.recv_fds(self._control, LONGEST_MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        if not content:
            raise HungUp("the fork server has ended")
        return Told(**json.loads(content), process=given[0] if given else None)

    def kill(self) -> None:
        """End it at once: it has nothing to finish."""
        if self._process is not None:
            self._process.kill()

    def end(self, patience_s: float = 0.0) -> int | None:
        """End it, if it does not end by itself, and return how it ended, None if there was none."""
        status = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
            self._process.kill()
            status = self._process.wait()
        if self._control is not None:
            self._control.close()
        self._process = self._control = None
        return status


def command() -> list[str]:
    """Return the words that begin it: the interpreter that we run in, as isolated as it is."""
    flags = {"-I": sys.flags.isolated, "-S": sys.flags.no_site, "-B": sys.dont_write_bytecode}
    return [sys.executable, *(flag for flag, is_set in flags.items() if is_set), str(SCRIPT), ROOM]
