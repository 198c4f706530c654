"""The figures of a period: what came in, what was solved, how long it took, what was promised and kept.

    facts of a period -> Figures in all, by department and by agent

A period is of whole days in one zone. Working time is that of the clocks (`rules.promises`): a clock that nobody's
answer stopped, or that came to nothing, is no figure. Median and 90th percentile are of the nearest rank: times that
were.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from maild.rules.levels import Kind, Outcome

LONGEST: Final = 3660  # days
NAMES: Final = ("today", "yesterday", "this-week", "last-week", "this-month", "last-month", "7d", "2026-10")
_DAYS: Final = re.compile(r"(?:last )?([1-9]\d{0,3}) ?d(?:ays?)?", re.ASCII)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_ONE_DAY: Final = timedelta(days=1)


class NoPeriodError(ValueError):
    """The text names no period that can be reported on."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the calendar, the last one included."""

    first: date
    last: date

    def begins_at(self, zone: ZoneInfo) -> datetime:
        """Return the instant at which it begins for somebody in `zone`."""
        return datetime.combine(self.first, time(0), zone).astimezone(UTC)

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """Return the first instant behind it."""
        return datetime.combine(self.last + _ONE_DAY, time(0), zone).astimezone(UTC)

    def __str__(self) -> str:
        """Return it as ISO 8601 days."""
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def period(text: str, today: date) -> Period:
    """Return the period that `text` names, the last seven days for none: see NAMES, or days such as 2026-10-05.

    Raises:
        NoPeriodError: it names none, or one that has not begun.
    """
    words = "-".join(text.lower().split())
    try:
        found = _named(words, today) or _written(words, today)
    except (ValueError, OverflowError):  # no such day or month
        found = None
    if found is None or found.first > today or (found.last - found.first).days > LONGEST:
        raise NoPeriodError(text)
    return found


def _named(words: str, today: date) -> Period | None:
    week, month = today - timedelta(days=today.weekday()), today.replace(day=1)
    before = month - _ONE_DAY
    known = {
        "": (today - timedelta(days=6), today),
        "today": (today, today),
        "yesterday": (today - _ONE_DAY, today - _ONE_DAY),
        "this-week": (week, today),
        "last-week": (week - timedelta(days=7), week - _ONE_DAY),
        "this-month": (month, today),
        "last-month": (before.replace(day=1), before),
        "this-year": (date(today.year, 1, 1), today),
        "last-year": (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    }
    return Period(*known[words]) if words in known else None


def _written(words: str, today: date) -> Period | None:
    if found := _DAYS.fullmatch(words.replace("-", " ")):
        return Period(today - timedelta(days=int(found[1]) - 1), today)
    if found := _MONTH.fullmatch(words):
        first = date(int(found[1]), int(found[2]), 1)
        following = (first + timedelta(days=31)).replace(day=1)
        return Period(first, min(following - _ONE_DAY, max(today, first)))
    first_day, dots, last_day = words.partition("..")
    first = date.fromisoformat(first_day)
    last = date.fromisoformat(last_day) if dots else first
    return Period(first, last) if first <= last else None


@dataclass(frozen=True, slots=True)
class Opened:
    """A ticket came in."""

    department: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An agent answered in public."""

    department: str
    agent: str


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock of a ticket ended."""

    kind: Kind
    department: str
    agent: str | None  # whose answer ended it; for a resolution whose ticket it is
    used: timedelta
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tickets that we owe an answer at the end of the period."""

    department: str
    agent: str | None
    tickets: int = 1


Fact = Opened | Answered | Clock | Waiting


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took."""

    times: int
    median: timedelta
    p90: timedelta


@dataclass(frozen=True, slots=True)
class Figures:
    """What can be said of a desk, a department or an agent."""

    opened: int = 0
    solved: int = 0
    answers: int = 0
    first_response: Spread | None = None
    resolution: Spread | None = None
    met: int = 0  # promises that were kept
    missed: int = 0
    backlog: int = 0

    @property
    def kept(self) -> float | None:
        """The share of promises that were kept, None without any."""
        return self.met / (self.met + self.missed) if self.met + self.missed else None


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period."""

    period: Period
    total: Figures
    departments: Mapping[str, Figures]
    agents: Mapping[str, Figures]


def report(period: Period, facts: Sequence[Fact], departments: Iterable[str], agents: Iterable[str]) -> Report:
    """Return the figures of `facts`: in all, and of each of `departments` and `agents`, in the order given."""
    return Report(
        period,
        figures(facts),
        {name: figures([each for each in facts if each.department == name]) for name in departments},
        {agent: figures([each for each in facts if _by(each) == agent]) for agent in agents},
    )


def _by(fact: Fact) -> str | None:
    return None if isinstance(fact, Opened) else fact.agent


def figures(facts: Sequence[Fact]) -> Figures:
    """Return what can be said of `facts`."""
    clocks = [each for each in facts if isinstance(each, Clock) and each.outcome is not Outcome.VOID]
    first = [each.used for each in clocks if each.kind is Kind.FIRST_RESPONSE and each.agent is not None]
    solved = [each.used for each in clocks if each.kind is Kind.RESOLUTION]
    return Figures(
        opened=sum(isinstance(each, Opened) for each in facts),
        solved=len(solved),
        answers=sum(isinstance(each, Answered) for each in facts),
        first_response=spread(first),
        resolution=spread(solved),
        met=sum(each.outcome is Outcome.MET for each in clocks),
        missed=sum(each.outcome is Outcome.MISSED for each in clocks),
        backlog=sum(each.tickets for each in facts if isinstance(each, Waiting)),
    )


def spread(times: Sequence[timedelta]) -> Spread | None:
    """Return median and 90th percentile of `times`, None of none."""
    if not times:
        return None
    ordered = sorted(times)
    return Spread(len(ordered), _rank(ordered, 50), _rank(ordered, 90))


def _rank(ordered: Sequence[timedelta], percent: int) -> timedelta:
    """Return the smallest that so many percent do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
