"""What mails to agents say of a ticket: its state, what was promised, what was said before, what can be done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from maild.config import Settings
from maild.config.desks import Agent
from maild.message.address import normalise
from maild.message.tokens import Role
from maild.outbox.letters import Letter
from maild.people import Person
from maild.rules.levels import Kind
from maild.rules.next_step import next_step
from maild.rules.promises import Clock, running
from maild.rules.state import Status, Tell
from maild.store.conversations import Said
from maild.store.models import Direction
from maild.templates import pieces
from maild.templates.pieces import Action, Coming, Promise, Who

OLDER: Final = 5  # messages of the ticket that a notification shows below the new one
OLDER_CHARACTERS: Final = 4_000  # of each
NAMED: Final = 10  # of those who take part

Sign = Callable[[Letter, Role, Person], str]

_ALIVE: Final = (
    ("resolve", "#resolve"),
    ("close", "#close"),
    ("postpone", "#postpone 1d"),
    ("take", "#take"),
    ("spam", "#spam"),
)
_ACTIONS: Final = {
    Status.NEW: _ALIVE,
    Status.OPEN: _ALIVE,
    Status.ANSWERED: _ALIVE,
    Status.POSTPONED: (*_ALIVE[:2], ("open", "#open"), *_ALIVE[2:]),
    Status.RESOLVED: (("open", "#open"), ("close", "#close")),
    Status.CLOSED: (("open", "#open"),),
}
_SPOKEN: Final = {
    Direction.IN: frozenset({"open", "customer", "problem", "solved", "rating", "note"}),
    Direction.OUT: frozenset({Tell.ANSWER.value}),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Builds what all mails to agents have in common."""

    settings: Settings
    sign: Sign  # the signed address of a role for a recipient

    def of(self, letter: Letter, said: Sequence[Said], now: datetime) -> dict[str, Any]:
        """Return the fields of `templates.mails.ToAgent`; `said` are the ticket's latest mails, newest first."""
        post, thread = letter.post, letter.post.thread
        assignee = self.settings.agent_of(post.state.assignee) if post.state.assignee else None
        note = self.sign(letter, Role.NOTE, letter.to[0])
        return {
            "zone": self.zone(letter.agent),
            "ticket_id": thread.ticket_id,
            "status": post.state.status.value,
            "customer": Who(thread.requester.name, thread.requester.address),
            "promises": tuple(self.promises(letter, now)),
            "coming": self._coming(letter),
            "rating": post.state.rating or 0,
            "assignee": assignee.name if assignee else "",
            "priority": "" if post.state.priority == "normal" else post.state.priority,
            "tags": tuple(sorted(post.state.tags)),
            "linked": tuple(sorted(post.state.related)),
            "participants": tuple(Who(each.name, each.address) for each in thread.participants[:NAMED]),
            "more_participants": max(0, len(thread.participants) - NAMED),
            "vip": thread.requester.normal in self.settings.placing.vips,
            "note": note,
            "desk": self.sign(letter, Role.DESK, letter.to[0]),
            "actions": tuple(self.actions(letter, note)),
            "older": tuple(_older(self.settings, said)),
        }

    def _coming(self, letter: Letter) -> Coming | None:
        state = letter.post.state
        coming = next_step(state, self.settings.policy_of(letter.department, state.requester))
        if coming is None:
            return None
        agents = [agent.name for address in coming.told if (agent := self.settings.agent_of(address))]
        moved = self.settings.department(coming.department) if coming.department else None
        who = ", ".join([*agents, *([moved.title] if moved else [])])
        return Coming(coming.step.value, coming.at, who, ", ".join(coming.rules))

    def _clocks(self, letter: Letter) -> Iterator[Clock]:
        state = letter.post.state
        return running(state, self.settings.policy_of(letter.department, state.requester))

    def promises(self, letter: Letter, now: datetime) -> Iterator[Promise]:
        """Yield by when what the customer was promised is due."""
        for clock in self._clocks(letter):
            if clock.due_at is not None:
                yield Promise(clock.kind.value, clock.due_at, late=clock.due_at <= now)

    def promised_at(self, letter: Letter) -> datetime | None:
        """Return by when the customer has an answer, None if that was not promised."""
        return next((clock.due_at for clock in self._clocks(letter) if clock.kind is not Kind.RESOLUTION), None)

    def actions(self, letter: Letter, address: str) -> Iterator[Action]:
        """Yield what can be done with one mail, by words alone.

        They go to the address of internal notes: what a mail program puts below them, such as a signature, stays here.
        """
        state = letter.post.state
        mine = letter.agent is not None and normalise(letter.agent.address) == state.assignee
        for name, words in _ACTIONS.get(state.status, ()):
            if not (name == "take" and mine):
                yield Action(name, address, words)

    def zone(self, agent: Agent | None) -> ZoneInfo:
        """Return the zone in which an agent is told instants; without one that of the first department."""
        return self.settings.timezone_of(agent) if agent else self.settings.departments[0].timezone


def newest(said: Sequence[Said]) -> tuple[str, list[Said]]:
    """Return what the customer wrote last, and all else that was said: nothing is told twice in one mail."""
    last = next((each for each in said if each.with_customer and each.direction is Direction.IN), None)
    text = (last.text or "" if last else "")[:OLDER_CHARACTERS]
    return text, [replace(each, text=None) if each is last else each for each in said]


def _older(settings: Settings, said: Sequence[Said]) -> list[pieces.Said]:
    """Return what was said before: the customer's words, our answers as they left, and notes."""
    told: list[pieces.Said] = []
    for each in said:
        if each.noted and each.passed_by:  # what an agent wrote above a mail that he passed on
            agent = settings.agent_of(each.passed_by)
            who = Who(agent.name if agent else "", each.passed_by)
            told.append(pieces.Said(who, each.at, each.noted[:OLDER_CHARACTERS], note=True))
        if each.text and each.purpose in _SPOKEN[each.direction]:
            who = Who(_name(settings, each), each.from_address or "")
            told.append(pieces.Said(who, each.at, each.text[:OLDER_CHARACTERS], note=each.purpose == "note"))
    return told[:OLDER]


def _name(settings: Settings, mail: Said) -> str:
    """Return how the author of a mail is called: of a note as his colleagues know him, whatever his program says."""
    agent = settings.agent_of(mail.from_address) if mail.purpose == "note" and mail.from_address else None
    return agent.name if agent else mail.from_name or ""
