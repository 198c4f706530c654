"""What a ticket is to the rules: its statuses and facts, and what a decision may say.

`rules.ticket` says what happens to it; nothing here decides anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from maild.rules.levels import Finished


class Status(StrEnum):
    """Where a ticket stands; the value is what the database, the commands and the mails say."""

    NEW = "new"  # no public answer yet
    OPEN = "open"  # the customer waits again
    ANSWERED = "answered"  # we wait for the customer
    POSTPONED = "postponed"  # hidden until `wake_at`
    RESOLVED = "resolved"  # believed solved; a customer's mail reopens it
    CLOSED = "closed"  # final; a customer's mail begins a linked ticket
    SPAM = "spam"  # put aside, purged later
    DELETED = "deleted"  # put aside, purged later
    MERGED = "merged"  # alias of another ticket


TO_SOLVE: Final = frozenset({Status.NEW, Status.OPEN})


class Tell(StrEnum):
    """A mail that must follow; the value is the purpose of that mail and the name of its template."""

    ACKNOWLEDGEMENT = "acknowledgement"  # to the requester: we have your mail
    NOTIFICATION = "notification"  # to the agents: somebody wrote
    ANSWER = "answer"  # to requester and participants: an agent's words
    REMINDER = "reminder"  # to the requester: we wait for you
    RESOLVED = "resolved"  # to the requester: we believe it solved
    RATING = "rating"  # to the requester: how did we do
    FOLLOW_UP = "follow_up"  # to the requester: your mail began a new ticket
    WAITING = "waiting"  # to the agents: a customer waits
    ESCALATED = "escalated"  # to agents whom a rule names, or gives the ticket: a customer waits for too long
    BREACHED = "breached"  # to the agents and their lead: he has been waiting for longer than was promised
    RATED = "rated"  # to the agents: the customer said how we did
    HANDED_OVER = "handed_over"  # to the agents who have it from now on
    SHOWN = "shown"  # to the agent who asked for it
    COLLISION = "collision"  # to an agent: your answer waits, something newer was said
    UNDELIVERED = "undelivered"  # to the author: your answer did not arrive
    TRANSCRIPT = "transcript"  # to the agent who asked: what was done, and how to undo it
    RETURNED = "returned"  # to the agent who asked: it was refused


class Ticket(NamedTuple):
    """What the rules need to know of a ticket, and all that they may change.

    A tuple: what happens makes another one (`_replace`), which is cheap, and is compared field by field with this.
    """

    status: Status
    since: datetime  # when the present status began
    waiting_since: datetime | None = None  # the oldest customer mail without a public answer
    answered_at: datetime | None = None  # the last public answer
    reminded_at: datetime | None = None  # the customer's reminder in the present silence
    told_at: datetime | None = None  # when the agents were last told that the customer waits
    return_to: Status | None = None  # where a postponed, spam or deleted ticket comes back to
    wake_at: datetime | None = None  # set while postponed
    merged_into: int | None = None  # set while merged
    undelivered: bool = False  # the last public answer did not arrive
    assignee: str | None = None  # an agent's address
    kept_since: datetime | None = None  # when he got it, or last did something about it
    offered_to: str | None = None  # the agent who has it before him, or had it last
    offered_until: datetime | None = None
    rate_at: datetime | None = None  # when the customer is asked how we did
    rating: int | None = None  # what he said: 1 bad, 2 fair, 3 good
    created_at: datetime | None = None  # when its first mail came
    resolving_since: datetime | None = None  # the resolution clock runs; None: it stands still
    resolving_s: int = 0  # working time that it ran before
    target_at: datetime | None = None  # when the first of its clocks is due; what is to be solved stands in this order
    due_at: datetime | None = None  # when time alone will next change it
    escalated: frozenset[str] = frozenset()  # rules of `[[escalate]]` that acted while the customer waits
    priority: str = "normal"
    subject: str = ""
    department: str = ""
    tags: frozenset[str] = frozenset()  # what agents call it, among themselves
    related: frozenset[int] = frozenset()  # other tickets that have to do with it
    # The last ones are no columns: people are kept in tables of their own.
    requester: str = ""  # the normalised address that he writes from
    participants: frozenset[str] = frozenset()  # normalised addresses, without the requester's
    gone: frozenset[str] = frozenset()  # who took part once: an agent brings them back, nobody's Cc does


PEOPLE: Final = ("requester", "participants", "gone")
# What follows from the rest.
COMPUTED: Final = ("gone", "kept_since", "created_at", "resolving_since", "resolving_s", "target_at", "due_at")
FIELDS: Final = Ticket._fields[: -len(PEOPLE)]


AFTER_REMINDER: Final = timedelta(days=3)  # a reminded customer has at least this long to answer
MOST_PARTICIPANTS: Final = 50  # who join by other people's mails; agents may admit more
RATE_AFTER: Final = timedelta(days=1)  # when it is solved: he has seen by then whether it is
TELL_AGAIN: Final = timedelta(days=1)  # a breach is repeated at most daily
SPAM_KEPT: Final = timedelta(days=90)
DELETED_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Decision:
    """The ticket afterwards and the mails that follow, in order."""

    after: Ticket
    tells: tuple[Tell, ...] = ()
    follow_up: bool = False  # the event belongs on a new ticket that follows this one
    purge: bool = False  # the ticket and its mails are to be removed
    finished: tuple[Finished, ...] = ()  # the clocks that ended


def opened(at: datetime, assignee: str | None = None) -> Ticket:
    """Return a ticket as it is the instant before its first mail is filed."""
    return Ticket(Status.NEW, at, assignee=assignee, created_at=at, resolving_since=at)


def entered(ticket: Ticket, status: Status, at: datetime) -> Ticket:
    """Return `ticket` in `status`, without what belonged to the status that it leaves."""
    if status is ticket.status:
        return ticket
    kept_waiting = status not in (Status.ANSWERED, Status.RESOLVED, Status.CLOSED)
    return ticket._replace(
        status=status,
        since=at,
        waiting_since=ticket.waiting_since if kept_waiting else None,
        reminded_at=None,
        told_at=ticket.told_at if kept_waiting else None,
        return_to=None,
        wake_at=None,
        rate_at=None,
        escalated=ticket.escalated if kept_waiting else frozenset(),
    )


def set_back(ticket: Ticket, at: datetime) -> Ticket:
    """Return `ticket` with its instants that are later than `at` at that instant: the clock was ahead."""
    ahead = max(timedelta(0), ticket.since - at)

    def past(instant: datetime | None) -> datetime | None:
        return instant and min(instant, at)

    wake_at = ticket.wake_at - ahead if ticket.wake_at else None  # it sleeps as long as it was told to
    offered_until = min(ticket.offered_until, at) if ticket.offered_until and ahead else ticket.offered_until
    return ticket._replace(
        since=min(ticket.since, at),
        waiting_since=past(ticket.waiting_since),
        answered_at=past(ticket.answered_at),
        reminded_at=past(ticket.reminded_at),
        told_at=past(ticket.told_at),
        kept_since=past(ticket.kept_since),
        created_at=past(ticket.created_at),
        resolving_since=past(ticket.resolving_since),
        rate_at=ticket.rate_at - ahead if ticket.rate_at else None,
        wake_at=wake_at,
        offered_until=offered_until,
    )
