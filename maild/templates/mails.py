"""What each template is told: one dataclass per mail, plain values only.

`outbox` builds them, `Templates.render` turns them into words. All strings are other people's or ours alike: before a
template sees them, every one but those named `text`, `html`, `words` and `noted` is made one line without control
characters (`message.compose.clean`), so a name cannot pretend to be a line of the mail around it.

An address in a field of its own (`solved`, `note`, ...) is a signed reply address that becomes a `mailto:` action; ""
leaves the action out. `reference` is the signed token of the body's last line; "" leaves the line out.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final, get_args
from zoneinfo import ZoneInfo

from maild.templates.pieces import (
    Action,
    Change,
    Coming,
    Counted,
    Deed,
    DueTicket,
    Entry,
    Failure,
    Fault,
    HeldMail,
    Listed,
    Presence,
    Promise,
    Proof,
    Role,
    Row,
    Said,
    Who,
)


class Purpose(StrEnum):
    """Which mail; the value is the name of its template, and of `rules.state.Tell` where events ask for it."""

    ACKNOWLEDGEMENT = "acknowledgement"  # to the requester: we have your mail
    NOTIFICATION = "notification"  # to an agent: somebody wrote
    ANSWER = "answer"  # to requester and participants: an agent's words
    REMINDER = "reminder"  # to the requester: we wait for you
    RESOLVED = "resolved"  # to the requester: we believe it solved
    RATING = "rating"  # to the requester: how did we do
    FOLLOW_UP = "follow_up"  # to the requester: your mail began a new conversation
    WAITING = "waiting"  # to an agent: a customer waits
    ESCALATED = "escalated"  # to an agent: a rule gave him a ticket, or wants him to know of it
    BREACHED = "breached"  # to an agent and his lead: he has been waiting for longer than was promised
    DUE = "due"  # to an agent: several customers wait
    RATED = "rated"  # to an agent: the customer said how we did
    HANDED_OVER = "handed_over"  # to the agents who have a ticket from now on
    SHOWN = "shown"  # to an agent: the ticket that he asked for
    DIGEST = "digest"  # to an agent: what his day begins with
    WELCOME = "welcome"  # to an agent: what the desk is
    REPORT = "report"  # to an agent: the figures of a period
    DESK = "desk"  # to an agent: the list or the help that he asked for
    COLLISION = "collision"  # to an agent: your answer waits, something newer was said
    UNDELIVERED = "undelivered"  # to the author: your answer did not arrive
    HELD = "held"  # to an agent: mail in your name was not acted on
    TRANSCRIPT = "transcript"  # to an agent: what his words did
    RETURNED = "returned"  # to an agent: what you asked for was not done


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    department: str  # its title, as customers know it
    subject: str  # of the ticket or of the customer's mail, without Re:
    zone: ZoneInfo  # in which instants are told
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToCustomer(_Mail):
    name: str = ""  # how he is greeted


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAgent(_Mail):
    """What mails to agents about a ticket have in common."""

    ticket_id: int
    status: str  # rules.state.Status
    customer: Who
    promises: tuple[Promise, ...] = ()
    coming: Coming | None = None
    rating: int = 0  # what the customer said of our work: 1 bad, 2 fair, 3 good; 0: nothing
    assignee: str = ""  # name of an agent, "" for nobody
    priority: str = ""  # "low", "high" or "urgent", "" for the usual one
    tags: tuple[str, ...] = ()
    linked: tuple[int, ...] = ()  # tickets that have to do with it
    vip: bool = False  # the customer is one of those who come first
    participants: tuple[Who, ...] = ()  # who else gets the answers, as many as are named
    more_participants: int = 0  # who are not
    note: str = ""  # address for internal notes
    desk: str = ""  # address for lists and help
    actions: tuple[Action, ...] = ()
    older: tuple[Said, ...] = ()  # newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement(_ToCustomer):
    """We have your mail. To an unproven sender it says nothing that he wrote: not his subject, not his name."""

    purpose: ClassVar = Purpose.ACKNOWLEDGEMENT
    proven: bool
    promised_at: datetime | None = None  # when we answer at the latest, if that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(ToAgent):
    """Somebody wrote."""

    purpose: ClassVar = Purpose.NOTIFICATION
    author: Who
    role: Role
    proof: Proof
    at: datetime
    text: str  # what is new, in full
    html: str = ""  # the same, sanitised; "" if there was none
    attachments: tuple[Listed, ...] = ()
    internal: bool = False  # a colleague's note
    opened: bool = False  # the mail began the ticket
    follows_id: int | None = None  # the closed ticket that this one follows
    related: tuple[int, ...] = ()  # tickets that the mail may belong to, by a subject that proves nothing
    brought_by: str = ""  # name of the agent who passed it on, or made a ticket of its own of it
    noted: str = ""  # what he wrote above it, among agents
    split_from: int | None = None  # the ticket that it was on
    admits: str = ""  # the address of a third party, as words take it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(_Mail):
    """An agent's words, and nothing else."""

    purpose: ClassVar = Purpose.ANSWER
    text: str
    html: str = ""  # his own, sanitised; "" if he wrote plain text
    first: bool = False  # nobody wrote before


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder(_ToCustomer):
    """We answered, and wait for you."""

    purpose: ClassVar = Purpose.REMINDER
    answered_at: datetime
    resolves_at: datetime | None = None  # when silence will be taken for yes
    solved: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved(_ToCustomer):
    """We believe it solved."""

    purpose: ClassVar = Purpose.RESOLVED
    by_silence: bool
    solved: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating(_ToCustomer):
    """How did we do?"""

    purpose: ClassVar = Purpose.RATING
    rate: str  # address that takes his rating


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp(_ToCustomer):
    """Your mail came to a closed conversation, so we began a new one."""

    purpose: ClassVar = Purpose.FOLLOW_UP
    promised_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(ToAgent):
    """A customer waits for an answer."""

    purpose: ClassVar = Purpose.WAITING
    waiting_since: datetime
    now: datetime
    text: str = ""  # the newest of what waits for an answer
    left_by: str = ""  # name of the agent who had it and did nothing about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated(ToAgent):
    """A customer has been waiting for so long that a rule of the configuration acted."""

    purpose: ClassVar = Purpose.ESCALATED
    rules: tuple[str, ...]  # their names
    waiting_since: datetime
    now: datetime
    yours: bool = False  # he has the ticket from now on
    text: str = ""  # the newest of what waits for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Breached(ToAgent):
    """A customer has been waiting for longer than he was promised."""

    purpose: ClassVar = Purpose.BREACHED
    waiting_since: datetime | None
    now: datetime
    text: str = ""  # the newest of what waits for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated(ToAgent):
    """The customer said how we did: badly, or in words of his own."""

    purpose: ClassVar = Purpose.RATED
    author: Who
    text: str = ""  # his own words


@dataclass(frozen=True, slots=True, kw_only=True)
class Due(_Mail):
    """Several customers wait, some perhaps for longer than they were promised."""

    purpose: ClassVar = Purpose.DUE
    desk: str  # address for lists and help
    now: datetime
    tickets: tuple[DueTicket, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver(ToAgent):
    """A colleague gave you a ticket, or moved it to your department."""

    purpose: ClassVar = Purpose.HANDED_OVER
    by: str  # a colleague's name, "" for the operator
    yours: bool  # given to this very agent, not to a department
    noted: str = ""  # what the colleague wrote about it, among agents
    answered: str = ""  # what the colleague answered by the same mail
    text: str = ""  # what the customer wrote last


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(ToAgent):
    """The ticket that you asked for."""

    purpose: ClassVar = Purpose.SHOWN
    why: tuple[Change, ...] = ()  # its history, oldest first
    until: datetime | None = None  # it is the most urgent one, and kept for him until then
    attached: int = 0  # mails of the ticket
    left_out: int = 0  # mails of it that are too much


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision(ToAgent):
    """Your answer is held: something newer was said."""

    purpose: ClassVar = Purpose.COLLISION
    missed: tuple[Said, ...]  # oldest first
    text: str  # of the answer
    release: str  # address that sends it all the same
    reject: str  # address that puts it away


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript(ToAgent):
    """What your words did, or that it was taken back."""

    purpose: ClassVar = Purpose.TRANSCRIPT
    deeds: tuple[Deed, ...]
    taken_back: bool = False
    by: str = ""  # by a colleague: his name
    undo: str = ""  # the word that takes it back; "" if that cannot be
    until: datetime | None = None  # it can be taken back
    leaves_at: datetime | None = None  # of an answer that leaves later
    text: str = ""  # of an answer that was not sent, and is his again


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk(_Mail):
    """The list or the help that an agent asked for; `subject` is his request."""

    purpose: ClassVar = Purpose.DESK
    desk: str  # the address that he asked
    rows: tuple[Row, ...] = ()
    more: int = 0  # tickets that the list leaves out
    idle: bool = False  # he asked for the next one, and none waits
    presence: Presence | None = None  # he said that he is away, or back
    words: tuple[Entry, ...] = ()  # for answers to mails about tickets
    requests: tuple[Entry, ...] = ()  # for the desk address
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(_Mail):
    """The figures of a period; `subject` says which."""

    purpose: ClassVar = Purpose.REPORT
    first: date
    last: date
    all: tuple[Counted, ...]  # in all ("" as its name) and by department
    agents: tuple[Counted, ...] = ()
    desk: str = ""  # the address that was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest(_Mail):
    """What an agent's day begins with; what is late in the departments, and their figures, for who leads them."""

    purpose: ClassVar = Purpose.DIGEST
    desk: str
    count: int  # of the tickets that are due and those to solve
    due: tuple[Row, ...] = ()  # today, or late
    to_solve: tuple[Row, ...] = ()  # the others in which a customer waits, his or nobody's
    more: int = 0  # of them that are left out
    waking: tuple[Row, ...] = ()
    undelivered: tuple[Row, ...] = ()
    held: tuple[HeldMail, ...] = ()
    late: tuple[Row, ...] = ()  # of other agents, for who leads the department
    counted: tuple[Counted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome(_Mail):
    """The first mail to an agent: what the desk is, and its address."""

    purpose: ClassVar = Purpose.WELCOME
    desk: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered(ToAgent):
    """Your answer did not arrive."""

    purpose: ClassVar = Purpose.UNDELIVERED
    failures: tuple[Failure, ...]
    sent_at: datetime
    text: str  # of the answer
    reminder: bool = False  # it was our reminder of the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(_Mail):
    """A mail in an agent's name was not acted on: nothing proves that he wrote it, or his program may have."""

    purpose: ClassVar = Purpose.HELD
    author: Who
    at: datetime
    text: str
    absent: bool = False  # it reads like a note that he is away
    both: bool = False  # it has some proof that he wrote it, and the desk asks for more
    ticket_id: int | None = None
    release: str = ""  # address that releases it
    reject: str = ""  # address that puts it away


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(_Mail):
    """What an agent asked for was not done."""

    purpose: ClassVar = Purpose.RETURNED
    faults: tuple[Fault, ...]
    text: str  # of his mail
    ticket_id: int | None = None


Mail = (
    Acknowledgement
    | Notification
    | Answer
    | Reminder
    | Resolved
    | Rating
    | FollowUp
    | Waiting
    | Breached
    | Rated
    | Due
    | Escalated
    | HandedOver
    | Shown
    | Collision
    | Transcript
    | Desk
    | Report
    | Digest
    | Welcome
    | Undelivered
    | Held
    | Returned
)

# The purposes of mails that show an agent his ticket as it is, so that whoever answers one has read it.
SHOW_THE_TICKET: Final = frozenset(each.purpose.value for each in get_args(Mail) if issubclass(each, ToAgent))
