"""How long a search takes against comparing the texts, and what the index costs a mail that is filed.

    python -m tests.benchmarks.search [--mails 100000 1000000] [--database sqlite postgresql]

A desk is filled with mails of 800 characters whose words are as frequent as in a language (Zipf's law). Then words are
looked for: one of every third mail, one of a thousandth, two together, a phrase, a beginning, one that nobody wrote;
by the index, and by comparing the texts of the same mails as `LIKE` does. The cost of a mail is that of a group of a
hundred, in one transaction with the update of their rows, with the index and without.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, insert, text, true, update

from maild.message.search import Query, query
from maild.rules.state import Status
from maild.store import schema, search
from maild.store.engine import Database
from maild.store.models import AddressRow, MailRow, PersonRow, TicketRow
from tests.benchmarks import desks, servers
from tests.benchmarks.desks import DATABASES, PAGE
from tests.benchmarks.figures import Figure
from tests.clock import NOON

SIZES = (100_000,)
WORDS = 130  # of a mail: 800 characters
KNOWN = 50_000  # words of the language
ASKED = {
    "a frequent word": "w30",
    "a rare word": "w4000",
    "two words": "w30 w900",
    "a phrase": '"w5 w9"',
    "a beginning": "w400*",
    "a word that nobody wrote": "nowhere",
}
ROUNDS = 5
GROUP = 100
GROUPS = 20


def measure(
    sizes: tuple[int, ...] = SIZES, kinds: tuple[str, ...] = DATABASES, folder: str | None = None
) -> list[Figure]:
    """Return what searches take at each size, and what the index costs a mail."""
    figures: list[Figure] = []
    for kind in kinds:
        for mails in sizes:
            try:
                with (
                    tempfile.TemporaryDirectory(dir=folder) as made,
                    servers.new_database(kind, Path(made)) as url,
                    Database(url) as database,
                ):
                    schema.upgrade(database)
                    figures += _one(database, kind, mails)
            except pytest.skip.Exception as missing:
                print(missing)  # noqa: T201
                break
    return figures


def _one(database: Database, kind: str, mails: int) -> Iterator[Figure]:
    at = f"{kind}, {mails:,} mails"
    plain_ms, indexed_ms = _fill(database, mails)
    for name, asked in ASKED.items():
        with database.read() as connection:
            index_ms = _median_ms(connection, query(asked))
            like_ms = _compared_ms(connection, asked)
        yield Figure(f"{at}: {name}", index_ms, "ms", "LIKE", like_ms, more_is_better=False)
    yield Figure(
        f"{at}: index, each mail of a group of {GROUP}",
        indexed_ms - plain_ms,
        "ms",
        "its row alone",
        plain_ms,
        more_is_better=False,
    )


def _median_ms(connection: Connection, asked: Query) -> float:
    took = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        search.find(connection, asked, true())
        took.append(time.perf_counter() - began_s)
    return median(took) * 1e3


def _compared_ms(connection: Connection, asked: str) -> float:
    """Return what comparing takes: the newest fifty tickets whose mails have the words somewhere in them."""
    said = [each.written for each in query(asked).terms]
    like = "LIKE" if connection.dialect.name == "sqlite" else "ILIKE"
    wanted = " AND ".join(
        f"(mail.text {like} :w{number} OR mail.subject {like} :w{number})" for number in range(len(said))
    )
    statement = text(
        "SELECT ticket.id, max(mail.id) FROM mail JOIN ticket ON ticket.id = mail.ticket_id"
        f" WHERE {wanted} GROUP BY ticket.id ORDER BY max(mail.id) DESC LIMIT 50"
    )
    began_s = time.perf_counter()
    connection.execute(statement, {f"w{number}": f"%{each}%" for number, each in enumerate(said)}).all()
    return (time.perf_counter() - began_s) * 1e3


def _fill(database: Database, mails: int) -> tuple[float, float]:
    """Write mails; return the milliseconds of one in the last groups, without the index and with it."""
    chance = random.Random(7)
    shares = [1 / (rank + 3) for rank in range(KNOWN)]
    known = [f"w{rank}" for rank in range(KNOWN)]
    drawn = chance.choices(known, shares, k=2_000_000)
    with database.write() as connection:
        connection.execute(insert(PersonRow), [{"id": 1, "name": "Ada", "created_at": NOON}])
        connection.execute(
            insert(AddressRow), [{"id": 1, "person_id": 1, "normal": "ada@c.example", "address": "ada@c.example"}]
        )
    for first in range(1, mails + 1, PAGE):
        numbers = range(first, min(first + PAGE, mails + 1))
        with database.write() as connection:
            connection.execute(insert(TicketRow), [_ticket(each) for each in numbers])
            rows = [_mail(each, drawn, chance) for each in numbers]
            connection.execute(insert(MailRow), rows)
            search.index(connection, [search.Said(*map(each.get, ("id", "subject", "text"))) for each in rows])
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    costs = []
    for with_index in (False, True):
        took = []
        for _ in range(GROUPS):
            took.append(_group_ms(database, mails, drawn, chance, with_index=with_index))
            mails += GROUP
        costs.append(median(took))
    return costs[0], costs[1]


def _group_ms(database: Database, mails: int, drawn: list[str], chance: random.Random, *, with_index: bool) -> float:
    """Store a group of mails, then file it; return the milliseconds that filing took each."""
    rows = [_mail(each, drawn, chance) for each in range(mails + 1, mails + 1 + GROUP)]
    with database.write() as connection:
        connection.execute(insert(TicketRow), [_ticket(row["id"]) for row in rows])
        connection.execute(insert(MailRow), [{**row, "subject": None, "text": None} for row in rows])
    began_s = time.perf_counter()
    with database.write() as connection:
        connection.execute(
            update(MailRow).where(MailRow.id == bindparam("mail")),
            [{"mail": row["id"], "subject": row["subject"], "text": row["text"]} for row in rows],
        )
        if with_index:
            search.index(connection, [search.Said(*map(row.get, ("id", "subject", "text"))) for row in rows])
    return (time.perf_counter() - began_s) * 1e3 / GROUP


def _ticket(number: int) -> dict[str, Any]:
    return desks.ticket(number, requester_id=1, status=Status.CLOSED)


def _mail(number: int, drawn: list[str], chance: random.Random) -> dict[str, Any]:
    start = chance.randrange(len(drawn) - WORDS)
    return desks.mail(
        number,
        id=number,
        stored_at=NOON + timedelta(seconds=number),
        text=" ".join(drawn[start : start + WORDS]),
    )


def main() -> None:
    """Run it as its arguments say."""
    desks.run(measure, __doc__, sized_by="mails", sizes=SIZES)


if __name__ == "__main__":
    main()
