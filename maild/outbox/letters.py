"""What is posted: a ticket as mails need it, the mail that is the cause, and the letter that is made of them."""

from dataclasses import dataclass, field
from datetime import datetime

from maild.config.desks import Agent, Department
from maild.message.address import Address, normalise
from maild.message.commands import Fault
from maild.message.compose import File
from maild.message.parse import Message
from maild.message.reply import Reply
from maild.people import Person
from maild.rules.state import Tell, Ticket
from maild.store.conversations import UNPROVEN_ACKNOWLEDGEMENT, Newer, Said
from maild.store.driver import Ready
from maild.store.threads import Whole
from maild.templates.pieces import Change, Deed


@dataclass(slots=True)
class Thread:
    """A ticket, as mails about it need it."""

    ticket_id: int  # 0 until the ticket is written
    subject: str
    department: str
    requester: Person
    participants: tuple[Person, ...] = ()
    language: str | None = None
    silenced_until: datetime | None = None
    follows_id: int | None = None


@dataclass(frozen=True, slots=True)
class FiledMail:
    """The mail that caused a post."""

    id: int
    message: Message
    reply: Reply  # what its author wrote this time
    author: Address
    third_party: bool = False
    trust: str = "none"  # message.authentication.Trust: is the author's address proven
    related: tuple[int, ...] = ()
    note: bool = False  # from an agent to agents
    also_for: tuple[str, ...] = ()  # further departments to whom it was addressed: one ticket, all are told
    block: str = ""  # the words on top of an agent's mail, which `reply` has no more
    signed: Reply | None = None  # what customers get instead of `reply`: with the agent's signature
    brought_by: str = ""  # the agent who passed it on, or made a ticket of it, normalised
    noted: str = ""  # what he wrote above it, for agents alone
    split_from: int | None = None  # the ticket that it was on
    named: frozenset[str] = frozenset()  # to whom it went by its own To and Cc, normalised

    @property
    def written(self) -> str:
        """What the author wrote, words and all."""
        return "\n\n".join(part for part in (self.block, self.reply.text) if part)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The answer that did not arrive."""

    mail_id: int
    text: str
    sent_at: datetime
    recipient: str
    said: str  # the server's own words
    purpose: str = Tell.ANSWER  # or that of the reminder


@dataclass(frozen=True, slots=True)
class Asked:
    """An agent asks for a ticket."""

    agent: str  # his address
    why: tuple[Change, ...] = ()  # its history, if he asks for that
    until: datetime | None = None  # nobody else is offered it
    thread: tuple[Whole, ...] = ()  # its mails as they are, if he asks for them
    left_out: int = 0  # of its mails, since all would be too much


@dataclass(frozen=True, slots=True)
class Collision:
    """An answer that is held, since something newer was said."""

    agent: str  # his normalised address
    mail_id: int
    text: str
    block: str  # the words on top of it
    missed: tuple[Newer, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What an agent's mail did, as he is told it."""

    agent: str  # his normalised address
    mail_id: int  # which did it
    deeds: tuple[Deed, ...]
    undo_until: datetime | None = None  # it can be taken back until then
    taken_back: bool = False  # it was taken back
    by: str = ""  # by a colleague: his name
    text: str = ""  # of an answer that is his again
    leaves_at: datetime | None = None  # of an answer that leaves later


About = FiledMail | Undelivered | Asked | Collision | Done | None


@dataclass(frozen=True, slots=True)
class Post:
    """Something that somebody must be told."""

    tell: Tell
    thread: Thread
    before: Ticket
    state: Ticket  # after the event
    about: About
    agent: str | None  # who answers, for an answer
    cause: str  # the event's name
    faults: tuple[Fault, ...] = ()  # why nothing was done, for what is returned


@dataclass(frozen=True, slots=True)
class Withheld:
    """A mail that is not sent, and why."""

    thread: Thread
    tell: Tell
    recipient: str
    reason: str
    cause: str
    about: About = None
    silence_until: datetime | None = None
    silenced_before: datetime | None = None  # until when it was silenced already


@dataclass(slots=True)
class Letter:
    """One mail on its way to be written."""

    post: Post
    department: Department
    language: str
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    agent: Agent | None = None  # who gets it, if it is for an agent
    said: tuple[Said, ...] = ()  # on its ticket before, newest first
    message_id: str = ""
    speaker: str = ""  # who says it: an agent, or the department
    references: tuple[str, ...] = ()  # oldest first
    reply_to: dict[int, str] = field(default_factory=dict)  # signed, by address id
    leave: dict[int, str] = field(default_factory=dict)  # likewise, of those who may leave
    subject: str = ""
    text: str = ""
    files: tuple[File, ...] = ()
    raw: bytes = b""
    ready: Ready | None = None  # its row, of one that was made beforehand

    @property
    def automatic(self) -> bool:
        """Whether no person wrote it."""
        return self.post.tell is not Tell.ANSWER

    @property
    def proven(self) -> bool:
        """Whether it answers a mail that came, as is proven, from the very address that it goes to.

        What proves From proves nothing of the address that Reply-To names: that may be a victim's.
        """
        about = self.post.about
        if not isinstance(about, FiledMail) or about.trust != "pass":
            return False
        return normalise(about.author.address) == self.post.thread.requester.normal

    @property
    def purpose(self) -> str:
        """What the mail is for, as the table `mail` says it."""
        if self.post.tell is Tell.ACKNOWLEDGEMENT and not self.proven:
            return UNPROVEN_ACKNOWLEDGEMENT
        return self.post.tell.value

    @property
    def recipients(self) -> tuple[Person, ...]:
        """Everybody who gets a copy, each once.

        Not a participant to whom the agent wrote himself, beside us: he has the mail. The requester gets ours in any
        case, since it is the one by which his answers come back to the desk.
        """
        had = self.post.about.named if isinstance(self.post.about, FiledMail) else frozenset()
        copied = (person for person in self.cc if person.normal not in had)
        return tuple({person.address_id: person for person in (*self.to, *copied)}.values())
