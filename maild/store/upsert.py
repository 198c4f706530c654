"""An insert that may find its row there already: `on_conflict_do_nothing`, `on_conflict_do_update`.

SQLite and PostgreSQL have the same words for it; SQLAlchemy has them in a class for each.
"""

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from maild.store.columns import Base


def upsert(connection: Connection, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an insert into `table` to which it can be said what follows if the row is there."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
