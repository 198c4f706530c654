"""`maild db rebuild`: what was read from mails is read again, and tickets are replayed from their history."""

import sys
from pathlib import Path

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now, shown_url
from maild.cli.failures import FAILED, OK


@click.command("rebuild")
@configured
@answering_json
@click.option("--dry-run", is_flag=True, help="Only say what would change; exit status 1 if anything would.")
def rebuild(config: Path | None, as_json: bool, dry_run: bool) -> int:
    """Derive again all that was read from mails, and replay all tickets from their history; nothing is sent.

    For what an older maild read worse than this one, and for a database that was damaged and mended. What was decided
    stays: on which ticket a mail is, who was trusted, what was sent. Refused while a daemon serves an SQLite database
    (exit status 75); stop the daemons of a PostgreSQL desk yourself. It can be interrupted and goes on where it was.
    """
    from maild.rebuilding import Rebuilding
    from maild.works import rederiver

    with desk_database(config) as (settings, database):
        if not dry_run:
            database.claim_for_daemon("maild db rebuild")
        at = now(database)
        reader = rederiver(settings, database, at)
        found = Rebuilding(database, reader, at, _progress, only_look=dry_run).run()
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    if as_json:
        data = {
            "database": shown_url(settings),
            "dry_run": dry_run,
            "resumed_at": found.resumed_at,
            "mails": found.mails,
            "tickets": found.tickets,
            "different": found.different,
            "first": [{"table": each.table, "id": each.id, "columns": each.columns} for each in found.first],
        }
        output.envelope("db-rebuild", data)
    else:
        if found.resumed_at:
            output.line(f"went on where an earlier one was interrupted: {found.resumed_at}")
        for each in found.first:
            output.line(f"{each.table} {each.id}: {', '.join(each.columns)}")
        mails, tickets = output.count(found.mails, "mail"), output.count(found.tickets, "ticket")
        what = "would change" if dry_run else "changed"
        output.line(f"{mails} and {tickets} looked at, {found.different} {what}")
    return FAILED if dry_run and found.different else OK


def _progress(what: str, share: float) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{what}: {share:4.0%}", nl=False, err=True)
