"""The schema's version: Alembic migrations, inside the wheel, run at start.

Several processes may start at once: one migrates, the others wait and find it done. Each step is one transaction
with its version, so a kill leaves the old schema or the new one. On SQLite foreign keys are off meanwhile (a batch
change drops and re-creates tables, and would delete what cascades from them) and are checked before the commit.

Alembic is loaded where there is something to migrate: the look at each start does without its 13 MiB.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Connection, inspect, text

from maild.store import search
from maild.store.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION_TABLE: Final = "alembic_version"
_REVISION: Final = re.compile(r'^(revision|down_revision)\b[^=\n]*=\s*"([^"]+)"', re.MULTILINE)
_ADVISORY_LOCK = 7_201_142  # any number, the same on all nodes


class SchemaError(Exception):
    """The database's schema is not one that this version can work with; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The schema that the database has, and the one that this version needs."""

    have: str | None
    need: str


def is_of_models(name: str | None, kind: str, _parents: Any) -> bool:
    """Return whether `models` say how something in the database looks; the index of words is of migrations alone."""
    return kind != "table" or not search.is_own(name)


def _config() -> "Config":
    """Return how Alembic finds our migrations."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", "maild:store/migrations")
    return config


@cache
def _steps() -> dict[str, str]:
    """Return which revision each one of ours follows; the first follows none."""
    found: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py")):
        said = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        if "revision" in said:
            found[said["revision"]] = said.get("down_revision", "")
    return found


def revisions(database: Database) -> Revisions:
    """Return what the database has and what is needed."""
    steps = _steps()
    heads = set(steps) - set(steps.values())
    if len(heads) != 1:
        raise SchemaError("maild's own migrations are missing from this installation; reinstall maild")
    with database.read() as connection:
        have = None
        if inspect(connection).has_table(_VERSION_TABLE):
            have = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608 - a constant
        return Revisions(have, heads.pop())


def _is_known(revision: str) -> bool:
    return revision in _steps()


def refuse_newer(revision: str | None) -> None:
    """Raise SchemaError if only a newer maild knows the schema `revision`."""
    if revision is not None and not _is_known(revision):
        raise SchemaError(
            f"the database has schema {revision}, which this version does not know: a newer maild upgraded it; "
            "install that version again or restore a backup"
        )


def upgrade(database: Database) -> bool:
    """Bring the schema up to date; return whether there was anything to do.

    Raises:
        SchemaError: the database was written by a newer maild, or a migration broke a reference.
    """
    found = revisions(database)
    if found.have == found.need:
        return False
    refuse_newer(found.have)

    with database.migrate() as connection:
        _migrate(database, connection)
    return True


def _migrate(database: Database, connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above

    config = _config()
    config.attributes["connection"] = connection
    if not database.is_sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    command.upgrade(config, "head")
    if database.is_sqlite:
        _check_references(connection)


class Step(NamedTuple):
    """A migration that would be done."""

    revision: str
    title: str


def rehearse(database: Database) -> list[Step]:
    """Migrate, and take it all back; return what was done. It takes as long as the upgrade itself.

    Raises:
        SchemaError: as `upgrade` does.
    """
    found = revisions(database)
    refuse_newer(found.have)
    if found.have == found.need:
        return []
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    with database.migrate() as connection:
        _migrate(database, connection)
        done = connection.get_transaction()
        if done is not None:
            done.rollback()
    scripts = ScriptDirectory.from_config(_config()).iterate_revisions("head", found.have or "base")
    return [Step(each.revision, (each.doc or "").splitlines()[0]) for each in reversed(list(scripts))]


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise SchemaError(f"the migration would break a reference of table {broken[0]!r}; nothing was changed")


def require(database: Database) -> None:
    """Raise SchemaError unless the schema is the one that this version needs."""
    found = revisions(database)
    if found.have is None:
        raise SchemaError("the database is empty; start the daemon once, or run: maild db upgrade")
    if found.have != found.need:
        raise SchemaError(
            f"the database has schema {found.have}, this version needs {found.need}; run: maild db upgrade"
        )
