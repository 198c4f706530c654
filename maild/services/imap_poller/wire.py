"""Sockets that cannot hang: every step of a connection ends at a wall-clock deadline.

A socket's timeout bounds a single wait, and a server that drips a byte now and then outlasts it for ever. So each
operation is watched from outside: at its deadline the `Watchdog` shuts the socket, whatever the library is at, and
the operation fails at once. The lever that does so is a duplicate of the socket, so it works in every phase: while
connecting, during the TLS handshake, and after STARTTLS has replaced the socket.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from maild.config.connections import Mailbox
from maild.services.imap_poller.trouble import Step, Trouble, unencrypted, unreachable, unresolved

READ_S: Final = 60.0  # a single wait


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a mailbox is read, in seconds."""

    connect_s: float = 30.0  # to look up the host, to connect, and for TLS: each
    operation_s: float = 120.0  # the longest that one command may take
    idle_s: float = 120.0  # in IDLE, before the folder is looked at; RFC 2177 wants less than 29 minutes
    save_s: float = 1.0  # how long what was read may be unwritten; a crash forgets it: fetched again, and recognised
    poll_s: float = 60.0  # between looks where there is no IDLE
    first_pause_s: float = 5.0  # after a failure; doubled each time
    longest_pause_s: float = 300.0
    reopen_s: float = 300.0  # then the folder is opened anew, which shows whether it was renumbered, or is gone
    reconcile_s: float = 86_400.0  # between two comparisons of the folder with the store


class Lever:
    """Ends what is going on at a socket, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self.pulled = False

    def attach(self, plain: socket.socket) -> None:
        """Make it the lever of a socket; if it was pulled already, the socket is shut at once."""
        with self._lock:
            self.release_twin()
            self._twin = plain.dup()
        if self.pulled:
            self.pull()

    def pull(self) -> None:
        """Shut the socket: whoever waits at it fails at once."""
        self.pulled = True
        with self._lock:
            if self._twin is not None:
                with suppress(OSError):  # not connected, or shut already
                    self._twin.shutdown(socket.SHUT_RDWR)

    def release_twin(self) -> None:
        """Forget the socket."""
        if self._twin is not None:
            self._twin.close()
            self._twin = None

    def release(self) -> None:
        """Forget the socket, for good."""
        with self._lock:
            self.release_twin()


class Watchdog:
    """One thread that pulls the levers of operations that take too long."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[int, tuple[float, Lever]] = {}
        self._number = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float, lever: Lever) -> Iterator[None]:
        """Pull `lever` unless the block ends within so many seconds."""
        with self._changed:
            self._number += 1
            number = self._number
            self._watched[number] = (time.monotonic() + seconds, lever)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="imap-watchdog", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(number, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                late = [number for number, (until, _) in self._watched.items() if until <= now]
                levers = [self._watched.pop(number)[1] for number in late]
                if not levers:
                    until = min((until for until, _ in self._watched.values()), default=None)
                    self._changed.wait(None if until is None else max(0.0, until - now))
            for lever in levers:
                lever.pull()


def tls_context(server: Mailbox) -> ssl.SSLContext:
    """Return what verifies the server's certificate."""
    return ssl.create_default_context(cafile=str(server.tls_ca_file) if server.tls_ca_file else None)


def dial(server: Mailbox, lever: Lever, watchdog: Watchdog, pace: Pace) -> socket.socket:
    """Return a connected socket, encrypted if the server's port is so from the beginning.

    Raises:
        Trouble: at looking up the host, connecting or TLS.
    """
    plain = _connect(server, lever, watchdog, pace)
    if server.security != "tls":
        return plain
    try:
        with watchdog.within(pace.connect_s, lever):
            sealed = tls_context(server).wrap_socket(plain, server_hostname=server.host)
    except (OSError, ValueError) as error:  # ValueError: a host that is no name
        plain.close()
        raise unencrypted(server.host, server.port, error) from error
    sealed.settimeout(READ_S)
    return sealed


def _connect(server: Mailbox, lever: Lever, watchdog: Watchdog, pace: Pace) -> socket.socket:
    trouble: Trouble | None = None
    deadline = time.monotonic() + pace.connect_s
    for family, kind, protocol, _, address in _resolve(server.host, server.port, pace.connect_s):
        plain = socket.socket(family, kind, protocol)
        try:
            lever.attach(plain)
            plain.settimeout(max(1.0, (deadline - time.monotonic()) / 2))  # so that a second address has its turn
            with watchdog.within(pace.connect_s, lever):
                plain.connect(address)
        except OSError as error:
            plain.close()
            trouble = unreachable(server.host, server.port, error, server.security)
            if lever.pulled:
                break
            continue
        plain.settimeout(READ_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(plain)
        return plain
    raise trouble or Trouble(Step.RESOLVE, f"{server.host} has no address")


def _keep_alive(plain: socket.socket) -> None:
    """See that a path that died shows within IDLE, too, and that no router forgets one that is silent."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _resolve(host: str, port: int, wait_s: float) -> list[tuple[Any, ...]]:
    """Return the addresses of a host. The system's resolver cannot be interrupted, so a thread waits for it."""
    answer: queue.SimpleQueue[list[tuple[Any, ...]] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            answer.put(error)
        except UnicodeError as error:  # a host that is no name
            answer.put(OSError(0, str(error)))

    threading.Thread(target=ask, name="imap-resolver", daemon=True).start()
    try:
        found = answer.get(timeout=wait_s)
    except queue.Empty:
        found = TimeoutError(0, f"no answer within {wait_s:.0f} s")
    if isinstance(found, OSError):
        raise unresolved(host, found) from found
    return found
