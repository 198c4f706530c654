"""How soon the daemon serves, and what it costs while nothing happens.

    python -m tests.benchmarks.start [--rounds 5] [--idle 10]

Time is from the start of the process to the 220 that greets a client, and to the worker that files what he sends: on a
new database (tables are made) and on one that is there; then to the next worker when this one is killed. The control is
the same interpreter importing the same libraries and nothing else. Memory and CPU are those of all processes with
nothing to do, their CPU counted by the scheduler of the kernel to the microsecond.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks import servers
from tests.benchmarks.figures import Figure, table

LIBRARIES = (
    "import aiosmtpd.smtp, alembic, babel, jinja2, nh3, pydantic, schedule, selectolax, sqlalchemy.orm, structlog"
)
SETTLING_S = 1.0


def measure(rounds: int = 5, idle_s: float = 10.0, folder: str | None = None) -> list[Figure]:
    """Start the daemon again and again, and let the last one do nothing for `idle_s` seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made)
        # As after an installation: all modules are compiled, whatever this machine ran before.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        _begun_after_s(path, f"sqlite:///{made}/first.db")
        _run(LIBRARIES)
        fresh = [_begun_after_s(path, f"sqlite:///{made}/new{number}.db").serves for number in range(rounds)]
        again: list[Begun] = []
        bare: list[float] = []
        for _ in range(rounds):
            again.append(_begun_after_s(path, f"sqlite:///{made}/new0.db"))
            bare.append(_timed(lambda: _run(LIBRARIES)))
        asked = [_timed(lambda: _run("import sys; sys.argv[1:] = ['--help']; import maild.__main__ as m; m.main()"))]
        each_mib, all_mib, cpu_s = _idle(path, f"sqlite:///{made}/new0.db", idle_s)
    return [
        Figure("serves, new database", median(fresh), "s", more_is_better=False, goal="<= 2 s"),
        Figure(
            "serves",
            median(each.serves for each in again),
            "s",
            "libraries alone",
            median(bare),
            more_is_better=False,
            goal="<= 0.6 s",
        ),
        Figure("files", median(each.files for each in again), "s", goal="<= 1 s"),
        Figure("files again, worker killed", median(each.files_again for each in again), "s", goal="<= 0.2 s"),
        Figure("--help", median(asked), "s", goal="<= 0.15 s"),
        *(
            Figure(f"idle memory of {name}", memory_mib, "MiB", goal="<= 64 MiB")
            for name, memory_mib in zip(("the daemon", "its fork server", "its worker"), each_mib, strict=True)
        ),
        Figure("idle memory, shared once", all_mib, "MiB", goal="<= 128 MiB"),
        Figure("idle CPU in an hour", cpu_s / idle_s * 3600, "s", goal="<= 2 s"),
    ]


class Begun(NamedTuple):
    """After how many seconds."""

    serves: float
    files: float
    files_again: float  # from the death of its worker


def _begun_after_s(folder: Path, url: str) -> Begun:
    began_s = time.perf_counter()
    with servers.relay("closed") as port, servers.maild(folder, url, port, braked=True) as desk:
        served_s = time.perf_counter()
        filed_s = _wait_for_worker(folder, 1)
        os.kill(desk.pids()[-1], signal.SIGKILL)
        killed_s = time.perf_counter()
        return Begun(served_s - began_s, filed_s - began_s, _wait_for_worker(folder, 2) - killed_s)


def _wait_for_worker(folder: Path, count: int) -> float:
    """Wait until a worker was ready `count` times; return when."""
    deadline_s = time.perf_counter() + servers.START_S
    pause = threading.Event()
    while (folder / "maild.log").read_text().count("worker ready") < count:
        if time.perf_counter() > deadline_s:
            raise RuntimeError("no worker becomes ready")
        pause.wait(0.002)
    return time.perf_counter()


def _idle(folder: Path, url: str, idle_s: float) -> tuple[list[float], float, float]:
    """Return the memory of each process in MiB, that of all, and the CPU seconds that all used within `idle_s`."""
    pause = threading.Event()
    with servers.relay("closed") as port, servers.maild(folder, url, port, braked=True) as desk:
        _wait_for_worker(folder, 1)
        pause.wait(SETTLING_S)
        before_s = sum(map(_cpu_s, desk.pids()))
        pause.wait(idle_s)
        used_s = sum(map(_cpu_s, desk.pids())) - before_s
        return desk.each_memory_mib("VmRSS"), desk.shared_memory_mib(), used_s


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of all threads; `stat` counts in hundredths, too coarse for an idle process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL)


def _timed(work: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def main() -> None:
    """Run it as its arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of doing nothing")
    parser.add_argument("--folder", default=None, help="where the files go; it decides which disk is measured")
    given = parser.parse_args()
    print(table(measure(given.rounds, given.idle, given.folder)))  # noqa: T201


if __name__ == "__main__":
    main()
