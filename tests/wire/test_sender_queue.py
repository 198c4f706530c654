"""What is due leaves once, in order, and is never forgotten, whatever the smarthost and the database do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from maild.message.tokens import read_bounce_address
from maild.rules.state import Status, Tell
from maild.services.sender import sending
from maild.store.engine import Database
from maild.store.models import DeliveryState, TicketRow
from tests.wire.outgoing import ADA, BOB, Queue, subjects
from tests.wire.sink import DROP, Sink


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


def test_nothing_leaves_that_a_power_cut_could_still_take_back(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.post(ADA)
    commits: list[tuple[bool, int]] = []  # whether it is synced, and how much had left by then
    write = Database.write

    @contextmanager
    def watched(database: Database, *, urgent: bool = False, synced: bool = True) -> Iterator[Connection]:
        with write(database, urgent=urgent, synced=synced) as connection:
            yield connection
        commits.append((synced, len(smarthost.mails)))

    monkeypatch.setattr(Database, "write", watched)
    queue.work()

    assert len(smarthost.mails) == 1
    assert (True, 0) in commits


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


def test_where_one_thread_is_as_quick_as_several_the_others_stand_aside(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "QUICK_S", 60.0)
    monkeypatch.setattr(sending, "PAUSE_S", 60.0)
    queue.post(ADA)
    queue.sender.step()
    queue.post(ADA)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(queue.sender.step).result() == sending.STAND_ASIDE_S
        assert subjects(smarthost) == ["mail 1"]

        monkeypatch.setattr(sending, "PAUSE_S", 0.0)  # the quick one is held up
        assert other.submit(queue.sender.step).result() == 0
        assert subjects(smarthost) == ["mail 1", "mail 2"]


def test_against_a_relay_that_lets_them_wait_all_threads_send(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "QUICK_S", 0.0)
    queue.post(ADA)
    queue.sender.step()
    queue.post(ADA)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(queue.sender.step).result() == 0

    assert subjects(smarthost) == ["mail 1", "mail 2"]


def test_who_finds_nothing_to_send_lets_the_others_look(
    queue: Queue, smarthost: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "QUICK_S", 60.0)
    monkeypatch.setattr(sending, "PAUSE_S", 60.0)
    queue.post(ADA)
    queue.sender.step()
    queue.sender.step()
    queue.post(ADA)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(queue.sender.step).result() == 0

    assert subjects(smarthost) == ["mail 1", "mail 2"]
