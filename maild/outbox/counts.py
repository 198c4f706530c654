"""How much automatic mail went out before: asked once for a batch, counted on while the batch is decided."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from maild.message.address import normalise
from maild.outbox.letters import Letter
from maild.rules import limits
from maild.rules.limits import Refusal, Sent
from maild.rules.state import Tell
from maild.store.conversations import UNPROVEN_ACKNOWLEDGEMENT
from maild.store.models import DeliveryRow, MailRow

_ON_TICKET: Final = select(DeliveryRow.ticket_id, DeliveryRow.address_id, DeliveryRow.created_at).where(
    DeliveryRow.ticket_id.in_(bindparam("tickets", expanding=True)),
    DeliveryRow.created_at > bindparam("since"),
    DeliveryRow.automatic.is_(True),
)
_ACKNOWLEDGED: Final = (
    select(DeliveryRow.address_id, DeliveryRow.created_at)
    .join(MailRow, MailRow.id == DeliveryRow.mail_id)
    .where(
        DeliveryRow.address_id.in_(bindparam("addresses", expanding=True)),
        DeliveryRow.created_at > bindparam("since"),
        MailRow.purpose.in_((Tell.ACKNOWLEDGEMENT.value, UNPROVEN_ACKNOWLEDGEMENT)),
    )
)
_ASKED: Final = (
    select(DeliveryRow.address_id)
    .join(MailRow, MailRow.id == DeliveryRow.mail_id)
    .where(
        DeliveryRow.address_id.in_(bindparam("addresses", expanding=True)),
        DeliveryRow.created_at > bindparam("since"),
        MailRow.purpose == Tell.RATING.value,
    )
)
_IN_ALL: Final = select(func.count()).where(
    MailRow.purpose == bindparam("purpose"), MailRow.stored_at > bindparam("since")
)


_UNPROVEN: Final = (
    select(DeliveryRow.recipient)
    .join(MailRow, MailRow.id == DeliveryRow.mail_id)
    .where(MailRow.purpose == UNPROVEN_ACKNOWLEDGEMENT, MailRow.stored_at > bindparam("since"))
)


class Counts:
    """What was sent automatically, on each ticket, to each address, and in all.

    No more is read than is asked about: an agent gets a thousand notifications a day, of which those on the tickets
    of the batch matter.
    """

    def __init__(self, connection: Connection, letters: Sequence[Letter], now: datetime) -> None:
        self._on_ticket: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)  # by ticket and address
        self._acknowledged: defaultdict[int, list[datetime]] = defaultdict(list)  # by address
        self._in_all = self._in_all_unproven = 0
        tickets = {letter.post.thread.ticket_id for letter in letters if letter.automatic}
        if tickets:
            rows = connection.execute(_ON_TICKET, {"tickets": list(tickets), "since": now - limits.DAY})
            for ticket_id, address_id, at in rows:
                self._on_ticket[ticket_id or 0, address_id].append(at)
        asked = {letter.to[0].address_id for letter in letters if letter.post.tell is Tell.RATING}
        self._asked: set[int] = set()  # how we did, by address
        if asked:
            since = now - limits.RATED_AGAIN
            self._asked.update(connection.scalars(_ASKED, {"addresses": list(asked), "since": since}))
        self._in_domain: Counter[str] = Counter()  # acknowledgements to unproven addresses
        thanking = [letter for letter in letters if letter.post.tell is Tell.ACKNOWLEDGEMENT]
        if thanking:
            self._count_acknowledgements(connection, {letter.to[0].address_id for letter in thanking}, now)
        if not all(letter.proven for letter in thanking):
            recipients = connection.scalars(_UNPROVEN, {"since": now - limits.DAY})
            self._in_domain.update(map(_domain, recipients))

    def _count_acknowledgements(self, connection: Connection, addresses: set[int], now: datetime) -> None:
        rows = connection.execute(_ACKNOWLEDGED, {"addresses": list(addresses), "since": now - limits.DAY})
        for address_id, at in rows:
            self._acknowledged[address_id].append(at)
        self._in_all_unproven = _acknowledged(connection, now, UNPROVEN_ACKNOWLEDGEMENT)
        self._in_all = self._in_all_unproven + _acknowledged(connection, now, Tell.ACKNOWLEDGEMENT)

    def refuses(self, letter: Letter, now: datetime) -> Refusal | None:
        """Return why `letter` may not be sent, None if it may; then it counts as sent."""
        refusal = self._refusal(letter, now)
        if refusal is None and letter.automatic:
            for person in letter.recipients:
                self._on_ticket[letter.post.thread.ticket_id, person.address_id].append(now)
                if letter.post.tell is Tell.ACKNOWLEDGEMENT:
                    self._acknowledged[person.address_id].append(now)
                if letter.post.tell is Tell.RATING:
                    self._asked.add(person.address_id)
            if letter.post.tell is Tell.ACKNOWLEDGEMENT:
                self._in_all += 1
                self._in_all_unproven += not letter.proven
                self._in_domain[_domain(letter.to[0].address)] += not letter.proven
        return refusal

    def _refusal(self, letter: Letter, now: datetime) -> Refusal | None:
        person = letter.to[0]
        if not letter.automatic:
            return None
        on_ticket = self._on_ticket[letter.post.thread.ticket_id, person.address_id]
        if letter.agent:
            return limits.refuses_agent(on_ticket, now)
        return limits.refuses(
            Sent(
                on_ticket,
                self._acknowledged[person.address_id],
                person.address_id in self._asked,
                self._in_all,
                self._in_all_unproven,
                self._in_domain[_domain(person.address)],
            ),
            now,
            acknowledgement=letter.post.tell is Tell.ACKNOWLEDGEMENT,
            rating=letter.post.tell is Tell.RATING,
            proven=letter.proven,
            silenced_until=letter.post.thread.silenced_until,
            suppressed_until=person.suppressed_until,
        )


def _domain(address: str) -> str:
    return normalise(address).rpartition("@")[2]


def _acknowledged(connection: Connection, now: datetime, purpose: str) -> int:
    return connection.scalar(_IN_ALL, {"purpose": purpose, "since": now - limits.HOUR}) or 0
