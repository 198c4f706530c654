"""The figures of a period as `maild report` shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from maild import reports
from maild.config import Settings
from maild.message.address import normalise
from maild.rules import figures
from maild.rules.figures import Figures, NoPeriodError, Report, Spread
from maild.store.engine import Database
from maild.templates import Templates, mails

__all__ = ["COLUMNS", "TITLES", "NoPeriodError", "as_json", "gathered", "page", "rows"]

COLUMNS: Final = (
    "of",
    "name",
    "in",
    "solved",
    "answers",
    "first_response_median",
    "first_response_p90",
    "resolution_median",
    "resolution_p90",
    "promises_kept",
    "promises_missed",
    "backlog",
)
TITLES: Final = (
    "of",
    "name",
    "in",
    "solved",
    "answers",
    "1st half",
    "1st 90 %",
    "solved half",
    "solved 90 %",
    "kept",
    "missed",
    "backlog",
)


def gathered(settings: Settings, database: Database, text: str, department: str | None, at: datetime) -> Report:
    """Return the figures of the period that `text` names.

    Raises:
        NoPeriodError: it names none.
    """
    zone = settings.departments[0].timezone
    period = figures.period(text, at.astimezone(zone).date())
    with database.read() as connection:
        return reports.of_period(connection, settings, period, zone, [department] if department else [])


def rows(found: Report, settings: Settings) -> list[list[object]]:
    """Return a row in all, and one for each department and agent."""
    names = {normalise(each.address): each.name for each in settings.agents}
    return [
        _row("all", "", found.total),
        *(_row("department", name, each) for name, each in found.departments.items()),
        *(_row("agent", names[agent], each) for agent, each in found.agents.items()),
    ]


def _row(of: str, name: str, each: Figures) -> list[object]:
    times = [
        reports.hours(length) if length is not None else ""
        for spread in (each.first_response, each.resolution)
        for length in ((spread.median, spread.p90) if spread else (None, None))
    ]
    opened = "" if of == "agent" else each.opened  # tickets come to departments
    return [of, name, opened, each.solved, each.answers, *times, each.met, each.missed, each.backlog]


def as_json(found: Report) -> dict[str, Any]:
    """Return the figures as JSON has them; times in seconds of working time."""
    return {
        "period": {"first": str(found.period.first), "last": str(found.period.last)},
        "total": _figures(found.total),
        "departments": _named(found.departments),
        "agents": {name: {**figures, "in": None} for name, figures in _named(found.agents).items()},
    }


def _named(several: Mapping[str, Figures]) -> dict[str, Any]:
    return {name: _figures(each) for name, each in several.items()}


def _figures(each: Figures) -> dict[str, Any]:
    return {
        "in": each.opened,
        "solved": each.solved,
        "answers": each.answers,
        "first_response": _spread(each.first_response),
        "resolution": _spread(each.resolution),
        "promises": {"kept": each.met, "missed": each.missed},
        "backlog": each.backlog,
    }


def _spread(spread: Spread | None) -> dict[str, int] | None:
    if spread is None:
        return None
    seconds = {"median_s": spread.median, "p90_s": spread.p90}
    return {"times": spread.times, **{name: int(length.total_seconds()) for name, length in seconds.items()}}


def page(found: Report, settings: Settings) -> str:
    """Return the figures as a page for a browser, in the language of the first department."""
    first = settings.departments[0]
    told = reports.told(found, settings)
    mail = mails.Report(department=first.title, zone=first.timezone, subject=str(found.period), **told)
    return Templates(settings.maild.templates).render(mail, first.language).html
