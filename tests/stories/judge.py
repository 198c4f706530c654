"""What must hold at each instant of a desk's life, told by somebody who counts for himself, minute by minute."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from maild.config import Settings
from maild.config.kinds.times import holidays_of
from maild.rules.events import AgentWrote, CustomerWrote, DeliveryFailed, Event, StillAProblem, Tick
from maild.rules.levels import Finished, Kind, Outcome
from maild.rules.policy import Policy
from maild.rules.promises import RUNNING
from maild.rules.state import TO_SOLVE, Decision, Status, Tell, Ticket
from tests.stories.minutes import Minutes

DAY = timedelta(days=1)
TO_CUSTOMERS = (Tell.REMINDER, Tell.RESOLVED)
WITHOUT_LEVEL = timedelta(days=7)
TARGETS = {  # hours of the configuration of `months`, written down once more
    ("support", Kind.FIRST_RESPONSE): {"urgent": 1, "high": 4, "normal": 8, "low": None},
    ("support", Kind.NEXT_RESPONSE): {"urgent": 2, "high": 8, "normal": 8, "low": 8},
    ("lab", Kind.FIRST_RESPONSE): dict.fromkeys(("urgent", "high", "normal", "low"), 16),
    ("lab", Kind.NEXT_RESPONSE): dict.fromkeys(("urgent", "high", "normal", "low"), 16),
}


@dataclass
class Life:
    """A ticket, and what has been seen of it."""

    number: int
    ticket: Ticket
    gone: bool = False
    suppressed: bool = False
    undisturbed_since: datetime | None = None  # since when the waiting goes on without a change of what is promised
    told: list[tuple[datetime, Tell]] = field(default_factory=list)  # of the agents, in this waiting
    sent: list[tuple[datetime, Tell]] = field(default_factory=list)  # to the customer, by time alone
    happened_at: datetime | None = None
    waiting_since: datetime | None = None
    acted: frozenset[str] = frozenset()  # rules of escalation, in this waiting
    again: int = 0  # how often agents were told of a breach within a day of the last time
    answered_at: datetime | None = None
    ran: timedelta = timedelta(0)  # of the resolution clock
    runs_since: datetime | None = None
    moved: bool = False  # to another department: other hours


class Judge:
    """Checks every happening."""

    def __init__(
        self, settings: Settings, begin: datetime, end: datetime, downtimes: list[tuple[datetime, datetime]]
    ) -> None:
        self._settings = settings
        self._downtimes = downtimes
        self._office = {name: Minutes(begin, end, HOURS[name], ZoneInfo(zone)) for name, zone in ZONES.items()}

    def up(self, at: datetime) -> datetime:
        """Return when the desk is there to do what is to be done at `at`."""
        for begins, ends in self._downtimes:
            if begins <= at < ends:
                return ends
        return at

    def judge(self, life: Life, event: Event, before: Ticket, decision: Decision, policy: Policy) -> None:
        """Check what an event did."""
        after, at = decision.after, event.at
        life.happened_at = at
        final = after.status in (Status.CLOSED, Status.MERGED)
        assert (after.due_at is None) is final, (life, event)
        if after.status is Status.ANSWERED and after.due_at is not None:
            # What is shown as the next step is when it happens: nothing is put off once more when that comes.
            assert self._office[after.department].is_open(after.due_at), ("due out of hours", life, after.due_at)
        if isinstance(event, Tick):
            self._of_time(life, at, before, decision, policy)
        self._of_waiting(life, event, before, decision)
        self._of_clocks(life, event, before, decision)
        if isinstance(event, AgentWrote):
            life.answered_at, life.sent = at, []
        assert before.status is not Status.CLOSED or not isinstance(event, Tick), "time does nothing to what is closed"

    def _of_time(self, life: Life, at: datetime, before: Ticket, decision: Decision, policy: Policy) -> None:
        """Check what time alone did: in office hours, once, and never too early."""
        after, office = decision.after, self._office[before.department]
        moved = after.department != before.department  # where what is due may have been due for long
        assert moved or decision.purge or after.due_at is None or after.due_at > at, ("the scheduler spins", life, at)
        for tell in decision.tells:
            if tell in TO_CUSTOMERS:
                assert office.is_open(at), (tell, "out of office hours", life.number, at)
                assert (at, tell) not in life.sent
                assert tell not in [each for _, each in life.sent], (tell, "twice in one silence", life.number, at)
                life.sent.append((at, tell))
        if Tell.RESOLVED in decision.tells:
            reminded = [when for when, tell in life.sent if tell is Tell.REMINDER]
            assert reminded, ("resolved without a reminder", life)
            assert at >= reminded[0] + timedelta(days=3), ("no time to answer", life)
            assert life.answered_at is not None
            assert at >= policy.calendar.add(life.answered_at, policy.resolve_after)
        if Tell.REMINDER in decision.tells:
            assert life.answered_at is not None
            assert at >= policy.calendar.add(life.answered_at, policy.remind_after)
            late = self._first_open(office, policy.calendar.add(life.answered_at, policy.remind_after))
            assert at <= late, ("reminded too late", life.number, at, late)
        if before.status is Status.POSTPONED and after.status is not Status.POSTPONED:
            assert before.wake_at is not None
            assert at == self.up(before.wake_at) or at >= before.wake_at, ("slept too long", life)

    def _of_waiting(self, life: Life, event: Event, before: Ticket, decision: Decision) -> None:
        """Keep account of who was told in this waiting; a breach is repeated at most daily."""
        after, at = decision.after, event.at
        promised = (before.priority, before.department, before.waiting_since, before.answered_at is None)
        promises = (after.priority, after.department, after.waiting_since, after.answered_at is None)
        for tell in decision.tells:
            if tell in (Tell.WAITING, Tell.BREACHED):
                if tell is Tell.BREACHED and promised == promises:
                    last = [
                        when
                        for when, each in life.told
                        if each is Tell.BREACHED and when >= (life.undisturbed_since or at)
                    ]
                    life.again += bool(last) and at < last[-1] + DAY
                    # The second clock, that of the resolution, is told of at two shares of its own.
                    assert life.again <= 2 * (before.department == "support"), ("told within a day", life, at)
                life.told.append((at, tell))
        fired = after.escalated - before.escalated
        assert not fired or before.status in (*TO_SOLVE, Status.POSTPONED)
        assert fired.isdisjoint(life.acted), ("a rule acted twice", life, at)
        if not fired and isinstance(event, Tick):
            assert (before.department, before.priority) == (after.department, after.priority), (life, at)
            assert before.assignee == after.assignee or _is_given_back(life, before, decision, at), (life, at)
        life.acted = life.acted | fired if after.waiting_since else frozenset()
        assert after.escalated >= before.escalated or after.waiting_since is None or isinstance(event, AgentWrote)
        if promised != promises or before.status is not after.status:
            life.undisturbed_since, life.again = at, 0
        if after.waiting_since is None:
            life.told = []
        self._of_the_customer(life, event, after)
        if isinstance(event, CustomerWrote | StillAProblem) and after.status in TO_SOLVE and not decision.follow_up:
            assert after.waiting_since is not None
            assert Tell.NOTIFICATION in decision.tells, ("nobody knows that he wrote", life)

    def _of_the_customer(self, life: Life, event: Event, after: Ticket) -> None:
        """Keep account of since when he waits: since the oldest of his mails that has no answer."""
        if isinstance(event, CustomerWrote | StillAProblem | DeliveryFailed) and after.status in RUNNING:
            life.waiting_since = life.waiting_since or event.at
        elif after.status in (Status.ANSWERED, Status.RESOLVED, Status.CLOSED):
            life.waiting_since = None
        assert after.waiting_since == life.waiting_since or after.status in (Status.SPAM, Status.DELETED), (life, event)

    def sweep(self, life: Life, now: datetime) -> None:
        """Check that somebody was told in time of a customer who waits now."""
        ticket = life.ticket
        if ticket.status not in TO_SOLVE or life.gone or life.happened_at == now:  # what is due now comes next
            return
        assert ticket.due_at is not None
        assert self.up(ticket.due_at) >= now or ticket.due_at >= now, ("overdue, and nothing happens", life, now)
        waiting_since = ticket.waiting_since or ticket.since
        self._of_rules(life, now, waiting_since)
        due = self._promised(ticket, waiting_since)
        if due is None:
            return
        office = self._office[ticket.department]
        told_by = self._first_open(office, max(due, life.undisturbed_since or due))
        if now <= told_by:
            return
        # Where nothing is promised it is enough that somebody was told within the day before.
        told = [when for when, _ in life.told if when >= due - DAY * (ticket.department == "sales")]
        assert told, ("nobody was told that he waits", life, due, told_by, now)
        again = self._first_open(office, told[-1] + DAY)
        assert now <= again, ("nobody was told again", life, told[-1], again, now)

    def _of_rules(self, life: Life, now: datetime, waiting_since: datetime) -> None:
        """Check that rules for tickets that nobody takes, or answers, have acted."""
        ticket = life.ticket
        if life.undisturbed_since is None:
            return
        office = self._office[ticket.department]
        if ticket.department == "support" and ticket.assignee is None:
            acts = self._first_open(office, max(office.add(waiting_since, 6 * 60), life.undisturbed_since))
            assert now <= acts or "nobody-took-it" in life.acted, ("nobody took it", life, acts, now)
        elif ticket.department == "sales":
            acts = self._first_open(office, max(waiting_since + 3 * DAY, life.undisturbed_since))
            assert now <= acts or "sold" in life.acted, ("nobody answered", life, acts, now)

    def _first_open(self, office: Minutes, at: datetime) -> datetime:
        """Return the first minute from `at` on in which agents are told and the desk is up."""
        while True:
            then = self.up(office.next_open(at))
            if then == at or office.is_open(then):
                return then
            at = then

    def _promised(self, ticket: Ticket, waiting_since: datetime) -> datetime | None:
        kind = Kind.NEXT_RESPONSE if ticket.answered_at else Kind.FIRST_RESPONSE
        if ticket.department == "sales" or ticket.waiting_since is None:
            return waiting_since + WITHOUT_LEVEL
        hours = TARGETS[ticket.department, kind][ticket.priority]
        if hours is None:
            return None
        return self._office[ticket.department].add(waiting_since, hours * 60)

    def _of_clocks(self, life: Life, event: Event, before: Ticket, decision: Decision) -> None:
        """Count what each finished clock should have come to."""
        after, at = decision.after, event.at
        was, runs = before.status in RUNNING, after.status in RUNNING
        if before.department != after.department:
            life.moved = True
        if life.runs_since is None and was and not life.told and life.ran == timedelta(0) and before.created_at:
            life.runs_since = before.created_at
        for clock in decision.finished:
            self._recount(life, clock, before, at, was=was)
            answered = isinstance(event, AgentWrote) and clock.kind is not Kind.RESOLUTION
            assert not answered or clock.outcome is not Outcome.VOID, clock
        if was and not runs and life.runs_since is not None:
            life.ran += self._worked(before.department, life.runs_since, at)
            life.runs_since = None
        elif runs and not was:
            life.runs_since = at

    def _worked(self, department: str, a: datetime, b: datetime) -> timedelta:
        return b - a if department == "sales" else self._office[department].between(a, b)

    def _recount(self, life: Life, clock: Finished, before: Ticket, at: datetime, *, was: bool) -> None:
        assert clock.stopped_at == at
        if clock.kind is Kind.RESOLUTION:
            if life.moved:
                return
            running = self._worked(before.department, life.runs_since, at) if was and life.runs_since else timedelta(0)
            assert clock.used == life.ran + running, (clock, life.ran, running, life)
            if clock.level == "gold" and clock.outcome is not Outcome.VOID:
                assert (clock.outcome is Outcome.MET) is (clock.used <= timedelta(hours=40)), clock
            return
        counted = self._worked(before.department, clock.started_at, at)
        assert clock.used == counted, (clock, counted, life)
        hours = TARGETS.get((before.department, clock.kind), {}).get(before.priority)
        if hours is not None:
            assert clock.due_at == self._office[before.department].add(clock.started_at, hours * 60), (clock, life)
            if clock.outcome is not Outcome.VOID:
                assert (clock.outcome is Outcome.MET) is (counted <= timedelta(hours=hours)), (clock, life)

    def end(self, life: Life, _now: datetime) -> None:
        """Check how it ended, long after anybody did anything."""
        status = life.ticket.status
        put_aside = (Status.SPAM, Status.DELETED)  # until they are purged
        assert life.gone or status in (*TO_SOLVE, *put_aside, Status.CLOSED), ("left lying", life)
        assert life.gone or (status is Status.CLOSED) is (life.ticket.due_at is None), life


def _holiday(day: date) -> bool:
    return day in holidays_of("DE-BY", day.year)


def _berlin(local: datetime) -> bool:
    minute, weekday = local.hour * 60 + local.minute, local.weekday()
    if weekday > 4 or not 510 <= minute < 1050 or _holiday(local.date()):
        return False
    return minute < 900 if weekday == 4 else minute < 720 or minute >= 780


def _new_york(local: datetime) -> bool:
    return local.weekday() < 5 and 9 <= local.hour < 17


def _kathmandu(local: datetime) -> bool:
    return local.weekday() != 5 and 10 <= local.hour < 18


ZONES = {"support": "Europe/Berlin", "sales": "America/New_York", "lab": "Asia/Kathmandu"}
HOURS = {"support": _berlin, "sales": _new_york, "lab": _kathmandu}


def _is_given_back(life: Life, before: Ticket, decision: Decision, at: datetime) -> bool:
    """Return whether an agent let a ticket lie for two days and more, and others are told of it."""
    idle_since = max(each for each in (before.since, before.kept_since, life.waiting_since) if each)
    told = {Tell.WAITING, Tell.BREACHED} & set(decision.tells)
    return decision.after.assignee is None and at - idle_since >= timedelta(hours=24) and bool(told)
