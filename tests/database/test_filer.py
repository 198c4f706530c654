"""Mails become mails on tickets, in groups; one that fails costs only itself."""

import random
import socket
from base64 import encodebytes
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from maild import inbox
from maild.logs import Facts
from maild.outbox import sharing
from maild.services import filer as filing
from maild.services.filer import examining
from maild.services.loop import Bell
from maild.store import queues
from maild.store.engine import Database, DatabaseBusyError
from maild.store.models import MailRow, MailState, RawRow, TicketRow
from maild.workers.channel import Channel
from maild.workers.child import FIRST
from maild.workers.worker import Worker
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, SUPPORT, Desk


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock)


def states(desk: Desk) -> dict[str, int]:
    with desk.database.read() as connection:
        rows = connection.execute(
            select(MailRow.state, func.count()).where(MailRow.direction == "in").group_by(MailRow.state)
        )
        return {state.value: count for state, count in rows}


def poison(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Let writing fail for every group that holds a mail with `word` in its subject."""
    written = filing.Writer.write

    def write(self, connection, filings, now, foresight=None):
        if any(word in each.reading.message.subject for each in filings):
            raise RuntimeError("poison")
        written(self, connection, filings, now, foresight)

    monkeypatch.setattr(filing.Writer, "write", write)


def test_a_group_becomes_tickets_in_one_go(desk: Desk) -> None:
    for number in range(20):
        desk.mail(f"c{number}@customer.example", f"Request {number}", work=False)

    desk.works.filer.step()

    assert states(desk) == {"filed": 20}
    assert len(desk.tickets()) == 20


def test_a_rehearsal_leaves_nothing_behind(desk: Desk) -> None:
    desk.works.filer.rehearse()
    desk.mail(ADA, "Printer on fire")

    assert states(desk) == {"filed": 1}
    assert len(desk.tickets()) == 1
    assert [mail.subject for mail in desk.mails_to(ADA)] == ["We have received your message"]


def test_who_goes_on_from_what_is_filed_is_called_when_a_crowd_is_over(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "GROUP", 3)
    rung: list[Bell] = []

    def ring(bell: Bell) -> None:
        rung.append(bell)

    monkeypatch.setattr(Bell, "ring", ring)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = Worker(FIRST, desk.works, Channel(ours), Facts(), clock)
        for number in range(6):
            desk.mail(f"c{number}@customer.example", f"Request {number}", work=False)
        rung.clear()

        called = []
        for _ in range(4):
            worker._file()
            called.append(len(rung))

    assert states(desk) == {"filed": 6}
    assert called == [0, 0, 2, 2]  # not while more waits, but when it turns out that nothing does


def test_a_mail_whose_bytes_are_gone_is_no_empty_ticket(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", work=False)
    gone = desk.mail(BEN, "Door locked", work=False)
    with desk.database.write() as connection:
        connection.execute(delete(RawRow).where(RawRow.mail_id == gone))

    desk.works.filer.step()

    assert states(desk) == {"filed": 1, "stored": 1}
    assert len(desk.tickets()) == 1


def test_a_large_file_is_listed_and_stays_in_the_store_and_a_smaller_one_is_passed_on(desk: Desk) -> None:
    large, small = (random.Random(size).randbytes(size) for size in (sharing.FILES_BYTES + 57, 2 << 20))
    parts = "".join(
        f"--b\r\nContent-Type: application/pdf; name={name}.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encodebytes(content).decode().replace("\n", "\r\n")
        for name, content in (("large", large), ("small", small))
    )
    desk.mail(
        ADA,
        "Plans",
        f"--b\r\n\r\nSee both.\r\n{parts}--b--\r\n",
        headers="Content-Type: multipart/mixed; boundary=b",
    )

    [received] = desk.mails_to(ANNA)
    assert f"large.pdf ({round(len(large) / 1e6)}" in received.text
    assert [(each.name, each.content()) for each in received.message.attachments] == [("small.pdf", small)]


def test_a_poisoned_mail_costs_only_itself_and_is_set_aside_after_three_attempts(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, "POISON")
    for number in range(5):
        desk.mail(f"c{number}@customer.example", f"Request {number}", work=False)
    bad = desk.mail(BEN, "POISON", work=False)

    desk.work()
    assert states(desk) == {"filed": 5, "stored": 1}

    for _ in range(3):
        clock.advance(minutes=11)
        desk.work()
    row = desk.filed(bad)
    assert row.state is MailState.FAILED
    assert row.due_at is None
    assert "3 times" in row.reason
    assert f"maild mail retry {bad}" in row.reason


def test_trouble_of_the_database_sets_no_mail_aside(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, full = filing.Writer.write, [True]

    def write(self, connection, filings, now, foresight=None):
        if full:
            raise DatabaseBusyError("INSERT", None, Exception("database or disk is full"))
        written(self, connection, filings, now, foresight)

    monkeypatch.setattr(filing.Writer, "write", write)
    mails = [desk.mail(f"c{number}@customer.example", f"Request {number}", work=False) for number in range(3)]
    for _ in range(60):
        desk.work()
        clock.advance(minutes=2)
    assert states(desk) == {"stored": 3}

    full.clear()
    desk.work()
    assert states(desk) == {"filed": 3}
    assert [desk.filed(each).attempts for each in mails] == [1, 1, 1]


def test_a_mail_set_aside_is_filed_when_an_operator_has_it_tried_again(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        poison(patch, "POISON")
        bad = desk.mail(BEN, "POISON", work=False)
        for _ in range(4):
            desk.work()
            clock.advance(minutes=11)
    assert desk.filed(bad).state is MailState.FAILED

    with desk.database.write() as connection:
        connection.execute(
            update(MailRow).where(MailRow.id == bad).values(state=MailState.STORED, due_at=clock(), attempts=0)
        )
    desk.work()

    assert desk.filed(bad).state is MailState.FILED


def test_a_mail_that_cannot_be_read_becomes_a_ticket_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    read = examining.reading.read

    def broken(raw: bytes, *rest: object):
        if b"UNREADABLE" in raw:
            raise RuntimeError("no parser is perfect")
        return read(raw, *rest)

    monkeypatch.setattr(examining.reading, "read", broken)

    mail = desk.mail(ADA, "UNREADABLE")

    assert desk.filed(mail).state is MailState.FILED
    assert desk.ticket(1).subject == "Unreadable mail"
    with desk.database.read() as connection:
        assert b"UNREADABLE" in inbox.raw_of(connection, mail)


def test_an_answer_to_a_mail_of_the_same_group_is_on_its_ticket(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", work=False)
    desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-1@client.example>", work=False)
    desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-2@client.example>", work=False)

    desk.work()

    assert desk.tickets() == [1]
    assert states(desk) == {"filed": 3}


def test_an_answer_waits_for_the_mail_that_another_worker_has(desk: Desk, clock: FakeClock) -> None:
    desk.mail(ADA, "Printer on fire", work=False)
    queues.claim(desk.database, MailRow, clock(), filing.LEASE, 10)  # a worker that is about to be killed
    answer = desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-1@client.example>", work=False)

    desk.work()
    assert desk.tickets() == []
    assert desk.filed(answer).state is MailState.STORED

    clock.advance(filing.LEASE + timedelta(seconds=2))
    desk.work()
    assert desk.tickets() == [1]
    assert states(desk) == {"filed": 2}


def test_an_answer_waits_where_others_have_more_mails_than_can_be_looked_through(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "MOST_UNFILED", 2)
    desk.mail(ADA, "Printer on fire", work=False)
    for number in range(3):
        desk.mail(f"c{number}@customer.example", f"Request {number}", work=False)
    queues.claim(desk.database, MailRow, clock(), filing.LEASE, 10)
    answer = desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-1@client.example>", work=False)

    desk.work()
    assert desk.filed(answer).state is MailState.STORED

    clock.advance(filing.LEASE + timedelta(seconds=2))
    desk.work()
    assert desk.tickets() == [1, 2, 3, 4]


def test_an_answer_waits_for_what_cannot_be_looked_through_no_longer_than_minutes(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "MOST_UNFILED", 2)
    for number in range(3):
        desk.mail(f"c{number}@customer.example", f"Request {number}", work=False)
    with desk.database.write() as connection:  # as after an operator's change that has all of them tried again
        connection.execute(update(MailRow).values(due_at=clock() + timedelta(hours=1)))
    answer = desk.mail(ADA, "Re: Something else", headers="In-Reply-To: <elsewhere@client.example>", work=False)

    clock.advance(filing.AWAITED + timedelta(seconds=2))
    desk.work()
    assert desk.filed(answer).state is MailState.FILED


def test_a_worker_asleep_beyond_its_lease_files_nothing(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.mail(ADA, "Printer on fire", work=False)
    examine = filing.Filer.examine

    def sleep_and_examine(self, *arguments):
        clock.advance(filing.LEASE + timedelta(seconds=1))
        with monkeypatch.context() as patch:
            patch.setattr(filing.Filer, "examine", examine)
            self.step()  # another worker, meanwhile
        return examine(self, *arguments)

    monkeypatch.setattr(filing.Filer, "examine", sleep_and_examine)
    desk.works.filer.step()

    assert desk.tickets() == [1]


def test_what_is_left_of_a_claim_is_given_back_before_the_lease_is_over(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "GROUP_BYTES", 1)  # so that each mail is filed by itself
    mails = [desk.mail(f"c{number}@customer.example", f"Request {number}", work=False) for number in range(5)]
    examine = filing.Filer.examine

    def slowly(self, *arguments):
        clock.advance(filing.FILED_WITHIN * 2 / 3)
        return examine(self, *arguments)

    monkeypatch.setattr(filing.Filer, "examine", slowly)
    filed = []
    for _ in range(3):
        desk.works.filer.step()
        filed.append([mail_id for mail_id in mails if desk.filed(mail_id).state is MailState.FILED])

    assert filed == [mails[:2], mails[:4], mails]
    assert {desk.filed(mail_id).attempts for mail_id in mails} == {1}


def test_the_same_mail_to_two_departments_is_one_ticket(desk: Desk, clock: FakeClock) -> None:
    raw = b"From: ada@customer.example\r\nSubject: Hello\r\nMessage-ID: <one@client.example>\r\n\r\nHello\r\n"

    first = desk.deliver(raw, ADA, SUPPORT, "sales@acme.example")
    second = desk.deliver(raw, ADA, "sales@acme.example")

    assert first == second
    assert desk.tickets() == [1]


def test_two_mails_with_one_message_id_are_two(desk: Desk) -> None:
    head = b"From: ada@customer.example\r\nSubject: Hello\r\nMessage-ID: <one@client.example>\r\n\r\n"

    desk.deliver(head + b"one\r\n", ADA, SUPPORT)
    desk.deliver(head + b"two\r\n", ADA, SUPPORT)

    assert states(desk) == {"filed": 2}


def test_who_repeats_a_known_message_id_draws_no_answers(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    desk.deliver(
        b"From: mallory@evil.example\r\nSubject: Mine\r\nMessage-ID: <mail-1@client.example>\r\n\r\nx\r\n",
        "mallory@evil.example",
        SUPPORT,
    )

    answer = desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-1@client.example>")

    assert desk.filed(answer).ticket_id == 1


def test_a_group_larger_than_its_bytes_is_cut(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing, "GROUP_BYTES", 10_000)
    sizes = []
    file = filing.Filer._file
    monkeypatch.setattr(filing.Filer, "_file", lambda self, claim: (sizes.append(len(claim.ids)), file(self, claim)))
    for number in range(6):
        desk.mail(f"c{number}@customer.example", "Big", "x" * 70 + "\r\n" + "y" * 4000 + "\r\n", work=False)

    desk.works.filer.step()

    assert sizes == [2, 2, 2]
    assert states(desk) == {"filed": 6}


def test_the_database_agrees_with_what_was_told(desk: Desk) -> None:
    mail = desk.mail(ADA, "Printer on fire", proven=True)

    row = desk.filed(mail)
    assert row.evidence["trust"] == "pass"
    assert row.evidence["action"] == "open"
    assert row.text == "It does not work."
    assert row.reason == "a new request"
    with desk.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(TicketRow)) == 1


def test_an_answer_waits_for_the_older_mail_that_another_node_is_about_to_claim(desk: Desk, clock: FakeClock) -> None:
    first = desk.mail(ADA, "Printer on fire", work=False)
    with desk.database.write() as connection:  # to this node it looks as if nobody had it yet
        connection.execute(update(MailRow).where(MailRow.id == first).values(due_at=clock() + timedelta(seconds=10)))
    desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-1@client.example>", work=False)

    assert desk.works.filer.step() == 0.0
    assert 0 < desk.works.filer.step() <= 1.0  # looked at again soon, not when a lease is over
    desk.wait(seconds=12)

    assert desk.tickets() == [1]
    assert states(desk) == {"filed": 2}


def test_a_mail_that_kills_the_process_is_begun_alone_and_set_aside_in_the_end(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = filing.Writer.write

    def write(self, connection, filings, now, foresight=None):
        if any("KILLER" in each.reading.message.subject for each in filings):
            raise KeyboardInterrupt  # nothing is tidied up, as by a kill
        written(self, connection, filings, now, foresight)

    monkeypatch.setattr(filing.Writer, "write", write)
    killer = desk.mail(BEN, "KILLER", work=False)
    for number in range(5):
        desk.mail(f"c{number}@customer.example", f"Request {number}", work=False)
    deaths = 0
    while desk.filed(killer).state is MailState.STORED:
        try:
            while desk.works.filer.step() == 0.0:
                pass
        except KeyboardInterrupt:
            deaths += 1
        assert deaths < 60
        clock.advance(minutes=3)  # its lease is over

    row = desk.filed(killer)
    assert row.state is MailState.FAILED
    assert f"{filing.MOST_BEGUN} times" in row.reason
    assert deaths == filing.MOST_BEGUN
    assert states(desk) == {"filed": 5, "failed": 1}


def test_a_mail_that_an_operator_takes_out_of_a_group_does_not_hold_up_the_others(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = desk.mail(ADA, "Taken out", work=False)
    desk.mail(BEN, "Printer on fire", work=False)
    read = filing.Filer.read

    def meanwhile(self, mails, now):
        with desk.database.write() as connection:
            connection.execute(update(MailRow).where(MailRow.id == taken).values(due_at=now + timedelta(hours=1)))
        return read(self, mails, now)

    monkeypatch.setattr(filing.Filer, "read", meanwhile)
    desk.works.filer.step()

    assert states(desk) == {"filed": 1, "stored": 1}
