"""Time passes: what is due is ticked once, in batches, whatever fails and whatever the clock does."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select, update

from maild.desk import Desk, Happening
from maild.rules.events import CustomerWrote, Resolve, Tick
from maild.rules.state import Status
from maild.services import scheduler
from maild.services.scheduler import Scheduler
from maild.store import queues
from maild.store.engine import Database
from maild.store.models import HistoryRow, TicketRow
from tests.clock import FakeClock
from tests.database.desks import SETTINGS, NoMail, opening


@pytest.fixture
def desk() -> Desk:
    return Desk(SETTINGS, NoMail())


def resolve_tickets(database: Database, desk: Desk, clock: FakeClock, count: int) -> None:
    with database.write() as connection:
        new = [opening(connection, clock, f"c{number}") for number in range(count)]
        desk.handle(connection, [Happening(each, CustomerWrote(clock()), "c") for each in new], clock())
        desk.handle(connection, [Happening(each + 1, Resolve(clock()), "o") for each in range(count)], clock())


def closed(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(TicketRow.status == Status.CLOSED)) or 0


def closings(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(HistoryRow.new == "closed")) or 0


def test_nothing_happens_before_its_time(database: Database, desk: Desk, clock: FakeClock) -> None:
    resolve_tickets(database, desk, clock, 3)
    clock.advance(days=13, hours=23)

    Scheduler(database, desk, clock, SETTINGS).step()

    assert closed(database) == 0


def test_what_is_due_happens_once(database: Database, desk: Desk, clock: FakeClock) -> None:
    resolve_tickets(database, desk, clock, 3)
    clock.advance(days=14)
    scheduler = Scheduler(database, desk, clock, SETTINGS)

    for _ in range(3):
        scheduler.step()

    assert closed(database) == closings(database) == 3


def test_it_sleeps_to_the_next_due_instant_and_not_beyond_a_minute(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    resolve_tickets(database, desk, clock, 1)
    scheduler = Scheduler(database, desk, clock, SETTINGS)

    assert 0 < scheduler.step() <= 60
    clock.advance(days=14, seconds=-7)
    assert scheduler.step() == pytest.approx(7)


def test_after_a_long_stop_so_many_a_minute_are_ticked(database: Database, desk: Desk, clock: FakeClock) -> None:
    resolve_tickets(database, desk, clock, 10)
    clock.advance(days=100)
    time_passes = Scheduler(database, desk, clock, SETTINGS)

    seen = []
    for _ in range(3):
        slept_s = time_passes.step()
        seen.append((closed(database), slept_s == scheduler.SPREAD_S))
        clock.advance(seconds=scheduler.SPREAD_S)

    assert seen == [(5, True), (10, False), (10, False)]


def test_a_ticket_that_fails_costs_only_itself(database: Database, clock: FakeClock) -> None:
    class Poisoned(Desk):
        def handle(self, connection, happenings, now):
            if any(isinstance(each.event, Tick) and each.ticket == 2 for each in happenings):
                raise RuntimeError("poison")
            return super().handle(connection, happenings, now)

    resolve_tickets(database, Desk(SETTINGS, NoMail()), clock, 3)
    clock.advance(days=14)

    Scheduler(database, Poisoned(SETTINGS, NoMail()), clock, SETTINGS).step()

    assert closed(database) == 2
    with database.read() as connection:
        due_at = connection.scalar(select(TicketRow.due_at).where(TicketRow.id == 2))
    assert due_at > clock()


def test_two_schedulers_do_a_thing_once(database: Database, desk: Desk, clock: FakeClock) -> None:
    resolve_tickets(database, desk, clock, 5)
    clock.advance(days=14)
    one, other = Scheduler(database, desk, clock, SETTINGS), Scheduler(database, desk, clock, SETTINGS)

    one.step(), other.step()

    assert closings(database) == 5


def test_a_ticket_that_changes_meanwhile_holds_up_no_other(database: Database, desk: Desk, clock: FakeClock) -> None:
    resolve_tickets(database, desk, clock, 3)
    clock.advance(days=14)
    ticker = Scheduler(database, desk, clock, SETTINGS)._ticker
    claimed = queues.claim(database, TicketRow, clock(), scheduler.LEASE, 10)
    with database.write() as connection:
        connection.execute(update(TicketRow).where(TicketRow.id == 2).values(due_at=clock() + timedelta(days=1)))

    ticker._tick_or_split([claimed], clock())

    assert closed(database) == 2


def test_a_worker_asleep_beyond_its_lease_writes_nothing(database: Database, clock: FakeClock) -> None:
    class Sleepy(Desk):
        def handle(self, connection, happenings, now):
            raise AssertionError("the fence must stop it before")

    resolve_tickets(database, Desk(SETTINGS, NoMail()), clock, 1)
    clock.advance(days=14)
    late = Scheduler(database, Sleepy(SETTINGS, NoMail()), clock, SETTINGS)
    claimed = queues.claim(database, TicketRow, clock(), scheduler.LEASE, 10)
    clock.advance(scheduler.LEASE + timedelta(seconds=1))
    with database.write() as connection:
        connection.execute(update(TicketRow).values(due_at=clock() + timedelta(days=1)))  # another took it

    late._ticker._tick_or_split([claimed], clock())

    assert closed(database) == 0


def test_jobs_go_on_after_the_clock_was_set_back(database: Database, desk: Desk, clock: FakeClock) -> None:
    ran = []
    with time_machine.travel(1_800_000_000, tick=False) as wall:
        time_passes = Scheduler(database, desk, clock, SETTINGS)
        time_passes.every(60, "count", lambda: ran.append(1))
        time_passes.step()
        wall.shift(-7200)
        time_passes.step()

    assert len(ran) == 2


def test_a_job_that_raises_ends_nothing_and_waits_its_time(database: Database, desk: Desk, clock: FakeClock) -> None:
    ran = []

    def broken() -> None:
        ran.append("broken")
        raise RuntimeError("broken on purpose")

    with time_machine.travel(1_800_000_000, tick=False) as wall:
        time_passes = Scheduler(database, desk, clock, SETTINGS)
        time_passes.every(60, "broken", broken)
        time_passes.every(60, "whole", lambda: ran.append("whole"))
        time_passes.step()
        time_passes.step()
        assert ran == ["broken", "whole"]
        wall.shift(60)
        time_passes.step()

    assert ran == ["broken", "whole", "broken", "whole"]
