"""Notes of absence without any mark: an agent's program answers for him, moments after we wrote to him.

Our mails to agents invite to answer the customer, so a note that no header and no subject gives away would go to him as
the agent's answer. Its words alone prove nothing, since people write "I am out tomorrow" too. It is held, and the agent
asked, where all of this holds: it says that he is away (`message.absence.said`), comes within `MOMENTS` of a mail of
ours to him, quotes nothing of it, commands nothing, has no file and does not name the customer. At his desk address, or
as a new request, such a note is put away.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from maild.message import absence
from maild.rules.routing import Action, Route
from maild.services.filer.filing import Filing
from maild.store.models import AddressRow, DeliveryRow
from maild.store.tickets import addressed

MOMENTS: Final = timedelta(minutes=3)
_QUOTES: Final = re.compile(r"^\s{0,3}>|t[0-9]+\.x[0-9]+\.[a-z0-9]{20}", re.MULTILINE)  # or the token of our last line
_DOUBTED: Final = (Action.ANSWER, Action.OPEN, Action.DESK)
HELD: Final = "it reads like a note that the agent is away, and came moments after our mail to him"
PUT_AWAY: Final = "a note that an agent is away, moments after our mail to him"


def doubt(connection: Connection, filings: Sequence[Filing]) -> None:
    """Hold those of `filings` that are an agent's answers by his name, and perhaps his program's."""
    for filing in filings:
        if filing.by_agent and filing.route.action in _DOUBTED and _may_be_a_note(connection, filing):
            if filing.route.action is Action.ANSWER:
                filing.route = Route(Action.HELD, HELD, confirm=True)
                filing.absent = True
            else:
                filing.route = Route(Action.NOTED, PUT_AWAY)
                filing.ticket = None


def _may_be_a_note(connection: Connection, filing: Filing) -> bool:
    mail, message, orders = filing.mail, filing.reading.message, filing.orders
    if mail.released_by or mail.login or mail.old_since or filing.passed or orders.words or orders.faults:
        return False
    if message.attachments or _QUOTES.search(message.text) or _QUOTES.search(message.html or ""):
        return False
    if not absence.said(filing.reply.text):
        return False
    names = [addressed(connection, filing.ticket).name] if isinstance(filing.ticket, int) else []
    if names and not absence.said(filing.reply.text, names):
        return False
    told_at = _told_at(connection, filing.reading.sender, mail.stored_at)
    wrote_at = min(mail.stored_at, message.date or mail.stored_at)
    return told_at is not None and wrote_at - told_at <= MOMENTS


def _told_at(connection: Connection, agent: str, before: datetime) -> datetime | None:
    """Return when the last mail left for an agent until then."""
    at = func.coalesce(DeliveryRow.ended_at, DeliveryRow.created_at, type_=DeliveryRow.created_at.type)
    sent = select(func.max(at, type_=DeliveryRow.created_at.type)).join(
        AddressRow, AddressRow.id == DeliveryRow.address_id
    )
    return connection.scalar(sent.where(AddressRow.normal == agent, DeliveryRow.created_at <= before))
