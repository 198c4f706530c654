"""`maild status`: how the desk stands, for people and for monitoring."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now, shown_url

if TYPE_CHECKING:
    from maild.rules.troubles import Trouble


WATCH_S: Final = 2.0  # between two looks
UNKNOWN: Final = 3  # what monitoring plug-ins end with if they could not look


@click.command(name="status", short_help="Show queues, waiting customers and failures.")
@configured
@answering_json
@click.option("--check", is_flag=True, help="Answer as a monitoring plug-in: one line, exit status 0, 1 or 2")
@click.option("--watch", is_flag=True, help="Look every two seconds until Ctrl-C; in a pipe a line for each look")
def command(config: Path | None, as_json: bool, check: bool, watch: bool) -> int:
    """Show how the desk stands: queues by age, tickets, waiting customers, failures, when something last happened.

    With --check the exit status is 0 if all is well, 1 if something wants a look, 2 if it wants a person, 3 if nothing
    can be said; figures follow behind a bar.
    """
    if watch and check:
        raise click.UsageError("Say one of --watch and --check; a plug-in is called again by its monitor.")
    if watch:
        _watch(config, as_json=as_json)
        return 0
    if check:
        return _check(config, as_json=as_json)
    found, alarms = _look(config)
    if as_json:
        output.envelope("status", found)
    else:
        output.line(_shown(found, alarms))
    return 0


def _check(config: Path | None, *, as_json: bool) -> int:
    """Answer as a monitoring plug-in, whatever happens."""
    try:
        found, alarms = _look(config)
    except Exception as error:  # noqa: BLE001 - what cannot be looked at is unknown; the words say why
        output.line(output.printable(f"MAILD UNKNOWN - {' '.join(str(error).split())[:300]}"))
        return UNKNOWN
    if as_json:
        output.envelope("status", found)
    else:
        output.line(f"{_in_a_line(found, alarms)}|{_figures(found)}")
    return int(max((each.level for each in alarms), default=0))


def _figures(found: dict[str, Any]) -> str:
    """Return the figures as plug-ins tell them: name=value unit;warning;critical;lowest."""
    at: datetime = found["at"]

    def age_s(since: datetime | None) -> int:
        return max(0, int((at - since).total_seconds())) if since else 0

    figures = [
        f"waiting={found['waiting']['count']};;;0",
        f"waiting_age={age_s(found['waiting']['oldest_since'])}s;;;0",
        *(f"{name}_due={queue['due']};;;0" for name, queue in found["queues"].items()),
        f"mail_age={age_s(found['queues']['mail']['oldest_due_at'])}s;300;1800;0",
        f"delivery_queued={found['deliveries']['queued']};;;0",
        f"held={found['held']['count']};;;0",
        f"aside={found['mails']['failed']};0;;0",
    ]
    if found["disk"]["free_bytes"] is not None:
        figures.append(f"disk_free={found['disk']['free_bytes']}B;1073741824:;268435456:;0")
    return " ".join(figures)


def _look(config: Path | None) -> tuple[dict[str, Any], "list[Trouble]"]:
    """Return how the desk stands, and what of it is not well, the worst first."""
    from maild import __version__
    from maild.cli.answers.processes import processes
    from maild.rules import troubles
    from maild.store import schema, standing

    with desk_database(config) as (settings, database):
        found = standing.standing(database, now(database))
        found["daemon"]["processes"] = processes(database, running=found["daemon"]["running"])
        journal = database.journal
        revision = schema.revisions(database).have
    alarms = troubles.found(found)
    worst = max((each.level for each in alarms), default=troubles.Level.OK)
    found |= {
        "version": __version__,
        "database": {
            "url": shown_url(settings),
            "schema": revision,
            "journal": journal and {"mode": journal.mode, "synchronous": journal.synchronous, "reason": journal.reason},
        },
        "level": worst.name.lower(),
        "alarms": [
            {"level": each.level.name.lower(), "name": each.name, "text": each.text, "fix": each.fix} for each in alarms
        ],
    }
    return found, alarms


def _watch(config: Path | None, *, as_json: bool) -> None:
    """Look again and again, each time as if for the first time: a database that was replaced is seen."""
    drawn = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not as_json
    pause = threading.Event()
    with suppress(KeyboardInterrupt):  # the way to end it
        if drawn:
            click.echo("\033[2J", nl=False)
        while True:
            found, alarms = _look(config)
            if as_json:
                output.json_line(found)
            elif drawn:
                _draw(f"maild status at {found['at']:%H:%M:%S} UTC, Ctrl-C ends\n\n{_shown(found, alarms)}")
            else:
                output.line(f"{output.instant(found['at'].replace(microsecond=0))} {_in_a_line(found, alarms)}")
            pause.wait(WATCH_S)
    if drawn:
        output.line()


def _draw(text: str) -> None:
    """Show `text` from the top of the terminal, as much as fits, in one write: nothing flickers."""
    rows = text.split("\n")[: max(3, shutil.get_terminal_size().lines - 1)]
    click.echo("\033[H" + "\n".join(f"{row}\033[K" for row in rows) + "\033[J", nl=False)


def _in_a_line(found: dict[str, Any], alarms: "list[Trouble]") -> str:
    said = "; ".join(each.text for each in alarms) or _in_short(found)
    return output.printable(f"MAILD {found['level'].upper()} - {said}".replace("|", "/"))  # a bar begins the figures


def _in_short(found: dict[str, Any]) -> str:
    waiting = output.count(found["waiting"]["count"], "waiting customer")
    mails, deliveries = (output.count(found["queues"][name]["due"], name) for name in ("mail", "delivery"))
    return f"{waiting}; {mails} and {deliveries} due"


def _shown(found: dict[str, Any], alarms: "list[Trouble]") -> str:
    """Return what people are shown."""
    at: datetime = found["at"]
    running = {True: "running", False: "not running", None: "unknown (a server's database does not tell)"}
    journal = found["database"]["journal"]
    last = found["last"]
    parts = [
        output.pairs(
            [
                *(("look" if each.level == 1 else "ALARM", f"{each.text}; {each.fix}") for each in alarms),
                ("version", found["version"]),
                ("daemon", running[found["daemon"]["running"]]),
                ("workers", _workers(found["daemon"]["processes"])),
                ("database", f"{found['database']['url']}, schema {found['database']['schema']}"),
                ("journal", journal and f"{journal['mode']}, synchronous {journal['synchronous']}"),
                ("waiting", _waiting(found["waiting"], at)),
                ("tickets", _counts(found["tickets"])),
                ("mails", _counts(found["mails"])),
                ("deliveries", _counts(found["deliveries"])),
                ("size", _size(found["disk"])),
                ("last backup", _ago(found["backup"]["at"], at)),
                ("last mail in", _ago(last["mail_stored_at"], at)),
                ("last mail out", _ago(last["delivery_sent_at"], at)),
            ]
        )
    ]
    rows = [(name, *_queue(found, name, at)) for name in found["queues"]]
    titles = ("queue", "due", "oldest", "scheduled", "5 min", "1 hour", "1 day", "older")
    parts.append(output.table(titles, rows, width=output.terminal_width()))
    parts += _tables(found, at)
    failures = [(what, each["id"], output.since(each["at"], at), each["reason"]) for what, each in _failures(found)]
    if failures:
        parts.append(output.table(("failure", "id", "age", "reason"), failures, width=output.terminal_width()))
    return "\n\n".join(parts)


def _tables(found: dict[str, Any], at: datetime) -> Iterator[str]:
    """Give what there may be many of: departments, mailboxes, domains for which mail waits."""
    width = output.terminal_width()
    if found["departments"]:
        names = ("new", "open", "postponed", "answered", "resolved")
        rows: list[tuple[object, ...]] = [
            (name, *(each[status] or "-" for status in names), output.since(each["oldest_since"], at))
            for name, each in found["departments"].items()
        ]
        yield output.table(("department", *names, "waiting for"), rows, width=width)
    if found["mailboxes"]:
        rows = [
            (each["name"], each["folder"], _ago(each["last_success_at"], at), each["error"] or "ok")
            for each in found["mailboxes"]
        ]
        yield output.table(("mailbox", "folder", "last success", "state"), rows, width=width)
    if found["domains"]:
        rows = [
            (each["domain"], each["total"], *(each[age] or "-" for age in ("5m", "1h", "1d", "older")))
            for each in found["domains"]
        ]
        yield output.table(("queued to", "total", "5 min", "1 hour", "1 day", "older"), rows, width=width)


def _workers(found: list[dict[str, Any]]) -> str:
    """Return who files just now, by name and number."""
    shown = (f"{each['name']} {each['pid']}" for each in found if each["name"] not in ("daemon", "fork-server"))
    return output.printable(", ".join(shown))


def _size(disk: dict[str, Any]) -> str:
    size = f"{disk['database_bytes'] / 2**20:.1f} MiB"
    return size if disk["free_bytes"] is None else f"{size}, {disk['free_bytes'] / 2**30:.1f} GiB free"


def _queue(found: dict[str, Any], name: str, at: datetime) -> tuple[object, ...]:
    queue, ages = found["queues"][name], found["ages"].get(name)
    counts = [ages[each] or "-" for each in ages] if ages else ["", "", "", ""]
    return (queue["due"], output.since(queue["oldest_due_at"], at), queue["scheduled"], *counts)


def _failures(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    words = {
        "mails_set_aside": "mail set aside",
        "deliveries_failed_lately": "delivery failed",
        "deliveries_tried_again": "delivery tried again",
    }
    for key, word in words.items():
        for each in found["failures"][key]:
            yield word, each


def _waiting(waiting: dict[str, Any], at: datetime) -> str:
    if not waiting["count"]:
        return "nobody"
    oldest = output.since(waiting["oldest_since"], at)
    return f"{output.count(waiting['count'], 'customer')}, for up to {oldest} (ticket {waiting['oldest_ticket']})"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


def _ago(instant: datetime | None, at: datetime) -> str:
    return f"{output.since(instant, at)} ago" if instant else "never"
