"""`maild db backup` and `maild db restore`: the whole database in one file, and back."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, database_of, settings_of, shown_url, wall
from maild.cli.failures import FAILED, NO_INPUT, Failure

if TYPE_CHECKING:
    from maild.store.backup import BackupError
    from maild.store.engine import Database


@click.command("backup")
@configured
@answering_json
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def backup(config: Path | None, as_json: bool, force: bool, file: Path) -> None:
    """Write the whole database into FILE, while the daemon runs; a folder gets a file named after this instant.

    It is one moment of the database, read back and synced before it gets its name. It holds every mail and the keys
    that sign, and is readable by its owner only. PostgreSQL needs pg_dump, and makes an archive in its custom format.
    """
    from maild.store import backup as backups

    settings = settings_of(config)
    with database_of(settings, any_schema=True) as database:
        if file.is_dir():
            file /= f"maild-{wall():%Y%m%dT%H%M%SZ}.{backups.SUFFIX[database.is_sqlite]}"
        try:
            made = backups.back_up(database, file, _progress, replace=force)
        except backups.BackupError as error:
            raise _failure(error) from error
        finally:
            _end_progress()
        _remember(database)
    if as_json:
        data = {
            "database": shown_url(settings),
            "file": str(made.path),
            "size_bytes": made.size_bytes,
            "schema": made.schema,
            "rows": made.rows,
        }
        output.envelope("db-backup", data)
    else:
        mails, tickets = (output.count(made.rows.get(each, 0), each) for each in ("mail", "ticket"))
        output.line(output.printable(f"{made.path}: {mails}, {tickets}, {made.size_bytes / 2**20:.1f} MiB, read back"))


@click.command("restore")
@configured
@answering_json
@click.option("--force", is_flag=True, help="Give up the mails and tickets that are in the database now.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def restore(config: Path | None, as_json: bool, force: bool, file: Path) -> None:
    """Put the backup FILE into the place of the database, and bring it to the schema of this version.

    Refused while a daemon runs (exit status 75), and if there are mails in the database, unless --force. An SQLite
    database that is given up is kept beside the new one. What the desk did since the backup is forgotten: deliveries
    that were queued then leave again when the daemon starts.
    """
    from maild.store import backup as backups

    settings = settings_of(config)
    with database_of(settings, any_schema=True, create=True) as database:
        try:
            done = backups.restore(database, file, wall(), force=force)
        except backups.BackupError as error:
            raise _failure(error) from error
    if as_json:
        data = {
            "database": shown_url(settings),
            "file": str(file),
            "before": done.before,
            "schema": done.schema,
            "rows": done.rows,
            "queued": done.queued,
            "kept": done.kept and str(done.kept),
        }
        output.envelope("db-restore", data)
        return
    mails, tickets = (output.count(done.rows.get(each, 0), each) for each in ("mail", "ticket"))
    changed = "" if done.before == done.schema else f", schema {done.before} -> {done.schema}"
    output.line(f"restored: {mails}, {tickets}{changed}")
    if done.kept:
        output.line(output.printable(f"the database that was there is now {done.kept}; remove it when all is well"))
    if done.queued:
        waits = output.count(done.queued, "delivery")
        output.line(f"{waits} queued, to leave when the daemon starts; before that: maild delivery list, cancel")


def _remember(database: "Database") -> None:
    """Note in the database that a backup was made, so that somebody is told when there are no more."""
    from sqlalchemy.exc import SQLAlchemyError

    from maild.store import jobs
    from maild.store.standing import BACKUP

    try:
        with database.write() as connection:
            jobs.note(connection, BACKUP, wall())
    except SQLAlchemyError as error:  # the backup is there; of a database that cannot be written to above all
        output.say(f"that it was made could not be noted in the database: {error.__class__.__name__}")


def _failure(error: "BackupError") -> Failure:
    from maild.store.backup import UnusableError

    return Failure(str(error), NO_INPUT if isinstance(error, UnusableError) else FAILED)


def _progress(share: float) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{share:4.0%} copied", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
