"""`maild mail`: what came in and went out, and what a mail says or would do."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database, now
from maild.cli.failures import NO_INPUT, OK, SOFTWARE, Failure, tell_outcomes
from maild.cli.output import printable

# The words of `store.models.MailState` and `message.classify.Kind`, here so that help needs neither; a test compares.
STATES = ("stored", "filed", "noted", "delayed", "held", "failed", "out")
KINDS = ("human", "auto", "ooo", "list", "dsn-failed", "dsn-delayed", "dsn-ok", "mdn", "own")


@click.group(name="mail", short_help="List, show, retry, release, parse and explain mails.")
def command() -> None:
    """Mails: what came in and went out; what a mail says, and what would become of it."""


@command.command("list")
@configured
@answering_json
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; may be repeated")
@click.option("--ticket", type=output.NUMBER, metavar="ID", help="Only of this ticket")
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many")
def list_(
    config: Path | None, as_json: bool, states: tuple[str, ...], ticket: int | None, kind: str | None, limit: int
) -> None:
    """List mails, the newest first: stored waits to be filed, held for an agent, failed was set aside."""
    from maild.cli.answers import mails
    from maild.store.models import MailState

    with desk_database(config) as (_, database), database.read() as connection:
        at = now(database)
        found = mails.listed(connection, states=tuple(map(MailState, states)), ticket=ticket, kind=kind, limit=limit)
    if as_json:
        output.envelope("mail-list", found)
    elif not found:
        output.say("no mails")
    else:
        _print_list(found, at)


def _print_list(found: list[dict[str, Any]], at: datetime) -> None:
    rows = [
        (
            each["id"],
            each["direction"],
            each["state"],
            (each["purpose"] or each["kind"] or "").removesuffix("_unproven"),
            each["ticket"],
            output.since(each["stored_at"], at),
            each["from"]["address"] if each["direction"] == "in" else ", ".join(each["recipients"]),
            each["subject"],
        )
        for each in found
    ]
    titles = ("id", "way", "state", "what", "ticket", "age", "from or to", "subject")
    output.line(output.table(titles, rows, width=output.terminal_width(), cut=("from or to", "subject")))


@command.command("show")
@configured
@answering_json
@click.option("--raw", is_flag=True, help="Give the mail itself, to the last byte")
@click.argument("mail_id", type=output.NUMBER, metavar="ID")
def show(config: Path | None, as_json: bool, raw: bool, mail_id: int) -> None:
    """Show a mail: what was read from it, why it is where it is, and where it went."""
    from maild.cli.answers import mails

    if raw and as_json:
        raise click.UsageError("--raw gives bytes, which JSON cannot hold; leave out --json.")
    with desk_database(config) as (_, database), database.read() as connection:
        found = mails.shown(connection, mail_id)
        content = mails.raw(connection, mail_id) if raw else None
        if found is None:
            raise _unknown(mail_id, mails.newest(connection))
    if raw:
        sys.stdout.buffer.write(content or b"")
    elif as_json:
        output.envelope("mail", found)
    else:
        _print_mail(found)


def _print_mail(found: dict[str, Any]) -> None:
    output.line(
        output.pairs(
            [
                ("mail", f"{found['id']}, {found['direction']}, {found['state']}"),
                ("subject", found["subject"]),
                ("from", _mailbox(found["from"])),
                ("envelope", _envelope(found)),
                ("stored", f"{output.moment(found['stored_at'])} UTC, {found['size']} bytes, {found['source']}"),
                ("logged in", found["login"]),
                ("released by", found["released_by"]),
                ("message-id", found["message_id"]),
                ("kind", found["kind"]),
                ("purpose", found["purpose"]),
                ("ticket", found["ticket"]),
                ("reason", found["reason"]),
                (
                    "next try",
                    found["due_at"] and f"{output.moment(found['due_at'])} UTC, tried {found['attempts']} times",
                ),
                *_evidence(found["evidence"] or {}),
                *(("attachment", _attachment(each)) for each in found["attachments"]),
                ("defects", ", ".join(found["defects"])),
                *((f"delivery {each['id']}", _delivery(each)) for each in found["deliveries"]),
            ]
        )
    )
    _print_text(found["text"])


def _envelope(found: dict[str, Any]) -> str:
    sender = "" if found["envelope_from"] is None else f"<{found['envelope_from']}> "
    return f"{sender}to {', '.join(found['recipients'])}"


def _delivery(each: dict[str, Any]) -> str:
    said = f": {each['reply']}" if each["reply"] else ""
    return f"{each['state']} to {each['recipient']}{said}"


def _attachment(each: dict[str, Any]) -> str:
    return f"{each['name'] or '(no name)'}, {each['content_type']}, {each['size']} bytes"


def _evidence(found: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield why a mail is where it is, as far as its kind, purpose and reason do not say it."""
    for key in ("kind_reasons", "trust", "trust_reasons", "proof", "reasons", "related", "third_party"):
        value = found.get(key)
        shown = "; ".join(map(str, value)) if isinstance(value, list) else value
        yield key.replace("_", " "), "yes" if shown is True else shown or None


def _mailbox(each: dict[str, str] | None) -> str:
    if each is None:
        return ""
    return f"{each['name']} <{each['address']}>" if each["name"] else each["address"]


def _print_text(text: str) -> None:
    if text:
        output.line()
        for each in output.printable_lines(text):
            output.line(f"   {each}".rstrip())


@command.command("retry")
@configured
@answering_json
@click.argument("ids", type=output.NUMBER, metavar="ID...", nargs=-1, required=True)
def retry(config: Path | None, as_json: bool, ids: tuple[int, ...]) -> int:
    """File mails again that were set aside, from their stored bytes; the daemon does it within seconds."""
    from maild.cli.answers import mails

    with desk_database(config) as (_, database), database.write() as connection:
        results = mails.retry(connection, list(dict.fromkeys(ids)), now(database))
    return tell_outcomes("mail", "retry", results, "state", as_json=as_json)


@command.command("release")
@configured
@answering_json
@click.argument("ids", type=output.NUMBER, metavar="ID...", nargs=-1, required=True)
def release(config: Path | None, as_json: bool, ids: tuple[int, ...]) -> int:
    """Let held mails through, as if the proof that they lack had been there; the daemon files them within seconds.

    What an agent's held mail says is sent to the customer: look at it first (maild mail show ID).
    """
    from maild.cli.answers import mails

    with desk_database(config) as (_, database), database.write() as connection:
        results = mails.release(connection, list(dict.fromkeys(ids)), now(database))
    return tell_outcomes("mail", "release", results, "state", as_json=as_json)


@command.command("reject")
@configured
@answering_json
@click.argument("ids", type=output.NUMBER, metavar="ID...", nargs=-1, required=True)
def reject(config: Path | None, as_json: bool, ids: tuple[int, ...]) -> int:
    """Put held mails away: they stay in the store, nobody is told, and nothing is ever done with them."""
    from maild.cli.answers import mails

    with desk_database(config) as (_, database), database.write() as connection:
        results = mails.reject(connection, list(dict.fromkeys(ids)))
    return tell_outcomes("mail", "reject", results, "state", as_json=as_json)


@command.command("parse")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
def parse(as_json: bool, files: tuple[str, ...]) -> int:
    """Say what mails say; needs no configuration. FILE may be '-': then names are read from standard input, a line
    each, and each is answered at once.

    Whatever is wrong with a mail is listed in its defects, and is no error. A file that cannot be read is answered
    with "error"; then the exit status is 66.
    """
    status = OK
    for name in _names(files):
        answer, ended = _parsed(name)
        status = max(status, ended)
        if as_json:
            output.json_line(answer)
        else:
            _print_parsed(answer)
    return status


def _names(files: tuple[str, ...]) -> Iterator[str]:
    for each in files:
        if each != "-":
            yield each
            continue
        for line in sys.stdin.buffer:
            name = os.fsdecode(line.rstrip(b"\r\n"))
            if name:
                yield name


def _parsed(name: str) -> tuple[dict[str, Any], int]:
    """Return what the mail in a file says, or what is wrong with the file; and the exit status that it deserves."""
    from maild.cli.answers import parsed

    file = os.fsencode(name).decode("utf-8", "replace")
    try:
        raw = Path(name).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return {"file": file, "error": getattr(error, "strerror", None) or str(error)}, NO_INPUT
    try:
        return {"file": file, **parsed.mail(raw)}, OK
    except Exception as error:  # noqa: BLE001 - foreign parsers under ours may raise anything; the other mails go on
        return {"file": file, "error": f"fault of maild itself: {type(error).__name__}: {error}"}, SOFTWARE


def _print_parsed(answer: dict[str, Any]) -> None:
    if "error" in answer:
        output.say(f"{answer['file']}: {answer['error']}")
        return
    output.line(output.pairs([("file", answer["file"]), *_said(answer)]))
    _print_text(answer["reply"])
    output.line()


def _said(answer: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield what a mail says, for people."""
    yield "subject", answer["subject"]
    yield "from", _mailbox(answer["from"])
    for name in ("reply_to", "to", "cc"):
        yield name.replace("_", "-"), ", ".join(map(_mailbox, answer[name]))
    yield "date", answer["date"]
    yield "message-id", answer["message_id"]
    yield "in reply to", ", ".join(answer["in_reply_to"])
    yield "kind", f"{answer['kind']}: {'; '.join(answer['kind_reasons'])}"
    yield "language", answer["language"]
    for each in answer["attachments"]:
        yield "attachment", _attachment(each)
    for each in (answer["bounce"] or {}).get("failed", ()):
        yield "failed", f"{each['recipient']}: {each['action']} {each['status']}"
    yield "defects", ", ".join(answer["defects"])


@command.command("explain")
@configured
@answering_json
@click.option("--from", "sender", metavar="ADDRESS", help="Sender of the envelope; '' is the null sender")
@click.option("--to", "recipients", multiple=True, metavar="ADDRESS", help="Recipient of the envelope; may be repeated")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE")
def explain(config: Path | None, as_json: bool, sender: str | None, recipients: tuple[str, ...], file: Path) -> None:
    """Say what would become of a mail if it came in now, and why. Nothing is filed, sent or changed.

    FILE may be '-', standard input. Without --to its recipients are those of ours that its header names.
    """
    from maild.cli.access import database_of, settings_of
    from maild.cli.answers import explained

    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(f"{printable(file)}: {error.strerror}", NO_INPUT) from None
    settings = settings_of(config)
    with database_of(settings) as database:
        found = explained.mail(settings, database, raw, envelope_from=sender, recipients=recipients, now=now(database))
    found = {"file": printable(file), **found}
    if as_json:
        output.envelope("mail-explain", found)
    else:
        _print_explained(found)


def _print_explained(found: dict[str, Any]) -> None:
    decision, verdict = found["decision"], found["verdict"]
    ticket = decision["ticket"]
    where = f"ticket {ticket} ({decision['ticket_status']})" if ticket else ""
    if decision["state"] == "filed" and not ticket:
        where = f"a new ticket of {decision['department']}" + (", as spam" if decision["spam"] else "")
    again, sender = decision["stored_as"], found["envelope"]["from"]
    output.line(
        output.pairs(
            [
                ("file", found["file"]),
                *_said(found),
                ("envelope", _envelope({"envelope_from": sender, **found["envelope"]})),
                ("evidence", "; ".join(verdict["reasons"])),
                ("trust", f"{found['evidence']['trust']}: {'; '.join(found['evidence']['trust_reasons'])}"),
                ("proof", verdict["proof"] and f"{verdict['proof']}, as {verdict['role'] or 'nobody in particular'}"),
                ("related", ", ".join(map(str, verdict["related"]))),
                ("decision", f"{decision['action']}: {decision['why']}"),
                ("goes to", where),
                ("placed", "; ".join(decision["placed"])),
                ("answered", "an acknowledgement would be sent" if decision["acknowledged"] else "nothing automatic"),
                ("but", again and f"it is stored already, as mail {again}: nothing would happen"),
            ]
        )
    )
    _print_text(found["reply"])


def _unknown(mail_id: int, newest: int | None) -> Failure:
    return Failure(
        f"there is no mail {mail_id}; "
        + (f"the newest is {newest} (maild mail list)" if newest else "there are no mails yet")
    )
