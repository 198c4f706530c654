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
                for message in found:
                    if message.id and message.string:
                        catalogue[message.id] = message
    return catalogues, faults


def translations(catalogue: Catalog | None) -> NullTranslations:
    """Return what `gettext` looks words up in; those that are missing stay English."""
    if catalogue is None:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def missing(catalogue: Catalog, wanted: Iterable[str]) -> list[str]:
    """Return those of the `wanted` words that have no translation."""
    return [words for words in wanted if not ((found := catalogue.get(words)) and found.string) or found.fuzzy]


def _faults(path: Path, catalogue: Catalog) -> list[str]:
    """Return wrong placeholders: they would raise when the mail is written."""
    return [
        f"{path}:{message.lineno}: {error}"
        for message in catalogue
        if message.id and message.string
        for error in message.check(catalogue)
    ]
