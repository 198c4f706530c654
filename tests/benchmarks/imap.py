"""How fast a mailbox is read: the backlog after a stop, one new mail, and very large ones.

    python -m tests.benchmarks.imap [--rounds 3] [--mails 10000] [--only backlog|latency|memory]

A real Dovecot holds the mails. A backlog goes the whole way: fetched, stored with fsync, filed on tickets, and only
then marked as seen; against a bare imapclient that fetches the same batches from the same server and throws them away,
before and after. Old mail (`start = "all"`) tells nobody anything: of a mailbox that a running desk is given, and of
one that is there when the desk starts, its workers just loading; both from the moment that the daemon has connected.
New mail leads to a notification, and up to 300 an hour to acknowledgements, rendered and queued: what came while maild
was stopped, and what is moved into the folder of a daemon that has been idle, from the server's notice on.

A lone mail is timed from the instant at which the server announces it to the daemon (IDLE), or says 250 to nobody else
but us (SMTP), until another process sees its ticket in the database, at which it looks each millisecond. The first one
after the start is told by itself: everything is done for the first time then.
"""

import argparse
import imaplib
import smtplib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests import dovecot
from tests.benchmarks import smtp_load
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.intake import Server
from tests.benchmarks.mailbox import PATIENCE_S, Box, Desk, Wire, mail
from tests.benchmarks.servers import relay

CASES = ((4_096, 10_000, ">= 0.15x"), (40_960, 2_000, ">= 0.33x"))
OLD, OLD_AT_START, STOPPED, IDLE = KINDS = ("old mail", "old mail, at the start", "after a stop", "while idle")
LARGE_BYTES = 50 << 20
AT_ONCE = 10
LONE_PAUSE_S = 0.3  # between two lone mails; a server waits for half a second more before it announces one
SMALLEST_MIB = 1 / 1024

_pause = threading.Event()


class Backlog(NamedTuple):
    """What became of a backlog."""

    ours: float  # mails a second
    bare: float
    cpu_ms: float  # a mail


def backlog(server: dovecot.Dovecot, size_bytes: int, count: int, rounds: int, kind: str) -> Backlog:
    """Return mails a second, ours and of the bare client, and our CPU in ms a mail: medians of rounds in turn."""
    found = [_backlog(server, size_bytes, count, kind) for _ in range(rounds)]
    bare = [rate for _, rates, _ in found for rate in rates]
    return Backlog(median(each[0] for each in found), median(bare), median(each[2] for each in found))


def _backlog(
    server: dovecot.Dovecot, size_bytes: int, count: int, kind: str
) -> tuple[float, tuple[float, float], float]:
    with tempfile.TemporaryDirectory() as name, relay("silent") as relay_port:
        box, wire = Box(server), Wire(server)
        desk = Desk(
            Path(name),
            box,
            relay_port,
            "all" if kind in (OLD, OLD_AT_START) else "now",
            imap_port=wire.port if kind == IDLE else None,
            watched=kind != OLD,
        )
        if kind == STOPPED:
            with desk.running():
                desk.wait_for("first contact")
        folder = "INBOX"
        if kind == IDLE:
            folder = box.fill_aside(count, size_bytes)
        else:
            box.fill(count, size_bytes)
        box.fetch_all(folder)  # the server reads its files once
        before = box.fetch_all(folder)
        with desk.running() as daemon:
            if kind in (OLD, IDLE):
                desk.wait_until_ready()
            used_s = daemon.cpu_s()
            if kind == OLD:
                began_at = desk.watch(daemon)
            elif kind == IDLE:
                wire.noticed.clear()
                box.move_all()
                wire.noticed.wait(PATIENCE_S)
                began_at = wire.noticed_at
            else:
                began_at = desk.wait_for("connected")
            filed_at = desk.wait_until_filed(count)
            marked_at = box.wait_until_seen(count)
            cpu_ms = (daemon.cpu_s() - used_s) / count * 1000
        ours = count / (max(filed_at, marked_at) - began_at).total_seconds()
        after = box.fetch_all()
        desk.database.close()
        wire.close()
    return ours, (before, after), cpu_ms


class Waits(NamedTuple):
    """Milliseconds until there is a ticket, mail by mail."""

    first: float
    others: list[float]


def latency(server: dovecot.Dovecot, times: int) -> tuple[Waits, Waits]:
    """Return how long lone mails waited that came by IMAP, and then by SMTP, to the same daemon."""
    with tempfile.TemporaryDirectory() as name, relay("silent") as relay_port:
        box, wire = Box(server), Wire(server)
        desk = Desk(Path(name), box, relay_port, imap_port=wire.port)
        with desk.running():
            desk.wait_until_ready()
            writer = imaplib.IMAP4(server.host, server.port)
            writer.login(box.account.user, box.account.password)

            def by_imap(number: int) -> float:
                wire.noticed.clear()
                writer.append("INBOX", "", "", mail(number, 4_096))
                wire.noticed.wait(PATIENCE_S)
                return wire.noticed_s

            def by_smtp(number: int) -> float:
                client.sendmail("c@customer.example", "support@acme.example", mail(number, 4_096))
                return time.perf_counter()

            fetched = _waits(desk, by_imap, times)
            client = smtplib.SMTP("127.0.0.1", desk.smtp_port)
            taken = _waits(desk, by_smtp, times)
            client.quit()
            writer.logout()
        desk.database.close()
        wire.close()
    return Waits(fetched[0], fetched[1:]), Waits(taken[0], taken[1:])


def _waits(desk: Desk, deliver: Callable[[int], float], times: int) -> list[float]:
    found = []
    there = desk.tickets()
    for number in range(there, there + times):
        known_s = deliver(number)
        while desk.tickets() == number:
            _pause.wait(0.001)
        found.append((time.perf_counter() - known_s) * 1000)
        _pause.wait(LONE_PAUSE_S)
    return found


class Memory(NamedTuple):
    """MiB."""

    each: list[float]  # RSS of each idle process
    pss: float  # of all of them: what they share is counted once
    more: float  # at most above that, all together, while large mails are fetched, stored and filed


def memory(server: dovecot.Dovecot, count: int) -> Memory:
    """Return what the daemon's processes hold when idle, and what `count` large mails at once add."""
    with tempfile.TemporaryDirectory() as name, relay("silent") as relay_port:
        box = Box(server)
        desk = Desk(Path(name), box, relay_port)
        with desk.running() as daemon:
            desk.wait_until_ready()
            box.fill(1, 4_096)  # all that is loaded at the first mail counts as idle
            desk.wait_until_filed(1)
            _pause.wait(1.0)
            each, pss = daemon.each_memory_mib("VmRSS"), _pss_mib(daemon)
            with _peak_of(daemon) as peak:
                box.put(smtp_load.mail(LARGE_BYTES, 1 + number) for number in range(count))  # the same as by SMTP
                desk.wait_until_filed(1 + count)
        desk.database.close()
    return Memory([one for one in each if one > SMALLEST_MIB], pss, max(peak) - pss)


@contextmanager
def _peak_of(daemon: Server) -> Iterator[list[float]]:
    """Give what will have been held by all processes together, looked at again and again."""
    held = [_pss_mib(daemon)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            held.append(_pss_mib(daemon))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield held
    finally:
        over.set()
        looking.join()


def _pss_mib(daemon: Server) -> float:
    held = 0.0
    for pid in daemon.pids():
        with suppress(OSError):  # it has ended meanwhile
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            held += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return held


def measure(rounds: int = 1, mails: int = 2_000, lone: int = 20, only: str = "") -> list[Figure]:
    """Return the figures; `mails` is the size of the backlog of small ones."""
    figures: list[Figure] = []
    with dovecot.server() as server:
        if only in ("", "backlog"):
            for size_bytes, count, goal in CASES:
                for kind in KINDS:
                    found = backlog(server, size_bytes, count * mails // 10_000, rounds, kind)
                    what = f"IMAP, {size_bytes // 1024} KB, {kind}"
                    against = ("bare imapclient", found.bare)
                    figures.append(Figure(f"{what}, filed", found.ours, "mails/s", *against, goal=goal))
                    figures.append(Figure(f"{what}, CPU", found.cpu_ms, "ms a mail"))
        if only in ("", "latency"):
            fetched, taken = latency(server, lone)
            for how, waits, goal in (("IMAP notice", fetched, "<= 20 ms"), ("SMTP 250", taken, "<= 20 ms")):
                figures.append(Figure(f"{how} to ticket, the first", waits.first, "ms"))
                figures.append(Figure(f"{how} to ticket, median", median(waits.others), "ms", goal="<= 10 ms"))
                figures.append(Figure(f"{how} to ticket, slowest", max(waits.others), "ms", goal=goal))
        if only in ("", "memory"):
            figures += _memory_figures(server)
    return figures


def _memory_figures(server: dovecot.Dovecot) -> list[Figure]:
    one, several = memory(server, 1), memory(server, AT_ONCE)
    return [
        *(Figure(f"process {n} idle, RSS", held, "MiB", goal="<= 64 MiB") for n, held in enumerate(one.each, 1)),
        Figure("all idle, PSS", one.pss, "MiB"),
        Figure("50 MB by IMAP, PSS above idle", one.more, "MiB", goal="<= 32 MiB"),
        Figure(f"{AT_ONCE} of 50 MB by IMAP, PSS above idle", several.more, "MiB", goal="<= 96 MiB"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=10_000, help="of 4 KB in the backlog; a fifth of that of 40 KB")
    parser.add_argument("--lone", type=int, default=50, help="mails that come alone, by each way")
    parser.add_argument("--only", choices=("backlog", "latency", "memory"), default="")
    given = parser.parse_args()
    print(table(measure(given.rounds, given.mails, given.lone, given.only)))  # noqa: T201


if __name__ == "__main__":
    main()
