"""Spans, hours, days, zones, countries with their holidays."""

import difflib
import re
from collections.abc import Mapping
from datetime import date, time
from functools import lru_cache
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainValidator

from maild.config.kinds import from_text
from maild.rules.working_time import ALL_WEEK, Hours, Span

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NO_ZONE = (KeyError, ValueError, OSError)  # unknown, not a name at all, a folder of names
_TIME_OF_DAY = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)
_HOURS = re.compile(r"(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?", re.ASCII)
_COUNTRY = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?", re.ASCII)


@lru_cache(maxsize=64)
def holidays_of(country: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country ("EE") or a part of one ("DE-BY") in a year.

    Raises:
        NotImplementedError: the library does not know it.
    """
    import holidays  # noqa: PLC0415 - takes 0.15 s, and few commands need it

    code, _, part = country.partition("-")
    return frozenset(holidays.country_holidays(code, subdiv=part or None, years=year))


def is_zone(value: object) -> bool:
    """Return whether `value` is or names a time zone."""
    try:
        return isinstance(value, ZoneInfo) or (isinstance(value, str) and bool(ZoneInfo(value.strip()).key))
    except _NO_ZONE:
        return False


def hours_by_day(texts: object) -> tuple[Hours, Hours]:
    """Return the hours that a list such as `["9:00-12:00", "22:00-6:00"]` says: of the day, and of the next morning.

    Raises:
        ValueError: it says something else.
    """
    expected = 'expected a list of hours such as ["9:00-12:00", "13:00-17:30"]'
    if not isinstance(texts, list | tuple):
        raise ValueError(expected)  # noqa: TRY004 - pydantic collects ValueError
    today, morning = [], []
    for text in texts:
        found = _HOURS.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise ValueError(expected)
        opens, closes = _clock(found[1], found[2]), _clock(found[3], found[4])
        if opens < closes or closes == time(0):
            today.append((opens, closes))
        elif opens == closes:
            raise ValueError(f"{text} is no time at all; write '0:00-24:00' for a whole day")
        else:
            today.append((opens, time(0)))
            morning.append((time(0), closes))
    return tuple(today), tuple(morning)


def _delay(text: str) -> Span:
    span = Span.parse(text)
    if span.business or span.seconds > 3600:
        raise ValueError("expected a span of time up to an hour, such as '30s' or '2m'")
    return span


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except _NO_ZONE:
        zones = {zone.lower(): zone for zone in available_timezones()}
        close = difflib.get_close_matches(text.lower(), zones, n=1)
        hint = f"; did you mean {zones[close[0]]!r}?" if close else ""
        raise ValueError(f"expected a time zone such as 'Europe/Tallinn'{hint}") from None


def _country(text: str) -> str:
    expected = "expected a country such as 'EE', or a part of one such as 'DE-BY' (ISO 3166)"
    if _COUNTRY.fullmatch(text) is None:
        raise ValueError(expected)
    try:
        holidays_of(text, 2026)
    except NotImplementedError:
        raise ValueError(f"{expected}, whose public holidays are known") from None
    return text


def _clock(hour: str, minute: str | None) -> time:
    number = int(hour) * 60 + int(minute or 0)
    if number > 24 * 60 or int(minute or 0) > 59:
        raise ValueError(f"{hour}:{minute or '00'} is no time of the day")
    return time(number // 60 % 24, number % 60)


def _weekdays(text: str) -> list[int]:
    """Return the days that "mon", "mon-fri", "sat-sun" or "mon,wed,fri" mean, Monday being 0."""
    days: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise ValueError(f"expected days such as 'mon', 'mon-fri' or 'mon,wed', not {text!r}")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
        days += [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
    return days


def _week(value: object) -> Mapping[int, Hours]:
    """Return the hours by weekday that `{ mon-fri = ["9:00-17:00"] }` or `"always"` mean."""
    if value == "always":
        return ALL_WEEK
    if not isinstance(value, dict):
        raise ValueError("expected 'always' or hours by day such as { mon-fri = [\"9:00-17:00\"] }")  # noqa: TRY004 - pydantic collects ValueError
    week: dict[int, Hours] = {}
    for days, texts in value.items():
        if isinstance(days, int):  # a week as Python has it
            week[days] = texts
            continue
        today, morning = hours_by_day(texts)
        for weekday in _weekdays(days):
            week[weekday] = (*week.get(weekday, ()), *today)
            if morning:
                week[(weekday + 1) % 7] = (*week.get((weekday + 1) % 7, ()), *morning)
    return week


def _day(value: object) -> date:
    if type(value) is date:  # an instant is one too
        return value
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]  # what is no text fails just so
    except (TypeError, ValueError):
        raise ValueError("expected a date such as 2026-12-24") from None


def _days_away(value: object) -> tuple[tuple[date, date], ...]:
    """Return the first and the last of some days: `2026-05-04`, "2026-12-24..2027-01-06"."""
    if not isinstance(value, list | tuple):
        raise ValueError('expected a list of days such as ["2026-12-24..2027-01-06", 2026-05-04]')  # noqa: TRY004 - pydantic collects ValueError
    return tuple(each if isinstance(each, tuple) else _span_of_days(each) for each in value)


def _span_of_days(value: object) -> tuple[date, date]:
    first, dots, last = value.partition("..") if isinstance(value, str) else (value, "", "")
    begins = _day(first)
    ends = _day(last) if dots else begins
    if ends < begins:
        raise ValueError(f"{value}: the last day is before the first one")
    return begins, ends


def _digest_time(value: object) -> time | None:
    if value == "never" or value is None or isinstance(value, time):
        return value if isinstance(value, time) else None
    found = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) > 11:
        raise ValueError("expected a time of the morning such as '8:00', or 'never'")
    return time(int(found[1]), int(found[2]))


def _start(value: object) -> object:
    if value in ("now", "all"):
        return value
    try:
        return _day(value)
    except ValueError:
        raise ValueError("expected 'now', 'all', or a date such as \"2026-01-01\"") from None


SpanText = Annotated[Span, from_text(Span.parse, "a span of time such as '4h' or '2bd'")]
Delay = Annotated[Span, from_text(_delay, "a span of time up to an hour such as '2m'")]
Zone = Annotated[ZoneInfo, from_text(_zone, "a time zone such as 'Europe/Tallinn'")]
Country = Annotated[str, from_text(_country, "a country such as 'EE'")]
Week = Annotated[Mapping[int, Hours], PlainValidator(_week)]
Day = Annotated[date, PlainValidator(_day)]
DaysAway = Annotated[tuple[tuple[date, date], ...], PlainValidator(_days_away)]
DigestTime = Annotated[time | None, PlainValidator(_digest_time)]
Start = Annotated[Literal["now", "all"] | date, PlainValidator(_start)]
HoursOfDay = Annotated[Hours, PlainValidator(lambda value: hours_by_day(value)[0])]
