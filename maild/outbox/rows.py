"""The rows of letters: mails, their bytes, their deliveries; a statement a table for many."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Dialect

from maild.message.address import normalise
from maild.outbox.letters import Asked, Collision, Done, FiledMail, Letter, Post, Undelivered
from maild.outbox.purposes import SOURCE
from maild.people import Person
from maild.rules.state import Tell
from maild.store import driver, raw, search
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow, MailState

_MAIL: Final = (
    "direction",
    "state",
    "fingerprint",
    "stored_at",
    "source",
    "recipients",
    "size_bytes",
    "ticket_id",
    "purpose",
    "message_id",
    "references",
    "from_address",
    "from_name",
    "subject",
    "sent_at",
    "text",
    "about_id",
    "attempts",
)
_INSERT_MAIL: Final = driver.insert(MailRow, *_MAIL)
_INSERT_DELIVERY: Final = driver.insert(
    DeliveryRow,
    "mail_id",
    "ticket_id",
    "address_id",
    "recipient",
    "reply_to",
    "leave",
    "automatic",
    "state",
    "created_at",
    "due_at",
    "attempts",
)


def ready(dialect: Dialect, letter: Letter, now: datetime) -> driver.Ready:
    """Return the row of a letter that is made, as the driver takes it."""
    return _INSERT_MAIL.ready(dialect, _mail(letter, now))


def write(connection: Connection, letters: Sequence[Letter], now: datetime) -> None:
    """Write letters that are made."""
    dialect = connection.dialect
    mails = [letter.ready or ready(dialect, letter, now) for letter in letters]
    ids = _INSERT_MAIL.execute_returning(connection, mails, "fingerprint", "id")
    mail_ids = [ids[_fingerprint(letter)] for letter in letters]
    raw.write(connection, zip(mail_ids, (letter.raw for letter in letters), strict=True))
    deliveries = [
        _delivery(mail_id, letter, person, now)
        for mail_id, letter in zip(mail_ids, letters, strict=True)
        for person in letter.recipients
    ]
    _INSERT_DELIVERY.execute(connection, deliveries)
    for letter in letters:
        letter.raw, letter.ready = b"", None
    spoken = zip(mail_ids, letters, strict=True)
    search.note(connection, (mail_id for mail_id, letter in spoken if letter.post.tell is Tell.ANSWER), now)


def _mail(letter: Letter, now: datetime) -> dict[str, Any]:
    post = letter.post
    return {
        "direction": Direction.OUT,
        "state": MailState.OUT,
        "fingerprint": _fingerprint(letter),
        "stored_at": now,
        "source": post.agent or SOURCE,
        "recipients": [each.address for each in letter.recipients],
        "size_bytes": len(letter.raw),
        "ticket_id": post.thread.ticket_id,
        "purpose": letter.purpose,
        "message_id": letter.message_id,
        "references": list(reversed(letter.references)),
        "from_address": post.agent or normalise(letter.department.address),
        "from_name": letter.speaker,
        "subject": letter.subject[:998],
        "sent_at": now,
        "text": letter.text or None,
        "about_id": _about(post),
        "attempts": 0,
    }


def _fingerprint(letter: Letter) -> bytes:
    """Return what no other mail has; not as a mail that comes in: our own that comes back is a row of its own."""
    return hashlib.sha256(b"out\0" + letter.message_id.encode()).digest()


def _about(post: Post) -> int | None:
    """Return the mail that a post tells of, None if it tells of none."""
    match post.about:
        case FiledMail():
            return post.about.id
        case Collision() | Undelivered() | Done():
            return post.about.mail_id
        case Asked() | None:
            return None


def _delivery(mail_id: int, letter: Letter, person: Person, now: datetime) -> dict[str, Any]:
    return {
        "mail_id": mail_id,
        "ticket_id": letter.post.thread.ticket_id,
        "address_id": person.address_id,
        "recipient": person.address,
        "reply_to": letter.reply_to[person.address_id],
        "leave": letter.leave.get(person.address_id),
        "automatic": letter.automatic,
        "state": DeliveryState.QUEUED,
        "created_at": now,
        "due_at": now,
        "attempts": 0,
    }
