"""How fast time alone may act."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.rules import pace
from maild.rules.pace import Bucket, Lane
from maild.rules.state import Status
from tests.clock import NOON

AGENTS = Bucket("support", Lane.AGENTS)
CUSTOMERS = Bucket("support", Lane.CUSTOMERS)
QUIET = Bucket("support", Lane.QUIET)
MOST = {"support": 30, "sales": 60}


def plan(due: dict[Bucket, int], told: dict[Bucket, int] | None = None, *, held: bool = False, braked: bool = False):
    return pace.plan(due, told or {}, MOST, held=held, braked=braked)


def test_a_few_go_at_once() -> None:
    assert plan({AGENTS: 3, CUSTOMERS: 5}) == {AGENTS: 3, CUSTOMERS: 5}


def test_many_go_a_sixth_of_a_minutes_share_at_a_time() -> None:
    assert plan({CUSTOMERS: 1000}) == {CUSTOMERS: 5}


def test_what_was_done_within_the_minute_counts() -> None:
    assert plan({CUSTOMERS: 1000}, {CUSTOMERS: 28}) == {CUSTOMERS: 2}
    assert plan({CUSTOMERS: 1000}, {CUSTOMERS: 30}) == {}


def test_lanes_and_departments_do_not_wait_for_each_other() -> None:
    sales = Bucket("sales", Lane.CUSTOMERS)

    assert plan({CUSTOMERS: 1000, AGENTS: 2, sales: 1000}, {CUSTOMERS: 30}) == {AGENTS: 2, sales: 10}


def test_what_is_held_concerns_customers_and_never_the_agents() -> None:
    assert plan({AGENTS: 4, CUSTOMERS: 4, QUIET: 4}, held=True) == {AGENTS: 4}


def test_the_brake_lets_six_a_minute_through_and_leaves_the_agents_alone() -> None:
    assert plan({AGENTS: 4, CUSTOMERS: 400, QUIET: 400}, braked=True) == {AGENTS: 4, CUSTOMERS: 1, QUIET: 1}
    assert plan({CUSTOMERS: 400}, {CUSTOMERS: 6}, braked=True) == {}


@pytest.mark.parametrize(
    ("due", "gap", "mass"),
    [
        ({CUSTOMERS: 101}, timedelta(days=7), True),
        ({CUSTOMERS: 51, QUIET: 50}, timedelta(minutes=15), True),
        ({CUSTOMERS: 100}, timedelta(days=7), False),
        ({CUSTOMERS: 5000}, timedelta(minutes=14), False),  # nine o'clock on a Monday
        ({AGENTS: 5000}, timedelta(days=7), False),
    ],
)
def test_much_after_a_gap_is_unusual(due: dict[Bucket, int], gap: timedelta, mass: bool) -> None:
    assert pace.is_mass(due, gap) is mass


def test_the_brake_holds_for_an_hour() -> None:
    assert not pace.is_braked(None, NOON)
    assert pace.is_braked(NOON, NOON + timedelta(minutes=59))
    assert not pace.is_braked(NOON, NOON + timedelta(hours=1))


def test_every_status_has_a_lane() -> None:
    assert set(pace.LANES) == set(Status)
    assert {status for lane in Lane for status in Bucket("x", lane).statuses} == set(Status)


@given(
    st.dictionaries(st.sampled_from([AGENTS, CUSTOMERS, QUIET]), st.integers(1, 10_000), min_size=1),
    st.dictionaries(st.sampled_from([AGENTS, CUSTOMERS, QUIET]), st.integers(0, 400)),
    st.integers(1, 100),
    st.booleans(),
)
def test_no_minute_has_more_than_its_share_and_each_has_some(
    due: dict[Bucket, int], told: dict[Bucket, int], most: int, braked: bool
) -> None:
    allowed = pace.plan(due, told, {"support": most}, held=False, braked=braked)

    for bucket in due:
        rate = most if bucket.lane is Lane.CUSTOMERS else pace.QUIET
        assert told.get(bucket, 0) + allowed.get(bucket, 0) <= max(rate, told.get(bucket, 0))
        assert bucket in allowed or told.get(bucket, 0) >= min(rate, pace.CRAWL if braked else rate)
