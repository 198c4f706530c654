"""`maild person`: what is kept of somebody, handed out, made nameless, or removed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now
from maild.cli.failures import FAILED, Failure

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from maild.config.settings import Settings
    from maild.desk.forgetting import Found

DATA: Final = 65  # sysexits: what was said names nobody
YES: Final = click.option("--yes", is_flag=True, help="Do it. Without this it is only said what would be done.")


@click.group(name="person", short_help="Hand out, make nameless or remove what is kept of somebody.")
def command() -> None:
    """What is kept of a person, found by any address of his."""


@command.command("export")
@configured
@answering_json
@click.argument("address")
@click.argument("file", metavar="FILE.zip", type=click.Path(path_type=Path, dir_okay=False))
def export(config: Path | None, as_json: bool, address: str, file: Path) -> None:
    """Write all that is kept of a person into a zip file: his data as JSON, his mails and ours to him as they are.

    Notes and mails among agents are not in it, nor mails of others.
    """
    from maild.cli.answers import people_exported

    if file.exists():
        raise Failure(f"{file} is there already", FAILED)
    with desk_database(config) as (settings, database), database.read() as connection:
        found = _found(connection, settings, address)
        counts = people_exported.write(connection, found, file, now(database))
    if as_json:
        output.envelope("person-export", {"file": str(file), **counts})
    else:
        mails, tickets = output.count(counts["mails"], "mail"), output.count(counts["tickets"], "ticket")
        output.line(output.printable(f"{file}: {mails} and {tickets} of {', '.join(found.normals)}"))


@command.command("anonymise")
@configured
@answering_json
@click.argument("address")
@YES
def anonymise(config: Path | None, as_json: bool, address: str, yes: bool) -> None:
    """Take away a person's name, addresses and words; that there were tickets, and when, stays for the figures.

    Without --yes nothing is changed. It cannot be undone. Backups are not touched.
    """
    _forget(config, address, as_json=as_json, yes=yes, entirely=False)


@command.command("delete")
@configured
@answering_json
@click.argument("address")
@YES
def remove(config: Path | None, as_json: bool, address: str, yes: bool) -> None:
    """Remove a person with his tickets and mails, and strike him out of what is others'.

    Without --yes nothing is changed. It cannot be undone. Backups are not touched.
    """
    _forget(config, address, as_json=as_json, yes=yes, entirely=True)


def _forget(config: Path | None, address: str, *, as_json: bool, yes: bool, entirely: bool) -> None:
    from maild.desk import forgetting

    with desk_database(config) as (settings, database):
        if yes:
            with database.write() as connection:
                found = _found(connection, settings, address)
                (forgetting.remove if entirely else forgetting.anonymise)(connection, found, now(database))
        else:
            with database.read() as connection:
                found = _found(connection, settings, address)
    if as_json:
        kind = "person-delete" if entirely else "person-anonymise"
        output.envelope(kind, {"done": yes, **_as_data(found)})
        return
    tickets = "removed" if entirely else "kept without words"
    rows: list[tuple[str, object]] = [
        ("addresses", ", ".join(found.normals)),
        ("names", ", ".join(found.names)),
        (f"tickets {tickets}", _numbers(found.tickets)),
        ("taken out of tickets", _numbers(found.elsewhere)),
        ("mails removed" if entirely else "mails emptied", _numbers(found.mails)),
        ("struck out of mails", _numbers(found.naming)),
        ("deliveries", found.deliveries),
        ("history rows of others", found.history),
    ]
    output.line(output.pairs(rows))
    output.line("done" if yes else "nothing was changed; add --yes to do it (it cannot be undone)")


def _numbers(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:20]))
    return f"{len(ids)}" + (f" ({shown}{', ...' if len(ids) > 20 else ''})" if ids else "")


def _as_data(found: "Found") -> dict[str, Any]:
    return {
        "addresses": found.normals,
        "names": found.names,
        "tickets": found.tickets,
        "elsewhere": found.elsewhere,
        "mails": found.mails,
        "naming": found.naming,
        "deliveries": found.deliveries,
        "history": found.history,
    }


def _found(connection: "Connection", settings: "Settings", address: str) -> "Found":
    from maild.desk import forgetting

    found = forgetting.find(connection, address)
    if found is None:
        raise Failure(f"nobody has the address {output.printable(address)!r}", DATA)
    for normal in found.normals:
        if settings.agent_of(normal) is not None or settings.department_of(normal) is not None:
            raise Failure(f"{normal} is an agent's or a department's; take it out of the configuration first", DATA)
    return found
