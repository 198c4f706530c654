"""A mail of ours that belongs to no ticket, written down with its one delivery: an alert, a question, an answer."""

import hashlib
from typing import Final

from sqlalchemy import Connection, insert

from maild.message.address import normalise
from maild.message.compose import Draft, compose
from maild.outbox.letters import SOURCE
from maild.people import Person
from maild.store import raw
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow, MailState

_OUT: Final = b"out\0"  # as for mails of tickets: our own mail that comes back is a row of its own


def write(
    connection: Connection, draft: Draft, person: Person, purpose: str, *, reply_to: str = "", text: str | None = None
) -> int:
    """Write `draft` to `person`, to be sent at once; return the id of the mail.

    Without `reply_to` answers go to its From. `text` is kept beside the bytes where commands show it.
    """
    composed = compose(draft)
    row = {
        "direction": Direction.OUT,
        "state": MailState.OUT,
        "fingerprint": hashlib.sha256(_OUT + draft.message_id.encode()).digest(),
        "stored_at": draft.date,
        "source": SOURCE,
        "envelope_from": None,
        "recipients": [person.address],
        "size_bytes": len(composed),
        "purpose": purpose,
        "message_id": draft.message_id,
        "references": list(reversed(draft.references)),
        "from_address": normalise(draft.from_.address),
        "from_name": draft.from_.name,
        "subject": draft.subject[:998],
        "sent_at": draft.date,
        "text": text,
        "attempts": 0,
    }
    mail_id = connection.scalars(insert(MailRow).returning(MailRow.id), [row]).one()
    raw.write(connection, [(mail_id, composed)])
    delivery = {
        "mail_id": mail_id,
        "ticket_id": None,
        "address_id": person.address_id,
        "recipient": person.address,
        "reply_to": reply_to,
        "automatic": True,
        "state": DeliveryState.QUEUED,
        "created_at": draft.date,
        "due_at": draft.date,
        "attempts": 0,
    }
    connection.execute(insert(DeliveryRow), [delivery])
    return mail_id
