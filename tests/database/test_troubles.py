"""The operator is told of what is wrong: once when it begins, once when it is over."""

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from maild.cli.answers import soundness
from maild.services.keeper import Keeper, integrity
from maild.store import jobs, standing
from maild.store.engine import Database
from maild.store.models import JobRow, MailRow, MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, CONFIG, Desk

OPERATOR = "root@acme.example"


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, CONFIG.replace("[maild]", f'[maild]\noperator = "{OPERATOR}"'))


def minutes(desk: Desk, count: int) -> None:
    """Let time pass, with the keeper at work."""
    for _ in range(count):
        desk.clock.advance(minutes=1)
        for _ in range(100):
            if desk.works.keeper.step() > 1:
                break
        desk.work()


def told(desk: Desk) -> list[str]:
    return [mail.subject for mail in desk.mails_to(OPERATOR)]


def set_aside(desk: Desk, mail_id: int, state: MailState = MailState.FAILED) -> None:
    with desk.database.write() as connection:
        connection.execute(update(MailRow).where(MailRow.id == mail_id).values(state=state))


def test_a_trouble_is_told_once_and_once_that_it_is_over(desk: Desk) -> None:
    mail_id = desk.mail(ADA, "Printer")
    minutes(desk, 2)
    assert told(desk) == []

    set_aside(desk, mail_id)
    minutes(desk, 30)
    [mail] = desk.mails_to(OPERATOR)
    assert mail.subject == "Mails set aside: 1"
    assert "maild mail retry" in mail.text

    set_aside(desk, mail_id, MailState.FILED)
    minutes(desk, 4)
    assert told(desk) == []
    minutes(desk, 3)
    assert told(desk) == ["Over: Mails set aside: 1"]
    minutes(desk, 30)
    assert told(desk) == []


def test_a_trouble_that_comes_and_goes_is_one_trouble(desk: Desk) -> None:
    mail_id = desk.mail(ADA, "Printer")
    for _ in range(6):
        set_aside(desk, mail_id)
        minutes(desk, 2)
        set_aside(desk, mail_id, MailState.FILED)
        minutes(desk, 2)

    assert told(desk) == ["Mails set aside: 1"]


def test_a_restart_tells_nothing_again(desk: Desk) -> None:
    set_aside(desk, desk.mail(ADA, "Printer"))
    minutes(desk, 2)
    again = Keeper(desk.database, desk.settings, desk.clock)
    desk.clock.advance(minutes=2)
    while again.step() < 1:
        pass
    desk.work()

    assert len(told(desk)) == 1


def test_a_relay_that_is_away_for_a_moment_is_no_trouble_and_for_long_it_is(desk: Desk) -> None:
    desk.post_office.down = "no route to host"
    desk.mail(ADA, "Printer")
    minutes(desk, 10)
    found = standing.standing(desk.database, desk.clock())
    assert found["relay"]["failing_since"] is not None
    minutes(desk, 10)
    desk.post_office.down = ""
    desk.wait(hours=1)

    assert "The relay cannot be used for 16 min: no route to host" in told(desk)


def test_mail_that_is_held_for_days_is_a_trouble(desk: Desk) -> None:
    mail_id = desk.mail(ADA, "Printer")
    set_aside(desk, mail_id, MailState.HELD)
    minutes(desk, 1)
    desk.clock.advance(days=4)
    minutes(desk, 1)

    assert any(each.startswith("Held mails: 1") for each in told(desk))


def test_a_backup_that_fails_to_come_is_a_trouble_but_never_one_that_was_never_made(desk: Desk) -> None:
    desk.clock.advance(days=30)
    minutes(desk, 1)
    assert told(desk) == []
    with desk.database.write() as connection:
        jobs.note(connection, standing.BACKUP, desk.clock())
    desk.clock.advance(days=9)
    minutes(desk, 1)

    assert told(desk) == ["The last backup was made 9 days ago"]


def test_a_disk_that_fills_is_a_trouble(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    if not desk.database.is_sqlite:
        pytest.skip("a server's disk is elsewhere")
    monkeypatch.setattr(standing.shutil, "disk_usage", lambda path: standing.shutil._ntuple_diskusage(10, 9, 200 << 20))
    minutes(desk, 1)

    assert told(desk) == ["The disk of the database has 200 MiB left"]


def test_without_an_operator_nobody_is_written_to(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock)
    set_aside(desk, desk.mail(ADA, "Printer"))
    minutes(desk, 3)

    with database.read() as connection:
        assert connection.scalars(select(MailRow.purpose).where(MailRow.purpose == "alert")).all() == []


def test_a_damaged_database_is_found_at_night(
    sqlite_database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(sqlite_database, clock, CONFIG.replace("[maild]", f'[maild]\noperator = "{OPERATOR}"'))
    for number in range(30):
        desk.mail(f"c{number}@customer.example", "Printer", "x" * 3000)
    minutes(desk, 1)
    path = sqlite_database.path
    sqlite_database.close()
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_history_ticket_id'").fetchone()[0]
        size = plain.execute("PRAGMA page_size").fetchone()[0]
    plain.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x00")  # no kind of page
    damaged = Database(str(sqlite_database.url))
    try:
        assert list(soundness.faults(damaged))
        desk = Desk(damaged, clock, CONFIG.replace("[maild]", f'[maild]\noperator = "{OPERATOR}"'))
        clock.advance(days=1)
        minutes(desk, 2)
        with damaged.read() as connection:
            assert connection.scalar(select(JobRow.mark).where(JobRow.name == integrity.Integrity.name))
        assert any(each.startswith("The database is damaged") for each in told(desk))
    finally:
        damaged.close()


def test_the_clock_is_a_trouble_if_mail_came_from_the_future(desk: Desk) -> None:
    desk.mail(ADA, "Printer")
    desk.clock.advance(timedelta(hours=-2))
    minutes(desk, 1)

    assert any("from now: the clock was or is wrong" in each for each in told(desk))


def test_an_overdue_job_of_another_kind_is_seen(desk: Desk) -> None:
    with desk.database.write() as connection:
        connection.execute(insert(JobRow).values(name="other", due_at=desk.clock(), attempts=0))
    minutes(desk, 50)

    assert any(each.startswith("Queue job: ") for each in told(desk))


@pytest.mark.parametrize(
    ("purpose", "most", "told_of"),
    [
        ("acknowledgement", 300, "No more mails are acknowledged: 300 within an hour"),
        ("acknowledgement_unproven", 100, "Mails of unproven senders are acknowledged no more: 100 within an hour"),
    ],
)
def test_the_brake_on_acknowledgements_is_told_once(desk: Desk, purpose: str, most: int, told_of: str) -> None:
    mail_id = desk.mail(ADA, "Printer", proven=True)
    with desk.database.write() as connection:
        row = dict(connection.execute(select(MailRow.__table__).where(MailRow.id == mail_id)).mappings().one())
        del row["id"]
        there = int(purpose == "acknowledgement")  # Ada's own
        at = desk.clock() + timedelta(minutes=1)
        copies = [
            {**row, "fingerprint": bytes([1, *divmod(each, 256)]), "purpose": purpose} for each in range(most - there)
        ]
        connection.execute(insert(MailRow), [{**copy, "stored_at": at} for copy in copies[1:]])
    minutes(desk, 3)
    assert told(desk) == []

    with desk.database.write() as connection:
        connection.execute(insert(MailRow), [{**copies[0], "stored_at": at}])
    minutes(desk, 30)
    assert told(desk) == [told_of]

    minutes(desk, 60)
    assert told(desk) == [f"Over: {told_of}"]
