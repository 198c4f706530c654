"""Desks of any size, written straight into the database; and the arguments of what is measured at several sizes."""

import argparse
from collections.abc import Callable
from typing import Any

from maild.store.models import Direction, MailState
from tests.benchmarks.figures import Figure, table
from tests.clock import NOON

DATABASES = ("sqlite", "postgresql")
PAGE = 5_000  # rows that are written at once

Measure = Callable[[tuple[int, ...], tuple[str, ...], str | None], list[Figure]]


def ticket(number: int, **columns: object) -> dict[str, Any]:
    """Return a row of `ticket`."""
    return {
        "id": number,
        "subject": f"Question {number}",
        "department": "support",
        "created_at": NOON,
        "since": NOON,
        "attempts": 0,
        "undelivered": False,
        "priority": "normal",
        **columns,
    }


def mail(number: int, **columns: object) -> dict[str, Any]:
    """Return a row of `mail`: the one that began the ticket of that number."""
    return {
        "direction": Direction.IN,
        "state": MailState.FILED,
        "fingerprint": number.to_bytes(32, "big"),
        "stored_at": NOON,
        "source": "smtp 192.0.2.1",
        "recipients": ["support@acme.example"],
        "size_bytes": 4_096,
        "ticket_id": number,
        "kind": "human",
        "purpose": "open",
        "message_id": f"{number}@c.example",
        "from_address": "ada@c.example",
        "subject": f"Question {number}",
        "text": "It does not work.",
        "attempts": 0,
        **columns,
    }


def run(measure: Measure, description: str | None, *, sized_by: str, sizes: tuple[int, ...]) -> None:
    """Measure as the command's arguments say, and print it; `sized_by` is the argument that gives the sizes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{sized_by}", dest="sizes", type=int, nargs="+", default=list(sizes))
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--folder", default=None, help="where the files of SQLite go")
    given = parser.parse_args()
    print(table(measure(tuple(given.sizes), tuple(given.database), given.folder)))  # noqa: T201
