"""The deciding of one batch, in memory: tickets change and mails to be told gather, nothing is written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection, select

from maild import people
from maild.desk.assigning import Rota
from maild.desk.foresight import Decided
from maild.desk.happenings import MAILD, Happening, Opening
from maild.desk.rows import Card, changes, load
from maild.message.commands import Fault
from maild.outbox.letters import FiledMail, Post, Thread
from maild.people import Person
from maild.rules.events import (
    Admit,
    AgentWrote,
    Assign,
    CustomerWrote,
    DeliveryFailed,
    Event,
    KnowAs,
    Leave,
    Merge,
    MoveTo,
    Rated,
    Relate,
    Reopen,
    SetRequester,
    Solved,
    StillAProblem,
    Tick,
)
from maild.rules.policy import Policy
from maild.rules.refusals import No, Refused
from maild.rules.state import Decision, Status, Tell, Ticket, opened
from maild.rules.ticket import decide, rescheduled
from maild.store.models import TicketRow

PolicyOf = Callable[[str, str], Policy]  # of a department, for a requester
_NOTHING: Final[Mapping[int, Decided]] = {}
_OF_THREAD: Final = attrgetter("subject", "department", "requester", "participants")
_GOES_ON: Final = (  # from an alias to its ticket
    CustomerWrote,
    StillAProblem,
    Rated,
    Solved,
    AgentWrote,
    DeliveryFailed,
    Leave,
)
_DEAD: Final = (Status.CLOSED, Status.SPAM, Status.DELETED, Status.MERGED)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one event does."""

    event: Event
    decision: Decision
    target: Card | None  # into which the ticket is merged
    given: Assign | None  # to whom the ticket goes, since it has nobody


class Batch:
    """The deciding of one batch: cards change and posts gather, nothing is written."""

    def __init__(
        self,
        connection: Connection,
        policy: PolicyOf,
        ticket_ids: Sequence[int],
        rota: Rota,
        decided: Mapping[int, Decided] = _NOTHING,
        *,
        lock: bool = True,
    ) -> None:
        """Read the tickets of `ticket_ids`; `policy` is that of a department for a requester, `rota` gives tickets.

        Without `lock` it is only seen what is likely to become of them.
        """
        self._decided = decided
        self._connection = connection
        self._rota = rota
        self._policy = policy
        self._load = partial(load, connection, lock=lock)
        self._by_id = self._load(ticket_ids)
        self._opened: dict[int, Card] = {}  # by identity of the Opening
        self._followers: dict[int, Card] = {}  # by id of the closed ticket
        self.posts: list[Post] = []

    def cards(self) -> list[Card]:
        """Return every ticket of the batch, each once."""
        return [*self._by_id.values(), *self._opened.values()]

    def happen(self, happening: Happening) -> tuple[Card, tuple[Fault, ...]]:
        """Decide on one happening; return the ticket on which it ended and why it was refused, if it was."""
        if foreseen := self._decided.get(id(happening)):
            self._opened[id(happening.ticket)] = foreseen.card
            self.posts += foreseen.posts
            return foreseen.card, ()
        card = self._card(happening.ticket, happening.event.at)
        if isinstance(happening.event, _GOES_ON):
            card = self._living(card)
        if happening.faults:
            self._return(card, happening, happening.faults)
            return card, happening.faults
        events, lines = (happening.event, *happening.then), happening.lines
        if card.state.status is Status.CLOSED and any(isinstance(each, Reopen) for each in events):
            events, lines = (Reopen(happening.event.at), *events), ("", *lines)  # an answer along with it can leave
        steps: list[_Step] = []
        try:
            steps.extend(self._decide(card, events))
        except Refused as no:
            line = lines[len(steps)] if len(steps) < len(lines) else ""
            refused = (Fault(no.sentence, line=line, values=tuple(no.values.items())),)
            self._return(card, happening, refused)
            return card, refused
        if steps[0].decision.follow_up:
            return self._follow_up(card, happening), ()
        for step in steps:
            before = card.state
            self._change(card, step.decision, step.event, happening)
            self._give(card, step.given, happening)
            card.purge = card.purge or step.decision.purge
            self._tell(card, step.decision.tells, step.event, happening, before)
            if isinstance(step.event, KnowAs):
                card.aliases.append(step.event.address)
            if step.target is not None:
                self._hand_over(before, step.target, step.event, happening)
            if isinstance(step.event, Relate):
                self._relate(card, step.event, happening)
        return card, ()

    def _decide(self, card: Card, events: Sequence[Event]) -> Iterator[_Step]:
        """Yield what each of `events` does behind the others; nothing changes.

        Raises:
            Refused: one of them makes no sense, so none of them may happen.
        """
        state = card.state
        assigned = any(isinstance(event, Assign) for event in events)
        for event in events:
            target = self._target(card, event)
            if isinstance(event, Relate):
                self._named(card, event)
            department = event.department if isinstance(event, MoveTo) else state.department
            requester = event.address if isinstance(event, SetRequester) else state.requester
            policy = self._policy(department, requester)
            decision = decide(state, event, policy)
            if isinstance(event, Tick) and decision.after.department != state.department:
                policy = self._policy(decision.after.department, requester)
                decision = replace(decision, after=rescheduled(decision.after, policy))
            given = None if assigned or decision.follow_up else self._rota.given(decision.after, event)
            state = decide(decision.after, given, policy).after if given else decision.after
            yield _Step(event, decision, target, given)

    def _give(self, card: Card, given: Assign | None, happening: Happening) -> None:
        """Let a ticket be given to the agent whom the rota chose, if it chose one."""
        if given is not None:
            decision = decide(card.state, given, self._policy(card.state.department, card.state.requester))
            self._change(card, decision, given, replace(happening, actor=MAILD))

    def _target(self, card: Card, event: Event) -> Card | None:
        """Return the ticket into which another is merged, None if the event merges nothing."""
        if not isinstance(event, Merge):
            return None
        if event.into not in self._by_id:
            self._by_id |= self._load([event.into])
        target = self._by_id.get(event.into)
        if target is None:
            raise Refused(No.NO_SUCH_TICKET, number=event.into)
        if target is card:
            raise Refused(No.INTO_ITSELF)
        if target.state.status in _DEAD:
            raise Refused(No.INTO_DEAD, status=target.state.status)
        return target

    def _named(self, card: Card, event: Relate) -> None:
        """Read the tickets that another is linked to.

        Raises:
            Refused: there is none of that number, or it is the ticket itself.
        """
        self._by_id |= self._load([each for each in event.tickets if each not in self._by_id])
        if missing := event.tickets - self._by_id.keys():
            raise Refused(No.NO_SUCH_TICKET, number=min(missing))
        if card.thread.ticket_id in event.tickets:
            raise Refused(No.TO_ITSELF)

    def _relate(self, card: Card, event: Relate, happening: Happening) -> None:
        """Let the others know of it, too, whatever became of them."""
        for number in sorted(event.tickets):
            other = self._by_id[number]
            after = other.state._replace(related=other.state.related | {card.thread.ticket_id})
            self._change(other, Decision(after), event, happening)

    def _hand_over(self, before: Ticket, target: Card, merge: Event, happening: Happening) -> None:
        """Let the people of a merged ticket take part in the other, and whoever waited wait there."""
        events: list[Event] = [Admit(merge.at, before.participants | {before.requester})]
        if before.waiting_since is not None:
            events.append(CustomerWrote(before.waiting_since, acknowledge=False, notify=False))
        for event in events:
            decision = decide(target.state, event, self._policy(target.state.department, target.state.requester))
            self._change(target, decision, merge, happening)

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
            state = opened(at, ticket.assignee)._replace(
                priority=ticket.priority,
                subject=ticket.subject[:998],
                department=ticket.department,
                requester=ticket.requester.normal,
                participants=frozenset(each.normal for each in ticket.participants),
            )
            card = self._opened[id(ticket)] = Card(thread, state, None, None, ticket)
        return card

    def _change(self, card: Card, decision: Decision, event: Event, happening: Happening) -> None:
        """Let `event`, one of `happening`, change a ticket as was decided."""
        after = decision.after
        card.ready = None
        card.changes += changes(card, after, event, happening)
        card.finished += decision.finished
        before, card.state, card.recorded = card.state, after, after
        if _OF_THREAD(before) != _OF_THREAD(after):
            # A thread of its own: mails that were asked for before go to those who took part then.
            card.threads.append(card.thread)
            card.thread = replace(
                card.thread,
                subject=after.subject,
                department=after.department,
                requester=self._people(card, [after.requester])[0],
                participants=tuple(self._people(card, sorted(after.participants))),
            )

    def _people(self, card: Card, normals: Sequence[str]) -> list[Person]:
        """Return who is behind addresses, all of which have been written down."""
        here = {each.normal: each for each in (card.thread.requester, *card.thread.participants)}
        found = here | people.known(self._connection, [each for each in normals if each not in here])
        return [found[each] for each in normals]

    def _tell(self, card: Card, tells: Sequence[Tell], event: Event, happening: Happening, before: Ticket) -> None:
        if not tells:
            return
        agent = event.agent if isinstance(event, AgentWrote) else None
        cause = type(event).__name__
        if Tell.HANDED_OVER in tells:  # by one mail to another department and to somebody there: told once
            handed = (happening.mail_id, Tell.HANDED_OVER)
            self.posts = [each for each in self.posts if handed != (_mail_id(each), each.tell) or not handed[0]]
        self.posts += [Post(tell, card.thread, before, card.state, happening.about, agent, cause) for tell in tells]

    def _return(self, card: Card, happening: Happening, faults: tuple[Fault, ...]) -> None:
        """Tell the agent who asked for it what was not done, if he asked by mail."""
        if happening.by_agent:
            cause = type(happening.event).__name__
            self.posts.append(
                Post(Tell.RETURNED, card.thread, card.state, card.state, happening.about, None, cause, faults)
            )

    def _follow_up(self, closed: Card, happening: Happening) -> Card:
        closed_id = closed.thread.ticket_id
        brings = happening.event.brings if isinstance(happening.event, CustomerWrote) else frozenset()
        event = CustomerWrote(happening.event.at, acknowledge=False, brings=brings - closed.state.gone)
        tells: tuple[Tell, ...] = ()
        follower = self._followers.get(closed_id) or self._living_follower(closed_id)
        if follower is None:
            old = closed.thread
            opening = Opening(
                old.subject,
                old.department,
                old.requester,
                old.participants,
                old.language,
                closed_id,
                happening.priority,
            )
            follower = self._card(opening, event.at)
            if not _by_stranger(happening):  # the requester is never sent, nor named, what a stranger wrote
                tells = (Tell.FOLLOW_UP,)
        self._followers[closed_id] = follower
        before = follower.state
        decision = decide(before, event, self._policy(before.department, before.requester))
        self._change(follower, decision, happening.event, happening)
        self._give(follower, self._rota.given(follower.state, event, closed.state.assignee), happening)
        self._tell(follower, (*tells, *decision.tells), happening.event, happening, before)
        return follower

    def _living(self, card: Card) -> Card:
        """Return the ticket that `card` lives on in: it may have been merged since the mail was matched."""
        seen = {card.thread.ticket_id}
        while card.state.merged_into is not None and card.state.merged_into not in seen:
            target = card.state.merged_into
            seen.add(target)
            if target not in self._by_id:
                self._by_id |= self._load([target])
            card = self._by_id[target]
        return card

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
            self._by_id |= self._load([found])
        return self._by_id[found]


def _by_stranger(happening: Happening) -> bool:
    return isinstance(happening.about, FiledMail) and happening.about.third_party


def _mail_id(post: Post) -> int | None:
    return post.about.id if isinstance(post.about, FiledMail) else None
