"""What people write to the desk address who know no words yet, and the request that they mean.

Nothing that is asked there destroys anything, so it is taken as it is meant; what is no request after all comes back.
"""

import re
from typing import Final

from maild.message.commands.values import TICKET
from maild.message.commands.words import requested

_PHRASES: Final = {
    "my tickets": "mine",
    "list mine": "mine",
    "list my tickets": "mine",
    "tickets": "list",
    "list tickets": "list",
    "list all": "list",
    "all": "list",
    "all tickets": "list",
    "open tickets": "list",
    "list open tickets": "list",
    "queue": "list",
    "inbox": "list",
    "unassigned": "list nobody",
    "unassigned tickets": "list nobody",
    "list unassigned": "list nobody",
    "next ticket": "next",
    "next one": "next",
    "what is next": "next",
    "what's next": "next",
    "i am back": "back",
    "i'm back": "back",
    "hello": "help",
    "hi": "help",
    "help me": "help",
    "hilfe": "help",
    "": "help",  # of a question mark
}
_TICKET: Final = re.compile(r"(?:show |get |open |see )?(?:me )?(?:the )?ticket (\S+)|(?:show|get) me (?:the )?(.+)")
_AWAY: Final = re.compile(r"(?:i am|i'm|i will be) (away|on vacation|on holiday|absent)( .*)?")
_SEARCH: Final = re.compile(r"(?:search|find|look) for (.+)", re.IGNORECASE)
_HOW: Final = re.compile(r"how (?:do|can|to) (?:i |we |you )?#?(\w+).*")


def meant(first: str) -> str:
    """Return a request as the table of words knows it: a number alone is a ticket's, and other words mean the same."""
    plain = " ".join(first.casefold().replace("’", "'").split()).strip(" ?!.")
    if plain in _PHRASES:
        return _PHRASES[plain]
    if plain and all(TICKET.fullmatch(each) for each in plain.split()):
        return f"get {plain}"
    if (found := _TICKET.fullmatch(plain)) and TICKET.fullmatch(found[1] or found[2]):
        return f"get {found[1] or found[2]}"
    if found := _AWAY.fullmatch(plain):
        return f"away{found[2] or ''}"
    if found := _SEARCH.fullmatch(first):
        return f"search {found[1]}"
    if found := _HOW.fullmatch(plain):
        return f"help {found[1]}"
    word, space, rest = first.partition(" ")
    other = requested(word.lstrip("#"))
    return f"{other}{space}{rest}" if other else first
