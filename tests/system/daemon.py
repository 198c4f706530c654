"""The daemon as a process: started, told, killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from maild.store.engine import Database
from tests.processes import descendants
from tests.wire.free_port import free_port

START_S = 60.0


class DaemonProcess:
    """`maild run` with a configuration of its own; the port stays the same over restarts."""

    def __init__(
        self, folder: Path, url: str, *, relay_port: int = 9, more: str = "", env: dict[str, str] | None = None
    ):
        self.port = free_port()
        self.relay_port = relay_port
        self.url = url
        self.config = folder / "config.toml"
        self.config.write_text(
            f"""
[maild]
database = "{url}"
hostname = "desk.acme.example"
[smtp]
listen = "127.0.0.1:{self.port}"
max_connections_per_address = 100
[relay]
host = "127.0.0.1"
port = {relay_port}
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
{more}
"""
        )
        self.env = env or {}
        self.command = [sys.executable, "-m", "maild", "run", "-c"]
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start and wait until it is ready."""
        self.begin()
        if not self.wait_for(" ready"):
            raise AssertionError("the daemon is not ready:\n" + "\n".join(self.lines[-30:]))

    def begin(self) -> None:
        """Start without waiting."""
        self.lines = []
        self._seen = threading.Condition()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **self.env}
        self.process = subprocess.Popen(
            [*self.command, str(self.config)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stderr:
            with self._seen:
                self.lines.append(line.rstrip("\n"))
                self._seen.notify_all()
        process.stderr.close()
        with self._seen:
            self.lines.append("(ended)")
            self._seen.notify_all()

    def wait_for(self, words: str, seconds: float = START_S) -> bool:
        """Wait until a line of the log holds `words`; False if it ends or takes too long before."""
        with self._seen:
            self._seen.wait_for(lambda: any(words in line or line == "(ended)" for line in self.lines), seconds)
            return any(words in line for line in self.lines)

    def wait_for_times(self, words: str, count: int, seconds: float = START_S) -> bool:
        """Wait until so many lines of the log hold `words`; return whether they do."""
        with self._seen:
            return self._seen.wait_for(lambda: sum(words in line for line in self.lines) >= count, seconds)

    def pids(self) -> list[int]:
        """The daemon, its fork server and its workers."""
        return [self.process.pid, *descendants(self.process.pid)]

    def fork_server(self, seconds: float = START_S) -> int:
        """The process that forks workers; waits until it is there."""
        return self._called("fork-server", seconds)

    def worker(self, seconds: float = START_S) -> int:
        """The first worker; waits until it is there."""
        return self._called("worker", seconds)

    def _called(self, name: str, seconds: float) -> int:
        pause, deadline = threading.Event(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            for pid in descendants(self.process.pid):
                with suppress(OSError):  # it has ended meanwhile
                    if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:2] == [b"maild", name.encode()]:
                        return pid
            pause.wait(0.01)
        raise AssertionError(f"there is no {name}")

    def kill(self, *, workers: bool = True) -> None:
        """SIGKILL, as a power cut would; without `workers` these are left to find out that nobody is there."""
        pids = self.pids()
        self.process.kill()
        for pid in pids[1:] if workers else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the daemon and its workers."""
        for pid in self.pids():
            os.kill(pid, number)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status

    def close(self) -> None:
        """End whatever still runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def database(self) -> Database:
        """The database, beside the daemon."""
        return Database(self.url)
