"""The values of words: times, people, tags, tickets, as agents write them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from maild.message.address import valid
from maild.message.commands.faults import Says
from maild.message.commands.when import BusinessDays, Unclear, UnclearTimeError, instant
from maild.message.commands.words import PRIORITIES, Syntax, nearest

MOST_VALUE_CHARS = 2000
MOST_TEXT_CHARS = 300
TICKET = re.compile(r"\[?#?([1-9][0-9]{0,14})\]?", re.ASCII)

Value = str | datetime | tuple[str, ...] | tuple[int, ...] | None

_SIGNS = {
    ord(written): meant
    for writtens, meant in (("“”„‟«»″＂", '"'), ("‘’‚‛′＇", "'"), ("‐‑‒–—−－", "-"), ("：", ":"), ("，；;", ","))
    for written in writtens
}
_LINK = re.compile(r"[<(\[]\s?(?:mailto|https?|tel):[^<>()\[\]\s]*\s?[>)\]]", re.IGNORECASE)
_QUOTED_NAME = re.compile(r'"[^"]*"\s*(?=<)')
_TAG = re.compile(r"[^\W_][\w.-]{0,39}")
_QUOTES = frozenset({'""', "''", "“”", "„“", "‘’", "«»"})
_UNCLEAR = {Unclear.NO_TIME: Says.UNCLEAR_TIME, Unclear.PAST: Says.PAST_TIME, Unclear.FAR: Says.FAR_TIME}


_BEFORE_A_NAME = re.compile(r"\A(?:(?:to|for)\s+)?@?", re.IGNORECASE)
_BEFORE_A_TICKET = re.compile(r"\A(?:(?:with|into|to|from)\s+)?(?:tickets?\s+)?", re.IGNORECASE)


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


class ValueFaultError(Exception):
    """A value is wrong; carries the sentence and the value that may have been meant."""

    def __init__(self, sentence: Says, meant: str = "", **values: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.meant = meant
        self.values = values


def value_of(syntax: Syntax, text: str, circumstances: Circumstances) -> Value:
    """Return the value that `text`, which stood behind a word of this syntax, is.

    Raises:
        ValueFaultError: it is none for this syntax.
    """
    if len(text) > MOST_VALUE_CHARS:
        raise ValueFaultError(Says.TOO_LONG)
    if syntax not in {Syntax.TEXT, Syntax.MAYBE_TEXT}:
        text = text.translate(_SIGNS)
    text = text.strip()
    if len(text) > 1 and (text[0] + text[-1]) in _QUOTES:
        text = text[1:-1].strip()
    return _READERS[syntax](text, circumstances)


def _nothing(text: str, _: Circumstances) -> Value:
    if text:
        raise ValueFaultError(Says.TAKES_NOTHING)
    return None


def _when(text: str, circumstances: Circumstances) -> Value:
    if not text:
        raise ValueFaultError(Says.NEEDS_TIME)
    try:
        return instant(text, circumstances.now, circumstances.zone, circumstances.business_days)
    except UnclearTimeError as error:
        raise ValueFaultError(_UNCLEAR[error.why], text=text[:40]) from None


def _agent(text: str, circumstances: Circumstances) -> Value:
    if text.casefold() in {"me", "none", "nobody"}:
        return "me" if text.casefold() == "me" else "none"
    return _name(_to(_bare(text), circumstances.agents), circumstances.agents, Says.NEEDS_AGENT, Says.NO_AGENT)


def _department(text: str, circumstances: Circumstances) -> Value:
    known = circumstances.departments
    return _name(_to(text, known), known, Says.NEEDS_DEPARTMENT, Says.NO_DEPARTMENT)


def _to(text: str, names: Mapping[str, str]) -> str:
    """Return whom or what `text` names, of `names`, without the word or sign that people put before a name."""
    return text if text.casefold() in names else _BEFORE_A_NAME.sub("", text)


def _name(text: str, names: Mapping[str, str], needs: Says, wrong: Says) -> str:
    """Return what the name `text` stands for among `names`."""
    if not text:
        raise ValueFaultError(needs)
    if not names:
        return text
    known = names.get(text.casefold())
    if known is None:
        raise ValueFaultError(wrong, nearest(text, [*names]) or "", text=text[:40])
    return known


def _prepared(text: str, circumstances: Circumstances) -> Value:
    return _name(text, circumstances.canned, Says.NEEDS_PREPARED, Says.NO_PREPARED)


def _priority(text: str, _: Circumstances) -> Value:
    if text.casefold() not in PRIORITIES:
        raise ValueFaultError(Says.NO_PRIORITY, nearest(text, PRIORITIES) or "")
    return text.casefold()


def _tags(text: str, _: Circumstances) -> Value:
    tags = []
    for written in text.replace(",", " ").split():
        sign = "-" if written.startswith("-") else ""
        tag = written.lstrip("+-#").casefold()
        if _TAG.fullmatch(tag) is None:
            raise ValueFaultError(Says.NO_TAG, text=written[:40])
        tags.append(sign + tag)
    if not tags:
        raise ValueFaultError(Says.NEEDS_TAG)
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
                raise ValueFaultError(Says.NO_ADDRESS, text=written[:60])
            addresses.append(f"-{address}" if removed or written.startswith("-") else address)
    if not addresses:
        raise ValueFaultError(Says.NEEDS_ADDRESS)
    return tuple(dict.fromkeys(addresses))


def _address(text: str, circumstances: Circumstances) -> Value:
    found = _addresses(text, circumstances)
    if not isinstance(found, tuple) or len(found) != 1 or str(found[0]).startswith("-"):
        raise ValueFaultError(Says.ONE_ADDRESS)
    return str(found[0])


def _text(text: str, _: Circumstances) -> Value:
    if not text:
        raise ValueFaultError(Says.NEEDS_TEXT)
    if len(text) > MOST_TEXT_CHARS:
        raise ValueFaultError(Says.LONG_TEXT, most=MOST_TEXT_CHARS)
    return text


def _tickets(text: str, _: Circumstances) -> Value:
    tickets = []
    for written in _BEFORE_A_TICKET.sub("", text).replace(",", " ").split():
        found = TICKET.fullmatch(written)
        if found is None:
            raise ValueFaultError(Says.NO_TICKET, text=written[:40])
        tickets.append(int(found[1]))
    if not tickets:
        raise ValueFaultError(Says.NEEDS_TICKET)
    return tuple(dict.fromkeys(tickets))


def _ticket(text: str, circumstances: Circumstances) -> Value:
    found = _tickets(text, circumstances)
    if not isinstance(found, tuple) or len(found) != 1:
        raise ValueFaultError(Says.ONE_TICKET)
    return found


_READERS: Mapping[Syntax, Callable[[str, Circumstances], Value]] = {
    Syntax.NOTHING: _nothing,
    Syntax.WHEN: _when,
    Syntax.MAYBE_WHEN: lambda text, seen: _when(text, seen) if text else None,
    Syntax.AGENT: _agent,
    Syntax.DEPARTMENT: _department,
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
