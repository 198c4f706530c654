"""`maild db`: the database itself."""

from pathlib import Path

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, database_of, settings_of, shown_url
from maild.cli.backup import backup, restore
from maild.cli.failures import FAILED, OK
from maild.cli.rebuild import rebuild


@click.group(name="db", short_help="Upgrade, check, back up and restore the database.")
def command() -> None:
    """The database: its schema, its soundness, its backups."""


@command.command("upgrade")
@configured
@answering_json
def upgrade(config: Path | None, as_json: bool) -> None:
    """Make the database, or bring its schema up to date. The daemon does the same when it starts.

    Refused while a daemon serves an SQLite database whose schema would change (exit status 75).
    """
    from maild.store import schema

    settings = settings_of(config)
    with database_of(settings, any_schema=True, create=True) as database:
        before = schema.revisions(database)
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
