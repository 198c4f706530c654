"""`maild status`: how the desk stands, for people and for monitoring."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now, shown_url

if TYPE_CHECKING:
    from maild.cli.answers.standing import Alarm


@click.command(name="status", short_help="Show queues, waiting customers and failures.")
@configured
@answering_json
@click.option("--check", is_flag=True, help="Answer as a monitoring plug-in: one line, exit status 0, 1 or 2")
def command(config: Path | None, as_json: bool, check: bool) -> int:
    """Show how the desk stands: queues by age, tickets, waiting customers, failures, when something last happened.

    With --check the exit status is 0 if all is well, 1 if something wants a look, 2 if it wants a person.
    """
    from maild import __version__
    from maild.cli.answers import standing
    from maild.store import schema

    at = now()
    with desk_database(config) as (settings, database):
        found = standing.standing(database, at)
        journal = database.journal
        revision = schema.revisions(database).have
    alarms = standing.judge(found)
    worst = max((each.level for each in alarms), default=standing.Level.OK)
    found |= {
        "version": __version__,
        "database": {
            "url": shown_url(settings),
            "schema": revision,
            "journal": journal and {"mode": journal.mode, "synchronous": journal.synchronous, "reason": journal.reason},
        },
        "level": worst.name.lower(),
        "alarms": [{"level": each.level.name.lower(), "text": each.text} for each in alarms],
    }
    if as_json:
        output.envelope("status", found)
    elif check:
        said = "; ".join(each.text for each in alarms) or _in_short(found)
        output.line(output.printable(f"MAILD {worst.name} - {said}"))
    else:
        _print(found, alarms, at)
    return int(worst) if check else 0


def _in_short(found: dict[str, Any]) -> str:
    waiting = output.count(found["waiting"]["count"], "waiting customer")
    mails, deliveries = (output.count(found["queues"][name]["due"], name) for name in ("mail", "delivery"))
    return f"{waiting}; {mails} and {deliveries} due"


def _print(found: dict[str, Any], alarms: "list[Alarm]", at: datetime) -> None:
    running = {True: "running", False: "not running", None: "unknown (a server's database does not tell)"}
    journal = found["database"]["journal"]
    last = found["last"]
    waiting = found["waiting"]
    output.line(
        output.pairs(
            [
                *(("look" if each.level == 1 else "ALARM", each.text) for each in alarms),
                ("daemon", running[found["daemon"]["running"]]),
                ("database", f"{found['database']['url']}, schema {found['database']['schema']}"),
                ("journal", journal and f"{journal['mode']}, synchronous {journal['synchronous']}"),
                ("waiting", _waiting(waiting, at)),
                ("tickets", _counts(found["tickets"])),
                ("mails", _counts(found["mails"])),
                ("deliveries", _counts(found["deliveries"])),
                ("last mail in", _ago(last["mail_stored_at"], at)),
                ("last mail out", _ago(last["delivery_sent_at"], at)),
            ]
        )
    )
    output.line()
    rows = [(name, *_queue(found, name, at)) for name in found["queues"]]
    titles = ("queue", "due", "oldest", "scheduled", "5 min", "1 hour", "1 day", "older")
    output.line(output.table(titles, rows, width=output.terminal_width()))
    failures = [*_failures(found)]
    if failures:
        output.line()
        rows = [(what, each["id"], output.since(each["at"], at), each["reason"]) for what, each in failures]
        output.line(output.table(("failure", "id", "age", "reason"), rows, width=output.terminal_width()))


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
