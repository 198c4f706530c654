"""A point in time is read as its writer means it, in his zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.commands import UnclearTimeError, instant

_SPOKEN = (
    "feb",
    "31.",
    "next",
    "tonight",
    "morgen",
    "uhr",
    "um",
    "am",
    "2",
    "weeks",
    "monat",
    "monday",
    "end of month",
)
TALLINN = ZoneInfo("Europe/Tallinn")
NOW = datetime(2026, 3, 4, 14, 30, tzinfo=TALLINN).astimezone(UTC)  # a Wednesday


def business_days(start: datetime, days: int) -> datetime:
    return start + timedelta(days=days, microseconds=1)


def local(text: str, now: datetime = NOW) -> str:
    return instant(text, now, TALLINN, business_days).astimezone(TALLINN).strftime("%a %Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("3h", "Wed 2026-03-04 17:30"),
        ("24.12.", "Thu 2026-12-24 09:00"),
        ("24.12.2026", "Thu 2026-12-24 09:00"),
        ("1. 2. um 14:00", "Mon 2027-02-01 14:00"),
        ("45m", "Wed 2026-03-04 15:15"),
        ("2d", "Fri 2026-03-06 14:30"),
        ("1w", "Wed 2026-03-11 14:30"),
        ("1d 4h", "Thu 2026-03-05 18:30"),
        ("1d4h", "Thu 2026-03-05 18:30"),
        ("in 3 hours", "Wed 2026-03-04 17:30"),
        ("2 days", "Fri 2026-03-06 14:30"),
        ("90 minutes", "Wed 2026-03-04 16:00"),
        ("2 weeks", "Wed 2026-03-18 14:30"),
        ("tomorrow", "Thu 2026-03-05 09:00"),
        ("Tomorrow 9:00", "Thu 2026-03-05 09:00"),
        ("tomorrow at 17:30", "Thu 2026-03-05 17:30"),
        ("tomorrow 5pm", "Thu 2026-03-05 17:00"),
        ("tomorrow 5:15 pm", "Thu 2026-03-05 17:15"),
        ("tomorrow 12am", "Thu 2026-03-05 00:00"),
        ("tomorrow, noon", "Thu 2026-03-05 12:00"),
        ("today 18:00", "Wed 2026-03-04 18:00"),
        ("until today 18", "Wed 2026-03-04 18:00"),
        ("friday", "Fri 2026-03-06 09:00"),
        ("Fri 14:00", "Fri 2026-03-06 14:00"),
        ("on monday", "Mon 2026-03-09 09:00"),
        ("next monday", "Mon 2026-03-09 09:00"),
        ("wednesday", "Wed 2026-03-11 09:00"),
        ("wednesday 18:00", "Wed 2026-03-04 18:00"),
        ("wednesday 10:00", "Wed 2026-03-11 10:00"),
        ("next wednesday 18:00", "Wed 2026-03-11 18:00"),
        ("next week", "Mon 2026-03-09 09:00"),
        ("17:30", "Wed 2026-03-04 17:30"),
        ("8:00", "Thu 2026-03-05 08:00"),
        ("8am", "Thu 2026-03-05 08:00"),
        ("2026-03-20", "Fri 2026-03-20 09:00"),
        ("2026-03-20 14:00", "Fri 2026-03-20 14:00"),
        ("2026-03-20T14:00:00", "Fri 2026-03-20 14:00"),
        ("2026-03-20T14:00Z", "Fri 2026-03-20 16:00"),
        ("2026-03-20 14:00 +05:00", "Fri 2026-03-20 11:00"),
        ("tonight", "Wed 2026-03-04 18:00"),
        ("tonight at 8", "Wed 2026-03-04 20:00"),
        ("this evening", "Wed 2026-03-04 18:00"),
        ("friday afternoon at 3", "Fri 2026-03-06 15:00"),
        ("Friday 8 a.m.", "Fri 2026-03-06 08:00"),
        ("monday in the morning", "Mon 2026-03-09 09:00"),
        ("the day after tomorrow", "Fri 2026-03-06 09:00"),
        ("end of day", "Wed 2026-03-04 17:00"),
        ("Dec 24", "Thu 2026-12-24 09:00"),
        ("December 24th", "Thu 2026-12-24 09:00"),
        ("24th of December, 2026 at 2pm", "Thu 2026-12-24 14:00"),
        ("1 Feb 14:00", "Mon 2027-02-01 14:00"),
        ("Thursday, Dec 24", "Thu 2026-12-24 09:00"),
        ("24.12.26", "Thu 2026-12-24 09:00"),
        ("tuesday next week", "Tue 2026-03-10 09:00"),
        ("in an hour", "Wed 2026-03-04 15:30"),
        ("half an hour", "Wed 2026-03-04 15:00"),
        ("in two weeks", "Wed 2026-03-18 14:30"),
        ("in 2 months", "Mon 2026-05-04 14:30"),
        ("next month", "Wed 2026-04-01 09:00"),
        ("end of the month", "Tue 2026-03-31 09:00"),
        ("heute Abend um 20 Uhr", "Wed 2026-03-04 20:00"),
        ("morgen", "Thu 2026-03-05 09:00"),
        ("morgen um 9:30 Uhr", "Thu 2026-03-05 09:30"),
        ("übermorgen", "Fri 2026-03-06 09:00"),
        ("am Montag", "Mon 2026-03-09 09:00"),
        ("Montag Morgen", "Mon 2026-03-09 09:00"),
        ("nächsten Montag um 14 Uhr", "Mon 2026-03-09 14:00"),
        ("nächste Woche", "Mon 2026-03-09 09:00"),
        ("in zwei Wochen", "Wed 2026-03-18 14:30"),
        ("3 Tage", "Sat 2026-03-07 14:30"),
        ("24. Dezember", "Thu 2026-12-24 09:00"),
        ("Donnerstag, den 24. Dez. 2026", "Thu 2026-12-24 09:00"),
        ("24.12. um 14 Uhr", "Thu 2026-12-24 14:00"),
        ("Monatsende", "Tue 2026-03-31 09:00"),
    ],
)
def test_a_time_is_read_in_the_writers_zone(text: str, when: str) -> None:
    assert local(text) == when


def test_the_name_of_today_is_today_only_with_a_time_that_is_still_to_come() -> None:
    early = datetime(2026, 3, 4, 7, tzinfo=TALLINN).astimezone(UTC)

    assert local("wednesday", early) == "Wed 2026-03-11 09:00"
    assert local("wednesday 9:00", early) == "Wed 2026-03-04 09:00"


def test_business_days_are_the_calendars_affair() -> None:
    for text in ("2bd", "2 bd", "in 2 business days", "2 working days", "zwei Werktage"):
        assert instant(text, NOW, TALLINN, business_days) == business_days(NOW, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "17",
        "next",
        "next tomorrow",
        "today",
        "tomorrow maybe",
        "tomorrow a",
        "a friday",
        "Friday, Dec 24",
        "Feb 30",
        "24/12",
        "next tonight",
        "25:00",
        "tomorrow 13pm",
        "tomorrow 0am",
        "2026-02-30",
        "2026-13-01",
        "03/04/2026",
        "0bd",
        "-3h",
        "3",
        "3x",
        ",",
        "in",
        "9999-12-31T23:59-12:00",
        "٣h",
    ],
)
def test_what_names_no_time_is_said_to_be_unclear(text: str) -> None:
    with pytest.raises(UnclearTimeError, match="no time that I understand"):
        instant(text, NOW, TALLINN, business_days)


@pytest.mark.parametrize("text", ["2026-03-04", "2020-01-01", "today 9:00", "0h", "today 14:30"])
def test_a_time_that_is_over_is_refused(text: str) -> None:
    with pytest.raises(UnclearTimeError, match="is over already"):
        instant(text, NOW, TALLINN, business_days)


@pytest.mark.parametrize("text", ["2036-03-04", "9999d", "9999w"])
def test_a_time_too_far_off_is_a_typing_error(text: str) -> None:
    with pytest.raises(UnclearTimeError, match="more than two years"):
        instant(text, NOW, TALLINN, business_days)


def test_days_keep_the_time_of_day_when_the_clocks_change_and_hours_do_not() -> None:
    saturday = datetime(2026, 3, 28, 12, tzinfo=TALLINN).astimezone(UTC)  # the night before summer time

    assert local("1d", saturday) == "Sun 2026-03-29 12:00"
    assert local("24h", saturday) == "Sun 2026-03-29 13:00"
    assert local("tomorrow 3:30", saturday) == "Sun 2026-03-29 04:30"  # half past three does not exist


@given(
    st.text(max_size=100)
    | st.from_regex(r"\A[a-z0-9 :.+-]{1,30}\Z")
    | st.lists(st.sampled_from([*_SPOKEN, "1", "29", "24.", "2026", ":", "9:30"]), max_size=6).map(" ".join),
    st.integers(315_532_800, 4_102_444_800),
)
def test_every_text_is_a_later_instant_or_unclear(text: str, second: int) -> None:
    now = datetime.fromtimestamp(second, UTC)
    try:
        when = instant(text, now, TALLINN, business_days)
    except UnclearTimeError:
        return

    assert now < when <= now + timedelta(days=732)
    assert when.utcoffset() == timedelta(0)


def test_a_month_without_that_day_ends_a_day_earlier() -> None:
    assert local("1 month", datetime(2026, 1, 31, 10, tzinfo=TALLINN).astimezone(UTC)) == "Sat 2026-02-28 10:00"


def test_this_evening_is_over_at_night() -> None:
    with pytest.raises(UnclearTimeError, match="is over already"):
        local("tonight", datetime(2026, 3, 4, 22, tzinfo=TALLINN).astimezone(UTC))
