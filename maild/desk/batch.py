"""The deciding of one batch, in memory: tickets change and mails to be told gather, nothing is written."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from maild.desk.happenings import Happening, Opening
from maild.desk.rows import Card, changes, load
from maild.outbox import Post, Thread
from maild.rules.ticket import (
    AgentWrote,
    CustomerWrote,
    Event,
    Merge,
    NoteWritten,
    Policy,
    Refused,
    Status,
    Tell,
    Ticket,
    decide,
    opened,
)
from maild.store.models import TicketRow

_DEAD: Final = (Status.CLOSED, Status.SPAM, Status.DELETED, Status.MERGED)


class Batch:
    """The deciding of one batch: cards change and posts gather, nothing is written."""

    def __init__(self, connection: Connection, policy: Callable[[str], Policy], ticket_ids: Sequence[int]) -> None:
        """Read the tickets of `ticket_ids`; `policy` gives that of a department."""
        self._connection = connection
        self._policy = policy
        self._by_id = load(connection, ticket_ids)
        self._opened: dict[int, Card] = {}  # by identity of the Opening
        self._followers: dict[int, Card] = {}  # by id of the closed ticket
        self.posts: list[Post] = []

    def cards(self) -> list[Card]:
        """Return every ticket of the batch, each once."""
        return [*self._by_id.values(), *self._opened.values()]

    def happen(self, happening: Happening) -> tuple[Card, str]:
        """Decide on one happening; return the ticket on which it ended and why it was refused, if it was."""
        card = self._card(happening.ticket, happening.event.at)
        try:
            target = self._target(card, happening.event)
            decision = decide(card.state, happening.event, self._policy(card.thread.department))
        except Refused as no:
            self._return(card, happening, str(no))
            return card, str(no)
        if decision.follow_up:
            return self._follow_up(card, happening), ""
        before = card.state
        self._change(card, decision.after, happening)
        card.purge = card.purge or decision.purge
        self._tell(card, decision.tells, happening, before)
        if target is not None:
            self._hand_over(before, card, target, happening)
        return card, ""

    def _target(self, card: Card, event: Event) -> Card | None:
        """Return the ticket into which another is merged, None if the event merges nothing."""
        if not isinstance(event, Merge):
            return None
        if event.into not in self._by_id:
            self._by_id |= load(self._connection, [event.into])
        target = self._by_id.get(event.into)
        if target is None:
            raise Refused(f"There is no ticket #{event.into}.")
        if target is card:
            raise Refused("Cannot merge a ticket into itself.")
        if target.state.status in _DEAD:
            raise Refused(f"Cannot merge into a ticket that is {target.state.status}.")
        return target

    def _hand_over(self, before: Ticket, card: Card, target: Card, happening: Happening) -> None:
        """Let the people of a merged ticket take part in the other, and whoever waited wait there."""
        there = {target.thread.requester.address_id, *(each.address_id for each in target.thread.participants)}
        people = (card.thread.requester, *card.thread.participants)
        target.joining += [each for each in people if each.address_id not in there]
        target.thread.participants += tuple(target.joining)
        if before.waiting_since is not None:
            waited = CustomerWrote(before.waiting_since, acknowledge=False, notify=False)
            decision = decide(target.state, waited, self._policy(target.thread.department))
            self._change(target, decision.after, replace(happening, ticket=target.thread.ticket_id))

    def _card(self, ticket: int | Opening, at: datetime) -> Card:
        if isinstance(ticket, int):
            return self._by_id[ticket]
        card = self._opened.get(id(ticket))
        if card is None:
            thread = Thread(
                0,
                ticket.subject,
                ticket.department,
                ticket.requester,
                ticket.participants,
                ticket.language,
                follows_id=ticket.follows_id,
            )
            card = self._opened[id(ticket)] = Card(thread, opened(at), None, None, ticket, opened_at=at)
        return card

    def _change(self, card: Card, after: Ticket, happening: Happening) -> None:
        card.changes += changes(card, after, happening)
        card.state = card.recorded = after

    def _tell(self, card: Card, tells: Iterable[Tell], happening: Happening, before: Ticket) -> None:
        event = happening.event
        agent = event.agent if isinstance(event, AgentWrote) else None
        cause = type(event).__name__
        self.posts += [Post(tell, card.thread, before, card.state, happening.about, agent, cause) for tell in tells]

    def _return(self, card: Card, happening: Happening, reason: str) -> None:
        """Tell the agent who asked for it what was refused; nobody else asks by mail."""
        if isinstance(happening.event, AgentWrote | NoteWritten):
            cause = type(happening.event).__name__
            self.posts.append(
                Post(Tell.RETURNED, card.thread, card.state, card.state, happening.about, None, cause, reason)
            )

    def _follow_up(self, closed: Card, happening: Happening) -> Card:
        closed_id = closed.thread.ticket_id
        event = CustomerWrote(happening.event.at, acknowledge=False)
        follower = self._followers.get(closed_id) or self._living_follower(closed_id)
        if follower is None:
            old = closed.thread
            opening = Opening(old.subject, old.department, old.requester, old.participants, old.language, closed_id)
            follower = self._card(opening, event.at)
            self._tell(follower, (Tell.FOLLOW_UP,), happening, follower.state)
        self._followers[closed_id] = follower
        decision = decide(follower.state, event, self._policy(follower.thread.department))
        before = follower.state
        self._change(follower, decision.after, happening)
        self._tell(follower, decision.tells, happening, before)
        return follower

    def _living_follower(self, closed_id: int) -> Card | None:
        found = self._connection.scalar(
            select(TicketRow.id)
            .where(TicketRow.follows_id == closed_id, TicketRow.status.not_in(_DEAD))
            .order_by(TicketRow.id.desc())
            .limit(1)
        )
        if found is None:
            return None
        if found not in self._by_id:
            self._by_id |= load(self._connection, [found])
        return self._by_id[found]
