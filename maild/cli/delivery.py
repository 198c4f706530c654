"""`maild delivery`: what leaves, one mail to one recipient each."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now
from maild.cli.failures import tell_outcomes

STATES = ("queued", "sent", "failed", "cancelled")  # of `store.models.DeliveryState`; a test compares


@click.group(name="delivery", short_help="List, retry and cancel deliveries.")
def command() -> None:
    """Deliveries: what leaves, one mail to one recipient each."""


@command.command("list")
@configured
@answering_json
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; may be repeated")
@click.option("--ticket", type=output.NUMBER, metavar="ID", help="Only of this ticket")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many")
def list_(config: Path | None, as_json: bool, states: tuple[str, ...], ticket: int | None, limit: int) -> None:
    """List deliveries, the newest first."""
    from maild.cli.answers import deliveries
    from maild.store.models import DeliveryState

    with desk_database(config) as (_, database), database.read() as connection:
        at = now(database)
        found = deliveries.listed(connection, states=tuple(map(DeliveryState, states)), ticket=ticket, limit=limit)
    if as_json:
        output.envelope("delivery-list", found)
    elif not found:
        output.say("no deliveries")
    else:
        _print(found, at)


def _print(found: list[dict[str, Any]], at: datetime) -> None:
    rows = [
        (
            each["id"],
            each["state"],
            each["attempts"],
            output.since(each["ended_at"] or each["created_at"], at),
            output.until(each["due_at"], at),
            each["ticket"],
            (each["purpose"] or "").removesuffix("_unproven"),
            each["recipient"],
            each["reply"],
        )
        for each in found
    ]
    titles = ("id", "state", "tries", "age", "next", "ticket", "purpose", "recipient", "last answer")
    output.line(output.table(titles, rows, width=output.terminal_width(), cut=("recipient", "last answer")))


@command.command("retry")
@configured
@answering_json
@click.argument("ids", type=output.NUMBER, metavar="ID...", nargs=-1, required=True)
def retry(config: Path | None, as_json: bool, ids: tuple[int, ...]) -> int:
    """Try deliveries again at once: those that wait, failed or were cancelled."""
    from maild.cli.answers import deliveries

    return _changed(config, as_json, ids, "retry", deliveries.retry)


@command.command("cancel")
@configured
@answering_json
@click.argument("ids", type=output.NUMBER, metavar="ID...", nargs=-1, required=True)
def cancel(config: Path | None, as_json: bool, ids: tuple[int, ...]) -> int:
    """Give up deliveries that wait. One that is being sent at this moment may arrive nevertheless."""
    from maild.cli.answers import deliveries

    return _changed(config, as_json, ids, "cancel", deliveries.cancel)


def _changed(
    config: Path | None, as_json: bool, ids: tuple[int, ...], word: str, change: Callable[..., list[dict[str, Any]]]
) -> int:
    with desk_database(config) as (_, database), database.write() as connection:
        results = change(connection, list(dict.fromkeys(ids)), now(database))
    return tell_outcomes("delivery", word, results, "state", as_json=as_json)
