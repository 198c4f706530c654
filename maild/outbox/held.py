"""Mails to agents whose name was used without proof: is this yours? With the addresses that release and reject it.

An agent who writes from a new program gets his mail through with one click; one whose name was forged learns of it. At
most `PER_AGENT` an hour: whoever forges his name must not be able to flood him, and what is held is listed in any case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, select

from maild import people
from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message.address import Address, normalise
from maild.message.subject import base_subject
from maild.message.tokens import Keys, release_address
from maild.outbox.ticketless import draft, write
from maild.people import Person
from maild.store.models import DeliveryRow, Direction, MailRow
from maild.templates import Templates, mails
from maild.templates.pieces import Who

log = structlog.get_logger("maild.outbox")

PER_AGENT: Final = ((timedelta(hours=1), 3), (timedelta(days=1), 10))
SHOWN: Final = 2_000  # characters of the held text


@dataclass(frozen=True, slots=True)
class Question:
    """A mail that is held, and what its agent is told of it."""

    mail_id: int
    agent: Agent
    department: str
    subject: str
    text: str
    at: datetime
    absent: bool = False  # it reads like a note that he is away
    ticket_id: int | None = None


class Questions:
    """Asks agents."""

    def __init__(self, settings: Settings, templates: Templates, keys: Keys) -> None:
        self._settings = settings
        self._templates = templates
        self._keys = keys

    def ask(self, connection: Connection, questions: Sequence[Question], now: datetime) -> None:
        """Write a mail for each of `questions`, as far as its agent is not asked too often."""
        if not questions:
            return
        agents = people.enrol(connection, [Address(each.agent.name, each.agent.address) for each in questions], now)
        asked = {each.address_id: self._asked(connection, each.address_id, now) for each in agents.values()}
        for question in questions:
            person = agents[normalise(question.agent.address)]
            before = asked[person.address_id]
            if any(sum(at > now - span for at in before) >= most for span, most in PER_AGENT):
                log.info("agent not asked, he was asked too often", mail=question.mail_id)
                continue
            before.append(now)
            self._write(connection, question, person, now)

    def _asked(self, connection: Connection, address_id: int, now: datetime) -> list[datetime]:
        longest = max(span for span, _ in PER_AGENT)
        return list(
            connection.scalars(
                select(DeliveryRow.created_at)
                .join(MailRow, MailRow.id == DeliveryRow.mail_id)
                .where(
                    DeliveryRow.address_id == address_id,
                    DeliveryRow.created_at > now - longest,
                    MailRow.purpose == mails.Purpose.HELD,
                    MailRow.direction == Direction.OUT,
                )
            )
        )

    def _write(self, connection: Connection, question: Question, person: Person, now: datetime) -> None:
        department = self._settings.department(question.department) or self._settings.departments[0]
        rendered = self._templates.render(
            self._words(question, person, department), self._settings.language_of(question.agent)
        )
        mail = draft(self._keys, department, person, rendered, now)
        mail_id = write(connection, mail, person, mails.Purpose.HELD.value, reply_to=department.address)
        log.info("agent asked whether it is his", mail=question.mail_id, asked_by=mail_id)

    def _words(self, question: Question, person: Person, department: Department) -> mails.Held:
        form = self._settings.maild.reply_form
        whose = (question.mail_id, person.address_id, department.address, form)
        return mails.Held(
            department=department.title,
            subject=base_subject(question.subject),
            zone=self._settings.timezone_of(question.agent),
            author=Who(question.agent.name, question.agent.address),
            at=question.at,
            text=question.text[:SHOWN],
            absent=question.absent,
            both=self._settings.maild.agent_trust == "both",
            ticket_id=question.ticket_id,
            release=release_address(self._keys, *whose),
            reject=release_address(self._keys, *whose, reject=True),
        )
