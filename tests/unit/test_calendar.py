"""Spans, and the calendars that count them, by example."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from maild.rules.working_time import ALWAYS, EVERY_HOUR, OFFICE_HOURS, OFFICE_WEEK, Calendar, Hours, Span

BERLIN = ZoneInfo("Europe/Berlin")  # 29 March 2026: 2:00 becomes 3:00; 25 October: 3:00 becomes 2:00
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # changes by half an hour, 5 April and 4 October 2026 at 2:00
APIA = ZoneInfo("Pacific/Apia")  # went from 29 to 31 December 2011
NIGHT: Hours = ((time(22), time(0)),)


def span(text: str) -> Span:
    return Span.parse(text)


def in_berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("text", "seconds", "days"),
    [("30s", 30, 0), ("15m", 900, 0), ("4h", 14400, 0), ("2d", 172800, 0), ("2bd", 0, 2), (" 5 m ", 300, 0)],
)
def test_a_span_is_read(text: str, seconds: int, days: int) -> None:
    assert Span.parse(text) == Span(seconds, days)
    assert Span.parse(text).business is (days > 0)


@pytest.mark.parametrize(
    "text", ["", "5", "h", "5 days", "5H", "-5m", "1.5h", "0s", "0bd", "3651d", "3651bd", "5m5s", "٥m"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a span"):
        Span.parse(text)


@pytest.mark.parametrize(
    ("text", "shortest"),
    [("60s", "1m"), ("90s", "90s"), ("120m", "2h"), ("24h", "1d"), ("36h", "36h"), ("7d", "7d"), ("3bd", "3bd")],
)
def test_a_span_is_written_the_shortest_way(text: str, shortest: str) -> None:
    assert str(span(text)) == shortest
    assert span(shortest) == span(text)


def test_an_afternoon_runs_on_in_the_next_morning() -> None:
    office = Calendar.office(BERLIN)

    assert office.add(in_berlin("2026-03-03 16:00"), span("4h")) == in_berlin("2026-03-04 12:00")
    assert office.add(in_berlin("2026-03-06 16:00"), span("4h")) == in_berlin("2026-03-09 12:00")
    assert office.add(in_berlin("2026-03-07 12:00"), span("1m")) == in_berlin("2026-03-09 09:01")


def test_time_that_ends_with_the_day_ends_at_its_closing() -> None:
    office = Calendar.office(BERLIN)

    assert office.add(in_berlin("2026-03-06 16:00"), span("1h")) == in_berlin("2026-03-06 17:00")


def test_no_time_ends_where_it_began() -> None:
    saturday = in_berlin("2026-03-07 12:00")

    assert Calendar.office(BERLIN).add(saturday, Span()) == saturday


def test_results_are_utc_and_keep_microseconds() -> None:
    start = in_berlin("2026-03-03 16:00:00.000001")
    end = Calendar.office(BERLIN).add(start, span("1m"))

    assert end.tzinfo is UTC
    assert end == start + timedelta(minutes=1)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        ALWAYS.add(datetime(2026, 3, 3), span("1h"))  # noqa: DTZ001 - the point of the test


def test_the_clocks_change_while_the_desk_sleeps() -> None:
    office = Calendar.office(BERLIN)

    assert office.add(in_berlin("2026-03-27 16:00"), span("4h")) == in_berlin("2026-03-30 12:00")
    assert office.between(in_berlin("2026-03-27 16:00"), in_berlin("2026-03-30 12:00")) == timedelta(hours=4)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)])
def test_a_day_around_the_clock_is_as_long_as_it_is(day: str, hours: int) -> None:
    always = Calendar(BERLIN, dict.fromkeys(range(7), EVERY_HOUR))
    midnight = in_berlin(f"{day} 00:00")
    next_midnight = midnight + timedelta(days=1)

    assert always.between(midnight, next_midnight) == timedelta(hours=hours)
    assert always.add(midnight, Span(hours * 3600)) == next_midnight


def test_hours_that_the_clock_skips_are_not_worked() -> None:
    early = Calendar(BERLIN, {6: ((time(1, 30), time(2, 30)),)})

    assert early.between(in_berlin("2026-03-29 00:00"), in_berlin("2026-03-29 12:00")) == timedelta(minutes=30)
    assert early.next_open(in_berlin("2026-03-29 03:00")) == in_berlin("2026-04-05 01:30")


def test_hours_that_the_clock_shows_twice_are_worked_twice() -> None:
    early = Calendar(BERLIN, {6: ((time(2, 15), time(2, 30)),)})

    assert early.between(in_berlin("2026-10-25 00:00"), in_berlin("2026-10-25 12:00")) == timedelta(minutes=30)
    assert early.add(in_berlin("2026-10-25 00:00"), span("20m")) == datetime(2026, 10, 25, 1, 20, tzinfo=UTC)
    assert early.is_open(in_berlin("2026-10-25 02:20"))
    assert early.is_open(in_berlin("2026-10-25 02:20", fold=1))
    assert not early.is_open(in_berlin("2026-10-25 02:40", fold=1))


def test_a_zone_may_change_by_half_an_hour() -> None:
    always = Calendar(LORD_HOWE, dict.fromkeys(range(7), EVERY_HOUR))

    for day, minutes in ((date(2026, 4, 5), 24 * 60 + 30), (date(2026, 10, 4), 24 * 60 - 30)):
        midnight = datetime.combine(day, time(0), LORD_HOWE)
        next_midnight = datetime.combine(day + timedelta(days=1), time(0), LORD_HOWE)
        assert always.between(midnight, next_midnight) == timedelta(minutes=minutes)


def test_a_date_that_a_zone_left_out_is_no_working_day() -> None:
    office = Calendar.office(APIA)
    thursday = datetime(2011, 12, 29, 16, tzinfo=APIA)

    assert office.add(thursday, span("2h")) == datetime(2012, 1, 2, 10, tzinfo=APIA)
    assert office.add(thursday, span("1bd")) == datetime(2012, 1, 2, 16, tzinfo=APIA)


def test_a_zone_may_repeat_the_end_of_a_day() -> None:
    zone = ZoneInfo("America/St_Johns")  # until 2011 the clocks went back at 0:01, so a quarter of an hour came first
    always = Calendar(zone, dict.fromkeys(range(7), EVERY_HOUR))
    start = datetime(2010, 11, 6, 12, tzinfo=zone)

    assert always.add(start, span("1d")) == start.astimezone(UTC) + timedelta(days=1)


def test_holidays_are_asked_for_once_a_year() -> None:
    asked: list[int] = []

    def holidays(year: int) -> frozenset[date]:
        asked.append(year)
        return frozenset({date(year, 1, 1), date(year, 12, 25)})

    office = Calendar(BERLIN, OFFICE_WEEK, holidays=holidays)

    assert office.add(in_berlin("2026-12-24 16:00"), span("2h")) == in_berlin("2026-12-28 10:00")
    assert office.add(in_berlin("2026-12-31 16:00"), span("2h")) == in_berlin("2027-01-04 10:00")
    assert office.add(in_berlin("2026-12-23 16:00"), span("2bd")) == in_berlin("2026-12-28 16:00")
    assert asked == [2026, 2027]


def test_closed_days_are_closed_and_special_days_have_hours_of_their_own() -> None:
    office = Calendar(
        BERLIN,
        OFFICE_WEEK,
        holidays=lambda _: frozenset({date(2026, 3, 4)}),
        closed=frozenset({date(2026, 3, 3)}),
        special={
            date(2026, 3, 4): ((time(10), time(11)),),
            date(2026, 3, 7): ((time(9), time(10)),),
            date(2026, 3, 6): (),
        },
    )

    assert office.add(in_berlin("2026-03-02 16:00"), span("2h")) == in_berlin("2026-03-04 11:00")
    assert office.add(in_berlin("2026-03-05 16:00"), span("2h")) == in_berlin("2026-03-07 10:00")


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-03-02 10:00", "2bd", "2026-03-04 10:00"),
        ("2026-03-05 10:00", "2bd", "2026-03-09 10:00"),  # over a weekend
        ("2026-03-06 17:00", "1bd", "2026-03-10 09:00"),  # closed already: counts from Monday
        ("2026-03-07 12:00", "1bd", "2026-03-10 09:00"),
        ("2026-03-02 06:00", "1bd", "2026-03-03 09:00"),
        ("2026-03-27 10:00", "1bd", "2026-03-30 10:00"),  # over a change of the clocks
    ],
)
def test_business_days_end_at_the_same_time_of_the_day(start: str, days: str, end: str) -> None:
    assert Calendar.office(BERLIN).add(in_berlin(start), span(days)) == in_berlin(end)


def test_a_business_day_that_is_shut_at_that_time_ends_when_it_opens_again_or_closes() -> None:
    calendar = Calendar(
        BERLIN, {0: OFFICE_HOURS, 1: ((time(9), time(12)), (time(13), time(15))), 2: ((time(11), time(17)),)}
    )

    assert calendar.add(in_berlin("2026-03-02 12:00"), span("1bd")) == in_berlin("2026-03-03 13:00")
    assert calendar.add(in_berlin("2026-03-02 12:30"), span("1bd")) == in_berlin("2026-03-03 13:00")
    assert calendar.add(in_berlin("2026-03-02 16:30"), span("1bd")) == in_berlin("2026-03-03 15:00")
    assert calendar.add(in_berlin("2026-03-02 09:30"), span("2bd")) == in_berlin("2026-03-04 11:00")


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_business_days_are_those_of_the_calendars_zone(zone: str) -> None:
    office = Calendar.office(ZoneInfo(zone))
    monday = datetime(2026, 3, 2, 9, 15, tzinfo=office.zone)

    assert office.add(monday, span("1bd")) == monday + timedelta(days=1)


def test_the_order_of_hours_means_nothing() -> None:
    calendar = Calendar(BERLIN, {0: ((time(13), time(17)), (time(9), time(12)))})

    assert calendar.add(in_berlin("2026-03-02 09:00"), span("4h")) == in_berlin("2026-03-02 14:00")


def test_around_the_clock_business_days_are_still_those_of_an_office() -> None:
    friday = datetime(2026, 3, 6, 12, tzinfo=UTC)

    assert ALWAYS.add(friday, span("2d")) == datetime(2026, 3, 8, 12, tzinfo=UTC)
    assert ALWAYS.add(friday, span("2bd")) == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert Calendar.always(Calendar(BERLIN, {5: OFFICE_HOURS})).add(friday, span("1bd")) == in_berlin(
        "2026-03-14 09:00"
    )


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-03-06 12:00", "2026-03-06 12:00"),
        ("2026-03-06 17:00", "2026-03-09 09:00"),
        ("2026-03-07 00:00", "2026-03-09 09:00"),
        ("2026-03-09 08:59", "2026-03-09 09:00"),
        ("2026-03-09 09:00", "2026-03-09 09:00"),
    ],
)
def test_the_next_opening_is_now_or_later(at: str, opens: str) -> None:
    office = Calendar.office(BERLIN)

    assert office.next_open(in_berlin(at)) == in_berlin(opens)
    assert office.is_open(in_berlin(at)) is (at == opens)


def test_time_backwards_is_negative() -> None:
    office = Calendar.office(BERLIN)

    assert office.between(in_berlin("2026-03-04 12:00"), in_berlin("2026-03-03 16:00")) == -timedelta(hours=4)


def test_a_night_shift_touches_midnight_without_a_gap() -> None:
    calendar = Calendar(BERLIN, {0: NIGHT, 1: ((time(0), time(6)),)})

    assert calendar.add(in_berlin("2026-03-02 23:00"), span("3h")) == in_berlin("2026-03-03 02:00")


@pytest.mark.parametrize(
    ("week", "said"),
    [
        ({}, "at least one day"),
        ({0: ()}, "at least one day"),
        ({0: ((time(9), time(9)),)}, "end before they begin"),
        ({0: ((time(9), time(8)),)}, "end before they begin"),
        ({0: ((time(9), time(12)), (time(11), time(13)))}, "overlap"),
        ({0: ((time(9), time(0)), (time(23), time(0)))}, "overlap"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused(week: dict[int, Hours], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Calendar(BERLIN, week)


def test_a_desk_that_never_opens_is_told_instead_of_waited_for() -> None:
    never = Calendar(BERLIN, OFFICE_WEEK, holidays=lambda year: frozenset(_days_of(year)))

    for ask in (span("1h"), span("1bd")):
        with pytest.raises(ValueError, match="no open hours within a century"):
            never.add(in_berlin("2026-03-02 12:00"), ask)


def _days_of(year: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=day) for day in range(366)]
