"""What a daemon costs while nothing happens: SMTP, a mailbox in IDLE, the scheduler and the outbox.

    python -m tests.benchmarks.idle [--seconds 120]

CPU is counted by the scheduler of the kernel to the microsecond, for all processes of the daemon together, and reckoned
for an hour. The table below shows each process, and how often each of its threads was woken: who wakes often without
work is found there.
"""

import argparse
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests import dovecot
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.mailbox import Box, Desk
from tests.benchmarks.servers import relay

SETTLING_S = 5.0
HOUR_S = 3600.0


class Thread(NamedTuple):
    """What a thread has used since it began."""

    pid: int
    number: int
    cpu_s: float
    wakes: int


def measure(idle_s: float = 120.0, *, each: bool = False) -> list[Figure]:
    """Let a daemon do nothing for so many seconds; `each` prints its threads."""
    pause = threading.Event()
    with dovecot.server() as server, tempfile.TemporaryDirectory() as name, relay("closed") as relay_port:
        desk = Desk(Path(name), Box(server), relay_port)
        with desk.running() as daemon:
            desk.wait_until_ready()
            pause.wait(SETTLING_S)
            before = {(one.pid, one.number): one for pid in daemon.pids() for one in _threads(pid)}
            pause.wait(idle_s)
            after = [one for pid in daemon.pids() for one in _threads(pid)]
        desk.database.close()
    hour = HOUR_S / idle_s
    used = []
    for one in after:
        was = before.get((one.pid, one.number), Thread(one.pid, one.number, 0.0, 0))
        used.append(Thread(one.pid, one.number, (one.cpu_s - was.cpu_s) * hour, round((one.wakes - was.wakes) * hour)))
    if each:
        for one in sorted(used, key=lambda one: -one.cpu_s):
            print(f"  process {one.pid} thread {one.number}: {one.cpu_s:.2f} s, woken {one.wakes} times an hour")  # noqa: T201
    return [
        Figure("idle with a mailbox, CPU in an hour", sum(one.cpu_s for one in used), "s", goal="<= 2 s"),
        Figure("idle with a mailbox, woken in an hour", sum(one.wakes for one in used), "times"),
    ]


def _threads(pid: int) -> Iterator[Thread]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu_ns = int((task / "schedstat").read_text().split()[0])
        status = (task / "status").read_text()
        wakes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary"))
        yield Thread(pid, int(task.name), cpu_ns / 1e9, wakes)


def main() -> None:
    """Run it as its arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    print(table(measure(given.seconds, each=True)))  # noqa: T201


if __name__ == "__main__":
    main()
