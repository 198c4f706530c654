"""`maild ticket`: tickets seen and steered from the command line, past all mail."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now
from maild.cli.failures import Failure, tell_outcomes
from maild.cli.output import printable

if TYPE_CHECKING:
    from maild.cli.answers.operator import Wish
    from maild.message.search import Query

# The words of `rules.state.Status`, here so that help and usage errors need no rules; a test compares.
STATUSES = ("new", "open", "answered", "postponed", "resolved", "closed", "spam", "deleted", "merged")
_INSTANT = re.compile(r"\A(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[\d:.]*\+00:00\Z", re.ASCII)
WANTED = ("open", "resolved", "closed", "spam", "deleted")


@click.group(name="ticket", short_help="List, show and change tickets.")
def command() -> None:
    """Tickets: list them, read one, see its history, change its status."""


@command.command("list")
@configured
@answering_json
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([*STATUSES, "all"]),
    help="Only these; may be repeated [default: all that are not closed or put aside]",
)
@click.option("--department", metavar="NAME", help="Only of this department")
@click.option("--assignee", metavar="ADDRESS", help="Only this agent's; 'none' for tickets of nobody")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only those with this tag; may be repeated")
@click.option("--search", "text", metavar="TEXT", help="Only those with these words, the newest first: docs/agents.md")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many")
def list_(
    config: Path | None,
    as_json: bool,
    statuses: tuple[str, ...],
    department: str | None,
    assignee: str | None,
    tags: tuple[str, ...],
    text: str | None,
    limit: int,
) -> None:
    """List tickets: the most urgent first.

    --search looks for words in subjects and in what was written: each of them, "a phrase", print* for what begins so,
    from:ada, subject:printer, status:closed.
    """
    from maild.cli.answers import tickets
    from maild.rules.state import Status

    wanted = tuple(Status) if "all" in statuses else tuple(map(Status, statuses)) or tickets.IN_USE
    query = None if text is None else _query(text, STATUSES if "all" in statuses else statuses)
    with desk_database(config) as (settings, database):
        if department is not None and settings.department(department) is None:
            known = ", ".join(each.name for each in settings.departments)
            raise Failure(f"no department {department!r} is configured; there are: {known}")
        at = now(database)
        with database.read() as connection:
            of: dict[str, Any] = {"department": department, "assignee": assignee, "tags": tags, "limit": limit + 1}
            found = (
                tickets.found(connection, settings, query, **of)
                if query is not None
                else tickets.listed(connection, settings, statuses=wanted, **of)
            )
    more = len(found) > limit
    found = found[:limit]
    if as_json:
        output.envelope("ticket-list", found)
    else:
        _print_list(found, at)
    if more:
        output.say(f"more than {limit} tickets; --limit shows more of them")


def _query(text: str, statuses: Sequence[str]) -> "Query":
    from maild.message import search

    query = search.query(text)
    if unknown := [each for each in query.statuses if each not in STATUSES]:
        raise click.BadParameter(f"status:{unknown[0]} is none of {', '.join(STATUSES)}", param_hint="--search")
    return replace(query, statuses=tuple(statuses) or query.statuses)


def _print_list(found: list[dict[str, Any]], at: datetime) -> None:
    if not found:
        output.say("no tickets")
        return
    searched = any("found" in each for each in found)
    rows = [
        (
            each["id"],
            each["status"],
            output.since(each["waiting_since"], at),
            f"{each['next']['what']} {output.until(each['next']['at'], at)}" if each["next"] else "",
            each["assignee"],
            each["requester_name"] or each["requester"],
            each["subject"] or "(no subject)",
            *([each["found"]["text"]] if searched else []),
        )
        for each in found
    ]
    titles = ("id", "status", "waits", "next", "assignee", "requester", "subject", *(["found"] if searched else []))
    cut = ("assignee", "requester", "subject", "found")
    output.line(output.table(titles, rows, width=output.terminal_width(), cut=cut))


@command.command("show")
@configured
@answering_json
@click.argument("ticket_id", type=output.NUMBER, metavar="ID")
def show(config: Path | None, as_json: bool, ticket_id: int) -> None:
    """Show a ticket with its messages; `maild mail show` has each of them in full."""
    from maild.cli.answers import tickets

    with desk_database(config) as (settings, database), database.read() as connection:
        at = now(database)
        found = tickets.shown(connection, settings, ticket_id, at)
        if found is None:
            raise _unknown(ticket_id, tickets.newest(connection))
    if as_json:
        output.envelope("ticket", found)
    else:
        _print_ticket(found, at)


def _print_ticket(found: dict[str, Any], at: datetime) -> None:
    coming = found["next"]
    waits = found["waiting_since"]
    output.line(
        output.pairs(
            [
                ("ticket", f"{found['id']}: {found['subject'] or '(no subject)'}"),
                ("status", f"{found['status']} for {output.since(found['since'], at)}"),
                ("waits", waits and f"{output.since(waits, at)}, since {output.moment(waits)} UTC"),
                ("next", coming and f"{coming['text']} ({output.until(coming['at'], at)})"),
                *((each["kind"], _clock(each, found["timezone"], at)) for each in found["clocks"]),
                ("department", found["department"]),
                ("requester", _person(found["requester_name"], found["requester"])),
                ("participants", ", ".join(_person(each["name"], each["address"]) for each in found["participants"])),
                ("assignee", found["assignee"]),
                ("priority", found["priority"]),
                ("level", found["level"]),
                ("rating", found["rating"] and f"{found['rating']}/3"),
                ("language", found["language"]),
                ("merged into", found["merged_into"]),
                ("merged from", ", ".join(map(str, found["merged_from"]))),
                ("follows", found["follows"]),
                ("followed by", ", ".join(map(str, found["followed_by"]))),
                ("undelivered", "the last answer did not arrive" if found["undelivered"] else None),
                ("opened", f"{output.moment(found['created_at'])} UTC"),
            ]
        )
    )
    for each in found["messages"]:
        arrow = "<-" if each["direction"] == "in" else "->"
        who = _person(each["from"]["name"], each["from"]["address"])
        if each["direction"] == "out" and each["recipients"]:
            who = ", ".join(each["recipients"])
        kind = each["purpose"] or each["kind"] or each["state"]
        output.line()
        output.line(printable(f"{arrow} mail {each['mail']}  {output.moment(each['at'])} UTC  {kind}  {who}"))
        if each["noted"]:
            output.line(printable(f"   {each['passed_by']} noted:"))
        for text in output.printable_lines(each["noted"]) if each["noted"] else ():
            output.line(f"   | {text}".rstrip())
        for text in output.printable_lines(each["text"]) if each["text"] else ():
            output.line(f"   {text}".rstrip())


def _clock(each: dict[str, Any], zone: str, at: datetime) -> str:
    """Return what a clock came to, or by when it has to stop."""
    from zoneinfo import ZoneInfo

    from maild.rules.next_step import moment

    used = output.span(timedelta(seconds=each["used_s"]))
    due = f"due {moment(each['due_at'], ZoneInfo(zone), at)}" if each["due_at"] else "nothing promised"
    if each["stopped_at"] is None:
        return f"{each['outcome']}, {used} used, {due}"
    return f"{each['outcome'] or 'ended'} after {used}, {due}"


def _person(name: str, address: str) -> str:
    return f"{name} <{address}>" if name else address


@command.command("history")
@configured
@answering_json
@click.argument("ticket_id", type=output.NUMBER, metavar="ID")
def history(config: Path | None, as_json: bool, ticket_id: int) -> None:
    """Show all that ever changed about a ticket: when, who, why, by which mail."""
    from maild.cli.answers import tickets

    with desk_database(config) as (_, database), database.read() as connection:
        if not tickets.states(connection, [ticket_id]):
            raise _unknown(ticket_id, tickets.newest(connection))
        found = tickets.history(connection, ticket_id)
    if as_json:
        output.envelope("ticket-history", {"id": ticket_id, "history": found})
        return
    rows = [
        (
            output.moment(each["at"]),
            each["actor"],
            each["cause"],
            each["mail"],
            each["field"],
            f"{_short(each['old'])} -> {_short(each['new'])}",
        )
        for each in found
    ]
    titles = ("at (UTC)", "actor", "cause", "mail", "field", "change")
    output.line(output.table(titles, rows, width=output.terminal_width(), cut=("actor", "change")))


def _short(value: str | None) -> str:
    """Return a value of the history for people: instants to the minute."""
    return _INSTANT.sub(r"\1 \2", value) if value else "-"


@command.command("set")
@configured
@answering_json
@click.argument("ticket_ids", type=output.NUMBER, metavar="ID...", nargs=-1, required=True)
@click.option("--status", type=click.Choice(WANTED), help="'open' also takes a ticket out of spam or deleted")
@click.option("--merge-into", type=output.NUMBER, metavar="ID", help="They are the same request as that ticket")
@click.option("--postpone-until", metavar="WHEN", help="'2d', '3bd', 'friday 14:00', '2026-03-02 9:00'")
def set_(
    config: Path | None,
    as_json: bool,
    ticket_ids: tuple[int, ...],
    status: str | None,
    merge_into: int | None,
    postpone_until: str | None,
) -> int:
    """Change tickets as an agent's #words do; the history names "operator".

    What makes no sense for a ticket is refused and told, the others are changed; then the exit status is 1.
    Times are in the zone of the ticket's department unless written with one.
    """
    if sum(each is not None for each in (status, merge_into, postpone_until)) != 1:
        raise click.UsageError("Say one of --status, --merge-into, --postpone-until.")
    from maild.cli.answers import operator

    wish: Wish = operator.Wish(status, merge_into, postpone_until)
    with desk_database(config) as (settings, database):
        results = operator.fulfil(settings, database, list(dict.fromkeys(ticket_ids)), wish, now(database))
    return tell_outcomes("ticket", "set", results, "status", as_json=as_json)


def _unknown(ticket_id: int, newest: int | None) -> Failure:
    return Failure(
        f"there is no ticket {ticket_id}; "
        + (f"the newest is {newest} (maild ticket list)" if newest else "there are no tickets yet")
    )
