"""Answers that leave later: by `#send tomorrow 9:00`, or by the department's or agent's `send_delay`.

    answer -> not yet: stays a stored mail, due when it is to leave -> due: filed as if it had come just then

Until then nothing has happened to the ticket: the customer waits, and every clock says so. An answer that waits is a
row like any other mail that is due, so it survives what they survive; it is looked at once more, by the guard against
collisions too, before it leaves. When somebody writes meanwhile it is looked at at once, and is held if it would be.
The ticket is offered to nobody else until then.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, select, update

from maild.desk import Desk, Happening
from maild.outbox.letters import Done
from maild.rules.events import AgentWrote, Offer
from maild.rules.routing import Action
from maild.rules.state import Tell
from maild.services.filer.filing import Filing
from maild.store.models import MailRow, MailState

log = structlog.get_logger("maild.filer")

CANCELLED: Final = "cancelled"  # the purpose of an answer that was kept back
_HEARD: Final = (Action.CUSTOMER, Action.PROBLEM, Action.ANSWER)


def delay(filings: Sequence[Filing], now: datetime) -> None:
    """Let those of `filings` wait that leave later."""
    for filing in filings:
        leaves_at, events = filing.orders.leaves_at, filing.orders.events
        answers = filing.route.action is Action.ANSWER and any(isinstance(each, AgentWrote) for each in events)
        if answers and not filing.orders.faults and leaves_at is not None and leaves_at > now:
            filing.route = replace(filing.route, action=Action.DELAYED, reason="an agent's answer that leaves later")


def foresee(desk: Desk, connection: Connection, filings: Sequence[Filing]) -> None:
    """Let those that would be refused be refused at once: their agents must not learn of it tomorrow."""
    for filing in filings:
        if filing.route.action is Action.DELAYED and isinstance(filing.ticket, int):
            first, *then = filing.orders.events
            mine = Happening(
                filing.ticket,
                first,
                filing.reading.sender,
                mail_id=filing.mail.id,
                then=tuple(then),
                lines=filing.orders.lines,
            )
            if faults := desk.foresee(connection, mine):
                filing.route = replace(filing.route, action=Action.ANSWER)
                filing.orders = replace(filing.orders, faults=faults)


def keep(desk: Desk, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
    """Write down of those of `filings` that wait when they leave, and tell the agents who asked for it."""
    for filing in filings:
        if filing.route.action is not Action.DELAYED or not isinstance(filing.ticket, int):
            continue
        leaves_at, sender, mail_id = filing.orders.leaves_at, filing.reading.sender, filing.mail.id
        waiting = {"state": MailState.DELAYED, "due_at": leaves_at, "attempts": 0, "ticket_id": filing.ticket}
        connection.execute(update(MailRow).where(MailRow.id == mail_id).values(waiting))
        if filing.mail.delayed or leaves_at is None:
            continue  # it waits on
        desk.handle(connection, [Happening(filing.ticket, Offer(now, sender, leaves_at), sender, mail_id=mail_id)], now)
        if "send" in filing.orders.words:
            done = Done(sender, mail_id, (), undo_until=leaves_at, leaves_at=leaves_at)
            desk.tell(connection, filing.ticket, Tell.TRANSCRIPT, done, now)


def wake(connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
    """Have answers that wait looked at again on whose tickets somebody spoke: the guard may have to hold them."""
    tickets = {each.ticket for each in filings if each.route.action in _HEARD and isinstance(each.ticket, int)}
    if tickets:
        mine = [each.mail.id for each in filings]
        waiting = (MailRow.ticket_id.in_(tickets), MailRow.state == MailState.DELAYED, MailRow.id.not_in(mine))
        connection.execute(update(MailRow).where(*waiting).values(due_at=now))


def waiting(connection: Connection, tickets: Collection[int] = (), *, agent: str | None = None) -> list[int]:
    """Return the answers that wait: of an agent only his last, of `tickets`, if any are named."""
    wanted = select(MailRow.id).where(MailRow.state == MailState.DELAYED).order_by(MailRow.id.desc())
    if tickets:
        wanted = wanted.where(MailRow.ticket_id.in_(tickets))
    return list(connection.scalars(wanted if agent is None else wanted.where(MailRow.from_address == agent).limit(1)))


def cancel(desk: Desk, connection: Connection, mail_ids: Sequence[int], agent: str, name: str, now: datetime) -> bool:
    """Keep answers back, give them to their authors again, and return whether there was any that had not left."""
    rows = connection.execute(
        select(MailRow.id, MailRow.ticket_id, MailRow.from_address, MailRow.text)
        .where(MailRow.id.in_(mail_ids), MailRow.state == MailState.DELAYED)
        .order_by(MailRow.id)
        .with_for_update()
    ).all()
    for row in rows:
        # Whoever has just leased it to let it leave finds its lease gone, and writes nothing.
        ended = {"state": MailState.NOTED, "due_at": None, "purpose": CANCELLED, "reason": f"kept back by {agent}"}
        connection.execute(update(MailRow).where(MailRow.id == row.id).values(ended))
        author = row.from_address or agent
        log.info("answer kept back", mail=row.id, ticket=row.ticket_id, by=agent)
        desk.handle(connection, [Happening(row.ticket_id, Offer(now, author, now), agent, mail_id=row.id)], now)
        for told in dict.fromkeys((agent, author)):
            by = name if told != agent else ""
            done = Done(told, row.id, (), by=by, text=row.text or "")
            desk.tell(connection, row.ticket_id, Tell.TRANSCRIPT, done, now)
    return bool(rows)
