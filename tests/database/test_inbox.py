"""A mail is stored once, whole, and answered when it is durable."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from maild import inbox
from maild.inbox import GroupCommit, Incoming, QueueFullError, Spooled, StoppedError, Stored
from maild.inbox import group_commit as group_commit_room
from maild.message.identity import fingerprint
from maild.store import engine
from maild.store import raw as kept_raw
from maild.store.engine import Database
from maild.store.locks import FileLock
from maild.store.models import Direction, MailRow, MailState, RawRow
from tests.clock import FakeClock

SUPPORT = "support@acme.example"
SALES = "sales@acme.example"


def raw(number: int = 1, text: str = "It burns.") -> bytes:
    return (
        "From: ada@customer.example\r\nSubject: The printer\r\n"
        f"Message-ID: <{number}@customer.example>\r\n\r\n{text}\r\n"
    ).encode()


def mail(number: int = 1, *recipients: str, content: bytes | Spooled | None = None) -> Incoming:
    return Incoming(
        "ada@customer.example", recipients or (SUPPORT,), "smtp 192.0.2.1", raw(number) if content is None else content
    )


def store(database: Database, clock: FakeClock, *mails: Incoming) -> list[Stored]:
    with database.write() as connection:
        return inbox.store(connection, mails, clock())


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(MailRow)) or 0


def recipients(database: Database, mail_id: int) -> list[str]:
    with database.read() as connection:
        return connection.execute(select(MailRow.recipients).where(MailRow.id == mail_id)).scalar_one()


def test_a_mail_is_stored_whole_and_due_at_once(database: Database, clock: FakeClock) -> None:
    [stored] = store(database, clock, mail())

    assert stored.new
    with database.read() as connection:
        row = connection.execute(select(MailRow.__table__)).one()
        assert inbox.raw_of(connection, stored.mail_id) == raw()
    assert row.id == stored.mail_id
    assert (row.direction, row.state, row.attempts) == (Direction.IN, MailState.STORED, 0)
    assert (row.due_at, row.stored_at) == (clock(), clock())
    assert (row.envelope_from, row.recipients) == ("ada@customer.example", [SUPPORT])
    assert (row.source, row.size_bytes) == ("smtp 192.0.2.1", len(raw()))
    assert bytes(row.fingerprint) == fingerprint(raw())


def test_the_null_sender_and_an_unknown_one_are_told_apart(database: Database, clock: FakeClock) -> None:
    null, unknown = store(
        database, clock, Incoming("", (SUPPORT,), "lmtp", raw(1)), Incoming(None, (), "imap support", raw(2))
    )

    with database.read() as connection:
        senders = {row.id: row.envelope_from for row in connection.execute(select(MailRow.id, MailRow.envelope_from))}
    assert senders == {null.mail_id: "", unknown.mail_id: None}


def test_the_same_mail_again_is_the_same_row_with_more_recipients(database: Database, clock: FakeClock) -> None:
    [first] = store(database, clock, mail(1, SUPPORT))
    clock.advance(hours=1)
    again, other = store(database, clock, mail(1, SALES, SUPPORT), mail(2))

    assert again == Stored(first.mail_id, new=False)
    assert other.new
    assert rows(database) == 2
    assert recipients(database, first.mail_id) == [SUPPORT, SALES]


def test_the_same_mail_twice_in_one_group_is_one_row(database: Database, clock: FakeClock) -> None:
    one, two, same = store(database, clock, mail(1, SUPPORT), mail(2), mail(1, SALES))

    assert (one.new, two.new, same.new) == (True, True, False)
    assert one.mail_id == same.mail_id != two.mail_id
    assert recipients(database, one.mail_id) == [SUPPORT, SALES]


def test_a_filed_mail_that_comes_again_stays_filed(database: Database, clock: FakeClock) -> None:
    [stored] = store(database, clock, mail(1, SUPPORT))
    with database.write() as connection:
        connection.execute(update(MailRow).values(state=MailState.FILED, due_at=None))

    store(database, clock, mail(1, SALES))

    with database.read() as connection:
        row = connection.execute(select(MailRow.state, MailRow.due_at, MailRow.recipients)).one()
    assert row == (MailState.FILED, None, [SUPPORT, SALES])
    assert stored.new


def test_our_own_mail_that_comes_back_stays_as_we_sent_it(database: Database, clock: FakeClock) -> None:
    [stored] = store(database, clock, mail(1, SUPPORT))
    with database.write() as connection:
        connection.execute(update(MailRow).values(direction=Direction.OUT, state=MailState.OUT))

    [again] = store(database, clock, mail(1, SALES))

    assert again == Stored(stored.mail_id, new=False)
    assert recipients(database, stored.mail_id) == [SUPPORT]


def test_two_mails_with_one_message_id_are_two(database: Database, clock: FakeClock) -> None:
    one, two = store(database, clock, mail(content=raw(1, "one")), mail(content=raw(1, "two")))

    assert one.mail_id != two.mail_id
    assert (one.new, two.new) == (True, True)


def test_nothing_is_stored_of_nothing(database: Database, clock: FakeClock) -> None:
    assert store(database, clock) == []
    assert rows(database) == 0


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff\r\r\n\n.", b"no header\r\n"])
def test_any_bytes_come_back_as_they_were(content: bytes, database: Database, clock: FakeClock) -> None:
    [stored] = store(database, clock, mail(content=content))

    with database.read() as connection:
        assert inbox.raw_of(connection, stored.mail_id) == content


def test_a_large_mail_is_kept_in_pieces_of_a_mebibyte(database: Database, clock: FakeClock) -> None:
    large = raw(1, "x" * 2_500_000)
    [memory] = store(database, clock, mail(content=large))
    [spooled] = store(database, clock, mail(content=Spooled(io.BytesIO(raw(2, "y" * 2_500_000)), 2_500_000 + 90)))

    with database.read() as connection:
        assert inbox.raw_of(connection, memory.mail_id) == large
        assert inbox.raw_of(connection, spooled.mail_id) == raw(2, "y" * 2_500_000)
        sizes = connection.execute(
            select(RawRow.mail_id, func.max(kept_raw.LENGTH), func.count()).group_by(RawRow.mail_id)
        ).all()
    assert {tuple(size) for size in sizes} == {(memory.mail_id, 1 << 20, 3), (spooled.mail_id, 1 << 20, 3)}


def test_what_was_put_before_a_spooled_mail_is_its_beginning(database: Database, clock: FakeClock) -> None:
    spooled = Spooled(io.BytesIO(raw()), len(raw()), front=b"Received: by us\r\n")
    [stored] = store(database, clock, mail(content=spooled))

    with database.read() as connection:
        assert inbox.raw_of(connection, stored.mail_id) == b"Received: by us\r\n" + raw()
        assert connection.scalar(select(MailRow.size_bytes)) == len(raw()) + 17
    assert store(database, clock, mail(1)) == [Stored(stored.mail_id, new=False)]


def test_addresses_that_no_database_could_keep_do_not_cost_the_mail(database: Database, clock: FakeClock) -> None:
    [stored] = store(database, clock, Incoming("a\0\udcff@b", ("x" * 400, "\udce4@acme.example"), "imap", raw()))

    assert recipients(database, stored.mail_id) == ["x" * 320, "?@acme.example"]


def test_there_are_no_bytes_of_a_mail_that_is_not_there(database: Database) -> None:
    with database.read() as connection, pytest.raises(LookupError):
        inbox.raw_of(connection, 7)


class Gate(io.BytesIO):
    """A spool file that lets itself be read only when it is opened: it keeps the writer busy."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reached = threading.Event()
        self.open = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.reached.set()
        assert self.open.wait(20)
        return super().read(size)


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def group_commit(database: Database, clock: FakeClock, bell: Bell) -> Iterator[GroupCommit]:
    writer = GroupCommit(database, clock, bell)
    writer.start()
    yield writer
    assert writer.stop(20)


def busy(writer: GroupCommit) -> tuple[Gate, Future[Stored]]:
    """Keep the writer busy with one mail until the gate is opened."""
    gate = Gate(raw(0))
    future = writer.submit(mail(content=Spooled(gate, len(raw(0)))))
    assert gate.reached.wait(20)
    return gate, future


def test_a_lone_mail_is_answered_when_it_is_durable(group_commit: GroupCommit, database: Database, bell: Bell) -> None:
    stored = group_commit.submit(mail()).result(20)

    assert stored.new
    assert rows(database) == 1
    assert group_commit.submit(mail()).result(20) == Stored(stored.mail_id, new=False)
    group_commit.stop(20)
    assert bell.rung == 1  # there is nothing new in the second


def test_all_that_waits_goes_into_one_transaction(
    group_commit: GroupCommit, database: Database, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    plain = group_commit_room.store
    monkeypatch.setattr(group_commit_room, "store", lambda *args: (groups.append(len(args[1])), plain(*args))[1])
    gate, first = busy(group_commit)
    futures = [group_commit.submit(mail(number)) for number in range(1, 51)]
    assert not first.done()

    gate.open.set()

    ids = [future.result(20).mail_id for future in [first, *futures]]
    assert ids == sorted(set(ids))  # in the order in which they came
    assert groups == [1, 50]
    assert rows(database) == 51


def test_a_group_is_bounded_in_mails_and_bytes(group_commit: GroupCommit, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    plain = group_commit_room.store
    monkeypatch.setattr(group_commit_room, "store", lambda *args: (groups.append(len(args[1])), plain(*args))[1])
    monkeypatch.setattr(group_commit_room, "GROUP_MAILS", 4)
    monkeypatch.setattr(group_commit_room, "GROUP_BYTES", 2000)
    gate, _ = busy(group_commit)
    futures = [group_commit.submit(mail(number)) for number in range(1, 7)]
    futures += [group_commit.submit(mail(content=raw(number, "x" * 1500))) for number in range(7, 10)]

    gate.open.set()

    assert all(future.result(20).new for future in futures)
    assert groups == [1, 4, 4, 1]  # the one that reaches the bound is the last of its group


def test_a_poisoned_mail_costs_only_itself(group_commit: GroupCommit, database: Database) -> None:
    gate, first = busy(group_commit)
    unreadable = io.BytesIO(raw(2))
    unreadable.close()
    before = group_commit.submit(mail(1))
    poisoned = group_commit.submit(mail(content=Spooled(unreadable, 10)))
    after = group_commit.submit(mail(3))

    gate.open.set()

    assert isinstance(poisoned.exception(20), ValueError)
    assert all(future.result(20).new for future in (first, before, after))
    assert rows(database) == 3


def test_when_the_mail_is_answered_its_file_is_closed(group_commit: GroupCommit) -> None:
    good, bad = io.BytesIO(raw(1)), Gate(raw(2))
    bad.open.set()
    bad.seek = lambda *_args: 1 / 0  # type: ignore[assignment,method-assign,return-value]  # it fails

    assert group_commit.submit(mail(content=Spooled(good, len(raw(1))))).result(20).new
    assert group_commit.submit(mail(content=Spooled(bad, len(raw(2))))).exception(20) is not None
    group_commit.stop(20)
    assert good.closed
    assert bad.closed


def test_what_waits_at_the_stop_is_stored_and_nothing_after_it_is_taken(
    group_commit: GroupCommit, database: Database
) -> None:
    gate, _ = busy(group_commit)
    futures = [group_commit.submit(mail(number)) for number in range(1, 301)]
    assert not group_commit.stop(0)

    with pytest.raises(StoppedError):
        group_commit.submit(mail(301))
    gate.open.set()

    assert group_commit.stop(20)
    assert all(future.result(0).new for future in futures)
    assert rows(database) == 301
    assert not group_commit.healthy()


def test_only_so_many_mails_may_wait(group_commit: GroupCommit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit_room, "WAITING_MAILS", 2)
    gate, _ = busy(group_commit)
    waiting = [group_commit.submit(mail(number)) for number in (1, 2)]

    with pytest.raises(QueueFullError):
        group_commit.submit(mail(3))
    gate.open.set()

    assert all(future.result(20).new for future in waiting)


def test_a_mail_that_nobody_waits_for_any_more_is_dropped(group_commit: GroupCommit, database: Database) -> None:
    gate, _ = busy(group_commit)
    file = io.BytesIO(raw(1))
    dropped, kept = group_commit.submit(mail(content=Spooled(file, 90))), group_commit.submit(mail(2))

    assert dropped.cancel()
    gate.open.set()

    assert kept.result(20).new
    assert rows(database) == 2
    assert file.closed


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_while_another_process_holds_the_database_all_that_waits_is_refused_soon(
    group_commit: GroupCommit, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.05)
    monkeypatch.setattr(group_commit_room, "ONE_BY_ONE_S", 0)
    tries: list[int] = []
    plain = group_commit._try
    monkeypatch.setattr(group_commit, "_try", lambda group: (tries.append(len(group)), plain(group))[1])
    path: Path = database.path
    lock = FileLock(path.with_name(path.name + ".write-lock"))
    assert lock.try_acquire()

    futures = [group_commit.submit(mail(number)) for number in range(100)]

    assert all(isinstance(future.exception(10), OperationalError) for future in futures)
    assert sum(tries) == 100  # each in one group, none by itself
    lock.close()
    assert group_commit.submit(mail(7)).result(20).new


def test_many_threads_store_each_mail_exactly_once(group_commit: GroupCommit, database: Database) -> None:
    answers: list[list[Stored]] = [[] for _ in range(8)]

    def send(mine: list[Stored]) -> None:
        mine += [group_commit.submit(mail(number)).result(20) for number in range(40)]

    threads = [threading.Thread(target=send, args=[mine]) for mine in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert rows(database) == 40
    assert sum(stored.new for mine in answers for stored in mine) == 40
