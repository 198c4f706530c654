"""Mails that agents get without asking: a welcome, once, and each morning what the day has for them.

Both are of one transaction with the row that says so, so no agent gets one twice, whatever the number of nodes and
starts. A desk that was there before welcomes were is known by its mails: its agents know it, and get none.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from maild import reports
from maild.config import Settings
from maild.config.desks import Agent
from maild.message.address import normalise
from maild.outbox.replies import Replies
from maild.rules import mornings
from maild.rules.figures import Period
from maild.store import agents, digests
from maild.store.engine import Database
from maild.store.lists import Listed, Seen
from maild.store.passing import is_passing
from maild.templates import mails
from maild.templates.pieces import HeldMail, Row, Who

log = structlog.get_logger("maild.mornings")

EVERY_S: Final = 60
SHOWN: Final = 10  # tickets of a kind
OLD: Final = timedelta(hours=1)  # a desk with mails older than this was there before


class Mornings:
    """Writes them."""

    def __init__(self, database: Database, settings: Settings, replies: Replies, now: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._replies = replies
        self._now = now

    def step(self) -> None:
        """Write what is to be written now."""
        self._welcome()
        now = self._now()
        with self._database.read() as connection:
            known = agents.digested(connection)
            away = agents.away(connection, now)
        for agent in self._settings.agents:
            if self._is_time(agent, known.get(normalise(agent.address)), now) and normalise(agent.address) not in away:
                self._try(agent, partial(self._digest, agent=agent, now=now))

    def _welcome(self) -> None:
        everybody = {normalise(each.address): each for each in self._settings.agents}
        with self._database.read() as connection:
            welcomed = agents.welcomed(connection)
            if welcomed.issuperset(everybody):
                return
            was_here = not welcomed and digests.has_mails_before(connection, self._now() - OLD)
        for agent in sorted(everybody.keys() - welcomed):
            self._try(everybody[agent], partial(self._greet_once, agent=everybody[agent], was_here=was_here))

    def _try(self, agent: Agent, write: Callable[[Connection], None]) -> None:
        """Write an agent's mail; where that fails the others get theirs all the same."""
        try:
            with self._database.write() as connection:
                write(connection)
        except Exception as error:  # an operator's own templates, for one, may fail on what one agent is told
            if is_passing(error):
                raise
            log.exception("agent not written to", agent=agent.address)

    def _greet_once(self, connection: Connection, *, agent: Agent, was_here: bool) -> None:
        if agents.welcome(connection, normalise(agent.address), self._now()) and not was_here:
            self._greet(connection, agent)

    def _greet(self, connection: Connection, agent: Agent) -> None:
        self._replies.tell(
            connection, agent, lambda frame: mails.Welcome(**frame, subject="", name=agent.name), self._now()
        )
        log.info("welcomed", agent=agent.address)

    def _is_time(self, agent: Agent, last: datetime | None, now: datetime) -> bool:
        """Return whether an agent is to get his digest: in the morning of a day on which he works."""
        zone = self._settings.timezone_of(agent)
        if agent.digest is None or not mornings.is_time(now, zone, agent.digest, last):
            return False
        today = now.astimezone(zone).date()
        here = [each for each in self._settings.departments if each.name in agent.departments]
        works = any(self._settings.hours_of(agent, each).hours(today) for each in here)
        return works and not self._settings.is_absent(agent, now)

    def _digest(self, connection: Connection, agent: Agent, now: datetime) -> None:
        began, ends = mornings.day(now, self._settings.timezone_of(agent))
        if not agents.claim_digest(connection, normalise(agent.address), now, began):
            return
        values = self._values(connection, agent, now, ends)
        if not any(values[each] for each in ("due", "to_solve", "waking", "undelivered", "held", "late")):
            return
        self._replies.tell(connection, agent, lambda frame: mails.Digest(**frame, subject="", **values), now)
        log.info("digest", agent=agent.address, to_solve=values["count"])

    def _values(self, connection: Connection, agent: Agent, now: datetime, ends: datetime) -> dict[str, Any]:
        seen = Seen(agent.departments, normalise(agent.address))
        waiting, count = digests.to_solve(connection, seen)
        due = [each for each in waiting if each.target_at is not None and each.target_at < ends]
        rest = [each for each in waiting if each not in due]
        led = [each.name for each in self._settings.departments if self._leads(each.lead, agent)]
        return {
            "count": count,
            "due": self._rows(agent, due[: 2 * SHOWN]),
            "to_solve": self._rows(agent, rest[:SHOWN]),
            "more": count - len(due[: 2 * SHOWN]) - len(rest[:SHOWN]),
            "waking": self._rows(agent, digests.waking(connection, seen, ends)[:SHOWN]),
            "undelivered": self._rows(agent, digests.undelivered(connection, seen)[:SHOWN]),
            "held": tuple(self._held(connection, agent, now)),
            "late": self._rows(agent, digests.late(connection, seen, led, now)[:SHOWN]),
            "counted": self._figures(connection, agent, led, now),
        }

    def _rows(self, agent: Agent, found: Sequence[Listed]) -> tuple[Row, ...]:
        return tuple(self._row(agent, each) for each in found)

    def _row(self, agent: Agent, each: Listed) -> Row:
        assignee = self._settings.agent_of(each.assignee) if each.assignee else None
        due_at = each.target_at if each.waiting_since else None
        customer = Who(each.name, each.address)
        name, take = assignee.name if assignee else "", assignee is not agent
        return Row(each.id, each.subject, each.status.value, customer, name, due_at, take=take)

    def _held(self, connection: Connection, agent: Agent, now: datetime) -> list[HeldMail]:
        """Return the mails in an agent's name that wait; none is released by a click that failed its proof."""
        held = digests.held(connection, normalise(agent.address))[:SHOWN]
        return [
            HeldMail(
                each.subject,
                each.at,
                "" if each.failed else self._replies.release(connection, agent, each.id, now),
                self._replies.release(connection, agent, each.id, now, reject=True),
            )
            for each in held
        ]

    def _leads(self, lead: str | None, agent: Agent) -> bool:
        return lead is not None and normalise(lead) == normalise(agent.address)

    def _figures(self, connection: Connection, agent: Agent, led: Sequence[str], now: datetime) -> tuple[Any, ...]:
        if not led:
            return ()
        zone = self._settings.timezone_of(agent)
        yesterday = now.astimezone(zone).date() - timedelta(days=1)
        found = reports.of_period(connection, self._settings, Period(yesterday, yesterday), zone, led)
        shown: tuple[Any, ...] = reports.told(found, self._settings)["all"]
        return shown
