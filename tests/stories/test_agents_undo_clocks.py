"""What is taken back counts nowhere: its clocks run on as if they had never stopped, and no report knows of it."""

import pytest
from sqlalchemy import select

from maild import reports
from maild.rules.figures import Period
from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import ClockRow
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received
from tests.stories.promises import MONDAY, PROMISES, TALLINN


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, FakeClock(MONDAY), PROMISES)


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, which Ada opened an hour ago."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mails_to(BERT)
    desk.wait(hours=1)
    return told


def ended(desk: Desk) -> list[tuple[int, str, str | None]]:
    with desk.database.read() as connection:
        rows = connection.execute(select(ClockRow).order_by(ClockRow.ticket_id, ClockRow.kind))
        return [(row.ticket_id, row.kind, row.outcome) for row in rows]


def figures(desk: Desk) -> object:
    today = desk.clock().date()
    with desk.database.read() as connection:
        return reports.of_period(connection, desk.settings, Period(today, today), TALLINN)


def undo(desk: Desk, told: Received, **after: float) -> None:
    desk.wait(**after)
    desk.mail(ANNA, f"Re: {told.subject}", "#undo", answers=told)


@pytest.mark.parametrize(
    "word", ["#resolve\r\n#silent", "#close\r\n#silent", "#spam", "#delete", "#postpone 2d\r\n#tag x", "#open"]
)
def test_what_was_ended_runs_on(desk: Desk, told: Received, word: str) -> None:
    before = desk.ticket(1)
    desk.mail(ANNA, f"Re: {told.subject}", word, answers=told, proven=True)

    undo(desk, told, minutes=20)

    assert desk.ticket(1) == before
    assert ended(desk) == []


def test_it_ends_in_its_time_afterwards(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, f"Re: {told.subject}", "#resolve\r\n#silent", answers=told)
    assert ended(desk) != []
    undo(desk, told, minutes=20)
    desk.wait(minutes=40)

    desk.mail(ANNA, f"Re: {told.subject}", "#resolve\r\n\r\nPull the plug.", answers=told)

    with desk.database.read() as connection:
        used = {row.kind: row.used_s for row in connection.execute(select(ClockRow))}
    assert used == {"first response": 7200, "resolution": 7200}  # the minutes in which it seemed to be done count


def test_a_clock_that_stood_still_before_runs_on(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, f"Re: {told.subject}", "Pull the plug.", answers=told)
    desk.wait(hours=1)
    desk.mail(ADA, "Re: Printer on fire", headers="References: <mail-1@client.example>", proven=True)
    again = desk.mails_to(ANNA)[-1]
    desk.wait(minutes=30)
    before, rows = desk.ticket(1), ended(desk)
    desk.mail(ANNA, f"Re: {again.subject}", "#resolve\r\n#silent", answers=again)

    undo(desk, again, minutes=20)

    after = desk.ticket(1)
    assert (after.status, after.target_at, after.due_at, after.told_at) == (
        before.status, before.target_at, before.due_at, before.told_at,
    )  # fmt: skip
    assert ended(desk) == rows


def test_a_ticket_that_was_opened_by_mistake_has_run_for_nothing(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, f"Re: {told.subject}", "Pull the plug.", answers=told)
    desk.wait(hours=1)
    before, rows = desk.ticket(1), ended(desk)
    desk.mail(ANNA, f"Re: {told.subject}", "#open", answers=told)
    assert desk.status(1) is Status.OPEN

    undo(desk, told, minutes=20)

    assert desk.ticket(1) == before
    assert ended(desk) == rows


def test_a_merger_gives_both_their_clocks_back(desk: Desk, told: Received) -> None:
    desk.mail(BEN, "Also on fire", proven=True)
    before = desk.ticket(1), desk.ticket(2)
    desk.mail(ANNA, f"Re: {told.subject}", "#merge 2", answers=told, proven=True)
    done = next(each for each in desk.mails_to(ANNA) if "Done:" in each.text)
    desk.wait(minutes=5)

    address, words = done.click("#undo")
    desk.mail(ANNA, "", words, to=address)

    assert (desk.ticket(1), desk.ticket(2)) == before
    assert ended(desk) == []


def test_a_report_counts_nothing_of_it(desk: Desk, told: Received) -> None:
    desk.wait(minutes=20)
    before = figures(desk)
    desk.mail(ANNA, f"Re: {told.subject}", "#resolve\r\n#silent", answers=told)
    assert figures(desk) != before

    undo(desk, told)

    assert figures(desk) == before
