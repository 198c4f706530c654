"""The language of a mail, for choosing the language of an answer: "don't know" rather than wrong.

Content-Language (RFC 3282) counts where it names one language that is asked for. Else the new text is looked at:
its script, then its small words ("the", "und", "que"), which every sentence has and no two languages share in the
same mixture. All languages known here compete, and only a clear winner is named, and only if it was asked for:
a Dutch mail is not German because Dutch was not among the choices.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from maild.message.parse import Message
from maild.message.small_words import LETTERS, SMALL_WORDS

_TEXT_CHARACTERS: Final = 2_000
_LEAST_SCORE: Final = 1.6
_MARGIN: Final = 1.5  # how many times the second best
_LEAST_SHARE: Final = 0.08  # of the words

_WORDS: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_FOUR_LETTERS: Final = re.compile(r"[a-z](?:[^a-z]*+[a-z]){3}")
_ASCII_SPACES: Final = {code: " " for code in range(128) if not chr(code).isalpha() and chr(code) != "'"}
# Addresses are looked for where a word begins, or behind what was taken out.
_NOT_PROSE: Final = re.compile(r"https?://\S+|(?:(?<![^\s@])|(?<=>))[^\s@]++@\S+|<[^>]{1,200}>")

_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
)
_SCRIPT_SHARE: Final = {
    "ja": 0.05,
    "zh": 0.3,
}  # Japanese is written with Chinese characters, and with few kana in names


def _owners() -> dict[str, tuple[tuple[str, ...], float]]:
    """Return the languages of each small word, and what it counts for each of them."""
    found: dict[str, tuple[str, ...]] = {}
    for language, words in SMALL_WORDS.items():
        for word in set(words.split()):
            found[word] = (*found.get(word, ()), language)
    return {word: (languages, 1 / len(languages) ** 0.5) for word, languages in found.items()}


_OWNERS: Final = _owners()
_KNOWN: Final = frozenset(_OWNERS)
_LETTER_OWNERS: Final = {letter: language for language, letters in LETTERS.items() for letter in letters}
_KNOWN_LETTERS: Final = frozenset(_LETTER_OWNERS)


def detect(message: Message, text: str, among: Collection[str]) -> str | None:
    """Return which language of `among` (tags as "de" or "pt-BR") the mail is written in, None if there is no telling.

    `text` is the new text of `message`, without quotes.
    """
    header = message.content_language.replace(";", ",")
    if header and "," not in header:
        declared = _among(header.strip(), among)
        if declared is not None:
            return declared
    guessed = guess(text)
    return _among(guessed, among) if guessed else None


def _among(tag: str, among: Collection[str]) -> str | None:
    """Return the tag of `among` that is `tag`, else its primary language's (RFC 4647 3.4)."""
    wanted = tag.lower().replace("_", "-")
    by_name = {one.lower().replace("_", "-"): one for one in among}
    while wanted:
        if wanted in by_name:
            return by_name[wanted]
        if "-" not in wanted:
            break
        wanted = wanted.rpartition("-")[0]
    same = [one for name, one in by_name.items() if _same(name.partition("-")[0], wanted)]
    return same[0] if len(same) == 1 else None


def _same(one: str, other: str) -> bool:
    """Tell whether two primary tags name one language: Norwegian has three."""
    norwegian = ("no", "nb", "nn")
    return one == other or (one in norwegian and other in norwegian)


def guess(text: str) -> str | None:
    """Return the language of `text`, None if it is not clear."""
    prose = text[: 2 * _TEXT_CHARACTERS]
    if "@" in prose or "<" in prose or "://" in prose:
        prose = _NOT_PROSE.sub(" ", prose)
    prose = prose[:_TEXT_CHARACTERS].lower()
    if prose.isascii():
        return _by_words(_ascii_words(prose), ()) if _FOUR_LETTERS.search(prose) else None
    letters = sum(map(str.isalpha, prose))
    if letters < 4:
        return None
    for language, pattern in _SCRIPTS:
        share = len(pattern.findall(prose)) / letters
        if share >= _SCRIPT_SHARE.get(language, 0.5):
            return "fa" if language == "ar" and any(letter in prose for letter in LETTERS["fa"]) else language
    words = set(_WORDS.findall(prose))
    return _by_words(words, [word for word in words if not word.isascii()])


def _ascii_words(prose: str) -> set[str]:
    """Return what `_WORDS` finds in ASCII, each once, several times faster."""
    found = set(prose.translate(_ASCII_SPACES).split())
    for word in [each for each in found if "'" in each] if "'" in prose else ():
        found.remove(word)
        found.update(_WORDS.findall(word))
    return found


def _by_words(words: set[str], strange: Sequence[str]) -> str | None:
    """Return the clear winner among the languages of `words`, each given once: what a program prints repeats itself.

    `strange` are those of them that have letters beyond ASCII.
    """
    hits = [*_KNOWN.intersection(words)]
    hits += _KNOWN.intersection(word.replace("’", "'") for word in strange if "’" in word)
    scores: dict[str, float] = {}
    for word in hits:
        owners, weight = _OWNERS[word]
        for language in owners:
            scores[language] = scores.get(language, 0.0) + weight
    for letter in [letter for word in strange for letter in _KNOWN_LETTERS.intersection(word)]:
        language = _LETTER_OWNERS[letter]
        scores[language] = scores.get(language, 0.0) + 0.5
    if not scores:
        return None
    second, score = sorted((0.0, *scores.values()))[-2:]
    if score < _LEAST_SCORE or score < _MARGIN * second or len(hits) / len(words) < _LEAST_SHARE:
        return None
    return max(scores, key=lambda language: scores[language])
