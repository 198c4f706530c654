"""Many rows, given to the database's driver itself, with the conversions of the models' own types.

SQLAlchemy prepares each row of an `executemany` anew, which costs as much as writing it. A statement here is made once;
what its values become for the driver can be reckoned before the transaction that holds others up (`Many.ready`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from maild.store.models import Base, UtcDateTime

MOST_AT_ONCE: Final = 200  # rows of one statement; SQLite takes 32,766 values
Ready = list[object]  # the values of a row, as the driver takes them


class Values:
    """How the values of a row's columns are given to the driver."""

    def __init__(self, row: type[Base], columns: Sequence[str]) -> None:
        self._types: Final[tuple[Any, ...]] = tuple(row.__table__.c[name].type for name in columns)
        self._columns: Final = tuple(columns)
        self._pick: Final[Callable[[Mapping[str, object]], Sequence[object]]] = itemgetter(*columns)
        self._conversions: Final = lru_cache(maxsize=8)(self._converters)

    def _converters(self, dialect: Dialect) -> tuple[tuple[int, Callable[[Any], object]], ...]:
        """Return which values are converted, by their place, and how."""
        found = ((place, _conversion(each, dialect)) for place, each in enumerate(self._types))
        return tuple((place, convert) for place, convert in found if convert is not None)

    def ready(self, dialect: Dialect, row: Mapping[str, object]) -> Ready:
        """Return the values of a row as the driver takes them.

        Raises:
            KeyError: it has other columns than the statement.
        """
        if len(row) != len(self._columns):
            raise KeyError(f"not the columns of the statement: {set(row) ^ set(self._columns)}")
        return self.in_order(dialect, self._pick(row))

    def in_order(self, dialect: Dialect, values: Iterable[object]) -> Ready:
        """Return the values of a row, given in the order of the statement's columns, as the driver takes them.

        Raises:
            ValueError: they are more or fewer than the columns.
        """
        row = list(values)
        if len(row) != len(self._columns):
            raise ValueError(f"{len(row)} values for the columns {self._columns}")
        for place, convert in self._conversions(dialect):
            row[place] = convert(row[place])
        return row


def _conversion(column: Any, dialect: Dialect) -> Callable[[Any], object] | None:
    convert: Callable[[Any], object] | None = column.dialect_impl(dialect).bind_processor(dialect)
    if convert is not None and isinstance(column, UtcDateTime):
        return lru_cache(maxsize=1_024)(convert)  # a group is of one instant
    return convert


class Many:
    """A statement that is executed for many rows of a table."""

    def __init__(self, sql: str, row: type[Base], columns: Sequence[str]) -> None:
        """Make it of `sql`, in which `?` stands for the values of `columns` in turn."""
        self._sql: Final = {"qmark": sql, "format": sql.replace("?", "%s"), "pyformat": sql.replace("?", "%s")}
        self._values: Final = Values(row, columns)

    def ready(self, dialect: Dialect, row: Mapping[str, object]) -> Ready:
        """Return the values of a row as the driver takes them."""
        return self._values.ready(dialect, row)

    def in_order(self, dialect: Dialect, values: Iterable[object]) -> Ready:
        """Return the values of a row, given in the order of the statement's columns, as the driver takes them."""
        return self._values.in_order(dialect, values)

    def execute(self, connection: Connection, rows: Iterable[Mapping[str, object]]) -> None:
        """Execute it for `rows`, in the transaction of `connection`."""
        self.execute_ready(connection, [self.ready(connection.dialect, row) for row in rows])

    def execute_ready(self, connection: Connection, rows: Sequence[Ready]) -> None:
        """Execute it for rows that are ready.

        Raises:
            sqlalchemy.exc.DBAPIError: the database refuses one.
        """
        if not rows:
            return
        cursor = connection.connection.cursor()
        sql = self._sql[connection.dialect.paramstyle]
        try:
            cursor.executemany(sql, rows)
        except connection.dialect.loaded_dbapi.Error as error:
            raise DBAPIError(sql, None, error) from error
        finally:
            cursor.close()

    def execute_returning(self, connection: Connection, rows: Sequence[Ready], key: str, value: str) -> dict[Any, Any]:
        """Execute an insert for rows that are ready; return `value` of each by its `key`, both as the driver has them.

        Raises:
            sqlalchemy.exc.DBAPIError: the database refuses one.
        """
        found: dict[Any, Any] = {}
        sql = self._sql[connection.dialect.paramstyle]
        head, values = sql[: sql.rindex("(")], sql[sql.rindex("(") :]
        cursor = connection.connection.cursor()
        try:
            for start in range(0, len(rows), MOST_AT_ONCE):
                some = rows[start : start + MOST_AT_ONCE]
                several = f'{head}{", ".join([values] * len(some))} RETURNING "{key}", "{value}"'
                cursor.execute(several, [each for row in some for each in row])
                found.update((_plain(name), each) for name, each in cursor.fetchall())
        except connection.dialect.loaded_dbapi.Error as error:
            raise DBAPIError(sql, None, error) from error
        finally:
            cursor.close()
        return found


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def insert(row: type[Base], *columns: str) -> Many:
    """Return what inserts rows with these columns."""
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join("?" for _ in columns)
    return Many(f"INSERT INTO {row.__tablename__} ({names}) VALUES ({values})", row, columns)  # noqa: S608 - constants


def update(row: type[Base], key: str, *columns: str) -> Many:
    """Return what sets these columns of the row whose `key` is the last value."""
    values = ", ".join(f'"{name}" = ?' for name in columns)
    sql = f'UPDATE {row.__tablename__} SET {values} WHERE "{key}" = ?'  # noqa: S608 - constants
    return Many(sql, row, (*columns, key))
