"""After a gap, when the clock jumps, on two nodes: time alone neither floods nor stalls nor repeats itself."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from maild import config
from maild.clock import Clock
from maild.desk import Desk, Happening
from maild.rules.events import AgentWrote, CustomerWrote, Postpone, Resolve
from maild.rules.state import Status
from maild.services.scheduler import SPREAD_S, Scheduler
from maild.store import queues, schedule
from maild.store.engine import Database
from maild.store.models import DeliveryRow, Direction, HistoryRow, MailRow, MailState, TicketRow
from tests.clock import NOON, FakeClock
from tests.database.desks import NoMail, opening

SETTINGS = config.parse("""
[maild]
operator = "op@elsewhere.example"
[smtp]
listen = "127.0.0.1:0"
[[department]]
name = "support"
address = "support@acme.example"
[[department]]
name = "sales"
address = "sales@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
""")
ANNA = "anna@acme.example"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


@pytest.fixture
def desk() -> Desk:
    return Desk(SETTINGS, NoMail())


@pytest.fixture
def time_passes(database: Database, desk: Desk, clock: FakeClock) -> Scheduler:
    return Scheduler(database, desk, clock, SETTINGS)


def tickets(database: Database, desk: Desk, clock: FakeClock, count: int, *then: object) -> None:
    """Open tickets, to each of which the same happens."""
    with database.write() as connection:
        new = [opening(connection, clock, f"c{number}") for number in range(count)]
        events = [CustomerWrote(clock()), *then]
        desk.handle(connection, [Happening(each, event, "x") for each in new for event in events], clock())


def statuses(database: Database) -> dict[str, int]:
    with database.read() as connection:
        rows = connection.execute(select(TicketRow.status, func.count()).group_by(TicketRow.status))
        return {row[0].value: row[1] for row in rows}


def changes(database: Database, field: str) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(HistoryRow.field == field, HistoryRow.cause == "Tick")) or 0


def alerts(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(MailRow.subject).where(MailRow.purpose == "alert").order_by(MailRow.id)))


def let_pass(time_passes: Scheduler, clock: FakeClock, span: timedelta, *, look: timedelta = 12 * HOUR) -> None:
    """Let time pass, looking when something is due or has to wait, and every so often."""
    end = clock() + span
    while clock() < end:
        slept_s = time_passes.step()
        with time_passes._database.read() as connection:
            due_at = queues.next_due(connection, TicketRow)
        ahead = timedelta(seconds=slept_s) if slept_s == SPREAD_S else max(min(look, due_at - clock()), look / 1000)
        clock.set(min(end, clock() + ahead))


def test_after_a_week_of_downtime_nothing_floods_and_all_is_done_once(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    tickets(database, desk, clock, 150, AgentWrote(clock(), ANNA))
    Scheduler(database, desk, clock, SETTINGS).step()
    clock.advance(days=7)
    time_passes = Scheduler(database, desk, clock, SETTINGS)

    let_pass(time_passes, clock, 10 * timedelta(minutes=1))
    in_ten_minutes = changes(database, "reminded_at")
    let_pass(time_passes, clock, HOUR)

    assert 50 <= in_ten_minutes <= 66  # six a minute
    assert changes(database, "reminded_at") == 150
    assert alerts(database) == ["Unusually many tickets are due"]


def test_after_the_brake_the_pace_is_the_usual_one(database: Database, desk: Desk, clock: FakeClock) -> None:
    tickets(database, desk, clock, 520, AgentWrote(clock(), ANNA))
    Scheduler(database, desk, clock, SETTINGS).step()
    clock.advance(days=7)
    time_passes = Scheduler(database, desk, clock, SETTINGS)
    let_pass(time_passes, clock, HOUR)
    after_an_hour = changes(database, "reminded_at")

    let_pass(time_passes, clock, timedelta(minutes=5))

    assert 330 <= after_an_hour <= 370
    assert changes(database, "reminded_at") - after_an_hour == pytest.approx(150, abs=10)


def test_what_is_due_at_nine_on_a_monday_is_spread_without_an_alert(
    database: Database, desk: Desk, clock: FakeClock, time_passes: Scheduler
) -> None:
    tickets(database, desk, clock, 150, AgentWrote(clock(), ANNA))  # Monday; the reminder is due on Monday in a week
    let_pass(time_passes, clock, 7 * DAY - 3 * HOUR, look=timedelta(minutes=14))
    assert changes(database, "reminded_at") == 0

    let_pass(time_passes, clock, timedelta(minutes=2))

    assert 55 <= changes(database, "reminded_at") <= 65
    assert alerts(database) == []


def test_agents_are_told_of_who_waits_while_customers_mails_are_held(
    database: Database, desk: Desk, clock: FakeClock, time_passes: Scheduler
) -> None:
    tickets(database, desk, clock, 2)
    tickets(database, desk, clock, 2, Resolve(clock()))
    with database.write() as connection:
        schedule.note(connection, held_at=clock())

    let_pass(time_passes, clock, 14 * DAY + HOUR / 2)

    assert statuses(database) == {"new": 2, "resolved": 2}
    assert changes(database, "told_at") > 0
    with database.write() as connection:
        schedule.note(connection, held_at=None)
    let_pass(time_passes, clock, HOUR)
    assert statuses(database) == {"new": 2, "closed": 2}


def test_a_department_does_not_wait_for_another(
    database: Database, desk: Desk, clock: FakeClock, time_passes: Scheduler
) -> None:
    tickets(database, desk, clock, 90, AgentWrote(clock(), ANNA))
    with database.write() as connection:
        connection.execute(update(TicketRow).where(TicketRow.id == 90).values(department="sales"))
    clock.advance(days=7)

    time_passes.step()

    with database.read() as connection:
        reminded = connection.scalar(select(TicketRow.reminded_at).where(TicketRow.id == 90))
    assert reminded == clock()
    assert changes(database, "reminded_at") == 6


def test_two_nodes_together_keep_the_pace_and_do_nothing_twice(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    tickets(database, desk, clock, 40, AgentWrote(clock(), ANNA))
    one, other = Scheduler(database, desk, clock, SETTINGS), Scheduler(database, desk, clock, SETTINGS)
    clock.advance(days=7)

    while one.step() == SPREAD_S or other.step() == SPREAD_S:
        clock.advance(seconds=SPREAD_S)

    assert changes(database, "reminded_at") == 40


class Machine:
    """A machine whose wall clock jumps."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self.wall, self.counted_s = NOON, 0.0
        self.clock = Clock(lambda: self.wall, lambda: self.counted_s)
        self.database, self.desk = database, desk
        self.restart()

    def restart(self) -> None:
        with self.database.read() as connection:
            self.clock.begin(schedule.last_seen(connection))
        self.scheduler = Scheduler(self.database, self.desk, self.clock, SETTINGS, self.clock)

    def runs(self, span: timedelta, *, look: timedelta = timedelta(minutes=10)) -> None:
        left = span
        while left > timedelta(0):
            self.scheduler.step()
            self.scheduler._watch.clock()  # the library's own clock stands still in here
            self.scheduler._watch.see()
            step = min(look, left)
            self.wall += step
            self.counted_s += step.total_seconds()
            left -= step
        self.scheduler.step()


@pytest.fixture
def machine(database: Database, desk: Desk) -> Machine:
    return Machine(database, desk)


@pytest.mark.parametrize("jump", [HOUR, DAY, YEAR, -HOUR, -DAY, -YEAR])
def test_a_clock_that_jumps_while_it_runs_changes_nothing_at_once(
    database: Database, desk: Desk, machine: Machine, jump: timedelta
) -> None:
    tickets(database, desk, FakeClock(), 3, Resolve(NOON))
    machine.runs(HOUR)
    machine.wall += jump

    machine.runs(timedelta(minutes=20))

    assert statuses(database) == {"resolved": 3}
    assert alerts(database) == ["The clock is not believed"]


def test_a_year_forward_closes_nothing_until_the_operator_says_that_it_is_right(
    database: Database, desk: Desk, machine: Machine
) -> None:
    tickets(database, desk, FakeClock(), 3, Resolve(NOON))
    machine.runs(HOUR)
    machine.wall += YEAR
    machine.runs(3 * DAY, look=HOUR)
    assert statuses(database) == {"resolved": 3}
    assert len(alerts(database)) == 3  # one a day

    with database.write() as connection:
        schedule.note(connection, confirmed_at=machine.wall)
    machine.runs(HOUR)

    assert statuses(database) == {"closed": 3}
    assert alerts(database)[-1] == "The clock is believed again"


def test_what_is_due_meanwhile_happens_at_its_time(database: Database, desk: Desk, machine: Machine) -> None:
    tickets(database, desk, FakeClock(), 3, Resolve(NOON))
    machine.runs(HOUR)
    machine.wall -= YEAR

    machine.runs(15 * DAY, look=6 * HOUR)

    assert statuses(database) == {"closed": 3}


@pytest.mark.parametrize("jump", [-HOUR, -DAY, HOUR, DAY])
def test_a_lasting_small_jump_is_lived_with(database: Database, desk: Desk, machine: Machine, jump: timedelta) -> None:
    tickets(database, desk, FakeClock(), 3, Resolve(NOON))
    machine.runs(HOUR)
    machine.wall += jump
    machine.runs(HOUR)
    assert machine.clock() == machine.wall
    assert alerts(database) == ["The clock is not believed", "The clock is believed again"]

    machine.runs(14 * DAY - max(jump, timedelta(0)) - 3 * HOUR, look=HOUR)
    assert statuses(database) == {"resolved": 3}
    machine.runs(5 * HOUR)
    assert statuses(database) == {"closed": 3}
    assert changes(database, "status") == 3


def test_a_start_a_year_later_closes_nothing(database: Database, desk: Desk, machine: Machine) -> None:
    tickets(database, desk, FakeClock(), 3, Resolve(NOON))
    machine.runs(HOUR)
    machine.wall += YEAR
    machine.restart()

    machine.runs(DAY, look=HOUR)

    assert statuses(database) == {"resolved": 3}


def test_what_a_clock_that_ran_ahead_had_put_off_happens_when_it_is_right(
    database: Database, desk: Desk, clock: FakeClock
) -> None:
    clock.advance(days=365)
    tickets(database, desk, clock, 1)
    tickets(database, desk, clock, 1, AgentWrote(clock(), ANNA))
    tickets(database, desk, clock, 1, Postpone(clock(), clock() + 2 * DAY))
    with database.write() as connection:
        connection.execute(
            insert(MailRow).values(
                direction=Direction.IN,
                state=MailState.STORED,
                fingerprint=b"x" * 32,
                stored_at=clock(),
                source="test",
                recipients=[],
                size_bytes=1,
                due_at=clock(),
                attempts=0,
            )
        )
    clock.set(NOON)

    time_passes = Scheduler(database, desk, clock, SETTINGS)
    time_passes.step()

    with database.read() as connection:
        assert connection.scalar(select(MailRow.due_at)) == NOON
        found = connection.execute(select(TicketRow.__table__).order_by(TicketRow.id)).all()
        causes = set(connection.scalars(select(HistoryRow.cause).where(HistoryRow.at == NOON)))
    assert [each.since for each in found] == [NOON] * 3
    assert found[0].waiting_since == NOON
    assert found[1].answered_at == NOON
    assert found[2].wake_at == NOON + 2 * DAY
    assert causes == {"ClockSetBack"}
    let_pass(time_passes, clock, 31 * DAY)
    assert found[1].status is Status.ANSWERED
    assert statuses(database) == {"new": 2, "closed": 1}


def test_a_hanging_delivery_of_a_wrong_clock_leaves_at_once(database: Database, desk: Desk, clock: FakeClock) -> None:
    with database.write() as connection:
        new = opening(connection, clock)
        desk.handle(connection, [Happening(new, CustomerWrote(clock()), "x")], clock())
        mail = connection.execute(
            insert(MailRow)
            .values(
                direction=Direction.OUT,
                state=MailState.OUT,
                fingerprint=b"y" * 32,
                stored_at=clock(),
                source="maild",
                recipients=[],
                size_bytes=1,
                attempts=0,
            )
            .returning(MailRow.id)
        ).scalar_one()
        connection.execute(
            insert(DeliveryRow).values(
                mail_id=mail,
                ticket_id=1,
                address_id=1,
                recipient="ada@customer.example",
                reply_to="",
                automatic=True,
                state="queued",
                created_at=clock(),
                due_at=clock() + YEAR,
                attempts=1,
            )
        )

    Scheduler(database, desk, clock, SETTINGS).step()

    with database.read() as connection:
        assert connection.scalar(select(DeliveryRow.due_at)) == clock()
