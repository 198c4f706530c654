"""`maild import`: old mail from other programs."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now
from maild.cli.failures import CONFIGURATION, FAILED, OK, Failure

if TYPE_CHECKING:
    from maild.importers import Brought
    from maild.importers.files import Found

EVERY_S: Final = 10.0  # on a terminal and in a pipe alike: long work says how far it is


@click.group(name="import", short_help="Bring old mail in, in silence.")
def command() -> None:
    """Old mail from other programs becomes resolved tickets with the dates that it had; nobody is written to, and no
    clock runs. A customer who writes again opens his old ticket.

    The files are only read. What breaks off is begun again by the same command: what is there already is recognised. Of
    IMAP servers old mail comes by `start` in [[mailbox]].
    """


@command.command("mbox")
@configured
@answering_json
@click.option("--department", metavar="NAME", help="Whose mail it was [default: the first department]")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def mbox(config: Path | None, as_json: bool, department: str | None, files: tuple[Path, ...]) -> int:
    """Bring the mails of mbox files in, as Thunderbird, Gmail's Takeout and mutt have them."""
    from maild.importers import files as reading

    return _bring(config, department, "mbox", files, reading.mbox, as_json=as_json)


@command.command("maildir")
@configured
@answering_json
@click.option("--department", metavar="NAME", help="Whose mail it was [default: the first department]")
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def maildir(config: Path | None, as_json: bool, department: str | None, folders: tuple[Path, ...]) -> int:
    """Bring the mails of Maildirs in, as Dovecot and Postfix have them; folders within are named one by one."""
    from maild.importers import files as reading

    return _bring(config, department, "maildir", folders, reading.maildir, as_json=as_json)


def _bring(
    config: Path | None,
    name: str | None,
    kind: str,
    paths: tuple[Path, ...],
    read: "Callable[[Path], Iterator[Found]]",
    *,
    as_json: bool,
) -> int:
    from maild.importers import bring

    with desk_database(config) as (settings, database):
        department = settings.department(name) if name else settings.departments[0]
        if department is None:
            names = ", ".join(each.name for each in settings.departments)
            raise Failure(f"there is no department {output.printable(name)!r}; there is: {names}", CONFIGURATION)
        rows: list[dict[str, object]] = []
        sound = True
        at = partial(now, database)
        for path in paths:
            try:
                brought = bring(database, read(path), department.address, f"import {kind}", at, _progress(path))
            except ValueError as error:
                raise Failure(f"{output.printable(path)}: {error}") from None
            sound = sound and not brought.too_long
            rows.append(
                {"file": str(path), "mails": brought.mails, "new": brought.new, "known": brought.known,
                 "too_long": list(brought.too_long)}
            )  # fmt: skip
            for each in brought.too_long:
                output.say(f"{each}: too long, left out")
            if not as_json:
                said = (
                    f"{path}: {output.count(brought.mails, 'mail')}, {brought.new} new, {brought.known} there already"
                )
                output.line(output.printable(said))
    if as_json:
        output.envelope(f"import-{kind}", rows)
    elif any(row["new"] for row in rows):
        output.say("the daemon begins to file them within seconds, without a word to anybody")
    return OK if sound else FAILED


def _progress(path: Path) -> "Callable[[Brought], None]":
    """Return what says now and then how far it is."""
    said_s = time.monotonic()

    def tell(brought: "Brought") -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= EVERY_S:
            said_s = time.monotonic()
            sys.stdout.flush()
            output.say(f"{path}: {output.count(brought.mails, 'mail')} so far, {brought.new} new")

    return tell
