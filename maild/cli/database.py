"""`maild db`: the database itself."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, database_of, settings_of, shown_url
from maild.cli.backup import backup, restore
from maild.cli.failures import FAILED, OK
from maild.cli.rebuild import rebuild

if TYPE_CHECKING:
    from maild.store.engine import Database
    from maild.store.schema import Revisions


@click.group(name="db", short_help="Upgrade, check, back up and restore the database.")
def command() -> None:
    """The database: its schema, its soundness, its backups."""


@command.command("upgrade")
@configured
@answering_json
@click.option("--dry-run", is_flag=True, help="Do it, take it back, and say what was done and how long it took.")
def upgrade(config: Path | None, as_json: bool, dry_run: bool) -> None:
    """Make the database, or bring its schema up to date. The daemon does the same when it starts.

    Refused while a daemon serves an SQLite database whose schema would change (exit status 75). Each of both, the
    upgrade and its rehearsal, is one transaction: a kill leaves the database as it was.
    """
    from maild.store import schema

    settings = settings_of(config)
    with database_of(settings, any_schema=True, create=True) as database:
        before = schema.revisions(database)
        if dry_run:
            _rehearse(database, before, as_json=as_json)
            return
        changed = False
        if before.have != before.need:
            database.claim_for_daemon("maild db upgrade")
            changed = schema.upgrade(database)
    if as_json:
        data = {"database": shown_url(settings), "before": before.have, "schema": before.need, "changed": changed}
        output.envelope("db-upgrade", data)
    elif changed:
        output.line(f"schema {before.have or 'none'} -> {before.need}")
    else:
        output.line(f"schema {before.need} is up to date")


def _rehearse(database: "Database", before: "Revisions", *, as_json: bool) -> None:
    from maild.store import schema

    if before.have != before.need:
        database.claim_for_daemon("maild db upgrade --dry-run")
    begun_s = time.monotonic()
    steps = schema.rehearse(database)
    took_s = time.monotonic() - begun_s
    if as_json:
        done = [{"revision": each.revision, "title": each.title} for each in steps]
        data = {"before": before.have, "schema": before.need, "steps": done, "seconds": round(took_s, 1)}
        output.envelope("db-upgrade-dry-run", data)
        return
    if not steps:
        output.line(f"schema {before.need} is up to date")
        return
    output.line(f"schema {before.have or 'none'} -> {before.need}, in {took_s:.1f} s; nothing was changed")
    for each in steps:
        output.line(f"  {each.revision}  {each.title}")


@command.command("check")
@configured
@answering_json
def check(config: Path | None, as_json: bool) -> int:
    """Look for damage: the engine's integrity check, references, mails whose bytes are missing, what waits for nothing.

    Changes nothing. It reads the whole database: on a large one take a quiet hour. Exit status 1 if something is wrong.
    """
    from maild.cli.answers import soundness

    settings = settings_of(config)
    with database_of(settings, any_schema=True) as database:
        found = list(soundness.faults(database))
    if as_json:
        output.envelope("db-check", {"database": shown_url(settings), "ok": not found, "faults": found})
    for each in found:
        output.say(each)
    if not found and not as_json:
        output.line("the database is sound")
    return FAILED if found else OK


command.add_command(backup)
command.add_command(restore)
command.add_command(rebuild)
