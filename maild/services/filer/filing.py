"""One mail on its way through the filer, and why it goes where it goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import bindparam, select

from maild.desk import Happening, Opening
from maild.message.address import Address
from maild.message.commands import Command, Fault
from maild.message.forwarded import Passed
from maild.message.match import Verdict
from maild.message.reading import Reading
from maild.message.reply import Reply
from maild.message.shorten import shorten
from maild.outbox.letters import Collision
from maild.rules.events import Event
from maild.rules.placing import Place
from maild.rules.routing import Route
from maild.store import driver, raw
from maild.store.engine import Database
from maild.store.models import MailRow, MailState


@dataclass(frozen=True, slots=True)
class Inbound:
    """A stored mail, as it is fetched to be filed."""

    id: int
    envelope_from: str | None
    recipients: Sequence[str]
    stored_at: datetime
    attempts: int
    raw: bytes = field(repr=False)
    source: str = ""  # "imap support" of a mailbox
    old_since: datetime | None = None  # it came to a mailbox before maild read that: filed silently
    helo: str | None = None  # how the client called itself, if it came by SMTP
    login: str | None = None  # the agent who logged in to send it, normalised
    released_by: str | None = None  # who let it through after it was held
    delayed: bool = False  # it was to leave later, and is due now, or somebody spoke meanwhile
    guarded_at: datetime | None = None  # when its agent was last shown what it had missed


@dataclass(frozen=True, slots=True)
class Orders:
    """What an agent's mail asks for; with `faults` nothing."""

    events: tuple[Event, ...] = ()
    faults: tuple[Fault, ...] = ()
    people: tuple[Address, ...] = ()  # whom it names, to be written down
    block: str = ""  # as it was written
    words: tuple[str, ...] = ()
    request: Command | None = None  # of the desk, instead of events
    customer: Address | None = None  # whose ticket an agent's mail opens
    leaves_at: datetime | None = None  # of an answer that is not to leave at once
    lines: tuple[str, ...] = ()  # of his mail, by which each of the events came
    # How the ticket is opened that he begins; "" as the rules of the configuration say.
    department: str = ""
    priority: str = ""
    assignee: str = ""


@dataclass(slots=True)
class Filing:
    """One mail on its way: what it says, what it belongs to, what becomes of it."""

    mail: Inbound
    reading: Reading
    verdict: Verdict
    route: Route
    reply: Reply
    department: str
    also_for: tuple[str, ...] = ()  # further departments to whom the mail was addressed
    deliveries: Sequence[int] = ()  # of ours that its report says failed for good
    ticket: int | Opening | None = None
    notes: list[str] = field(default_factory=list)
    orders: Orders = Orders()  # of an agent
    collision: Collision | None = None  # why his answer is held
    joining: tuple[Address, ...] = ()  # who takes part from now on, because it names him
    alive: bool = False  # it shows that its sender's address works
    passed: Passed | None = None  # a customer's mail that an agent passes on
    place: Place | None = None  # where the ticket goes that it opens
    priority: str = "normal"  # of the ticket that it opens if its own is closed
    by_agent: bool = False  # From is an agent's address
    absent: bool = False  # an agent's, held since it reads like a note that he is away
    signed: Reply | None = None  # an agent's answer with his signature, where his department sends it along
    language: str | None = None  # in which a new request is written
    read: tuple[Route, driver.Ready] | None = None  # what the mail's row says of it, and the route by which it does
    happening: tuple[Route, Happening | None] | None = None  # what it does to its ticket, once prepared; by which route


_FETCH: Final = (
    select(
        MailRow.id,
        MailRow.envelope_from,
        MailRow.recipients,
        MailRow.stored_at,
        MailRow.attempts,
        MailRow.source,
        MailRow.old_since,
        MailRow.helo,
        MailRow.login,
        MailRow.released_by,
        MailRow.guarded_at,
        MailRow.state,
        MailRow.size_bytes,
    )
    .where(MailRow.id.in_(bindparam("ids", expanding=True)))
    .order_by(MailRow.id)
)


def fetch(database: Database, mail_ids: Sequence[int]) -> list[Inbound]:
    """Return stored mails with their bytes, in the order in which they were stored; of large ones shortened.

    Raises:
        LookupError: the bytes of one are not there.
    """
    with database.read() as connection:
        rows = connection.execute(_FETCH, {"ids": mail_ids}).all()
        raws = raw.of(connection, [row.id for row in rows if row.size_bytes <= raw.PIECE_BYTES])

    def whole(mail_id: int) -> Iterator[bytes]:
        with database.read() as connection:
            number = -1
            for number, piece in enumerate(raw.pieces(connection, mail_id)):  # noqa: B007 - looked at behind the loop
                yield piece
        if number < 0:
            raise LookupError(f"mail {mail_id} has no bytes")

    for row in rows:
        if row.id not in raws:
            raws[row.id] = shorten(partial(whole, row.id))
    return [
        Inbound(
            *row[:5],
            raws[row.id],
            source=row.source,
            old_since=row.old_since,
            helo=row.helo,
            login=row.login,
            released_by=row.released_by,
            guarded_at=row.guarded_at,
            delayed=row.state is MailState.DELAYED,
        )
        for row in rows
    ]


def evidence(filing: Filing) -> dict[str, Any]:
    """Return why the mail went where it went, for the record and for `maild mail explain`."""
    verdict, authenticated = filing.verdict, filing.reading.authentication
    return {
        "kind": filing.reading.kind.value,
        "kind_reasons": list(filing.reading.classification.reasons),
        "trust": authenticated.result.value,
        "trust_reasons": list(authenticated.reasons),
        "ticket": verdict.ticket_id,
        "proof": verdict.proof,
        "reasons": list(verdict.reasons),
        "related": list(verdict.related),
        "third_party": filing.route.third_party,
        "action": filing.route.action.value,
        "why": filing.route.reason,
        "released_by": filing.mail.released_by,
        "words": list(filing.orders.words),
        "placed": list(filing.place.reasons) if filing.place else [],
    }
