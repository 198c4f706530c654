"""`maild db backup` and `restore`: what was there comes back, and nothing is lost by a wrong word."""

import os
import sqlite3
import stat
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from maild.store import schema
from maild.store.backup import postgresql
from maild.store.engine import Database
from maild.store.locks import WRITE_LOCKS
from maild.store.models import RawRow
from tests.database.commands import Answer, Shell
from tests.stories.driver import ADA, BEN

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
postgresql_only = pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])


@pytest.fixture(autouse=True)
def programs(database_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's own programs, of the version of the server, first in the path."""
    if database_kind == "postgresql":
        from tests.postgresql import programs as found

        monkeypatch.setenv("PATH", f"{found()}:{os.environ['PATH']}")


def contents(database: Database) -> Mapping[str, list[tuple[object, ...]]]:
    """All rows of all tables, in an order of their own."""
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
        return {
            each: sorted((tuple(row) for row in connection.execute(text(f'SELECT * FROM "{each}"'))), key=repr)
            for each in sorted(tables)
        }


def restore(shell: Shell, *words: object) -> Answer:
    """Restore as an operator does who has stopped his daemon: with no connection left."""
    shell.desk.database.close()
    return shell("db", "restore", *words)


def test_a_backup_brings_back_every_row(shell: Shell, tmp_path: Path) -> None:
    shell.desk.mail(ADA, "Printer", "It is on fire.\nAnd\tmore \\. of \\N it: \x00\xff")
    before = contents(shell.desk.database)
    made = shell("db", "backup", tmp_path / "copy")
    shell.desk.mail(BEN, "Another")
    assert contents(shell.desk.database) != before
    done = restore(shell, tmp_path / "copy", "--force")

    assert (made.status, made.err) == (0, "")
    assert made.out.startswith(f"{tmp_path / 'copy'}: ")
    assert made.out.endswith(" MiB, read back\n")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("restored: ")
    assert contents(shell.desk.database) == before
    assert shell("db", "check").status == 0
    assert shell.desk.mail(ADA, "The desk goes on", work=False)


def test_a_backup_answers_in_json(shell: Shell, tmp_path: Path) -> None:
    shell.desk.mail(ADA, "Printer", work=False)
    made = shell("db", "backup", tmp_path / "copy", "--json")
    done = restore(shell, tmp_path / "copy", "--json", "--force")

    assert made.kind == "db-backup"
    assert set(made.data) == {"database", "file", "size_bytes", "schema", "rows"}
    assert made.data["size_bytes"] == (tmp_path / "copy").stat().st_size
    assert made.data["rows"]["mail"] == 1
    assert done.kind == "db-restore"
    assert set(done.data) == {"database", "file", "before", "schema", "rows", "queued", "kept"}
    assert done.data["rows"] == made.data["rows"]


def test_only_its_owner_reads_a_backup_and_nothing_is_left_beside_it(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    shell("db", "backup", folder)

    (file,) = folder.iterdir()
    assert file.name.startswith("maild-2026")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_replaced_with_force_only(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    refused = shell("db", "backup", tmp_path / "copy")

    assert refused.status == 1
    assert "is there already" in refused.err
    assert (tmp_path / "copy").read_text() == "precious"
    assert shell("db", "backup", tmp_path / "copy", "--force").status == 0


def test_a_database_with_mails_is_given_up_with_force_only(shell: Shell, tmp_path: Path) -> None:
    shell("db", "backup", tmp_path / "copy")
    shell.desk.mail(ADA, "Printer")
    before = contents(shell.desk.database)
    refused = restore(shell, tmp_path / "copy")

    assert refused.status == 1
    assert "is not empty (" in refused.err
    assert "1 in ticket" in refused.err
    assert "--force" in refused.err
    assert contents(shell.desk.database) == before


@sqlite_only
def test_what_was_given_up_is_kept(shell: Shell, tmp_path: Path) -> None:
    shell("db", "backup", tmp_path / "copy")
    shell.desk.mail(ADA, "Printer")
    before = contents(shell.desk.database)
    kept = restore(shell, tmp_path / "copy", "--force", "--json").data["kept"]

    with Database(f"sqlite:///{kept}") as old:
        assert contents(old) == before


@sqlite_only
def test_a_restoration_is_refused_while_a_daemon_serves(shell: Shell, tmp_path: Path) -> None:
    shell("db", "backup", tmp_path / "copy")
    shell.desk.database.claim_for_daemon("pid 4711")
    refused = shell("db", "restore", tmp_path / "copy", "--force")

    assert refused.status == 75
    assert "pid 4711" in refused.err


@postgresql_only
def test_a_restoration_is_refused_while_somebody_is_connected(shell: Shell, tmp_path: Path) -> None:
    shell("db", "backup", tmp_path / "copy")
    with shell.desk.database.read() as connection:
        connection.execute(select(1))
        refused = shell("db", "restore", tmp_path / "copy", "--force")

    assert refused.status == 75
    assert "connected to the database" in refused.err


@sqlite_only
def test_a_database_that_is_gone_or_damaged_is_restored(shell: Shell, tmp_path: Path) -> None:
    shell.desk.mail(ADA, "Printer")
    before = contents(shell.desk.database)
    shell("db", "backup", tmp_path / "copy")
    shell.desk.database.close()
    path = shell.desk.database.path
    path.write_bytes(b"no database at all" * 1000)
    path.with_name("maild.db-wal").write_bytes(b"nor a log")
    damaged = restore(shell, tmp_path / "copy")
    forced = restore(shell, tmp_path / "copy", "--force")
    after_damage = contents(shell.desk.database)
    shell.desk.database.close()
    path.unlink()
    gone = restore(shell, tmp_path / "copy")

    assert damaged.status == 1
    assert "cannot be read" in damaged.err
    assert forced.status == gone.status == 0
    assert contents(shell.desk.database) == after_damage == before


@pytest.mark.parametrize("content", [b"", b"no backup" * 1000], ids=["empty", "text"])
def test_what_is_no_backup_changes_nothing(shell: Shell, tmp_path: Path, content: bytes) -> None:
    shell.desk.mail(ADA, "Printer")
    before = contents(shell.desk.database)
    (tmp_path / "copy").write_bytes(content)
    refused = restore(shell, tmp_path / "copy", "--force")

    assert refused.status == 66
    assert str(tmp_path / "copy") in refused.err
    assert contents(shell.desk.database) == before
    assert restore(shell, tmp_path / "not-there").status == 66


def test_a_damaged_backup_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    for number in range(10):
        shell.desk.mail(ADA, f"Printer {number}", "".join(chr(33 + (n * n * number) % 90) for n in range(9000)))
    shell("db", "backup", tmp_path / "copy")
    whole = (tmp_path / "copy").read_bytes()
    (tmp_path / "copy").write_bytes(whole[: len(whole) * 2 // 3])
    before = contents(shell.desk.database)
    refused = restore(shell, tmp_path / "copy", "--force")

    assert refused.status == 66
    assert contents(shell.desk.database) == before


def test_a_backup_of_a_newer_maild_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    version = schema.revisions(shell.desk.database).have
    try:
        with shell.desk.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert shell("db", "backup", tmp_path / "copy").status == 0
    finally:
        with shell.desk.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :old"), {"old": version})
    before = contents(shell.desk.database)
    refused = restore(shell, tmp_path / "copy", "--force")

    assert refused.status == 78
    assert "newer maild" in refused.err
    assert contents(shell.desk.database) == before


@sqlite_only
def test_an_old_backup_is_brought_to_the_schema_of_today(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "copy").touch()
    with closing(sqlite3.connect(tmp_path / "copy")) as made:
        made.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")  # before the first revision
        made.commit()
    done = restore(shell, tmp_path / "copy", "--json")

    assert done.data["before"] is None
    assert done.data["schema"] == schema.revisions(shell.desk.database).have


@sqlite_only
def test_a_database_of_another_program_is_not_taken(shell: Shell, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "copy")) as made:
        made.execute("CREATE TABLE accounts (id INTEGER)")
        made.commit()

    assert "is no database of maild" in restore(shell, tmp_path / "copy", "--force").err


@postgresql_only
def test_a_restoration_that_fails_half_way_changes_nothing(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.desk.mail(ADA, "Printer")
    shell("db", "backup", tmp_path / "copy")
    shell.desk.mail(BEN, "Another")
    before = contents(shell.desk.database)
    real = Path(postgresql._program("pg_restore", "")).resolve()
    lame = tmp_path / "bin"
    lame.mkdir()
    (lame / "pg_restore").write_text(
        f'#!/bin/sh\ncase "$*" in *--clean*) "{real}" "$@" | head -c 3000; exit 1 ;; esac\nexec "{real}" "$@"\n'
    )
    (lame / "pg_restore").chmod(0o755)
    monkeypatch.setenv("PATH", f"{lame}:{os.environ['PATH']}")
    refused = restore(shell, tmp_path / "copy", "--force")

    assert refused.status == 1
    assert "is as it was" in refused.err
    assert contents(shell.desk.database) == before


@postgresql_only
def test_without_its_programs_the_command_is_told(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = shell("db", "backup", tmp_path / "copy")

    assert told.status == 1
    assert "postgresql-client" in told.err
    assert "pg_dump --format=custom --file=FILE postgresql://" in told.err
    assert not (tmp_path / "copy").exists()


def test_a_backup_that_cannot_be_written_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    told = shell("db", "backup", tmp_path / "no" / "such" / "folder")

    assert told.status == 74
    assert list(tmp_path.glob("*.part")) == []


@sqlite_only
def test_a_backup_that_lacks_a_row_is_not_kept(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maild.store.backup import sqlite

    shell.desk.mail(ADA, "Printer")
    real = sqlite.examine

    def one_less(path: Path) -> tuple[dict[str, int], str | None]:
        rows, revision = real(path)
        return {**rows, RawRow.__tablename__: rows[RawRow.__tablename__] - 1}, revision

    monkeypatch.setattr(sqlite, "examine", one_less)
    told = shell("db", "backup", tmp_path / "copy")

    assert told.status == 1
    assert "raw has" in told.err
    assert not (tmp_path / "copy").exists()


@sqlite_only
@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can make files for somebody else")
def test_what_root_restores_belongs_to_the_daemons_user(shell: Shell, tmp_path: Path) -> None:
    nobody = 65534
    shell("db", "backup", tmp_path / "copy")
    shell.desk.database.close()
    path = shell.desk.database.path
    os.chown(path, nobody, nobody)
    there = restore(shell, tmp_path / "copy")
    owner = path.stat().st_uid
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, nobody, nobody)
    shell.config.write_text(shell.config.read_text().replace(str(path), str(state / "maild.db")))
    new = restore(shell, tmp_path / "copy")

    assert (there.status, new.status) == (0, 0)
    assert owner == nobody
    assert {each.stat().st_uid for each in state.iterdir()} == {nobody}
    assert {each.name for each in state.iterdir()} == {f"maild.db{end}" for end in ("", ".lock", *WRITE_LOCKS)}
