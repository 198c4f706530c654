"""`maild schedule`: what time alone does: shown, held, released."""

from pathlib import Path
from typing import Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now, wall


@click.group(name="schedule", short_help="Show, hold and release what time alone does.")
def command() -> None:
    """What time alone does: customers are reminded, tickets resolved and closed.

    maild slows down by itself if unusually much is due after it was down, and stops if the machine's clock jumps by
    days. It tells the operator then; these commands are his answer.
    """


@command.command("show")
@configured
@answering_json
def show(config: Path | None, as_json: bool) -> None:
    """Show what is due, whether it is held or goes slowly, and whether the clock is believed."""
    from maild.cli.answers import schedule

    with desk_database(config) as (_, database), database.read() as connection:
        found = schedule.shown(connection, now(database))
    if as_json:
        output.envelope("schedule", found)
    else:
        output.line(_shown(found))


@command.command("hold")
@configured
@answering_json
def hold(config: Path | None, as_json: bool) -> None:
    """Hold what customers would get, and what cannot be undone, until `release`.

    Nobody is reminded, nothing is resolved, closed or removed by time. Mail comes in and leaves as ever, and agents
    are told that customers wait.
    """
    from maild.cli.answers import schedule

    with desk_database(config) as (_, database), database.write() as connection:
        found = schedule.hold(connection, now(database))
    _tell(found, "held until: maild schedule release", as_json=as_json)


@command.command("release")
@configured
@answering_json
def release(config: Path | None, as_json: bool) -> None:
    """Go on at the usual pace; if the machine's clock is not believed, say that it is right."""
    from maild.cli.answers import schedule

    with desk_database(config) as (_, database), database.write() as connection:
        found = schedule.release(connection, now(database), wall())
    _tell(found, "released; the daemon goes on within a minute", as_json=as_json)


def _tell(found: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        output.envelope("schedule", found)
    else:
        output.say(words)


def _shown(found: dict[str, Any]) -> str:
    at, doubt = found["at"], found["doubted_since"]
    rows = [
        ("last seen", output.since(found["seen_at"], at) if found["seen_at"] else "never"),
        ("held", f"since {output.moment(found['held_at'])}" if found["held_at"] else "no"),
        ("slow", f"until {output.moment(found['braked_until'])}" if found["braked_until"] else "no"),
        ("clock", f"not believed since {output.moment(doubt)}" if doubt else "believed"),
        *((f"due in {each['department']}", _counted(each)) for each in found["due"]),
    ]
    return output.pairs(rows)


def _counted(each: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in each["lanes"].items())
