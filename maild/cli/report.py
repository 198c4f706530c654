"""`maild report`: the figures of a period, for people, for programs and for a browser."""

import csv
import sys
from pathlib import Path
from typing import Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now
from maild.cli.failures import Failure


@click.command(name="report", short_help="Show the figures of a period.")
@configured
@answering_json
@click.argument("period", default="", metavar="[PERIOD]")
@click.option("--department", metavar="NAME", help="Only of this department")
@click.option("--csv", "as_csv", is_flag=True, help="As comma-separated values, with a line of names")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="As a page for a browser, into this file",
)
def command(
    config: Path | None, as_json: bool, period: str, department: str | None, as_csv: bool, page: Path | None
) -> None:
    """Show what came in, what was solved, how long it took and what was promised and kept: in all, by department and by
    agent. Times are working time.

    PERIOD is one of today, yesterday, this-week, last-week, this-month, last-month, this-year, last-year, 7d, 2026-10,
    2026-10-05, 2026-10-01..2026-10-15; without it the last seven days. Days are those of the first department's zone.
    """
    if sum((as_json, as_csv, page is not None)) > 1:
        raise click.UsageError("Say one of --json, --csv, --html.")
    from maild.cli.answers import figures

    with desk_database(config) as (settings, database):
        if department is not None and settings.department(department) is None:
            known = ", ".join(each.name for each in settings.departments)
            raise Failure(f"no department {department!r} is configured; there are: {known}")
        try:
            found = figures.gathered(settings, database, period, department, now(database))
        except figures.NoPeriodError:
            raise click.BadParameter(f"{period!r} is no period", param_hint="PERIOD") from None
        if page is not None:
            page.write_text(figures.page(found, settings), encoding="utf-8")
            output.say(f"{page} is written")
            return
    rows = figures.rows(found, settings)
    if as_json:
        output.envelope("report", figures.as_json(found))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(figures.COLUMNS)
        writer.writerows([[_safe(cell) for cell in row] for row in rows])
    else:
        output.line(f"{found.period.first} to {found.period.last}")
        output.line(output.table(figures.TITLES, rows, width=output.terminal_width(), cut=("name",)))


def _safe(cell: Any) -> Any:
    """Return a cell that a spreadsheet takes for no formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
