"""The table of all words that agents may use, with what may stand behind each.

A row says it all: parser, help mail and manual are made from it. `status` marks the words that change a ticket's
status, of which a mail may carry one. `often` marks those that may be said several times. `desk` marks those that make
sense at the desk address too, where there is no ticket but the one that is named.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

PRIORITIES = ("low", "normal", "high", "urgent")
LONGEST_WORD = 20  # of the table and then some; likeness costs the square of it


class Syntax(StrEnum):
    """What stands behind a word; the value is how the help shows it."""

    NOTHING = ""
    WHEN = "WHEN"
    MAYBE_WHEN = "[WHEN]"
    AGENT = "AGENT | me | nobody"
    DEPARTMENT = "DEPARTMENT"
    PRIORITY = "low | normal | high | urgent"
    TAGS = "TAG... -TAG..."
    ADDRESSES = "ADDRESS... -ADDRESS..."
    ADDRESS = "ADDRESS"
    CANNED = "NAME"
    TEXT = "TEXT"
    MAYBE_TEXT = "[TEXT]"
    TICKET = "TICKET"
    TICKETS = "TICKET..."
    MAYBE_TICKET = "[TICKET]"


@dataclass(frozen=True, slots=True)
class Word:
    """One word: how it is written, what it takes, what it does, and an example."""

    name: str
    syntax: Syntax
    help: str
    example: str
    status: bool = False
    often: bool = False
    desk: bool = False


_S = Syntax
_TABLE = (
    # The message itself
    Word("note", _S.MAYBE_TEXT, "Keep this message among agents; the customer never sees it.", "#note"),
    Word("use", _S.CANNED, "Put a prepared text before your answer.", "#use greeting", often=True),
    Word("send", _S.WHEN, "Let the answer leave then, not at once.", "#send tomorrow 9:00"),
    Word("cancel", _S.MAYBE_TICKET, "Keep back an answer that has not left yet.", "#cancel", desk=True),
    Word("force", _S.NOTHING, "Send the answer even if something newer was said.", "#force"),
    Word("silent", _S.NOTHING, "Do it without telling the customer.", "#silent"),
    # Status
    Word("resolve", _S.NOTHING, "The matter is solved; a customer's mail opens it again.", "#resolve", status=True),
    Word("close", _S.NOTHING, "Close for good; a customer's mail begins a new ticket.", "#close", status=True),
    Word("open", _S.NOTHING, "The customer waits for us again.", "#open", status=True),
    Word("postpone", _S.WHEN, "Hide the ticket until then.", "#postpone tomorrow 9:00", status=True),
    Word("spam", _S.NOTHING, "Put it aside as spam.", "#spam", status=True),
    Word("notspam", _S.NOTHING, "It is no spam: bring it back.", "#notspam", status=True),
    Word("delete", _S.NOTHING, "Put it into the bin.", "#delete", status=True),
    Word("undelete", _S.NOTHING, "Take it out of the bin.", "#undelete", status=True),
    Word("merge", _S.TICKET, "Make this ticket part of another one.", "#merge 1042", status=True),
    # The ticket
    Word("assign", _S.AGENT, "Give the ticket to an agent, to yourself, or to nobody.", "#assign anna"),
    Word("take", _S.MAYBE_TICKET, "Take the ticket on yourself.", "#take", desk=True),
    Word("department", _S.DEPARTMENT, "Move the ticket to another department.", "#department sales"),
    Word("priority", _S.PRIORITY, "Say how urgent it is.", "#priority high"),
    Word("tag", _S.TAGS, "Add tags, or take them off.", "#tag printer -urgent", often=True),
    Word("title", _S.TEXT, "Give the ticket another subject.", "#title Printer on the third floor"),
    Word("link", _S.TICKETS, "Note that other tickets have to do with it.", "#link 1042 1043", often=True),
    Word("split", _S.MAYBE_TEXT, "Make a ticket of its own from the mail you answer.", "#split A second matter"),
    # People
    Word("cc", _S.ADDRESSES, "Let others take part, or no longer.", "#cc bob@customer.example", often=True),
    Word("requester", _S.ADDRESS, "Say whose ticket it is.", "#requester ada@customer.example"),
    Word("for", _S.ADDRESS, "In a new mail to the department: write to a customer.", "#for ada@customer.example"),
    Word("alias", _S.ADDRESS, "This is the requester's address, too.", "#alias ada@home.example", often=True),
    # Your desk
    Word("next", _S.MAYBE_TEXT, "Get the most urgent ticket.", "#next", desk=True),
    Word("pass", _S.MAYBE_TICKET, "Leave the ticket you got to the others, and get the next.", "#pass", desk=True),
    Word("mine", _S.NOTHING, "List your tickets.", "#mine", desk=True),
    Word("list", _S.MAYBE_TEXT, "List tickets: by status, department or agent.", "#list open", desk=True),
    Word("search", _S.TEXT, "Find tickets by what was written.", "#search printer", desk=True),
    Word("get", _S.TICKETS, "Get whole tickets, every mail attached.", "#get 1042", often=True, desk=True),
    Word("why", _S.MAYBE_TICKET, "Learn why a ticket is where it is.", "#why", desk=True),
    Word("release", _S.MAYBE_TICKET, "Give a ticket back to all.", "#release 1042", desk=True),
    Word("away", _S.MAYBE_WHEN, "Get no tickets until then, or until you are back.", "#away until monday", desk=True),
    Word("back", _S.NOTHING, "You are there again.", "#back", desk=True),
    Word("undo", _S.MAYBE_TEXT, "Take back what was just done.", "#undo", desk=True),
    Word("report", _S.MAYBE_TEXT, "Get the figures of a period.", "#report last-month", desk=True),
    Word("help", _S.MAYBE_TEXT, "Get this list, or the help for one word.", "#help postpone", desk=True),
)

WORDS = {word.name: word for word in _TABLE}

# What people write who know another desk, or think in German.
_MEANT = {
    "done": "resolve",
    "fixed": "resolve",
    "solve": "resolve",
    "solved": "resolve",
    "resolved": "resolve",
    "gelöst": "resolve",
    "lösen": "resolve",
    "erledigt": "resolve",
    "closed": "close",
    "schließen": "close",
    "abschließen": "close",
    "reopen": "open",
    "öffnen": "open",
    "snooze": "postpone",
    "zurückstellen": "postpone",
    "wiedervorlage": "postpone",
    "later": "postpone",
    "wait": "postpone",
    "pending": "postpone",
    "internal": "note",
    "private": "note",
    "comment": "note",
    "notiz": "note",
    "intern": "note",
    "owner": "assign",
    "zuweisen": "assign",
    "übernehmen": "take",
    "grab": "take",
    "move": "department",
    "queue": "department",
    "group": "department",
    "abteilung": "department",
    "prio": "priority",
    "priorität": "priority",
    "label": "tag",
    "tags": "tag",
    "unspam": "notspam",
    "ham": "notspam",
    "subject": "title",
    "rename": "title",
    "titel": "title",
    "betreff": "title",
    "trash": "delete",
    "junk": "spam",
    "customer": "requester",
    "find": "search",
    "show": "get",
    "skip": "pass",
    "canned": "use",
    "template": "use",
    "stats": "report",
    "holiday": "away",
    "vacation": "away",
    "absent": "away",
    "commands": "help",
    "hilfe": "help",
    "unsend": "cancel",
    "stop": "cancel",
    "urgent": "priority urgent",
    "high": "priority high",
    "low": "priority low",
}
# Capitals lose their sharp s; casefold turns it into two letters.
_PLAIN = {written.casefold(): written for written in _MEANT}

# Suggested only: what is thrown away, and who gets mails, is said with the very word.
_SUGGESTED = frozenset({"trash", "junk", "customer"})


def meant_word(written: str) -> str | None:
    """Return the word, with its value if it has one, that `written` is surely another one for; None if it is none."""
    written = written.casefold()
    return None if written in _SUGGESTED else _MEANT.get(_PLAIN.get(written, written))


def nearest_word(written: str) -> str | None:
    """Return the word of the table that `written` was probably meant to be, None if none is near."""
    written = written.casefold()
    if written in _MEANT:
        return _MEANT[written]
    return nearest(written, WORDS)


def requested(written: str) -> str | None:
    """Return the word of the desk that `written` is another one for, None if it is none."""
    meant = _MEANT.get(written.casefold())
    return meant if meant in WORDS and WORDS[meant].desk else None


def nearest(written: str, among: dict[str, Word] | tuple[str, ...] | list[str]) -> str | None:
    """Return the one of `among` that is most like `written`, None if none is near."""
    if len(written) > LONGEST_WORD:
        return None
    return next(iter(get_close_matches(written.casefold(), list(among), n=1, cutoff=0.6)), None)
