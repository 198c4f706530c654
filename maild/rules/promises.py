"""The three clocks of a ticket: since when each runs, when it is due, and what it came to.

                     begins                          runs while                  ends
    first response   when the customer writes        he waits, unanswered yet    with a public answer of a person
    next response    when he writes after an answer  he waits                    with a public answer of a person
    resolution       when the ticket begins          new, open or postponed      resolved or closed

So nothing but a person's public answer stops a response clock: no acknowledgement, note or reminder, and postponing
does not. The resolution clock stands still while we wait for the customer, and goes on when the ticket opens again.

A clock is `met` if it ended within its target and `missed` if not. It is `void` if what it waited for was not needed
any more: resolved or closed before an answer was due, merged, spam, deleted. One without a target is measured only.

Working time is that of the level's calendar. A target counts from the clock's own beginning, whatever changed since:
level, priority and department are those of now. What a resolution clock used before it stood still stays used.

Nothing here reads a clock or decides what happens; all instants are aware UTC.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from maild.rules.events import AgentWrote, Event, Solved, TakeBack
from maild.rules.levels import Finished, Kind, Outcome
from maild.rules.policy import Policy
from maild.rules.state import TELL_AGAIN, TO_SOLVE, Status, Ticket
from maild.rules.working_time import Calendar

RUNNING: Final = TO_SOLVE | {Status.POSTPONED}
_DONE: Final = frozenset({Status.RESOLVED, Status.CLOSED})
BEFORE_DONE: Final = RUNNING | {Status.ANSWERED}


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that runs."""

    kind: Kind
    started_at: datetime
    resumed_at: datetime  # since when it runs without a pause
    used: timedelta  # working time before that
    calendar: Calendar
    target: timedelta | None  # in working time; None: nothing is promised
    due_at: datetime | None

    def reaches(self, percent: int) -> datetime | None:
        """Return when so much of the target is used, None if that was before it was resumed, or without a target."""
        if self.target is None:
            return None
        if percent == 100:
            return self.due_at
        left = self.target * percent / 100 - self.used
        return self.calendar.later(self.resumed_at, left) if left > timedelta() else None


def running(ticket: Ticket, policy: Policy) -> Iterator[Clock]:
    """Yield the clocks that run, the response first."""
    if ticket.status not in RUNNING:
        return
    if (response := _response(ticket, policy)) is not None:
        yield response
    if ticket.created_at is not None and ticket.resolving_since is not None:
        used = timedelta(seconds=ticket.resolving_s)
        yield _clock(Kind.RESOLUTION, ticket, policy, ticket.created_at, ticket.resolving_since, used)


def _promised(ticket: Ticket, policy: Policy) -> tuple[Clock, ...]:
    """Return the clocks that run, where there is a level: without one nothing is promised."""
    return tuple(running(ticket, policy)) if policy.level else ()


def _response(ticket: Ticket, policy: Policy) -> Clock | None:
    """Return the clock of the mail that waits for an answer, None if none waits."""
    if ticket.status not in RUNNING or ticket.waiting_since is None:
        return None
    kind = Kind.NEXT_RESPONSE if ticket.answered_at else Kind.FIRST_RESPONSE
    return _clock(kind, ticket, policy, ticket.waiting_since, ticket.waiting_since)


def _clock(
    kind: Kind,
    ticket: Ticket,
    policy: Policy,
    started_at: datetime,
    resumed_at: datetime,
    used: timedelta = timedelta(),
) -> Clock:
    calendar = _calendar(policy)
    span = policy.level.target(kind, ticket.priority) if policy.level else None
    if span is None:
        return Clock(kind, started_at, resumed_at, used, calendar, None, None)
    due_at = calendar.add(started_at, span)
    target = calendar.between(started_at, due_at)
    if used < target and (used or resumed_at != started_at):  # one that was used up keeps the instant in the past
        due_at = calendar.later(resumed_at, target - used)
    return Clock(kind, started_at, resumed_at, used, calendar, target, due_at)


def _calendar(policy: Policy) -> Calendar:
    return policy.level.calendar if policy.level else policy.calendar


def target_at(ticket: Ticket, policy: Policy) -> datetime | None:
    """Return when the first of what is promised is due, None if nobody waits; tickets are solved in this order.

    Where no answer is promised it is due after `respond_after`.
    """
    dues = [clock.due_at for clock in _promised(ticket, policy) if clock.due_at]
    if dues or ticket.status not in TO_SOLVE:
        return min(dues, default=None)
    return policy.calendar.add(ticket.waiting_since or ticket.since, policy.respond_after)


def told_next(ticket: Ticket, policy: Policy) -> datetime | None:
    """Return when the agents are next told of a ticket's clocks, None for not at all.

    At each share that is warned at, when a clock is due, and then once a day; of a postponed ticket not daily. What
    passed unnoticed is told once, and nobody is warned of one clock who knows that another is late.
    """
    clocks = _promised(ticket, policy)
    late = any(clock.due_at and ticket.told_at and clock.due_at <= ticket.told_at for clock in clocks)
    instants = [at for clock in clocks for at in _told(ticket, clock, () if late else _shares(policy))]
    if ticket.status in TO_SOLVE and not any(clock.due_at for clock in clocks if clock.kind is not Kind.RESOLUTION):
        at = policy.calendar.add(ticket.waiting_since or ticket.since, policy.respond_after)
        instants.append(at if ticket.told_at is None else max(at, ticket.told_at + TELL_AGAIN))
    return policy.told_in.next_open(min(instants)) if instants else None


def _shares(policy: Policy) -> tuple[int, ...]:
    return policy.level.warn_at if policy.level else ()


def _told(ticket: Ticket, clock: Clock, shares: tuple[int, ...]) -> Iterator[datetime]:
    if clock.due_at is None:
        return
    told_at = max(ticket.told_at or clock.resumed_at, clock.resumed_at)
    if clock.due_at > told_at:
        yield clock.due_at
    elif ticket.status is not Status.POSTPONED:
        yield told_at + TELL_AGAIN
    for percent in shares:
        at = clock.reaches(percent)
        if at is not None and at > told_at:
            yield at


def breached(ticket: Ticket, policy: Policy, at: datetime) -> bool:
    """Return whether a promise to the customer of `ticket` is broken at `at`."""
    return any(clock.due_at is not None and clock.due_at <= at for clock in _promised(ticket, policy))


def carried_on(before: Ticket, after: Ticket, event: Event, policy: Policy) -> Ticket:
    """Return `after` with its resolution clock stopped or resumed as its status says."""
    was, runs = before.status in RUNNING, after.status in RUNNING
    if was == runs:
        return after
    if isinstance(event, TakeBack):
        return _as_if_never(before, after, policy)
    if runs:
        return after._replace(resolving_since=event.at)
    if before.resolving_since is None or _is_old(event):
        return after._replace(resolving_since=None)
    worked = max(_calendar(policy).between(before.resolving_since, event.at), timedelta())
    return after._replace(resolving_since=None, resolving_s=before.resolving_s + int(worked.total_seconds()))


def _as_if_never(before: Ticket, after: Ticket, policy: Policy) -> Ticket:
    """Return `after` with its resolution clock as it was before it stopped or went on, which is taken back."""
    if after.status not in RUNNING:
        return after._replace(resolving_since=None)  # what it ran meanwhile counts for nothing
    if after.since > before.since:
        return after._replace(resolving_since=after.since)  # that it went on was taken back, and is true after all
    began = before.created_at
    if began and int(_calendar(policy).between(began, before.since).total_seconds()) == before.resolving_s:
        return after._replace(resolving_since=began, resolving_s=0)  # it had never stood still: exact to the instant
    return after._replace(resolving_since=before.since)


def measured(statuses: Iterable[tuple[datetime, Status]], policy: Policy) -> tuple[datetime | None, int]:
    """Return since when the resolution clock runs of a ticket with these changes, and for how long it ran before."""
    since: datetime | None = None
    used = timedelta()
    for at, status in statuses:
        if status in RUNNING and since is None:
            since = at
        elif status not in RUNNING and since is not None:
            used += max(_calendar(policy).between(since, at), timedelta())
            since = None
    return since, int(used.total_seconds())


def finished(before: Ticket, after: Ticket, event: Event, policy: Policy) -> Iterator[Finished]:
    """Yield the clocks that `event` ended; what takes something back ends none, it forgets (`desk.undoing`)."""
    if _is_old(event) or isinstance(event, TakeBack):
        return
    answered = isinstance(event, AgentWrote)
    ends = answered or after.waiting_since is None or after.status not in RUNNING
    if ends and (clock := _response(before, policy)) is not None:
        used = max(clock.calendar.between(clock.started_at, event.at), timedelta())
        done = answered or (after.status in _DONE and _missed(clock, used))
        yield _finished(clock, used, before, event, policy, void=not done)
    if before.status in BEFORE_DONE and after.status not in BEFORE_DONE:
        yield from _resolution(before, after, event, policy)


def _resolution(before: Ticket, after: Ticket, event: Event, policy: Policy) -> Iterator[Finished]:
    if before.created_at is None or (before.status in RUNNING and before.resolving_since is None):
        return  # it began before there were clocks
    used = timedelta(seconds=after.resolving_s)
    resumed_at = before.resolving_since or event.at
    clock = _clock(
        Kind.RESOLUTION, before, policy, before.created_at, resumed_at, timedelta(seconds=before.resolving_s)
    )
    yield _finished(clock, used, before, event, policy, void=after.status not in _DONE)


def _finished(clock: Clock, used: timedelta, ticket: Ticket, event: Event, policy: Policy, *, void: bool) -> Finished:
    outcome = Outcome.VOID if void else None
    if not void and clock.target is not None:
        outcome = Outcome.MISSED if _missed(clock, used) else Outcome.MET
    level = policy.level.name if policy.level else None
    agent = event.agent if isinstance(event, AgentWrote) else None
    return Finished(
        clock.kind,
        clock.started_at,
        clock.due_at,
        event.at,
        used,
        outcome,
        level,
        ticket.priority,
        ticket.department,
        agent,
    )


def _is_old(event: Event) -> bool:
    return isinstance(event, Solved) and event.old


def _missed(clock: Clock, used: timedelta) -> bool:
    return clock.target is not None and used > clock.target
