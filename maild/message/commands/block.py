"""Reading the block of words on top of a mail, as mail clients leave it.

A block is the leading lines that begin with `#` and a letter; empty lines around and between them mean nothing. What
clients do to it is undone for the block alone: capitals, full-width and escaped signs, non-breaking and invisible
spaces, typographic quotes, links behind addresses, and one `> ` before every line of the whole text (never before some
of them: that is a quotation, and nobody's command). The rest of the text is handed on as it was written.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from maild.message.commands.faults import Fault, Says, fault
from maild.message.commands.requests import meant
from maild.message.commands.values import MOST_VALUE_CHARS, Circumstances, Value, ValueFaultError, value_of
from maild.message.commands.words import WORDS, Syntax, Word, meant_word, nearest_word
from maild.message.subject import base_subject

MOST_COMMANDS = 30
_SPACES = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF)) | {
    ord("＃"): "#",
    ord("﹟"): "#",
}
_COMMAND = re.compile(r"\\?#([^\W\d_][\w-]*)\s?[.,:=!：，。！]*\s?(.*)", re.DOTALL)
_SPACED_COMMAND = re.compile(r"\\?# ([^\W\d_][\w-]*)(.*)", re.DOTALL)  # "# note": a phone's keyboard, or a heading
_NEXT_COMMAND = re.compile(r"\s#([^\W\d_][\w-]*)")
_NOTE = re.compile(r"\W*note[.,:=!：，。！]*\s*(.*)", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"\s{0,3}>\s?")


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

    It is taken as it is meant (`requests`): "show 1042", "1042", "my tickets".
    """
    first = next((line for line in map(_plain, text[:MOST_VALUE_CHARS].splitlines()) if line), "")
    first = base_subject(first)
    if not first:
        return Block()
    reading = _Reading(circumstances)
    first = meant(first)
    if not reading.line(first if first.startswith("#") else f"#{first}", ""):
        reading.faults.append(fault(Says.NO_REQUEST, "help", values={"text": first[:40]}))
    if not first.startswith("#"):
        reading.faults = [_as_written(each) for each in reading.faults]
    word = WORDS.get(first.lstrip("#").partition(" ")[0].casefold())
    if word is not None and not word.desk:
        return Block(faults=(fault(Says.NOT_AT_THE_DESK, "help", values={"word": word.name}),))
    return reading.block("")


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
        spaced = found is not None
        if found and (found[1].lower() in WORDS or (not found[2] and nearest_word(found[1]))):
            line = f"#{found[1]}{found[2]}"
        if self._full() or _COMMAND.fullmatch(line) is None:
            return False
        while not self._full() and (found := _COMMAND.fullmatch(line)):
            name, text = found[1].lower(), found[2]
            known = None if spaced or name in WORDS else meant_word(name)
            if known:  # "#urgent" is "#priority urgent"
                name, _, value = known.partition(" ")
                text = f"{value} {text}".strip()
            if name in WORDS:
                line = self._command(WORDS[name], text, written)
            else:
                meant = nearest_word(name)
                suggestion = f"#{meant} {text[:80]}".strip() if meant else ""
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
            self.commands.append(Command(word.name, value_of(word.syntax, value, self.circumstances)))
        except ValueFaultError as wrong:
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
