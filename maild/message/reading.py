"""All that one mail says by itself: parsed, classified, authenticated, with its clues to a ticket.

`read` needs no database and never fails, so it runs before any transaction, once for each mail.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from maild.message import authentication, classify, match
from maild.message.address import Address, normalise, valid
from maild.message.authentication import Authentication, Organisation
from maild.message.bounce import Bounce
from maild.message.classify import Classification, Kind
from maild.message.match import Clues
from maild.message.parse import Message, parse
from maild.message.tokens import (
    Forged,
    Keys,
    may_be_signed,
    read_bounce_address,
    read_message_id,
    read_release_address,
)

MOST_BOUNCED_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Known:
    """What reading needs to know of us."""

    keys: Keys
    ours: Collection[str]  # our departments' addresses (and domains, with catch-all addresses), normalised
    authserv_id: str | None = None
    organisation: Organisation | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says."""

    message: Message
    classification: Classification
    authentication: Authentication
    clues: Clues
    author: Address  # in From
    writer: Address  # who is answered: Reply-To where it names one person, else the author
    sender: str  # the author, normalised: by From alone people are recognised, since Reply-To is anybody's word
    bounced: tuple[int, ...] = ()  # our deliveries that a report is about
    bounce: Bounce | None = None
    release: tuple[int, int] | Forged | None = None  # the held mail that it asks to release, and whom that was made for
    rejects: bool = False  # it asks to reject that one

    @property
    def kind(self) -> Kind:
        """The class of the mail."""
        return self.classification.kind


def read(raw: bytes, envelope_from: str | None, recipients: Sequence[str], known: Known, now: datetime) -> Reading:
    """Return what the mail `raw` says, sent by `envelope_from` ("" is the null sender, None unknown)."""
    message = parse(raw)
    classified = classify.classify(
        message, envelope_from, own_mark=lambda each: isinstance(read_message_id(known.keys, each.message_id, now), int)
    )
    authenticated = authentication.verdict(message, known.authserv_id, known.organisation)
    author = message.from_ or message.sender or Address("", envelope_from or "")
    writer = _writer(message, author, known.ours)
    deliveries = tuple(_bounced(recipients, known, now))
    return Reading(
        message,
        classified,
        authenticated,
        match.collect(message, recipients, known.keys, known.ours, now),
        author,
        writer,
        normalise(author.address),
        deliveries,
        classified.bounce,
        *_release(message, recipients, known, now),
    )


def _writer(message: Message, author: Address, ours: Collection[str]) -> Address:
    """Return who is to be answered (RFC 5322 3.6.2): contact forms write for a customer and name him in Reply-To."""
    named = [each for each in message.reply_to if valid(each.address)]
    if len(named) != 1 or not valid(author.address):
        return author
    normal = normalise(named[0].address)
    if normal in ours or normal == normalise(author.address) or _is_signed(normal, ours):
        return author
    return Address(named[0].name or author.name, named[0].address)


def _is_signed(normal: str, ours: Collection[str]) -> bool:
    local, _, domain = normal.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" in ours or domain in ours


def _release(
    message: Message, recipients: Sequence[str], known: Known, now: datetime
) -> tuple[tuple[int, int] | Forged | None, bool]:
    """Return the held mail that a mail is about, and whether it rejects it."""
    for _, address in match.maybe_signed(message, recipients):
        for rejects in (False, True):
            found = read_release_address(known.keys, address, known.ours, now, reject=rejects)
            if found is not None:
                return found, rejects
    return None, False


def _bounced(recipients: Sequence[str], known: Known, now: datetime) -> list[int]:
    asked = filter(may_be_signed, recipients[:MOST_BOUNCED_RECIPIENTS])
    found = (read_bounce_address(known.keys, each, known.ours, now) for each in asked)
    return [each for each in found if each is not None and not isinstance(each, Forged)]
