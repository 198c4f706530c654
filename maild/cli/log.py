"""`maild log`: the whole story of a ticket or a mail."""

import re
from pathlib import Path
from typing import Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, desk_database
from maild.cli.failures import Failure


@click.command(name="log", short_help="Tell the whole story of a ticket or a mail.")
@configured
@answering_json
@click.argument("what", metavar="TICKET|MAIL")
def command(config: Path | None, as_json: bool, what: str) -> None:
    """Tell all that happened to a ticket (4) or a mail (mail:17, or its Message-ID), in order and with the reasons.

    What came, as what it was classified, by which evidence it found its ticket, what was decided and what changed,
    which mails were posted, and each try to send them. What is still to come stands at its time.
    """
    with desk_database(config) as (_, database), database.read() as connection:
        subject, number, story = _asked(connection, what)
    if as_json:
        output.envelope("log", {subject: number, "story": story})
        return
    day = about = ""
    for each in story:
        if (at := f"{each['at']:%a %d %b %Y}") != day:
            day, about = at, ""
            output.line(f"{day}, UTC")
        who = f"{each['about']} {each['id']}"
        shown = "" if who == about else who
        about = who
        text = output.printable(f"{each['what']:<10} {each['why']}")
        output.line(f"  {each['at']:%H:%M:%S}  {shown:<12}  {text}")


def _asked(connection: Any, what: str) -> tuple[str, int, list[dict[str, Any]]]:
    """Return whether a ticket or a mail is asked for, which one, and its story."""
    from maild.cli.answers import story

    if found := re.fullmatch(r"#?(\d{1,18})", what):
        ticket_id = int(found[1])
        told = story.of_ticket(connection, ticket_id)
        if told is None:
            raise Failure(f"there is no ticket {ticket_id} (maild ticket list); of a mail: maild log mail:{ticket_id}")
        return "ticket", ticket_id, told
    named = re.fullmatch(r"mail[: ]?(\d{1,18})", what)
    mail_id = int(named[1]) if named else story.mail_of(connection, what)
    told = None if mail_id is None else story.of_mail(connection, mail_id)
    if mail_id is None or told is None:
        raise Failure(f"there is no mail {output.printable(what)!r} (maild mail list); say 4, mail:17 or a Message-ID")
    return "mail", mail_id, told
