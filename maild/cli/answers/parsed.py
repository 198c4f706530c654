"""What a mail says by itself: no configuration, no database, and no mail that cannot be answered."""

from typing import Any, Final

from maild.message import classify, language, reply
from maild.message.classify import Classification
from maild.message.parse import Message, parse
from maild.message.report import described
from maild.message.small_words import SMALL_WORDS

# Told by their script; all others by their small words.
_BY_SCRIPT: Final = ("ar", "el", "fa", "he", "hi", "ja", "ko", "th", "zh")
LANGUAGES: Final = tuple(sorted({*SMALL_WORDS, *_BY_SCRIPT}))


def mail(raw: bytes) -> dict[str, Any]:
    """Return all that `raw` says; a null sender is told by Return-Path, if a server wrote one."""
    message = parse(raw)
    return of(message, classify.classify(message, None))


def of(message: Message, classification: Classification) -> dict[str, Any]:
    """Return all that a parsed mail says; quotes are told by its structure alone.

    The language is a primary tag, "pt" for "pt-BR".
    """
    new = reply.new_text(message)
    spoken = language.detect(message, new.text, (*LANGUAGES, *_declared(message)))
    return described(message, classification, new, classification.bounce, spoken)


def _declared(message: Message) -> tuple[str, ...]:
    """Return the language that the mail itself names (RFC 3282), one that we may not know."""
    primary = message.content_language.strip().partition("-")[0].lower()
    return (primary,) if primary.isalpha() and len(primary) in (2, 3) and primary not in LANGUAGES else ()
