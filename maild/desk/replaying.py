"""Tickets replayed: what a ticket is follows from its history, field by field.

The history has each field that ever changed, so the last value of each is what the ticket has now. What follows from
the rest (`rules.state.COMPUTED`) has no history, and is reckoned anew by the next tick.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple, get_type_hints

from maild.desk.rows import OPENED, RECORDED
from maild.rules.state import PEOPLE, Status, Ticket

COLUMNS: Final = tuple(name for name in RECORDED if name not in PEOPLE)
_KINDS: Final = get_type_hints(Ticket)


class Change(NamedTuple):
    """A row of the history."""

    field: str
    new: str | None
    at: datetime


class Replayed(NamedTuple):
    """A ticket as its history has it."""

    columns: Mapping[str, Any]  # of COLUMNS
    requester: str  # normalised
    joined: Mapping[str, datetime]  # who takes part, normalised, and since when
    left: Mapping[str, datetime]  # who does no longer, and since when


def replay(changes: Iterable[Change]) -> Replayed:
    """Return what the ticket with these changes, in order, is now."""
    values: dict[str, Any] = {**dict.fromkeys(COLUMNS), **{name: OPENED[name] for name in COLUMNS if name in OPENED}}
    requester, joined, left = "", dict[str, datetime](), dict[str, datetime]()
    for change in changes:
        if change.field == "requester":
            requester = change.new or ""
        elif change.field == "participants":
            there = _names(change.new)
            left |= dict.fromkeys(joined.keys() - there, change.at)
            joined = {name: joined.get(name, change.at) for name in there}
            left = {name: at for name, at in left.items() if name not in there}
        elif change.field in values:
            values[change.field] = _value(change.field, change.new)
    return Replayed(values, requester, joined, left)


def _names(text: str | None) -> set[str]:
    return set(text.split(", ")) if text else set()


def _value(name: str, text: str | None) -> Any:
    """Return a field as it was before it was written into the history."""
    kind = str(_KINDS[name])
    if "frozenset[int]" in kind:
        return sorted(map(int, _names(text)))
    if "frozenset" in kind:
        return sorted(_names(text))
    if text is None:
        return None
    if "datetime" in kind:
        return datetime.fromisoformat(text)
    if "Status" in kind:
        return Status(text)
    if "bool" in kind:
        return text == "yes"
    return int(text) if "int" in kind else text


def plain(value: object) -> object:
    """Return a column so that what is the same compares equal."""
    if isinstance(value, frozenset | set | list | tuple):
        return sorted(value)
    return value.value if isinstance(value, Enum) else value
