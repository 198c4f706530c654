"""Backoff of outgoing mail and of mail that cannot be filed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.rules.retry import SENDING_TRIES, next_filing, next_try

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIDDLE = 0.5  # the jitter that changes nothing
FIVE_DAYS = timedelta(days=5)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (5, 60), (50, 60)])
def test_a_mail_that_could_not_be_sent_waits_longer_each_time(attempts: int, minutes: int) -> None:
    assert next_try(attempts, NOON, NOON, MIDDLE) == NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 54), (0.5, 60), (1.0, 66)])
def test_what_failed_together_is_not_tried_together(jitter: float, seconds: int) -> None:
    assert next_try(1, NOON, NOON, jitter) == NOON + timedelta(seconds=seconds)


def test_the_last_try_is_made_when_five_days_are_over() -> None:
    assert next_try(120, NOON, NOON + FIVE_DAYS - timedelta(minutes=10), MIDDLE) == NOON + FIVE_DAYS


def test_after_five_days_sending_is_given_up() -> None:
    assert next_try(121, NOON, NOON + FIVE_DAYS, MIDDLE) is None


def test_a_clock_that_was_set_back_by_a_year_does_not_retry_for_a_year() -> None:
    now = NOON - timedelta(days=365)

    assert next_try(1, NOON, now, MIDDLE) == now + timedelta(minutes=1)
    assert next_try(SENDING_TRIES, NOON, now, MIDDLE) is None


@given(jitters=st.lists(st.floats(0, 1, exclude_max=True), min_size=300, max_size=300))
def test_a_mail_is_tried_about_hourly_for_five_days_and_not_longer(jitters: list[float]) -> None:
    now, attempts = NOON, 1
    for jitter in jitters:
        after = next_try(attempts, NOON, now, jitter)
        if after is None:
            break
        assert now < after <= now + timedelta(minutes=66)
        now, attempts = after, attempts + 1

    assert now == NOON + FIVE_DAYS
    assert 110 <= attempts <= 140


def test_a_mail_that_cannot_be_filed_is_tried_three_times_and_set_aside() -> None:
    assert next_filing(0, NOON) == NOON
    assert next_filing(1, NOON) == NOON + timedelta(seconds=60)
    assert next_filing(2, NOON) == NOON + timedelta(seconds=600)
    assert next_filing(3, NOON) is None
    assert next_filing(4, NOON) is None
