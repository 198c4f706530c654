"""A mail of ours that belongs to no ticket, written down with its one delivery: an alert, a question, an answer."""

import hashlib
import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert

from maild.config.desks import Department
from maild.message.address import Address, normalise
from maild.message.compose import Automatic, Draft, compose
from maild.message.parse import Message
from maild.message.tokens import Keys, message_id
from maild.outbox.purposes import SOURCE
from maild.people import Person
from maild.store import raw
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow, MailState
from maild.templates import Rendered

_OUT: Final = b"out\0"  # as for mails of tickets: our own mail that comes back is a row of its own


def draft(
    keys: Keys, department: Department, person: Person, rendered: Rendered, now: datetime, asked: Message | None = None
) -> Draft:
    """Return the mail by which a department tells an agent what is `rendered`, in answer to what he `asked`, if he did.

    Its Message-ID is of no ticket, and known as ours.
    """
    return Draft(
        from_=Address(department.title, department.address),
        to=(person.mailbox,),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=message_id(keys, 0, secrets.token_hex(8), department.address.rpartition("@")[2]),
        date=now,
        in_reply_to=asked.message_id if asked else "",
        references=(asked.message_id,) if asked and asked.message_id else (),
        automatic=Automatic.REPLIED if asked else Automatic.GENERATED,
    )


def write(
    connection: Connection, mail: Draft, person: Person, purpose: str, *, reply_to: str = "", text: str | None = None
) -> int:
    """Write `mail` to `person`, to be sent at once; return the id of the mail.

    Without `reply_to` answers go to its From. `text` is kept beside the bytes where commands show it.
    """
    composed = compose(mail)
    row = {
        "direction": Direction.OUT,
        "state": MailState.OUT,
        "fingerprint": hashlib.sha256(_OUT + mail.message_id.encode()).digest(),
        "stored_at": mail.date,
        "source": SOURCE,
        "envelope_from": None,
        "recipients": [person.address],
        "size_bytes": len(composed),
        "purpose": purpose,
        "message_id": mail.message_id,
        "references": list(reversed(mail.references)),
        "from_address": normalise(mail.from_.address),
        "from_name": mail.from_.name,
        "subject": mail.subject[:998],
        "sent_at": mail.date,
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
        "created_at": mail.date,
        "due_at": mail.date,
        "attempts": 0,
    }
    connection.execute(insert(DeliveryRow), [delivery])
    return mail_id
