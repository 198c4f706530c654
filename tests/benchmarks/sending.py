"""How fast mail leaves: a queue of deliveries through the smarthost, against smtplib.

    python -m tests.benchmarks.sending [--rounds 3] [--mails 300]

Mails are filed, so that acknowledgements and notifications wait as they do at a desk: rendered, with a reply address
for each recipient. The sender then empties that queue into a sink that throws everything away, with one thread and with
as many as the daemon has; each delivery is recorded before the next batch is claimed. One sink answers at once, so that
what is measured is computing, which threads of one process cannot do together; the other one answers 5 ms later. The
control sends the same bytes to the same sinks with smtplib over one connection, and knows of no queue.
"""

import argparse
import smtplib
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import func, select, update

from maild import config, logs
from maild.daemon import SENDERS
from maild.inbox import Incoming, store
from maild.services.loop import Loop
from maild.store import raw, schema
from maild.store.engine import Database
from maild.store.models import DeliveryRow, DeliveryState
from maild.works import Works, assemble
from tests.benchmarks import servers
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.mails import mail

PATIENCE_S = 120.0


def measure(rounds: int = 3, mails: int = 300, folder: str | None = None) -> list[Figure]:
    """Empty the same queue again and again, and send the same bytes by smtplib in turn."""
    with tempfile.TemporaryDirectory(dir=folder) as made, Database(f"sqlite:///{made}/maild.db") as database:
        path = Path(made)
        schema.upgrade(database)
        rate: dict[str, list[float]] = {
            name: [] for name in ("smtplib", "one", "all", "distant smtplib", "distant all")
        }
        cpu_ms: list[float] = []
        with (path / "maild.log").open("w") as log, _sending(path, database, "sink") as (port, works):
            logs.configure(log)
            _file(works, mails)
            letters = _letters(database)
            for _ in range(rounds):
                rate["smtplib"].append(_sent_by_smtplib(port, letters))
                before_s = time.process_time()
                rate["one"].append(_sent(works, 1))
                cpu_ms.append((time.process_time() - before_s) / len(letters) * 1e3)
                rate["all"].append(_sent(works, SENDERS))
            with _sending(path, database, "distant") as (far, distant):
                rate["distant smtplib"].append(_sent_by_smtplib(far, letters))
                rate["distant all"].append(_sent(distant, SENDERS))
    found = {name: median(each) for name, each in rate.items()}
    by_all, control = f"sent by {SENDERS} threads", found["smtplib"]
    far_control = found["distant smtplib"]
    return [
        Figure("sent by one thread", found["one"], "mails/s", "smtplib", control, goal=">= 0.8x"),
        Figure(by_all, found["all"], "mails/s", "smtplib", control, goal=">= 0.8x"),
        Figure(f"{by_all}, relay 5 ms away", found["distant all"], "mails/s", "smtplib", far_control, goal=">= 2x"),
        Figure("sent by one thread, CPU", median(cpu_ms), "ms a mail"),
    ]


@contextmanager
def _sending(folder: Path, database: Database, kind: str) -> Iterator[tuple[int, Works]]:
    """Give a relay's port, and a desk that sends through it."""
    with servers.relay(kind) as port:
        file = servers.configuration(folder, str(database.url), 0, port)
        works = assemble(config.load(file), database, _now)
        try:
            yield port, works
        finally:
            works.sender.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _file(works: Works, mails: int) -> None:
    servers.lift_brakes()
    with works.database.write() as connection:
        store(
            connection,
            [Incoming(None, ("support@acme.example",), "benchmark", mail("4 KB text", each)) for each in range(mails)],
            _now(),
        )
    while not works.filer.step():
        pass


def _letters(database: Database) -> list[tuple[str, bytes]]:
    """Return what is to be sent: recipient and bytes."""
    with database.read() as connection:
        rows = connection.execute(select(DeliveryRow.recipient, DeliveryRow.mail_id)).all()
        bytes_of = raw.of(connection, {row.mail_id for row in rows})
    return [(row.recipient, bytes_of[row.mail_id]) for row in rows]


def _sent_by_smtplib(port: int, letters: list[tuple[str, bytes]]) -> float:
    """Return how many mails a second smtplib sends over one connection."""
    began_s = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as client:
        for recipient, content in letters:
            client.sendmail("support@acme.example", [recipient], content)
    return len(letters) / (time.perf_counter() - began_s)


def _sent(works: Works, threads: int) -> float:
    """Return how many mails a second leave through so many threads of the sender."""
    _queue_again(works.database)
    emptied = threading.Event()
    began_s = time.perf_counter()

    def step() -> float:
        rest_s = works.sender.step()
        if rest_s and not _waiting(works.database):
            emptied.set()
        return min(rest_s, 0.01)

    loops = [Loop(f"sender-{number}", step) for number in range(threads)]
    for loop in loops:
        loop.start()
    if not emptied.wait(PATIENCE_S):
        raise RuntimeError(f"{_waiting(works.database)} mails are not sent")
    took_s = time.perf_counter() - began_s
    for loop in loops:
        loop.stop()
    for loop in loops:
        loop.join()
    with works.database.read() as connection:
        sent = connection.scalar(select(func.count()).where(DeliveryRow.state == DeliveryState.SENT)) or 0
    return sent / took_s


def _queue_again(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            update(DeliveryRow).values(state=DeliveryState.QUEUED, due_at=_now(), attempts=0, ended_at=None)
        )


def _waiting(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(DeliveryRow.due_at.is_not(None))) or 0


def main() -> None:
    """Run it as its arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=300, help="that are filed; each leads to two that are sent")
    parser.add_argument("--folder", default=None, help="where the files go; it decides which disk is measured")
    given = parser.parse_args()
    print(table(measure(given.rounds, given.mails, given.folder)))  # noqa: T201


if __name__ == "__main__":
    main()
