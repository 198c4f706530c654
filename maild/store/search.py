"""The index of words: what was said on tickets, found by `message.search.Query`.

    mail_search   a mail's id, the words of its subject and of its new text; minus a ticket's id: the subject that
                  an agent gave it. SQLite: FTS5. PostgreSQL: tsvector with a GIN index.

    unindexed     what is to be in it and is not yet

Whoever writes what a mail says calls `note` in the same transaction, which costs next to nothing; `catch_up` writes the
index, a group at a time, when there is time (`services.indexer`). Triggers take out what is deleted, or says something
else than it did, whoever does it: nothing is found that is no longer there. The tables of the index are made by
migration 0003 alone and are not in `models`, since they differ on the two databases; `is_own` tells them apart.

Without FTS5 in the SQLite library there is no index, and the texts themselves are compared: the last MOST_COMPARED.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    column,
    delete,
    func,
    or_,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import aliased

from maild.message.search import MOST_CHARS, Indexed, Query, Term, snippet
from maild.rules.state import Status
from maild.store import driver
from maild.store.models import MailRow, TicketRow, UnindexedRow

log = structlog.get_logger("maild.store")

NAME: Final = "mail_search"
MOST_FOUND: Final = 50  # tickets
FIRST_MATCHES: Final = 1_000  # mails with the words that are looked at, the newest: enough as a rule
MOST_MATCHES: Final = 20_000  # mails with the words that are looked at, if those were not enough tickets
GROUP: Final = 100  # that are indexed in one transaction
GROUP_CHARS: Final = 400_000  # likewise, the last one excepted: some ten milliseconds
MOST_COMPARED: Final = 100_000  # mails that are looked at where no index helps, the newest
AWAY: Final = (Status.SPAM, Status.DELETED, Status.MERGED)


class Said(NamedTuple):
    """What a mail says."""

    id: int  # of a mail; minus that of a ticket: its subject
    subject: str | None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A ticket that was found, by the newest of its mails that has what was looked for."""

    ticket_id: int
    at: datetime | None = None  # None: it was found by its own subject
    author: str = ""
    snippet: str = ""


def is_own(name: str | None) -> bool:
    """Return whether a table is the index, or one of those in which FTS5 keeps it."""
    return name is not None and name.startswith(NAME)


def has_fts5(connection: Connection) -> bool:
    """Return whether the SQLite library of a connection has FTS5."""
    try:
        connection.exec_driver_sql("SELECT fts5(NULL)")
    except DBAPIError as error:
        if "no such function" in str(error.orig):
            return False
        raise
    return True


_HAS_INDEX: Final = text("SELECT 1 FROM sqlite_schema WHERE name = 'mail_search'")
_INSERT: Final = {
    "sqlite": text("INSERT OR REPLACE INTO mail_search (rowid, subject, text) VALUES (:id, :subject, :text)"),
    "postgresql": text(
        "INSERT INTO mail_search (id, words) VALUES (:id, CAST(:words AS tsvector))"
        " ON CONFLICT (id) DO UPDATE SET words = excluded.words"
    ),
}
_MATCHES: Final = {
    "sqlite": text(
        "SELECT rowid AS id FROM mail_search WHERE mail_search MATCH :wanted ORDER BY rowid DESC LIMIT :most"
    ),
    "postgresql": text(
        "SELECT id FROM mail_search WHERE words @@ CAST(:wanted AS tsquery) ORDER BY id DESC LIMIT :most"
    ),
}


def has_index(connection: Connection) -> bool:
    """Return whether there is an index: not where the SQLite library had no FTS5 when the database was upgraded."""
    return connection.dialect.name != "sqlite" or connection.scalar(_HAS_INDEX) is not None


def index(connection: Connection, mails: Iterable[Said]) -> None:
    """Have `mails` found by what they say, at once."""
    said = [(each.id, Indexed.of(each.subject or "", each.text or "")) for each in mails]
    if not said or not has_index(connection):
        return
    dialect = connection.dialect.name
    rows = [{"id": number, **words.row(sqlite=dialect == "sqlite")} for number, words in said]
    connection.execute(_INSERT[dialect], rows)


def with_note(said: str | None, noted: str | None) -> str | None:
    """Return what is found of a mail: what it says, and what an agent who passed it on wrote above it."""
    return f"{said or ''}\n{noted}" if noted else said


def note(connection: Connection, ids: Iterable[int], now: datetime) -> None:
    """Have mails found by what they say, soon; minus the id of a ticket means its subject."""
    rows = [{"said_id": each, "since": now} for each in ids]
    if rows and has_index(connection):
        _NOTE.execute(connection, rows)


def noted(connection: Connection, back: int = 0) -> tuple[datetime, datetime | None] | None:
    """Return since when the oldest waits that is to be indexed, and the one `back` before the newest; None if none."""
    oldest = connection.scalar(_SINCE.order_by(UnindexedRow.id).limit(1))
    if oldest is None:
        return None
    return oldest, connection.scalar(_SINCE.order_by(UnindexedRow.id.desc()).limit(1).offset(back))


def catch_up(connection: Connection) -> int:
    """Index what waits, the oldest first, up to a group; return how many. What is gone is found no more."""
    waiting = connection.execute(_WAITING).all()
    if not waiting:
        return 0
    said: dict[int, Said] = {}
    # Locked: what somebody is just having forgotten must not be written from what it said before.
    mails = select(MailRow.id, MailRow.subject, func.substr(MailRow.text, 1, MOST_CHARS).label("text"), MailRow.noted)
    for row in connection.execute(mails.where(_among(MailRow.id, waiting, 1)).with_for_update(read=True)):
        said[row.id] = Said(row.id, row.subject, with_note(row.text, row.noted))
    tickets = select(TicketRow.id, TicketRow.subject).where(_among(TicketRow.id, waiting, -1))
    for row in connection.execute(tickets.with_for_update(read=True)):
        said[-row.id] = Said(-row.id, row.subject)
    done: list[int] = []
    chosen: dict[int, Said] = {}
    chars = 0
    for each in waiting:
        if chars >= GROUP_CHARS:
            break
        done.append(each.id)
        if found := said.get(each.said_id):
            chosen[each.said_id] = found
            chars += len(found.text or "")
    index(connection, chosen.values())
    connection.execute(delete(UnindexedRow).where(UnindexedRow.id.in_(done)))
    return len(done)


_NOTE: Final = driver.insert(UnindexedRow, "said_id", "since")
_SINCE: Final = select(UnindexedRow.since)
_WAITING: Final = (
    select(UnindexedRow.id, UnindexedRow.said_id)
    .order_by(UnindexedRow.id)
    .limit(GROUP)
    .with_for_update(skip_locked=True)  # another node's are its own
)


def _among(column: Any, waiting: Sequence[Any], sign: int) -> ColumnElement[bool]:
    chosen: ColumnElement[bool] = column.in_([each.said_id * sign for each in waiting if each.said_id * sign > 0])
    return chosen


def find(connection: Connection, query: Query, seen: ColumnElement[bool], limit: int = MOST_FOUND) -> list[Hit]:
    """Return the tickets with a mail that has all that `query` asks for, those with the newest such mail first.

    Of tickets of which `seen` holds. Where no ticket has the words themselves, those are found that have longer words
    that begin so. What is merged is found as what it was merged into.
    """
    if not query:
        return []
    found = _found(connection, query, seen, limit, FIRST_MATCHES)
    if len(found) < limit and query.terms:
        found = _found(connection, query, seen, limit, MOST_MATCHES)
    if not found and query.terms:
        query = query.begun()
        found = _found(connection, query, seen, limit, MOST_MATCHES)
    mails = select(MailRow.id, MailRow.stored_at, MailRow.from_name, MailRow.from_address, MailRow.text)
    rows = {row.id: row for row in connection.execute(mails.where(MailRow.id.in_([each.mail_id for each in found])))}
    return [_hit(each.ticket_id, rows.get(each.mail_id), query) for each in found]


def _hit(ticket_id: int, mail: Any, query: Query) -> Hit:
    if mail is None:
        return Hit(ticket_id)
    author = mail.from_name or mail.from_address or ""
    return Hit(ticket_id, mail.stored_at, author, snippet(mail.text or "", query))


def _found(connection: Connection, query: Query, seen: ColumnElement[bool], limit: int, most: int) -> Sequence[Any]:
    dialect = connection.dialect.name
    values: dict[str, Any] = {}
    compared: ColumnElement[bool] = true()
    if query.terms and has_index(connection):
        matches = _MATCHES[dialect].columns(column("id", Integer)).subquery("matches")
        values = {"wanted": query.fts5() if dialect == "sqlite" else query.tsquery(), "most": most}
    else:
        if query.terms:
            log.warning("there is no index of words, texts are compared", most_mails=MOST_COMPARED)
        newest = connection.scalar(select(func.max(MailRow.id))) or 0
        matches = select(MailRow.id).where(MailRow.id > newest - MOST_COMPARED).subquery("matches")
        compared = and_(MailRow.ticket_id.is_not(None), *map(_compared, query.terms))
    filed_on, merged_into = aliased(TicketRow), aliased(TicketRow)
    newest_mail = func.max(matches.c.id)
    tickets = (
        select(TicketRow.id.label("ticket_id"), newest_mail.label("mail_id"))
        .select_from(matches)
        .outerjoin(MailRow, MailRow.id == matches.c.id)
        .join(filed_on, filed_on.id == func.coalesce(MailRow.ticket_id, -matches.c.id))
        .outerjoin(merged_into, merged_into.id == filed_on.merged_into)
        .join(TicketRow, TicketRow.id == func.coalesce(merged_into.merged_into, merged_into.id, filed_on.id))
        .where(seen, compared, *_filters(query))
        .group_by(TicketRow.id)
        .order_by(newest_mail.desc())
        .limit(limit)
    )
    return connection.execute(tickets, values).all()


def _filters(query: Query) -> list[ColumnElement[bool]]:
    wanted = TicketRow.status.in_(map(Status, query.statuses)) if query.statuses else TicketRow.status.not_in(AWAY)
    writers = [
        or_(MailRow.from_address.icontains(each, autoescape=True), MailRow.from_name.icontains(each, autoescape=True))
        for each in query.senders
    ]
    # as `models.Words` writes them: a space around each
    tagged = [type_coerce(TicketRow.tags, Text).contains(f" {each} ", autoescape=True) for each in query.tags]
    return [wanted, *writers, *tagged]


def _compared(term: Term) -> ColumnElement[bool]:
    subjects = [each.icontains(term.written, autoescape=True) for each in (TicketRow.subject, MailRow.subject)]
    return or_(*subjects, *(() if term.subject else (MailRow.text.icontains(term.written, autoescape=True),)))
