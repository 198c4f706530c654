"""Taking back what one mail did: it is computed from the history, which has the old and the new of every field.

    history of the mail -> one `TakeBack` for each ticket that it changed -> `Desk.handle`, all of it or nothing

Within `UNDONE_WITHIN` only, once, and only while nothing newer builds on it: somebody wrote, a customer was told, a
field was changed again. A ticket that the mail opened goes into the bin; a mail that it moved goes back. Our own mails
that have not left are not sent; what has left cannot be had back.

Taking back is itself an event with a history, which says of which mail.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, get_args, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from maild.desk.happenings import Happening, Outcome
from maild.desk.rows import load
from maild.rules.events import Delete, Earlier, Event, TakeBack
from maild.rules.levels import Kind
from maild.rules.policy import Policy
from maild.rules.promises import BEFORE_DONE
from maild.rules.refusals import No, Refused
from maild.rules.routing import Action
from maild.rules.state import Status, Tell, Ticket
from maild.rules.ticket import decide
from maild.store.models import ClockRow, DeliveryRow, DeliveryState, Direction, HistoryRow, MailRow, TicketRow

UNDONE_WITHIN: Final = timedelta(minutes=30)
MOST_ROWS: Final = 1_000  # of the history of one mail
MARK: Final = "undone"  # the field of the entry that says of which mail
MOVED: Final = "mail"  # the field of the entries that say which mail went to another ticket
_HARMLESS: Final = frozenset({"priority", "subject", "tags", "related", "assignee", "offered_to", "offered_until"})
_FROM_CUSTOMERS: Final = (Action.CUSTOMER, Action.PROBLEM, Action.SOLVED)
_TO_CUSTOMERS: Final = (Tell.ANSWER, Tell.RESOLVED, Tell.FOLLOW_UP, Tell.ACKNOWLEDGEMENT, Tell.REMINDER)
_KINDS: Final = get_type_hints(Ticket)

Handle = Callable[[Connection, Sequence[Happening], datetime], list[Outcome]]


@dataclass(frozen=True, slots=True)
class Deed:
    """What one mail did to one field of one ticket, from before to after."""

    ticket_id: int
    field: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class _Group:
    """All that one mail did."""

    mail_id: int
    at: datetime
    actor: str
    rows: Sequence[Any]
    deeds: list[Deed] = field(default_factory=list)

    @property
    def tickets(self) -> list[int]:
        return list(dict.fromkeys(row.ticket_id for row in self.rows))

    @property
    def opened(self) -> frozenset[int]:
        """The tickets that there were not before."""
        return frozenset(row.ticket_id for row in self.rows if row.field == "status" and row.old is None)


def deeds(connection: Connection, mail_id: int) -> tuple[Deed, ...]:
    """Return what a mail did, by the history: each field of each ticket once."""
    group = _group(connection, mail_id)
    return tuple(group.deeds) if group else ()


def latest(connection: Connection, actor: str, now: datetime, ticket_id: int | None = None) -> int | None:
    """Return the last mail by which somebody changed a ticket that can still be taken back, None if there is none."""
    mine = select(HistoryRow.mail_id, HistoryRow.ticket_id).where(
        HistoryRow.actor == actor,
        HistoryRow.at > now - UNDONE_WITHIN,
        HistoryRow.mail_id.is_not(None),
        HistoryRow.cause.not_in((TakeBack.__name__, "Released", "Offer")),
        HistoryRow.field != "withheld",
    )
    if ticket_id is not None:
        mine = mine.where(HistoryRow.ticket_id == ticket_id)
    for row in connection.execute(mine.order_by(HistoryRow.id.desc()).limit(MOST_ROWS)):
        if not _is_undone(connection, [row.ticket_id], row.mail_id):
            return int(row.mail_id)
    return None


def caused(mail_id: int, tickets: Sequence[int]) -> ColumnElement[bool]:
    """Return what holds of our mails on `tickets` that a mail brought about."""
    return and_(MailRow.ticket_id.in_(tickets), MailRow.about_id == mail_id, MailRow.direction == Direction.OUT)


def tells_customers(connection: Connection, mail_id: int, tickets: Sequence[int]) -> bool:
    """Return whether a mail brought about one to a customer, which leaves at once and cannot be had back."""
    told = select(MailRow.id).where(caused(mail_id, tickets), MailRow.purpose.in_(_TO_CUSTOMERS))
    return connection.scalar(told.limit(1)) is not None


def tickets_of(connection: Connection, mail_id: int) -> tuple[int, ...]:
    """Return the tickets that a mail changed, the first one first."""
    group = _group(connection, mail_id)
    return tuple(group.tickets) if group else ()


def take_back(
    connection: Connection,
    handle: Handle,
    policy: Callable[[str, str], Policy],
    mail_id: int,
    actor: str,
    by_mail: int,
    now: datetime,
) -> tuple[Deed, ...]:
    """Undo what a mail did, and return what became of it, each field from what it was to what it is.

    Raises:
        Refused: it cannot be undone (any more); nothing was written.
    """
    group = _group(connection, mail_id)
    if group is None:
        raise Refused(No.NOTHING_TO_UNDO)
    if group.at <= now - UNDONE_WITHIN:
        raise Refused(No.TOO_LATE)
    if _is_undone(connection, group.tickets, mail_id):
        raise Refused(No.UNDONE)
    happenings = _happenings(group, actor, by_mail, now)
    _permit(connection, group, happenings, policy)
    _withdraw(connection, mail_id, group.tickets)
    handle(connection, happenings, now)
    _forget_clocks(connection, group)
    _move_back(connection, group)
    mark = {"at": now, "actor": actor, "cause": TakeBack.__name__, "field": MARK, "old": None, "mail_id": by_mail}
    connection.execute(
        insert(HistoryRow), [{**mark, "ticket_id": each, "new": f"mail {mail_id}"} for each in group.tickets]
    )
    return tuple(Deed(each.ticket_id, each.field, each.new, each.old) for each in group.deeds)


def _group(connection: Connection, mail_id: int) -> _Group | None:
    rows = connection.execute(
        select(HistoryRow.__table__).where(HistoryRow.mail_id == mail_id).order_by(HistoryRow.id).limit(MOST_ROWS)
    ).all()
    if not rows:
        return None
    first: dict[tuple[int, str], Deed] = {}
    moved = []
    for row in rows:
        if row.field == MOVED:
            moved.append(Deed(row.ticket_id, row.field, row.old, row.new))
            continue
        before = first.get((row.ticket_id, row.field))
        first[row.ticket_id, row.field] = Deed(row.ticket_id, row.field, before.old if before else row.old, row.new)
    changed = [each for each in first.values() if each.old != each.new]
    return _Group(mail_id, rows[0].at, rows[0].actor, rows, [*changed, *moved])


def _is_undone(connection: Connection, tickets: Sequence[int], mail_id: int) -> bool:
    marks = select(HistoryRow.id).where(
        HistoryRow.ticket_id.in_(tickets), HistoryRow.field == MARK, HistoryRow.new == f"mail {mail_id}"
    )
    return connection.scalar(marks.limit(1)) is not None


def _happenings(group: _Group, actor: str, by_mail: int, now: datetime) -> list[Happening]:
    """Return what has to happen to each ticket.

    Raises:
        Refused: something that was done has no way back.
    """
    if any(each.field == "alias" for each in group.deeds):
        raise Refused(No.NO_WAY_BACK)
    happenings = []
    for ticket_id in group.tickets:
        changed = [each for each in group.deeds if each.ticket_id == ticket_id and each.field in _KINDS]
        earlier = tuple(map(_earlier, changed))
        event: Event = Delete(now) if ticket_id in group.opened else TakeBack(now, earlier)
        if earlier:
            happenings.append(Happening(ticket_id, event, actor, mail_id=by_mail))
    if not happenings:
        raise Refused(No.NOTHING_TO_UNDO)
    return happenings


def _earlier(deed: Deed) -> Earlier:
    return earlier(deed.field, deed.old, deed.new)


def earlier(name: str, old: str | None, new: str | None) -> Earlier:
    """Return what the history tells of a field, as what may be taken back."""
    return Earlier(name, typed(name, old), typed(name, new))


def is_field(name: str) -> bool:
    """Return whether an entry of the history is about a field of a ticket, and not about something that was done."""
    return name in _KINDS


def _permit(
    connection: Connection, group: _Group, happenings: Sequence[Happening], policy: Callable[[str, str], Policy]
) -> None:
    """See that nothing newer builds on it.

    Raises:
        Refused: something does.
    """
    if any(each.field in _KINDS and each.field not in _HARMLESS for each in group.deeds):
        newer = select(MailRow.from_address).where(
            MailRow.ticket_id.in_(group.tickets),
            MailRow.direction == Direction.IN,
            MailRow.purpose.in_(_FROM_CUSTOMERS),
            or_(MailRow.filed_at > group.at, and_(MailRow.filed_at == group.at, MailRow.id > group.mail_id)),
        )
        if (writer := connection.scalar(newer.limit(1))) is not None:
            raise Refused(No.SOMEBODY_WROTE, address=writer)
    cards = load(connection, group.tickets)
    for happening in happenings:
        card = cards.get(happening.ticket) if isinstance(happening.ticket, int) else None
        if card is None:
            raise Refused(No.NOTHING_TO_UNDO)
        decide(card.state, happening.event, policy(card.state.department, card.state.requester))


def _withdraw(connection: Connection, mail_id: int, tickets: Sequence[int]) -> None:
    """Keep back what has not left of our mails to customers that the mail brought about.

    Raises:
        Refused: one of them has left, or is just leaving.
    """
    rows = connection.execute(
        select(DeliveryRow.id, DeliveryRow.state, DeliveryRow.attempts, DeliveryRow.recipient, MailRow.id.label("mail"))
        .join(MailRow, MailRow.id == DeliveryRow.mail_id)
        .where(caused(mail_id, tickets), MailRow.purpose.in_(_TO_CUSTOMERS))
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    ).all()
    for row in rows:
        if row.state is not DeliveryState.QUEUED or row.attempts:
            raise Refused(No.HAS_LEFT, address=row.recipient)
    if rows:
        stopped = {"state": DeliveryState.CANCELLED, "due_at": None}
        connection.execute(update(DeliveryRow).where(DeliveryRow.id.in_([row.id for row in rows])).values(stopped))
        # No answer any more: nobody got it, so it counts nowhere as one.
        unsent = update(MailRow).where(MailRow.id.in_({row.mail for row in rows}))
        connection.execute(unsent.values(purpose=MailRow.purpose + "_cancelled"))


def _forget_clocks(connection: Connection, group: _Group) -> None:
    """Remove the clocks that the mail had ended and that run again."""
    tickets = connection.execute(
        select(TicketRow.id, TicketRow.status, TicketRow.waiting_since).where(TicketRow.id.in_(group.tickets))
    )
    for row in tickets:
        again = [and_(ClockRow.kind != Kind.RESOLUTION.value, ClockRow.started_at == row.waiting_since)]
        if row.status in BEFORE_DONE:
            again.append(ClockRow.kind == Kind.RESOLUTION.value)
        connection.execute(
            delete(ClockRow).where(ClockRow.ticket_id == row.id, ClockRow.stopped_at == group.at, or_(*again))
        )


def _move_back(connection: Connection, group: _Group) -> None:
    for each in group.deeds:
        if each.field == MOVED and each.old is not None:
            moved = update(MailRow).where(MailRow.id == int(each.old))
            connection.execute(moved.values(ticket_id=each.ticket_id))


def typed(name: str, text: str | None) -> Any:
    """Return the value of a ticket's field that the history tells as `text`."""
    kind = _KINDS[name]
    if get_origin(kind) is frozenset:
        member = get_args(kind)[0]
        return frozenset(member(each) for each in text.split(", ")) if text else frozenset()
    kinds: tuple[Any, ...] = get_args(kind) or (kind,)
    if text is None:
        return None
    readers: Mapping[Any, Callable[[str], Any]] = {
        datetime: datetime.fromisoformat,
        Status: Status,
        bool: lambda said: said == "yes",
        int: int,
    }
    return next((read(text) for of, read in readers.items() if of in kinds), text)
