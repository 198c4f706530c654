"""Tickets that have nobody are given to agents: what `rules.assignment` is told, and what becomes of its choice.

One `Rota` lives as long as one batch. It reads nothing until a ticket of a department that assigns needs somebody; then
it locks the turns, so that the same turn is not taken twice by two nodes, and writes them with the batch.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from maild.config import Settings
from maild.message.address import normalise
from maild.rules.assignment import Candidate, Choice, Mode, choose
from maild.rules.events import Assign, CustomerWrote, Event, MoveTo, StillAProblem
from maild.rules.state import TO_SOLVE, Ticket
from maild.store import agents
from maild.store.agents import Turn


class Rota:
    """Gives tickets, as the departments of the configuration say."""

    def __init__(self, settings: Settings, connection: Connection, *, lock: bool = True) -> None:
        """Give tickets in the transaction of `connection`; without `lock` only say who is likely to get them."""
        self._lock = lock
        self._settings = settings
        self._connection = connection
        self._candidates: dict[str, list[Candidate]] | None = None  # by department
        self._taken: dict[tuple[str, str], Turn] = {}

    def given(self, ticket: Ticket, event: Event, preferred: str | None = None) -> Assign | None:
        """Return to whom a ticket goes, as `event` left it; None if it has somebody or needs nobody."""
        if not isinstance(event, CustomerWrote | StillAProblem | MoveTo) or ticket.status not in TO_SOLVE:
            return None
        if isinstance(event, CustomerWrote) and not event.notify:
            return None
        department = self._settings.department(ticket.department)
        mode = Mode(department.assign) if department else Mode.NONE
        if mode is Mode.NONE or (ticket.assignee and self._settings.agent_of(ticket.assignee)):
            return None
        choice = choose(mode, self._of(ticket.department, event.at), preferred)
        if choice.agent is None:
            return None
        self._take(ticket.department, choice)
        return Assign(event.at, choice.agent, by=choice.agent, reason=choice.reason)

    def write(self) -> None:
        """Write the turns that were taken."""
        agents.take_turns(self._connection, self._taken.values())

    def _of(self, department: str, at: datetime) -> list[Candidate]:
        if self._candidates is None:
            self._candidates = self._read(at)
        return self._candidates[department]

    def _read(self, at: datetime) -> dict[str, list[Candidate]]:
        assigning = [each for each in self._settings.departments if Mode(each.assign) is not Mode.NONE]
        here = {each.name: self._settings.agents_of(each.name) for each in assigning}
        duties = {(name, normalise(agent.address)) for name, several in here.items() for agent in several}
        turns = agents.turns(self._connection, duties, lock=self._lock)
        waiting = agents.waiting(self._connection, {agent for _, agent in duties})
        away = agents.away(self._connection, at)
        return {
            each.name: [
                Candidate(
                    mine := normalise(agent.address),
                    turns.get((each.name, mine), 0),
                    waiting.get(mine, 0),
                    at_work=self._settings.hours_of(agent, each).is_open(at),
                    away=mine in away or self._settings.is_absent(agent, at),
                )
                for agent in here[each.name]
            ]
            for each in assigning
        }

    def _take(self, department: str, choice: Choice) -> None:
        """Note a choice, for the next one in this batch too."""
        for name, candidates in (self._candidates or {}).items():
            latest = max((each.turn for each in candidates), default=0)
            for at, each in enumerate(candidates):
                if each.agent != choice.agent:
                    continue
                turn = latest + 1 if name == department else each.turn
                candidates[at] = replace(each, turn=turn, waiting=each.waiting + 1)
                if name == department:
                    self._taken[name, each.agent] = Turn(name, each.agent, turn)
