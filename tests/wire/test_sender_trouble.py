"""What is due leaves once, whatever becomes of the relay, the database and the sender meanwhile."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from maild.services.sender import Sender, relay, sending
from maild.store.engine import Database
from maild.store.models import DeliveryState
from tests.clock import FakeClock
from tests.parts import free_port
from tests.wire.outgoing import ADA, BOB, Queue, subjects
from tests.wire.sink import Sink, sink


def test_a_relay_that_is_away_costs_one_connection_a_batch_and_all_go_when_it_is_back(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    queue = Queue(database, clock, port)
    deliveries = [queue.post(ADA, ticket=queue.opened())[0] for _ in range(5)]
    tries: list[object] = []
    real = relay.Relay.send
    monkeypatch.setattr(relay.Relay, "send", lambda *which, **how: (tries.append(1), real(*which, **how))[1])
    for number in range(6):
        queue.work()
        assert len(tries) == number + 1
        clock.set(max(row.due_at for row in queue.rows()))
    assert {row.reply.split(":")[0] for row in queue.rows()} == {"relay"}
    assert min(row.due_at for row in queue.rows()) >= clock() - timedelta(minutes=10)
    queue.work()
    waiting = [row.due_at - clock() for row in queue.rows()]
    assert min(waiting) > timedelta(minutes=50)

    [greylisted] = queue.post("carl@customer.example")
    queue.change(greylisted, due_at=clock() + timedelta(hours=1), attempts=4, reply="451 4.7.1 greylisted")
    with sink(port) as smarthost:
        [fresh] = queue.post(BOB)
        queue.work()

        assert len(smarthost.mails) == 6
        assert queue.row(greylisted).state is DeliveryState.QUEUED
        assert {queue.row(each).state for each in (*deliveries, fresh)} == {DeliveryState.SENT}
        queue.sender.close()


def test_trouble_of_the_relay_is_not_told_to_customers_or_authors(database: Database, clock: FakeClock) -> None:
    queue = Queue(database, clock, free_port())
    [delivery] = queue.post(ADA)

    queue.work()

    assert queue.row(delivery).state is DeliveryState.QUEUED
    assert len(queue.rows()) == 1


def test_what_a_crash_leaves_is_sent_when_its_lease_is_over(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.post(ADA)
    monkeypatch.setattr(Sender, "_record", lambda *_: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        queue.sender.step()
    monkeypatch.undo()
    queue.again()

    queue.work()
    assert len(smarthost.mails) == 1
    queue.clock.advance(sending.LEASE)
    queue.work()

    assert len(smarthost.mails) == 2
    assert smarthost.mails[0].raw == smarthost.mails[1].raw
    assert [row.state for row in queue.rows()] == [DeliveryState.SENT]


def test_what_was_sent_while_the_database_was_away_is_recorded_later_and_not_sent_twice(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.post(ADA)
    real = Sender._write

    def away(*_: object) -> None:
        raise OperationalError("update", None, Exception("away"))

    monkeypatch.setattr(Sender, "_write", away)
    for _ in range(3):
        with pytest.raises(OperationalError):
            queue.sender.step()
    monkeypatch.setattr(Sender, "_write", real)
    queue.work()

    assert len(smarthost.mails) == 1
    assert [row.state for row in queue.rows()] == [DeliveryState.SENT]


def test_a_delivery_that_is_cancelled_while_it_is_sent_stays_so_and_the_others_are_recorded(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = queue.post(ADA, BOB)
    real = Sender._send

    def cancelling(sender: Sender, line: object, letter: sending.Letter, raw: bytes) -> object:
        if letter.id == deliveries[0]:
            queue.change(letter.id, state=DeliveryState.CANCELLED, due_at=None)
        return real(sender, line, letter, raw)

    monkeypatch.setattr(Sender, "_send", cancelling)
    queue.work()

    assert [queue.row(each).state for each in deliveries] == [DeliveryState.CANCELLED, DeliveryState.SENT]


def test_a_failure_that_cannot_be_told_holds_up_nothing(
    queue: Queue, smarthost: Sink, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    smarthost.on("RCPT", "550 5.1.1 no such user", about="ada@")
    [failed, sent] = queue.post(ADA, BOB)

    def broken(*_: object) -> None:
        raise KeyError(1)

    with monkeypatch.context() as patched:
        patched.setattr(queue.works.desk, "delivery_failed", broken)
        queue.work()
        [later] = queue.post(BOB, ticket=queue.opened())
        queue.work()

    assert [queue.row(each).state for each in (sent, later)] == [DeliveryState.SENT] * 2
    assert queue.row(failed).state is DeliveryState.QUEUED
    assert queue.row(failed).reply == "550 5.1.1 no such user"

    clock.advance(hours=1)
    queue.work()
    assert queue.row(failed).state is DeliveryState.FAILED
    assert len(smarthost.to("anna@acme.example")) == 1


def test_many_workers_send_each_mail_once_and_each_conversation_in_order(database: Database, smarthost: Sink) -> None:
    clock = _Running()
    queue = Queue(database, clock, smarthost.port)  # type: ignore[arg-type]
    tickets = [queue.opened() for _ in range(8)]
    for number in range(96):
        queue.post(ADA, ticket=tickets[number % 8])
    faults: list[BaseException] = []

    def serve() -> None:
        try:
            while any(row.state is DeliveryState.QUEUED for row in queue.rows()):
                queue.sender.step()
                clock.tick()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    got = [int(each.split()[1]) for each in subjects(smarthost)]
    assert sorted(got) == list(range(1, 97))
    for ticket in range(8):
        assert [n for n in got if n % 8 == ticket] == sorted(n for n in got if n % 8 == ticket)
    queue.sender.close()


class _Running(FakeClock):
    """A clock that goes on a little whenever nothing was found."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def tick(self) -> None:
        with self._lock:
            self.now += timedelta(milliseconds=50)


def test_a_step_that_is_to_end_gives_back_what_it_has_not_begun(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        queue.post(ADA)
    real = Sender._send

    def stopping(sender: Sender, line: relay.Relay, letter: sending.Letter, raw: bytes) -> relay.Result:
        sender.stop()
        return real(sender, line, letter, raw)

    monkeypatch.setattr(Sender, "_send", stopping)
    queue.sender.step()

    rows = queue.rows()
    assert [row.attempts for row in rows] == [1, 0, 0]
    assert [row.due_at for row in rows] == [None, queue.clock(), queue.clock()]
    monkeypatch.undo()
    assert smarthost.commands[-1] == "QUIT"
    assert queue.sender.step() == sending.LONGEST_SLEEP_S
    queue.again()
    queue.work()
    assert subjects(smarthost) == ["mail 1", "mail 2", "mail 3"]


def test_closing_ends_the_connections_of_all_threads(queue: Queue, smarthost: Sink) -> None:
    queue.post(ADA)
    thread = threading.Thread(target=queue.work)
    thread.start()
    thread.join()

    queue.sender.close()

    assert smarthost.commands[-1] == "QUIT"
