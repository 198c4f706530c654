"""Points in time as people write them.

    3h  45m  2d  1w  1d 4h  in 3 hours      from now; days and weeks keep the time of day
    2bd  2 business days                    by the department's calendar
    tomorrow  friday  next monday           at 9:00
    tomorrow 17:30  fri at 2pm  today 18    at that time
    tonight  friday afternoon               at 18:00, at 14:00; in the morning is at 9:00
    17:30                                   the next time it is that late
    24.12.  Dec 24  24 December 14:00       the next one, unless a year is written
    next month  end of month  2 months      the first, the last day; the same day two months later
    2026-03-02  2026-03-02 14:00            in the agent's zone, unless another is written behind it

In English or German (`spoken`); case, commas and `at`, `on`, `until` mean nothing. A time that the clocks skip in
spring is read as one hour later, one that they repeat in autumn as the first of the two (PEP 495).
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Final

from maild.message.commands.spoken import DAYS, MONTHS, plain

DAY_STARTS = time(9)
FURTHEST = timedelta(days=731)  # two years: what is further off is a typing error

BusinessDays = Callable[[datetime, int], datetime]

_WEEKDAYS: Final = {day: number for number, day in enumerate(DAYS)}
_AHEAD: Final = {"today": 0, "tomorrow": 1, "overmorrow": 2}
_PARTS: Final = {"morning": 9, "noon": 12, "afternoon": 14, "evening": 18}
_MONTH: Final = "|".join(MONTHS)
_SPAN = re.compile(
    r"(?:in )?(?:(\d{1,4}) ?w(?:eeks?)?)?[ ,]*(?:(\d{1,4}) ?d(?:ays?)?)?[ ,]*(?:(\d{1,4}) ?h(?:ours?|rs?)?)?[ ,]*"
    r"(?:(\d{1,4}) ?m(?:in(?:utes?|s)?)?)?",
    re.ASCII,
)
_BUSINESS = re.compile(r"(?:in )?(\d{1,3}) ?(?:bd|b|workdays)", re.ASCII)
_TIME = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))? ?(am|pm|a\.m\.|p\.m\.|h|o'clock)?", re.ASCII)
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:(?:t| at | )(\d{1,2}:\d{2})(?::\d{2}(?:\.\d{1,6})?)? ?(z|utc|[+-]\d{2}:?\d{2})?)?", re.ASCII
)
_DOTTED = re.compile(
    r"(\d{1,2})\. ?(\d{1,2})(?:\.? ?(\d{4})|\.(\d{2}))?\.?(?:,? (?:at )?(\d{1,2}(?!\d).*|[a-z].*))?", re.ASCII
)
_NAMED = re.compile(
    rf"(?:(\d{{1,2}})(?:st|nd|rd|th|\.)? ?(?:of )?({_MONTH})|({_MONTH}) (?:the )?(\d{{1,2}})(?:st|nd|rd|th|\.)?)"
    r"(?:,? (\d{4}))?(?:,? (?:at )?(\d{1,2}(?!\d).*|[a-z].*))?",
    re.ASCII,
)
_MONTHS = re.compile(r"(?:in )?(\d{1,2}) months", re.ASCII)
_NAMED_DAY = re.compile(
    rf"({'|'.join(DAYS)}),? (?:the |den |dem )?(?=\d{{1,2}}[. ]|\d{{4}}-|{_MONTH})(?!\d{{1,2}} o')(.+)", re.ASCII
)
_FILLERS = re.compile(r"\b(?:at|on|until|till|to|the|this|in|from)\b|,")


class Unclear(Enum):
    """Why a text names no point in time that may be meant."""

    NO_TIME = "no time that I understand"
    PAST = "over already"
    FAR = "more than two years away"


class UnclearTimeError(ValueError):
    """The text names no point in time that may be meant; `why` says so."""

    def __init__(self, why: Unclear, text: str) -> None:
        super().__init__(f'"{text.strip()[:40]}" is {why.value}')
        self.why = why


def instant(text: str, now: datetime, zone: tzinfo, business_days: BusinessDays) -> datetime:
    """Return the instant, in UTC and after `now`, that `text` names for somebody in `zone`.

    `business_days(start, days)` returns the instant that is so many business days after `start`.

    Raises:
        UnclearTimeError: it names none, or one that is over or absurdly far off.
    """
    words = plain(" ".join(text.lower().split())[:80])
    try:
        found = _read(words, now.astimezone(zone), business_days)
        found = found and found.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day or hour; beyond the year 9999
        found = None
    if found is None:
        raise UnclearTimeError(Unclear.NO_TIME, text)
    if found <= now:
        raise UnclearTimeError(Unclear.PAST, text)
    if found - now > FURTHEST:
        raise UnclearTimeError(Unclear.FAR, text)
    return found


def _read(words: str, local: datetime, business_days: BusinessDays) -> datetime | None:
    """Return the instant that `words` name, seen from the local time `local`; None if they name none.

    Raises:
        ValueError, OverflowError: they name a day or an hour that there is not.
    """
    words = words.removeprefix("until ").removeprefix("on ")
    if found := _NAMED_DAY.fullmatch(words):
        when = _date(found[2], local)
        return when if when and when.weekday() == _WEEKDAYS[found[1]] else None  # who errs is asked
    if when := _date(words, local):
        return when
    if found := _BUSINESS.fullmatch(words):
        return business_days(local.astimezone(UTC), int(found[1])) if int(found[1]) else None
    if words == "next workdays":
        return business_days(local.astimezone(UTC), 1)
    if found := _MONTHS.fullmatch(words):
        return _months_later(local, int(found[1]))
    if (found := _SPAN.fullmatch(words)) and any(found.groups()):
        return _after(local, *(int(number or 0) for number in found.groups()))
    return _day(_FILLERS.sub(" ", words).split(), local)


def _date(words: str, local: datetime) -> datetime | None:
    """Return the instant of a day that is named by its number; None if it is none."""
    if found := _ISO.fullmatch(words):
        return _iso(found, local)
    if (found := _DOTTED.fullmatch(words)) and (found[3] or words.count(".") > 1):
        year = found[3] or (found[4] and f"20{found[4]}")
        return _in_year(local, year, int(found[2]), int(found[1]), found[5] or "")
    if found := _NAMED.fullmatch(words):
        month, day = (found[2], found[1]) if found[1] else (found[3], found[4])
        return _in_year(local, found[5], MONTHS.index(month) + 1, int(day), found[6] or "")
    return None


def _months_later(local: datetime, months: int) -> datetime:
    """Return the same day so many months later, the last one of a month that has no such day."""
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))


def _after(local: datetime, weeks: int, days: int, hours: int, minutes: int) -> datetime:
    """Return the instant so much later: days by the calendar, so that 9:00 stays 9:00, hours by the clock."""
    day = local + timedelta(days=7 * weeks + days)  # arithmetic within a zone is that of its wall clock
    return day.astimezone(UTC) + timedelta(hours=hours, minutes=minutes)


def _iso(found: re.Match[str], local: datetime) -> datetime:
    at = _time(found[2]) if found[2] else DAY_STARTS
    when = datetime.combine(date.fromisoformat(found[1]), at, local.tzinfo)
    if not found[3]:
        return when
    offset = "+00:00" if found[3] in {"z", "utc"} else found[3]
    return when.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)


def _in_year(local: datetime, year: str | None, month: int, day: int, at: str) -> datetime:
    """Return a day as it is named in letters and calendars; without its year the next one of that name."""
    when = datetime.combine(date(int(year or local.year), month, day), _time(at), local.tzinfo)
    return when if year or when > local else when.replace(year=local.year + 1)


def _day(words: list[str], local: datetime) -> datetime | None:
    """Return the instant of a day by name, a time by itself, or both."""
    if not words:
        return None
    if words[1:3] == ["next", "weeks"]:
        words = ["next", "weeks", words[0], *words[3:]]
    following = words[0] == "next"
    if following:
        words = words[1:]
    name, rest = (words[0], words[1:]) if words else ("", [])
    today = local.date()
    if name == "tonight":
        name, rest = "today", ["evening", *rest]
    if name in _AHEAD and not following:
        ahead = _AHEAD[name]
        if ahead == 0 and not rest:
            return None
        return datetime.combine(today + timedelta(days=ahead), _time(" ".join(rest)), local.tzinfo)
    if name == "weeks" and following:
        into = _WEEKDAYS.get(rest[0], 0) if rest else 0
        at = _time(" ".join(rest[1:] if rest and rest[0] in _WEEKDAYS else rest))
        return datetime.combine(today + timedelta(days=7 - local.weekday() + into), at, local.tzinfo)
    if (name == "months" and following) or name == "monthend":
        first = _months_later(datetime.combine(today.replace(day=1), _time(" ".join(rest)), local.tzinfo), 1)
        return first - timedelta(days=1) if name == "monthend" else first
    if name in _WEEKDAYS:
        ahead = (_WEEKDAYS[name] - local.weekday()) % 7
        when = datetime.combine(today + timedelta(days=ahead), _time(" ".join(rest)), local.tzinfo)
        if ahead == 0 and (following or not rest or when <= local):
            when = datetime.combine(today + timedelta(days=7), _time(" ".join(rest)), local.tzinfo)
        return when
    if following or (len(words) == 1 and name.isdigit()):
        return None  # "17" may be a day as well as an hour
    when = datetime.combine(today, _time(" ".join(words)), local.tzinfo)
    return when if when > local else datetime.combine(today + timedelta(days=1), when.timetz())


def _time(words: str) -> time:
    """Return the time of day that `words` name, the start of the day for none.

    Raises:
        ValueError: it is none.
    """
    if not words:
        return DAY_STARTS
    part, _, rest = words.partition(" ")
    if part in _PARTS and not rest:
        return time(_PARTS[part])
    if part in _PARTS:
        at = _time(rest)  # "friday afternoon at 3"
        return at.replace(hour=at.hour + 12) if at.hour < 12 <= _PARTS[part] and rest[-1] != "m" else at
    found = _TIME.fullmatch(words)
    if found is None:
        raise ValueError(words)
    hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "")[:1]
    if half in {"a", "p"}:
        if not 1 <= hour <= 12:
            raise ValueError(words)
        hour = hour % 12 + (12 if half == "p" else 0)
    return time(hour, minute)
