"""Reaching the database: nothing that was written is lost, and nobody waits for long."""

import errno
import fcntl
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, make_url, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from maild.store import engine
from maild.store.engine import AlreadyRunning, Database
from maild.store.locks import FairLock, FileLock
from maild.store.models import JobRow, RawRow
from tests import postgresql, processes
from tests.clock import NOON
from tests.database import workers

THREADS = 8
TIMES = 100


def counter(database: Database) -> None:
    """Write the row that the tests count in."""
    with database.write() as connection:
        connection.execute(insert(JobRow).values(name="counter", attempts=0))


def counted(database: Database) -> int:
    """Return how far it was counted."""
    with database.read() as connection:
        return connection.scalars(select(JobRow.attempts)).one()


def count(database: Database) -> None:
    """Add one as a rule does it: read, decide, write."""
    with database.write() as connection:
        attempts = connection.scalars(select(JobRow.attempts).with_for_update()).one()
        connection.execute(update(JobRow).values(attempts=attempts + 1))


def test_threads_lose_no_update(database: Database) -> None:
    counter(database)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: count(database), range(THREADS * TIMES)))

    assert counted(database) == THREADS * TIMES


def test_processes_lose_no_update(database: Database, database_url: str) -> None:
    counter(database)

    others = [processes.begin(workers.increment, database_url, TIMES) for _ in range(4)]
    for _ in range(TIMES):
        count(database)
    for other in others:
        processes.end(other)

    assert counted(database) == 5 * TIMES


def test_readers_do_not_wait_for_a_writer_and_see_what_was_before(database: Database) -> None:
    counter(database)

    with database.write() as writing:
        writing.execute(update(JobRow).values(attempts=1))
        seen = counted(database)

    assert seen == 0
    assert counted(database) == 1


def test_what_fails_is_not_written_and_the_next_one_is(database: Database) -> None:
    counter(database)

    def fail() -> None:
        with database.write() as connection:
            connection.execute(update(JobRow).values(attempts=7))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    count(database)

    assert counted(database) == 1


def test_what_was_written_survives_a_kill(database_url: str, database: Database) -> None:
    processes.begin(workers.write_and_die, database_url).communicate()

    with database.read() as connection:
        assert connection.scalars(select(JobRow.name)).all() == ["last words"]


def test_references_are_enforced(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(RawRow).values(mail_id=4711, number=0, content=b""))


def test_instants_come_back_as_they_were_and_naive_ones_are_refused(database: Database) -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    instant = datetime(2026, 7, 1, 3, 30, 0, 123456, tzinfo=kathmandu)
    with database.write() as connection:
        connection.execute(insert(JobRow).values(name="job", attempts=0, due_at=instant))
        found = connection.execute(select(JobRow.due_at).where(JobRow.due_at <= instant)).scalar_one()

    assert found == instant
    assert found.tzinfo is UTC
    with pytest.raises(StatementError, match="naive instant"), database.write() as connection:
        connection.execute(update(JobRow).values(due_at=NOON.replace(tzinfo=None)))


class TestSQLite:
    """What one file promises."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.5)

    def test_commits_are_synced(self, sqlite_database: Database) -> None:
        with sqlite_database.write() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()

        assert (mode, synchronous) == ("wal", 2)  # FULL

    def test_where_files_cannot_be_locked_the_slow_journal_is_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unsupported(*_: object) -> None:
            raise OSError(errno.ENOLCK, "no locks available")

        monkeypatch.setattr(fcntl, "flock", unsupported)
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
        database = Database(f"sqlite:///{tmp_path / 'maild.db'}")
        with database.write() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        database.close()

        assert (mode, synchronous) == ("delete", 3)  # EXTRA
        assert database.journal is not None
        assert "cannot be locked" in database.journal.reason

    def test_a_reader_cannot_write(self, sqlite_database: Database) -> None:
        with pytest.raises(OperationalError, match="readonly"), sqlite_database.read() as connection:
            connection.execute(delete(JobRow))

    def test_only_the_writer_folds_the_log_in(self, sqlite_database: Database) -> None:
        with sqlite_database.read() as reading, sqlite_database.write() as writing:
            assert reading.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0
            assert writing.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 1000

    def test_after_the_close_all_is_in_one_file(self, sqlite_url: str) -> None:
        database = Database(sqlite_url)
        counter(database)

        database.close()

        assert not database.path.with_name(database.path.name + "-wal").exists()

    @pytest.mark.parametrize("holder", [workers.hold_for_writing, workers.lock_file])
    def test_a_file_that_another_process_locks_is_an_error_soon_for_all_who_wait(
        self, sqlite_url: str, holder: object
    ) -> None:
        database = Database(sqlite_url)
        counter(database)
        url_or_path = sqlite_url if holder is workers.hold_for_writing else database.path
        other = processes.begin(holder, url_or_path)  # type: ignore[arg-type]  # parametrized
        processes.line(other)

        def wait_s(_: int) -> float:
            begun = time.monotonic()
            with pytest.raises(OperationalError):
                count(database)
            return time.monotonic() - begun

        with ThreadPoolExecutor(THREADS) as threads:
            waited_s = list(threads.map(wait_s, range(THREADS)))
        processes.kill(other)

        assert max(waited_s) < 2 * engine.LOCK_WAIT_S
        count(database)  # as soon as the other is gone
        assert counted(database) == 1
        database.close()

    def test_what_was_spent_waiting_in_this_process_is_not_waited_again_for_others(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counter(sqlite_database)
        left_s: list[float] = []
        lock_file = sqlite_database._lock_file

        def lock_and_tell(wait_s: float) -> bool:
            left_s.append(wait_s)
            return lock_file(wait_s)

        monkeypatch.setattr(sqlite_database, "_lock_file", lock_and_tell)
        writing = sqlite_database.write()
        writing.__enter__()
        ending = threading.Timer(0.2, writing.__exit__, (None, None, None))
        ending.start()

        count(sqlite_database)

        ending.join()
        assert left_s[-1] <= engine.LOCK_WAIT_S - 0.2

    def test_a_reader_goes_on_while_another_process_writes(self, sqlite_url: str) -> None:
        database = Database(sqlite_url)
        counter(database)
        other = processes.begin(workers.hold_for_writing, sqlite_url)
        processes.line(other)

        assert counted(database) == 0
        processes.kill(other)
        database.close()

    def test_a_writer_that_is_killed_leaves_nothing_half_written_and_nobody_locked_out(self, sqlite_url: str) -> None:
        database = Database(sqlite_url)
        counter(database)
        other = processes.begin(workers.hold_for_writing, sqlite_url)
        processes.line(other)

        processes.kill(other)
        count(database)

        assert counted(database) == 1
        database.close()

    def test_a_second_daemon_is_refused_and_told_who_the_first_is(self, sqlite_url: str) -> None:
        first = processes.begin(workers.serve, sqlite_url)
        processes.line(first)
        database = Database(sqlite_url)

        with pytest.raises(AlreadyRunning, match=rf"maild\.db \(process {first.pid}\)"):
            database.claim_for_daemon("process 1")
        counter(database)  # the command line may still work

        processes.kill(first)
        database.claim_for_daemon("process 1")
        database.close()

    def test_a_link_to_the_file_has_its_locks(self, sqlite_url: str, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "desk.db").symlink_to(make_url(sqlite_url).database)
        first, second = Database(sqlite_url), Database(f"sqlite:///{tmp_path / 'elsewhere' / 'desk.db'}")
        first.claim_for_daemon("process 1")

        with pytest.raises(AlreadyRunning, match=r"maild\.db \(process 1\)"):
            second.claim_for_daemon("process 2")
        assert [each.name for each in (tmp_path / "elsewhere").iterdir()] == ["desk.db"]
        first.close()
        second.close()

    def test_a_second_name_of_the_file_is_warned_of(
        self, sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "twin.db").hardlink_to(make_url(sqlite_url).database)
        with Database(sqlite_url) as database:
            database.claim_for_daemon("process 1")

        assert "has a second name" in capsys.readouterr().out

    def test_a_daemon_that_ended_leaves_the_file_to_the_next(self, sqlite_url: str) -> None:
        first, second = Database(sqlite_url), Database(sqlite_url)
        first.claim_for_daemon("process 1")

        first.close()
        second.claim_for_daemon("process 2")

        second.close()

    def test_a_full_disk_is_an_error_and_there_is_work_again_when_there_is_room(
        self, sqlite_database: Database
    ) -> None:
        counter(sqlite_database)
        with sqlite_database.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        with pytest.raises(OperationalError, match="full"), sqlite_database.write() as connection:
            connection.execute(update(JobRow).values(attempts=7, name="x" * 1_000_000))
        with sqlite_database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")

        count(sqlite_database)

        assert counted(sqlite_database) == 1

    def test_what_need_not_be_synced_is_not_and_everything_else_is(self, sqlite_database: Database) -> None:
        counter(sqlite_database)
        found: list[object] = []
        for synced in (False, True):
            with sqlite_database.write(synced=synced) as connection:
                found.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())
        with pytest.raises(ZeroDivisionError), sqlite_database.write(synced=False):
            raise ZeroDivisionError
        with sqlite_database.write() as connection:
            found.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())

        assert found == [1, 2, 2]  # NORMAL, FULL, FULL

    def test_a_database_needs_a_file(self) -> None:
        with pytest.raises(ValueError, match="needs a file"):
            Database("sqlite://")

    def test_a_lock_is_waited_for(self, tmp_path: Path) -> None:
        holder, waiter = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
        assert holder.acquire(0)
        assert not waiter.acquire(0.01)
        releasing = threading.Timer(0.05, holder.release)
        releasing.start()

        got = waiter.acquire(10)

        assert got
        releasing.join()
        holder.close()
        waiter.close()

    def test_a_lock_is_not_had_again_before_whoever_waits_for_it(self, tmp_path: Path) -> None:
        paths = tmp_path / "lock", tmp_path / "next"
        greedy, patient = FairLock(*paths), FairLock(*paths)
        assert greedy.acquire(0)
        got: list[bool] = []
        waiting = threading.Thread(target=lambda: got.append(patient.acquire(10)))
        waiting.start()
        pause = threading.Event()
        while not patient._next.held:
            pause.wait(0.001)

        greedy.release()
        again = greedy.acquire(0)

        waiting.join()
        assert (again, got) == (False, [True])
        patient.release()
        assert greedy.acquire(0)
        greedy.close()
        patient.close()


@pytest.mark.postgresql
class TestPostgreSQL:
    """What a server promises."""

    def test_commits_are_synced_whatever_the_server_is_used_to(
        self, postgresql_server: postgresql.Server, postgresql_url: str
    ) -> None:
        name = postgresql_url.rpartition("/")[2]
        postgresql_server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        database = Database(postgresql_url)
        try:
            with database.write() as connection:
                assert connection.scalar(text("SHOW synchronous_commit")) == "on"
        finally:
            database.close()
            postgresql_server.execute(f"ALTER DATABASE {name} RESET synchronous_commit")

    def test_a_stronger_promise_of_the_server_is_kept(
        self, postgresql_server: postgresql.Server, postgresql_url: str
    ) -> None:
        name = postgresql_url.rpartition("/")[2]
        postgresql_server.execute(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
        database = Database(postgresql_url)
        try:
            with database.read() as connection:
                assert connection.scalar(text("SHOW synchronous_commit")) == "remote_apply"
        finally:
            database.close()
            postgresql_server.execute(f"ALTER DATABASE {name} RESET synchronous_commit")

    def test_a_row_that_another_node_locks_is_an_error_soon(
        self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.2)
        first, second = Database(postgresql_url), Database(postgresql_url)
        counter(first)

        with first.write() as connection:
            connection.execute(update(JobRow).values(attempts=5))
            with pytest.raises(OperationalError, match="lock timeout"):
                count(second)

        count(second)
        assert counted(first) == 6
        first.close()
        second.close()

    def test_a_server_that_crashed_is_used_again_as_soon_as_it_is_back(self) -> None:
        with postgresql.server(fsync=True) as server:
            database = Database(server.create())
            with database.write() as connection:
                connection.execute(text("CREATE TABLE kept (number int)"))
                connection.execute(text("INSERT INTO kept VALUES (1)"))

            server.kill()
            with pytest.raises(OperationalError), database.write() as connection:
                connection.execute(text("INSERT INTO kept VALUES (2)"))
            server.start()

            with database.write() as connection:
                connection.execute(text("INSERT INTO kept VALUES (3)"))
            server.kill()
            server.start()

            with database.read() as connection:  # nobody noticed
                assert connection.scalar(text("SELECT sum(number) FROM kept")) == 4
            database.close()

    def test_several_daemons_may_serve_one_database(self, postgresql_url: str) -> None:
        first, second = Database(postgresql_url), Database(postgresql_url)

        first.claim_for_daemon("node 1")
        second.claim_for_daemon("node 2")

        with second.read() as connection:
            assert connection.scalar(select(func.count()).select_from(JobRow)) == 0
        first.close()
        second.close()
