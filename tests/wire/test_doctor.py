"""The doctor: all checks side by side; those of what is written, of files and of the database."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from maild import config as configuration
from maild.cli.answers import doctor
from maild.cli.answers.doctor import database
from maild.cli.answers.doctor.kinds import Check, Group, Need, Patient, ok
from maild.store.engine import Database
from maild.store.models import SigningKeyRow
from tests.clock import NOON, FakeClock
from tests.stories.driver import ADA, Desk
from tests.wire import test_doctor_outside, test_doctor_work
from tests.wire.ward import CHECKS, FAULT, OK, SHOWN, SMALL, UNKNOWN, WARNING, Ward, box, found, ill, look, mended, well

# Configuration


@well("D01", "D02", "D03", "D04", "D05", "D06", "D07")
def test_a_small_configuration_is_well(ward: Ward) -> None:
    patient = ward.patient(maild='operator = "root@customer.example"')

    for number in ("D01", "D02", "D03", "D04", "D05", "D06", "D07"):
        assert look(patient, number).verdict is OK, found(patient, number)


@ill("D01")
def test_a_configuration_with_faults_is_told_with_all_of_them(ward: Ward) -> None:
    patient = ward.patient(settings=None)
    patient.path.write_text('[maild]\nhostnam = "x"\n[smtp]\nlisten = 3\n')

    verdict, said = found(patient, "D01")
    assert verdict is FAULT
    assert "did you mean 'hostname'" in said
    assert "smtp.listen" in said


@ill("D02", "D03", "D04")
def test_what_is_risky_is_told(ward: Ward) -> None:
    patient = ward.patient()
    lonely = ward.patient(
        SMALL.replace('address = "anna@acme.example"', 'address = "anna@acme.example"\npassword = "x"')
    )
    nobody = ward.patient(SMALL.partition("[[agent]]")[0])

    assert found(patient, "D03") == (WARNING, "nobody is told by mail when something breaks")
    assert found(lonely, "D02")[0] is WARNING
    assert "password" in found(lonely, "D02")[1]
    assert found(nobody, "D04") == (
        FAULT,
        "department support: no agent belongs to it, so nobody is told of its tickets",
    )


@ill("D05")
@pytest.mark.parametrize(
    ("more", "maild", "said"),
    [
        (box("anna@acme.example"), "", "agent Anna's own"),
        (box("boss@x.example"), 'operator = "boss@x.example"', "the operator's own"),
        (box("u") + box("u", "second"), "", "another one reads the same folder"),
        ("", 'reply_form = "catch-all"', "maild takes every address of acme.example"),
    ],
)
def test_mail_that_would_come_back_is_told(ward: Ward, more: str, maild: str, said: str) -> None:
    verdict, words = found(ward.patient(SMALL + more, maild=maild), "D05")

    assert verdict >= WARNING
    assert said in words


@ill("D06", "D07")
def test_templates_that_break_or_lack_words_are_told(ward: Ward) -> None:
    own = ward.folder / "own"
    own.mkdir()
    (own / "reminder.txt").write_text("{% block subject %}{{ nothing }}{% endblock %}{% block body %}x{% endblock %}")
    patient = ward.patient(
        SMALL.replace('name = "support"', 'name = "support"\nlanguage = "et"'), maild='templates = "own"'
    )

    assert found(patient, "D06")[0] is FAULT
    assert "nothing" in found(patient, "D06")[1]
    assert found(patient, "D07")[0] is WARNING
    assert "et: maild does not speak it" in found(patient, "D07")[1]
    (own / "reminder.txt").write_text("{% block subject %}{% endfor %}")
    assert found(patient, "D07")[0] is FAULT


# Files


@well("D08", "D09", "D10", "D11")
@ill("D08", "D09", "D10", "D11")
def test_files_that_others_can_read_or_change_are_told_and_closed(ward: Ward) -> None:
    own = ward.folder / "own"
    own.mkdir(mode=0o755)
    secret = ward.folder / "secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    relay = SMALL.replace("port = {relay}", 'port = {relay}\nuser = "u"\npassword_file = "secret"')
    patient = ward.patient(relay, maild='templates = "own"')
    patient.daemon_uid = os.geteuid()
    files = {"D08": (patient.path, 0o666), "D09": (secret, 0o644), "D10": (ward.store.path, 0o644), "D11": (own, 0o777)}
    ward.store.path.chmod(0o600)
    for number in files:
        assert look(patient, number).verdict is OK, found(patient, number)

    for number, (path, mode) in files.items():
        path.chmod(mode)
        assert look(patient, number).verdict >= WARNING, number
        assert f"{path}" in mended(patient, number)[0]
        assert look(patient, number).verdict is OK, found(patient, number)


def test_a_password_that_only_somebody_else_can_read_is_told(ward: Ward) -> None:
    secret = ward.folder / "secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    relay = SMALL.replace("port = {relay}", 'port = {relay}\nuser = "u"\npassword_file = "secret"')
    patient = ward.patient(relay, daemon_uid=65534)
    verdict, said = found(patient, "D09")

    assert verdict is FAULT
    assert "cannot read it" in said
    secret.unlink()
    assert "No such file" in found(patient, "D09")[1]


def test_a_command_that_gives_no_password_is_told(ward: Ward) -> None:
    relay = SMALL.replace("port = {relay}", 'port = {relay}\nuser = "u"\npassword_command = "false"')

    assert found(ward.patient(relay), "D09")[0] is FAULT


# Database


@well("D12", "D13", "D14", "D15", "D16", "D18", "D19")
def test_a_fresh_database_is_well(ward: Ward) -> None:
    with ward.store.write():
        pass
    patient = ward.patient()

    for number in ("D12", "D13", "D14", "D15", "D16", "D18", "D19"):
        assert look(patient, number).verdict is OK, found(patient, number)


@ill("D12", "D13", "D18")
def test_a_database_that_is_not_there_or_is_none_is_told(ward: Ward) -> None:
    patient = ward.patient(database=None)
    path = ward.folder / "other.db"
    patient.path.write_text(patient.path.read_text().replace(str(ward.store.url), f"sqlite:///{path}"))
    patient.settings = configuration.load(patient.path)

    assert look(patient, "D12").verdict is look(patient, "D13").verdict is UNKNOWN
    path.write_bytes(b"no database at all, but some text that is long enough for a header of one" * 20)
    assert look(patient, "D12").verdict is FAULT
    empty = ward.folder / "none" / "maild.db"
    patient.path.write_text(patient.path.read_text().replace(str(path), str(empty)))
    patient.settings = configuration.load(patient.path)
    verdict, said = found(patient, "D18")
    assert verdict is FAULT
    assert "there is no folder" in said


def test_an_old_schema_is_brought_up_to_date_if_nobody_works_with_it(ward: Ward) -> None:
    path = ward.folder / "empty.db"
    patient = ward.patient(database=None)
    patient.path.write_text(patient.path.read_text().replace(str(ward.store.url), f"sqlite:///{path}"))
    patient.settings = configuration.load(patient.path)
    Database(f"sqlite:///{path}").close()
    path.touch()
    assert look(patient, "D13").verdict is FAULT

    assert mended(patient, "D13")[0].startswith("schema none -> ")
    assert look(patient, "D13").verdict is OK


@ill("D14")
def test_an_engine_with_a_fault_is_told_where_nothing_makes_up_for_it() -> None:
    assert database._of_sqlite((3, 40, 1), wal=False).verdict is WARNING
    assert database._of_sqlite((3, 40, 1), wal=True).verdict is OK
    assert database._of_sqlite((3, 51, 3), wal=True).verdict is OK


@ill("D15")
def test_a_damaged_index_is_told_and_made_anew(ward: Ward, desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    patient = ward.patient()
    with ward.store.write() as connection:
        # an index that has lost its entries: what a crash of a careless disk leaves behind
        root = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'ix_mail_state'").scalar_one()
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        connection.exec_driver_sql(
            "UPDATE sqlite_master SET sql = ? WHERE name = 'ix_mail_state'", (root.replace("state, id", "id, state"),)
        )
    ward.store.close()
    assert look(patient, "D15").verdict is FAULT, found(patient, "D15")

    assert mended(patient, "D15") == ["REINDEX"]
    assert look(patient, "D15").verdict is OK, found(patient, "D15")


@ill("D16")
def test_a_journal_that_the_daemon_has_not_set_yet_is_told(ward: Ward) -> None:
    with ward.store.write():
        pass
    ward.store.close()
    with sqlite3.connect(ward.store.path) as plain:
        plain.execute("PRAGMA journal_mode = DELETE")
    plain.close()

    assert found(ward.patient(), "D16") == (WARNING, "journal DELETE until the daemon opens the file")


@pytest.mark.postgresql
def test_postgresql_is_asked_for_version_durability_and_time(
    postgresql_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    with Database(postgresql_url) as store:
        ward = Ward(tmp_path, store, FakeClock(datetime.now(UTC)))
        patient = ward.patient()
        for number in ("D12", "D13", "D14", "D15", "D19"):
            assert look(patient, number).verdict is OK, found(patient, number)
        verdict, said = found(patient, "D16")
        assert verdict is FAULT  # the server of these tests keeps nothing
        assert "fsync is off" in said
        assert look(patient, "D41").verdict is UNKNOWN
        patient.now += timedelta(hours=1)
        assert look(patient, "D41").verdict is FAULT


@well("D17")
@ill("D17")
def test_a_signing_key_of_the_future_is_told(ward: Ward) -> None:
    patient = ward.patient()
    assert look(patient, "D17").verdict is UNKNOWN
    with ward.store.write() as connection:
        connection.execute(insert(SigningKeyRow).values(id="a", secret=b"s" * 32, created_at=NOON))
    assert look(patient, "D17").verdict is OK

    patient.now = NOON - timedelta(days=400)
    assert look(patient, "D17").verdict is FAULT


def test_a_full_disk_and_a_long_log_are_told(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = ward.patient()
    monkeypatch.setattr(database, "LITTLE_BYTES", 1 << 60)
    assert look(patient, "D18").verdict is WARNING
    monkeypatch.setattr(database, "TOO_LITTLE_BYTES", 1 << 60)
    assert look(patient, "D18").verdict is FAULT


@ill("D19")
def test_a_write_ahead_log_that_grows_is_told(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LARGE_LOG_BYTES", -1)

    assert look(ward.patient(), "D19").verdict is WARNING


# The whole


def test_what_a_check_needs_and_is_not_there_is_said(ward: Ward) -> None:
    patient = ward.patient(database=None, offline=True)
    outcomes = doctor.examine(patient)

    assert [each.check.number for each in outcomes] == list(CHECKS)
    for each in outcomes:
        for need in each.check.needs:
            if patient.lacks(need):
                assert each.verdict is UNKNOWN
                assert each.lacking in map(str, Need)


def test_a_check_that_breaks_or_hangs_keeps_none_of_the_others(ward: Ward) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        def hang(_: Patient) -> Iterator[doctor.Finding]:
            with socket.create_connection(silent.getsockname()) as client:
                client.settimeout(5)
                yield ok(str(client.recv(1)))

        def breaks(_: Patient) -> Iterator[doctor.Finding]:
            raise RuntimeError("no\x1b[31m")
            yield ok("")

        row = ("name", "why", "fix")
        checks = [
            Check("X1", Group.SYSTEM, *row, hang, limit_s=0.2),
            Check("X2", Group.SYSTEM, *row, breaks),
            Check("X3", Group.SYSTEM, *row, lambda _: [ok("fine")]),
        ]
        outcomes = doctor.examine(ward.patient(), checks)

    assert [each.verdict for each in outcomes] == [UNKNOWN, FAULT, OK]
    assert "\x1b" not in outcomes[1].findings[0].found
    assert "not done within" in outcomes[0].findings[0].found


def test_the_table_is_whole_and_each_check_was_seen_to_pass_and_to_fail() -> None:
    assert [each.number for each in doctor.CHECKS] == [f"D{number:02}" for number in range(1, len(CHECKS) + 1)]
    for each in doctor.CHECKS:
        assert each.name, each.number
        assert each.why.endswith((".", "...")), each.number
        assert each.fix, each.number
    assert all(each.__doc__ for each in (test_doctor_outside, test_doctor_work))  # they are imported for their marks
    assert SHOWN["well"] == set(CHECKS)
    assert SHOWN["ill"] == set(CHECKS)


def test_the_page_has_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()

    assert doctor.table() in page, "write what `python -m maild.cli.answers.doctor` prints into docs/doctor.md"
