"""What is done with is kept as long as the operator says, by default for ever."""

import pytest
from sqlalchemy import func, select

from maild.config import ConfigError, parse
from maild.store.engine import Database
from maild.store.models import MailRow, PersonRow, RawRow
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, CONFIG, Desk


def desk_that_keeps(database: Database, clock: FakeClock, span: str) -> Desk:
    more = f'[retention]\nclosed = "{span}"\n' if span else ""
    return Desk(database, clock, CONFIG + more)


def keep(desk: Desk) -> None:
    for _ in range(100):
        if desk.works.keeper.step() > 1:
            return
    raise AssertionError("the keeper does not come to rest")


def lived(desk: Desk) -> None:
    """One ticket is closed, with its mails; another one is not."""
    desk.mail(ADA, "Printer")
    [asked] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Re: Printer", "#close\r\n", answers=asked)
    desk.mail(ADA, "Away", "I am away.\r\n", headers="Auto-Submitted: auto-replied\r\n")
    desk.clock.advance(days=20)
    desk.mail(BEN, "Screen")
    desk.clock.advance(days=20)
    keep(desk)


def test_closed_tickets_are_kept_for_ever_if_nothing_is_said(database: Database, clock: FakeClock) -> None:
    desk = desk_that_keeps(database, clock, "")
    lived(desk)
    clock.advance(days=4000)
    keep(desk)

    assert desk.tickets() == [1, 2]


def test_a_ticket_that_was_closed_long_enough_goes_with_all_that_hangs_on_it(
    database: Database, clock: FakeClock
) -> None:
    desk = desk_that_keeps(database, clock, "30d")
    lived(desk)

    assert desk.tickets() == [2]
    with database.read() as connection:
        mails = connection.scalar(select(func.count()).select_from(MailRow))
        raws = connection.scalar(select(func.count(RawRow.mail_id.distinct())))
        names = connection.scalar(select(func.count()).select_from(PersonRow))
    assert mails == raws
    clock.advance(days=1)
    keep(desk)
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(PersonRow)) <= names
    answer = desk.mail(ADA, "Printer again")
    assert desk.filed(answer).ticket_id == 3  # no number is given again


@pytest.mark.parametrize("span", ["12h", "10bd", "soon", "0d"])
def test_only_whole_days_can_be_said(span: str) -> None:
    with pytest.raises(ConfigError, match="retention"):
        parse(CONFIG + f'[retention]\nclosed = "{span}"\n')
