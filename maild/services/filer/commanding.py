"""What agents ask for by words: the block on top of an agent's mail becomes events of its ticket.

    route (an answer, a note) -> block of words, new text without it -> events: people, message, facts, status

It is read before anything is decided. A block with a fault leaves no event at all, and the desk sends the mail back;
so does one of which the rules refuse a single event. Commands alone make no message. What a word means is in `_WORDS`;
what it does to a ticket is for `rules.ticket` to say.

Words that take a ticket away from everybody (`CAREFUL`) need both proofs: a signed address made for the agent, and a
From that is authenticated, wherever senders are checked at all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import Connection

from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message import commands, html
from maild.message.address import Address, normalise
from maild.message.commands import WORDS, Circumstances, Command, Fault, Says, fault
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
from maild.services.filer import betraying
from maild.services.filer.beginning import Beginner
from maild.services.filer.filing import Filing, Orders
from maild.services.filer.signing import signed_answer
from maild.store import tickets
from maild.templates.replies import Prepared, Values

CAREFUL: Final = frozenset({"delete", "merge"})
_UNANSWERED: Final = frozenset({"spam", "delete", "undelete", "merge"})  # with them nobody is answered
_OF_PEOPLE: Final = frozenset({"cc", "requester", "alias"})  # done before the message, which then reaches them
_MANNERS: Final = frozenset({"silent", "force", "note", "send", "use"})  # say how, not what
# Answered by mail: `requests`. A ticket is taken on as well as asked for.
AT_THE_DESK: Final = frozenset(word.name for word in WORDS.values() if word.desk and word.name != "take")
ASKED: Final = AT_THE_DESK | {"split"}  # alone, without an answer
_HANDING_OVER: Final = {"department": 1, "assign": 2, "take": 2}


class Commander:
    """Reads what agents ask for."""

    def __init__(self, settings: Settings, prepared: Prepared) -> None:
        self._settings = settings
        self._agents = names_of_agents(settings.agents)
        self._departments = names_of_departments(settings.departments)
        self._prepared = prepared
        self._names = {name: name for name in prepared.names}
        self._beginner = Beginner(settings)

    def _prepared_text(
        self, connection: Connection, filing: Filing, agent: Agent, department: Department, said: Sequence[Command]
    ) -> str:
        """Return the prepared texts that are used, as they are said to this customer; "" for none."""
        names = [str(command.value) for command in said if command.word == "use" and command.value in self._names]
        if not names or not isinstance(filing.ticket, int):
            return ""
        about = tickets.addressed(connection, filing.ticket)
        values = Values(about.name, about.subject, filing.ticket, agent.name, department.title)
        language = about.language or department.language
        texts = (self._prepared.text(name, language, values) for name in names)
        return "\n\n".join(text for text in texts if text)

    def read(self, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
        """Give each of `filings` that is an agent's words its orders, and leave it the new text without the block."""
        for filing in filings:
            self._beginner.begin(filing, now)
        spoken = [filing for filing in filings if filing.route.action in (Action.ANSWER, Action.NOTE)]
        departments = tickets.departments_of(
            connection, {each.ticket for each in spoken if isinstance(each.ticket, int)}
        )
        for filing in spoken:
            agent = self._settings.agent_of(filing.reading.sender)
            if agent is None or not isinstance(filing.ticket, int):
                continue  # not an agent's, or a ticket that is opened by this mail
            department = self._settings.department(departments.get(filing.ticket, ""))
            self._order(connection, filing, agent, department or self._settings.departments[0], now)

    def _order(
        self, connection: Connection, filing: Filing, agent: Agent, department: Department, now: datetime
    ) -> None:
        office = self._settings.office_of(department)
        circumstances = Circumstances(
            filing.mail.stored_at,  # what he says of time he says when he writes, whenever it is looked at
            self._settings.timezone_of(agent),
            lambda start, days: office.add(start, Span(business_days=days)),
            agents=self._agents,
            departments=self._departments,
            canned=self._names,
        )
        plain = filing.reply
        text = plain.text
        block = commands.parse(text, circumstances)
        if not (block.commands or block.faults) and filing.reply.html:
            # The HTML is what is relayed: no word on top of it may reach a customer, whatever the text beside it says.
            written = html.to_text(filing.reply.html)
            if commands.block_lines(written.splitlines(), circumstances):
                text, block = written, commands.parse(written, circumstances)
        words = tuple(command.word for command in block.commands)
        said = "\n".join(text.splitlines()[: commands.block_lines(text.splitlines(), circumstances)]).strip()
        prepared = self._prepared_text(connection, filing, agent, department, block.commands)
        rest = "\n\n".join(part for part in (prepared, block.rest) if part)
        wishes = _Wishes(self._settings, filing, agent, now, block.commands, rest)
        faults = block.faults or tuple(wishes.faults())
        if "note" in words:
            filing.route = replace(filing.route, action=Action.NOTE, reason=f"{filing.route.reason}, with #note")
        if words or faults:
            markup = "" if "note" in words else commands.without_block(filing.reply.html, circumstances)
            filing.reply = filing.reply.rest(rest, commands.before(markup, prepared) if block.rest.strip() else "")
        if not faults and filing.route.action is Action.ANSWER:
            faults = betraying.faults(filing.reply, filing.reading.message.attachments)
        if not faults and department.signature and filing.route.action is Action.ANSWER and rest.strip():
            filing.signed = signed_answer(plain, circumstances, prepared)
        if not faults and ASKED.intersection(words):
            filing.route = replace(filing.route, action=Action.DESK, reason=f"{filing.route.reason}, who asks his desk")
            filing.orders = Orders(block=said, words=words, request=wishes.request())
            return
        if faults:
            filing.orders = Orders(faults=faults, block=said, words=words)
            return
        filing.orders = Orders(
            tuple(wishes.events(note=filing.route.action is Action.NOTE)),
            (),
            wishes.people(),
            said,
            words,
            leaves_at=wishes.leaves_at(agent.send_delay or department.send_delay),
        )


@dataclass(frozen=True, slots=True)
class _Wishes:
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
        for address in _addresses(command):
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

    def events(self, *, note: bool) -> Iterator[Event]:
        """Yield what happens: people first, then the message, then the rest, of which the status is last."""
        silent = any(command.word == "silent" for command in self.commands)
        answers = self._speaks() and not note
        for command in self.commands:
            if command.word in _OF_PEOPLE:
                yield from self._of_people(command)
        if answers and self.filing.joining:
            yield Admit(self.now, frozenset(normalise(one.address) for one in self.filing.joining))
        if self._speaks():
            sender = self.filing.reading.sender
            yield NoteWritten(self.now) if note else AgentWrote(self.now, sender)
        for command in sorted(self.commands, key=_turn):
            if command.word in _OF_PEOPLE or command.word in _MANNERS:
                continue
            event = _WORDS[command.word](self, command)
            # Who has the answer knows by it: no second mail says that the matter is closed.
            yield replace(event, silent=silent or answers) if isinstance(event, Resolve) else event

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
        named = (each for command in self.commands if command.word in _OF_PEOPLE for each in _addresses(command))
        return tuple(Address("", each) for each in named)

    def assign(self, command: Command) -> Event:
        """Return whom the ticket is given to."""
        mine = normalise(self.agent.address)
        names = {"me": mine, "none": None}
        wanted = str(command.value or "me")
        return Assign(self.now, names.get(wanted, wanted), mine)

    def move(self, command: Command) -> Event:
        """Return where the ticket goes."""
        name = str(command.value)
        return MoveTo(self.now, name, frozenset(normalise(each.address) for each in self.settings.agents_of(name)))


_WORDS: Final[Mapping[str, Callable[[_Wishes, Command], Event]]] = {
    "resolve": lambda mail, _: Resolve(mail.now),
    "close": lambda mail, _: Close(mail.now),
    "open": lambda mail, _: Reopen(mail.now),
    "postpone": lambda mail, command: Postpone(mail.now, cast("datetime", command.value)),
    "spam": lambda mail, _: MarkSpam(mail.now),
    "notspam": lambda mail, _: NotSpam(mail.now),
    "delete": lambda mail, _: Delete(mail.now),
    "undelete": lambda mail, _: Undelete(mail.now),
    "merge": lambda mail, command: Merge(mail.now, cast("tuple[int, ...]", command.value)[0]),
    "assign": _Wishes.assign,
    "take": lambda mail, _: _Wishes.assign(mail, Command("assign", "me")),
    "department": _Wishes.move,
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


def _turn(command: Command) -> tuple[bool, int]:
    """Return when it is done: who gets the ticket is told of all the rest, and the status is last."""
    return WORDS[command.word].status, _HANDING_OVER.get(command.word, 0)


def _words(command: Command) -> list[str]:
    return [each for each in command.value if isinstance(each, str)] if isinstance(command.value, tuple) else []


def _addresses(command: Command) -> list[str]:
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
