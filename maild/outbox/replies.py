"""Mails to one agent that belong to no ticket: what he asked his desk for, his digest, his welcome.

At most `PER_HOUR` answers: a program that answers them under his address must not be answered for ever.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, func, select

from maild import people
from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message.address import Address, normalise
from maild.message.parse import Message
from maild.message.tokens import Keys, Role, Token, release_address, reply_address, sign
from maild.outbox.ticketless import draft, write
from maild.people import Person
from maild.store.models import DeliveryRow, Direction, MailRow
from maild.templates import Templates, mails

log = structlog.get_logger("maild.outbox")

PER_HOUR: Final = 60

WordsIn = Callable[[dict[str, Any]], mails.Mail]  # what the mail says, given the values that every such mail has


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
        return self.answer(connection, agent, asked, lambda frame: mails.Desk(**frame, **answer), now)

    def answer(self, connection: Connection, agent: Agent, asked: Message, words: WordsIn, now: datetime) -> int | None:
        """Write an answer to what an agent asked; return the mail's id, None if he had too many within an hour."""
        person = self._person(connection, agent, now)
        if self._sent(connection, person, now - timedelta(hours=1)) >= PER_HOUR:
            log.warning("desk asked too often, not answered", agent=agent.address)
            return None
        return self._write(connection, agent, person, words, now, asked)

    def tell(self, connection: Connection, agent: Agent, words: WordsIn, now: datetime) -> int:
        """Write an agent a mail that he did not ask for; return its id."""
        return self._write(connection, agent, self._person(connection, agent, now), words, now)

    def release(
        self, connection: Connection, agent: Agent, mail_id: int, now: datetime, *, reject: bool = False
    ) -> str:
        """Return the address by which an agent releases, or rejects, a mail that is held in his name."""
        base, form = self._department(agent).address, self._settings.maild.reply_form
        person = self._person(connection, agent, now)
        return release_address(self._keys, mail_id, person.address_id, base, form, reject=reject)

    def _person(self, connection: Connection, agent: Agent, now: datetime) -> Person:
        mailbox = Address(agent.name, agent.address)
        return people.enrol(connection, [mailbox], now)[normalise(agent.address)]

    def _department(self, agent: Agent) -> Department:
        return self._settings.department(agent.departments[0]) or self._settings.departments[0]

    def _write(
        self,
        connection: Connection,
        agent: Agent,
        person: Person,
        words: WordsIn,
        now: datetime,
        asked: Message | None = None,
    ) -> int:
        department = self._department(agent)
        desk = self._desk(department, person)
        told = words({"department": department.title, "zone": self._settings.timezone_of(agent), "desk": desk})
        rendered = self._templates.render(told, self._settings.language_of(agent))
        mail = draft(self._keys, department, person, rendered, now, asked)
        return write(connection, mail, person, told.purpose.value, reply_to=desk)

    def _sent(self, connection: Connection, person: Person, since: datetime) -> int:
        return (
            connection.scalar(
                select(func.count())
                .select_from(DeliveryRow)
                .join(MailRow, MailRow.id == DeliveryRow.mail_id)
                .where(
                    DeliveryRow.address_id == person.address_id,
                    DeliveryRow.created_at > since,
                    MailRow.purpose.in_((mails.Purpose.DESK, mails.Purpose.REPORT)),
                    MailRow.direction == Direction.OUT,
                )
            )
            or 0
        )

    def _desk(self, department: Department, person: Person) -> str:
        token = sign(self._keys, Token(0, Role.DESK, person.address_id))
        return reply_address(department.address, token, self._settings.maild.reply_form)
