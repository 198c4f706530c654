"""How long the scheduler takes to look when nothing is due, and to tick what is, with few tickets and with many.

    python -m tests.benchmarks.scheduler [--tickets 1000 100000 1000000] [--database sqlite postgresql]

A desk is filled with answered and closed tickets of as many customers, each with its mail. First nothing is due: what
is measured is one step. Then DUE of the answered ones are: half of them are to be reminded, which writes a mail, half
resolved by silence, which writes one too. The growth is how many times longer it takes with many tickets.
"""

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from maild import config, logs
from maild.rules.state import Status
from maild.services.scheduler import Scheduler
from maild.store import schema
from maild.store.engine import Database
from maild.store.models import AddressRow, MailRow, PersonRow, TicketRow
from maild.works import assemble
from tests.benchmarks import desks, servers
from tests.benchmarks.desks import DATABASES, PAGE
from tests.benchmarks.figures import Figure
from tests.clock import NOON, FakeClock

SIZES = (1_000, 100_000)
DUE = 1_000
LOOKS = 200
OPEN_SHARE = 10  # one ticket in so many is not closed, but at least DUE
ANSWERED_AT = NOON - timedelta(days=5, hours=-1)  # so that the reminder is due within the hour
REMINDED_AT = NOON - timedelta(days=4)


def measure(
    sizes: tuple[int, ...] = SIZES, kinds: tuple[str, ...] = DATABASES, folder: str | None = None
) -> list[Figure]:
    """Return what a look and a thousand ticks take, and how they grow from the first size to the last."""
    figures: list[Figure] = []
    for kind in kinds:
        found: list[tuple[float, float]] = []
        for tickets in sizes:
            try:
                with (
                    tempfile.TemporaryDirectory(dir=folder) as made,
                    servers.new_database(kind, Path(made)) as url,
                    Database(url) as database,
                ):
                    schema.upgrade(database)
                    look_ms, tick_ms = _one(database, tickets)
            except pytest.skip.Exception as missing:
                print(missing)  # noqa: T201
                break
            found.append((look_ms, tick_ms))
            at = f"{kind}, {tickets:,} tickets"
            figures += [
                Figure(f"{at}: a look, nothing due", look_ms, "ms", goal="<= 0.5 ms"),
                Figure(f"{at}: {DUE:,} due, each", tick_ms, "ms"),
            ]
        if len(found) > 1:
            figures += [
                Figure(f"{kind}: growth of {what}", found[-1][column] / found[0][column], "x", goal="<= 2x")
                for column, what in enumerate(("a look", "a tick"))
            ]
    return figures


def _one(database: Database, tickets: int) -> tuple[float, float]:
    """Return the milliseconds of a look and of one tick of a thousand."""
    _fill(database, tickets)
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as made, Path(made, "log").open("w") as log:
        logs.configure(log)
        written = servers.configuration(Path(made), str(database.url), 2525, 25)
        # What is measured is the work: the pace, which would spread it over half an hour, is lifted.
        unhurried = 'name = "support"\n'
        written.write_text(written.read_text().replace(unhurried, f"{unhurried}reminders_a_minute = {100 * DUE}\n", 1))
        settings = config.load(written)
        scheduler = assemble(settings, database, clock).scheduler
        return _looks_ms(scheduler), _ticks_ms(scheduler, database, clock)


def _looks_ms(scheduler: Scheduler) -> float:
    scheduler.step()
    took_s: list[float] = []
    for _ in range(LOOKS):
        began_s = time.perf_counter()
        scheduler.step()
        took_s.append(time.perf_counter() - began_s)
    return median(took_s) * 1e3


def _ticks_ms(scheduler: Scheduler, database: Database, clock: FakeClock) -> float:
    for _ in range(6):  # looked at often enough, as a daemon does: after a gap it would go slowly
        clock.advance(minutes=10)
        scheduler._watch.notice_gap()
        scheduler._watch.looked()
    began_s = time.perf_counter()
    while _due(database, clock()):
        scheduler.step()
    return (time.perf_counter() - began_s) / DUE * 1e3


def _due(database: Database, now: datetime) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(TicketRow.due_at <= now)) or 0


def _fill(database: Database, tickets: int) -> None:
    """Write tickets, of which DUE become due an hour from now, some later, and the most never."""
    alive = max(DUE, tickets // OPEN_SHARE)
    for first in range(1, tickets + 1, PAGE):
        numbers = range(first, min(first + PAGE, tickets + 1))
        with database.write() as connection:
            connection.execute(insert(PersonRow), [{"id": each, "name": "", "created_at": NOON} for each in numbers])
            connection.execute(
                insert(AddressRow),
                [
                    {"id": each, "person_id": each, "normal": f"p{each}@c.example", "address": f"p{each}@c.example"}
                    for each in numbers
                ],
            )
            connection.execute(insert(TicketRow), [_ticket(each, alive) for each in numbers])
            connection.execute(insert(MailRow), [_mail(each) for each in numbers])
    with database.write() as connection:
        if not database.is_sqlite:
            for name in ("person", "address", "ticket", "mail"):
                connection.exec_driver_sql(f"SELECT setval('{name}_id_seq', {tickets})")
        connection.exec_driver_sql("ANALYZE")


def _ticket(number: int, alive: int) -> dict[str, Any]:
    answered = number <= alive
    reminded = number % 2 == 0
    due_at = NOON + (timedelta(hours=1) if number <= DUE else timedelta(days=1 + number % 30))
    return desks.ticket(
        number,
        requester_id=number,
        created_at=REMINDED_AT - timedelta(days=9),
        status=Status.ANSWERED if answered else Status.CLOSED,
        since=ANSWERED_AT,
        answered_at=ANSWERED_AT - timedelta(days=5 * reminded),
        reminded_at=REMINDED_AT if reminded and answered else None,
        due_at=due_at if answered else None,
    )


def _mail(number: int) -> dict[str, Any]:
    return desks.mail(number, stored_at=datetime(2026, 2, 1, tzinfo=UTC), from_address=f"p{number}@c.example")


def main() -> None:
    """Run it as its arguments say."""
    desks.run(measure, __doc__, sized_by="tickets", sizes=SIZES)


if __name__ == "__main__":
    main()
