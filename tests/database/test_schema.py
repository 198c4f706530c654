"""The schema's versions: all or nothing, safe for several processes at once, and the same as the models."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from maild.store import schema, search
from maild.store.engine import Database
from maild.store.models import (
    Base,
    DeliveryRow,
    Direction,
    MailboxRow,
    MailRow,
    MailState,
    RawRow,
    TicketRow,
)
from maild.store.schema import SchemaError
from tests import processes
from tests.clock import NOON
from tests.database import workers

PROCESSES = 4
MAIL = {
    "direction": Direction.IN, "state": MailState.STORED, "fingerprint": bytes(32), "stored_at": NOON, "source": "smtp",
    "recipients": ["support@acme.example"], "size_bytes": 3, "attempts": 0,
}  # fmt: skip


def tables(database: Database) -> set[str]:
    """Return the names of the tables that there are."""
    with database.read() as connection:
        return {each for each in inspect(connection).get_table_names() if not search.is_own(each)}


COMPARED = {"compare_type": True, "compare_server_default": True, "include_name": schema.is_of_models}
ALL = {*Base.metadata.tables, "alembic_version"}


@pytest.fixture
def empty(empty_database_url: str) -> Any:
    """A database without any table, open."""
    database = Database(empty_database_url)
    yield database
    database.close()


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts=COMPARED)
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def test_an_empty_database_is_migrated_once(empty: Database) -> None:
    with pytest.raises(SchemaError, match="the database is empty"):
        schema.require(empty)

    assert schema.upgrade(empty) is True
    assert schema.upgrade(empty) is False
    schema.require(empty)
    assert tables(empty) == ALL


def test_processes_that_start_at_once_agree(empty: Database, empty_database_url: str) -> None:
    others = [processes.begin(workers.upgrade, empty_database_url) for _ in range(PROCESSES)]
    for other in others:
        processes.line(other)

    for other in others:
        assert other.stdin is not None
        other.stdin.write("go\n")
        other.stdin.flush()
    for other in others:
        processes.end(other)

    schema.require(empty)
    assert tables(empty) == ALL


@pytest.mark.parametrize("statement", ["CREATE TABLE person", "CREATE TABLE history", "INSERT INTO alembic_version"])
def test_a_migration_that_is_killed_leaves_the_old_schema_or_the_new(
    empty: Database, empty_database_url: str, statement: str
) -> None:
    dying = processes.begin(workers.upgrade_and_die, empty_database_url, statement)
    dying.communicate()

    assert dying.returncode == -9
    assert tables(empty) == set()
    schema.upgrade(empty)
    assert tables(empty) == ALL


def test_a_migration_that_fails_changes_nothing(empty: Database) -> None:
    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "history" in statement:
            raise ZeroDivisionError

    event.listen(empty._writer, "before_cursor_execute", fail)
    with pytest.raises(ZeroDivisionError):
        schema.upgrade(empty)
    event.remove(empty._writer, "before_cursor_execute", fail)

    assert tables(empty) == set()
    schema.upgrade(empty)


def test_a_newer_database_is_refused_with_what_to_do(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    try:
        with pytest.raises(SchemaError, match=r"schema 9999.*newer maild.*install that version again or restore"):
            schema.upgrade(database)
        with pytest.raises(SchemaError, match=r"has schema 9999, this version needs"):
            schema.require(database)
    finally:
        with database.write() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :head"), {"head": schema.revisions(database).need}
            )


class TestSQLite:
    """A batch change drops and makes tables anew."""

    def test_a_migration_deletes_nothing_that_hangs_on_what_it_changes(self, sqlite_database: Database) -> None:
        store_a_mail(sqlite_database)

        with sqlite_database.migrate() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("mail", recreate="always") as batch:
                batch.alter_column("source", nullable=True)

        with sqlite_database.read() as connection:
            assert connection.scalar(select(func.count()).select_from(RawRow)) == 1

    def test_references_are_enforced_again_after_it_also_when_it_failed(self, sqlite_database: Database) -> None:
        with pytest.raises(ZeroDivisionError), sqlite_database.migrate():
            raise ZeroDivisionError

        with pytest.raises(IntegrityError), sqlite_database.write() as connection:
            connection.execute(insert(RawRow).values(mail_id=4711, number=0, content=b""))

    def test_a_migration_that_breaks_a_reference_is_refused(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaking(config: Any, _revision: str) -> None:
            connection: Connection = config.attributes["connection"]
            connection.execute(insert(RawRow).values(mail_id=4711, number=0, content=b""))

        with sqlite_database.write() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
        monkeypatch.setattr(command, "upgrade", breaking)

        with pytest.raises(SchemaError, match="break a reference of table 'raw'"):
            schema.upgrade(sqlite_database)

        with sqlite_database.read() as connection:
            assert connection.scalar(select(func.count()).select_from(RawRow)) == 0

    @pytest.mark.parametrize("table", [MailRow, TicketRow, DeliveryRow, MailboxRow])
    def test_a_look_at_an_empty_queue_reads_no_table(self, sqlite_database: Database, table: Any) -> None:
        due = select(table.id).where(table.due_at <= NOON + timedelta(days=1)).order_by(table.due_at, table.id)
        with sqlite_database.read() as connection:
            compiled = due.compile(connection, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()

        assert [row[-1] for row in plan] == [
            f"SEARCH {table.__tablename__} USING COVERING INDEX ix_{table.__tablename__}_due (due_at<?)"
        ]


def store_a_mail(database: Database) -> None:
    """Write a mail with its bytes."""
    with database.write() as connection:
        mail_id = connection.execute(insert(MailRow).values(**MAIL).returning(MailRow.id)).scalar_one()
        connection.execute(insert(RawRow).values(mail_id=mail_id, number=0, content=b"abc"))


def test_the_newest_revision_is_known_without_alembic(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", "maild:store/migrations")
    scripts = ScriptDirectory.from_config(config)

    assert schema.revisions(database) == schema.Revisions(scripts.get_current_head(), scripts.get_current_head())
    assert set(schema._steps()) == {each.revision for each in scripts.walk_revisions()}


def test_a_start_with_nothing_to_migrate_does_without_alembic() -> None:
    code = "import sys, maild.daemon; sys.exit('alembic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
