"""The power is cut under load: what was answered 250 is there, once, whichever sectors the disk had written.

A few cuts each run; CUTS=60 makes it as thorough as one likes.
"""

import os
import random
import shutil
import smtplib
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from maild.store import raw
from maild.store.models import Direction, MailRow
from tests.system.daemon import DaemonProcess
from tests.system.power_cut import mounted, usable

CUTS = int(os.environ.get("CUTS", "4"))
CLIENTS = 6


class Client(threading.Thread):
    """Sends numbered mails until it is told to stop; knows when each was answered."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(daemon=True, name=name)
        self._port = port
        self.done = threading.Event()
        self.answered: dict[str, float] = {}

    def run(self) -> None:
        count = 0
        while not self.done.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self._port, timeout=5) as smtp:
                    while not self.done.is_set():
                        count += 1
                        subject = f"{self.name}-{count}"
                        sender = f"{subject}@client.example"
                        text = "x" * random.randrange(6000)
                        head = f"From: {sender}\r\nTo: support@acme.example\r\nSubject: {subject}\r\n"
                        smtp.sendmail(sender, ["support@acme.example"], f"{head}\r\n{text}\r\n")
                        self.answered[subject] = time.monotonic()
            except (OSError, smtplib.SMTPException):
                self.done.wait(0.01)


@pytest.mark.timeout(1200)
def test_a_mail_answered_250_survives_every_power_cut(tmp_path: Path, sqlite_url: str) -> None:
    if not usable():
        pytest.skip("not run: it takes root, /dev/fuse, libfuse2 or fuse3, and mfusepy")
    for name in ("seen", "durable"):
        (tmp_path / name).mkdir()
        shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), tmp_path / name / "maild.db")
    answered: set[str] = set()
    pause = threading.Event()
    for cut in range(CUTS):
        with mounted(tmp_path, seed=cut) as disk:
            daemon = DaemonProcess(tmp_path, f"sqlite:///{disk.at}/maild.db")
            clients = [Client(f"r{cut}c{number}", daemon.port) for number in range(CLIENTS)]
            try:
                daemon.start()
                for client in clients:
                    client.start()
                pause.wait(random.uniform(0.3, 1.5))
                cut_at = time.monotonic()
                disk.cut()
            finally:
                daemon.close()
                for client in clients:
                    client.done.set()
            for client in clients:
                client.join(10)
                # What was answered while the power went says nothing: that machine was dead already.
                answered |= {subject for subject, at in client.answered.items() if at < cut_at}

    assert len(answered) > CUTS
    survived = tmp_path / "survived"
    shutil.copytree(tmp_path / "durable", survived)
    with sqlite3.connect(survived / "maild.db") as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    plain.close()
    daemon = DaemonProcess(tmp_path, f"sqlite:///{survived}/maild.db")
    daemon.start()
    assert daemon.stop(60) == 0
    with daemon.database() as database, database.read() as connection:
        ids = connection.scalars(select(MailRow.id).where(MailRow.direction == Direction.IN)).all()
        there: Counter[str] = Counter()
        for number in range(0, len(ids), 500):
            for content in raw.of(connection, ids[number : number + 500]).values():
                there[content.partition(b"\nSubject: ")[2].partition(b"\r\n")[0].decode()] += 1
    assert answered - set(there) == set()
    assert max(there.values()) == 1
