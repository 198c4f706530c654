"""Whether From is written so that everybody reads the same author in it.

Whoever checked a mail before us read its From by himself. `<anna@acme.example> <eve@evil.example>`, a group, a route,
an address in an encoded word: one reader finds Anna there, the other Eve or nobody, and finds nothing wrong with him.
So what is written otherwise than mail programs write it proves no agent. RFC 5322 3.4.
"""

import re
from typing import Final

from maild.message.address import normalise, valid
from maild.message.headers import plain
from maild.message.parse import Message

_MOST_CHARACTERS: Final = 2_000
_ONE: Final = re.compile(r"([^<>]*)<([^<>\s]+)>\s*(?:\([^()<>]*\))?|([^<>\s\"(),:;]+)\s*(?:\([^()<>]*\))?")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SPACED: Final = re.compile(rb"^from[ \t]+:", re.IGNORECASE | re.MULTILINE)  # some take it for another header
_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_HEAD_BYTES: Final = 262_144


def is_plain(message: Message) -> bool:
    """Return whether `message` has one From that names one address, in a way that can be read in no other."""
    values = message.head.raws("from")
    if len(values) != 1 or len(message.froms) != 1 or len(values[0]) > _MOST_CHARACTERS:
        return False
    found = _ONE.fullmatch(plain(values[0], message.head.fallback))
    if found is None:
        return False
    phrase, address = found[1] or "", found[2] or found[3]
    author = normalise(message.froms[0].address)
    if not valid(address) or normalise(address) != author or "=?" in address:
        return False
    if any("@" in word and normalise(word.strip("\"'()")) != author for word in phrase.split()):
        return False
    if any(sign in _QUOTED.sub("", phrase) for sign in ":;"):
        return False
    end = _HEAD.search(message.raw, 0, _HEAD_BYTES)
    return _SPACED.search(message.raw, 0, end.start() if end else _HEAD_BYTES) is None
