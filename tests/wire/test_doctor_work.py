"""The doctor's checks of people, of this machine, and of what waits and fails."""

import os
from datetime import timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import insert, update

from maild.cli.answers.doctor import people, system
from maild.cli.answers.doctor.kinds import Verdict
from maild.store.engine import Database
from maild.store.models import AddressRow, DeliveryRow, MailboxRow, MailRow, TicketRow
from tests.clock import NOON
from tests.stories.driver import ADA, ANNA, SUPPORT, Desk
from tests.wire.sink import sink
from tests.wire.ward import FAULT, OK, SMALL, UNKNOWN, WARNING, Ward, found, ill, look, mended, well

# People


@well("D37", "D38", "D39")
@ill("D37", "D38", "D39")
def test_people_who_are_not_written_to_are_told(ward: Ward, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = ward.patient()
    assert look(patient, "D38").verdict is UNKNOWN
    desk.mail(ADA, "Printer on fire")
    for number in ("D37", "D38", "D39"):
        assert look(patient, number).verdict is OK, found(patient, number)

    until = ward.clock() + timedelta(days=30)
    with ward.store.write() as connection:
        connection.execute(
            update(AddressRow)
            .where(AddressRow.normal.in_([ANNA, ADA]))
            .values(suppressed_until=until, suppressed_reason="550 no such user")
        )
    verdict, said = found(patient, "D37")
    assert verdict is FAULT
    assert "550 no such user" in said
    monkeypatch.setattr(people, "MANY", 1)
    assert look(patient, "D39").verdict is WARNING
    assert mended(patient, "D37") == ["agents who are written to again: 1"]
    assert look(patient, "D37").verdict is OK

    with_clara = ward.patient(SMALL + '[[agent]]\nname = "Clara"\naddress = "clara@acme.example"\n')
    verdict, said = found(with_clara, "D38")
    assert verdict is WARNING
    assert "Clara" in said


def test_an_agent_whose_mail_could_not_be_delivered_is_told(ward: Ward, desk: Desk) -> None:
    desk.post_office.refusals[ANNA] = "550 5.7.1 we know you not"
    desk.mail(ADA, "Printer on fire")
    verdict, said = found(ward.patient(), "D37")

    assert verdict >= WARNING
    assert "we know you not" in said


# This machine


@well("D40")
@ill("D40")
@pytest.mark.parametrize(("said", "verdict"), [(True, OK), (False, WARNING), (None, UNKNOWN)])
def test_a_clock_that_nobody_sets_is_told(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, said: bool | None, verdict: Verdict
) -> None:
    assert system.synchronised() in (True, False, None)
    monkeypatch.setattr(system, "synchronised", lambda: said)

    assert look(ward.patient(), "D40").verdict is verdict


@well("D41")
@ill("D41")
@pytest.mark.parametrize(("ahead_min", "verdict"), [(-1, OK), (60, FAULT)])
def test_mails_from_the_future_tell_of_a_clock_that_is_behind(
    ward: Ward, desk: Desk, ahead_min: int, verdict: Verdict
) -> None:
    patient = ward.patient()
    assert look(patient, "D41").verdict is UNKNOWN
    at = format_datetime(NOON + timedelta(minutes=ahead_min))
    for number in range(3):
        raw = (
            f"Received: from mx by desk (maild) with SMTP; {format_datetime(NOON)}\r\n"
            f"Received: from x by mx.acme.example with ESMTP;\r\n\t{at}\r\n"
            f"From: ada@customer.example\r\nSubject: {number}\r\n\r\nx\r\n"
        )
        desk.deliver(raw.encode(), ADA, SUPPORT)

    assert look(patient, "D41").verdict is verdict, found(patient, "D41")


@well("D42")
@ill("D42")
def test_a_unit_that_is_missing_not_enabled_or_starts_nothing_is_told(ward: Ward) -> None:
    folder = ward.folder / "units"
    folder.mkdir()
    patient = ward.patient(unit_folders=(folder,))
    told = lambda: max(each.verdict for each in system.unit(patient))  # noqa: E731 - asked five times
    assert told() is WARNING
    (folder / "maild.service").write_text("[Service]\nExecStart=env run\n")
    assert told() is WARNING
    (folder / "multi-user.target.wants").mkdir()
    (folder / "multi-user.target.wants" / "maild.service").symlink_to(folder / "maild.service")
    assert told() is OK
    (folder / "maild.service").write_text("[Service]\nExecStart=/nowhere/maild run\n")
    assert told() is FAULT
    assert look(patient, "D42").verdict in Verdict


@well("D43", "D44", "D45")
@ill("D43", "D44", "D45")
def test_a_daemon_that_is_not_there_or_is_old_is_told(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = ward.patient()
    assert look(patient, "D43").verdict is FAULT
    with Database(str(ward.store.url)) as daemon:
        daemon.claim_for_daemon(f"pid {os.getpid()}")
        assert look(patient, "D43").verdict is OK
        assert look(patient, "D44").verdict is OK, found(patient, "D44")
        assert look(patient, "D45").verdict is OK
        newer = ward.folder / "newer.py"
        newer.write_text("")
        monkeypatch.setattr(system.maild, "__file__", str(newer))
        assert look(patient, "D44").verdict is WARNING
    listen = 'listen = "127.0.0.1:{listen}"'
    many = ward.patient(SMALL.replace(listen, f"{listen}\nmax_connections = 100000"))
    assert look(many, "D45").verdict is WARNING


# Work


@well("D46", "D47", "D48", "D49", "D50", "D51", "D52", "D53", "D54", "D55", "D56")
def test_a_desk_at_work_is_well(ward: Ward, desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    patient = ward.patient()

    for number in range(46, 57):
        assert look(patient, f"D{number}").verdict is OK, found(patient, f"D{number}")


@ill("D46", "D47", "D48")
@pytest.mark.parametrize(("number", "table"), [("D46", MailRow), ("D47", DeliveryRow), ("D48", TicketRow)])
def test_a_queue_that_nobody_works_off_is_told(ward: Ward, desk: Desk, number: str, table: type[MailRow]) -> None:
    desk.mail(ADA, "Printer on fire")
    with ward.store.write() as connection:
        connection.execute(update(table).values(due_at=ward.clock() - timedelta(minutes=10)))
    assert look(ward.patient(), number).verdict is WARNING

    ward.clock.advance(hours=1)
    assert look(ward.patient(), number).verdict is FAULT


@ill("D49", "D50", "D51", "D52", "D54", "D56")
@pytest.mark.parametrize(
    ("number", "table", "values", "said"),
    [
        ("D49", MailRow, {"state": "failed", "reason": "it broke"}, "it broke"),
        ("D50", MailRow, {"state": "held", "stored_at": NOON - timedelta(days=9)}, "the oldest for 9 d"),
        ("D51", DeliveryRow, {"state": "failed", "ended_at": NOON, "reply": "550 no"}, "550 no"),
        (
            "D52",
            DeliveryRow,
            {"state": "queued", "attempts": 7, "created_at": NOON - timedelta(hours=5), "reply": "451 later"},
            "7 attempts; 451 later",
        ),
        ("D54", TicketRow, {"due_at": None}, "a customer waits, and it is never due"),
        ("D56", MailRow, {"stored_at": NOON + timedelta(days=1)}, "in the future"),
        ("D56", TicketRow, {"due_at": NOON + timedelta(days=4000)}, "more than five years"),
    ],
)  # fmt: skip
def test_what_failed_or_was_forgotten_is_told(
    ward: Ward, desk: Desk, number: str, table: type[MailRow], values: dict[str, object], said: str
) -> None:
    desk.mail(ADA, "Printer on fire")
    with ward.store.write() as connection:
        connection.execute(update(table).values(**values))
    verdict, words = found(ward.patient(), number)

    assert verdict >= WARNING
    assert said in words


def test_a_ticket_that_was_forgotten_is_looked_at_again(ward: Ward, desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    with ward.store.write() as connection:
        connection.execute(update(TicketRow).values(due_at=None))
    patient = ward.patient()

    assert mended(patient, "D54") == ["tickets that the scheduler looks at again: 1"]
    assert look(patient, "D54").verdict is OK


@ill("D53")
@pytest.mark.parametrize(
    ("values", "verdict", "said"),
    [
        ({"last_success_at": NOON}, OK, "looked at 0 min ago"),
        ({"last_success_at": NOON - timedelta(days=1)}, WARNING, "last looked at: 2026-03-01"),
        ({"failing_since": NOON, "error": "logging in: NO"}, FAULT, "logging in: NO"),
    ],
)
def test_a_mailbox_that_is_not_read_is_told(ward: Ward, values: dict[str, object], verdict: Verdict, said: str) -> None:
    box = '[[mailbox]]\nname = "box"\nhost = "localhost"\nuser = "u"\npassword = "x"\n'
    with ward.store.write() as connection:
        connection.execute(
            insert(MailboxRow).values(name="box", folder="INBOX", attempts=0, last_uid=0, old_uid=0, **values)
        )
        connection.execute(insert(MailboxRow).values(name="gone", folder="INBOX", attempts=0, last_uid=0, old_uid=0))
    seen, words = found(ward.patient(SMALL + box), "D53")

    assert seen is verdict, words
    assert said in words
    assert "gone" not in words


@ill("D55")
def test_mails_that_a_dead_daemon_had_taken_are_told_and_given_back(ward: Ward, desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    with ward.store.write() as connection:
        connection.execute(update(MailRow).values(state="stored", due_at=NOON + timedelta(minutes=2), attempts=1))
    patient = ward.patient()
    assert look(patient, "D55").verdict is WARNING

    assert mended(patient, "D55")[0].startswith("mails that are due again: ")
    assert look(patient, "D55").verdict is OK


# Round trip


@well("D57")
@ill("D57")
@pytest.mark.parametrize(
    ("comes_to", "refusal", "verdict", "said"),
    [
        ("signed", "", OK, "out by the relay and in by test"),
        ("plain", "", WARNING, "the signed part was cut off"),
        ("", "", FAULT, "it did not come within"),
        ("", "550 5.7.1 not you", FAULT, "the relay does not take it: 550 5.7.1 not you"),
        ("", "451 later", FAULT, "the relay does not take it: 451 later"),
    ],
)
def test_a_mail_to_itself_is_seen_coming_in_or_told_where_it_ended(
    ward: Ward, desk: Desk, comes_to: str, refusal: str, verdict: Verdict, said: str
) -> None:
    told: list[str] = []
    with sink() as smarthost, Database(str(ward.store.url)) as daemon:
        ward.relay = smarthost.port
        if refusal:
            smarthost.on("RCPT", refusal)

        def pass_on(_: float) -> None:
            """What daemon and mail servers do while the doctor waits."""
            for mail in smarthost.mails:
                if comes_to:
                    desk.deliver(mail.raw, mail.sender, *(mail.recipients if comes_to == "signed" else (SUPPORT,)))
            smarthost.mails.clear()

        patient = ward.patient(pause=pass_on, tell=told.append)
        assert "no daemon is running" in found(patient, "D57")[1]
        daemon.claim_for_daemon("pid 1")
        seen, words = found(patient, "D57")

    assert seen is verdict, words
    assert said in words
    assert "on its way" in told[0]
    assert desk.tickets() == []


def test_without_a_relay_no_mail_is_sent_to_itself(ward: Ward) -> None:
    with Database(str(ward.store.url)) as daemon:
        daemon.claim_for_daemon("pid 1")
        verdict, said = found(ward.patient(), "D57")

    assert verdict is UNKNOWN
    assert "(D30)" in said
