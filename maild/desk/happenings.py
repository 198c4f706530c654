"""What happens to tickets: an event, the ticket, who caused it and by which mail."""

from dataclasses import dataclass
from typing import Final

from maild.message.commands import Fault
from maild.outbox.letters import About
from maild.people import Person
from maild.rules.events import Event
from maild.rules.state import Status

MAILD: Final = "maild"  # the actor where time alone acts


@dataclass(slots=True)
class Opening:
    """A ticket that does not exist yet. The same object given twice in a batch is the same ticket."""

    subject: str
    department: str
    requester: Person
    participants: tuple[Person, ...] = ()
    language: str | None = None
    follows_id: int | None = None
    priority: str = "normal"
    assignee: str | None = None  # normalised
    number: int | None = None  # that was reserved for it


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, the ticket to which it happens, who caused it and by which mail."""

    ticket: int | Opening
    event: Event
    actor: str
    about: About = None  # the mail by which it came, with what the mails that follow quote of it
    mail_id: int | None = None
    then: tuple[Event, ...] = ()  # what happens behind it, in order: all of it or nothing
    by_agent: bool = False  # an agent asked for it by mail, so he is told what is not done
    faults: tuple[Fault, ...] = ()  # what is wrong with an agent's mail: nothing happens, it goes back to him
    priority: str = "normal"  # of the ticket that follows, if this one is closed
    lines: tuple[str, ...] = ()  # by which an agent asked for each of the events


@dataclass(slots=True)
class Outcome:
    """What became of a happening."""

    ticket_id: int  # where it ended: another ticket for a closed one
    faults: tuple[Fault, ...] = ()  # why nothing was done, each a sentence for whoever asked
    status: Status | None = None

    @property
    def refused(self) -> str:
        """Why nothing was done, in English, "" if it was."""
        return "; ".join(each.said for each in self.faults)
