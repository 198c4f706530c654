"""What was said on tickets, as later mails quote it, refer to it and must have read it.

The statements are built once, as constants: building one anew costs five times what asking it does.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from maild.rules.routing import Action
from maild.rules.state import Tell
from maild.store.models import Direction, MailRow, TicketRow

UNPROVEN_ACKNOWLEDGEMENT: Final = "acknowledgement_unproven"  # the purpose of one to an address that is not proven
LATEST: Final = 8  # mails of a ticket that are quoted, referred to and recognised in answers
_FROM_CUSTOMER: Final = frozenset({Action.OPEN, Action.CUSTOMER, Action.SOLVED, Action.PROBLEM, Action.RATING})
_TO_CUSTOMER: Final = frozenset(
    {
        Tell.ACKNOWLEDGEMENT,
        UNPROVEN_ACKNOWLEDGEMENT,
        Tell.ANSWER,
        Tell.REMINDER,
        Tell.RESOLVED,
        Tell.FOLLOW_UP,
        Tell.RATING,
    }
)
_NEWEST: Final = func.row_number().over(partition_by=MailRow.ticket_id, order_by=MailRow.id.desc())
# Not what agents are told: of three agents and two warnings the customer's own mail would be the ninth.
_RANKED: Final = (
    select(MailRow.id, _NEWEST.label("rank"))
    .where(
        MailRow.ticket_id.in_(bindparam("tickets", expanding=True)),
        or_(
            and_(MailRow.direction == Direction.IN, MailRow.purpose.in_((*_FROM_CUSTOMER, Action.NOTE))),
            and_(MailRow.direction == Direction.OUT, MailRow.purpose.in_(_TO_CUSTOMER)),
        ),
    )
    .subquery("ranked")
)
_LATEST: Final = (
    select(
        MailRow.ticket_id,
        MailRow.direction,
        MailRow.purpose,
        MailRow.message_id,
        MailRow.references,
        MailRow.from_name,
        MailRow.from_address,
        MailRow.text,
        MailRow.stored_at,
        MailRow.source,
        MailRow.id,
        MailRow.passed_by,
        MailRow.noted,
    )
    .join(_RANKED, _RANKED.c.id == MailRow.id)
    .where(_RANKED.c.rank <= LATEST)
    .order_by(_RANKED.c.rank)
)
_ALIASES: Final = select(TicketRow.id, TicketRow.merged_into).where(
    TicketRow.merged_into.in_(bindparam("tickets", expanding=True))
)
_SENT: Final = select(MailRow.message_id, MailRow.id, MailRow.stored_at, MailRow.purpose, MailRow.about_id).where(
    MailRow.message_id.in_(bindparam("ids", expanding=True)),
    MailRow.direction == Direction.OUT,
    MailRow.ticket_id.is_not(None),
)
_REFERENCES: Final = select(MailRow.id, MailRow.references).where(MailRow.id.in_(bindparam("mails", expanding=True)))
_KNOWN_AT: Final = func.coalesce(MailRow.filed_at, MailRow.stored_at, type_=MailRow.stored_at.type)
_SPOKEN: Final = (
    select(
        MailRow.ticket_id,
        MailRow.from_name,
        MailRow.from_address,
        MailRow.text,
        MailRow.stored_at,
        MailRow.id,
        _KNOWN_AT,
        MailRow.direction,
    )
    .where(
        MailRow.ticket_id.in_(bindparam("tickets", expanding=True)),
        bindparam("since", type_=MailRow.stored_at.type) <= _KNOWN_AT,
        or_(
            and_(MailRow.direction == Direction.IN, MailRow.purpose.in_((Action.CUSTOMER, Action.PROBLEM))),
            and_(MailRow.direction == Direction.OUT, MailRow.purpose == Tell.ANSWER),
        ),
    )
    .order_by(MailRow.id)
)


@dataclass(frozen=True, slots=True)
class Said:
    """A mail on a ticket, as later mails refer to it and quote it."""

    ticket_id: int
    direction: Direction
    purpose: str | None
    message_id: str | None
    references: Sequence[str]  # newest first
    from_name: str | None
    from_address: str | None
    text: str | None
    at: datetime
    source: str
    id: int
    passed_by: str | None  # the agent who passed it on
    noted: str | None  # and what he wrote above it

    @property
    def with_customer(self) -> bool:
        """Whether the customer wrote it or got it."""
        return self.purpose in (_FROM_CUSTOMER if self.direction is Direction.IN else _TO_CUSTOMER)


@dataclass(frozen=True, slots=True)
class Newer:
    """What somebody said in public."""

    ticket_id: int
    name: str
    address: str  # of the customer, or of the agent who answered
    text: str
    at: datetime
    mail_id: int = 0
    known_at: datetime | None = None  # since when the desk has it: when it was filed, or written
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail of ours on a ticket."""

    mail_id: int
    at: datetime
    purpose: str
    about_id: int | None  # the mail that it tells of


def latest(connection: Connection, ticket_ids: Collection[int], *, merged: bool = False) -> dict[int, tuple[Said, ...]]:
    """Return the latest mails of tickets, newest first; if `merged`, those of what was merged into them among them."""
    if not ticket_ids:
        return {}
    into = aliases(connection, ticket_ids) if merged else {}
    rows = connection.execute(_LATEST, {"tickets": [*ticket_ids, *into]})
    gathered: dict[int, list[Said]] = {}
    for ticket_id, direction, purpose, message_id, references, *rest in rows:
        if ticket_id is not None:
            said = Said(ticket_id, direction, purpose, message_id, references or (), *rest)
            gathered.setdefault(into.get(ticket_id, ticket_id), []).append(said)
    for ticket_id in set(into.values()) & gathered.keys():
        gathered[ticket_id] = sorted(gathered[ticket_id], key=lambda each: -each.id)[:LATEST]
    return {ticket_id: tuple(each) for ticket_id, each in gathered.items()}


def aliases(connection: Connection, ticket_ids: Collection[int]) -> dict[int, int]:
    """Return which tickets were merged into these, each with the one of them into which it was, in the end."""
    into: dict[int, int] = {}
    wanted = list(ticket_ids)
    while wanted:
        rows = connection.execute(_ALIASES, {"tickets": wanted}).all()
        found = {row.id: into.get(row.merged_into, row.merged_into) for row in rows if row.id not in into}
        into |= found
        wanted = list(found)
    return into


def spoken(connection: Connection, ticket_ids: Collection[int], since: datetime) -> dict[int, list[Newer]]:
    """Return what customers and agents said on tickets, as far as the desk has it since then, oldest first."""
    gathered: dict[int, list[Newer]] = {}
    rows = connection.execute(_SPOKEN, {"tickets": list(ticket_ids), "since": since})
    for ticket_id, name, address, text, at, mail_id, known_at, direction in rows:
        if ticket_id is not None:
            newer = Newer(
                ticket_id, name or "", address or "", text or "", at, mail_id, known_at, direction is Direction.OUT
            )
            gathered.setdefault(ticket_id, []).append(newer)
    return gathered


def sent(connection: Connection, message_ids: Collection[str]) -> dict[str, Sent]:
    """Return those of `message_ids` that are mails of ours on tickets."""
    if not message_ids:
        return {}
    rows = connection.execute(_SENT, {"ids": list(message_ids)})
    return {row.message_id: Sent(row.id, row.stored_at, row.purpose or "", row.about_id) for row in rows}


def references(connection: Connection, mail_ids: Collection[int]) -> dict[int, list[str]]:
    """Return what mails answer, newest first."""
    if not mail_ids:
        return {}
    return {row.id: row.references or [] for row in connection.execute(_REFERENCES, {"mails": list(mail_ids)})}
