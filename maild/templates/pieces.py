"""What the mails of `templates.mails` are made of: people, lines of lists, of histories, of footers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Proof = Literal["proven", "unproven", "failed"]  # of a sender's address; failed: his domain says that it is not his
Role = Literal["customer", "participant", "third-party", "agent"]  # of an author on this ticket


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody, as he calls himself, and his address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An attachment by name."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Said:
    """An older mail of the ticket."""

    author: Who
    at: datetime
    text: str
    note: bool = False  # of an agent to agents
    attachments: tuple[Listed, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """A `mailto:` link in an agent's footer: a mail to `address` whose text is `words`."""

    name: str  # "resolve", "close", "open", "postpone", "take", "spam": names.txt has the words for it
    address: str
    words: str = ""  # what the mail says, such as "#resolve"


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a ticket's history: who did what, and what it changed."""

    at: datetime
    who: str  # "" for the desk itself
    event: str  # the name of what happened: names.txt has the words for it
    deeds: "tuple[Deed, ...]" = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The place in a mail that answers a search."""

    author: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A clock that runs, and by when it should have stopped."""

    clock: str  # rules.levels.Kind
    due_at: datetime
    late: bool = False


@dataclass(frozen=True, slots=True)
class Coming:
    """What happens to a ticket if nobody does anything."""

    step: str  # rules.next_step.Step
    at: datetime
    who: str = ""  # names of those who hear of it; "" for all of the department
    rules: str = ""  # names of those that act


@dataclass(frozen=True, slots=True)
class DueTicket:
    """A ticket in a list of those that wait for an agent."""

    ticket_id: int
    subject: str
    status: str
    customer: Who
    waiting_since: datetime | None
    promises: tuple[Promise, ...]
    assignee: str
    reply: str  # address at which he answers the customer
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A ticket in a list."""

    ticket_id: int
    subject: str
    status: str
    customer: Who
    assignee: str = ""  # name of an agent, "" for nobody
    due_at: datetime | None = None  # when the customer should have heard from us
    found: Found | None = None
    take: bool = True  # its reader can take it on: it is not his


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether an agent is there."""

    away: bool
    until: datetime | None = None  # None: until he says that he is back


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took: half of the times, and most of them, within so many hours."""

    half: str
    most: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The figures of a department, of an agent, or of all ("" as its name)."""

    name: str
    opened: int | None  # None of an agent: tickets come to departments
    solved: int
    answers: int
    backlog: int
    kept: int = 0  # promises
    promised: int = 0
    first_response: Times | None = None
    resolution: Times | None = None


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A mail in an agent's name that was not acted on."""

    subject: str
    at: datetime
    release: str = ""  # address that lets it through; "" if its sender failed his proof
    reject: str = ""  # address that puts it away


@dataclass(frozen=True, slots=True)
class Entry:
    """A word in the help."""

    example: str
    text: str  # a sentence
    form: str = ""  # the word and what may stand behind it, if that is told
    timed: bool = False  # a time stands behind it


@dataclass(frozen=True, slots=True)
class Deed:
    """What an agent's words did to one fact of a ticket; of sets `new` is what came and `old` what went."""

    ticket_id: int
    name: str  # "status", "assignee" ...: names.txt has the words for it
    old: str = ""
    new: str = ""
    at: datetime | None = None  # of an instant
    mail: str = ""  # the purpose of one that was not sent
    to: str = ""  # whom it was for


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipient whom a mail did not reach, and what his server said."""

    recipient: str
    words: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that could not be acted on."""

    line: str
    why: str  # a sentence in English, which the template says in its reader's language
    nearest: str = ""  # the word that may have been meant
    told: Mapping[str, str] = field(default_factory=dict)  # what the sentence is about
