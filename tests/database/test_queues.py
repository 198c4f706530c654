"""Claiming work: every row is done once, by one worker, and by another if that one dies."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from maild.store import queues
from maild.store.engine import Database
from maild.store.models import Direction, JobRow, MailRow, MailState
from maild.store.queues import Claim, LeaseLost
from tests.clock import NOON, FakeClock

LEASE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
THREADS = 8
MAILS = 100


def jobs(database: Database, *due_at: datetime | None) -> None:
    """Write a job for each of `due_at`, numbered from 1."""
    with database.write() as connection:
        for number, instant in enumerate(due_at, start=1):
            connection.execute(insert(JobRow).values(name=f"job {number}", due_at=instant, attempts=0))


def claim(database: Database, now: datetime, limit: int = 100) -> Claim:
    """Claim jobs."""
    return queues.claim(database, JobRow, now, LEASE, limit)


def due_at(database: Database) -> list[datetime | None]:
    """Return when each job is due."""
    with database.read() as connection:
        return list(connection.scalars(select(JobRow.due_at).order_by(JobRow.id)).all())


def finish(database: Database, claimed: Claim) -> None:
    """Do the claimed work: hold, write, be done."""
    with database.write() as connection:
        queues.hold(connection, claimed)
        connection.execute(update(JobRow).where(JobRow.id.in_(claimed.ids)).values(due_at=None, done_at=claimed.until))


def test_eight_threads_claim_each_of_a_hundred_mails_once(database: Database) -> None:
    mail = {
        "direction": Direction.IN, "state": MailState.STORED, "stored_at": NOON, "source": "smtp", "recipients": [],
        "size_bytes": 0, "due_at": NOON, "attempts": 0,
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(insert(MailRow), [{**mail, "fingerprint": bytes([number] * 32)} for number in range(MAILS)])

    def work(_: int) -> list[int]:
        mine: list[int] = []
        while (claimed := queues.claim(database, MailRow, NOON, LEASE, limit=3)) and len(mine) < MAILS:
            mine += claimed.ids
        return mine

    with ThreadPoolExecutor(THREADS) as threads:
        claimed = [number for mine in threads.map(work, range(THREADS)) for number in mine]

    assert sorted(claimed) == list(range(1, MAILS + 1))
    with database.read() as connection:
        assert {tuple(row) for row in connection.execute(select(MailRow.attempts, MailRow.due_at))} == {
            (1, NOON + LEASE)
        }


def test_what_has_been_due_longest_is_claimed_first(database: Database) -> None:
    jobs(database, NOON, NOON - 3 * MINUTE, NOON - MINUTE, NOON - 3 * MINUTE)

    assert claim(database, NOON, limit=3).ids == (2, 4, 3)
    assert claim(database, NOON, limit=3).ids == (1,)


def test_what_is_not_due_or_done_is_left_alone(database: Database) -> None:
    jobs(database, NOON + MINUTE, None)

    nothing = claim(database, NOON)

    assert not nothing
    assert nothing.ids == ()
    assert due_at(database) == [NOON + MINUTE, None]


def test_work_is_due_at_its_very_instant(database: Database) -> None:
    jobs(database, NOON)

    assert not claim(database, NOON - timedelta(microseconds=1))
    assert claim(database, NOON)


def test_the_attempt_is_counted_before_the_work_begins(database: Database, clock: FakeClock) -> None:
    jobs(database, NOON)

    counts = [claim(database, clock.advance(LEASE)).attempts for _ in range(3)]

    assert counts == [{1: 1}, {1: 2}, {1: 3}]


def test_a_lease_that_runs_out_makes_the_work_due_again(database: Database) -> None:
    jobs(database, NOON)
    claim(database, NOON)

    assert not claim(database, NOON + LEASE - timedelta(microseconds=1))
    assert claim(database, NOON + LEASE)


def test_work_that_is_done_stays_done(database: Database) -> None:
    jobs(database, NOON)

    finish(database, claim(database, NOON))

    assert not claim(database, NOON + 10 * LEASE)


def test_a_worker_that_slept_beyond_its_lease_writes_nothing(database: Database) -> None:
    jobs(database, NOON, NOON)
    slow = claim(database, NOON)
    quick = claim(database, NOON + LEASE)

    with pytest.raises(LeaseLost, match=r"job \[1, 2\]"):
        finish(database, slow)

    assert due_at(database) == [quick.until, quick.until]
    finish(database, quick)
    assert due_at(database) == [None, None]


def test_a_worker_that_lost_one_of_its_rows_writes_none(database: Database) -> None:
    jobs(database, NOON, NOON)
    claimed = claim(database, NOON)
    with database.write() as connection:
        connection.execute(update(JobRow).where(JobRow.id == 2).values(due_at=None))  # an operator cancelled it

    with pytest.raises(LeaseLost, match=r"job \[2\]"):
        finish(database, claimed)

    assert due_at(database) == [claimed.until, None]


def test_a_worker_may_go_on_with_some_of_its_rows(database: Database) -> None:
    jobs(database, NOON, NOON)
    claimed = claim(database, NOON)

    finish(database, claimed.only([2]))

    assert due_at(database) == [claimed.until, None]


def test_work_given_back_is_due_when_it_was_asked_for(database: Database) -> None:
    jobs(database, NOON, NOON)
    claimed = claim(database, NOON)
    finish(database, claimed.only([2]))

    queues.release(database, claimed, NOON + MINUTE)

    assert due_at(database) == [NOON + MINUTE, None]


def test_what_another_has_claimed_meanwhile_is_not_given_back(database: Database) -> None:
    jobs(database, NOON)
    slow = claim(database, NOON)
    quick = claim(database, NOON + LEASE)

    queues.release(database, slow, NOON)

    assert due_at(database) == [quick.until]


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_nodes_pass_over_what_another_is_working_on(database: Database) -> None:
    jobs(database, NOON, NOON)
    first = claim(database, NOON, limit=1)

    with database.write() as connection:
        queues.hold(connection, first)
        beyond = claim(database, NOON + 2 * LEASE)

    assert (first.ids, beyond.ids) == ((1,), (2,))


def test_the_next_instant_is_the_earliest(database: Database) -> None:
    with database.read() as connection:
        assert queues.next_due(connection, JobRow) is None
    jobs(database, NOON + MINUTE, NOON, None)

    with database.read() as connection:
        assert queues.next_due(connection, JobRow) == NOON


def test_an_operator_sees_how_much_waits_and_since_when(database: Database) -> None:
    jobs(database, NOON - MINUTE, NOON, NOON + MINUTE, None)

    with database.read() as connection:
        assert queues.waiting(connection, JobRow, NOON) == {"due": 2, "oldest_due_at": NOON - MINUTE}
