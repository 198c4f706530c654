"""What can be known before a transaction, so that as little as possible is left to do while it holds others up.

What happens to a ticket that a mail opens depends on nothing that others could change: on the event, the policy and the
ticket as it is opened. So it is decided, its letters are made and its rows are ready before the transaction that writes
them. Where it may come otherwise, since the ticket goes to an agent by turn or is there already, only its letters are
made, and it is decided once more within the transaction. Whether a letter may leave is always asked there; one that was
made is taken if it is made of the very same: the ticket, and what was said on it.
"""

from dataclasses import dataclass, field

from maild.desk.happenings import Happening, Opening
from maild.desk.rows import Card
from maild.outbox.letters import Post
from maild.outbox.made import Letters
from maild.rules.events import CustomerWrote, MarkSpam, Solved

_ASKS_NOTHING = (CustomerWrote, Solved, MarkSpam)  # events by which nothing is looked up to decide


@dataclass(frozen=True, slots=True)
class Decided:
    """The ticket that a happening opens, as it becomes, and who is to be told."""

    happening: Happening
    card: Card
    posts: tuple[Post, ...]


@dataclass(slots=True)
class Foresight:
    """What was decided and made."""

    letters: Letters = field(default_factory=Letters)
    decided: dict[int, Decided] = field(default_factory=dict)  # by id() of the happening, which is kept here


def is_certain(happening: Happening) -> bool:
    """Return whether nothing is looked up to decide on `happening`, as long as its ticket goes to nobody by turn."""
    events = (happening.event, *happening.then)
    opens = isinstance(happening.ticket, Opening)
    return opens and not happening.faults and all(isinstance(each, _ASKS_NOTHING) for each in events)
