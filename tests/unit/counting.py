"""Working time as a count of minutes by the wall clock: slow, simple, and therefore what calendars are judged by."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from maild.rules.working_time import Calendar

MINUTE = timedelta(minutes=1)


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Return what the wall clock says, without arithmetic."""
    shown = at.astimezone(calendar.zone)
    clock = shown.hour * 60 + shown.minute
    return any(
        opens.hour * 60 + opens.minute <= clock < (closes.hour * 60 + closes.minute or 24 * 60)
        for opens, closes in calendar.hours(shown.date())
    )


def minutes(start: datetime, count: int) -> Iterator[datetime]:
    return (start + minute * MINUTE for minute in range(count))
