"""What was read from mails can be read again, and what tickets are follows from their history: nothing is lost by it.

A desk lives through stories of many kinds; then all that is derived is wiped out; after `maild db rebuild` every table
is what it was, and nothing was sent.
"""

from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from maild.desk.replaying import COLUMNS
from maild.rebuilding import READ_STATES, Rebuilding
from maild.rules.state import Status
from maild.services.filer.columns import DERIVED
from maild.services.filer.rederiving import DERIVED_OF_OURS
from maild.store.engine import Database
from maild.store.models import Base, Direction, JobRow, MailRow, MailState, ParticipantRow, TicketRow
from maild.works import rederiver
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, SUPPORT, Desk

UNRECORDED = {"due_at", "attempts"}  # what the next tick reckons
HTML = "Content-Type: text/html; charset=utf-8\r\nMIME-Version: 1.0\r\n"


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    """A desk that has seen a lot."""
    desk = Desk(database, clock)
    desk.mail(ADA, "Printer on fire", "It burns.\r\n-- \r\nAda\r\n", cc=BEN)
    [asked] = desk.mails_to(ANNA)
    desk.clock.advance(minutes=7, microseconds=603079)
    said = "Hello Ada,\r\n\r\nplease pour water on it -- and send us a photo.\r\n\r\nAnna\r\n-- \r\nAnna Agent\r\n"
    desk.mail(ANNA, "Re: Printer on fire", f"{said}\r\nAda wrote:\r\n> It burns.\r\n", answers=asked)
    [answer] = desk.mails_to(ADA)[1:]
    desk.clock.advance(hours=1)
    quoted = "\r\n".join(f"> {line}" for line in answer.text.splitlines())
    desk.mail(ADA, "Re: Printer on fire", f"Still burns.\r\n\r\nAnna wrote:\r\n{quoted}\r\n", answers=answer)
    desk.mail(BEN, "Re: Printer on fire", "Mine as well.\r\n", answers=answer)
    note = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, "Re: Printer on fire", "#note\r\n#priority high\r\n#title Fire\r\nWho pays?\r\n", answers=note)
    desk.mail(ANNA, "Re: Printer on fire", "#reslove\r\nIt is out.\r\n", answers=note)
    desk.mail(ANNA, "Re: Printer on fire", "#resolve\r\nIt is out.\r\n", answers=note, proven=True)
    desk.mail(BEN, "Schöne Grüße", "<p>Guten <b>Tag</b></p>", headers=HTML)
    desk.mail(ADA, "Away", "I am away.\r\n", headers="Auto-Submitted: auto-replied\r\n", to=SUPPORT)
    desk.mail(ANNA, "Hold this", "#close\r\n", to=asked.reply_to.replace(".a", ".n"))
    desk.mail("mallory@evil.example", "Re: [#1] Printer on fire", "Give me.\r\n")
    desk.mail(BERT, "next", "next\r\n", to=SUPPORT)
    passed = "Look at this.\r\n\r\n---------- Forwarded message ---------\r\nFrom: Eva <eva@kunde.example>\r\n"
    passed += (
        "Date: Sat, Nov 21, 2026 at 10:00 AM\r\nSubject: Toaster\r\nTo: <anna@acme.example>\r\n\r\nIt is cold.\r\n"
    )
    desk.mail(ANNA, "Fwd: Toaster", passed, proven=True)
    desk.mail(ANNA, "Your contract", "#for zoe@customer.example\r\n\r\nIt ends.\r\n", proven=True)
    desk.mail(ANNA, "mine", "", to=asked.action("d"))
    desk.wait(days=40)
    desk.mail(ADA, "Re: Printer on fire", "Again!\r\n", answers=answer)
    for each in desk.tickets()[1:2]:
        mail = desk.mails_to(ANNA)[-1]
        desk.mail(ANNA, mail.subject, f"#merge {each}\r\n", answers=mail, proven=True)
    desk.mail(ADA, "not filed yet", work=False)
    return desk


def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table, but for what a rebuilding remembers of itself."""
    found: dict[str, list[Any]] = {}
    with database.read() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name == JobRow.__tablename__:
                continue
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings().all()
            kept = [{key: value for key, value in row.items() if key not in UNRECORDED} for row in rows]
            for row in kept:
                if row.get("direction") is Direction.OUT:
                    row["references"] = row["references"] or None  # none and an empty list say the same
            found[table.name] = kept
        ids = "rowid" if database.is_sqlite else "id"
        found["words"] = connection.execute(text(f"SELECT {ids} FROM mail_search ORDER BY 1")).all()
    return found


def wipe(database: Database) -> None:
    """Forget all that is derived."""
    with database.write() as connection:
        here = MailRow.state.in_(READ_STATES)
        for direction, names in ((Direction.IN, DERIVED), (Direction.OUT, DERIVED_OF_OURS)):
            wiped = dict.fromkeys(names)
            connection.execute(update(MailRow).where(here, MailRow.direction == direction).values(**wiped))
        connection.execute(delete(ParticipantRow))
        spoiled = dict.fromkeys(COLUMNS) | {"status": Status.SPAM, "since": None, "subject": "?", "department": "?"}
        columns = TicketRow.__table__.c
        spoiled = {name: value for name, value in spoiled.items() if value is not None or columns[name].nullable}
        connection.execute(update(TicketRow).values(**spoiled))
        connection.execute(text("DELETE FROM mail_search"))


def rebuild(desk: Desk, *, only_look: bool = False) -> Any:
    now = desk.clock()
    reader = rederiver(desk.settings, desk.database, now)
    return Rebuilding(desk.database, reader, now, lambda *_: None, only_look=only_look).run()


def test_a_database_in_order_is_what_its_mails_and_its_history_say(desk: Desk) -> None:
    found = rebuild(desk, only_look=True)

    assert [(each.table, each.id, each.columns) for each in found.first] == []
    assert found.mails > 20
    assert found.tickets >= 3


def test_what_was_wiped_out_is_as_it_was_after_a_rebuilding_and_nothing_is_sent(desk: Desk) -> None:
    before = everything(desk.database)
    desk.post_office.got.clear()
    wipe(desk.database)
    assert everything(desk.database) != before
    found = rebuild(desk)
    after = everything(desk.database)

    assert found.different > 20
    for table, rows in before.items():
        assert after[table] == rows, table
    assert desk.post_office.got == []
    assert rebuild(desk, only_look=True).different == 0


def test_a_rebuilding_that_is_interrupted_goes_on_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(desk.database)
    wipe(desk.database)
    monkeypatch.setattr("maild.rebuilding.GROUP", 5)
    now, told = desk.clock(), []

    def interrupt(what: str, share: float) -> None:
        told.append(what)
        if len(told) == 3:
            raise KeyboardInterrupt

    reader = rederiver(desk.settings, desk.database, now)
    with pytest.raises(KeyboardInterrupt):
        Rebuilding(desk.database, reader, now, interrupt).run()
    found = rebuild(desk)

    assert found.resumed_at == "mails 15"
    assert everything(desk.database) == before
    with desk.database.read() as connection:
        assert connection.scalar(select(JobRow.mark).where(JobRow.name == "rebuild")) is None


def test_a_mail_that_waits_is_left_to_the_filer(desk: Desk) -> None:
    rebuild(desk)

    with desk.database.read() as connection:
        waiting = connection.execute(select(MailRow.__table__).where(MailRow.state == MailState.STORED)).one()
    assert waiting.subject is None
    desk.work()
    assert desk.filed(waiting.id).subject == "not filed yet"
