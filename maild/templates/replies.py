"""Prepared texts: what agents put before their answers with `#use NAME`.

They are the operator's own files, `replies/NAME.txt` in the folder of `maild.templates`, and `replies/NAME.de.txt` for
customers who are written to in German. In them stand plain words and a few values (`Values`); they are templates like
any other: an unknown value is an error that `check` finds, and nothing reaches beyond the values.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from jinja2 import StrictUndefined, Template, TemplateError

from maild.message.compose import clean
from maild.templates.sandbox import Sandbox

FOLDER: Final = "replies"
MOST_CHARACTERS: Final = 100_000
_FILE: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,39})(?:\.([a-z]{2,3}(?:-[A-Za-z]{2,8})?))?\.txt")


@dataclass(frozen=True, slots=True)
class Values:
    """What a prepared text may name."""

    name: str  # the customer's, "" if he gave none
    subject: str  # of the ticket
    ticket: int  # its number
    agent: str  # who answers
    department: str  # its title


_PLACES: Final = {each.name: f"[{each.name}]" for each in fields(Values)}  # as lists of the texts show values
_SAMPLES: Final = (
    Values("Ada Lovelace", "Printer on fire", 1042, "Anna", "Acme Support"),
    Values("", "", 1, "Anna", "Acme Support"),
)


class Prepared:
    """All prepared texts, compiled."""

    def __init__(self, own: Path | None = None) -> None:
        """Read those of the operator's folder `own`; what is wrong with them is in `faults`."""
        self.faults: list[str] = []
        self._texts: dict[tuple[str, str], Template] = {}
        sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
        folder = own / FOLDER if own else None
        for path in sorted(folder.iterdir()) if folder and folder.is_dir() else ():
            found = _FILE.fullmatch(path.name)
            if found is None:
                self.faults.append(f"{path}: expected a name like greeting.txt or greeting.de.txt, in small letters")
                continue
            try:
                self._texts[found[1], (found[2] or "").lower()] = sandbox.from_string(_read(path))
                self.faults += _wrong(path, self._texts[found[1], (found[2] or "").lower()])
            except (OSError, UnicodeDecodeError, TemplateError) as error:
                self.faults.append(f"{path}: {error}")

    @property
    def names(self) -> Mapping[str, str]:
        """Every name, with what the text begins with."""
        first = {name: _first(template) for (name, _), template in sorted(self._texts.items(), reverse=True)}
        return dict(sorted(first.items()))

    def text(self, name: str, language: str, values: Values) -> str | None:
        """Return the prepared text `name` in `language` or, if it is not there, as it is; None if it cannot be said."""
        spoken = language.lower()
        keys = ((name, spoken), (name, spoken.partition("-")[0]), (name, ""))
        template = next((self._texts[key] for key in keys if key in self._texts), None)
        if template is None:
            template = next((each for (called, _), each in self._texts.items() if called == name), None)
        if template is None:
            return None
        try:
            return _said(template, asdict(values))
        except Exception:  # noqa: BLE001 - a template may raise anything; `check` names it
            return None


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if len(text) > MOST_CHARACTERS:
        raise TemplateError(f"expected at most {MOST_CHARACTERS} characters")
    return text


def _said(template: Template, values: Mapping[str, object]) -> str:
    told = {name: clean(each) if isinstance(each, str) else each for name, each in values.items()}
    return template.render(told).replace("\r\n", "\n").strip()


def _wrong(path: Path, template: Template) -> Iterator[str]:
    """Yield what is wrong with a text, by saying it."""
    for sample in _SAMPLES:
        try:
            said = _said(template, asdict(sample))
        except Exception as error:  # noqa: BLE001 - a template may raise anything, and all faults are wanted
            yield f"{path}: {error}"
            return
        if not said:
            yield f"{path}: it says nothing"
            return
        if said.startswith("#"):
            yield f"{path}: it begins like a word of agents"
            return


def _first(template: Template) -> str:
    """Return what a text begins with, whoever it is said to."""
    for values in (_PLACES, asdict(_SAMPLES[1])):  # it may reckon with the number, which a placeholder is not
        try:
            return _said(template, values).split("\n", 1)[0][:80]
        except Exception:  # noqa: BLE001, S112 - as above
            continue
    return ""
