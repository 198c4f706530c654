"""What is filed is found by its words soon after, and filing does not wait for that."""

import pytest
from sqlalchemy import delete, func, select, true, update

from maild.message.search import query
from maild.services import indexer
from maild.store import search
from maild.store.engine import Database
from maild.store.models import MailRow, TicketRow, UnindexedRow
from tests.stories.driver import ADA, BEN, Desk


@pytest.fixture
def desk(database: Database, clock) -> Desk:
    return Desk(database, clock)


def found(database: Database, asked: str) -> list[int]:
    with database.read() as connection:
        return [each.ticket_id for each in search.find(connection, query(asked), true())]


def waiting(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(UnindexedRow)) or 0


def file(desk: Desk, *words: str, sender: str = ADA) -> None:
    """File mails, and do not index them."""
    for each in words:
        desk.mail(sender, each, f"It is about {each}.\r\n", work=False)
        while not desk.works.filer.step():
            pass


def flood(database: Database, desk: Desk, count: int) -> None:
    """Note as much as if many mails had been filed this instant."""
    with database.write() as connection:
        search.note(connection, [1] * count, desk.clock())


def test_what_is_filed_is_found_at_the_next_step(desk: Desk, database: Database) -> None:
    file(desk, "smoke")
    assert found(database, "smoke") == []

    assert desk.works.indexer.step() == 0.0

    assert found(database, "smoke") == [1]
    assert waiting(database) == 0
    assert desk.works.indexer.step() == indexer.IDLE_S


def test_words_wait_while_a_mail_waits_to_be_filed_but_not_for_long(desk: Desk, database: Database) -> None:
    file(desk, "smoke")
    desk.mail(BEN, "Not filed yet", work=False)

    assert desk.works.indexer.step() > 0
    assert found(database, "smoke") == []

    desk.clock.advance(minutes=2)
    assert desk.works.indexer.step() == 0.0
    assert found(database, "smoke") == [1]


def test_words_wait_while_many_mails_are_filed_at_once(desk: Desk, database: Database) -> None:
    file(desk, "smoke")
    flood(database, desk, indexer.FLOOD)

    assert desk.works.indexer.step() > 0

    desk.clock.advance(seconds=2)
    assert desk.works.indexer.step() == 0.0
    assert found(database, "smoke") == [1]


def test_in_a_long_flood_one_group_is_indexed_at_a_time(desk: Desk, database: Database) -> None:
    file(desk, "smoke")
    flood(database, desk, 3 * search.GROUP)
    desk.mail(BEN, "Not filed yet", work=False)
    desk.clock.advance(minutes=2)

    assert desk.works.indexer.step() == 0.0
    assert desk.works.indexer.step() > 0
    assert waiting(database) == 2 * search.GROUP + 1

    desk.clock.advance(seconds=1)
    assert desk.works.indexer.step() == 0.0
    assert waiting(database) == search.GROUP + 1


def test_long_texts_make_small_groups(desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    file(desk, "smoke", "water", "paper")
    monkeypatch.setattr(search, "GROUP_CHARS", 10)

    with database.write() as connection:
        assert search.catch_up(connection) == 1
        assert search.catch_up(connection) == 1


def test_what_is_forgotten_before_it_is_indexed_is_never_found(desk: Desk, database: Database) -> None:
    file(desk, "smoke", "water")
    with database.write() as connection:
        connection.execute(update(MailRow).where(MailRow.subject == "smoke").values(subject="", text=""))
        connection.execute(delete(TicketRow).where(TicketRow.subject == "water"))

    desk.work()

    assert found(database, "smoke") == found(database, "water") == []
    assert waiting(database) == 0


def test_a_crash_leaves_it_to_be_indexed_again(desk: Desk, database: Database) -> None:
    file(desk, "smoke")
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        search.catch_up(connection) / 0
    assert found(database, "smoke") == []

    desk.work()

    assert found(database, "smoke") == [1]


def test_the_title_that_a_ticket_has_at_last_is_indexed(desk: Desk, database: Database) -> None:
    file(desk, "smoke")
    with database.write() as connection:
        search.note(connection, [-1], desk.clock())
        connection.execute(update(TicketRow).values(subject="Paper feed"))

    desk.work()

    assert found(database, "feed") == [1]


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_two_nodes_index_different_groups(desk: Desk, database: Database) -> None:
    file(desk, "smoke", "water")

    with database.write() as one:
        assert search.catch_up(one) == 2
        with database.write() as other:
            assert search.catch_up(other) == 0
