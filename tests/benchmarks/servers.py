"""What is measured, each in a process of its own: the daemon, the naive control, and what stands for the smarthost.

    with maild(folder, url) as desk, naive(folder) as control: ...

The daemon is `maild run -c FILE`, its log written to a file. One thing is changed for the benchmarks, in `lift_brakes`:
how many acknowledgements may leave in an hour, since a flood of mails is what they send.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from maild.store.engine import Database
from maild.store.models import DeliveryRow, MailRow, MailState
from tests import postgresql
from tests.benchmarks.intake import Server
from tests.parts import free_port

HOST = "mx.acme.example"  # whose Authentication-Results the daemon believes
LOOK_S = 0.01
PATIENCE_S = 300.0
START_S = 60.0
QUIET_S = 0.3

_pause = threading.Event()


@dataclass
class Desk(Server):
    """The daemon and its database."""

    database: Database

    def wait_until_filed(self) -> None:
        """Wait until no stored mail waits for the filer."""
        self._wait(select(MailRow.id).where(MailRow.state == MailState.STORED).limit(1))

    def wait_until_sent(self) -> None:
        """Wait until no delivery waits for the sender."""
        self._wait(select(DeliveryRow.id).where(DeliveryRow.due_at.is_not(None)).limit(1))

    def _wait(self, left: object) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            with self.database.read() as connection:
                if connection.scalar(left) is None:  # type: ignore[call-overload]  # a select
                    return
            _pause.wait(LOOK_S)
        raise RuntimeError("the daemon does not get done")

    def wait_until_quiet(self) -> None:
        """Wait until the process uses next to no CPU, so that it does not disturb what is measured next."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            before_s = self.cpu_s()
            _pause.wait(QUIET_S)
            if self.cpu_s() - before_s < 0.05 * QUIET_S:
                return

    def count(self) -> dict[str, int]:
        """How many mails there are, by purpose."""
        with self.database.read() as connection:
            rows = connection.execute(select(MailRow.purpose, func.count()).group_by(MailRow.purpose)).all()
        return {purpose or "": number for purpose, number in rows}


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a new database of `kind`, "sqlite" or "postgresql"; the server is one's own, and durable."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/maild.db"
        return
    with postgresql.server(fsync=True) as server:
        yield server.create()


def configuration(folder: Path, url: str, port: int, relay_port: int) -> Path:
    """Write a configuration and return its path."""
    path = folder / "config.toml"
    path.write_text(f"""
[maild]
database = "{url}"
hostname = "desk.acme.example"
authserv_id = "{HOST}"
[smtp]
listen = "127.0.0.1:{port}"
max_size = "64MB"
max_connections = 200
max_connections_per_address = 200
[relay]
host = "127.0.0.1"
port = {relay_port}
[[department]]
name = "support"
title = "Acme Support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
""")
    return path


@contextmanager
def maild(folder: Path, url: str, relay_port: int, *, braked: bool = False) -> Iterator[Desk]:
    """Run the daemon on the database at `url` and wait until it is ready."""
    port = free_port()
    path = configuration(folder, url, port, relay_port)
    module = ["maild", "run", "-c", str(path)] if braked else ["tests.benchmarks.servers", "maild", str(path)]
    log = folder / "maild.log"
    with (
        log.open("wb") as file,
        subprocess.Popen([sys.executable, "-m", *module], stdin=subprocess.DEVNULL, stderr=file) as process,
    ):
        try:
            wait_for_greeting(port, process)
            database = Database(url)
            try:
                yield Desk(process, ("127.0.0.1", port), database)  # type: ignore[arg-type]  # its pipes are not used
            finally:
                database.close()
        except RuntimeError as error:
            error.add_note("\n".join(log.read_text().splitlines()[-20:]))
            raise
        finally:
            process.terminate()
            process.wait(30)


def wait_for_greeting(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a server greets on `port`."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), START_S) as client:
                if client.recv(4).startswith(b"220"):
                    return
        except OSError:
            _pause.wait(0.002)
    raise RuntimeError(f"no server at {port}")


@contextmanager
def naive(folder: Path) -> Iterator[Server]:
    """Run the naive control."""
    with _child("tests.benchmarks.naive", str(folder / "naive.db")) as server:
        yield server


@contextmanager
def relay(kind: str) -> Iterator[int]:
    """Give the port of a smarthost of `kind`.

    "silent" takes connections and never greets, so that nothing is sent meanwhile and what is measured ends with the
    queue; at "closed" nobody listens, and each delivery is put back; "sink" takes every mail and throws it away,
    "distant" says so 5 ms later.
    """
    if kind in ("sink", "distant"):
        with _child("tests.benchmarks.servers", kind) as server:
            yield server.address[1]
        return
    if kind == "closed":
        yield free_port()
        return
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[Server]:
    """Run a module that prints its port and ends with its input."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(process, ("127.0.0.1", int(process.stdout.readline())))
        finally:
            process.stdin.close()


def _unbraked(path: str) -> int:
    """Be the daemon, with limits of automatic mail that a flood does not reach."""
    from maild import logs
    from maild.daemon import serve
    from maild.workers.spawning import ForkServer

    logs.configure()
    return serve(
        Path(path), print, fork_server=ForkServer([sys.executable, "-m", "tests.benchmarks.servers", "fork-server"])
    )


def _unbraked_fork_server() -> int:
    """Be the fork server of that daemon."""
    from maild.workers import forkserver, start

    lift_brakes()
    return forkserver.main(start.way_to_the_daemon())


def lift_brakes() -> None:
    """Let any number of acknowledgements leave this process."""
    from maild.rules import limits

    limits.IN_ALL = ((limits.HOUR, 1 << 40),)
    limits.IN_ALL_UNPROVEN = ((limits.HOUR, 1 << 40),)
    limits.PER_UNPROVEN_DOMAIN = ((limits.DAY, 1 << 40),)


def _sink(delay_s: float = 0.0) -> None:
    """Be a smarthost that throws away what it takes, and answers after `delay_s`."""
    import asyncio

    class Sink(asyncio.Protocol):
        def __init__(self) -> None:
            self._held = b""
            self._content = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            loop = asyncio.get_running_loop()
            self._write = partial(loop.call_later, delay_s, transport.write) if delay_s else transport.write
            self._close = transport.close
            self._write(b"220 sink.example ESMTP\r\n")

        def data_received(self, data: bytes) -> None:
            self._held += data
            while True:
                end = b"\r\n.\r\n" if self._content else b"\r\n"
                line, found, rest = self._held.partition(end)
                if not found:
                    return
                self._held = rest
                word = b"." if self._content else line[:4].upper()
                self._content = word == b"DATA"
                if word == b"QUIT":
                    self._write(b"221 2.0.0 bye\r\n")
                    self._close()
                    return
                offer = b"250-sink.example\r\n250 PIPELINING\r\n"
                taken = offer if word == b"EHLO" else b"250 2.0.0 thrown away\r\n"
                self._write(b"354 go on\r\n" if self._content else taken)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(Sink, "127.0.0.1", 0)
        print(listening.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for the parent
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(serve())


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        _sink()
    elif sys.argv[1] == "distant":
        _sink(0.005)
    elif sys.argv[1] == "fork-server":
        sys.exit(_unbraked_fork_server())
    else:
        sys.exit(_unbraked(sys.argv[2]))
