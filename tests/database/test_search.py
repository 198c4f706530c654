"""The index of words: what was said on tickets is found on both databases, and nothing that is no longer there."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, text, true, update

from maild import cli
from maild.message.search import query
from maild.store import schema, search
from maild.store.engine import Database
from maild.store.models import MailRow, TicketRow
from tests.database.commands import Shell, write_config
from tests.stories.driver import ADA, ANNA, BEN, Desk

SIGNS = st.text(st.characters() | st.sampled_from("\"'*():^<>&|!-+{}[]\\ \0“ß打\u0301"), max_size=60)


@pytest.fixture
def desk(database: Database, clock) -> Desk:
    return Desk(database, clock)


def found(database: Database, asked: str) -> list[int]:
    """Return the tickets that an operator finds."""
    with database.read() as connection:
        return [each.ticket_id for each in search.find(connection, query(asked), true())]


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(text("SELECT count(*) FROM mail_search")) or 0


def answered(desk: Desk) -> None:
    """Let Ada ask, Anna answer with a word of her own, and Ben ask for something else."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", "Smoke comes out of it, and it prints nothing.\r\n", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    desk.clock.advance(hours=1)
    desk.mail(f"Ben <{BEN}>", "No paper", "The printer has no paper.\r\n", proven=True)


def test_words_phrases_and_beginnings_are_found(desk: Desk, database: Database) -> None:
    answered(desk)

    assert found(database, "printer") == [2, 1]
    assert found(database, "PRINTER smoke") == [1]
    assert found(database, "smoke plug") == []  # not in one mail
    assert found(database, '"on fire"') == [1]
    assert found(database, '"fire on"') == []
    assert found(database, "pap*") == [2]
    assert found(database, '"no pap"*') == [2]
    assert found(database, "plug") == [1]


def test_words_that_nobody_wrote_are_taken_as_beginnings(desk: Desk, database: Database) -> None:
    answered(desk)

    assert found(database, "smok") == [1]
    assert found(database, "print") == [2, 1]
    assert found(database, "moke") == []


def test_sender_subject_and_status_narrow_a_search(desk: Desk, database: Database) -> None:
    answered(desk)

    assert found(database, "printer from:ben") == [2]
    assert found(database, "from:BEN@customer") == [2]
    assert found(database, "from:%") == []
    assert found(database, "subject:printer") == [1]
    assert found(database, "printer status:answered") == [1]
    assert found(database, "status:new") == [2]


def test_a_tag_narrows_a_search(desk: Desk, database: Database) -> None:
    answered(desk)
    with database.write() as connection:
        connection.execute(update(TicketRow).where(TicketRow.id == 1).values(tags=frozenset({"vip", "third-floor"})))

    assert found(database, "printer tag:vip") == found(database, "tag:#VIP tag:third-floor") == [1]
    assert found(database, "tag:vi") == found(database, "paper tag:vip") == []


def test_the_newest_place_is_shown(desk: Desk, database: Database) -> None:
    answered(desk)
    with database.read() as connection:
        [hit] = search.find(connection, query("plug"), true())

    assert (hit.author, hit.snippet, hit.at) == ("Anna", "Pull the plug.", desk.clock() - timedelta(hours=1))


def test_an_answer_is_found_once_and_mails_to_agents_not_at_all(desk: Desk, database: Database) -> None:
    answered(desk)

    assert rows(database) == 3


def test_another_subject_is_found_and_the_old_one_still(desk: Desk, database: Database) -> None:
    answered(desk)
    [told, *_] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#title Paper feed\r\n", answers=told)

    assert found(database, "feed") == found(database, "subject:feed") == found(database, '"no paper"') == [2]


def test_what_was_merged_is_found_where_it_went(desk: Desk, database: Database) -> None:
    answered(desk)
    [told, *_] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#merge 1\r\n", answers=told, proven=True)

    assert found(database, '"has no paper"') == [1]


def test_spam_is_found_only_by_its_status(desk: Desk, database: Database) -> None:
    answered(desk)
    [told, *_] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#spam\r\n", answers=told)

    assert found(database, "paper") == []
    assert found(database, "paper status:spam") == [2]


def test_what_is_purged_leaves_the_index(desk: Desk, database: Database) -> None:
    answered(desk)
    with database.write() as connection:
        search.index(connection, [search.Said(-1, "A title of its own")])
        connection.execute(delete(TicketRow).where(TicketRow.id == 1))

    assert rows(database) == 1
    assert found(database, "printer") == [2]


def test_a_text_that_is_changed_is_found_no_more(desk: Desk, database: Database) -> None:
    answered(desk)
    with database.write() as connection:
        connection.execute(update(MailRow).where(MailRow.from_address == BEN).values(text="", subject=None))

    assert found(database, '"has no paper"') == []
    assert rows(database) == 2


def test_a_mail_that_is_indexed_again_is_found_once(desk: Desk, database: Database) -> None:
    answered(desk)
    with database.write() as connection:
        search.index(connection, [search.Said(1, "Ink", "none"), search.Said(1, "Ink", "none left")])

    assert found(database, "ink left") == [1]
    assert found(database, "smoke") == []
    assert rows(database) == 3


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIGNS, SIGNS)
def test_no_text_breaks_the_index_and_no_query_is_an_error(database: Database, said: str, asked: str) -> None:
    with database.write() as connection:
        search.index(connection, [search.Said(-7, said, said), search.Said(-8, asked, asked + said)])
        search.find(connection, query(asked), true())
        search.find(connection, query(f'subject:"{asked}"* {said}*'), true())


def test_mails_from_before_the_index_are_found_after_the_upgrade(desk: Desk, database: Database) -> None:
    answered(desk)
    with database.write() as connection:
        for trigger, of in (("mail_deleted", "mail"), ("mail_changed", "mail"), ("ticket_deleted", "ticket")):
            where = "" if database.is_sqlite else f" ON {of}"
            connection.execute(text(f"DROP TRIGGER mail_search_{trigger}{where}"))
        connection.execute(text("DROP TABLE mail_search"))
        if not database.is_sqlite:
            connection.execute(text("DROP FUNCTION mail_search_forget"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))

    schema.upgrade(database)

    assert found(database, "printer") == [2, 1]
    assert found(database, "plug") == [1]
    assert rows(database) == 3


def test_what_the_command_finds_it_shows_with_its_place(shell: Shell) -> None:
    answered(shell.desk)

    [one] = shell("ticket", "list", "--search", "smoke", "--json").data
    assert (one["id"], one["found"]["text"]) == (1, "Smoke comes out of it, and it prints nothing.")
    assert "Smoke comes out" in shell("ticket", "list", "--search", "smoke").out
    assert [each["id"] for each in shell("ticket", "list", "--search", "printer", "--json").data] == [2, 1]
    assert shell("ticket", "list", "--search", "printer", "--status", "new", "--json").data[0]["id"] == 2
    assert "no tickets" in shell("ticket", "list", "--search", "'; DROP TABLE mail; --").err
    assert "status:opne is none of" in shell("ticket", "list", "--search", "status:opne").err


class TestWithoutFts5:
    """A SQLite library may lack the module."""

    @pytest.fixture
    def lacking(self, tmp_path: Path) -> Iterator[Database]:
        database = Database(f"sqlite:///{tmp_path / 'lacking.db'}")

        def without(_connection, _cursor, statement: str, parameters, _context, _many):
            assert "CREATE VIRTUAL" not in statement
            return statement.replace("fts5(NULL)", "no_fts5(NULL)"), parameters

        for engine in (database._writer, database._reader):
            event.listen(engine, "before_cursor_execute", without, retval=True)
        schema.upgrade(database)
        yield database
        database.close()

    def test_texts_are_compared(self, lacking: Database, clock) -> None:
        answered(Desk(lacking, clock))

        assert found(lacking, "printer smoke") == [1]
        assert found(lacking, "paper from:ben") == [2]
        assert found(lacking, "subject:smoke") == []
        assert found(lacking, "%") == []

    def test_the_check_says_so(self, lacking: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config = write_config(tmp_path, str(lacking.url))
        cli.main(["check", "-c", str(config)])

        assert "the index of words was never made" in capsys.readouterr().out
