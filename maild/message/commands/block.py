"""Reading the block of words on top of a mail, as mail clients leave it.

A block is the leading lines that begin with `#` and a letter; empty lines around and between them mean nothing. What
clients do to it is undone for the block alone: capitals, full-width and escaped signs, non-breaking and invisible
spaces, typographic quotes, links behind addresses, and one `> ` before every line of the whole text (never before some
of them: that is a quotation, and nobody's command). The rest of the text is handed on as it was written.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from maild.message.address import valid
from maild.message.commands.faults import Fault, Says, fault
from maild.message.commands.when import BusinessDays, Unclear, UnclearTimeError, instant
from maild.message.commands.words import PRIORITIES, WORDS, Syntax, Word, nearest, nearest_word, requested
from maild.message.subject import base_subject

MOST_COMMANDS = 30
MOST_VALUE_CHARS = 2000
MOST_TEXT_CHARS = 300

Value = str | datetime | tuple[str, ...] | tuple[int, ...] | None

_SPACES = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF)) | {
    ord("＃"): "#",
    ord("﹟"): "#",
}
_SIGNS = {
    ord(written): meant
    for writtens, meant in (("“”„‟«»″＂", '"'), ("‘’‚‛′＇", "'"), ("‐‑‒–—−－", "-"), ("：", ":"), ("，；;", ","))
    for written in writtens
}
_COMMAND = re.compile(r"\\?#([^\W\d_][\w-]*)\s?[.,:=!：，。！]*\s?(.*)", re.DOTALL)
_SPACED_COMMAND = re.compile(r"\\?# ([^\W\d_][\w-]*)(.*)", re.DOTALL)  # "# note": a phone's keyboard, or a heading
_NEXT_COMMAND = re.compile(r"\s#([^\W\d_][\w-]*)")
_NOTE = re.compile(r"\W*note[.,:=!：，。！]*\s*(.*)", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"\s{0,3}>\s?")
_LINK = re.compile(r"[<(\[]\s?(?:mailto|https?|tel):[^<>()\[\]\s]*\s?[>)\]]", re.IGNORECASE)
_QUOTED_NAME = re.compile(r'"[^"]*"\s*(?=<)')
_TAG = re.compile(r"[^\W_][\w.-]{0,39}")
_TICKET = re.compile(r"\[?#?([1-9][0-9]{0,14})\]?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Command:
    """One word that was said, with its value: see `words.Syntax` for what it takes.

    An instant in UTC for a time, a tuple of numbers for one ticket or several; tags and addresses that are taken away
    begin with a minus sign.
    """

    word: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Block:
    """What a mail commands and what it says; with faults it commands nothing."""

    commands: tuple[Command, ...] = ()  # as they were said, but the status word last
    rest: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When and by whom the words are said.

    The names map all that an agent, department or prepared text may be called, case-folded, to what it is; an empty
    mapping leaves names to be judged by the caller.
    """

    now: datetime
    zone: tzinfo
    business_days: BusinessDays
    agents: Mapping[str, str] = field(default_factory=dict)
    departments: Mapping[str, str] = field(default_factory=dict)
    canned: Mapping[str, str] = field(default_factory=dict)


class _ValueFaultError(Exception):
    """A value is wrong; carries the sentence and the value that may have been meant."""

    def __init__(self, sentence: Says, meant: str = "", **values: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.meant = meant
        self.values = values


def parse(text: str, circumstances: Circumstances) -> Block:
    """Return the block on top of `text` and the text below it; never raises.

    A text that begins with no word is all rest. In a block every line must be right, else nothing counts.
    """
    text = _unquoted(text)
    reading = _Reading(circumstances)
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = _plain(text[at:end])
        if line and not reading.line(line, text[at:end]):
            break
        at = end
    rest = "\n".join(part for part in (*reading.inline, text[at:].strip("\r\n")) if part)
    return reading.block(rest)


def block_lines(lines: Sequence[str], circumstances: Circumstances) -> int:
    """Return how many of `lines` are the block on top, with the empty ones behind it; 0 if there is no block."""
    reading = _Reading(circumstances)
    found = 0
    for number, written in enumerate(lines, start=1):
        line = _plain(written)
        if line and not reading.line(line, written):
            break
        if line:
            found = number
    while 0 < found < len(lines) and not _plain(lines[found]):
        found += 1
    return found


def parse_request(text: str, circumstances: Circumstances) -> Block:
    """Return what a mail to the desk address asks for: its subject or first line, with or without `#`; never raises.

    Nothing that is asked there destroys anything, so it is taken as it is meant: "show 1042", "1042".
    """
    first = next((line for line in map(_plain, text[:MOST_VALUE_CHARS].splitlines()) if line), "")
    first = base_subject(first)
    if not first:
        return Block()
    reading = _Reading(circumstances)
    first = _meant(first)
    if not reading.line(first if first.startswith("#") else f"#{first}", ""):
        reading.faults.append(fault(Says.NO_REQUEST, "help", values={"text": first[:40]}))
    if not first.startswith("#"):
        reading.faults = [_as_written(each) for each in reading.faults]
    for command in reading.commands:
        if not WORDS[command.word].desk:
            reading.faults.append(fault(Says.NOT_AT_THE_DESK, "help", values={"word": command.word}))
    return reading.block("")


def _meant(first: str) -> str:
    """Return a request as the table knows it: a number alone is a ticket's, and other words mean the same."""
    if all(_TICKET.fullmatch(each) for each in first.split()):
        return f"get {first}"
    word, space, rest = first.partition(" ")
    meant = requested(word.lstrip("#"))
    return f"{meant}{space}{rest}" if meant else first


def _as_written(each: Fault) -> Fault:
    """Return the fault of a request that was written without `#`, as its writer knows it."""
    sentence, values = each.text, each.values
    if sentence == Says.UNKNOWN_WORD:
        sentence, values = Says.NO_REQUEST.value, tuple(("text", value) for _, value in values)
    return Fault(sentence, each.suggestion.removeprefix("#"), each.line.removeprefix("#"), values)


@dataclass(slots=True)
class _Reading:
    """The lines of a block read so far: what they command, what is wrong, and text that stood behind `#note`."""

    circumstances: Circumstances
    commands: list[Command] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)

    def line(self, line: str, written: str) -> bool:
        """Read `line`, of which `written` is the original; return whether it is one of the block."""
        found = _SPACED_COMMAND.fullmatch(line)
        # "# ote" alone on its line: a heading that is so like a word is rather the word, and comes back.
        if found and (found[1].lower() in WORDS or (not found[2] and nearest_word(found[1]))):
            line = f"#{found[1]}{found[2]}"
        if self._full() or _COMMAND.fullmatch(line) is None:
            return False
        while not self._full() and (found := _COMMAND.fullmatch(line)):
            name = found[1].lower()
            if name in WORDS:
                line = self._command(WORDS[name], found[2], written)
            else:
                meant = nearest_word(name)
                suggestion = f"#{meant} {found[2][:80]}".strip() if meant else ""
                self.faults.append(fault(Says.UNKNOWN_WORD, suggestion, line[:80], {"word": found[1][:40]}))
                line = ""
        return True

    def _full(self) -> bool:
        """Return whether there are more words than are read; the block will be refused."""
        return len(self.commands) + len(self.faults) > MOST_COMMANDS

    def _command(self, word: Word, text: str, written: str) -> str:
        """Add the command of `word` and its value, or what is wrong; return the command behind it on the same line."""
        value, following = _cut(word, text)
        if word.name == "note" and value:
            original = _NOTE.fullmatch(written.strip())
            self.inline.append(original[1] if original else value)
            value = ""
        try:
            self.commands.append(Command(word.name, _value(word.syntax, value, self.circumstances)))
        except _ValueFaultError as wrong:
            meant = f"#{word.name} {wrong.meant}" if wrong.meant else word.example
            line = f"#{word.name} {text}"[:80].rstrip()
            self.faults.append(fault(wrong.sentence, meant, line, wrong.values))
        return following

    def block(self, rest: str) -> Block:
        """Return the block, after a look at all its commands together."""
        faults = [*self.faults, *_together([command.word for command in self.commands])]
        if self._full():
            faults.insert(0, fault(Says.TOO_MANY_WORDS, values={"most": MOST_COMMANDS}))
        if faults:
            return Block(rest=rest, faults=tuple(dict.fromkeys(faults)))
        # Stable: but for the status word, things are done in the order in which they were said.
        return Block(tuple(sorted(self.commands, key=lambda command: WORDS[command.word].status)), rest)


def _together(names: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with words that are right one by one."""
    statuses = list(dict.fromkeys(f"#{name}" for name in names if WORDS[name].status))
    if len(statuses) > 1:
        yield fault(Says.ONE_STATUS, statuses[0], values={"words": ", ".join(statuses)})
    for name, times in Counter(names).items():
        if times > 1 and not WORDS[name].often:
            yield fault(Says.SAID_OFTEN, line=f"#{name}", values={"word": name, "times": times})


def _unquoted(text: str) -> str:
    """Return `text` without the quote mark that a client put before every line of it.

    If only some lines have one, they are a quotation, and words in it are not this writer's.
    """
    if not _QUOTED.match(text.lstrip()):
        return text
    lines = text.splitlines()
    if not all(_QUOTED.match(line) for line in lines if line.strip()):
        return text
    return "\n".join(_QUOTED.sub("", line, count=1) for line in lines)


def _plain(line: str) -> str:
    """Return a line of the block with single, visible spaces."""
    return " ".join(line.translate(_SPACES).split())


def _cut(word: Word, value: str) -> tuple[str, str]:
    """Return the value of `word`, and the command that stands behind it on the same line."""
    if value.startswith("#") and (word.syntax is Syntax.NOTHING or word.name == "note"):
        return "", value
    if word.syntax in {Syntax.TEXT, Syntax.MAYBE_TEXT}:
        return value, ""
    for found in _NEXT_COMMAND.finditer(value):
        if found[1].lower() in WORDS or word.syntax is not Syntax.TAGS:
            return value[: found.start()], value[found.start() + 1 :]
    return value, ""


_QUOTES = frozenset({'""', "''", "“”", "„“", "‘’", "«»"})


def _value(syntax: Syntax, text: str, circumstances: Circumstances) -> Value:
    """Return the value that `text` is.

    Raises:
        _ValueFaultError: it is none for this syntax.
    """
    if len(text) > MOST_VALUE_CHARS:
        raise _ValueFaultError(Says.TOO_LONG)
    if syntax not in {Syntax.TEXT, Syntax.MAYBE_TEXT}:
        text = text.translate(_SIGNS)
    text = text.strip()
    if len(text) > 1 and (text[0] + text[-1]) in _QUOTES:
        text = text[1:-1].strip()
    return _READERS[syntax](text, circumstances)


def _nothing(text: str, _: Circumstances) -> Value:
    if text:
        raise _ValueFaultError(Says.TAKES_NOTHING)
    return None


def _when(text: str, circumstances: Circumstances) -> Value:
    if not text:
        raise _ValueFaultError(Says.NEEDS_TIME)
    try:
        return instant(text, circumstances.now, circumstances.zone, circumstances.business_days)
    except UnclearTimeError as error:
        raise _ValueFaultError(_UNCLEAR[error.why], text=text[:40]) from None


def _agent(text: str, circumstances: Circumstances) -> Value:
    if text.casefold() in {"me", "none", "nobody"}:
        return "me" if text.casefold() == "me" else "none"
    return _name(_bare(text), circumstances.agents, Says.NEEDS_AGENT, Says.NO_AGENT)


_UNCLEAR = {Unclear.NO_TIME: Says.UNCLEAR_TIME, Unclear.PAST: Says.PAST_TIME, Unclear.FAR: Says.FAR_TIME}


def _name(text: str, names: Mapping[str, str], needs: Says, wrong: Says) -> str:
    """Return what the name `text` stands for among `names`."""
    if not text:
        raise _ValueFaultError(needs)
    if not names:
        return text
    known = names.get(text.casefold())
    if known is None:
        raise _ValueFaultError(wrong, nearest(text, [*names]) or "", text=text[:40])
    return known


def _prepared(text: str, circumstances: Circumstances) -> Value:
    return _name(text, circumstances.canned, Says.NEEDS_PREPARED, Says.NO_PREPARED)


def _priority(text: str, _: Circumstances) -> Value:
    if text.casefold() not in PRIORITIES:
        raise _ValueFaultError(Says.NO_PRIORITY, nearest(text, PRIORITIES) or "")
    return text.casefold()


def _tags(text: str, _: Circumstances) -> Value:
    tags = []
    for written in text.replace(",", " ").split():
        sign = "-" if written.startswith("-") else ""
        tag = written.lstrip("+-#").casefold()
        if _TAG.fullmatch(tag) is None:
            raise _ValueFaultError(Says.NO_TAG, text=written[:40])
        tags.append(sign + tag)
    if not tags:
        raise _ValueFaultError(Says.NEEDS_TAG)
    return tuple(dict.fromkeys(tags))


def _bare(text: str) -> str:
    """Return `text` without links that clients add behind addresses, and with `Name <address>` cut to the address."""
    text = _QUOTED_NAME.sub("", _LINK.sub(" ", text))
    name, bracket, behind = text.partition("<")
    if not bracket or "@" in name:
        return text.strip()
    return behind.replace(">", " ", 1).strip()


def _addresses(text: str, _: Circumstances) -> Value:
    addresses = []
    for part in _QUOTED_NAME.sub("", text).split(","):
        removed = part.strip().startswith("-")
        for written in _bare(part.strip().lstrip("+-")).split():
            address = written.lstrip("+-").strip("'\".")
            if not valid(address):
                raise _ValueFaultError(Says.NO_ADDRESS, text=written[:60])
            addresses.append(f"-{address}" if removed or written.startswith("-") else address)
    if not addresses:
        raise _ValueFaultError(Says.NEEDS_ADDRESS)
    return tuple(dict.fromkeys(addresses))


def _address(text: str, circumstances: Circumstances) -> Value:
    found = _addresses(text, circumstances)
    if not isinstance(found, tuple) or len(found) != 1 or str(found[0]).startswith("-"):
        raise _ValueFaultError(Says.ONE_ADDRESS)
    return str(found[0])


def _text(text: str, _: Circumstances) -> Value:
    if not text:
        raise _ValueFaultError(Says.NEEDS_TEXT)
    if len(text) > MOST_TEXT_CHARS:
        raise _ValueFaultError(Says.LONG_TEXT, most=MOST_TEXT_CHARS)
    return text


def _tickets(text: str, _: Circumstances) -> Value:
    tickets = []
    for written in text.replace(",", " ").split():
        found = _TICKET.fullmatch(written)
        if found is None:
            raise _ValueFaultError(Says.NO_TICKET, text=written[:40])
        tickets.append(int(found[1]))
    if not tickets:
        raise _ValueFaultError(Says.NEEDS_TICKET)
    return tuple(dict.fromkeys(tickets))


def _ticket(text: str, circumstances: Circumstances) -> Value:
    found = _tickets(text, circumstances)
    if not isinstance(found, tuple) or len(found) != 1:
        raise _ValueFaultError(Says.ONE_TICKET)
    return found


_READERS: Mapping[Syntax, Callable[[str, Circumstances], Value]] = {
    Syntax.NOTHING: _nothing,
    Syntax.WHEN: _when,
    Syntax.MAYBE_WHEN: lambda text, seen: _when(text, seen) if text else None,
    Syntax.AGENT: _agent,
    Syntax.DEPARTMENT: lambda text, seen: _name(text, seen.departments, Says.NEEDS_DEPARTMENT, Says.NO_DEPARTMENT),
    Syntax.CANNED: _prepared,
    Syntax.PRIORITY: _priority,
    Syntax.TAGS: _tags,
    Syntax.ADDRESSES: _addresses,
    Syntax.ADDRESS: _address,
    Syntax.TEXT: _text,
    Syntax.MAYBE_TEXT: lambda text, _: text or None,
    Syntax.TICKET: _ticket,
    Syntax.TICKETS: _tickets,
    Syntax.MAYBE_TICKET: lambda text, seen: _ticket(text, seen) if text else None,
}
