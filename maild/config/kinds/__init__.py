"""The kinds of values that a configuration holds: how each is written, and what is said when it is not.

    names   what things are called: names, titles, addresses, domains, languages; and numbers
    times   spans, hours, days, zones, countries with their holidays
    hosts   machines, where servers listen, URLs
    files   what lies on the machine: files, folders, the database, commands

Every error is the end of the sentence "KEY: ...", so that an operator reads what was expected. Values as Python has
them (a `Span`, a `ZoneInfo`) are taken as they are, so that defaults need no text.
"""

import difflib
from collections.abc import Callable, Collection
from datetime import date, time
from typing import Any

from pydantic import BaseModel, ConfigDict, PlainValidator


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, and errors never show what was written."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


def nearest(word: str, words: Collection[str]) -> str:
    """Return `; did you mean 'x'?` if one of `words` is like `word`, else nothing."""
    found = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def from_text(read: Callable[[str], Any], expected: str) -> PlainValidator:
    """Return a validator that reads a text; anything else is taken if it is no plain value of TOML."""

    def check(value: object) -> object:
        if isinstance(value, str):
            return read(value.strip())
        if isinstance(value, bool | int | float | list | dict | date | time):
            raise ValueError(f"expected {expected}")  # noqa: TRY004 - pydantic collects ValueError
        return value

    return PlainValidator(check)
