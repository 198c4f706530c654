"""Mails to the operator: what he must know although he is not looking.

They leave by the relay like any other mail, in the transaction of what they tell. Without `maild.operator` in the
configuration nobody is written to; what happened is in the log in any case.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, insert

from maild import people
from maild.config import Settings
from maild.message.address import Address, normalise
from maild.message.compose import Automatic, Draft, compose
from maild.outbox.posting import PIECE_BYTES, SOURCE
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow, MailState, RawRow

log = structlog.get_logger("maild.outbox")

ALERT: Final = "alert"  # the mail's purpose


def post(connection: Connection, settings: Settings, subject: str, text: str, now: datetime) -> int | None:
    """Write a mail to the operator; return the mail's id, None if the configuration names no operator."""
    log.warning("alert", subject=subject)
    if settings.maild.operator is None:
        return None
    sender = settings.departments[0].address
    operator = people.enrol(connection, [Address("", settings.maild.operator)], now)[normalise(settings.maild.operator)]
    message_id = f"alert.{secrets.token_hex(12)}@{sender.rpartition('@')[2]}"
    draft = Draft(
        from_=Address("maild", sender),
        to=(operator.mailbox,),
        subject=subject,
        text=text,
        message_id=message_id,
        date=now,
        automatic=Automatic.GENERATED,
    )
    raw = compose(draft)
    mail_id = connection.scalars(insert(MailRow).returning(MailRow.id), [_mail(draft, raw, operator.address)]).one()
    connection.execute(
        insert(RawRow),
        [
            {"mail_id": mail_id, "number": number, "content": raw[start : start + PIECE_BYTES]}
            for number, start in enumerate(range(0, len(raw), PIECE_BYTES))
        ],
    )
    connection.execute(
        insert(DeliveryRow),
        [
            {
                "mail_id": mail_id,
                "ticket_id": None,
                "address_id": operator.address_id,
                "recipient": operator.address,
                "reply_to": "",
                "automatic": True,
                "state": DeliveryState.QUEUED,
                "created_at": now,
                "due_at": now,
                "attempts": 0,
            }
        ],
    )
    return mail_id


def _mail(draft: Draft, raw: bytes, recipient: str) -> dict[str, object]:
    return {
        "direction": Direction.OUT,
        "state": MailState.OUT,
        "fingerprint": hashlib.sha256(b"out\0" + draft.message_id.encode()).digest(),
        "stored_at": draft.date,
        "source": SOURCE,
        "envelope_from": None,
        "recipients": [recipient],
        "size_bytes": len(raw),
        "purpose": ALERT,
        "message_id": draft.message_id,
        "from_address": normalise(draft.from_.address),
        "from_name": draft.from_.name,
        "subject": draft.subject[:998],
        "sent_at": draft.date,
        "text": draft.text,
        "attempts": 0,
    }
