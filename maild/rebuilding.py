"""A database rebuilt in place: what was read from mails from their bytes, what tickets are from their history.

    mails      the columns that were read from them      from their bytes and what was decided of them
    words      the index of words                        from subjects and texts
    tickets    status, instants, facts, participants     from their history

Nothing is decided, nothing is sent, no id changes. A mail or a ticket that is as it must be is not written. It goes a
group at a time, each in a transaction with how far it got, so it can be interrupted at any time and goes on there. With
`only_look` nothing is written at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, text, update

from maild import people
from maild.desk import replaying
from maild.desk.forgetting import REMOVED
from maild.desk.rows import put_right
from maild.message.address import Address
from maild.rules.routing import Action
from maild.rules.state import Tell
from maild.services.filer.rederiving import Rederiver, derived_of_ours
from maild.store import jobs, raw, search
from maild.store.engine import Database
from maild.store.models import AddressRow, Direction, HistoryRow, JobRow, MailRow, MailState, ParticipantRow, TicketRow

JOB: Final = "rebuild"
GROUP: Final = 100  # mails or tickets
GROUP_BYTES: Final = 8 << 20
READ_STATES: Final = (MailState.FILED, MailState.NOTED, MailState.HELD, MailState.DELAYED, MailState.OUT)
SHOWN: Final = 100  # of what was different

Progress = Callable[[str, float], None]  # what is done, and which share of it


@dataclass(slots=True)
class Difference:
    """A row that was not as it must be."""

    table: str
    id: int
    columns: list[str]


@dataclass(slots=True)
class Rebuilt:
    """What a rebuilding found."""

    mails: int = 0
    tickets: int = 0
    different: int = 0
    resumed_at: str | None = None  # where an earlier one was interrupted
    first: list[Difference] = field(default_factory=list)  # of what was different

    def note(self, table: str, number: int, columns: list[str]) -> None:
        """Remember a row that was not as it must be."""
        self.different += 1
        if len(self.first) < SHOWN:
            self.first.append(Difference(table, number, columns))


class Rebuilding:
    """Rebuilds a database."""

    def __init__(
        self, database: Database, rederiver: Rederiver, now: datetime, tell: Progress, *, only_look: bool = False
    ) -> None:
        self._database = database
        self._rederiver = rederiver
        self._now = now
        self._tell = tell
        self._only_look = only_look
        self.found = Rebuilt()

    def run(self) -> Rebuilt:
        """Do it all; what an earlier one did that was interrupted is not done again."""
        place, after = self._begun()
        if place == "mails":
            self._mails(after)
            place, after = "tickets", 0
        if place == "tickets":
            self._tickets(after)
        self._remember(None)
        return self.found

    def _begun(self) -> tuple[str, int]:
        with self._database.read() as connection:
            mark = connection.scalar(select(JobRow.mark).where(JobRow.name == JOB))
        if not mark or self._only_look:
            return "mails", 0
        self.found.resumed_at = mark
        place, _, after = mark.partition(" ")
        return place, int(after)

    def _remember(self, mark: str | None, connection: Connection | None = None) -> None:
        if self._only_look:
            return
        if connection is None:
            with self._database.write() as own:
                self._remember(mark, own)
            return
        jobs.note(connection, JOB, self._now)
        connection.execute(update(JobRow).where(JobRow.name == JOB).values(mark=mark))

    def _mails(self, after: int) -> None:
        with self._database.read() as connection:
            last = connection.scalar(select(func.max(MailRow.id))) or 0
        if not after and not self._only_look:
            with self._database.write() as connection:
                if search.has_index(connection):
                    connection.execute(text("DELETE FROM mail_search"))
        while True:
            with self._database.read() as connection:
                rows = self._group(connection, after)
                differences = [(row, self._different(connection, row)) for row in rows]
            if not rows:
                return
            after = rows[-1].id
            self._write_mails(differences, after)
            self.found.mails += len(rows)
            self._tell("mails", after / last if last else 1.0)

    def _group(self, connection: Connection, after: int) -> list[Any]:
        sized = connection.execute(
            select(MailRow.id, MailRow.size_bytes).where(MailRow.id > after).order_by(MailRow.id).limit(GROUP)
        ).all()
        ids: list[int] = []
        room = GROUP_BYTES
        for row in sized:
            if ids and row.size_bytes > room:
                break
            ids.append(row.id)
            room -= row.size_bytes
        wanted = select(MailRow.__table__).where(MailRow.id.in_(ids)).order_by(MailRow.id)
        return list(connection.execute(wanted)) if ids else []

    def _different(self, connection: Connection, row: Any) -> dict[str, Any]:
        """Return the columns of a mail that are not as they must be, with what they must be."""
        if row.state not in READ_STATES or row.source == REMOVED:
            return {}
        content = raw.of(connection, [row.id]).get(row.id, b"")
        if row.direction is Direction.IN:
            must = self._rederiver.derived(connection, row, content)
            return {name: value for name, value in must.items() if getattr(row, name) != value}
        must = derived_of_ours(content)
        return {name: value for name, value in must.items() if (getattr(row, name) or None) != (value or None)}

    def _write_mails(self, differences: list[tuple[Any, dict[str, Any]]], after: int) -> None:
        for row, different in differences:
            if different:
                self.found.note("mail", row.id, sorted(different))
        if self._only_look:
            return
        with self._database.write() as connection:
            for row, different in differences:
                if different:
                    connection.execute(update(MailRow).where(MailRow.id == row.id).values(**different))
            search.index(connection, self._said([{**row._mapping, **more} for row, more in differences]))  # noqa: SLF001 - a row's documented way to be a mapping
            self._remember(f"mails {after}", connection)

    def _said(self, mails: list[dict[str, Any]]) -> Iterator[search.Said]:
        """Yield what is found by its words: what customers wrote, and answers as they left."""
        for mail in mails:
            if mail["ticket_id"] is None:
                continue
            ours = mail["direction"] is Direction.OUT
            if (mail["purpose"] == Tell.ANSWER) if ours else (mail["purpose"] != Action.ANSWER):
                yield search.Said(mail["id"], mail["subject"], search.with_note(mail["text"], mail["noted"]))

    def _tickets(self, after: int) -> None:
        with self._database.read() as connection:
            last = connection.scalar(select(func.max(TicketRow.id))) or 0
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    select(TicketRow.__table__, AddressRow.normal.label("requester"))
                    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
                    .where(TicketRow.id > after)
                    .order_by(TicketRow.id)
                    .limit(GROUP)
                ).all()
                histories = _histories(connection, [row.id for row in rows])
                there = _participants(connection, [row.id for row in rows])
            if not rows:
                return
            after = rows[-1].id
            replayed = [(row, replaying.replay(histories.get(row.id, []))) for row in rows]
            self._write_tickets(replayed, histories, there, after)
            self.found.tickets += len(rows)
            self._tell("tickets", after / last if last else 1.0)

    def _write_tickets(
        self,
        replayed: list[tuple[Any, replaying.Replayed]],
        histories: dict[int, list[replaying.Change]],
        there: dict[int, dict[str, bool]],
        after: int,
    ) -> None:
        changes: list[tuple[int, dict[str, Any], replaying.Replayed | None]] = []
        for row, ticket in replayed:
            plain = replaying.plain
            different = {k: v for k, v in ticket.columns.items() if plain(getattr(row, k) or None) != plain(v or None)}
            joined = {name for name, here in there.get(row.id, {}).items() if here}
            people_differ = joined != set(ticket.joined) or row.requester != ticket.requester
            names = [*sorted(different), *(["participants"] if people_differ else [])]
            if names:
                self.found.note("ticket", row.id, names)
                changes.append((row.id, different, ticket if people_differ else None))
        if self._only_look:
            return
        with self._database.write() as connection:
            for ticket_id, different, people_of in changes:
                if different:
                    values = {**different, "due_at": self._now}  # what follows from them is reckoned by the next tick
                    put_right(connection, [ticket_id], values)
                if people_of is not None:
                    _write_people(connection, ticket_id, people_of, self._now)
            renamed = [row.id for row, _ in replayed if _subjects(histories.get(row.id, [])) > 1]
            titles = connection.execute(select(TicketRow.id, TicketRow.subject).where(TicketRow.id.in_(renamed)))
            search.index(connection, [search.Said(-row.id, row.subject) for row in titles])
            self._remember(f"tickets {after}", connection)


def _subjects(changes: list[replaying.Change]) -> int:
    return sum(change.field == "subject" for change in changes)


def _histories(connection: Connection, ids: list[int]) -> dict[int, list[replaying.Change]]:
    rows = connection.execute(
        select(HistoryRow.ticket_id, HistoryRow.field, HistoryRow.new, HistoryRow.at)
        .where(HistoryRow.ticket_id.in_(ids))
        .order_by(HistoryRow.id)
    )
    found: dict[int, list[replaying.Change]] = {}
    for ticket_id, name, new, at in rows:
        found.setdefault(ticket_id, []).append(replaying.Change(name, new, at))
    return found


def _participants(connection: Connection, ids: list[int]) -> dict[int, dict[str, bool]]:
    rows = connection.execute(
        select(ParticipantRow.ticket_id, AddressRow.normal, ParticipantRow.left_at)
        .join(AddressRow, AddressRow.id == ParticipantRow.address_id)
        .where(ParticipantRow.ticket_id.in_(ids))
    )
    found: dict[int, dict[str, bool]] = {}
    for ticket_id, normal, left_at in rows:
        found.setdefault(ticket_id, {})[normal] = left_at is None
    return found


def _write_people(connection: Connection, ticket_id: int, ticket: replaying.Replayed, now: datetime) -> None:
    """Write who asked and who takes part, as the history has it."""
    everybody = {ticket.requester, *ticket.joined, *ticket.left} - {""}
    known = people.enrol(connection, [Address("", each) for each in sorted(everybody)], now)
    if ticket.requester:
        asked = {"requester_id": known[ticket.requester].address_id}
        put_right(connection, [ticket_id], asked)
    connection.execute(delete(ParticipantRow).where(ParticipantRow.ticket_id == ticket_id))
    rows = [
        {"ticket_id": ticket_id, "address_id": known[name].address_id, "joined_at": at, "left_at": None}
        for name, at in ticket.joined.items()
    ]
    rows += [
        {"ticket_id": ticket_id, "address_id": known[name].address_id, "joined_at": at, "left_at": at}
        for name, at in ticket.left.items()
    ]
    if rows:
        connection.execute(insert(ParticipantRow), rows)
