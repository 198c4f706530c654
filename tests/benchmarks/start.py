"""How soon the daemon serves, and what it costs while nothing happens.

    python -m tests.benchmarks.start [--rounds 5] [--idle 10]

Time is from the start of the process to the 220 that greets a client: on a new database (tables are made) and on one
that is there. The control is the same interpreter importing the same libraries and nothing else. Memory and CPU are
those of the daemon with nothing to do, its CPU counted by the scheduler of the kernel to the microsecond.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

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
        _served_after_s(path, f"sqlite:///{made}/first.db")
        _run(LIBRARIES)
        fresh = [_served_after_s(path, f"sqlite:///{made}/new{number}.db") for number in range(rounds)]
        again: list[float] = []
        bare: list[float] = []
        for _ in range(rounds):
            again.append(_served_after_s(path, f"sqlite:///{made}/new0.db"))
            bare.append(_timed(lambda: _run(LIBRARIES)))
        asked = [_timed(lambda: _run("import sys; sys.argv[1:] = ['--help']; import maild.__main__ as m; m.main()"))]
        (memory_mib, worker_mib), cpu_s = _idle(path, f"sqlite:///{made}/new0.db", idle_s)
    return [
        Figure("serves, new database", median(fresh), "s", more_is_better=False, goal="<= 2 s"),
        Figure("serves", median(again), "s", "libraries alone", median(bare), more_is_better=False, goal="<= 2 s"),
        Figure("--help", median(asked), "s", goal="<= 0.15 s"),
        Figure("idle memory of the daemon", memory_mib, "MiB", goal="<= 64 MiB"),
        Figure("idle memory of its worker", worker_mib, "MiB", goal="<= 64 MiB"),
        Figure("idle CPU in an hour", cpu_s / idle_s * 3600, "s", goal="<= 2 s"),
    ]


def _served_after_s(folder: Path, url: str) -> float:
    began_s = time.perf_counter()
    with servers.relay("closed") as port, servers.maild(folder, url, port, braked=True):
        return time.perf_counter() - began_s


def _idle(folder: Path, url: str, idle_s: float) -> tuple[list[float], float]:
    """Return the memory of each process in MiB, and the CPU seconds that all used within `idle_s`."""
    pause = threading.Event()
    with servers.relay("closed") as port, servers.maild(folder, url, port, braked=True) as desk:
        pause.wait(SETTLING_S)
        before_s = sum(map(_cpu_s, desk.pids()))
        pause.wait(idle_s)
        return desk.each_memory_mib("VmRSS"), sum(map(_cpu_s, desk.pids())) - before_s


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
