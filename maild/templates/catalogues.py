"""Translations: `locale/LANGUAGE/maild.po`, read at start, no build step.

The source language is English; its words stand in the templates. An operator's own file adds a language or changes
single words of one.
"""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import NullTranslations, Translations

SOURCE: Final = "en"
FILE: Final = "maild.po"

Words = tuple[str, str]  # their context ("" for none), and the words in English


def read(folders: Iterable[Path]) -> tuple[dict[str, Catalog], list[str]]:
    """Return the catalogues by language and the faults in them; of two folders the later one's words count."""
    catalogues: dict[str, Catalog] = {}
    faults: list[str] = []
    for folder in folders:
        for path in sorted((folder / "locale").glob(f"*/{FILE}")):
            language = path.parent.name.replace("_", "-")
            try:
                with path.open("rb") as file:
                    found = read_po(file, locale=path.parent.name.replace("-", "_"), abort_invalid=True)
            except (PoFileError, ValueError) as error:  # UnknownLocaleError is not one of them, but comes as ValueError
                faults.append(f"{path}: {error}")
                continue
            faults += _faults(path, found)
            catalogue = catalogues.setdefault(language, found)
            if catalogue is not found:
                _take_over(catalogue, found)
    return catalogues, faults


def _take_over(catalogue: Catalog, own: Catalog) -> None:
    for message in own:
        if message.id and message.string:
            packed = catalogue.get(message.id, message.context)
            if packed is None:
                catalogue[message.id] = message
            else:
                packed.string = message.string  # assigning the message would only add its place in the file


def translations(catalogue: Catalog | None) -> NullTranslations:
    """Return what `gettext` looks words up in; those that are missing stay English."""
    if catalogue is None:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def missing(catalogue: Catalog, wanted: Iterable[Words]) -> list[str]:
    """Return those of the `wanted` words that have no translation."""
    lacking = []
    for context, words in wanted:
        found = catalogue.get(words, context or None)
        if found is None or not found.string or found.fuzzy:
            lacking.append(words)
    return lacking


def superfluous(catalogue: Catalog, wanted: Iterable[Words]) -> list[str]:
    """Return the words of `catalogue` that are none of the `wanted`."""
    said = set(wanted)
    return [str(each.id) for each in catalogue if each.id and (each.context or "", each.id) not in said]


def _faults(path: Path, catalogue: Catalog) -> list[str]:
    """Return wrong placeholders: they would raise when the mail is written."""
    return [
        f"{path}:{message.lineno}: {error}"
        for message in catalogue
        if message.id and message.string
        for error in message.check(catalogue)
    ]
