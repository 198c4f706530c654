"""What the mail that helps an agent says: all words, or one of them with what may stand behind it."""

from maild.message.commands import WORDS, Fault, Says, Syntax, fault
from maild.message.commands.words import nearest_word
from maild.services.filer.wishes import AVAILABLE
from maild.templates.pieces import Entry


def every_word(at_the_desk: frozenset[str]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Return the words of the one table that are said on top of an answer, and those that are said at the desk."""
    on_top = tuple(Entry(word.example, word.help) for word in WORDS.values() if word.name in AVAILABLE)
    asked = tuple(Entry(word.example.lstrip("#"), word.help) for word in WORDS.values() if word.name in at_the_desk)
    return on_top, asked


def one_word(written: str, at_the_desk: frozenset[str]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]] | Fault:
    """Return the same of one word, with its form; a fault if there is no such word."""
    name = written.strip().lstrip("#").casefold()
    word = WORDS.get(name)
    if word is None:
        return fault(Says.UNKNOWN_HELP, f"help {nearest_word(name) or ''}".strip(), values={"text": name[:40]})
    timed = word.syntax in (Syntax.WHEN, Syntax.MAYBE_WHEN)

    def entry(sign: str) -> Entry:
        form = f"{sign}{word.name} {word.syntax.value}".strip() if word.syntax.value else ""
        return Entry(sign + word.example.lstrip("#"), word.help, form, timed=timed)

    on_top = (entry("#"),) if name in AVAILABLE else ()
    return on_top, (entry(""),) if name in at_the_desk else ()
