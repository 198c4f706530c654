"""What time it is: the wall clock is believed as long as the counter and what is remembered agree with it."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.clock import Clock
from maild.rules import clock
from maild.rules.clock import Belief
from tests.clock import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


class Machine:
    """A wall clock that can be set, and a counter that cannot."""

    def __init__(self) -> None:
        self.wall = NOON
        self.counted_s = 1000.0
        self.clock = Clock(lambda: self.wall, lambda: self.counted_s)

    def passes(self, span: timedelta, *, look: timedelta = MINUTE) -> None:
        """Let time pass, while the daemon looks every so often."""
        left = span
        while left > timedelta(0):
            step = min(look, left)
            self.wall += step
            self.counted_s += step.total_seconds()
            left -= step
            self.clock()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_clock_that_is_set_by_seconds_is_followed(machine: Machine) -> None:
    machine.wall += timedelta(seconds=40)

    assert machine.clock() == NOON + timedelta(seconds=40)
    assert machine.clock.doubt is None


@pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY, -DAY])
def test_a_jump_of_an_hour_or_a_day_is_believed_when_it_has_lasted(machine: Machine, jump: timedelta) -> None:
    machine.wall += jump

    assert machine.clock() == NOON
    machine.passes(29 * MINUTE)
    assert machine.clock() == NOON + 29 * MINUTE
    machine.passes(2 * MINUTE)
    assert machine.clock() == NOON + 31 * MINUTE + jump
    assert machine.clock.doubt is None


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 3 * DAY, -3 * DAY])
def test_a_jump_of_days_is_never_believed_until_the_operator_says_so(machine: Machine, jump: timedelta) -> None:
    machine.wall += jump
    machine.passes(3 * DAY, look=HOUR)

    assert machine.clock() == NOON + 3 * DAY
    assert machine.clock.doubt.off == jump

    machine.clock.believe()
    assert machine.clock() == NOON + 3 * DAY + jump


def test_a_clock_that_comes_back_is_believed_at_once(machine: Machine) -> None:
    machine.wall += YEAR
    machine.passes(HOUR)
    machine.wall -= YEAR

    assert machine.clock() == NOON + HOUR
    assert machine.clock.doubt is None


def test_a_clock_that_jumps_to_and_fro_is_not_believed(machine: Machine) -> None:
    for _ in range(10):
        machine.wall += DAY
        machine.passes(20 * MINUTE)
        machine.wall += DAY
        machine.passes(20 * MINUTE)
        machine.wall -= DAY * 2 - HOUR
        machine.passes(20 * MINUTE)
        machine.wall -= HOUR

    assert machine.clock() == NOON + 10 * HOUR


def test_a_desk_that_was_down_for_a_week_believes_its_clock(machine: Machine) -> None:
    machine.clock.begin(NOON - 7 * DAY)

    assert machine.clock() == NOON
    assert machine.clock.doubt is None


@pytest.mark.parametrize("remembered", [NOON - YEAR, NOON + YEAR, NOON + HOUR])
def test_at_a_start_what_is_implausible_is_not_believed(machine: Machine, remembered: datetime) -> None:
    machine.clock.begin(remembered)

    assert machine.clock() == remembered
    assert machine.clock.doubt.off == NOON - remembered


def test_a_machine_that_starts_with_a_wrong_clock_is_believed_when_the_network_has_set_it(machine: Machine) -> None:
    machine.clock.begin(NOON + YEAR)
    machine.passes(2 * MINUTE)
    machine.wall += YEAR + 5 * DAY  # it was off for five days

    assert machine.clock() == NOON + YEAR + 5 * DAY + 2 * MINUTE
    assert machine.clock.doubt is None


def test_a_counter_that_runs_backward_makes_no_time(machine: Machine) -> None:
    machine.counted_s -= 5000

    assert machine.clock() == NOON


@given(
    st.lists(st.tuples(st.timedeltas(-YEAR * 2, YEAR * 2), st.timedeltas(timedelta(0), 10 * DAY)), max_size=30),
    st.none() | st.timedeltas(-2 * YEAR, 2 * YEAR).map(lambda span: NOON + span),
)
def test_whatever_the_wall_does_time_goes_on_and_moves_by_little_only(
    jumps: list[tuple[timedelta, timedelta]], remembered: datetime | None
) -> None:
    wall, counted_s = NOON, 0.0
    belief = clock.begin(wall, counted_s, remembered)
    for jump, passed in jumps:
        wall += jump + passed
        counted_s += passed.total_seconds()
        after = clock.look(belief, wall, counted_s)
        moved = after.at - (belief.at + passed)
        started = belief.doubt is not None and belief.doubt.at_start
        assert abs(moved) <= clock.MODERATE + clock.TOLERANCE or (started and moved <= clock.LONGEST_DOWN)
        assert after.doubt is None or after.at == belief.at + passed  # in doubt the counter alone counts
        assert (after.doubt is None) is (after.at == wall) or abs(after.at - wall) <= clock.TOLERANCE
        belief = after


def test_each_look_says_how_far_the_wall_is_off() -> None:
    belief = clock.look(Belief(NOON, 0.0), NOON + YEAR, 60.0)

    assert belief.at == NOON + MINUTE
    assert belief.doubt.off == YEAR - MINUTE
