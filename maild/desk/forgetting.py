"""Forgetting a person: what is kept of him, and how it goes.

    deleted      tickets that he asked for, with all their mails; his mails elsewhere; his addresses
    anonymised   the same, but his tickets stay, without a word of what was said: figures of the past stay right

`find` says what there is before anything is done. Mails of others that name one of his addresses keep their text, with
the address struck out of it (`striking`). Ids are never given again, so addresses that were signed for him stay
worthless. What others quoted of his words stays theirs. Backups are not touched: what is in them ends with them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from maild.desk.rows import purge, put_right
from maild.desk.striking import NOBODY, Words
from maild.message.address import normalise
from maild.store import raw, search
from maild.store.models import (
    AddressRow,
    AttemptRow,
    DeliveryRow,
    DeliveryState,
    Direction,
    HistoryRow,
    MailRow,
    MailState,
    ParticipantRow,
    PersonRow,
    RawRow,
    TicketRow,
)

REMOVED: Final = "removed"  # the source of a mail whose words were taken out; nothing is read from it again
SUBJECT: Final = "(deleted)"
_STUB: Final = b"Subject: (deleted)\r\n\r\nWhat was said here was removed.\r\n"
_GROUP: Final = 200
TAIL_BYTES: Final = 1_000  # must hold an address and two lines
_SAYING: Final = ("reason", "message_id", "references", "from_name", "subject", "text", "noted", "evidence")
_WAITING: Final = (MailState.STORED, MailState.HELD, MailState.FAILED, MailState.DELAYED)
FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)  # nothing automatic is written to nobody
_NEXT: Final = select(MailRow.id).where(MailRow.id > bindparam("after")).order_by(MailRow.id).limit(_GROUP)


@dataclass(slots=True)
class Found:
    """What is kept of a person; numbers are ids."""

    person: int
    addresses: dict[int, str]  # normalised, by id
    names: list[str] = field(default_factory=list)
    tickets: list[int] = field(default_factory=list)  # that he asked for
    elsewhere: list[int] = field(default_factory=list)  # tickets of others in which he took part
    mails: list[int] = field(default_factory=list)  # on his tickets, from him, or to him alone
    naming: list[int] = field(default_factory=list)  # other mails that name one of his addresses
    deliveries: int = 0
    history: int = 0  # rows of others' tickets that name him

    @property
    def normals(self) -> list[str]:
        """His addresses, normalised."""
        return sorted(self.addresses.values())


def find(connection: Connection, address: str) -> Found | None:
    """Return what is kept of the person who has `address`, None if nobody has it."""
    person = connection.scalar(select(AddressRow.person_id).where(AddressRow.normal == normalise(address)))
    if person is None:
        return None
    rows = connection.execute(select(AddressRow.id, AddressRow.normal).where(AddressRow.person_id == person))
    found = Found(person, {row.id: row.normal for row in rows})
    ids, normals = list(found.addresses), found.normals
    found.names = [name for name in connection.scalars(select(PersonRow.name).where(PersonRow.id == person)) if name]
    his = select(TicketRow.id).where(TicketRow.requester_id.in_(ids)).order_by(TicketRow.id)
    found.tickets = list(connection.scalars(his))
    joined = select(ParticipantRow.ticket_id).where(ParticipantRow.address_id.in_(ids))
    found.elsewhere = sorted(set(connection.scalars(joined)) - set(found.tickets))
    theirs = DeliveryRow.address_id.in_(ids)
    to_others = select(DeliveryRow.mail_id).where(DeliveryRow.address_id.not_in(ids))
    to_him_alone = select(DeliveryRow.mail_id).where(theirs, DeliveryRow.mail_id.not_in(to_others))
    wanted = or_(
        MailRow.ticket_id.in_(found.tickets),
        (MailRow.direction == Direction.IN) & MailRow.from_address.in_(normals),
        MailRow.from_address.is_(None) & func.lower(MailRow.envelope_from).in_(normals),  # not filed yet
        MailRow.id.in_(to_him_alone),
    )
    mails = set(connection.scalars(select(MailRow.id).where(wanted)))
    told = select(MailRow.id).where(MailRow.direction == Direction.OUT, MailRow.about_id.in_(mails))
    found.mails = sorted(mails.union(connection.scalars(told)))  # what told others of his mails has his words
    found.deliveries = connection.scalar(select(func.count()).where(theirs)) or 0
    found.history = connection.scalar(select(func.count()).where(_names_him(normals, found.tickets))) or 0
    found.naming = _naming(connection, normals, set(found.mails))
    return found


def _names_him(normals: Sequence[str], tickets: Collection[int]) -> Any:
    """Return what holds of rows of the history of others' tickets that name one of `normals`."""
    return HistoryRow.ticket_id.not_in(tickets) & or_(HistoryRow.actor.in_(normals), _says(normals))


def _says(normals: Sequence[str]) -> Any:
    """Return what holds of rows of the history in which one of `normals` is written, if only within a longer one."""
    columns = (HistoryRow.old, HistoryRow.new)
    return or_(*(column.icontains(each, autoescape=True) for each in normals for column in columns))


def _naming(connection: Connection, normals: Sequence[str], known: set[int]) -> list[int]:
    """Return the other mails whose bytes name one of `normals`; reads all that there are."""
    words, found, after = Words(normals), list[int](), 0
    while ids := connection.scalars(_NEXT, {"after": after}).all():
        after = ids[-1]
        for mail_id in ids:
            if mail_id in known:
                continue
            tail = b""
            for piece in raw.pieces(connection, mail_id):
                if words.names_him(tail + piece):
                    found.append(mail_id)
                    break
                _, _, tail = piece[-TAIL_BYTES:].partition(b"\n")  # an address may lie across two pieces
    return found


def remove(connection: Connection, found: Found, now: datetime) -> None:
    """Delete a person, and all of his."""
    _secure(connection)
    purge(connection, found.tickets)
    connection.execute(delete(MailRow).where(MailRow.id.in_(found.mails)))
    _strike_out(connection, found, now)
    connection.execute(delete(AddressRow).where(AddressRow.id.in_(found.addresses)))
    connection.execute(delete(PersonRow).where(PersonRow.id == found.person))


def anonymise(connection: Connection, found: Found, now: datetime) -> None:
    """Take a person's words and names away, and keep that there were tickets."""
    _secure(connection)
    emptied: dict[str, Any] = {
        "source": REMOVED,
        "envelope_from": None,
        "helo": None,
        "login": None,
        "recipients": [],
        "reason": None,
        "message_id": None,
        "references": None,
        "thread_index": None,
        "from_address": None,
        "from_name": None,
        "subject": SUBJECT,
        "text": None,
        "noted": None,
        "evidence": None,
        "size_bytes": len(_STUB),
    }
    connection.execute(update(MailRow).where(MailRow.id.in_(found.mails)).values(**emptied))
    connection.execute(delete(RawRow).where(RawRow.mail_id.in_(found.mails)))
    raw.write(connection, ((mail_id, _STUB) for mail_id in found.mails))
    put_right(connection, found.tickets, {"subject": SUBJECT})
    told = update(HistoryRow).where(HistoryRow.ticket_id.in_(found.tickets))
    connection.execute(told.where(HistoryRow.field == "subject").values(old=None, new=SUBJECT))
    connection.execute(told.where(HistoryRow.field == "withheld").values(new="an automatic mail"))
    search.note(connection, [-number for number in found.tickets], now)
    _stop(connection, found.mails)
    _strike_out(connection, found, now)
    for address_id, normal in found.addresses.items():
        nobody = f"deleted-{address_id}@invalid"
        renamed = {"normal": nobody, "address": nobody, "suppressed_until": FOR_EVER, "suppressed_reason": REMOVED}
        connection.execute(update(AddressRow).where(AddressRow.id == address_id).values(**renamed))
        his = HistoryRow.ticket_id.in_(found.tickets)
        connection.execute(update(HistoryRow).where(his, HistoryRow.actor == normal).values(actor=nobody))
        _replace_in_history(connection, his & _says([normal]), Words([normal], instead=nobody))
    gone = {"recipient": NOBODY, "reply_to": "", "leave": None, "reply": None}
    to_him = DeliveryRow.address_id.in_(found.addresses)
    connection.execute(update(DeliveryRow).where(to_him).values(**gone))
    tried = AttemptRow.delivery_id.in_(select(DeliveryRow.id).where(to_him))
    connection.execute(delete(AttemptRow).where(tried))
    connection.execute(update(PersonRow).where(PersonRow.id == found.person).values(name="", language=None))


def _stop(connection: Connection, mails: Sequence[int]) -> None:
    """Have nothing more happen to mails: they neither leave nor are they filed."""
    queued = (DeliveryRow.mail_id.in_(mails)) & (DeliveryRow.state == DeliveryState.QUEUED)
    connection.execute(update(DeliveryRow).where(queued).values(state=DeliveryState.CANCELLED, due_at=None))
    waiting = MailRow.id.in_(mails) & MailRow.state.in_(_WAITING)
    connection.execute(update(MailRow).where(waiting).values(state=MailState.NOTED, due_at=None, ticket_id=None))


def _strike_out(connection: Connection, found: Found, now: datetime) -> None:
    """Take him out of what is others': who takes part, deliveries, history, and mails and tickets that name him."""
    ids, normals = list(found.addresses), found.normals
    words = Words(normals, found.names)
    here = ParticipantRow.ticket_id.not_in(found.tickets)
    connection.execute(delete(ParticipantRow).where(ParticipantRow.address_id.in_(ids), here))
    kept = DeliveryRow.mail_id.not_in(found.mails)
    connection.execute(delete(DeliveryRow).where(DeliveryRow.address_id.in_(ids), kept))
    named = list(connection.scalars(select(MailRow.ticket_id).where(MailRow.id.in_(found.naming)).distinct()))
    _strike_out_of_history(connection, found, words, [each for each in named if each])
    for mail_id in found.naming:
        _strike_out_of_mail(connection, mail_id, normals, words)
    search.note(connection, found.naming, now)
    titles = select(TicketRow.id, TicketRow.subject).where(TicketRow.id.not_in(found.tickets))
    subject = TicketRow.subject
    saying = or_(TicketRow.id.in_(named), *(subject.icontains(each, autoescape=True) for each in normals))
    for row in connection.execute(titles.where(saying)).all():
        if (struck := words.out_of(row.subject)) != row.subject:
            put_right(connection, [row.id], {"subject": struck})
            search.note(connection, [-row.id], now)


def _strike_out_of_history(connection: Connection, found: Found, words: Words, named: Sequence[int]) -> None:
    others, normals = HistoryRow.ticket_id.not_in(found.tickets), found.normals
    connection.execute(update(HistoryRow).where(others, HistoryRow.actor.in_(normals)).values(actor=NOBODY))
    titles = HistoryRow.ticket_id.in_(named) & (HistoryRow.field == "subject")
    columns = (HistoryRow.id, HistoryRow.field, HistoryRow.old, HistoryRow.new)
    rows = connection.execute(select(*columns).where(others, or_(_says(normals), titles))).all()
    for row in rows:
        if row.field == "participants":  # he never took part, so that the history still says who does
            kept = {name: _without(getattr(row, name), normals) for name in ("old", "new")}
        else:
            kept = {name: words.out_of(getattr(row, name)) for name in ("old", "new")}
        if row.field == "alias" and kept["new"] != row.new:
            connection.execute(delete(HistoryRow).where(HistoryRow.id == row.id))
        elif (kept["old"], kept["new"]) != (row.old, row.new):
            connection.execute(update(HistoryRow).where(HistoryRow.id == row.id).values(**kept))


def _without(names: str | None, normals: Sequence[str]) -> str | None:
    return ", ".join(each for each in (names or "").split(", ") if each not in normals) or None


def _replace_in_history(connection: Connection, which: Any, words: Words) -> None:
    columns = select(HistoryRow.id, HistoryRow.old, HistoryRow.new)
    for row in connection.execute(columns.where(which)).all():
        struck = {"old": words.out_of(row.old), "new": words.out_of(row.new)}
        connection.execute(update(HistoryRow).where(HistoryRow.id == row.id).values(struck))


def _strike_out_of_mail(connection: Connection, mail_id: int, normals: Sequence[str], words: Words) -> None:
    struck = words.out_of_bytes(raw.of(connection, [mail_id]).get(mail_id, b""))
    connection.execute(delete(RawRow).where(RawRow.mail_id == mail_id))
    raw.write(connection, [(mail_id, struck)])
    said = select(MailRow.recipients, *(getattr(MailRow, name) for name in _SAYING)).where(MailRow.id == mail_id)
    row = connection.execute(said).one()
    columns = {name: words.out_of(getattr(row, name)) for name in _SAYING}
    columns["recipients"] = [each for each in row.recipients if normalise(each) not in normals]
    connection.execute(update(MailRow).where(MailRow.id == mail_id).values(size_bytes=len(struck), **columns))


def _secure(connection: Connection) -> None:
    """Have SQLite overwrite what is deleted, instead of only forgetting where it is."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
