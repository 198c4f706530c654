"""A digest comes once in the morning, or not at all."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.rules.mornings import day, is_time

BERLIN = ZoneInfo("Europe/Berlin")
EIGHT = time(8)


@pytest.mark.parametrize(
    ("hour", "minute", "due"), [(6, 59, False), (7, 0, True), (9, 30, True), (10, 59, True), (11, 0, False)]
)
def test_it_is_sent_from_the_hour_on_until_noon_of_the_agents_day(hour: int, minute: int, due: bool) -> None:
    assert is_time(datetime(2026, 3, 2, hour, minute, tzinfo=UTC), BERLIN, EIGHT, None) is due


def test_there_is_one_a_day() -> None:
    now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    assert not is_time(now, BERLIN, EIGHT, now - timedelta(minutes=50))
    assert is_time(now, BERLIN, EIGHT, now - timedelta(days=1))


@given(st.integers(0, 360 * 24 * 60), st.integers(1, 90))
def test_whoever_looks_now_and_then_sends_at_most_one_on_each_day(minute: int, every_minutes: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    last: datetime | None = None
    sent: list[datetime] = []
    now = start
    while now < start + timedelta(days=4):
        if is_time(now, BERLIN, EIGHT, last):
            last = now
            sent.append(now)
        now += timedelta(minutes=every_minutes)

    days = [each.astimezone(BERLIN).date() for each in sent]
    assert len(days) == len(set(days))
    assert 3 <= len(days) <= 5


def test_a_day_is_that_of_the_zone() -> None:
    began, ends = day(datetime(2026, 3, 29, 12, tzinfo=UTC), BERLIN)

    assert (began.hour, ends - began) == (23, timedelta(hours=23))
