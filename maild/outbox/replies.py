"""Mails to one agent that belong to no ticket: what he asked his desk for.

At most `PER_HOUR`: a program that answers them under his address must not be answered for ever.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, func, select

from maild import people
from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message.address import Address, Keys, Role, Token, message_id, normalise, reply_address, sign
from maild.message.compose import Automatic, Draft
from maild.message.parse import Message
from maild.outbox.ticketless import write
from maild.people import Person
from maild.store.models import DeliveryRow, Direction, MailRow
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
        return write(connection, draft, person, mails.Purpose.DESK.value, reply_to=desk)

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
