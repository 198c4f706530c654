"""How far a folder has been read: its row in the table `mailbox`, held by one worker at a time.

Who works on a folder leases its row; each change is made under the lease and renews it, so a worker that slept
through its lease changes nothing (`store.queues`). What a crash leaves is found here: UIDs up to `last_uid` are
stored, those in `missed` are not, and what was fetched beyond is fetched again and recognised by its identity.

The operator is told of an outage once, and once that it is over, in the transaction that records it.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select, update

from maild.config import Settings
from maild.services.imap_poller.trouble import Step, Trouble
from maild.services.imap_poller.wire import Pace
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import MailboxRow
from maild.store.upsert import upsert

LEASE: Final = timedelta(minutes=6)  # must exceed two operations and a wait: wire.Pace
TRICKLE_S: Final = 5.0  # how long what was read may be unwritten while mails come one by one
LATE_S: Final = 150.0  # then the lease is renewed; must exceed a wait, and be far below LEASE
MISSED_LIMIT: Final = 10_000  # UIDs
MISSED_WAIT: Final = timedelta(minutes=2)  # doubled with each try
MISSED_LONGEST: Final = timedelta(days=1)


@dataclass(slots=True)
class Missed:
    """A mail that could not be fetched."""

    tries: int
    again_at: datetime

    def next(self, now: datetime) -> "Missed":
        """Return the same after one more try, counted before it is made."""
        return Missed(self.tries + 1, now + min(MISSED_WAIT * 2 ** min(self.tries, 16), MISSED_LONGEST))


@dataclass(slots=True)
class State:
    """The columns of a row that fetching reads and changes."""

    uid_validity: int | None = None
    last_uid: int = 0
    missed: dict[int, Missed] = field(default_factory=dict)
    old_uid: int = 0
    old_until: datetime | None = None
    started_at: datetime | None = None
    reconciled_at: datetime | None = None
    failing_since: datetime | None = None
    alerted_at: datetime | None = None
    attempts: int = 0


class Progress:
    """One folder's row, while it is ours.

    How far `state` is, `last_uid` and `missed`, goes with whatever else is written.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        claim: queues.Claim,
        state: State,
        posted: Callable[[], None] = lambda: None,  # called when a mail to the operator waits to be sent
    ) -> None:
        self._posted = posted
        self._database = database
        self._now = now
        self._claim = claim
        self.state = state
        self.written_s = time.monotonic()
        self._moved_s: tuple[float, float] | None = None  # since it was written: for the first time, and for the last

    def moved(self) -> None:
        """Note that `state` is further than what is written."""
        now_s = time.monotonic()
        self._moved_s = (self._moved_s[0] if self._moved_s else now_s, now_s)

    def lags(self, save_s: float) -> bool:
        """Return whether `state` has been further than what is written for so many seconds."""
        return self._moved_s is not None and time.monotonic() - self._moved_s[0] > save_s

    def may_wait(self, save_s: float) -> bool:
        """Return whether `state` moved just now: who files what was fetched is not to wait until that is written."""
        now_s = time.monotonic()
        if self._moved_s is None or now_s - self.written_s > LATE_S:
            return False
        first_s, last_s = self._moved_s
        return now_s - last_s < save_s and now_s - first_s < TRICKLE_S

    def renew(self, settings: Settings, name: str, complaint: Trouble | None = None) -> None:
        """Say that all is well, or that it is but for `complaint`.

        Raises:
            LeaseLost: another worker has the folder.
        """
        now, state = self._now(), self.state
        columns: dict[str, Any] = {"last_success_at": now, "attempts": 0}
        told: int | None = None
        # What a power cut takes back is fetched again, and recognised; no mail waits for the disk on its account.
        with self._writing(synced=state.alerted_at is not None or complaint is not None) as connection:
            if complaint is not None:
                columns |= {"failing_since": state.failing_since or now, "error": str(complaint)}
                if _to_be_told(state, now):
                    columns["alerted_at"] = now
                    told = _alert(connection, settings, *_trouble_words(name, state, complaint), now)
            else:
                columns |= {"failing_since": None, "error": None, "alerted_at": None}
                if state.alerted_at is not None and state.failing_since is not None:
                    told = _alert(connection, settings, *_over_words(name, state.failing_since, now), now)
            self._write(connection, columns, now + LEASE)
        if told:
            self._posted()

    def save(self, **columns: Any) -> None:
        """Write columns of the row.

        Raises:
            LeaseLost: another worker has the folder; nothing was written.
        """
        with self._writing() as connection:
            self._write(connection, columns, self._now() + LEASE)

    def fail(self, settings: Settings, name: str, trouble: Trouble, pause_s: float) -> None:
        """Record why the folder cannot be read, and give it back until the next try.

        Raises:
            LeaseLost: another worker has the folder.
        """
        now, state = self._now(), self.state
        columns: dict[str, Any] = {"failing_since": state.failing_since or now, "error": str(trouble)}
        pause = timedelta(seconds=pause_s)
        told: int | None = None
        with self._writing() as connection:
            # A long pause, which the server asked for, does not put off what is to be told.
            if _to_be_told(
                replace(state, failing_since=columns["failing_since"]), now + max(pause - ALERT_AFTER, NONE)
            ):
                columns["alerted_at"] = now
                told = _alert(connection, settings, *_trouble_words(name, state, trouble), now)
            self._write(connection, columns, now + pause)
        if told:
            self._posted()

    def give_back(self) -> None:
        """Let another worker have the folder at once."""
        with suppress(queues.LeaseLost), self._writing() as connection:  # another one has it
            self._write(connection, {}, self._now())

    @contextmanager
    def _writing(self, *, synced: bool = True) -> Iterator[Any]:
        """Give a transaction; the lease is what it was, and so is the state, if that cannot be committed."""
        claim, state = self._claim, replace(self.state)
        try:
            with self._database.write(synced=synced) as connection:
                yield connection
        except BaseException:
            self._claim, self.state = claim, state
            raise
        self.written_s, self._moved_s = time.monotonic(), None

    def _write(self, connection: Any, columns: Mapping[str, Any], until: datetime) -> None:
        queues.hold(connection, self._claim)
        row = {"last_uid": self.state.last_uid, "missed": self.state.missed, **columns}
        row["missed"] = _written(row["missed"])
        connection.execute(update(MailboxRow).where(MailboxRow.id == self._claim.ids[0]).values(due_at=until, **row))
        self._claim = queues.Claim(MailboxRow, self._claim.ids, self._claim.attempts, until)
        for name, value in columns.items():
            if name in _FIELDS:
                setattr(self.state, name, value)


_FIELDS: Final = frozenset(each.name for each in fields(State))


def enrol(database: Database, name: str, folder: str, now: datetime) -> None:
    """See that a folder has a row; a new one is due at once."""
    with database.write() as connection:
        connection.execute(
            upsert(connection, MailboxRow)
            .values(name=name, folder=folder, due_at=now, attempts=0, last_uid=0, old_uid=0)
            .on_conflict_do_nothing(index_elements=["name", "folder"])
        )
        due = (MailboxRow.name == name) & (MailboxRow.folder == folder)
        if database.is_sqlite:  # one daemon alone serves a file: what a killed one leased is ours
            connection.execute(update(MailboxRow).where(due).values(due_at=now))
        else:
            connection.execute(update(MailboxRow).where(due, MailboxRow.due_at.is_(None)).values(due_at=now))


def claim(
    database: Database,
    name: str,
    folder: str,
    now: Callable[[], datetime],
    posted: Callable[[], None] = lambda: None,
) -> Progress | timedelta:
    """Return the folder's progress if it is ours now, else how long it is not."""
    instant = now()
    row = _place(database, name, folder)
    if row is None:
        enrol(database, name, folder, instant)
        row = _place(database, name, folder)
    if row is None:
        return timedelta(seconds=1)
    if row.due_at is None or row.due_at > instant:
        return (row.due_at - instant) if row.due_at is not None else LEASE
    until = instant + LEASE
    with database.write() as connection:
        taken = connection.execute(
            update(MailboxRow)
            .where(MailboxRow.id == row.id, MailboxRow.due_at == row.due_at)
            .values(due_at=until, attempts=MailboxRow.attempts + 1)
        )
        if not taken.rowcount:
            return timedelta(seconds=1)
        state = _state(connection.execute(select(MailboxRow).where(MailboxRow.id == row.id)).mappings().one())
    held = queues.Claim(MailboxRow, (row.id,), {row.id: state.attempts}, until)
    return Progress(database, now, held, state, posted)


def _place(database: Database, name: str, folder: str) -> Any:
    with database.read() as connection:
        return connection.execute(
            select(MailboxRow.id, MailboxRow.due_at).where(MailboxRow.name == name, MailboxRow.folder == folder)
        ).one_or_none()


def known(database: Database, name: str, folder: str) -> State | None:
    """Return how far a folder has been read, None if it has not; for looking only."""
    with database.read() as connection:
        row = (
            connection.execute(select(MailboxRow).where(MailboxRow.name == name, MailboxRow.folder == folder))
            .mappings()
            .one_or_none()
        )
    return None if row is None else _state(row)


def pause_s(attempts: int, pace: Pace) -> float:
    """Return how long to wait after so many failures in a row: doubling, bounded, and never the same for two."""
    longest: float = min(pace.first_pause_s * 2 ** min(max(attempts, 1) - 1, 16), pace.longest_pause_s)
    return longest * (0.8 + 0.4 * random.random())  # noqa: S311 - spreads, hides nothing


def _state(row: RowMapping) -> State:
    state = State(**{name: row[name] for name in _FIELDS if name != "missed"})
    state.missed = {
        int(uid): Missed(int(tries), datetime.fromisoformat(again))
        for uid, (tries, again) in (row["missed"] or {}).items()
    }
    return state


def _written(missed: Mapping[int, Missed]) -> dict[str, Any] | None:
    kept = list(missed.items())[:MISSED_LIMIT]
    return {str(uid): [each.tries, each.again_at.isoformat()] for uid, each in kept} or None


def _to_be_told(state: State, now: datetime) -> bool:
    since = state.failing_since
    return state.alerted_at is None and since is not None and now - since >= ALERT_AFTER


ALERT_AFTER: Final = timedelta(minutes=5)
NONE: Final = timedelta(0)


def _trouble_words(name: str, state: State, trouble: Trouble) -> tuple[str, str]:
    since = f"{state.failing_since:%Y-%m-%d %H:%M} UTC" if state.failing_since else "just now"
    what, rest = "cannot be read", "Mail that waits there is not lost."
    if trouble.step is Step.AFTER:
        what, rest = "keeps mails that are stored already", "All mail comes in as it should; only that is not done."
    lines = [
        f"The mailbox {name} {what}, since {since}.",
        "",
        f"What fails: {trouble}",
        *([f"What may help: {trouble.fix}"] if trouble.fix else []),
        f"To see each step: maild mailbox test {name}",
        "",
        f"{rest} maild goes on trying, and tells you when it works again.",
    ]
    return f"Mailbox {name} {what}", "\n".join(lines) + "\n"


def _over_words(name: str, since: datetime, now: datetime) -> tuple[str, str]:
    minutes = round((now - since).total_seconds() / 60)
    text = (
        f"The mailbox {name} works again.\n\n"
        f"It did not from {since:%Y-%m-%d %H:%M} to {now:%Y-%m-%d %H:%M} UTC, {minutes} minutes.\n"
        "What waited there is being fetched.\n"
    )
    return f"Mailbox {name} works again", text


def _alert(connection: Connection, settings: Settings, subject: str, text: str, now: datetime) -> int | None:
    """Write a mail to the operator; what composes it is loaded when something is amiss, and takes much memory."""
    from maild.outbox import alert  # noqa: PLC0415 - see above

    return alert.post(connection, settings, subject, text, now)
