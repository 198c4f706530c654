"""A ticket's history as an agent reads it: who did what, a line for each happening, and the facts that he knows it by.

Instants that only say when are left out, since the line says that; so is what only the rules need to know.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from maild.desk import MAILD, Deed
from maild.services.filer.telling import shown
from maild.templates import pieces
from maild.templates.pieces import Change

MOST_VALUE_CHARS: Final = 200  # of a fact that is told
_ALSO: Final = frozenset(
    {"reason", "withheld", "escalated", "rating", "follows_id", "offered_to", "told_at", "reminded_at"}
)
_WITHHELD: Final = re.compile(r"(\w+) to (\S*): (.+)", re.DOTALL)
_NUMBER: Final = re.compile(r"\b\d+\b")


def recount(ticket_id: int, rows: Sequence[Any]) -> tuple[Change, ...]:
    """Return what rows of the history tell, oldest first: `at`, `actor`, `cause`, `field`, `old`, `new`."""
    told = []
    for (at, actor, cause), changes in groupby(rows, lambda row: (row.at, row.actor, row.cause)):
        deeds = tuple(_deeds(ticket_id, tuple(changes)))
        if deeds or cause != "Tick":  # time passed, and nothing of it concerns him
            told.append(Change(at, "" if actor == MAILD else actor, cause, deeds))
    return tuple(told)


def _deeds(ticket_id: int, rows: Sequence[Any]) -> Iterator[pieces.Deed]:
    changed = [Deed(ticket_id, row.field, _short(row.old), _short(row.new)) for row in rows]
    yield from shown(changed)
    for each in changed:
        if each.field not in _ALSO or each.new is None:
            continue
        match each.field:
            case "told_at" | "reminded_at":
                yield pieces.Deed(ticket_id, each.field)
            case "follows_id":
                yield pieces.Deed(ticket_id, each.field, "", f"#{each.new}")
            case "escalated":
                rules = set(each.new.split(", ")) - set((each.old or "").split(", "))
                yield pieces.Deed(ticket_id, each.field, "", ", ".join(sorted(rules)))
            case "reason":
                yield pieces.Deed(ticket_id, each.field, *_sentence(each.new))
            case "withheld" if found := _WITHHELD.fullmatch(each.new):
                yield pieces.Deed(ticket_id, each.field, *_sentence(found[3]), mail=found[1], to=found[2])
            case _:
                yield pieces.Deed(ticket_id, each.field, "", each.new)


def _sentence(written: str) -> tuple[str, str]:
    """Return the first number in a reason, and the sentence of `rules.assignment` or `rules.limits` around it."""
    found = _NUMBER.search(written)
    return found[0] if found else "", _NUMBER.sub("%(count)s", written.replace("%", "%%"), count=1)


def _short(value: str | None) -> str | None:
    return None if value is None else value[:MOST_VALUE_CHARS]
