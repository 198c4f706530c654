"""What was read from mails is read again: from their bytes, and from what was decided of them.

`derived` says what the columns of a mail that came in must be, without deciding anything: on which ticket it is, by
which proof, whether its sender is genuine and what became of it are taken from its row. `DERIVED` are these columns;
all others of a row are decisions, or facts of its arrival, and there is nothing that they could be derived from.

Of ours only what clients thread by is read from the bytes; what we wanted to say is a record.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from maild.config import Settings
from maild.message import reading, reply
from maild.message.match import Verdict
from maild.message.parse import parse
from maild.rules.routing import Action, Route
from maild.services.filer.columns import DERIVED, columns_read
from maild.services.filer.commanding import Commander
from maild.services.filer.examining import Examiner
from maild.services.filer.filing import Filing, Inbound
from maild.store import conversations
from maild.store.models import MailRow
from maild.templates.replies import Prepared

DERIVED_OF_OURS: Final = ("message_id", "references")
_SPEAKING: Final = (Action.ANSWER, Action.NOTE)
_KNOWN_AT: Final = func.coalesce(MailRow.filed_at, MailRow.stored_at, type_=MailRow.stored_at.type)
_AT: Final = bindparam("at", type_=MailRow.stored_at.type)
_SAID: Final = (
    select(MailRow.text)
    .where(
        MailRow.ticket_id == bindparam("ticket"),
        MailRow.id != bindparam("mail"),
        or_(_AT > _KNOWN_AT, and_(_AT == _KNOWN_AT, MailRow.id < bindparam("mail"))),
    )
    .order_by(MailRow.id.desc())
    .limit(conversations.LATEST)
)


class Rederiver:
    """Reads mails again."""

    def __init__(self, settings: Settings, known: reading.Known) -> None:
        self._settings = settings
        prepared = Prepared(settings.maild.templates)
        self._examiner = Examiner(settings, known, prepared)
        self._commander = Commander(settings, prepared)

    def derived(self, connection: Connection, row: Any, raw: bytes) -> dict[str, Any]:
        """Return what the columns DERIVED of an inbound mail must be; `row` is its whole row."""
        evidence: Mapping[str, Any] = row.evidence or {}
        at: datetime = row.filed_at or row.stored_at
        mail = Inbound(row.id, row.envelope_from, row.recipients, row.stored_at, 0, raw, source=row.source)
        [read] = self._examiner.read([mail], at)
        ticket = evidence.get("ticket") or row.ticket_id
        known = self._said(connection, ticket, row.id, at) if ticket else []
        action = Action(evidence.get("action", row.purpose))
        filing = Filing(
            mail,
            read,
            Verdict(ticket_id=ticket),
            Route(_spoken(action, evidence.get("words", ())), ""),
            reply.new_text(read.message, known),
            self._settings.departments[0].name,
            ticket=ticket,
        )
        if filing.route.action in _SPEAKING or evidence.get("words"):
            self._commander.read(connection, [filing], at)
        found = columns_read(filing)
        return {name: found[name] for name in DERIVED}

    def _said(self, connection: Connection, ticket: int, mail: int, at: datetime) -> list[str]:
        """Return what our last mails said, as it was known when the mail was filed."""
        texts = connection.scalars(_SAID, {"ticket": ticket, "mail": mail, "at": at})
        return [text for text in texts if text]


def derived_of_ours(raw: bytes) -> dict[str, Any]:
    """Return what the columns DERIVED_OF_OURS of a mail of ours must be."""
    message = parse(raw)
    return {"message_id": message.message_id or None, "references": list(reversed(message.references)) or None}


def _spoken(action: Action, words: Sequence[str]) -> Action:
    """Return as what a mail was read: words on top of it were cut out of an agent's mail, whatever became of it."""
    if action in _SPEAKING or action is Action.OPEN:
        return action
    return Action.ANSWER if words else action
