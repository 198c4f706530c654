"""The fork server: loads once what workers need, and becomes a worker whenever the daemon asks for one.

A worker begins within milliseconds, and what is loaded is in memory once. What is forked has one thread, no database
and no connection but the one to the daemon, so that nothing is shared that must not be. It is the parent of the workers
and tells how they ended. When the daemon is gone it ends; when it dies the workers go on and the daemon begins another.

    daemon -> fork server    {"number", "name", "file"} with a channel, and with what the worker is given
    fork server -> daemon    {"number", "pid"} with a descriptor of the process · {"number", "why"}: there is none to be
                             had · {"number", "status"}: it has ended, by a signal if that is less than 0
"""

import gc
import json
import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from maild import works
from maild.workers import worker
from maild.workers.channel import Channel

LONGEST_MESSAGE: Final = 1 << 16
_SHOWN: Final = slice(45, 47)  # of what follows the name in /proc/self/stat: where the words of the command lie


class Born(NamedTuple):
    """What a new worker begins with."""

    channel: Channel
    given: dict[str, Any]


class ForkServer:
    """Forks workers and buries them."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, None)

    def serve(self) -> Born | None:
        """Return None when the daemon is gone; in each process that is forked, what it begins with."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._bury(key.fd, key.data)
                    continue
                content, given, _, _ = socket.recv_fds(self._control, LONGEST_MESSAGE, 2, socket.MSG_CMSG_CLOEXEC)
                if not content:
                    return None
                born = self._fork(json.loads(content), *given)
                if born is not None:
                    return born

    def _fork(self, wanted: dict[str, Any], channel: int, given: int) -> Born | None:
        number = wanted["number"]
        try:
            pid = os.fork()
        except OSError as error:
            self._tell([], number=number, why=str(error))
        else:
            if not pid:
                self._forget()
                show(wanted["name"], wanted["file"])
                with os.fdopen(given, "rb") as file:
                    return Born(Channel(socket.socket(fileno=channel)), json.load(file))
            process = os.pidfd_open(pid)
            self._selector.register(process, selectors.EVENT_READ, number)
            self._tell([process], number=number, pid=pid)
        os.close(channel)
        os.close(given)
        return None

    def _forget(self) -> None:
        """In a new worker: let go of what belongs to the fork server."""
        inherited = [key.fd for key in self._selector.get_map().values() if key.data is not None]
        self._selector.close()
        self._control.close()
        for each in inherited:
            os.close(each)

    def _bury(self, process: int, number: int) -> None:
        ended = os.waitid(os.P_PIDFD, process, os.WEXITED)
        self._selector.unregister(process)
        os.close(process)
        assert ended is not None  # noqa: S101 - only with WNOHANG
        self._tell([], number=number, status=ended.si_status * (1 if ended.si_code == os.CLD_EXITED else -1))

    def _tell(self, descriptors: list[int], **message: Any) -> None:
        with suppress(OSError):  # the daemon is gone, which is seen next
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)


def show(name: str, file: str = "") -> None:
    """Have `ps` and `top` show what this process is, in the place of the words that the fork server was begun with."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"maild {name}")
        begin, end = (int(each) for each in Path("/proc/self/stat").read_text().rpartition(")")[2].split()[_SHOWN])
        words = f"maild\0{name}\0{file}".encode()[: end - begin - 1].ljust(end - begin, b"\0")
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(begin)
            memory.write(words)


def main(control: socket.socket) -> int:
    """Be the fork server, or a worker; return the exit status."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGHUP):  # they are the daemon's affair, whose terminal may be ours
        signal.signal(number, signal.SIG_IGN)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)  # was the way to the daemon, which must end when it ends
    show("fork-server")
    works.load()
    gc.freeze()  # the collector would write to what is shared
    born = ForkServer(control).serve()
    if born is None:
        return 0
    return worker.main(born.given, born.channel)
