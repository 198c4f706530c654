"""What can be known before a transaction, so that as little as possible is left to do while it holds others up.

What happens to a ticket that does not exist yet depends on nothing that others could change: on the event, the policy
and the ticket as it is opened. So it is decided, and its letters are made, before the transaction; within it everything
goes its usual way, and only where the very same is asked again the answer is at hand. What came otherwise, since the
limits of mail are reached or another agent has the turn, is worked out there, as if nothing had been foreseen.
"""

from dataclasses import dataclass, field

from maild.outbox import Letters
from maild.rules.events import Event
from maild.rules.policy import Policy
from maild.rules.ticket import decide
from maild.rules.tickets import Decision, Ticket


@dataclass(slots=True)
class Foresight:
    """What was decided and made."""

    letters: Letters = field(default_factory=Letters)
    _decided: dict[int, tuple[Event, Ticket, Policy, Decision]] = field(
        default_factory=dict
    )  # by identity of the event

    def decide(self, ticket: Ticket, event: Event, policy: Policy) -> Decision:
        """Return what `event` does to `ticket`, as `rules.ticket.decide` says or has said.

        Raises:
            Refused: it makes no sense.
        """
        known = self._decided.get(id(event))
        if known is not None:
            its_event, its_ticket, its_policy, decision = known
            if its_event is event and its_policy is policy and its_ticket == ticket:
                return decision
        decision = decide(ticket, event, policy)
        self._decided[id(event)] = event, ticket, policy, decision
        return decision
