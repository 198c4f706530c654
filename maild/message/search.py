"""Full-text search: what is indexed of a text, what a query asks for, and the piece of a text that answers it.

    "Die Tür klemmt: 三楼"   ->   die tur klemmt 三 楼            words: folded, without accents, and of scripts that
                                                                put no space between words each sign by itself
    printer "on fire" pap*   ->   printer AND (on fire) AND pap...     from:ada  subject:fire  status:open  tag:vip

Both databases index these words and are asked for these words, so they find the same. Every text is a query: what is
no word in it is not looked at, and nothing of it is ever a database's own syntax (`fts5` and `tsquery` quote each
word). A word is found whole; `print*` finds what begins with it; words in quotation marks stand side by side.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

MOST_CHARS: Final = 32_000  # of a text that are indexed
MOST_WORDS: Final = 12_000  # of a text; positions in PostgreSQL's index end at 16,383
MOST_BYTES: Final = 400_000  # of a text's words: PostgreSQL takes 1 MiB
LONGEST_WORD: Final = 60  # characters; what is longer is cut, here as there
MOST_TERMS: Final = 10
MOST_QUERY_CHARS: Final = 400
MOST_SUBJECT_WORDS: Final = 200
LEAD_CHARS: Final = 50  # of a snippet, before the word that was looked for
SNIPPET_CHARS: Final = 180

# Scripts that put no space between words; Korean does, but hangs its particles on them.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0xA4CF),  # Han, kana, bopomofo, Yi
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
# Marks that writers leave out or not as they like: accents, Hebrew points, Arabic vowels.
_ACCENTS: Final = ((0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670))
_ACCENTED_END: Final = 0x2000  # beyond it marks belong to letters: the voicing of kana
_MOST_KNOWN: Final = 20_000  # characters of which it is remembered what they become


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


class _Folding(dict[int, str]):
    """What each character becomes: a letter without accent, nothing, or a space."""

    def __missing__(self, code: int) -> str:
        if len(self) > _MOST_KNOWN:
            self.clear()
        found = self[code] = _folded(chr(code))
        return found


def _folded(char: str) -> str:
    code, category = ord(char), unicodedata.category(char)
    if _within(code, _ACCENTS):
        return ""
    if category[0] not in "LNM":
        return " "
    if _within(code, _UNSPACED):
        return f" {char} "
    if code < _ACCENTED_END:
        return "".join(each for each in unicodedata.normalize("NFD", char) if not _within(ord(each), _ACCENTS))
    return char


_FOLDING: Final = _Folding()
_FOREIGN: Final = re.compile("[^\0-\x7f]+")


def words(text: str) -> list[str]:
    """Return the words of `text` in order, as they are indexed and looked for; a bounded number of them."""
    return folded(text).split()


def folded(text: str) -> str:
    """Return the words of `text` with spaces between them; a bounded number of them.

    What is parted by the database does not have to be parted here, which would take ten times as long.
    """
    text = text[:MOST_CHARS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    size = len(text)
    text = text.casefold()
    if not text.isascii() and len(text.encode("utf-8", "replace")) < size * 9 // 8:
        # Few foreign letters: as a rule nothing but ASCII is left of them, which is translated at once.
        text = _FOREIGN.sub(lambda found: found[0].translate(_FOLDING), text)
    text = text.translate(_FOLDING)
    if size * 4 < MOST_BYTES and text.count(" ") < MOST_WORDS and not _has_long_word(text):
        return text
    return " ".join(_bounded(text.split()[:MOST_WORDS]))


def _has_long_word(text: str) -> bool:
    """Return whether more than LONGEST_WORD characters follow each other without a space."""
    at = 0
    while at + LONGEST_WORD < len(text):
        space = text.rfind(" ", at, at + LONGEST_WORD + 1)
        if space < 0:
            return True
        at = space + 1
    return False


def _bounded(found: list[str]) -> list[str]:
    kept, size = [], 0
    for word in found:
        word = word[:LONGEST_WORD]  # noqa: PLW2901 - the same word, cut
        size += len(word.encode("utf-8", "replace"))
        if size > MOST_BYTES:
            break
        kept.append(word)
    return kept


@dataclass(frozen=True, slots=True)
class Indexed:
    """The words of a mail's subject and of its text, with spaces between them."""

    subject: str
    text: str

    @classmethod
    def of(cls, subject: str, text: str) -> "Indexed":
        """Return what is indexed of a mail."""
        return cls(" ".join(words(subject[:1000])[:MOST_SUBJECT_WORDS]), folded(text))

    def row(self, *, sqlite: bool) -> dict[str, str]:
        """Return it as the columns of the index on SQLite, or on PostgreSQL."""
        if sqlite:
            return {"subject": self.subject, "text": self.text}
        return {"words": self.tsvector()}

    def tsvector(self) -> str:
        """Return it as PostgreSQL's tsvector, the subject's words with weight A."""
        subject = self.subject.split()
        places: dict[str, list[str]] = {}
        for number, word in enumerate(subject, start=1):
            places.setdefault(word, []).append(f"{number}A")
        for number, word in enumerate(self.text.split(), start=len(subject) + 10):  # no phrase goes over both
            places.setdefault(word, []).append(str(number))
        return " ".join(f"'{word}':{','.join(at[:255])}" for word, at in places.items())


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand side by side; the last one may be a beginning."""

    words: tuple[str, ...]
    prefix: bool = False
    subject: bool = False  # to be found in a subject
    written: str = field(default="", compare=False)  # as it was asked for

    def fts5(self) -> str:
        """Return it in the language of SQLite's FTS5; words hold letters, digits and marks alone."""
        column = "subject : " if self.subject else ""
        return f'{column}"{" ".join(self.words)}"{"*" if self.prefix else ""}'

    def tsquery(self) -> str:
        """Return it in the language of PostgreSQL's tsquery."""
        weight = "A" if self.subject else ""
        ends = ["" for _ in self.words[1:]] + ["*" if self.prefix else ""]
        return " <-> ".join(
            f"'{word}'" + (f":{end}{weight}" if end or weight else "")
            for word, end in zip(self.words, ends, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: mails that have all of it."""

    terms: tuple[Term, ...] = ()
    senders: tuple[str, ...] = ()  # parts of the name or the address of whoever wrote
    statuses: tuple[str, ...] = ()  # of the ticket, as they were written; one of them
    tags: tuple[str, ...] = ()  # of the ticket

    def __bool__(self) -> bool:
        return bool(self.terms or self.senders or self.statuses or self.tags)

    def fts5(self) -> str:
        """Return the terms in the language of SQLite's FTS5."""
        return " AND ".join(term.fts5() for term in self.terms)

    def tsquery(self) -> str:
        """Return the terms in the language of PostgreSQL's tsquery."""
        return " & ".join(f"({term.tsquery()})" for term in self.terms)

    def begun(self) -> "Query":
        """Return the query that finds what begins with its words, too."""
        terms = tuple(replace(each, prefix=True) for each in self.terms)
        return replace(self, terms=terms)


_SIGNS: Final = str.maketrans(dict.fromkeys("“”„‟«»″＂", '"') | {"：": ":", "＊": "*", "\u3000": " "})
_TERM: Final = re.compile(r'(?:(from|subject|status|tag):)?(?:"([^"]*)"?|([^\s"]+))(\*?)', re.IGNORECASE)


def query(text: str) -> Query:
    """Return what `text` asks for; any text is a query, if only one for nothing."""
    terms: list[Term] = []
    senders: list[str] = []
    statuses: list[str] = []
    tags: list[str] = []
    text = text[:MOST_QUERY_CHARS].translate(_SIGNS).encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    for found in islice(_TERM.finditer(text), MOST_TERMS):
        key, value = (found[1] or "").casefold(), (found[2] or found[3] or "").strip()
        if not value:
            continue
        match key:
            case "from":
                senders.append(value)
            case "status":
                statuses.append(value.casefold())
            case "tag":
                tags.append(value.lstrip("#").casefold())
            case _:
                prefix = bool(found[4]) or (found[3] or "").endswith("*")
                if said := tuple(words(value)):
                    terms.append(Term(said, prefix, key == "subject", value.rstrip("*")))
    return Query(tuple(dict.fromkeys(terms)), tuple(senders), tuple(statuses), tuple(tags))


_CHUNK: Final = re.compile(r"\S+")


def snippet(text: str, wanted: Query) -> str:
    """Return one line of `text` around the first place that answers the query, or its beginning if none does."""
    text = text[:MOST_CHARS]
    at = next(_places(text, wanted), 0)
    start = max(0, at - LEAD_CHARS)
    if start:
        start = text.find(" ", start, at) + 1 or start
    piece = " ".join(text[start : start + 2 * SNIPPET_CHARS].split())
    cut = piece[:SNIPPET_CHARS].rpartition(" ")[0] or piece[:SNIPPET_CHARS] if len(piece) > SNIPPET_CHARS else piece
    ends = len(cut) < len(piece) or bool(text[start + 2 * SNIPPET_CHARS :].strip())
    return ("… " if start else "") + cut + (" …" if ends and cut else "")


def _places(text: str, wanted: Query) -> Iterator[int]:
    """Yield where a term begins: the chunk with its first word, and of a long chunk the sign."""
    firsts = [(term.words[0], term.prefix and len(term.words) == 1) for term in wanted.terms if not term.subject]
    for chunk in _CHUNK.finditer(text):
        said = words(chunk[0])
        for first, begun in firsts:
            if first in said or (begun and any(each.startswith(first) for each in said)):
                yield chunk.start() + max(0, chunk[0].find(first))
