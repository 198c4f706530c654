"""The keys that sign proofs: made at the first start, kept in the database, so that every node has the same."""

import secrets
import string
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select

from maild.message.tokens import Key, Keys
from maild.store.engine import Database
from maild.store.models import SigningKeyRow

_IDS: Final = string.ascii_lowercase + "234567"  # one base32 character
_SECRET_BYTES: Final = 32


def load(database: Database, now: datetime) -> Keys:
    """Return the signing keys, newest first; makes the first one."""
    keys = _read(database)
    if not keys:
        _add(database, now)
        keys = _read(database)
    return Keys(keys[0], tuple(keys[1:]))


def _read(database: Database) -> list[Key]:
    with database.read() as connection:
        rows = connection.execute(
            select(SigningKeyRow.id, SigningKeyRow.secret, SigningKeyRow.retired_at).order_by(
                SigningKeyRow.retired_at.is_not(None), SigningKeyRow.created_at.desc(), SigningKeyRow.id
            )
        ).all()
    return [Key(row.id, row.secret, row.retired_at) for row in rows]


def _add(database: Database, now: datetime) -> None:
    with database.write() as connection:
        taken = set(connection.scalars(select(SigningKeyRow.id)))
        if taken:
            return  # another process was quicker
        free = [each for each in _IDS if each not in taken]
        connection.execute(
            insert(SigningKeyRow).values(
                id=secrets.choice(free), secret=secrets.token_bytes(_SECRET_BYTES), created_at=now
            )
        )
