"""How fast mail is taken in durably, against a bare aiosmtpd that throws it away.

    python -m tests.benchmarks.intake [--rounds 5] [--database URL] [--folder DIR]

Both servers run at the same time and are loaded in turn by the same client, so that what the machine does meanwhile
falls on both; the figures are medians of the rounds. maild runs as in production: SMTP, group commit, fsync before
the 250, its log written to a file. The last table is the memory of one large mail over that of the idle server.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median

from tests.benchmarks.smtp_load import Load, mail, send
from tests.processes import descendants

CASES = (  # size of a mail, connections, mails a round
    (4_096, 1, 600),
    (4_096, 10, 2_000),
    (4_096, 100, 3_000),
    (40_960, 10, 800),
    (5 << 20, 4, 12),
)
LARGE_BYTES = 50 << 20


def say(line: str) -> None:
    """Write a line for the reader, or for the process that started this one."""
    print(line, flush=True)  # noqa: T201 - this is a script


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    address: tuple[str, int]

    def pids(self) -> list[int]:
        """The process and those that it has begun, which may have begun others."""
        return [self.process.pid, *descendants(self.process.pid)]

    def cpu_s(self) -> float:
        """CPU seconds used so far, by children that have ended too."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(map(int, fields[11:15] if pid == self.process.pid else fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mib(self, name: str) -> float:
        """VmRSS, what is used now, or VmHWM, the most that ever was; of all processes together."""
        return sum(self.each_memory_mib(name))

    def shared_memory_mib(self) -> float:
        """What all processes use together: what several of them share counts once."""
        kib = 0
        for pid in self.pids():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kib += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        return kib / 1024

    def each_memory_mib(self, name: str) -> list[float]:
        """The same of each process, the server itself first."""
        found = []
        for pid in self.pids():
            text = Path(f"/proc/{pid}/status").read_text()
            found.append(next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name)) / 1024)
        return found


@contextmanager
def server(kind: str, database: str, folder: str) -> Iterator[Server]:
    """Run a server of `kind`, "maild" or "sink"."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.intake",
        "--serve",
        kind,
        "--database",
        database,
        "--folder",
        folder,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(process, ("127.0.0.1", int(process.stdout.readline())))
        finally:
            process.stdin.close()  # it ends with its input


def serve(kind: str, database_url: str, folder: str) -> None:
    """Be the server, until the standard input ends."""
    if kind == "sink":
        from aiosmtpd.smtp import SMTP

        class Sink:
            async def handle_DATA(self, _server: object, _session: object, _envelope: object) -> str:  # noqa: N802
                return "250 thrown away"

        async def sink() -> None:
            loop = asyncio.get_running_loop()
            listening = await loop.create_server(
                lambda: SMTP(Sink(), hostname="sink.example", data_size_limit=1 << 30, loop=loop), "127.0.0.1", 0
            )
            say(str(listening.sockets[0].getsockname()[1]))
            await loop.run_in_executor(None, sys.stdin.read)

        asyncio.run(sink())
        return
    from maild import logs
    from maild.inbox import GroupCommit
    from maild.services.smtp_listener import Limits, SmtpListener
    from maild.store import schema
    from maild.store.engine import Database

    def clock() -> datetime:
        return datetime.now(UTC)

    with Path(folder, "maild.log").open("w") as log:
        logs.configure(log)
        database = Database(database_url)
        schema.upgrade(database)
        writer = GroupCommit(database, clock, lambda: None)
        listener = SmtpListener(
            writer.submit,
            {"support@acme.example"}.__contains__,
            clock,
            hostname="desk.example",
            limits=Limits(connections=200, size_bytes=LARGE_BYTES + (1 << 20)),
            spool_directory=Path(folder),
        )
        writer.start()
        listener.start()
        say(str(listener.address[1]))
        sys.stdin.read()
        listener.stop(5)
        writer.stop(5)
        database.close()


def compare(database: str, folder: str, rounds: int, cases: tuple[tuple[int, int, int], ...] = CASES) -> None:
    """Load both servers in turn and print the table."""
    numbers = count()
    say(f"mails/s, medians of {rounds} rounds; CPU of the server, p99 from MAIL to the 250, syncs/s of the disk alone")
    say(f"{'':>14} | {'mails/s':>22} | {'CPU us a mail':>13} | {'p99 ms':>13} |")
    say(
        f"{'bytes':>8} {'conns':>5} | {'sink':>7} {'maild':>7} {'ratio':>6} | {'sink':>6} {'maild':>6}"
        f" | {'sink':>6} {'maild':>6} | {'syncs':>6}"
    )
    with server("sink", database, folder) as sink, server("maild", database, folder) as maild:
        for size_bytes, connections, mails in cases:
            loads: dict[str, list[Load]] = {"sink": [], "maild": []}
            cpu_us: dict[str, list[float]] = {"sink": [], "maild": []}
            syncs: list[float] = []
            for _ in range(rounds):
                syncs.append(syncs_a_second(folder))
                for name, at in (("sink", sink), ("maild", maild)):
                    batch = [mail(size_bytes, next(numbers)) for _ in range(mails)]
                    before_s = at.cpu_s()
                    loads[name].append(send(at.address, batch, connections))
                    cpu_us[name].append((at.cpu_s() - before_s) / mails * 1e6)
            rate = {name: median(load.rate for load in got) for name, got in loads.items()}
            p99 = {name: median(load.wait_ms(99) for load in got) for name, got in loads.items()}
            say(
                f"{size_bytes:>8} {connections:>5} | {rate['sink']:>7.0f} {rate['maild']:>7.0f}"
                f" {rate['maild'] / rate['sink']:>5.2f}x"
                f" | {median(cpu_us['sink']):>6.0f} {median(cpu_us['maild']):>6.0f}"
                f" | {p99['sink']:>6.1f} {p99['maild']:>6.1f} | {median(syncs):>6.0f}"
            )


def syncs_a_second(folder: str) -> float:
    """Return how often the disk keeps 4 KiB for good in a second: what bounds one connection."""
    times = 100
    with tempfile.TemporaryFile(dir=folder) as file:
        began_s = time.perf_counter()
        for _ in range(times):
            file.write(b"x" * 4_096)
            file.flush()
            os.fdatasync(file.fileno())
        return times / (time.perf_counter() - began_s)


def memory(database: str, folder: str) -> None:
    """Print what one large mail costs over the idle server."""
    say(f"\nmemory of one mail of {LARGE_BYTES >> 20} MiB, in MiB: idle, peak, peak over idle")
    for kind in ("sink", "maild"):
        with server(kind, database, folder) as at:
            send(at.address, [mail(4_096, -1)], 1)
            idle = at.memory_mib("VmRSS")
            send(at.address, [mail(LARGE_BYTES, -2)], 1)
            peak = at.memory_mib("VmHWM")
            say(f"{kind:>8} {idle:>7.0f} {peak:>7.0f} {peak - idle:>7.0f}")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", default="", help="URL of an empty database; a SQLite file of its own if left out")
    parser.add_argument("--folder", default=None, help="where the files go; it decides which disk is measured")
    parser.add_argument("--only", type=int, default=None, help="the number of a case, from 0")
    parser.add_argument("--serve", choices=("maild", "sink"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.database, given.folder)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        database = given.database or f"sqlite:///{folder}/maild.db"
        compare(database, folder, given.rounds, CASES if given.only is None else CASES[given.only :][:1])
        if given.only is None:
            memory(database, folder)


if __name__ == "__main__":
    main()
