"""What many mails need is made before the transaction that writes them; what comes otherwise is made within it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from maild.desk import Happening
from maild.outbox import made
from maild.rules.events import Retitle
from maild.services.filer import writing
from maild.store import agents, tickets
from maild.store.engine import Database
from maild.store.models import DeliveryRow, MailRow
from maild.templates import Templates
from tests.clock import FakeClock
from tests.database.test_filer import states
from tests.stories.driver import ADA, ANNA, BERT, Desk


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock)


def store(desk: Desk, count: int, **more) -> None:
    for number in range(count):
        desk.mail(f"Customer {number} <c{number}@customer.example>", f"Request {number}", work=False, **more)


def told(desk: Desk) -> list[tuple[int | None, str | None, str, str | None]]:
    """Return all that was posted: the ticket, what for, to whom, and its subject."""
    with desk.database.read() as connection:
        rows = connection.execute(
            select(DeliveryRow.ticket_id, MailRow.purpose, DeliveryRow.recipient, MailRow.subject)
            .join(MailRow, MailRow.id == DeliveryRow.mail_id)
            .order_by(DeliveryRow.id)
        )
        return [tuple(row) for row in rows]


@contextmanager
def watched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Note of each letter that is rendered whether a transaction was open that writes."""
    writing_now: list[bool] = []
    seen: list[bool] = []
    write, render = desk.database.write, Templates.render

    @contextmanager
    def noted(**how: bool):
        with write(**how) as connection:
            writing_now.append(True)
            try:
                yield connection
            finally:
                writing_now.pop()

    def rendered(self, mail, language):
        seen.append(bool(writing_now))
        return render(self, mail, language)

    with monkeypatch.context() as patch:
        patch.setattr(desk.database, "write", noted)
        patch.setattr(Templates, "render", rendered)
        yield seen


def test_letters_of_many_new_tickets_are_made_before_the_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.mail(ADA, "The first mail, by which the agents become known")
    store(desk, 6)

    with watched(desk, monkeypatch) as within:
        desk.works.filer.step()

    assert within
    assert not any(within)
    assert desk.tickets() == [1, 2, 3, 4, 5, 6, 7]
    assert {(ticket, to) for ticket, _, to, _ in told(desk)} >= {(7, ANNA), (7, BERT), (7, "c5@customer.example")}


def test_what_is_prepared_is_what_would_have_been_written(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.mail(ADA, "The first mail, by which the agents become known")

    def written() -> list[object]:
        begin, first = len(told(desk)), len(desk.tickets())
        store(desk, 5, cc="Colleague <colleague@customer.example>")
        desk.works.filer.step()
        posted = [
            ((ticket or 0) - first, purpose, to, (subject or "").replace(f"[#{ticket}]", "[#]"))
            for ticket, purpose, to, subject in told(desk)[begin:]
        ]
        changed = [
            [(field, new) for field, _, new, _ in desk.history(number) if field not in ("since", "waiting_since")]
            for number in desk.tickets()[first:]
        ]
        return [posted, changed]

    prepared = written()
    clock.advance(days=7)
    monkeypatch.setattr(made.Letters, "take", lambda *_: None)

    assert written() == prepared


def test_what_comes_otherwise_is_made_within_the_transaction(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.mail(ADA, "The first mail, by which the agents become known")
    before = len(told(desk))
    store(desk, 5)
    prepare = writing.Writer.prepare

    def prepare_and_leave(self, database, filings, now):
        foresight = prepare(self, database, filings, now)
        with database.write() as connection:
            agents.leave(connection, ANNA, now + timedelta(days=1))
        return foresight

    monkeypatch.setattr(writing.Writer, "prepare", prepare_and_leave)
    desk.works.filer.step()

    notified = [to for _, purpose, to, _ in told(desk)[before:] if purpose == "notification"]
    assert notified == [BERT] * 5


def conversations(desk: Desk) -> None:
    """Let six customers open tickets, and everybody read his mail."""
    store(desk, 6)
    desk.work()


def write_again(desk: Desk) -> None:
    for number in range(6):
        name = f"c{number}@customer.example"
        [acknowledged] = desk.mails_to(name)
        desk.mail(f"Customer {number} <{name}>", "Re: my request", "And it smokes.", answers=acknowledged, work=False)


def test_letters_that_follow_from_answers_are_made_before_the_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversations(desk)
    desk.mails_to(ANNA)
    write_again(desk)

    with watched(desk, monkeypatch) as within:
        desk.works.filer.step()
    desk.work()

    news = desk.mails_to(ANNA)
    assert (len(within), any(within)) == (6, False)
    assert all("And it smokes." in each.text for each in news)

    for each in news:
        desk.mail(ANNA, "Re: my request", "Pull the plug.", answers=each, work=False)
    with watched(desk, monkeypatch) as within:
        desk.works.filer.step()
    desk.work()

    assert (len(within), any(within)) == (6, False)
    assert all("Pull the plug." in desk.mails_to(f"c{number}@customer.example")[0].text for number in range(6))


def test_what_happens_to_a_ticket_meanwhile_is_in_the_letters(
    desk: Desk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversations(desk)
    write_again(desk)
    desk.mails_to(ANNA)
    prepare = writing.Writer.prepare

    def prepare_and_rename(self, database, filings, now):
        foresight = prepare(self, database, filings, now)
        with database.write() as connection:
            desk.works.desk.handle(connection, [Happening(2, Retitle(clock(), "Smoke"), "operator")], clock())
        return foresight

    monkeypatch.setattr(writing.Writer, "prepare", prepare_and_rename)
    with watched(desk, monkeypatch) as within:
        desk.works.filer.step()
    desk.work()

    assert within.count(True) == 1
    assert [each.subject for each in desk.mails_to(ANNA) if each.subject.startswith("[#2]")] == ["[#2] Smoke"]


def test_what_is_said_on_a_ticket_meanwhile_is_in_the_letters(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    conversations(desk)
    write_again(desk)
    desk.mails_to(ANNA)
    prepare = writing.Writer.prepare

    def prepare_and_say(self, database, filings, now):
        foresight = prepare(self, database, filings, now)
        with database.write() as connection:
            connection.execute(update(MailRow).where(MailRow.id == 3).values(text="What was said just now."))
        return foresight

    monkeypatch.setattr(writing.Writer, "prepare", prepare_and_say)
    with watched(desk, monkeypatch) as within:
        desk.works.filer.step()
    desk.work()

    assert within.count(True) == 1
    assert sum("What was said just now." in each.text for each in desk.mails_to(ANNA)) == 1


def test_a_letter_that_cannot_be_made_costs_only_its_own_mail(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.mail(ADA, "The first mail, by which the agents become known")
    store(desk, 5)
    render = Templates.render

    def broken(self, mail, language):
        if mail.subject == "Request 3":
            raise RuntimeError("a template")
        return render(self, mail, language)

    monkeypatch.setattr(Templates, "render", broken)
    desk.works.filer.step()

    assert states(desk) == {"filed": 5, "stored": 1}


def test_a_number_is_given_once(database: Database, desk: Desk) -> None:
    with database.write() as connection:
        first = tickets.reserve(connection, 3)
    with database.write() as connection:
        second = tickets.reserve(connection, 2)
    desk.mail(ADA, "Printer on fire")

    assert (first, second, desk.tickets()) == ([1, 2, 3], [4, 5], [6])


def test_no_more_letters_are_made_beforehand_than_memory_is_meant_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.mail(ADA, "The first mail, by which the agents become known")
    monkeypatch.setattr(made, "MOST_BYTES", 1)
    store(desk, 5)

    with watched(desk, monkeypatch) as within:
        desk.works.filer.step()

    assert within.count(False) == 1
    assert states(desk) == {"filed": 6}
