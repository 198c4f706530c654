"""What an agent's words wish: what is wrong with them whatever the ticket says, and the events that they are.

What a word means is in `_WORDS`; what it does to a ticket is for `rules.ticket` to say. Words that take a ticket away
from everybody (`CAREFUL`) need both proofs: a signed address made for the agent, and a From that is authenticated,
wherever senders are checked at all.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, cast

from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message.address import Address, normalise
from maild.message.commands import WORDS, Command, Fault, Says, fault
from maild.message.parse import Attachment
from maild.outbox.sharing import goes_to_customers
from maild.rules.events import (
    Admit,
    AgentWrote,
    Assign,
    Close,
    Delete,
    Dismiss,
    Event,
    KnowAs,
    MarkSpam,
    Merge,
    MoveTo,
    NoteWritten,
    NotSpam,
    Postpone,
    Relate,
    Reopen,
    Resolve,
    Retitle,
    SetPriority,
    SetRequester,
    Tag,
    Undelete,
)
from maild.rules.routing import Action
from maild.rules.working_time import Span
from maild.services.filer.filing import Filing

CAREFUL: Final = frozenset({"delete", "merge"})
_UNANSWERED: Final = frozenset({"spam", "delete", "undelete", "merge"})  # with them nobody is answered
_OF_PEOPLE: Final = frozenset({"cc", "requester", "alias"})  # done before the message, which then reaches them
_MANNERS: Final = frozenset({"silent", "force", "note", "send", "use"})  # say how, not what
# Answered by mail: `requests`. A ticket is taken on as well as asked for.
AT_THE_DESK: Final = frozenset(word.name for word in WORDS.values() if word.desk and word.name != "take")
ASKED: Final = AT_THE_DESK | {"split"}  # alone, without an answer
_HANDING_OVER: Final = {"department": 1, "assign": 2, "take": 2}


@dataclass(frozen=True, slots=True)
class Wishes:
    """The commands of one mail, and what is left of it."""

    settings: Settings
    filing: Filing
    agent: Agent
    now: datetime
    commands: Sequence[Command]
    rest: str

    def faults(self) -> Iterator[Fault]:
        """Yield why the mail cannot be done, whatever the ticket says."""
        for command in self.commands:
            line, said = f"#{command.word}", {"word": command.word}
            if command.word not in AVAILABLE:
                yield fault(Says.NOT_AVAILABLE, line=line, values=said)
            elif command.word in CAREFUL and not self.filing.route.twice:
                yield fault(Says.NOT_PROVEN, line=line, values=said)
            elif command.word in _UNANSWERED and self._speaks() and not self._notes():
                yield fault(Says.NO_ANSWER_ALONG, line=line, values=said)
            elif command.word == "take" and command.value not in (None, (self.filing.ticket,)):
                yield fault(Says.THIS_VERY_TICKET, "#take", line, said)
            elif command.word == "use" and not isinstance(command.value, str):
                yield fault(Says.NEEDS_PREPARED, line=line)
            elif command.word == "use" and not self.rest.strip():
                yield fault(Says.NO_PREPARED_AT_ALL, line=line)
            elif command.word == "for":
                yield fault(Says.ONLY_NEW, line=line)
            elif command.word == "send" and (not self._speaks() or self._notes()):
                yield fault(Says.NOTHING_LEAVES, line=line)
            elif command.word in _OF_PEOPLE:
                yield from self._unfit(command)
        words = [command.word for command in self.commands]
        asked = ASKED.intersection(words)
        if asked and (len(words) > 1 or self._speaks()):
            yield fault(Says.ASKED_ALONE, line=f"#{min(asked)}", values={"word": min(asked)})
        elif not self._speaks() and all(word in _MANNERS for word in words):
            yield fault(Says.NOTHING_TO_DO if words else Says.NO_TEXT)

    def request(self) -> Command:
        """Return what is asked of the desk; of this very ticket if no other is named."""
        [command] = self.commands
        ticket = self.filing.ticket
        if command.word in ("why", "release", "pass", "cancel") and command.value is None and isinstance(ticket, int):
            return Command(command.word, (ticket,))
        return command

    def leaves_at(self, delay: Span | None) -> datetime | None:
        """Return when the answer leaves: then, or so long after it came."""
        for command in self.commands:
            if command.word == "send":
                return cast("datetime", command.value)
        return self.filing.mail.stored_at + timedelta(seconds=delay.seconds) if delay else None

    def _unfit(self, command: Command) -> Iterator[Fault]:
        for address in addresses(command):
            line, said = f"#{command.word} {address}", {"address": address}
            if self.settings.agent_of(address) is not None:
                yield fault(Says.IS_AGENT, line=line, values=said)
            elif self.settings.department_of(address) is not None:
                yield fault(Says.IS_OURS, line=line, values=said)

    def _notes(self) -> bool:
        return self.filing.route.action is Action.NOTE or any(command.word == "note" for command in self.commands)

    def _speaks(self) -> bool:
        """Return whether there is a message besides the words."""
        return bool(self.rest.strip()) or any(map(_is_said, self.filing.reading.message.attachments))

    def events(self, *, note: bool) -> Iterator[tuple[Event, str]]:
        """Yield what happens, and by which line: people first, then the message, then the rest, the status last."""
        silent = any(command.word == "silent" for command in self.commands)
        answers = self._speaks() and not note
        for command in self.commands:
            if command.word in _OF_PEOPLE:
                yield from ((event, _line(command)) for event in self._of_people(command))
        if answers and self.filing.joining:
            yield Admit(self.now, frozenset(normalise(one.address) for one in self.filing.joining)), ""
        if self._speaks():
            sender, line = self.filing.reading.sender, next(iter(self.rest.strip().splitlines()), "")[:80]
            yield (NoteWritten(self.now) if note else AgentWrote(self.now, sender)), line
        yield from self.facts(silent=silent or answers)

    def facts(self, *, silent: bool, besides: Collection[str] = ()) -> Iterator[tuple[Event, str]]:
        """Yield what happens to the ticket behind the message, but for the words `besides`, and by which line.

        Who has the answer knows by it: `silent`, no second mail says that the matter is closed.
        """
        for command in sorted(self.commands, key=_turn):
            if command.word in _OF_PEOPLE or command.word in _MANNERS or command.word in besides:
                continue
            event = _WORDS[command.word](self, command)
            yield (replace(event, silent=silent) if isinstance(event, Resolve) else event), _line(command)

    def _of_people(self, command: Command) -> Iterator[Event]:
        written = [str(each) for each in command.value] if isinstance(command.value, tuple) else [str(command.value)]
        if command.word == "requester":
            yield SetRequester(self.now, normalise(written[0]))
        elif command.word == "alias":
            yield KnowAs(self.now, normalise(written[0]))
        else:
            joining = frozenset(normalise(each) for each in written if not each.startswith("-"))
            leaving = frozenset(normalise(each[1:]) for each in written if each.startswith("-"))
            if joining:
                yield Admit(self.now, joining)
            if leaving:
                yield Dismiss(self.now, leaving)

    def people(self) -> tuple[Address, ...]:
        """Return whom the words name."""
        named = (each for command in self.commands if command.word in _OF_PEOPLE for each in addresses(command))
        return tuple(Address("", each) for each in named)

    def assign(self, command: Command) -> Assign:
        """Return whom the ticket is given to."""
        mine = normalise(self.agent.address)
        names = {"me": mine, "none": None}
        wanted = str(command.value or "me")
        return Assign(self.now, names.get(wanted, wanted), mine)

    def move(self, command: Command) -> Event:
        """Return where the ticket goes."""
        name = str(command.value)
        return MoveTo(self.now, name, frozenset(normalise(each.address) for each in self.settings.agents_of(name)))


_WORDS: Final[Mapping[str, Callable[[Wishes, Command], Event]]] = {
    "resolve": lambda mail, _: Resolve(mail.now),
    "close": lambda mail, _: Close(mail.now),
    "open": lambda mail, _: Reopen(mail.now),
    "postpone": lambda mail, command: Postpone(mail.now, cast("datetime", command.value)),
    "spam": lambda mail, _: MarkSpam(mail.now),
    "notspam": lambda mail, _: NotSpam(mail.now),
    "delete": lambda mail, _: Delete(mail.now),
    "undelete": lambda mail, _: Undelete(mail.now),
    "merge": lambda mail, command: Merge(mail.now, cast("tuple[int, ...]", command.value)[0]),
    "assign": Wishes.assign,
    "take": lambda mail, _: Wishes.assign(mail, Command("assign", "me")),
    "department": Wishes.move,
    "priority": lambda mail, command: SetPriority(mail.now, str(command.value)),
    "tag": lambda mail, command: Tag(
        mail.now,
        frozenset(each for each in _words(command) if not each.startswith("-")),
        frozenset(each[1:] for each in _words(command) if each.startswith("-")),
    ),
    "link": lambda mail, command: Relate(mail.now, frozenset(cast("tuple[int, ...]", command.value))),
    "title": lambda mail, command: Retitle(mail.now, str(command.value)),
}


AVAILABLE: Final = frozenset({*_WORDS, *_OF_PEOPLE, *_MANNERS, *ASKED, "for"})


def _line(command: Command) -> str:
    """Return a word as it was said, as far as its value is kept as it was written."""
    values = command.value if isinstance(command.value, tuple) else (command.value,)
    return " ".join((f"#{command.word}", *(str(each) for each in values if isinstance(each, str | int))))[:80]


def _turn(command: Command) -> tuple[bool, int]:
    """Return when it is done: who gets the ticket is told of all the rest, and the status is last."""
    return WORDS[command.word].status, _HANDING_OVER.get(command.word, 0)


def _words(command: Command) -> list[str]:
    return [each for each in command.value if isinstance(each, str)] if isinstance(command.value, tuple) else []


def addresses(command: Command) -> list[str]:
    """Return whom a word names, but those whom it sends away."""
    values = command.value if isinstance(command.value, tuple) else (command.value,)
    return [each for each in values if isinstance(each, str) and not each.startswith("-")]


def _is_said(attachment: Attachment) -> bool:
    """Return whether a file is part of what somebody says: no picture of his signature, nor a signature itself."""
    unsaid = (
        attachment.inline or attachment.content_id or attachment.content_type.lower().startswith("application/pgp-")
    )
    return not unsaid and goes_to_customers(attachment)


def names_of_agents(agents: Sequence[Agent]) -> dict[str, str]:
    """Return by what agents may be called: address, name, first name and local part, as far as they are one agent's."""
    called: dict[str, set[str]] = {}
    for agent in agents:
        address = normalise(agent.address)
        for name in (address, agent.name, agent.name.split()[0], address.partition("@")[0]):
            called.setdefault(name.casefold(), set()).add(address)
    return {name: next(iter(found)) for name, found in called.items() if len(found) == 1}


def names_of_departments(departments: Sequence[Department]) -> dict[str, str]:
    """Return by what departments may be called: name and title."""
    named = {each.title.casefold(): each.name for each in departments}
    return named | {each.name.casefold(): each.name for each in departments}
