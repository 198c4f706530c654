"""Months of a desk in seconds: a thousand customers, ten agents, holidays, summer time, absences, silence, downtime.

Nothing is stored or sent: `rules.ticket.decide` is asked what follows, time is a heap of instants, and what must hold
is checked at each of them, by `Judge`, which counts for itself. By hand, for longer:

    python -m tests.stories.months [--seeds 20] [--days 365] [--customers 3000]
"""

import argparse
import heapq
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from maild import config
from maild.config import Settings
from maild.rules.events import (
    AgentWrote,
    Assign,
    Close,
    CustomerWrote,
    Delete,
    DeliveryFailed,
    Event,
    MarkSpam,
    NoteWritten,
    Postpone,
    Reopen,
    Resolve,
    SetPriority,
    Solved,
    StillAProblem,
    Tick,
)
from maild.rules.policy import Policy
from maild.rules.refusals import Refused
from maild.rules.state import TO_SOLVE, Decision, Status, Ticket, opened
from maild.rules.ticket import decide, rescheduled
from tests.stories.judge import Judge, Life

BEGIN: Final = datetime(2026, 2, 16, 8, tzinfo=UTC)  # summer time begins in March, at two different weekends
SUFFIX: Final = timedelta(days=75)  # in which nobody does anything any more
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

CONFIG: Final = """
[smtp]
listen = "127.0.0.1:0"

[calendar.berlin]
timezone = "Europe/Berlin"
hours = { mon-thu = ["8:30-12:00", "13:00-17:30"], fri = ["8:30-15:00"] }
holidays = "DE-BY"

[calendar.kathmandu]
timezone = "Asia/Kathmandu"
hours = { sun-fri = ["10:00-18:00"] }

[sla.gold]
calendar = "berlin"
first_response = { urgent = "1h", high = "4h", normal = "8h", low = "2bd" }
next_response = { urgent = "2h", normal = "8h" }
resolution = { normal = "40h" }

[sla.silver]
calendar = "kathmandu"
first_response = { normal = "16h" }
next_response = { normal = "16h" }
warn_at = [50, 100]

[[department]]
name = "support"
address = "support@acme.example"
timezone = "Europe/Berlin"
sla = "gold"

[[department]]
name = "sales"
address = "sales@acme.example"
timezone = "America/New_York"
remind_after = "3d"
resolve_after = "5d"
close_after = "7d"

[[department]]
name = "lab"
address = "lab@acme.example"
timezone = "Asia/Kathmandu"
sla = "silver"
remind_after = "4bd"
resolve_after = "8bd"

[[escalate]]
name = "nobody-took-it"
department = "support"
unassigned_for = "6h"
raise_to = "high"
assign = "agent-0@acme.example"

[[escalate]]
name = "sold"
department = "sales"
unanswered_for = "3d"
move_to = "lab"
tell = ["agent-9@acme.example"]

[[escalate]]
name = "back"
department = "lab"
unanswered_for = "4h"
move_to = "sales"
"""
WORKPLACES: Final = ("support", "support", "support", "support", "sales", "sales", "sales", "lab", "lab", "lab")


def settings() -> Settings:
    """Return the configuration of the desk."""
    agents = "\n".join(
        f'[[agent]]\nname = "Agent {number}"\naddress = "agent-{number}@acme.example"\ndepartments = ["{name}"]'
        for number, name in enumerate(WORKPLACES)
    )
    return config.parse(CONFIG + agents)


@dataclass
class Found:
    """What a simulation saw."""

    tickets: int = 0
    happenings: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    tells: Counter[str] = field(default_factory=Counter)
    clocks: int = 0
    refused: int = 0

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in self.tells.most_common())
        ended = ", ".join(f"{name} {count}" for name, count in self.statuses.most_common())
        return f"{self.tickets} tickets, {self.happenings} happenings, {self.clocks} clocks; {ended}; told: {told}"


class Months:
    """One desk and its people, by one seed."""

    def __init__(self, seed: int, *, days: int = 120, customers: int = 1000) -> None:
        self.random = random.Random(seed)
        self.settings = settings()
        self.end = BEGIN + days * DAY
        self.customers = customers
        self.now = BEGIN
        self.found = Found()
        self.lives: list[Life] = []
        self._heap: list[tuple[datetime, int, int, str]] = []  # at, order, ticket, what
        self._order = itertools.count()
        self.downtimes = self._draw_spans(BEGIN, 4, (20 * MINUTE, 3 * HOUR, 2 * DAY, 7 * DAY))
        self.absences = {
            f"agent-{number}@acme.example": self._draw_spans(BEGIN, 3, (DAY, 5 * DAY, 21 * DAY)) for number in range(10)
        }
        self.judge = Judge(self.settings, BEGIN - 30 * DAY, self.end + SUFFIX + 60 * DAY, self.downtimes)

    def run(self) -> Found:
        """Let all of it happen; raises AssertionError where something that must hold does not."""
        for number in range(self.customers):
            self._push(BEGIN + self._some(self.end - BEGIN), number, "open")
        for day in range((self.end - BEGIN) // DAY):
            self._push(BEGIN + day * DAY + self._some(DAY), -1, "sweep")
        while self._heap:
            at, _, number, what = heapq.heappop(self._heap)
            up = self.judge.up(at)
            if up > at:  # the desk is down: it happens when it is there again
                self._push(up, number, what)
                continue
            assert at >= self.now, "time goes forward"
            self.now = at
            if at <= self.end + SUFFIX:
                self._do(number, what)
        self._end()
        return self.found

    def _do(self, number: int, what: str) -> None:
        if what == "sweep":
            for life in self.lives:
                self.judge.sweep(life, self.now)
            return
        if what == "open":
            self._open()
            return
        life = self.lives[number]
        if what == "tick":
            if life.ticket.due_at is not None and life.ticket.due_at <= self.now:
                self._happen(life, Tick(self.now))
            return
        if self.now < self.end:
            self._live(life, what)

    def _open(self) -> None:
        department = self.random.choice(("support", "support", "sales", "lab"))
        priority = self.random.choice(("low", "normal", "normal", "normal", "high", "urgent"))
        ticket = opened(self.now)._replace(department=department, priority=priority, requester="c@customer.example")
        life = Life(len(self.lives), ticket)
        self.lives.append(life)
        self.found.tickets += 1
        self._happen(life, CustomerWrote(self.now))

    def _policy(self, ticket: Ticket) -> Policy:
        department = self.settings.department(ticket.department)
        assert department is not None
        return self.settings.policy_of(department, ticket.requester)

    def _happen(self, life: Life, event: Event) -> None:
        before = life.ticket
        policy = self._policy(before)
        try:
            decision = decide(before, event, policy)
        except Refused:
            self.found.refused += 1
            return
        if decision.after.department != before.department:
            decision = self._in_the_other_department(decision)
        self.judge.judge(life, event, before, decision, policy)
        life.ticket = decision.after
        self.found.happenings += 1
        self.found.tells.update(tell.value for tell in decision.tells)
        self.found.clocks += len(decision.finished)
        if decision.purge:
            life.gone = True
            return
        if decision.follow_up:
            return
        if life.ticket.due_at is not None:
            self._push(max(life.ticket.due_at, self.now), life.number, "tick")
        self._think(life, event)

    def _in_the_other_department(self, decision: Decision) -> Decision:
        return replace(decision, after=rescheduled(decision.after, self._policy(decision.after)))

    def _think(self, life: Life, event: Event) -> None:
        """Let people decide what they will do about what happened."""
        chance = self.random.random()
        if isinstance(event, CustomerWrote | StillAProblem):
            if self.random.random() < 0.15:
                self._push(self.now + self._some(3 * DAY), life.number, "reply")  # and another thing
            if chance < 0.96:  # else everybody forgets it
                self._push(self._agent_time(life, HOUR * self.random.choice((1, 4, 9, 30, 120))), life.number, "agent")
        elif isinstance(event, AgentWrote):
            if chance < 0.05:
                self._push(self.now + MINUTE, life.number, "bounce")
            elif chance > 0.95:
                self._push(self.now + self._some(9 * DAY), life.number, "once more")
            elif chance < 0.45:
                self._push(self.now + self._some(self.random.choice((HOUR, DAY, 12 * DAY))), life.number, "reply")
            elif chance < 0.55:
                self._push(self.now + self._some(15 * DAY), life.number, "solved")
        elif life.ticket.status in (Status.RESOLVED, Status.CLOSED) and chance < 0.1:
            self._push(self.now + self._some(20 * DAY), life.number, "problem")

    def _agent_time(self, life: Life, within: timedelta) -> datetime:
        at = self.now + self._some(within)
        for begins, ends in self.absences.get(life.ticket.assignee or "", []):
            if begins <= at < ends:
                at = ends
        return at

    def _live(self, life: Life, what: str) -> None:
        """Let a person do what he meant to do."""
        status, at = life.ticket.status, self.now
        if what == "reply":
            self._happen(life, CustomerWrote(at))
        elif what == "solved":
            self._happen(life, Solved(at))
        elif what == "problem":
            self._happen(life, StillAProblem(at))
        elif what == "bounce" and status in (Status.ANSWERED, Status.RESOLVED):
            life.suppressed = True
            self._happen(life, DeliveryFailed(at))
        elif what == "once more" and status is Status.ANSWERED:
            self._happen(life, AgentWrote(at, "agent-0@acme.example"))
        elif what == "agent" and status in (*TO_SOLVE, Status.POSTPONED):
            self._act(life)

    def _act(self, life: Life) -> None:
        at, chance = self.now, self.random.random()
        here = [f"agent-{number}@acme.example" for number, name in enumerate(WORKPLACES)]
        agent = self.random.choice([each for each in here if self._works(each, life.ticket.department)])
        again = True
        if chance < 0.70:
            again = False
            self._happen(life, AgentWrote(at, agent))
            if self.random.random() < 0.1:
                self._happen(life, Resolve(at, silent=True))
        elif chance < 0.75:
            self._happen(life, NoteWritten(at))
        elif chance < 0.80:
            self._happen(life, Assign(at, agent, by=agent))
        elif chance < 0.84:
            self._happen(life, SetPriority(at, self.random.choice(("low", "normal", "high", "urgent"))))
        elif chance < 0.92:
            self._happen(life, Postpone(at, at + MINUTE + self._some(self.random.choice((DAY, 9 * DAY)))))
        elif chance < 0.95:
            self._happen(life, Resolve(at))
        elif chance < 0.97:
            again = False
            self._happen(life, Close(at))
        elif chance < 0.99:
            self._happen(life, Reopen(at))
        else:
            again = False
            self._happen(life, self.random.choice((MarkSpam(at), Delete(at))))
        if again:
            self._push(self._agent_time(life, 20 * HOUR), life.number, "agent")

    def _works(self, agent: str, department: str) -> bool:
        return agent in self.settings.placing.agents[department]

    def _end(self) -> None:
        for life in self.lives:
            self.judge.end(life, self.now)
            self.found.statuses[life.ticket.status.value] += 1

    def _push(self, at: datetime, number: int, what: str) -> None:
        heapq.heappush(self._heap, (at, next(self._order), number, what))

    def _some(self, within: timedelta) -> timedelta:
        return self.random.randrange(max(1, within // MINUTE)) * MINUTE

    def _draw_spans(
        self, begin: datetime, count: int, lengths: tuple[timedelta, ...]
    ) -> list[tuple[datetime, datetime]]:
        starts = sorted(begin + self._some(self.end - begin) for _ in range(count))
        spans = [(start, start + MINUTE + self._some(self.random.choice(lengths))) for start in starts]
        return [span for span, after in zip(spans, [*starts[1:], self.end], strict=True) if span[1] < after]


def main() -> None:
    """Run it as its arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--customers", type=int, default=3000)
    given = parser.parse_args()
    for seed in range(given.first, given.first + given.seeds):
        began = time.perf_counter()
        found = Months(seed, days=given.days, customers=given.customers).run()
        print(f"seed {seed}: {time.perf_counter() - began:.1f} s: {found}")  # noqa: T201


if __name__ == "__main__":
    main()
