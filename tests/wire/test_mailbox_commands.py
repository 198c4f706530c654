"""What an operator is told of his mailboxes by `maild check --connect` and `maild mailbox progress`."""

import imaplib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from maild import inbox
from maild.cli.answers import fetched
from maild.cli.answers.examined import FAULT, FINE, Finding, examine
from maild.inbox import Incoming
from maild.store.engine import Database
from maild.store.models import MailRow, MailState
from tests.dovecot import Dovecot
from tests.parts import free_port

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def mailboxes(
    folder: Path, port: int, password: str = "x", folder_name: str = "INBOX", user: str = "x"
) -> list[Finding]:
    """Return what is found of the mailbox of a desk."""
    path = folder / "config.toml"
    path.write_text(f"""
[maild]
database = "{folder}/maild.db"
[relay]
host = "127.0.0.1"
port = {free_port()}
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
[[mailbox]]
name = "support"
host = "127.0.0.1"
port = {port}
user = "{user}"
password = "{password}"
security = "none"
folder = "{folder_name}"
start = "all"
""")
    return [each for each in examine(path, connect=True) if each.about == "mailbox support"]


def test_a_mailbox_that_cannot_be_reached_is_a_fault_with_its_step(tmp_path: Path) -> None:
    [found] = mailboxes(tmp_path, free_port())

    assert found.level == FAULT
    assert ": connecting: " in found.text


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("password", "folder", "step"), [("wrong", "INBOX", "logging in"), (None, "Elsewhere", "opening the folder")]
)
def test_the_step_that_fails_is_named(
    dovecot_server: Dovecot, tmp_path: Path, password: str | None, folder: str, step: str
) -> None:
    account = dovecot_server.account()
    [found] = mailboxes(tmp_path, dovecot_server.port, password or account.password, folder, account.user)

    assert found.level == FAULT
    assert f": {step}: " in found.text


@pytest.mark.dovecot
def test_a_mailbox_that_can_be_read_says_what_would_be_fetched(dovecot_server: Dovecot, tmp_path: Path) -> None:
    account = dovecot_server.account()
    with imaplib.IMAP4(dovecot_server.host, dovecot_server.port) as client:
        client.login(account.user, account.password)
        client.append("INBOX", "", "", b"Subject: hello\r\n\r\nhello\r\n")
    [found] = mailboxes(tmp_path, dovecot_server.port, account.password, user=account.user)

    assert found.level == FINE
    assert "of 1 mails 1 would be fetched" in found.text
    assert not (tmp_path / "maild.db").exists()


def test_progress_is_shown_until_all_mails_are_on_tickets(sqlite_database: Database) -> None:
    clock = [0.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds
        number = int(clock[0])
        with sqlite_database.write() as connection:
            if number <= 2:
                mail = Incoming(None, (), "imap support", b"Subject: %d\r\n\r\n" % number)
                inbox.store(connection, [mail], NOW)
            else:
                connection.execute(update(MailRow).values(state=MailState.FILED))

    words = [each.words() for each in fetched.looks(sqlite_database, "support", 2, lambda: clock[0], wait)]

    assert words == [
        "0 of 2 mails fetched, 0 filed",
        "1 of 2 mails fetched, 0 filed",
        "2 of 2 mails fetched, 0 filed",
        "2 of 2 mails fetched, 2 filed: done",
    ]


def test_progress_says_when_nothing_comes(sqlite_database: Database) -> None:
    clock = [0.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    looks = fetched.looks(sqlite_database, "support", 2, lambda: clock[0], wait)
    words = [next(looks).words() for _ in range(32)]

    assert "does maild run?" not in words[29]
    assert "nothing came for 30 seconds: does maild run?" in words[30]


def test_progress_of_nothing_ends_at_once(sqlite_database: Database) -> None:
    [look] = fetched.looks(sqlite_database, "support", 0, lambda: 0.0, lambda _: None)

    assert look.words() == "nothing is to be fetched"
