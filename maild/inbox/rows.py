"""The rows of a mail: written for a group at a time, a statement a table.

The statements go to the database's driver itself, with the conversions of the models' own types: a lone mail is
answered noticeably sooner than through SQLAlchemy's statements, whose preparation costs as much as the work.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, bindparam, select, update
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

from maild.inbox.mail import Incoming, Stored
from maild.store import raw
from maild.store.models import Direction, MailRow, MailState
from maild.store.raw import PIECE_BYTES

_MAIL: Final[Any] = MailRow.__table__
_ALIKE: Final = ("direction", "state", "stored_at", "due_at", "attempts")  # in all rows of a group
_OWN: Final = ("fingerprint", "source", "envelope_from", "recipients", "size_bytes", "old_since", "helo", "login")
_COLUMNS: Final = _ALIKE + _OWN
_ADD_RECIPIENTS: Final = update(_MAIL).where(_MAIL.c.id == bindparam("mail_id")).values(recipients=bindparam("grown"))


def store(connection: Connection, mails: Sequence[Incoming], now: datetime) -> list[Stored]:
    """Write `mails` and return where each is, in their order; durable once the caller's transaction is committed."""
    prints = [mail.identity() for mail in mails]
    first: dict[bytes, Incoming] = {}
    recipients: dict[bytes, dict[str, None]] = {}  # in their order, each once
    for fingerprint, mail in zip(prints, mails, strict=True):
        first.setdefault(fingerprint, mail)
        recipients.setdefault(fingerprint, {}).update(dict.fromkeys(map(_storable, mail.recipients)))
    if not first:
        return []
    rows = [_row(mail, fingerprint, list(recipients[fingerprint])) for fingerprint, mail in first.items()]
    ids = _insert(connection, (Direction.IN, MailState.STORED, now, now, 0), rows)
    unanswered = set(ids)
    _insert_raw(connection, ((mail_id, first[fingerprint]) for fingerprint, mail_id in ids.items()))
    if len(ids) < len(first):
        ids |= _grow(connection, {known: recipients[known] for known in first if known not in ids})
    stored = []
    for fingerprint in prints:
        stored.append(Stored(ids[fingerprint], fingerprint in unanswered))
        unanswered.discard(fingerprint)
    return stored


def _row(mail: Incoming, fingerprint: bytes, recipients: list[str]) -> tuple[object, ...]:
    sender = None if mail.envelope_from is None else _storable(mail.envelope_from)
    helo = None if mail.helo is None else _storable(mail.helo)[:255]
    return (  # in the order of _OWN
        fingerprint,
        mail.source[:80],
        sender,
        recipients,
        mail.size_bytes,
        mail.old_since,
        helo,
        mail.login,
    )


def _storable(address: str) -> str:
    """Return `address` as both databases can keep it: a column's length, no NUL, nothing that is not Unicode."""
    return address[:320].replace("\0", "\ufffd").encode(errors="replace").decode()


@lru_cache(maxsize=8)
def _conversions(dialect: Dialect, columns: tuple[str, ...]) -> tuple[Callable[[Any], object] | None, ...]:
    """Return how the values of `columns` are given to the driver, None for those that need nothing."""
    types = (_MAIL.c[name].type for name in columns)
    return tuple(each.dialect_impl(dialect).bind_processor(dialect) for each in types)


def _converted(connection: Connection, columns: tuple[str, ...], values: tuple[object, ...]) -> list[object]:
    conversions = _conversions(connection.dialect, columns)
    return [value if convert is None else convert(value) for convert, value in zip(conversions, values, strict=True)]


@lru_cache(maxsize=512)
def _insert_sql(mark: str, count: int) -> str:
    values = f"({', '.join([mark] * len(_COLUMNS))})"
    return (
        f"INSERT INTO mail ({', '.join(_COLUMNS)}) VALUES {', '.join([values] * count)}"  # noqa: S608 - constants
        " ON CONFLICT (fingerprint) DO NOTHING RETURNING id, fingerprint"
    )


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _insert(connection: Connection, alike: tuple[object, ...], rows: Sequence[tuple[object, ...]]) -> dict[bytes, int]:
    """Insert what is not there yet, and return the ids by fingerprint."""
    begin = _converted(connection, _ALIKE, alike)
    values = [value for row in rows for value in (*begin, *_converted(connection, _OWN, row))]
    with _driver(connection) as cursor:
        cursor.execute(_insert_sql(_mark(connection), len(rows)), values)
        return {bytes(fingerprint): mail_id for mail_id, fingerprint in cursor.fetchall()}


def _insert_raw(connection: Connection, mails: Iterable[tuple[int, Incoming]]) -> None:
    mark = _mark(connection)
    sql = f"INSERT INTO raw (mail_id, number, content) VALUES ({mark}, {mark}, {mark})"  # noqa: S608 - constants
    rows: list[tuple[int, int, bytes]] = []
    waiting_bytes = 0
    with _driver(connection) as cursor:
        for mail_id, mail in mails:
            for number, piece in enumerate(mail.pieces()):
                rows.append((mail_id, number, piece))
                waiting_bytes += len(piece)
                if waiting_bytes >= PIECE_BYTES:  # so that a spooled mail is never in memory as a whole
                    cursor.executemany(sql, rows)
                    rows, waiting_bytes = [], 0
        if rows:
            cursor.executemany(sql, rows)


@contextmanager
def _driver(connection: Connection) -> Iterator[DBAPICursor]:
    """Give the driver's own cursor in the transaction of `connection`; its errors come out as SQLAlchemy's."""
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError("storing mails", None, error) from error
    finally:
        cursor.close()


def _grow(connection: Connection, recipients: Mapping[bytes, Iterable[str]]) -> dict[bytes, int]:
    """Add `recipients` to the mails that are there already, and return their ids, both by fingerprint."""
    found = connection.execute(
        select(_MAIL.c.id, _MAIL.c.fingerprint, _MAIL.c.direction, _MAIL.c.recipients)
        .where(_MAIL.c.fingerprint.in_(list(recipients)))
        .order_by(_MAIL.c.id)
        .with_for_update()
    ).all()
    grown = []
    for row in found:
        more = [each for each in recipients[bytes(row.fingerprint)] if each not in row.recipients]
        if more and row.direction is Direction.IN:  # our own mail that comes back stays as we sent it
            grown.append({"mail_id": row.id, "grown": [*row.recipients, *more]})
    if grown:
        connection.execute(_ADD_RECIPIENTS, grown)
    return {bytes(row.fingerprint): row.id for row in found}


def raw_of(connection: Connection, mail_id: int) -> bytes:
    """Return the bytes of the mail `mail_id`.

    Raises:
        LookupError: there is no such mail.
    """
    found = raw.of(connection, [mail_id])
    if mail_id not in found:
        raise LookupError(f"no mail {mail_id}")
    return found[mail_id]
