"""How fast a mailbox is read: the backlog after a stop, one new mail, and a very large one.

    python -m tests.benchmarks.imap [--rounds 3] [--mails 10000]

A real Dovecot holds the mails. A backlog goes the whole way: fetched, stored with fsync, filed on tickets, and only
then marked as seen; against a bare imapclient that fetches the same batches from the same server and throws them away.
There are two: mail that was there before maild (`start = "all"`), which tells nobody anything, and mail that came while
maild was stopped, of which each leads to an acknowledgement and a notification, rendered and queued.
A new mail is timed from the notice that the server gives to any client in IDLE, to the ticket in the database.
"""

import argparse
import imaplib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

import imapclient
from sqlalchemy import func, select

from maild.services.imap_poller.fetching import BATCH_BYTES, BATCH_MAILS
from maild.store import schema
from maild.store.engine import Database
from maild.store.models import Direction, MailboxRow, MailRow, MailState, TicketRow
from tests import dovecot
from tests.benchmarks import smtp_load
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.intake import Server
from tests.benchmarks.servers import relay

CASES = ((4_096, 10_000, ">= 0.15x"), (40_960, 2_000, ">= 0.33x"))
LARGE_BYTES = 50 << 20
LOOK_S = 0.005
PATIENCE_S = 300.0

_pause = threading.Event()


def mail(number: int, size_bytes: int) -> bytes:
    """Return a mail of about so many bytes, from a sender of its own."""
    head = (
        f"Received: from mx.customer.example by mx.acme.example; Mon, 2 Mar 2026 12:00:00 +0000\r\n"
        f"From: Customer {number} <c{number}@customer.example>\r\nTo: support@acme.example\r\n"
        f"Subject: Printer {number} does not print\r\nDate: Mon, 2 Mar 2026 12:00:00 +0000\r\n"
        f"Message-ID: <b{number}.{time.monotonic_ns()}@customer.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    line = b"It makes a noise as if it would, and then it does not. What can I do?\r\n"
    return head + line * ((size_bytes - len(head)) // len(line))


class Box:
    """A mailbox whose files are written directly."""

    def __init__(self, server: dovecot.Dovecot) -> None:
        self.server = server
        self.account = server.account()
        self.client().logout()  # makes the folders

    def client(self) -> imapclient.IMAPClient:
        client = imapclient.IMAPClient(self.server.host, self.server.port, ssl=False)
        client.login(self.account.user, self.account.password)
        client.select_folder("INBOX")
        return client

    def fill(self, count: int, size_bytes: int) -> None:
        """Put mails into the folder."""
        self.put(mail(number, size_bytes) for number in range(count))

    def put(self, mails: Iterable[bytes]) -> None:
        """Put mails into the folder, as a delivery agent does."""
        folder = self.account.maildir / "new"
        owner = pwd.getpwnam("mail") if os.geteuid() == 0 else None
        for number, raw in enumerate(mails):
            path = folder / f"{time.time_ns()}.{number}.bench"
            path.write_bytes(raw)
            if owner:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def fetch_all(self) -> float:
        """Return how many mails a second a bare client fetches."""
        client = self.client()
        uids = client.search("ALL")
        size_bytes = sum(each[b"RFC822.SIZE"] for each in client.fetch(uids, ["RFC822.SIZE"]).values()) // len(uids)
        batch = max(1, min(BATCH_MAILS, BATCH_BYTES // size_bytes))
        began_s = time.perf_counter()
        for start in range(0, len(uids), batch):
            client.fetch(uids[start : start + batch], ["BODY.PEEK[]"])
        took_s = time.perf_counter() - began_s
        client.logout()
        return len(uids) / took_s

    def unseen(self) -> int:
        client = self.client()
        left = len(client.search("UNSEEN"))
        client.logout()
        return left


class Desk:
    """The daemon, which reads a mailbox."""

    def __init__(self, folder: Path, box: Box, relay_port: int, start: str = "now") -> None:
        self.url = f"sqlite:///{folder}/maild.db"
        self.log = folder / "maild.log"
        self.config = folder / "config.toml"
        self.config.write_text(f"""
[maild]
database = "{self.url}"
hostname = "desk.acme.example"
[relay]
host = "127.0.0.1"
port = {relay_port}
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
[[mailbox]]
name = "inbox"
host = "127.0.0.1"
port = {box.server.port}
user = "{box.account.user}"
password = "{box.account.password}"
security = "none"
after = "seen"
start = "{start}"
""")
        self.database = Database(self.url)
        schema.upgrade(self.database)

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Run the daemon until the block ends."""
        command = [sys.executable, "-m", "tests.benchmarks.servers", "maild", str(self.config)]
        with self.log.open("wb") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as process:
            try:
                self.wait_for("connected")
                yield Server(process, ("", 0))  # type: ignore[arg-type]  # its pipes are not used
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    def wait_for(self, words: str) -> datetime:
        """Return when the log said so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            for line in self.log.read_text().splitlines():
                if words in line:
                    return datetime.fromisoformat(line.split()[0])
            _pause.wait(LOOK_S)
        raise RuntimeError(f"the daemon does not say {words!r}:\n{self.log.read_text()[-2000:]}")

    def wait_until_filed(self, count: int) -> None:
        """Wait until so many mails are on tickets and the mailbox is at rest."""
        deadline_s = time.monotonic() + PATIENCE_S
        filed = select(func.count()).select_from(MailRow).where(MailRow.state == MailState.FILED)
        while time.monotonic() < deadline_s:
            with self.database.read() as connection:
                done = connection.scalar(filed) or 0
                read = connection.scalar(select(MailboxRow.last_uid)) or 0
            if done >= count and read >= count:
                return
            _pause.wait(0.02)
        raise RuntimeError("the daemon does not get done")

    def stored(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).where(MailRow.direction == Direction.IN)) or 0

    def tickets(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(TicketRow)) or 0


def backlog(
    server: dovecot.Dovecot, size_bytes: int, count: int, rounds: int, *, old: bool
) -> tuple[float, float, float]:
    """Return mails a second, ours and of the bare client, and our CPU in ms a mail: medians of rounds in turn.

    If `old`, of mail that was there before maild.
    """
    ours, bare, cpu_ms = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name, relay("silent") as relay_port:
            box = Box(server)
            desk = Desk(Path(name), box, relay_port, "all" if old else "now")
            if not old:
                with desk.running():
                    desk.wait_for("first contact")
            box.fill(count, size_bytes)
            box.fetch_all()  # the server reads its files once
            bare.append(box.fetch_all())
            with desk.running() as daemon:
                began_at, before_s = desk.wait_for("connected"), daemon.cpu_s()
                desk.wait_until_filed(count)
                ended_at = datetime.now(began_at.tzinfo)
                cpu_ms.append((daemon.cpu_s() - before_s) / count * 1000)
            ours.append(count / (ended_at - began_at).total_seconds())
            if left := box.unseen():
                raise RuntimeError(f"{left} mails are not marked")
            bare.append(box.fetch_all())
            desk.database.close()
    return median(ours), median(bare), median(cpu_ms)


def latency(server: dovecot.Dovecot, times: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds from the server's notice until the mail is stored, and until there is a ticket."""
    with tempfile.TemporaryDirectory() as name, relay("silent") as relay_port:
        box = Box(server)
        desk = Desk(Path(name), box, relay_port)
        stored_ms, took_ms = [], []
        with desk.running():
            watcher, writer = box.client(), imaplib.IMAP4(server.host, server.port)
            writer.login(box.account.user, box.account.password)
            _pause.wait(1.0)
            for number in range(times):
                watcher.idle()
                before = desk.tickets()
                writer.append("INBOX", "", "", mail(number, 4_096))
                while not any(b"EXISTS" in each for each in watcher.idle_check(timeout=5)):
                    pass
                noticed_s = time.perf_counter()
                while desk.stored() == number:
                    _pause.wait(0.001)
                stored_ms.append((time.perf_counter() - noticed_s) * 1000)
                while desk.tickets() == before:
                    _pause.wait(0.001)
                took_ms.append((time.perf_counter() - noticed_s) * 1000)
                watcher.idle_done()
            watcher.logout()
            writer.logout()
        desk.database.close()
    return sorted(stored_ms), sorted(took_ms)


def memory(server: dovecot.Dovecot) -> tuple[float, float]:
    """Return MiB: of the idle daemon, and at most above that while a large mail is fetched, stored and filed."""
    with tempfile.TemporaryDirectory() as name, relay("silent") as relay_port:
        box = Box(server)
        desk = Desk(Path(name), box, relay_port)
        with desk.running() as daemon:
            _pause.wait(1.0)
            box.fill(1, 4_096)  # all that is loaded at the first mail counts as idle
            desk.wait_until_filed(1)
            _pause.wait(0.5)
            idle = daemon.memory_mib("VmRSS")
            box.put([smtp_load.mail(LARGE_BYTES, 1)])  # the same as by SMTP, see `memory`
            desk.wait_until_filed(2)
            peak = daemon.memory_mib("VmHWM")
        desk.database.close()
    return idle, peak - idle


def measure(rounds: int = 1, mails: int = 2_000) -> list[Figure]:
    """Return the figures; `mails` is the size of the backlog of small ones."""
    figures = []
    with dovecot.server() as server:
        for size_bytes, count, goal in CASES:
            for old in (True, False):
                ours, bare, cpu_ms = backlog(server, size_bytes, count * mails // 10_000, rounds, old=old)
                what = f"IMAP, {size_bytes // 1024} KB, {'old mail' if old else 'after a stop'}"
                figures.append(Figure(f"{what}, filed", ours, "mails/s", "bare imapclient", bare, goal=goal))
                figures.append(Figure(f"{what}, CPU", cpu_ms, "ms a mail"))
        stored_ms, took_ms = latency(server, 10 * rounds)
        figures.append(Figure("IMAP notice to the commit, median", median(stored_ms), "ms"))
        figures.append(Figure("IMAP notice to ticket, median", median(took_ms), "ms", goal="<= 20 ms"))
        figures.append(Figure("IMAP notice to ticket, slowest", took_ms[-1], "ms"))
        idle, more = memory(server)
        figures.append(Figure("idle daemon with a mailbox", idle, "MiB", goal="<= 64 MiB"))
        figures.append(Figure("50 MB by IMAP, above idle", more, "MiB", goal="<= 32 MiB"))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=10_000, help="of 4 KB in the backlog; a fifth of that of 40 KB")
    arguments = parser.parse_args()
    print(table(measure(arguments.rounds, arguments.mails)))  # noqa: T201


if __name__ == "__main__":
    main()
