"""`maild status`: how the desk stands, and whether somebody should look."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from maild.rules import troubles
from maild.rules.troubles import Level
from maild.store import standing
from maild.store.engine import Database
from maild.store.models import MailboxRow, MailRow, MailState
from tests.clock import NOON
from tests.database.commands import OBEYED, Shell
from tests.stories.driver import ADA, ANNA, BEN

KEYS = {
    "at",
    "version",
    "database",
    "daemon",
    "queues",
    "acknowledged",
    "ages",
    "mails",
    "deliveries",
    "tickets",
    "waiting",
    "failures",
    "mailboxes",
    "last",
    "level",
    "alarms",
    "departments",
    "domains",
    "filing",
    "held",
    "relay",
    "disk",
    "integrity",
    "backup",
    "schedule",
}


def test_status_has_the_promised_keys(shell: Shell) -> None:
    answer = shell("status", "--json")
    found = answer.data

    assert answer.status == 0
    assert answer.kind == "status"
    assert set(found) == KEYS
    assert set(found["queues"]) == {"mail", "ticket", "delivery", "mailbox", "job"}
    assert all(set(each) == {"scheduled", "due", "oldest_due_at"} for each in found["queues"].values())
    assert set(found["ages"]) == {"mail", "delivery", "waiting"}
    assert all(set(each) == {"5m", "1h", "1d", "older"} for each in found["ages"].values())
    assert set(found["mails"]) == {"stored", "filed", "noted", "delayed", "held", "failed", "out"}
    assert set(found["deliveries"]) == {"queued", "sent", "failed", "cancelled"}
    assert found["tickets"]["new"] == 0
    assert set(found["waiting"]) == {"count", "oldest_ticket", "oldest_since"}
    assert set(found["failures"]) == {"mails_set_aside", "deliveries_failed_lately", "deliveries_tried_again"}
    assert set(found["last"]) == {"mail_stored_at", "delivery_sent_at", "ticket_opened_at"}


def test_status_counts_who_waits_and_what_happened_last(shell: Shell) -> None:
    shell.desk.mail(ADA, "first")
    shell.desk.clock.advance(hours=2)
    shell.desk.mail(BEN, "second")
    found = shell("status", "--json").data

    assert found["waiting"] == {"count": 2, "oldest_ticket": 1, "oldest_since": "2026-03-02T12:00:00Z"}
    assert found["tickets"]["new"] == 2
    assert found["mails"]["filed"] == 2
    assert found["last"]["mail_stored_at"] == "2026-03-02T14:00:00Z"
    assert found["last"]["delivery_sent_at"] == "2026-03-02T14:00:00Z"
    assert "2 customers, for up to 2h (ticket 1)" in shell("status").out


def test_nobody_waits_on_a_ticket_that_was_merged_or_put_aside(shell: Shell) -> None:
    shell.desk.mail(ADA, "first")
    shell.desk.mail(BEN, "second")
    shell("ticket", "set", 2, "--merge-into", 1)

    assert shell("status", "--json").data["waiting"]["count"] == 1


def test_queues_are_told_by_age(shell: Shell) -> None:
    shell.desk.mail(ADA, "old", work=False)
    shell.desk.clock.advance(minutes=10)
    shell.desk.mail(BEN, "young", work=False)
    found = shell("status", "--json").data

    assert found["ages"]["mail"] == {"5m": 1, "1h": 1, "1d": 0, "older": 0}
    assert found["queues"]["mail"] == {"scheduled": 2, "due": 2, "oldest_due_at": "2026-03-02T12:00:00Z"}


def test_what_failed_is_shown_with_the_servers_words(shell: Shell) -> None:
    shell.desk.post_office.refusals |= {ADA: "550 5.1.1 no such \x1b[31muser", ANNA: "451 4.2.1 later"}
    mail_id = shell.desk.mail(ADA, "Printer")
    with shell.desk.database.write() as connection:
        connection.execute(update(MailRow).where(MailRow.id == mail_id).values(state=MailState.FAILED, reason="bad"))
    found = shell("status", "--json").data["failures"]
    out = shell("status").out

    assert [each["id"] for each in found["mails_set_aside"]] == [mail_id]
    assert [each["reason"] for each in found["deliveries_failed_lately"]] == ["550 5.1.1 no such \x1b[31muser"]
    assert [each["reason"] for each in found["deliveries_tried_again"]] == ["451 4.2.1 later"]
    assert "no such" in out
    assert not set(OBEYED) & set(out)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_monitor_hears_that_no_daemon_runs_and_that_one_does(shell: Shell) -> None:
    idle = shell("status", "--check")
    other = Database(str(shell.desk.database.url))
    other.claim_for_daemon("pid 1")
    try:
        served = shell("status", "--check")
    finally:
        other.close()

    assert (idle.status, idle.out.partition("|")[0]) == (2, "MAILD CRITICAL - no daemon is running")
    said, _, figures = served.out.strip().partition("|")
    assert (served.status, said) == (0, "MAILD OK - 0 waiting customers; 0 mails and 0 deliveries due")
    assert "waiting=0;;;0" in figures.split()
    assert any(each.startswith("disk_free=") for each in figures.split())


def test_a_monitor_hears_that_nothing_can_be_said(shell: Shell) -> None:
    shell.config.write_text("[maild\n")
    answer = shell("status", "--check")

    assert answer.status == 3
    assert answer.out.startswith("MAILD UNKNOWN - ")
    assert answer.out.count("\n") == 1


def test_what_waits_is_told_by_department_and_by_domain(shell: Shell) -> None:
    shell.desk.post_office.down = "no route to host"
    shell.desk.mail(ADA, "first")
    shell.desk.clock.advance(minutes=30)
    found = shell("status", "--json").data
    out = shell("status").out

    assert found["departments"]["support"]["new"] == 1
    assert found["departments"]["support"]["oldest_since"] == "2026-03-02T12:00:00Z"
    assert found["domains"][0] == {"domain": "acme.example", "total": 2, "5m": 0, "1h": 2, "1d": 0, "older": 0}
    assert found["relay"]["failing_since"] == "2026-03-02T12:00:00Z"
    assert any("the relay cannot be used for 30 min: no route to host" in each["text"] for each in found["alarms"])
    assert any(row.split()[:2] == ["acme.example", "2"] for row in out.splitlines())


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_asking_whether_a_daemon_runs_keeps_none_from_starting(shell: Shell) -> None:
    other = Database(str(shell.desk.database.url))
    try:
        assert standing.is_served(other) is False
        other.claim_for_daemon("pid 1")

        assert standing.is_served(other) is True
    finally:
        other.close()


@pytest.mark.parametrize(
    ("late", "level"),
    [
        (timedelta(minutes=4), None),
        (timedelta(minutes=6), Level.WARNING),
        (timedelta(minutes=31), Level.CRITICAL),
    ],
)
def test_a_queue_that_nobody_works_off_is_an_alarm(shell: Shell, late: timedelta, level: Level | None) -> None:
    shell.desk.mail(ADA, "Printer", work=False)
    found = standing.standing(shell.desk.database, NOON + late)
    found["daemon"]["running"] = True

    assert max((each.level for each in troubles.found(found)), default=None) == level


def test_a_mail_that_was_set_aside_and_one_that_cannot_leave_want_a_look(shell: Shell) -> None:
    shell.desk.post_office.refusals[ADA] = "451 4.2.1 later"
    mail_id = shell.desk.mail(ADA, "Printer")
    shell.desk.wait(hours=2)
    with shell.desk.database.write() as connection:
        connection.execute(update(MailRow).where(MailRow.id == mail_id).values(state=MailState.FAILED))
    found = standing.standing(shell.desk.database, shell.desk.clock())
    found["daemon"]["running"] = True
    texts = [each.text for each in troubles.found(found)]

    assert texts == [
        "mails set aside: 1 (maild mail list --state failed)",
        "deliveries older than an hour: 1 (maild delivery list --state queued)",
    ]


def test_mails_that_a_server_does_not_give_want_a_look(shell: Shell) -> None:
    again = NOON.isoformat()
    with shell.desk.database.write() as connection:
        connection.execute(
            insert(MailboxRow).values(name="support", folder="INBOX", missed={"7": [5, again], "8": [1, again]})
        )
    found = standing.standing(shell.desk.database, NOON)
    texts = [each.text for each in troubles.found(found)]

    assert "mails of mailbox support that its server does not give: 1; they stay there" in texts
    assert "missed" not in found["mailboxes"][0]


def test_a_mailbox_that_fails_for_long_wants_a_person(shell: Shell) -> None:
    with shell.desk.database.write() as connection:
        connection.execute(
            insert(MailboxRow).values(name="support", folder="INBOX", failing_since=NOON, error="AUTHENTICATIONFAILED")
        )
    soon = standing.standing(shell.desk.database, NOON + timedelta(minutes=4))
    late = standing.standing(shell.desk.database, NOON + timedelta(hours=2))

    assert not any("mailbox" in each.text for each in troubles.found(soon))
    assert any(each.level is Level.CRITICAL and "AUTHENTICATIONFAILED" in each.text for each in troubles.found(late))
