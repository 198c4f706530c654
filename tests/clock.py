"""A clock that tests set: time is a parameter."""

from datetime import UTC, datetime, timedelta
from typing import Final

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


class FakeClock:
    """Gives the instant that it was set to, aware and UTC, when called."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta | None = None, **spans: float) -> datetime:
        """Move on by `by` or by the keywords of `timedelta`, and return the new instant; negative steps it back."""
        self.now += timedelta(**spans) if by is None else by
        return self.now

    def set(self, now: datetime) -> None:
        """Show `now` from here on."""
        self.now = now
