"""Working time: spans, calendars, and the arithmetic between them.

A `Span` is what people write: "15m", "4h", "2d", "2bd". A `Calendar` says when
a desk is open: weekly hours in a zone, closed days, days with hours of their
own. Everything is computed from one definition:

    an instant is open if the wall clock in the calendar's zone then shows a
    date and a time that lie within that date's hours.

So a day of 23 or 25 hours, a zone that changes by half an hour, and a date
that a zone left out (Apia had no 30 December 2011) need no rule of their own.

    s m h d   amounts of time; a calendar counts only the time it is open, and
              a "d" is always 24 hours of it, so in an office of 8 hours a day
              1d is three days of work: write "bd" for those
    bd        business days: the same time of the day, that many working days
              later; a working day is one with any open hours

Nothing here reads a clock. All instants are aware; results are UTC.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000  # instants are counted in whole microseconds since 1970 in here
HOUR = 3600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = EPOCH.toordinal()
PROBE = 8 * HOUR  # no zone has ever changed twice within this time
WIDEST_OFFSET = 16 * HOUR  # Manila's local mean time was -15:56
HORIZON_DAYS = 100 * 366  # an opening that is not found within a century is no opening
CACHED_DAYS = 4096  # days kept per calendar: eleven years, about 1 MB
LONGEST_DAYS = 3650

UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}
SPAN = re.compile(r"\s*(\d{1,10})\s*(bd|d|h|m|s)\s*", re.ASCII)

Hours = Sequence[tuple[time, time]]
"""Open times of one day, from and until; until midnight is `time(0)`."""

EVERY_HOUR: Hours = ((time(0), time(0)),)
OFFICE_HOURS: Hours = ((time(9), time(17)),)
ALL_WEEK: Mapping[int, Hours] = dict.fromkeys(range(7), EVERY_HOUR)
OFFICE_WEEK: Mapping[int, Hours] = dict.fromkeys(range(5), OFFICE_HOURS)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as people write it: either seconds or whole business days."""

    seconds: int = 0
    business_days: int = 0

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Return the span that `text` says, such as "30s", "15m", "4h", "2d", "2bd".

        Raises:
            ValueError: it is not of this form, is nothing, or is longer than ten years.
        """
        found = SPAN.fullmatch(text)
        if found is None:
            raise ValueError("expected a span of time such as '30s', '15m', '4h', '2d' or '2bd' (business days)")
        number, unit = int(found[1]), found[2]
        span = cls(business_days=number) if unit == "bd" else cls(seconds=number * UNITS_S[unit])
        if not span:
            raise ValueError("expected a span of time longer than nothing")
        if span.seconds > LONGEST_DAYS * 86400 or span.business_days > LONGEST_DAYS:
            raise ValueError(f"expected a span of time of at most {LONGEST_DAYS} days")
        return span

    @property
    def business(self) -> bool:
        """Whether it counts business days."""
        return self.business_days > 0

    def __bool__(self) -> bool:
        return bool(self.seconds or self.business_days)

    def __str__(self) -> str:
        """Return the shortest text that `parse` reads as the same span."""
        if self.business_days:
            return f"{self.business_days}bd"
        for unit, size_s in UNITS_S.items():
            if self.seconds and self.seconds % size_s == 0:
                return f"{self.seconds // size_s}{unit}"
        return "0s"


def _no_holidays(_year: int) -> frozenset[date]:
    return frozenset()


class Calendar:
    """When a desk is open; immutable, and safe to share between threads.

    `week` has the hours of each weekday (Monday is 0); a weekday left out is
    closed. `holidays` is asked once a year needed for the dates closed in it,
    `closed` are further closed dates, and `special` gives single dates hours
    of their own, whatever else would hold for them. `business` is the calendar
    that counts business days instead of this one.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        week: Mapping[int, Hours],
        *,
        holidays: Callable[[int], frozenset[date]] = _no_holidays,
        closed: frozenset[date] = frozenset(),
        special: Mapping[date, Hours] | None = None,
        business: "Calendar | None" = None,
    ) -> None:
        """Make a calendar.

        Raises:
            ValueError: no weekday has hours, or hours end before they begin or overlap.
        """
        self.zone = zone
        self._week = {weekday: _check(hours) for weekday, hours in week.items() if hours}
        if not self._week:
            raise ValueError("a calendar needs open hours on at least one day of the week")
        self._special = {day: _check(hours) for day, hours in (special or {}).items()}
        self._closed = closed
        self._business = business
        self._holidays = holidays
        self._holidays_of: dict[int, frozenset[date]] = {}
        self._chunks: dict[int, tuple[tuple[int, int], ...]] = {}
        # Around the clock: then nothing has to be counted.
        self._is_always = (
            not (self._special or closed)
            and holidays is _no_holidays
            and all(self._week.get(weekday) == EVERY_HOUR for weekday in range(7))
        )

    @classmethod
    def always(cls, business: "Calendar | None" = None) -> "Calendar":
        """Return the calendar that is open around the clock; `business`, else `office`, counts its business days."""
        business = business or cls.office(ZoneInfo("UTC"))
        return cls(business.zone, ALL_WEEK, business=business)

    @classmethod
    def office(cls, zone: ZoneInfo) -> "Calendar":
        """Return the calendar that holds where none is configured: Monday to Friday, 9 to 17."""
        return cls(zone, OFFICE_WEEK)

    def add(self, start: datetime, span: Span) -> datetime:
        """Return when `span` has passed since `start`: the earliest such instant.

        Working time that ends with a day ends at its closing, not at the next
        opening. Business days begin to count at the next opening; on a target
        day that is shut at that time of the day it is the day's next opening,
        or its last closing.

        Raises:
            ValueError: the calendar is not open long enough within a century.
        """
        if span.business_days:
            if self._business is not None:
                return self._business.add(start, span)
            return self._add_days(start, span.business_days)
        return self.later(start, timedelta(seconds=span.seconds))

    def later(self, start: datetime, worked: timedelta) -> datetime:
        """Return when so much open time has passed since `start`: the earliest such instant, at a closing if need be.

        Raises:
            ValueError: the calendar is not open long enough within a century.
        """
        if worked <= timedelta():
            return _utc(start)
        if self._is_always:
            return _utc(start) + worked
        left = worked // timedelta(microseconds=1)
        for begins, ends in self._open_from(_count(start)):
            if left <= ends - begins:
                return _instant(begins + left)
            left -= ends - begins
        raise ValueError("the calendar has no open hours within a century")

    def between(self, a: datetime, b: datetime) -> timedelta:
        """Return the open time from `a` to `b`; negative if `b` is the earlier one."""
        if self._is_always:
            return _utc(b) - _utc(a)
        since, until = _count(a), _count(b)
        if until < since:
            return -self.between(b, a)
        total = 0
        for number in range(since // DAY, (until - 1) // DAY + 1):
            for begins, ends in self._chunk(number):
                total += max(0, min(ends, until) - max(begins, since))
        return timedelta(microseconds=total)

    def next_open(self, at: datetime) -> datetime:
        """Return `at` itself if the calendar is open then, else the next opening.

        Raises:
            ValueError: there is no opening within a century.
        """
        if self._is_always:
            return _utc(at)
        for begins, _ in self._open_from(_count(at)):
            return _instant(begins)
        raise ValueError("the calendar has no open hours within a century")

    def is_open(self, at: datetime) -> bool:
        """Return whether the calendar is open at `at`."""
        return _count(self.next_open(at)) == _count(
            at
        )  # never ==: instants of two zones in a fold are unequal (PEP 495)

    def hours(self, day: date) -> Hours:
        """Return the hours by the wall clock on `day`; empty if it is closed."""
        if day in self._special:
            return self._special[day]
        if day in self._closed or day.weekday() not in self._week or day in self._holidays_in(day.year):
            return ()
        return self._week[day.weekday()]

    def _add_days(self, start: datetime, days: int) -> datetime:
        opening = self.next_open(start).astimezone(self.zone)
        day, clock = opening.date(), opening.time()
        for _ in range(HORIZON_DAYS):
            day += timedelta(days=1)
            if not self.hours(day) or not (spans := self._instants_on(day)):
                continue
            days -= 1
            if days == 0:
                return self._at_clock(spans, clock)
        raise ValueError("the calendar has no open hours within a century")

    def _at_clock(self, spans: list[tuple[int, int]], clock: time) -> datetime:
        """Return the first open instant within `spans` at which the wall clock shows `clock` or later."""
        for begins, ends in spans:
            shown = _instant(begins).astimezone(self.zone).time()
            if shown >= clock:
                return _instant(begins)
            reached = begins + _of_day(clock) - _of_day(shown)
            if reached < ends:
                return _instant(reached)
        return _instant(spans[-1][1])

    def _holidays_in(self, year: int) -> frozenset[date]:
        if year not in self._holidays_of:
            self._holidays_of[year] = self._holidays(year)
        return self._holidays_of[year]

    def _open_from(self, since: int) -> Iterator[tuple[int, int]]:
        """Yield what is open from `since` on, in order, for a century."""
        first = since // DAY
        for number in range(first, first + HORIZON_DAYS):
            for begins, ends in self._chunk(number):
                if ends > since:
                    yield max(begins, since), ends

    def _chunk(self, number: int) -> tuple[tuple[int, int], ...]:
        """Return what is open in a day of UTC, in order; what touches may be in pieces."""
        known = self._chunks.get(number)
        if known is None:
            if len(self._chunks) >= CACHED_DAYS:
                self._chunks.clear()
            known = self._chunks[number] = tuple(self._within(number * DAY, (number + 1) * DAY))
        return known

    def _instants_on(self, day: date) -> list[tuple[int, int]]:
        """Return what is open while the wall clock shows `day`, one entry per constant offset."""
        midnight = (day.toordinal() - EPOCH_ORDINAL) * DAY
        return list(self._within(midnight - WIDEST_OFFSET, midnight + DAY + WIDEST_OFFSET, only=day))

    def _within(self, since: int, until: int, only: date | None = None) -> Iterator[tuple[int, int]]:
        for begins, ends, offset in self._offsets(since, until):
            first, last = (begins + offset) // DAY, (ends - 1 + offset) // DAY
            for local in range(first, last + 1):
                day = date.fromordinal(EPOCH_ORDINAL + local)
                if only is not None and day != only:
                    continue
                for opens, closes in self.hours(day):
                    low = max(local * DAY + _of_day(opens) - offset, begins)
                    high = min(local * DAY + (_of_day(closes) or DAY) - offset, ends)
                    if low < high:
                        yield low, high

    def _offsets(self, since: int, until: int) -> Iterator[tuple[int, int, int]]:
        """Yield the pieces of a stretch of time in which the zone's offset stays the same."""
        begins, offset = since, self._offset(since)
        at = since
        while at < until:
            ahead = min(at + PROBE, until)
            new = self._offset(ahead)
            if new != offset:
                change = self._change(at, ahead)
                yield begins, change, offset
                begins, offset = change, new
            at = ahead
        if begins < until:
            yield begins, until, offset

    def _change(self, low: int, high: int) -> int:
        """Return the first second after `low`, up to `high`, with another offset than at `low`."""
        before = self._offset(low)
        while high - low > SECOND:
            middle = (low + high) // (2 * SECOND) * SECOND
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return high

    def _offset(self, at: int) -> int:
        offset = _instant(at).astimezone(self.zone).utcoffset() or timedelta()
        return offset // timedelta(microseconds=1)


def _check(hours: Hours) -> Hours:
    """Return `hours` in order.

    Raises:
        ValueError: some of them end before they begin, or overlap.
    """
    ordered = tuple(sorted(hours))
    closed_at = -1
    for opens, closes in ordered:
        if _of_day(opens) >= (_of_day(closes) or DAY):
            raise ValueError(f"hours end before they begin: {opens:%H:%M}-{closes:%H:%M}")
        if _of_day(opens) < closed_at:
            raise ValueError(f"hours overlap at {opens:%H:%M}")
        closed_at = _of_day(closes) or DAY
    return ordered


def _of_day(clock: time) -> int:
    return (clock.hour * 3600 + clock.minute * 60 + clock.second) * SECOND + clock.microsecond


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("expected an aware instant")
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _count(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("expected an aware instant")
    return (at - EPOCH) // timedelta(microseconds=1)


def _instant(count: int) -> datetime:
    return EPOCH + timedelta(microseconds=count)


ALWAYS = Calendar.always()
