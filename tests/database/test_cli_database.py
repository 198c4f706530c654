"""`maild db`, and how every command meets a database that is missing, old, newer, locked or away."""

from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from maild.store import schema
from maild.store.engine import Database
from maild.store.models import DeliveryRow, MailRow, RawRow, TicketRow
from tests.database.commands import Shell, run, write_config
from tests.stories.driver import ADA

READERS = (
    ("status",),
    ("ticket", "list"),
    ("ticket", "show", "1"),
    ("ticket", "set", "1", "--status", "open"),
    ("mail", "list"),
    ("mail", "retry", "1"),
    ("delivery", "list"),
    ("delivery", "cancel", "1"),
)


def test_upgrade_makes_a_database_and_says_so(
    empty_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILD_CONFIG", str(write_config(tmp_path, empty_database_url)))
    first = run(capsys, "db", "upgrade")
    again = run(capsys, "db", "upgrade")

    assert first[0] == again[0] == 0
    assert first[1].startswith("schema none -> ")
    assert again[1].endswith(" is up to date\n")
    assert run(capsys, "db", "check") == (0, "the database is sound\n", "")


def test_upgrade_answers_in_json(shell: Shell) -> None:
    answer = shell("db", "upgrade", "--json")

    assert answer.kind == "db-upgrade"
    assert set(answer.data) == {"database", "before", "schema", "changed"}
    assert answer.data["changed"] is False


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_a_database_that_is_not_there_is_told_and_not_made(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "maild.db"
    path.parent.mkdir()
    monkeypatch.setenv("MAILD_CONFIG", str(write_config(tmp_path, f"sqlite:///{path}")))
    status, out, err = run(capsys, *words)

    assert (status, out) == (78, "")
    assert err.startswith(f"there is no database {path}; start the daemon once, or run: maild db upgrade")
    assert list(path.parent.iterdir()) == []


def test_an_empty_database_is_told_with_what_to_do(
    empty_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(empty_database_url).close()
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("MAILD_CONFIG", str(write_config(tmp_path, empty_database_url)))
    status, out, err = run(capsys, "ticket", "list")

    assert (status, out) == (78, "")
    assert err == "the database is empty; start the daemon once, or run: maild db upgrade\n"
    assert run(capsys, "db", "check")[0] == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])  # the server's is shared by other tests
def test_a_database_of_a_newer_maild_is_left_alone(shell: Shell) -> None:
    with shell.desk.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert shell("ticket", "list").status == 78
    assert shell("db", "upgrade").status == 78
    assert "newer maild" in shell("check").err
    assert schema.revisions(shell.desk.database).have == "9999"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_no_schema_is_changed_under_a_running_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    monkeypatch.setenv("MAILD_CONFIG", str(write_config(tmp_path, empty_database_url)))
    daemon = Database(empty_database_url)
    daemon.claim_for_daemon("pid 4711")
    (tmp_path / "empty.db").touch()
    try:
        status, _, err = run(capsys, "db", "upgrade")
    finally:
        daemon.close()

    assert status == 75
    assert "pid 4711" in err


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_database_that_another_process_writes_to_is_tried_again_later(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.desk.mail(ADA, "Printer")
    monkeypatch.setattr("maild.store.engine.LOCK_WAIT_S", 0.05)
    with shell.desk.database.write():
        answer = shell("delivery", "retry", 1)

    assert answer.status == 75
    assert "try again in a moment" in answer.err


def test_a_server_that_is_away_is_told_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://maild:verysecret@127.0.0.1:1/maild"
    monkeypatch.setenv("MAILD_CONFIG", str(write_config(tmp_path, url)))
    status, out, err = run(capsys, "ticket", "list")
    checked = run(capsys, "check")

    assert (status, out) == (69, "")
    assert "cannot be reached" in err
    assert checked[0] == 78
    assert "verysecret" not in err + checked[1] + checked[2]


def test_a_file_that_is_no_database_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maild.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)
    monkeypatch.setenv("MAILD_CONFIG", str(write_config(tmp_path, f"sqlite:///{tmp_path / 'maild.db'}")))
    status, _, err = run(capsys, "ticket", "list")

    assert status == 74
    assert "is damaged" in err


def test_check_finds_mails_without_their_bytes_and_what_waits_for_nothing(shell: Shell) -> None:
    shell.desk.post_office.refusals[ADA] = "451 4.2.1 later"
    mail_id = shell.desk.mail(ADA, "Printer")
    waits = shell.desk.mail(ADA, "Another", work=False)
    with shell.desk.database.write() as connection:
        connection.execute(delete(RawRow).where(RawRow.mail_id == mail_id))
        connection.execute(update(MailRow).where(MailRow.id == waits).values(due_at=None))
        connection.execute(update(DeliveryRow).where(DeliveryRow.recipient == ADA).values(due_at=None))
        connection.execute(update(TicketRow).values(due_at=None))
    answer = shell("db", "check", "--json")

    assert answer.status == 1
    assert answer.kind == "db-check"
    assert answer.data["ok"] is False
    assert [each.split(":")[0] for each in answer.data["faults"]] == [
        f"mail {mail_id}",
        f"mail {waits}",
        "delivery 1",
        "ticket 1",
    ]
    assert answer.err.splitlines() == answer.data["faults"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_check_finds_references_that_lead_nowhere(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer")
    with shell.desk.database.migrate() as connection:  # the one way past the foreign keys
        connection.execute(delete(TicketRow))
    answer = shell("db", "check")

    assert answer.status == 1
    assert "names a row of ticket that is not there" in answer.err
