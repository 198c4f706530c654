"""A mailbox that is filled, a daemon that reads it, and what the server tells the daemon, for the benchmarks."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import imapclient
from sqlalchemy import func, select

from maild.services.imap_poller.fetching import BATCH_BYTES, BATCH_MAILS
from maild.store import schema
from maild.store.engine import Database
from maild.store.models import MailRow, MailState, TicketRow
from tests import dovecot
from tests.benchmarks.intake import Server
from tests.parts import free_port

LOOK_S = 0.005
PATIENCE_S = 300.0
QUIET_S = 2.0
ASIDE = "Aside"

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

    def fill_aside(self, count: int, size_bytes: int) -> str:
        """Put mails into a folder that nobody reads, to be moved from there (`move_all`); return its name."""
        client = self.client()
        client.create_folder(ASIDE)
        client.logout()
        self.put((mail(number, size_bytes) for number in range(count)), f".{ASIDE}")
        return ASIDE

    def move_all(self) -> None:
        """Move what is aside into the folder that is read, all at once."""
        client = self.client()
        client.select_folder(ASIDE)
        client.move(client.search("ALL"), "INBOX")
        client.logout()

    def put(self, mails: Iterable[bytes], folder_name: str = ".") -> None:
        """Put mails into a folder, as a delivery agent does."""
        folder = self.account.maildir / folder_name
        owner = pwd.getpwnam("mail") if os.geteuid() == 0 else None
        for number, raw in enumerate(mails):
            path = folder / "tmp" / f"{time.time_ns()}.{number}.bench"
            path.write_bytes(raw)
            if owner:
                os.chown(path, owner.pw_uid, owner.pw_gid)
            path.rename(folder / "new" / path.name)  # whole, before anybody sees it

    def fetch_all(self, folder: str = "INBOX") -> float:
        """Return how many mails a second a bare client fetches."""
        client = self.client()
        client.select_folder(folder)
        uids = client.search("ALL")
        size_bytes = sum(each[b"RFC822.SIZE"] for each in client.fetch(uids, ["RFC822.SIZE"]).values()) // len(uids)
        batch = max(1, min(BATCH_MAILS, BATCH_BYTES // size_bytes))
        began_s = time.perf_counter()
        for start in range(0, len(uids), batch):
            client.fetch(uids[start : start + batch], ["BODY.PEEK[]"])
        took_s = time.perf_counter() - began_s
        client.logout()
        return len(uids) / took_s

    def wait_until_seen(self, count: int) -> datetime:
        """Wait until so many mails are marked as seen; return when they were."""
        client = self.client()
        deadline_s = time.monotonic() + PATIENCE_S
        while len(client.search("SEEN")) < count:
            if time.monotonic() > deadline_s:
                raise RuntimeError("not all mails are marked")
            _pause.wait(0.02)
            client.noop()
        client.logout()
        return datetime.now().astimezone()


class Desk:
    """The daemon, which reads a mailbox."""

    def __init__(
        self,
        folder: Path,
        box: Box,
        relay_port: int,
        start: str = "now",
        *,
        imap_port: int | None = None,
        watched: bool = True,  # False: it has no mailbox before `watch`
    ) -> None:
        self.smtp_port = free_port()
        self.url = f"sqlite:///{folder}/maild.db"
        self.log = folder / "maild.log"
        self.config = folder / "config.toml"
        self._watched = watched
        self._mailbox = f"""
[[mailbox]]
name = "inbox"
host = "127.0.0.1"
port = {imap_port or box.server.port}
user = "{box.account.user}"
password = "{box.account.password}"
security = "none"
after = "seen"
start = "{start}"
"""
        self._desk = f"""
[maild]
database = "{self.url}"
hostname = "desk.acme.example"
[smtp]
listen = "127.0.0.1:{self.smtp_port}"
[relay]
host = "127.0.0.1"
port = {relay_port}
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
"""
        self.config.write_text(self._desk + self._mailbox * watched)
        self.database = Database(self.url)
        schema.upgrade(self.database)

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Run the daemon until the block ends."""
        command = [sys.executable, "-m", "tests.benchmarks.servers", "maild", str(self.config)]
        with self.log.open("wb") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as process:
            try:
                self.wait_for("connected" if self._watched else "ready pid")
                yield Server(process, ("", 0))  # type: ignore[arg-type]  # its pipes are not used
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    def watch(self, daemon: Server) -> datetime:
        """Have the running daemon read the mailbox, too; return when it has connected."""
        self.config.write_text(self._desk + self._mailbox)
        daemon.process.send_signal(signal.SIGHUP)
        return self.wait_for("connected")

    def wait_for(self, words: str) -> datetime:
        """Return when the log said so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            for line in self.log.read_text().splitlines():
                if words in line:
                    return datetime.fromisoformat(line.split()[0])
            _pause.wait(LOOK_S)
        raise RuntimeError(f"the daemon does not say {words!r}:\n{self.log.read_text()[-2000:]}")

    def wait_until_ready(self) -> None:
        """Wait until a worker is there and all is quiet: what is measured then is no start."""
        self.wait_for("worker ready")
        _pause.wait(QUIET_S)

    def wait_until_filed(self, count: int) -> datetime:
        """Wait until so many mails are on tickets; return when they were."""
        deadline_s = time.monotonic() + PATIENCE_S
        filed = select(func.count()).select_from(MailRow).where(MailRow.state == MailState.FILED)
        while time.monotonic() < deadline_s:
            with self.database.read() as connection:
                if (connection.scalar(filed) or 0) >= count:
                    return datetime.now().astimezone()
            _pause.wait(0.02)
        raise RuntimeError("the daemon does not get done")

    def tickets(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(TicketRow)) or 0


class Wire:
    """What stands between the daemon and its server, and tells when the server announced new mail to the daemon.

    Each session of a server hears of a mail at a moment of its own, tens of milliseconds apart; what another session
    hears says nothing of when the daemon could know.
    """

    def __init__(self, server: dovecot.Dovecot) -> None:
        self._server = server
        self._listening = socket.create_server((server.host, 0))
        self.port: int = self._listening.getsockname()[1]
        self.noticed_s, self.noticed_at = 0.0, datetime.now().astimezone()
        self.noticed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection((self._server.host, self._server.port))
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._carry, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, listen: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                if listen and b" EXISTS\r\n" in piece[:200] and not self.noticed.is_set():
                    self.noticed_s, self.noticed_at = time.perf_counter(), datetime.now().astimezone()
                    self.noticed.set()
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listening.close()
