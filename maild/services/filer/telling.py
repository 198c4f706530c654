"""What agents are told of what their words did: nothing of a plain success, else one mail in the thread, with its undo.

Plain is an answer, a note, or one word that does just what it says (`#resolve`, `#assign`, `#priority`, ...), with an
answer or a note or alone: the agent knows what he wrote. Told are several words at once, and those whose work is far
from where he looks, or hard to see (`FAR`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, or_, select

from maild.desk import Deed, Desk, undoing
from maild.message.address import normalise
from maild.outbox.letters import Done
from maild.rules.routing import Action
from maild.rules.state import Tell
from maild.services.filer.filing import Filing
from maild.store.models import DeliveryRow, MailRow
from maild.templates import pieces

FAR: Final = frozenset({"merge", "split", "department", "requester", "for", "forward"})
_MANNERS: Final = frozenset({"silent", "force", "note", "use", "send"})  # say how, not what
_PLAIN: Final = ("status", "assignee", "priority", "subject", "department", "requester")
_USUAL: Final = {("status", "new"), ("status", "answered"), ("priority", "normal")}  # of a ticket that is opened
_SETS: Final = ("participants", "tags", "related")


def transcribe(desk: Desk, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
    """Tell the agents of those of `filings` whose words did more than plain things what was done."""
    for filing in filings:
        if not isinstance(filing.ticket, int) or filing.notes or not _is_told(filing):
            continue
        tell_done(desk, connection, filing, now)


def tell_done(desk: Desk, connection: Connection, filing: Filing, now: datetime) -> None:
    """Tell an agent what his mail did, and how it is taken back, if that can be."""
    if isinstance(filing.ticket, int):
        deeds = undoing.deeds(connection, filing.mail.id)
        told = tuple(shown(deeds)) + tuple(_answered(connection, filing.mail.id, filing.ticket))
        lasting = not deeds or undoing.tells_customers(connection, filing.mail.id, [filing.ticket])
        undo_until = None if lasting else now + undoing.UNDONE_WITHIN
        done = Done(filing.reading.sender, filing.mail.id, told, undo_until)
        desk.tell(connection, filing.ticket, Tell.TRANSCRIPT, done, now)


def _is_told(filing: Filing) -> bool:
    orders = filing.orders
    if filing.route.action not in (Action.ANSWER, Action.NOTE, Action.OPEN) or orders.faults:
        return False
    words = set(orders.words) - _MANNERS
    return len(words) > 1 or bool(words & FAR)


def shown(deeds: Sequence[Deed]) -> Iterator[pieces.Deed]:
    """Yield what is worth telling of `deeds`."""
    opened = {each.ticket_id for each in deeds if each.field == "status" and each.old is None}
    gone = {each.ticket_id for each in deeds if each.field == "status" and each.new is None}  # taken back
    yield from (pieces.Deed(each, "status", "", "deleted") for each in sorted(gone))
    for each in deeds:
        if each.ticket_id in gone:
            continue
        if each.ticket_id in opened and each.field == "requester":
            yield pieces.Deed(each.ticket_id, "opened", "", each.new or "")
        elif each.ticket_id in opened and _is_usual(each):
            continue
        elif each.field in _PLAIN:
            yield pieces.Deed(each.ticket_id, each.field, each.old or "", each.new or "")
        elif each.field in _SETS:
            yield _changed(each)
        elif each.field == "merged_into" and each.new:
            yield pieces.Deed(each.ticket_id, each.field, "", f"#{each.new}")
        elif each.field == "wake_at" and each.new:
            yield pieces.Deed(each.ticket_id, each.field, at=datetime.fromisoformat(each.new))
        elif each.field == "alias":
            yield pieces.Deed(each.ticket_id, each.field, "", each.new or "")


def _is_usual(deed: Deed) -> bool:
    """Return whether this is no news of a ticket that was just opened."""
    return deed.field in ("subject", "department") or (deed.field, deed.new) in _USUAL


def _changed(deed: Deed) -> pieces.Deed:
    """Return what came to a set and what went."""
    old, new = (set((each or "").split(", ")) - {""} for each in (deed.old, deed.new))
    sign = "#" if deed.field == "related" else ""
    went, came = (", ".join(f"{sign}{each}" for each in sorted(some)) for some in (old - new, new - old))
    return pieces.Deed(deed.ticket_id, deed.field, went, came)


def _answered(connection: Connection, mail_id: int, ticket_id: int) -> Iterator[pieces.Deed]:
    """Yield to whom an answer went."""
    recipients = connection.scalars(
        select(DeliveryRow.recipient)
        .join(MailRow, MailRow.id == DeliveryRow.mail_id)
        .where(undoing.caused(mail_id, [ticket_id]), MailRow.purpose == Tell.ANSWER)
        .order_by(DeliveryRow.id)
    ).all()
    if recipients:
        yield pieces.Deed(ticket_id, "answer", "", ", ".join(recipients))


def tell_taken_back(
    desk: Desk, connection: Connection, mail_id: int, deeds: Sequence[Deed], agent: str, name: str, now: datetime
) -> None:
    """Tell the agent who took back what a mail did, and those who had been given a ticket by it, how it is now."""
    ticket_id = deeds[0].ticket_id
    told = tuple(shown(deeds))
    desk.tell(connection, ticket_id, Tell.TRANSCRIPT, Done(agent, mail_id, told, taken_back=True), now)
    gone = {each.ticket_id for each in deeds if each.field == "status" and each.new is None}
    given = and_(undoing.caused(mail_id, [each.ticket_id for each in deeds]), MailRow.purpose == Tell.HANDED_OVER)
    opened = and_(MailRow.ticket_id.in_(gone), MailRow.purpose == Tell.NOTIFICATION)
    handed = connection.execute(
        select(DeliveryRow.recipient, DeliveryRow.ticket_id)
        .join(MailRow, MailRow.id == DeliveryRow.mail_id)
        .where(or_(given, opened))
        .distinct()
    ).all()
    for row in handed:
        if normalise(row.recipient) != agent and row.ticket_id is not None:
            done = Done(normalise(row.recipient), mail_id, told, taken_back=True, by=name)
            desk.tell(connection, row.ticket_id, Tell.TRANSCRIPT, done, now)
