"""Calendars against a count, minute by minute, of what the wall clock shows."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from maild.rules.working_time import ALL_WEEK, Calendar, Hours, Span
from tests.unit.counting import MINUTE, is_open, minutes

# A zone and a minute of UTC near which its clocks change, skip a day, or never change at all.
MOMENTS = [
    ("Europe/Berlin", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-10-25 01:00"),
    ("America/New_York", "2027-11-07 06:00"),
    ("Australia/Lord_Howe", "2026-04-04 15:00"),
    ("Australia/Lord_Howe", "2026-10-03 15:30"),
    ("Pacific/Apia", "2011-12-30 10:00"),
    ("Pacific/Kwajalein", "1993-08-21 12:00"),
    ("America/St_Johns", "2010-11-07 02:31"),  # back at 0:01 to 23:01 of the day before
    ("America/St_Johns", "2010-03-14 03:31"),
    ("Africa/Cairo", "2026-04-23 22:00"),  # forward at midnight: the day begins at 1:00
    ("Asia/Beirut", "2026-10-24 21:00"),  # back at midnight
    ("Africa/Casablanca", "2026-02-15 02:00"),
    ("Antarctica/Troll", "2026-03-29 01:00"),  # by two hours
    ("Asia/Pyongyang", "2018-05-04 15:00"),  # changed its rules by half an hour
    ("Asia/Kathmandu", "1985-12-31 18:30"),
    ("UTC", "2026-02-28 12:00"),
]


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    """Return up to three stretches of a day, which may touch."""
    marks = sorted(draw(st.lists(st.integers(0, 24 * 60), max_size=6)))
    pairs = [(a, b) for a, b in zip(marks[::2], marks[1::2], strict=False) if a < b]
    return tuple((time(a // 60, a % 60), time(b // 60 % 24, b % 60)) for a, b in pairs)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """Return a calendar and an instant within four days of a change of its clocks."""
    key, text = draw(st.sampled_from(MOMENTS))
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    week = draw(st.dictionaries(st.integers(0, 6), hours(), min_size=1).filter(lambda week: any(week.values())))
    days = st.integers(-4, 4).map(lambda step: moment.date() + timedelta(days=step))
    calendar = Calendar(
        ZoneInfo(key),
        week,
        closed=frozenset(draw(st.lists(days, max_size=2))),
        special=draw(st.dictionaries(days, hours(), max_size=2)),
    )
    start = moment + draw(st.integers(-4 * 24 * 60, 2 * 24 * 60)) * MINUTE
    return calendar, start


@settings(max_examples=100, deadline=None)
@given(case=cases(), length=st.integers(0, 3 * 24 * 60))
def test_open_time_is_the_number_of_minutes_at_which_the_wall_clock_says_open(
    case: tuple[Calendar, datetime], length: int
) -> None:
    calendar, start = case
    counted = sum(is_open(calendar, at) for at in minutes(start, length))

    assert calendar.between(start, start + length * MINUTE) == counted * MINUTE


@settings(max_examples=100, deadline=None)
@given(case=cases())
def test_the_next_opening_is_the_first_minute_at_which_the_wall_clock_says_open(
    case: tuple[Calendar, datetime],
) -> None:
    calendar, start = case
    counted = next((at for at in minutes(start, 3 * 24 * 60) if is_open(calendar, at)), None)

    opens = calendar.next_open(start)
    assert opens == counted or (counted is None and opens >= start + timedelta(days=3))


@settings(max_examples=100, deadline=None)
@given(case=cases(), seconds=st.integers(0, 10 * 24 * 3600))
def test_the_end_of_a_span_is_the_first_instant_when_it_has_passed(
    case: tuple[Calendar, datetime], seconds: int
) -> None:
    calendar, start = case
    end = calendar.add(start, Span(seconds))

    assert calendar.between(start, end) == timedelta(seconds=seconds)
    if seconds:
        assert calendar.between(start, end - timedelta(microseconds=1)) < timedelta(seconds=seconds)


@settings(max_examples=100, deadline=None)
@given(case=cases(), first=st.integers(0, 5 * 24 * 3600), then=st.integers(0, 5 * 24 * 3600))
def test_two_spans_one_after_the_other_are_their_sum(case: tuple[Calendar, datetime], first: int, then: int) -> None:
    calendar, start = case

    assert calendar.add(calendar.add(start, Span(first)), Span(then)) == calendar.add(start, Span(first + then))


@settings(max_examples=50, deadline=None)
@given(case=cases(), later=st.integers(0, 3 * 24 * 60), days=st.integers(1, 4))
def test_business_days_end_on_an_open_day_and_never_earlier_for_a_later_start(
    case: tuple[Calendar, datetime], later: int, days: int
) -> None:
    calendar, start = case
    end = calendar.add(start, Span(business_days=days))
    first, last = (at.astimezone(calendar.zone).date() for at in (calendar.next_open(start), end))
    working = sum(_worked(calendar, first + timedelta(days=day)) for day in range(1, (last - first).days + 1))

    assert end > start
    assert calendar.hours(last) or calendar.hours(last - timedelta(days=1))  # or it closes at midnight
    assert working in {days, days + 1}  # one more where the last closes at midnight, when its date is over
    assert calendar.add(start + later * MINUTE, Span(business_days=days)) >= end


@settings(max_examples=200, deadline=None)
@given(
    moment=st.sampled_from(MOMENTS),
    begins=st.timedeltas(timedelta(days=-4), timedelta(days=4)),
    worked=st.timedeltas(timedelta(seconds=-1), timedelta(days=40)),
)
def test_a_calendar_around_the_clock_counts_what_one_of_two_halves_counts(
    moment: tuple[str, str], begins: timedelta, worked: timedelta
) -> None:
    zone = ZoneInfo(moment[0])
    always = Calendar(zone, ALL_WEEK)
    halves = Calendar(zone, dict.fromkeys(range(7), ((time(0), time(12)), (time(12), time(0)))))
    start = (datetime.fromisoformat(moment[1]).replace(tzinfo=UTC) + begins).astimezone(zone)
    end = halves.later(start, worked)

    assert always.later(start, worked) == end
    assert always.between(start, end) == halves.between(start, end) == max(worked, timedelta())
    assert always.next_open(start) == halves.next_open(start)
    assert always.is_open(start)


def _worked(calendar: Calendar, day: date) -> bool:
    """Return whether any minute of a day is open."""
    noon = datetime.combine(day, time(12), UTC)
    return any(
        at.astimezone(calendar.zone).date() == day and is_open(calendar, at)
        for at in minutes(noon - timedelta(hours=30), 60 * 60)
    )
