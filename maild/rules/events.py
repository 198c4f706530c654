"""What can happen to a ticket; `rules.ticket` says what follows.

In the past tense what happened, in the imperative what somebody asks for. People are named by their normalised address.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class CustomerWrote:
    """A person's mail, of the requester, a participant or a third party, was filed on the ticket."""

    at: datetime
    acknowledge: bool = True  # false for machines and old mail that opens a ticket
    notify: bool = True  # false for old mail that is imported silently
    brings: frozenset[str] = frozenset()  # whom the mail names besides: they take part from now on
    links: frozenset[int] = frozenset()  # other tickets that it proves to have to do with this one


@dataclass(frozen=True, slots=True)
class MachineWrote:
    """An automatic mail was filed on the ticket: it is kept, and changes nothing (RFC 3834 2)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class AgentWrote:
    """An agent answered publicly."""

    at: datetime
    agent: str  # his address


@dataclass(frozen=True, slots=True)
class NoteWritten:
    """An agent wrote what only agents may read."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Solved:
    """The customer said that his problem is solved."""

    at: datetime
    old: bool = False  # it is, since his mail is older than maild: no clock was running


@dataclass(frozen=True, slots=True)
class StillAProblem:
    """The customer said that it is not."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Rated:
    """The customer said how we did."""

    at: datetime
    rating: int  # 1 bad, 2 fair, 3 good
    words: bool = False  # he added some of his own


@dataclass(frozen=True, slots=True)
class Resolve:
    """An agent believes it solved."""

    at: datetime
    silent: bool = False  # the customer is not told, or knows by the answer that came with it


@dataclass(frozen=True, slots=True)
class Close:
    """An agent ends it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Reopen:
    """An agent takes it up again."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Postpone:
    """An agent hides it until later."""

    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """Our last public answer could not be delivered, for good."""

    at: datetime


@dataclass(frozen=True, slots=True)
class MarkSpam:
    """An agent saw that it is spam."""

    at: datetime


@dataclass(frozen=True, slots=True)
class NotSpam:
    """An agent saw that it is not."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Delete:
    """An agent throws it away; it can be had back until it is purged."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Undelete:
    """An agent wants it back."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Merge:
    """It is the same request as another ticket's."""

    at: datetime
    into: int


@dataclass(frozen=True, slots=True)
class Assign:
    """The ticket is given to an agent, or to nobody."""

    at: datetime
    agent: str | None
    by: str = ""  # who need not be told
    reason: str = ""  # why he, if maild itself chose him


@dataclass(frozen=True, slots=True)
class Offer:
    """An agent has it before him, as what is most urgent; until then nobody else is offered it."""

    at: datetime
    agent: str
    until: datetime  # the instant itself: he passed it on


@dataclass(frozen=True, slots=True)
class SetPriority:
    """An agent says how urgent it is."""

    at: datetime
    priority: str


@dataclass(frozen=True, slots=True)
class Retitle:
    """An agent gives it another subject; customers keep theirs."""

    at: datetime
    subject: str


@dataclass(frozen=True, slots=True)
class MoveTo:
    """An agent moves it to another department."""

    at: datetime
    department: str
    agents: frozenset[str] = frozenset()  # who work there; an assignee who does not loses it


@dataclass(frozen=True, slots=True)
class Admit:
    """An agent lets others take part."""

    at: datetime
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Others take part no longer."""

    at: datetime
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Leave:
    """A participant wants no more of it."""

    at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class SetRequester:
    """An agent says whose ticket it is; who was it before takes part no longer."""

    at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class KnowAs:
    """An agent says under which other address the requester writes."""

    at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class ClockSetBack:
    """The clock was ahead and is right now: what happened to the ticket meanwhile happened at this instant."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Tag:
    """An agent gives it tags, or takes them off."""

    at: datetime
    added: frozenset[str]
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Relate:
    """An agent says that other tickets have to do with it; they are told so, too."""

    at: datetime
    tickets: frozenset[int]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A field as it was, and as it is to be found if it may become so again."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class TakeBack:
    """An agent undoes what one mail did: each field that it changed becomes what it was."""

    at: datetime
    changes: tuple[Earlier, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; sent by the scheduler when the ticket's `due_at` is reached."""

    at: datetime


Event = (
    CustomerWrote
    | MachineWrote
    | AgentWrote
    | NoteWritten
    | Solved
    | StillAProblem
    | Rated
    | Resolve
    | Close
    | Reopen
    | Postpone
    | DeliveryFailed
    | MarkSpam
    | NotSpam
    | Delete
    | Undelete
    | Merge
    | Assign
    | Offer
    | SetPriority
    | Retitle
    | MoveTo
    | Admit
    | Dismiss
    | Leave
    | SetRequester
    | KnowAs
    | ClockSetBack
    | Tag
    | Relate
    | TakeBack
    | Tick
)
