"""What is due leaves once, in order, and is never forgotten, whatever the smarthost and the database do."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from maild.config import parse as parse_settings
from maild.message.address import Address
from maild.message.compose import Draft, compose
from maild.message.tokens import read_bounce_address
from maild.rules.tickets import Status, Tell
from maild.services.sender import Sender, relay, sending
from maild.store.engine import Database
from maild.store.models import (
    AddressRow,
    DeliveryRow,
    DeliveryState,
    Direction,
    MailRow,
    MailState,
    PersonRow,
    RawRow,
    TicketRow,
)
from maild.works import assemble
from tests.clock import FakeClock
from tests.parts import free_port
from tests.wire.sink import DROP, Sink, sink

ADA = "ada@customer.example"
BOB = "bob@customer.example"
DESK = "support@acme.example"


class Queue:
    """Deliveries of a small desk, and the sender that serves them."""

    def __init__(self, database: Database, clock: FakeClock, port: int) -> None:
        self.database = database
        self.clock = clock
        self.works = assemble(
            parse_settings(f"""
                [smtp]
                listen = "127.0.0.1:0"
                [relay]
                host = "127.0.0.1"
                port = {port}
                [[department]]
                name = "support"
                address = "{DESK}"
                [[agent]]
                address = "anna@acme.example"
                name = "Anna"
                """),
            database,
            clock,
        )
        self.sender = self.works.sender
        self.again()
        self._addresses: dict[str, int] = {}
        self._number = 0
        self.ticket = self.opened()

    def again(self) -> Sender:
        """A sender as after a restart."""
        works = self.works
        self.sender.close()
        self.sender = Sender(self.database, works.settings, works.desk, works.keys, self.clock, jitter=lambda: 0.5)
        return self.sender

    def opened(self) -> int:
        """Return a new ticket of Ada's that was answered."""
        now = self.clock()
        with self.database.write() as connection:
            address_id = self._address(connection, ADA)
            values = {
                "subject": "x", "department": "support", "requester_id": address_id, "created_at": now,
                "status": Status.ANSWERED, "since": now, "answered_at": now, "undelivered": False, "priority": "normal",
                "attempts": 0,
            }  # fmt: skip
            return connection.scalars(insert(TicketRow).returning(TicketRow.id), [values]).one()

    def _address(self, connection, address: str) -> int:
        if address not in self._addresses:
            person_id = connection.scalars(
                insert(PersonRow).returning(PersonRow.id), [{"name": "", "created_at": self.clock()}]
            ).one()
            values = {"person_id": person_id, "normal": address, "address": address}
            self._addresses[address] = connection.scalars(insert(AddressRow).returning(AddressRow.id), [values]).one()
        return self._addresses[address]

    def post(self, *recipients: str, tell: Tell = Tell.ANSWER, ticket: int | None = None, text: str = "") -> list[int]:
        """Post a mail of the ticket, and return its deliveries."""
        self._number += 1
        now = self.clock()
        people = tuple(Address("", each) for each in recipients if each != "none")
        message_id = f"m{self._number}.n.k@acme.example"
        raw = compose(
            Draft(
                from_=Address("", DESK), to=people or (Address("", ADA),), subject=f"mail {self._number}",
                text=text or f"text {self._number}", message_id=message_id, date=now,
            )
        )  # fmt: skip
        with self.database.write() as connection:
            mail = {
                "direction": Direction.OUT, "state": MailState.OUT, "fingerprint": self._number.to_bytes(32, "big"),
                "stored_at": now, "source": "anna@acme.example", "recipients": list(recipients), "size_bytes": len(raw),
                "ticket_id": ticket or self.ticket, "purpose": tell.value, "message_id": message_id, "attempts": 0,
                "text": f"text {self._number}",
            }  # fmt: skip
            mail_id = connection.scalars(insert(MailRow).returning(MailRow.id), [mail]).one()
            halves = (raw[: len(raw) // 2], raw[len(raw) // 2 :])
            connection.execute(
                insert(RawRow),
                [{"mail_id": mail_id, "number": number, "content": part} for number, part in enumerate(halves)],
            )
            rows = [
                {
                    "mail_id": mail_id, "ticket_id": ticket or self.ticket, "recipient": each,
                    "address_id": self._address(connection, each),
                    "reply_to": f"support+for-{each.partition('@')[0]}@acme.example",
                    "automatic": tell is not Tell.ANSWER, "state": DeliveryState.QUEUED, "created_at": now,
                    "due_at": now, "attempts": 0,
                }
                for each in recipients
            ]  # fmt: skip
            return list(
                connection.scalars(insert(DeliveryRow).returning(DeliveryRow.id, sort_by_parameter_order=True), rows)
            )

    def work(self) -> float:
        """Step until nothing is due; return how long it would sleep."""
        while not (idle_s := self.sender.step()):
            pass
        return idle_s

    def row(self, delivery: int):
        with self.database.read() as connection:
            return connection.execute(select(DeliveryRow.__table__).where(DeliveryRow.id == delivery)).one()

    def rows(self):
        with self.database.read() as connection:
            return connection.execute(select(DeliveryRow.__table__).order_by(DeliveryRow.id)).all()

    def change(self, delivery: int, **values: object) -> None:
        with self.database.write() as connection:
            connection.execute(update(DeliveryRow).where(DeliveryRow.id == delivery).values(**values))


@pytest.fixture
def smarthost() -> Iterator[Sink]:
    with sink() as running:
        yield running


@pytest.fixture
def queue(database: Database, clock: FakeClock, smarthost: Sink) -> Iterator[Queue]:
    made = Queue(database, clock, smarthost.port)
    yield made
    made.sender.close()


def subjects(smarthost: Sink) -> list[str]:
    return [mail.raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for mail in smarthost.mails]


# --- what gets through


def test_what_is_due_is_sent_once_to_each_with_his_own_reply_address(queue: Queue, smarthost: Sink) -> None:
    deliveries = queue.post(ADA, BOB)

    queue.work()
    queue.work()

    assert [mail.recipients for mail in smarthost.mails] == [(ADA,), (BOB,)]
    first, second = (mail.raw.partition(b"\r\n") for mail in smarthost.mails)
    assert first[0] == b"Reply-To: support+for-ada@acme.example"
    assert second[0] == b"Reply-To: support+for-bob@acme.example"
    assert first[2] == second[2]
    assert first[2].startswith(b"From: support@acme.example\r\n")
    assert first[2].endswith(b"\r\n\r\ntext 1\r\n")
    for row in map(queue.row, deliveries):
        assert (row.state, row.due_at, row.ended_at, row.attempts) == (DeliveryState.SENT, None, queue.clock(), 1)
        assert row.reply.startswith("250 2.0.0 kept")


def test_a_bounce_of_a_persons_mail_comes_back_to_its_delivery(queue: Queue, smarthost: Sink) -> None:
    [answer] = queue.post(ADA)
    [told] = queue.post("anna@acme.example", tell=Tell.NOTIFICATION)
    queue.post(ADA, tell=Tell.REMINDER)

    queue.work()

    senders = {mail.recipients[0] + str(n): mail.sender for n, mail in enumerate(smarthost.mails)}
    ours = queue.works.settings.ours
    assert [read_bounce_address(queue.works.keys, each, ours) for each in senders.values() if each] == [answer, told]
    assert list(senders.values())[2] == ""  # RFC 3834 3.3: automatic mail that nobody must answer


def test_what_is_not_due_waits(queue: Queue, smarthost: Sink) -> None:
    [delivery] = queue.post(ADA)
    queue.change(delivery, due_at=queue.clock() + timedelta(seconds=30))

    assert queue.work() == 30.0
    assert smarthost.mails == []
    queue.clock.advance(seconds=30)
    queue.work()
    assert len(smarthost.mails) == 1


def test_an_empty_queue_is_looked_at_seldom(queue: Queue) -> None:
    assert queue.work() == sending.LONGEST_SLEEP_S


def test_large_and_small_mails_leave_with_their_own_bytes(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SMALL_BYTES", 2000)
    texts = [f"{n} " * (10 if n % 2 else 1000) for n in range(6)]
    for text in texts:
        queue.post(ADA, BOB, text=text)

    queue.work()

    got = [mail.raw.partition(b"\r\n\r\n")[2] for mail in smarthost.to(ADA)]
    assert [each.split()[0] for each in got] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert len(smarthost.to(BOB)) == 6


def test_more_than_a_batch_leaves_over_one_connection(queue: Queue, smarthost: Sink) -> None:
    for _ in range(sending.BATCH + 5):
        queue.post(ADA)

    queue.work()

    assert subjects(smarthost) == [f"mail {n}" for n in range(1, sending.BATCH + 6)]
    assert smarthost.connections == 1


# --- what does not


def test_a_refusal_for_now_is_tried_again_by_the_schedule(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "451 4.7.1 greylisted", times=4)
    [delivery] = queue.post(ADA)
    begun = queue.clock()
    tries: list[timedelta] = []

    while queue.row(delivery).state is DeliveryState.QUEUED:
        queue.clock.set(queue.row(delivery).due_at)
        tries.append(queue.clock() - begun)
        queue.work()

    assert tries == [timedelta(minutes=n) for n in (0, 1, 6, 21, 81)]
    assert queue.row(delivery).attempts == 5
    assert len(smarthost.mails) == 1


def test_a_refusal_for_good_is_told_to_the_author_and_opens_the_ticket(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "550 5.1.1 no such user", about="ada@")
    [delivery] = queue.post(ADA)

    queue.work()

    row = queue.row(delivery)
    assert (row.state, row.due_at, row.reply) == (DeliveryState.FAILED, None, "550 5.1.1 no such user")
    with queue.database.read() as connection:
        assert connection.scalar(select(TicketRow.status)) is Status.OPEN
    [told] = smarthost.to("anna@acme.example")
    assert b"550 5.1.1 no such user" in told.raw
    assert b"text 1" in told.raw


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # 120 tries
def test_after_five_days_it_is_given_up(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "451 4.2.2 full", about="ada@")
    [delivery] = queue.post(ADA)
    begun = queue.clock()

    while queue.row(delivery).state is DeliveryState.QUEUED:
        queue.clock.set(queue.row(delivery).due_at)
        queue.work()

    assert timedelta(days=4, hours=23) < queue.clock() - begun <= timedelta(days=5, hours=1)
    assert queue.row(delivery).state is DeliveryState.FAILED
    assert "451 4.2.2 full" in queue.row(delivery).reply
    assert len(smarthost.to("anna@acme.example")) == 1


def test_a_queue_that_nobody_served_for_a_week_is_not_given_up_at_once(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "451 4.2.2 full", times=3)
    [delivery] = queue.post(ADA)
    queue.clock.advance(days=7)

    for _ in range(4):
        queue.clock.set(max(queue.clock(), queue.row(delivery).due_at))
        queue.work()

    assert queue.row(delivery).state is DeliveryState.SENT


def test_what_may_have_been_taken_is_sent_again_with_the_same_id(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("DOT", DROP, times=1)
    queue.post(ADA)

    queue.work()
    queue.clock.advance(minutes=2)
    queue.work()

    first, second = smarthost.mails
    assert first.raw == second.raw


def test_an_address_that_is_none_fails_and_costs_nobody_else(queue: Queue, smarthost: Sink) -> None:
    [broken, fine] = queue.post("none", BOB)

    queue.work()

    assert queue.row(broken).state is DeliveryState.FAILED
    assert queue.row(fine).state is DeliveryState.SENT


# --- order


def test_a_conversation_arrives_in_order_even_if_its_first_mail_is_late(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "451 4.7.1 greylisted", about="ada@", times=1)
    first, second = queue.post(ADA)[0], queue.post(ADA)[0]
    other = queue.post(ADA, ticket=queue.opened())[0]

    queue.work()
    assert subjects(smarthost) == ["mail 3"]
    assert queue.row(second).attempts == 0
    third = queue.post(ADA)[0]  # while the first one waits
    queue.work()
    assert queue.row(third).attempts == 0
    queue.clock.advance(minutes=2)
    queue.work()

    assert subjects(smarthost) == ["mail 3", "mail 1", "mail 2", "mail 4"]
    assert {queue.row(each).state for each in (first, second, third, other)} == {DeliveryState.SENT}


def test_what_waited_for_another_mail_goes_as_soon_as_that_is_out(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "451 4.7.1 greylisted", about="ada@", times=1)
    [first], _, _ = queue.post(ADA), queue.post(ADA), queue.post(ADA)
    queue.work()

    queue.change(first, due_at=queue.clock())
    queue.work()

    assert subjects(smarthost) == ["mail 1", "mail 2", "mail 3"]


def test_what_was_tried_before_keeps_its_time_when_an_older_mail_gets_out(queue: Queue, smarthost: Sink) -> None:
    [first], [second] = queue.post(ADA), queue.post(ADA)
    later = queue.clock() + timedelta(hours=1)
    queue.change(second, due_at=later, attempts=4)

    queue.work()

    assert queue.row(first).state is DeliveryState.SENT
    assert (queue.row(second).due_at, queue.row(second).attempts) == (later, 4)


def test_what_waited_for_a_failed_mail_goes_at_once(queue: Queue, smarthost: Sink) -> None:
    smarthost.on("RCPT", "451 4.7.1 greylisted", about="ada@", times=1)
    smarthost.on("RCPT", "550 5.7.1 no", about="ada@", times=1)
    queue.post(ADA)
    [second] = queue.post(ADA)

    queue.work()
    queue.clock.advance(minutes=2)
    queue.work()

    assert queue.row(second).state is DeliveryState.SENT


# --- a relay that is away


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


# --- crashes, other workers, other hands


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
