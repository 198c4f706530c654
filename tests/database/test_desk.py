"""The one way to change a ticket: batches, history by difference, followers, aliases, purge."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from maild.desk import Desk, Happening
from maild.rules.events import (
    AgentWrote,
    Close,
    CustomerWrote,
    Delete,
    MarkSpam,
    Merge,
    NoteWritten,
    Reopen,
    Resolve,
    Tick,
)
from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import AddressRow, HistoryRow, MailRow, ParticipantRow, TicketRow
from tests.clock import FakeClock
from tests.database.desks import SETTINGS, NoMail, opening


@pytest.fixture
def desk() -> Desk:
    return Desk(SETTINGS, NoMail())


def open_ticket(database: Database, desk: Desk, clock: FakeClock) -> int:
    with database.write() as connection:
        event = CustomerWrote(clock())
        [outcome] = desk.handle(connection, [Happening(opening(connection, clock), event, "ada")], clock())
    return outcome.ticket_id


def happen(database: Database, desk: Desk, clock: FakeClock, *events: object, ticket: int = 1) -> list[str]:
    with database.write() as connection:
        outcomes = desk.handle(connection, [Happening(ticket, each, "operator") for each in events], clock())
    return [each.refused for each in outcomes]


def status(database: Database, ticket: int = 1) -> Status:
    with database.read() as connection:
        return connection.scalar(select(TicketRow.status).where(TicketRow.id == ticket))


def history(database: Database, ticket: int = 1) -> list[tuple[str, str | None, str | None, str]]:
    with database.read() as connection:
        rows = connection.execute(
            select(HistoryRow.field, HistoryRow.old, HistoryRow.new, HistoryRow.cause)
            .where(HistoryRow.ticket_id == ticket)
            .order_by(HistoryRow.id)
        )
        return [tuple(row) for row in rows]


def test_each_change_has_one_entry_for_each_field_with_its_cause(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    open_ticket(database, desk, clock)
    clock.advance(hours=1)
    before = len(history(database))

    happen(database, desk, clock, Resolve(clock()))

    new = history(database)[before:]
    fields = [entry[0] for entry in new]
    assert sorted(fields) == ["since", "status", "waiting_since"]
    assert len(set(fields)) == len(fields)
    assert {entry[3] for entry in new} == {"Resolve"}
    assert ("status", "new", "resolved", "Resolve") in new


def test_a_refused_event_writes_nothing_and_the_others_of_its_batch_go_on(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    open_ticket(database, desk, clock)

    refusals = happen(database, desk, clock, Close(clock()), Resolve(clock()), Reopen(clock()))

    assert refusals == ["", "A ticket that is closed cannot be resolved.", ""]
    assert status(database) is Status.OPEN
    assert "Resolve" not in {entry[3] for entry in history(database)}


def test_two_events_of_one_ticket_in_a_batch_see_each_other(database: Database, desk: Desk, clock: FakeClock) -> None:
    open_ticket(database, desk, clock)

    happen(database, desk, clock, AgentWrote(clock(), "anna@acme.example"), CustomerWrote(clock()))

    states = [entry[2] for entry in history(database) if entry[0] == "status"]
    assert states == ["new", "answered", "open"]


def test_one_opening_given_twice_is_one_ticket(database: Database, desk: Desk, clock: FakeClock) -> None:
    with database.write() as connection:
        new = opening(connection, clock)
        event = CustomerWrote(clock())
        outcomes = desk.handle(connection, [Happening(new, event, "ada"), Happening(new, event, "ada")], clock())

    assert [each.ticket_id for each in outcomes] == [1, 1]


def test_a_group_opens_as_many_tickets_as_it_has_requests(database: Database, desk: Desk, clock: FakeClock) -> None:
    with database.write() as connection:
        happenings = [
            Happening(opening(connection, clock, f"c{number}"), CustomerWrote(clock()), f"c{number}@customer.example")
            for number in range(30)
        ]
        outcomes = desk.handle(connection, happenings, clock())

    with database.read() as connection:
        requesters = connection.execute(
            select(TicketRow.id, AddressRow.normal).join(AddressRow, AddressRow.id == TicketRow.requester_id)
        ).all()
    assert [(each.ticket_id, happening.actor) for each, happening in zip(outcomes, happenings, strict=True)] == sorted(
        tuple(row) for row in requesters
    )


def test_a_mail_on_a_closed_ticket_goes_to_its_living_follower(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    open_ticket(database, desk, clock)
    happen(database, desk, clock, Close(clock()))

    def write() -> int:
        with database.write() as connection:
            [outcome] = desk.handle(connection, [Happening(1, CustomerWrote(clock()), "ada")], clock())
            return outcome.ticket_id

    first, second = write(), write()

    assert first == second == 2
    assert status(database, 1) is Status.CLOSED
    happen(database, desk, clock, Close(clock()), ticket=2)
    assert write() == 3


def test_a_merged_ticket_is_an_alias_and_takes_nothing_but_notes(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    open_ticket(database, desk, clock)
    open_ticket(database, desk, clock)

    assert happen(database, desk, clock, Merge(clock(), into=2)) == [""]
    assert status(database) is Status.MERGED
    assert "merged into #2" in happen(database, desk, clock, Resolve(clock()))[0]
    assert happen(database, desk, clock, NoteWritten(clock())) == [""]


def test_who_waited_on_a_merged_ticket_waits_on_the_other_and_takes_part_there(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    open_ticket(database, desk, clock)
    waited_since = clock()
    clock.advance(hours=1)
    with database.write() as connection:
        new = opening(connection, clock, "ben")
        desk.handle(connection, [Happening(new, CustomerWrote(clock()), "ben")], clock())
    happen(database, desk, clock, AgentWrote(clock(), "anna@acme.example"), ticket=2)

    assert happen(database, desk, clock, Merge(clock(), into=2)) == [""]

    with database.read() as connection:
        target = connection.execute(select(TicketRow.status, TicketRow.waiting_since).where(TicketRow.id == 2)).one()
        joined = connection.scalars(select(ParticipantRow.address_id).where(ParticipantRow.ticket_id == 2)).all()
    assert target == (Status.OPEN, waited_since)
    assert joined == [1]


@pytest.mark.parametrize(("into", "reason"), [(1, "into itself"), (9, "no ticket #9"), (2, "that is closed")])
def test_a_ticket_is_merged_into_a_living_other_one_only(
    database: Database, desk: Desk, clock: FakeClock, into: int, reason: str
) -> None:
    open_ticket(database, desk, clock)
    open_ticket(database, desk, clock)
    happen(database, desk, clock, Close(clock()), ticket=2)

    [refused] = happen(database, desk, clock, Merge(clock(), into=into))

    assert reason in refused
    assert status(database) is Status.NEW


@pytest.mark.parametrize(("event", "days"), [(MarkSpam, 90), (Delete, 30)])
def test_what_is_put_aside_is_purged_with_all_that_hangs_on_it(
    database: Database, desk: Desk, clock: FakeClock, event: type, days: int
) -> None:
    open_ticket(database, desk, clock)
    open_ticket(database, desk, clock)
    happen(database, desk, clock, Merge(clock(), into=1), ticket=2)
    happen(database, desk, clock, event(clock()))

    clock.advance(timedelta(days=days) - timedelta(seconds=1))
    happen(database, desk, clock, Tick(clock()))
    assert status(database) is not None

    clock.advance(seconds=1)
    happen(database, desk, clock, Tick(clock()))
    with database.read() as connection:
        for table in (TicketRow, HistoryRow, MailRow, ParticipantRow):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
    assert open_ticket(database, desk, clock) == 3, "an id was given twice"


def test_a_ticket_that_does_not_exist_is_said_to_be_missing(database: Database, desk: Desk, clock: FakeClock) -> None:
    with pytest.raises(KeyError):
        happen(database, desk, clock, Resolve(clock()), ticket=42)


def test_an_answer_takes_the_ticket_for_whoever_answered_first(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    open_ticket(database, desk, clock)

    happen(database, desk, clock, AgentWrote(clock(), "anna@acme.example"), AgentWrote(clock(), "bert@acme.example"))

    with database.read() as connection:
        assert connection.scalar(select(TicketRow.assignee)) == "anna@acme.example"
