"""How much automatic mail went out before: asked once for a batch, counted on while the batch is decided."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from maild.message.address import valid
from maild.outbox.letters import Letter
from maild.rules import limits
from maild.rules.limits import Refusal, Sent
from maild.rules.ticket import Tell
from maild.store.models import DeliveryRow, MailRow
from maild.store.queries import UNPROVEN_ACKNOWLEDGEMENT


class Counts:
    """What was sent automatically, by address and ticket, and in all."""

    def __init__(self, connection: Connection, letters: Sequence[Letter], now: datetime) -> None:
        addresses = {person.address_id for letter in letters if letter.automatic for person in letter.recipients}
        self._sent: dict[int, list[tuple[int, str, datetime]]] = {}
        if addresses:
            rows = connection.execute(
                select(DeliveryRow.address_id, DeliveryRow.ticket_id, MailRow.purpose, DeliveryRow.created_at)
                .join(MailRow, MailRow.id == DeliveryRow.mail_id)
                .where(
                    DeliveryRow.address_id.in_(addresses),
                    DeliveryRow.created_at > now - limits.DAY,
                    DeliveryRow.automatic.is_(True),
                )
            )
            for address_id, ticket_id, purpose, at in rows:
                self._sent.setdefault(address_id, []).append((ticket_id or 0, purpose or "", at))
        self._in_all = self._in_all_unproven = 0
        if any(letter.post.tell is Tell.ACKNOWLEDGEMENT for letter in letters):
            self._in_all_unproven = _acknowledged(connection, now, UNPROVEN_ACKNOWLEDGEMENT)
            self._in_all = self._in_all_unproven + _acknowledged(connection, now, Tell.ACKNOWLEDGEMENT)

    def refuses(self, letter: Letter, now: datetime) -> Refusal | None:
        """Return why `letter` may not be sent, None if it may; then it counts as sent."""
        refusal = self._refusal(letter, now)
        if refusal is None and letter.automatic:
            for person in letter.recipients:
                self._sent.setdefault(person.address_id, []).append((letter.post.thread.ticket_id, letter.purpose, now))
            if letter.post.tell is Tell.ACKNOWLEDGEMENT:
                self._in_all += 1
                self._in_all_unproven += not letter.proven
        return refusal

    def _refusal(self, letter: Letter, now: datetime) -> Refusal | None:
        person = letter.to[0]
        if not valid(person.address):
            return Refusal("there is no address to write to")
        if not letter.automatic:
            return None
        sent = self._sent.get(person.address_id, ())
        ticket_id = letter.post.thread.ticket_id
        on_ticket = [at for ticket, _, at in sent if ticket == ticket_id and ticket_id]
        if letter.agent:
            return limits.refuses_agent(on_ticket, now)
        return limits.refuses(
            Sent(
                on_ticket,
                [at for _, purpose, at in sent if purpose in (Tell.ACKNOWLEDGEMENT, UNPROVEN_ACKNOWLEDGEMENT)],
                self._in_all,
                self._in_all_unproven,
            ),
            now,
            acknowledgement=letter.post.tell is Tell.ACKNOWLEDGEMENT,
            proven=letter.proven,
            silenced_until=letter.post.thread.silenced_until,
            suppressed_until=person.suppressed_until,
        )


def _acknowledged(connection: Connection, now: datetime, purpose: str) -> int:
    return (
        connection.scalar(select(func.count()).where(MailRow.purpose == purpose, MailRow.stored_at > now - limits.HOUR))
        or 0
    )
