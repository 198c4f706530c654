"""`maild schedule`: what time alone does is shown, held and released."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from maild.store import schedule
from maild.store.models import MailRow, MailState
from tests.clock import NOON
from tests.database.commands import Shell
from tests.stories.driver import ADA, ANNA


def resolved(shell: Shell) -> None:
    desk = shell.desk
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "#resolve\r\nPull the plug.\r\n", answers=told)


def test_what_is_held_is_done_when_it_is_released(shell: Shell) -> None:
    resolved(shell)
    held = shell("schedule", "hold")
    assert "held until: maild schedule release" in held.out + held.err
    shell.desk.clock.advance(days=20)
    shell.desk.works.scheduler.step()
    assert shell.desk.status(1) == "resolved"
    shown = shell("schedule", "show", "--json").data
    assert shown["held_at"] is not None
    assert shown["due"] == [{"department": "support", "lanes": {"customers": 1}}]
    assert "held" in shell("status").out

    assert shell("schedule", "release").status == 0
    shell.desk.work()

    assert shell.desk.status(1) == "closed"
    assert "no" in shell("schedule", "show").out


def test_a_release_says_that_the_clock_is_right_if_that_is_in_doubt(shell: Shell) -> None:
    with shell.desk.database.write() as connection:
        schedule.note(connection, doubted_since=NOON - timedelta(days=1), doubted_wall=NOON)
    assert "not believed since" in shell("schedule", "show").out

    shell("schedule", "release")

    with shell.desk.database.read() as connection:
        assert schedule.load(connection).confirmed_at == shell.desk.clock()


def test_a_desk_that_never_ran_can_be_shown(shell: Shell) -> None:
    answer = shell("schedule", "show")

    assert answer.status == 0
    assert "believed" in answer.out


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_commands_go_by_the_desks_own_time_while_the_clock_is_not_believed(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer on fire", proven=True)
    mail = shell.desk.mail(ADA, "Another", proven=True)
    waiting = shell("ticket", "list").out
    year = timedelta(days=365)
    with shell.desk.database.write() as connection:
        connection.execute(update(MailRow).where(MailRow.id == mail).values(state=MailState.FAILED, due_at=None))
        schedule.note(connection, doubted_since=NOON, doubted_wall=NOON + year, doubted_off_s=year.total_seconds())
    shell.desk.clock.advance(year)

    assert shell("ticket", "list").out == waiting
    assert shell("mail", "retry", mail).status == 0
    assert shell("schedule", "release").status == 0

    assert shell.desk.filed(mail).due_at == NOON
    with shell.desk.database.read() as connection:
        assert schedule.load(connection).confirmed_at == NOON + year, "what is confirmed is the machine's clock"
