"""Old mail from elsewhere, filed in silence: tickets that are resolved, with the dates that the mails have.

    files      what programs leave behind: mbox, Maildir
    `bring`    into the inbox, a batch at a time; the daemon files it as it does all mail

It goes through the inbox like any mail, so the same mail twice is one row: whoever breaks off begins again, and what
was there already is recognised. Nobody is written to about mail that came before `old_since` (`services.filer`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from maild import inbox
from maild.importers.files import Found
from maild.store.engine import Database

BATCH_MAILS: Final = 100
BATCH_BYTES: Final = 8 * 2**20
OLDEST: Final = datetime(1982, 8, 13, tzinfo=UTC)  # RFC 822: what claims to be older has no date


@dataclass(slots=True)
class Brought:
    """How far it got."""

    mails: int = 0
    new: int = 0
    too_long: tuple[str, ...] = ()

    @property
    def known(self) -> int:
        """How many were there already."""
        return self.mails - self.new - len(self.too_long)


def bring(
    database: Database,
    found: Iterable[Found],
    recipient: str,
    source: str,
    now: Callable[[], datetime],
    tell: Callable[[Brought], None] = lambda _: None,
) -> Brought:
    """Store what was found as old mail to `recipient`; return how many there were.

    `tell` hears how far it got after each batch, which is then on disk.
    """
    brought = Brought()
    for batch in _batches(found):
        mails = [each for each in batch if each.raw is not None]
        incoming = [
            inbox.Incoming(None, (recipient,), source, each.raw or b"", old_since=_old_since(each.came_at, now()))
            for each in mails
        ]
        if incoming:
            with database.write() as connection:
                stored = inbox.store(connection, incoming, now())
            brought.new += len({each.mail_id for each in stored if each.new})
        brought.mails += len(batch)
        brought.too_long += tuple(each.where for each in batch if each.raw is None)
        tell(brought)
    return brought


def _batches(found: Iterable[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for each in found:
        length = len(each.raw or b"")
        if batch and (len(batch) >= BATCH_MAILS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch


def _old_since(came_at: datetime | None, now: datetime) -> datetime:
    """Return when a mail came; what has no sensible date came now, and is old all the same."""
    return came_at if came_at is not None and OLDEST <= came_at <= now else now
