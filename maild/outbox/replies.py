"""Mails to one agent that belong to no ticket: what he asked his desk for.

At most `PER_HOUR`: a program that answers them under his address must not be answered for ever.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, func, insert, select

from maild import people
from maild.config import Settings
from maild.config.settings import Agent, Department
from maild.message.address import Address, Keys, Role, Token, message_id, normalise, reply_address, sign
from maild.message.compose import Automatic, Draft, compose
from maild.message.parse import Message
from maild.outbox.posting import PIECE_BYTES, SOURCE
from maild.people import Person
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow, MailState, RawRow
from maild.templates import Templates, mails

log = structlog.get_logger("maild.outbox")

PER_HOUR: Final = 60


class Replies:
    """Writes them, each as durable as the transaction that it is given."""

    def __init__(self, settings: Settings, templates: Templates, keys: Keys) -> None:
        self._settings = settings
        self._templates = templates
        self._keys = keys

    def write(
        self, connection: Connection, agent: Agent, asked: Message, answer: dict[str, Any], now: datetime
    ) -> int | None:
        """Write the answer (the fields of `templates.mails.Desk`) to what an agent asked; return the mail's id.

        None if he had too many within an hour.
        """
        department = self._settings.department(agent.departments[0]) or self._settings.departments[0]
        mailbox = Address(agent.name, agent.address)
        person = people.enrol(connection, [mailbox], now)[normalise(agent.address)]
        if self._sent(connection, person, now - timedelta(hours=1)) >= PER_HOUR:
            log.warning("desk asked too often, not answered", agent=agent.address)
            return None
        desk = self._desk(department, person)
        words = mails.Desk(department=department.title, zone=self._settings.timezone_of(agent), desk=desk, **answer)
        rendered = self._templates.render(words, self._settings.language_of(agent))
        draft = Draft(
            from_=Address(department.title, department.address),
            to=(person.mailbox,),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=message_id(self._keys, 0, secrets.token_hex(8), department.address.rpartition("@")[2]),
            date=now,
            in_reply_to=asked.message_id,
            references=(asked.message_id,) if asked.message_id else (),
            automatic=Automatic.REPLIED,
        )
        raw = compose(draft)
        mail_id = connection.scalars(insert(MailRow).returning(MailRow.id), [_mail(draft, raw, person)]).one()
        connection.execute(
            insert(RawRow),
            [
                {"mail_id": mail_id, "number": number, "content": raw[start : start + PIECE_BYTES]}
                for number, start in enumerate(range(0, len(raw), PIECE_BYTES))
            ],
        )
        connection.execute(insert(DeliveryRow), [_delivery(mail_id, person, desk, now)])
        return mail_id

    def _sent(self, connection: Connection, person: Person, since: datetime) -> int:
        return (
            connection.scalar(
                select(func.count())
                .select_from(DeliveryRow)
                .join(MailRow, MailRow.id == DeliveryRow.mail_id)
                .where(
                    DeliveryRow.address_id == person.address_id,
                    DeliveryRow.created_at > since,
                    MailRow.purpose == mails.Purpose.DESK,
                    MailRow.direction == Direction.OUT,
                )
            )
            or 0
        )

    def _desk(self, department: Department, person: Person) -> str:
        token = sign(self._keys, Token(0, Role.DESK, person.address_id))
        return reply_address(department.address, token, self._settings.maild.reply_form)


def _mail(draft: Draft, raw: bytes, person: Person) -> dict[str, Any]:
    return {
        "direction": Direction.OUT,
        "state": MailState.OUT,
        "fingerprint": hashlib.sha256(b"out\0" + draft.message_id.encode()).digest(),
        "stored_at": draft.date,
        "source": SOURCE,
        "envelope_from": None,
        "recipients": [person.address],
        "size_bytes": len(raw),
        "purpose": mails.Purpose.DESK.value,
        "message_id": draft.message_id,
        "from_address": normalise(draft.from_.address),
        "from_name": draft.from_.name,
        "subject": draft.subject[:998],
        "sent_at": draft.date,
        "attempts": 0,
    }


def _delivery(mail_id: int, person: Person, desk: str, now: datetime) -> dict[str, Any]:
    return {
        "mail_id": mail_id,
        "ticket_id": None,
        "address_id": person.address_id,
        "recipient": person.address,
        "reply_to": desk,
        "automatic": True,
        "state": DeliveryState.QUEUED,
        "created_at": now,
        "due_at": now,
        "attempts": 0,
    }
