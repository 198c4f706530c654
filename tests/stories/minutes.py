"""Working time, counted minute by minute: slow, simple, and therefore what calendars are judged by."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


class Minutes:
    """Every minute of a stretch of time, with whether a desk is open in it."""

    def __init__(self, start: datetime, end: datetime, is_open: Callable[[datetime], bool], zone: ZoneInfo) -> None:
        """Ask `is_open` of each minute's local time."""
        self.start = start
        count = (end - start) // MINUTE
        flags = bytearray(count)
        for quarter in range(0, count, 15):  # no zone has ever changed within a quarter of an hour
            local = (start + quarter * MINUTE).astimezone(zone).replace(tzinfo=None)
            for offset in range(min(15, count - quarter)):
                flags[quarter + offset] = is_open(local + offset * MINUTE)
        self._open = flags
        self._before = [0, *accumulate(flags)]  # open minutes before each

    def _index(self, at: datetime) -> int:
        return (at - self.start) // MINUTE

    def between(self, a: datetime, b: datetime) -> timedelta:
        """Return the open time from `a` to `b`, both at whole minutes."""
        return (self._before[self._index(b)] - self._before[self._index(a)]) * MINUTE

    def add(self, a: datetime, minutes: int) -> datetime:
        """Return when so many open minutes have passed since `a`."""
        wanted = self._before[self._index(a)] + minutes
        return self.start + bisect_left(self._before, wanted) * MINUTE

    def next_open(self, at: datetime) -> datetime:
        """Return `at` if the desk is open then, else the next opening."""
        index = self._open.find(1, self._index(at))
        assert index >= 0, "the desk never opens again"
        return self.start + index * MINUTE

    def is_open(self, at: datetime) -> bool:
        """Return whether the desk is open."""
        return bool(self._open[self._index(at)])
