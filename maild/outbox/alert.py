"""Mails to the operator: what he must know although he is not looking.

They leave by the relay like any other mail, in the transaction of what they tell. Without `maild.operator` in the
configuration nobody is written to; what happened is in the log in any case.
"""

import secrets
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from maild import people
from maild.config import Settings
from maild.message.address import Address, normalise
from maild.message.compose import Automatic, Draft
from maild.outbox.ticketless import write

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
    return write(connection, draft, operator, ALERT, text=draft.text)
