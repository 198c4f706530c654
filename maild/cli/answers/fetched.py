"""How far a mailbox is read: looked at again and again, while the daemon works."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select

from maild.cli import output
from maild.cli.output import count
from maild.store.engine import Database
from maild.store.models import Direction, MailRow, MailState

EVERY_S: Final = 1.0
QUIET_S: Final = 30.0  # so long nothing came: something may be wrong


@dataclass(frozen=True, slots=True)
class Look:
    """How far it is now."""

    fetched: int
    of: int
    filed: int  # of those that were fetched
    a_second: float
    quiet_s: float  # since when nothing came

    @property
    def is_done(self) -> bool:
        """Whether all is here and on tickets."""
        return self.fetched >= self.of and self.filed >= self.fetched

    def words(self) -> str:
        """Return it as a line."""
        said = f"{self.fetched:,} of {self.of:,} mails fetched, {self.filed:,} filed"
        if self.is_done:
            return f"{said}: done" if self.of else "nothing is to be fetched"
        if self.quiet_s >= QUIET_S:
            return f"{said}; nothing came for {count(round(self.quiet_s), 'second')}: does maild run? See maild status"
        if self.a_second:
            left = timedelta(seconds=round((self.of - self.filed) / self.a_second))
            return f"{said}, {self.a_second:,.0f} a second, about {output.span(left)} left"
        return said

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"fetched": self.fetched, "of": self.of, "filed": self.filed, "a_second": round(self.a_second, 1)}


def looks(
    database: Database, name: str, of: int, clock: Callable[[], float], wait: Callable[[float], object]
) -> Iterator[Look]:
    """Yield how far the mailbox `name` is, of which `of` mails were still to be fetched, until all are here."""
    fetched_before, waiting = _counts(database, name)
    filed_before = fetched_before - waiting
    began_s = moved_s = clock()
    last = (0, 0)
    while True:
        fetched, waiting = _counts(database, name)
        now_s = clock()
        found = fetched - fetched_before, fetched - waiting - filed_before
        moved_s = now_s if found != last else moved_s
        last = found
        look = Look(
            found[0],
            max(of, found[0]),
            min(found[1], found[0]),
            found[1] / (now_s - began_s) if now_s > began_s else 0.0,
            now_s - moved_s,
        )
        yield look
        if look.is_done:
            return
        wait(EVERY_S)


def _counts(database: Database, name: str) -> tuple[int, int]:
    """Return how many mails a mailbox brought, and how many of them are not filed yet."""
    brought = (MailRow.direction == Direction.IN) & (MailRow.source == f"imap {name}"[:80])
    with database.read() as connection:
        fetched = connection.scalar(select(func.count()).select_from(MailRow).where(brought)) or 0
        waiting = select(func.count()).select_from(MailRow).where(brought, MailRow.state == MailState.STORED)
        return fetched, connection.scalar(waiting) or 0
