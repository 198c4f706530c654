"""A mail that is about something else becomes a ticket of its own: `#split`, on top of a reply to what told of it.

The mail moves with its text and its files; who wrote it is the customer of the new ticket, and is not told: nothing has
changed for him. The agents are told, or one of them is given it, as of any new ticket. The old ticket becomes what it
was before that mail, unless something else has changed it since: where somebody wrote behind it he still waits, from
his own mail on. Both name each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from maild import people
from maild.desk import Desk, Happening, Opening, undoing
from maild.message import reply
from maild.message.address import Address
from maild.message.parse import parse
from maild.message.shorten import shorten
from maild.outbox.letters import FiledMail
from maild.rules.events import CustomerWrote, Earlier, Relate, TakeBack
from maild.rules.refusals import No, Refused
from maild.rules.routing import Action
from maild.services.filer.filing import Filing
from maild.store import raw
from maild.store.models import Direction, HistoryRow, MailRow, TicketRow

_HEARD: Final = (Action.OPEN, Action.CUSTOMER, Action.PROBLEM)


def split(desk: Desk, connection: Connection, filing: Filing, agent: str, title: str, now: datetime) -> int:
    """Make a ticket of the mail that an agent's mail answers, and return its number.

    Raises:
        Refused: there is no such mail, or it is all that the ticket has.
    """
    old_id = filing.ticket if isinstance(filing.ticket, int) else 0
    mail = _answered(connection, filing, old_id)
    old = connection.execute(
        select(TicketRow.department, TicketRow.language, TicketRow.priority).where(TicketRow.id == old_id)
    ).one()
    author = Address(mail.from_name or "", mail.from_address or "")
    person = next(iter(people.enrol(connection, [author], now).values()))
    subject = title or mail.subject or ""
    opening = Opening(subject[:500], old.department, person, (), old.language, None, old.priority)
    mine = filing.mail.id
    wrote = CustomerWrote(mail.stored_at, acknowledge=False)
    about = _told(connection, mail, author, old_id, agent)
    [opened] = desk.handle(connection, [Happening(opening, wrote, agent, about, mail_id=mine)], now)
    new_id = opened.ticket_id
    connection.execute(update(MailRow).where(MailRow.id == mail.id).values(ticket_id=new_id))
    _record(connection, mail.id, old_id, new_id, mine, agent, now)
    back = Happening(old_id, TakeBack(now, tuple(_before(connection, mail.id, old_id))), agent, mail_id=mine)
    if not desk.foresee(connection, back):
        desk.handle(connection, [back], now)
    desk.handle(connection, [Happening(old_id, Relate(now, frozenset({new_id})), agent, mail_id=mine)], now)
    return new_id


def _told(connection: Connection, mail: Any, author: Address, old_id: int, agent: str) -> FiledMail:
    """Return the customer's mail as the agents are told of it who have the new ticket: all but the one who made it."""

    def whole() -> Iterator[bytes]:
        return raw.pieces(connection, mail.id)

    message = parse(shorten(whole))
    said = reply.new_text(message).rest(mail.text or "", "")
    trust = str((mail.evidence or {}).get("trust", "none"))
    return FiledMail(mail.id, message, said, author, trust=trust, brought_by=agent, split_from=old_id)


def _answered(connection: Connection, filing: Filing, ticket_id: int) -> Any:
    """Return the customer's mail of which the mail told that the agent answers.

    Raises:
        Refused: it told of none, or of all that there is.
    """
    message = filing.reading.message
    named = [*message.in_reply_to, *reversed(message.references)][:20]
    rows = connection.execute(
        select(MailRow.message_id, MailRow.about_id).where(
            MailRow.message_id.in_(named), MailRow.direction == Direction.OUT, MailRow.about_id.is_not(None)
        )
    ).all()
    told = {row.message_id: row.about_id for row in rows}
    about = next((told[each] for each in named if each in told), None)
    heard = (MailRow.ticket_id == ticket_id, MailRow.direction == Direction.IN, MailRow.purpose.in_(_HEARD))
    mail = connection.execute(
        select(
            MailRow.id,
            MailRow.from_address,
            MailRow.from_name,
            MailRow.subject,
            MailRow.stored_at,
            MailRow.text,
            MailRow.evidence,
        ).where(*heard, MailRow.id == about)
    ).one_or_none()
    if mail is None:
        raise Refused(No.NOTHING_TO_SPLIT)
    if connection.scalar(select(func.min(MailRow.id)).where(*heard)) == mail.id:
        raise Refused(No.FIRST_MAIL)
    return mail


def _before(connection: Connection, mail_id: int, ticket_id: int) -> Sequence[Earlier]:
    """Return what the mail changed about its ticket when it came."""
    rows = connection.execute(
        select(HistoryRow.field, HistoryRow.old, HistoryRow.new)
        .where(
            HistoryRow.mail_id == mail_id,
            HistoryRow.ticket_id == ticket_id,
            HistoryRow.cause.in_(("CustomerWrote", "StillAProblem")),
        )
        .order_by(HistoryRow.id)
    ).all()
    changed = [undoing.earlier(row.field, row.old, row.new) for row in rows if undoing.is_field(row.field)]
    later = connection.scalar(
        select(func.min(MailRow.stored_at)).where(
            MailRow.ticket_id == ticket_id,
            MailRow.direction == Direction.IN,
            MailRow.purpose.in_(_HEARD),
            MailRow.id > mail_id,
        )
    )
    if later is None:
        return changed
    waits = [replace(each, old=later) for each in changed if each.field == "waiting_since"]
    return [*waits, *(each for each in changed if each.field == "participants")]


def _record(
    connection: Connection, mail_id: int, old_id: int, new_id: int, by_mail: int, agent: str, now: datetime
) -> None:
    common = {"at": now, "actor": agent, "cause": "Split", "field": undoing.MOVED, "mail_id": by_mail}
    gone = {**common, "ticket_id": old_id, "old": str(mail_id), "new": None}
    came = {**common, "ticket_id": new_id, "old": None, "new": str(mail_id)}
    connection.execute(insert(HistoryRow), [gone, came])
