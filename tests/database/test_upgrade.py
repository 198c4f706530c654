"""A database of every released version is brought to the schema of today with all that is in it, or not at all."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text, update

from maild.rebuilding import Rebuilding
from maild.rules import promises
from maild.rules.state import Status
from maild.store import raw, schema
from maild.store.engine import Database
from maild.store.models import MailRow, TicketRow
from maild.works import rederiver
from tests.clock import FakeClock
from tests.database.commands import run, write_config
from tests.database.old import RELEASED, content, lost, restore
from tests.stories.driver import ADA, ANNA, BEN, Desk


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[tuple[Database, dict[str, Any]]]:
    """A database as a released version left it, and what is in it."""
    database = Database(empty_database_url)
    tables = restore(database, request.param)
    yield database, tables
    database.close()


def test_all_that_was_in_it_is_in_it(old: tuple[Database, dict[str, Any]]) -> None:
    database, tables = old
    assert schema.upgrade(database) is True

    assert lost(database, tables) == []
    assert schema.upgrade(database) is False


def test_the_desk_goes_on_as_if_nothing_had_been(old: tuple[Database, dict[str, Any]], clock: FakeClock) -> None:
    database, _ = old
    schema.upgrade(database)
    clock.advance(hours=2)
    desk = Desk(database, clock)
    desk._number = 100
    desk.work()
    assert desk.filed(27 if len(desk.tickets()) else 0) is not None
    with database.read() as connection:
        waiting = connection.scalars(select(MailRow.state).where(MailRow.ticket_id.is_(None))).all()
    assert "stored" not in waiting
    desk.mail(ANNA, "Re: Printer on fire", "#resolve\r\nIt is out.\r\n", to=_agents_address(database, 1))
    assert desk.status(1) is Status.RESOLVED
    assert [mail.subject for mail in desk.mails_to(ADA)][-1:] == ["Re: Printer on fire"]
    desk.mail(BEN, "New", "A new one.\r\n")
    assert desk.status(desk.tickets()[-1]) is Status.NEW
    found = Rebuilding(
        database, rederiver(desk.settings, database, clock()), clock(), lambda *_: None, only_look=True
    ).run()
    assert [(each.table, each.id, each.columns) for each in found.first] == []


def test_the_resolution_of_living_tickets_is_measured_from_their_history(
    old: tuple[Database, dict[str, Any]], clock: FakeClock
) -> None:
    database, tables = old
    schema.upgrade(database)
    changes: dict[int, list[tuple[datetime, Status]]] = {}
    for row in tables["history"]:
        if row["field"] == "status":
            changes.setdefault(row["ticket_id"], []).append((row["at"], Status(row["new"])))

    desk = Desk(database, clock)
    with database.write() as connection:
        desk.works.desk.review(connection, clock())

    living = [each for each in desk.tickets() if desk.status(each) in promises.BEFORE_DONE]
    assert living
    for number in living:
        ticket, ran, since = desk.ticket(number), timedelta(), None
        for at, status in changes[number]:
            if status in promises.RUNNING:
                since = since or at
            elif since is not None:
                ran, since = ran + (at - since), None
        assert ticket.resolving_since == since
        assert ticket.resolving_s == int(ran.total_seconds())


def test_a_ticket_is_measured_once(old: tuple[Database, dict[str, Any]], clock: FakeClock) -> None:
    database, _ = old
    schema.upgrade(database)
    desk = Desk(database, clock)
    with database.write() as connection:
        desk.works.desk.review(connection, clock())
        connection.execute(update(TicketRow).values(resolving_since=None, resolving_s=0))
        desk.works.desk.review(connection, clock())

    assert all(desk.ticket(each).resolving_since is None for each in desk.tickets())


def _agents_address(database: Database, ticket: int) -> str:
    """The signed address in the last notification that the older version sent to Anna."""
    with database.read() as connection:
        row = connection.execute(
            text(
                "SELECT reply_to FROM delivery WHERE ticket_id = :ticket AND recipient = :anna ORDER BY id DESC LIMIT 1"
            ),
            {"ticket": ticket, "anna": ANNA},
        ).one()
    return row.reply_to


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    old: tuple[Database, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, tables = old
    before = schema.revisions(database).have
    if database.is_sqlite:
        database.close()
    config = write_config(tmp_path, database.url.render_as_string(hide_password=False))
    status, out, _ = run(capsys, "db", "upgrade", "--dry-run", "-c", config)

    assert status == 0
    assert f"schema {before} -> " in out
    assert "0002" in out
    again = Database(database.url.render_as_string(hide_password=False))
    try:
        assert schema.revisions(again).have == before
        assert len(content(again, ["mail"])["mail"]) == len(tables["mail"])
    finally:
        again.close()


def test_what_fails_in_the_midst_leaves_the_older_database(
    old: tuple[Database, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, tables = old
    before = content(database, list(tables))
    revision = schema.revisions(database).have

    def fail(*_: object) -> None:
        raise KeyboardInterrupt  # as a kill would, with all migrations done and nothing committed

    monkeypatch.setattr(schema, "_check_references", fail)
    if not database.is_sqlite:
        upgrade = command.upgrade
        monkeypatch.setattr(command, "upgrade", lambda *each: (upgrade(*each), fail()))
    with pytest.raises(KeyboardInterrupt):
        schema.upgrade(database)

    assert schema.revisions(database).have == revision
    assert content(database, list(tables)) == before
    monkeypatch.undo()
    assert schema.upgrade(database) is True


def test_old_mails_are_packed_like_new_ones(old: tuple[Database, dict[str, Any]], clock: FakeClock) -> None:
    database, tables = old
    schema.upgrade(database)
    clock.advance(days=1)
    desk = Desk(database, clock)
    for _ in range(50):
        if desk.works.keeper.step() > 1:
            break

    wanted = {row["mail_id"]: row["content"] for row in tables["raw"]}
    with database.read() as connection:
        assert raw.of(connection, wanted) == wanted
