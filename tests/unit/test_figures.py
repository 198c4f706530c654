"""Which days a period has, and what is said of what happened in it."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.rules.figures import (
    NAMES,
    Answered,
    Clock,
    NoPeriodError,
    Opened,
    Period,
    Waiting,
    figures,
    period,
    report,
    spread,
)
from maild.rules.levels import Kind, Outcome

TODAY = date(2026, 10, 14)  # a Wednesday
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("", "2026-10-08", "2026-10-14"),
        ("today", "2026-10-14", "2026-10-14"),
        ("Yesterday", "2026-10-13", "2026-10-13"),
        ("this week", "2026-10-12", "2026-10-14"),
        ("last-week", "2026-10-05", "2026-10-11"),
        ("this-month", "2026-10-01", "2026-10-14"),
        ("last-month", "2026-09-01", "2026-09-30"),
        ("last-year", "2025-01-01", "2025-12-31"),
        ("7d", "2026-10-08", "2026-10-14"),
        ("last 30 days", "2026-09-15", "2026-10-14"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2026-10", "2026-10-01", "2026-10-14"),
        ("2026-10-05", "2026-10-05", "2026-10-05"),
        ("2026-10-01..2026-10-05", "2026-10-01", "2026-10-05"),
    ],
)
def test_a_period_is_named_as_people_do(text: str, first: str, last: str) -> None:
    assert period(text, TODAY) == Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    "text", ["soon", "2027-01", "tomorrow", "2026-13", "2026-02-30", "9999d", "2026-10-05..2026-10-01"]
)
def test_what_is_no_period_or_has_not_begun_is_refused(text: str) -> None:
    with pytest.raises(NoPeriodError):
        period(text, TODAY)


@given(st.text(max_size=30), st.dates(date(1970, 1, 1), date(2100, 1, 1)))
def test_any_text_is_a_period_or_none(text: str, today: date) -> None:
    try:
        found = period(text, today)
    except NoPeriodError:
        return
    assert found.first <= found.last
    assert found.first <= today


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_the_named_periods_are_never_in_the_future(today: date) -> None:
    for name in NAMES[:-1]:
        assert period(name, today).last <= today


def test_a_day_has_as_many_hours_as_its_zone_gives_it() -> None:
    spring = Period(date(2026, 3, 29), date(2026, 3, 29))
    zone = ZoneInfo("Europe/Berlin")

    assert spring.ends_at(zone) - spring.begins_at(zone) == 23 * HOUR


def test_median_and_ninetieth_are_times_that_there_were() -> None:
    found = spread([each * HOUR for each in (9, 1, 2, 3, 4, 5, 6, 7, 8, 10)])

    assert found is not None
    assert (found.times, found.median, found.p90) == (10, 5 * HOUR, 9 * HOUR)
    assert spread([]) is None
    assert spread([HOUR]).p90 == HOUR  # type: ignore[union-attr]


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=99)), min_size=1, max_size=50))
def test_half_of_the_times_do_not_exceed_the_median(times: list[timedelta]) -> None:
    found = spread(times)

    assert found is not None
    assert found.median <= found.p90
    assert sum(each <= found.median for each in times) * 2 >= len(times)
    assert sum(each <= found.p90 for each in times) * 10 >= len(times) * 9


FACTS = [
    Opened("support"),
    Opened("support"),
    Opened("sales"),
    Answered("support", "anna"),
    Clock(Kind.FIRST_RESPONSE, "support", "anna", HOUR, Outcome.MET),
    Clock(Kind.FIRST_RESPONSE, "support", None, 9 * HOUR, None),  # it was resolved without an answer
    Clock(Kind.FIRST_RESPONSE, "support", "anna", 5 * HOUR, Outcome.VOID),
    Clock(Kind.NEXT_RESPONSE, "support", "bert", 3 * HOUR, Outcome.MISSED),
    Clock(Kind.RESOLUTION, "sales", "bert", 4 * HOUR),
    Waiting("support", "anna", 3),
    Waiting("support", None, -1),
]


def test_figures_say_what_happened() -> None:
    found = figures(FACTS)

    assert (found.opened, found.solved, found.answers, found.backlog) == (3, 1, 1, 2)
    assert (found.met, found.missed, found.kept) == (1, 1, 0.5)
    assert found.first_response == spread([HOUR])
    assert found.resolution == spread([4 * HOUR])


def test_each_department_and_agent_has_its_own() -> None:
    found = report(Period(TODAY, TODAY), FACTS, ["support", "sales"], ["anna", "bert", "carl"])

    assert (found.departments["support"].opened, found.departments["sales"].opened) == (2, 1)
    assert (found.agents["anna"].answers, found.agents["anna"].met, found.agents["anna"].backlog) == (1, 1, 3)
    assert (found.agents["bert"].missed, found.agents["bert"].solved) == (1, 1)
    assert found.agents["carl"] == figures([])
    assert list(found.agents) == ["anna", "bert", "carl"]


def test_nothing_happened_without_any_figures() -> None:
    assert figures([]).kept is None
