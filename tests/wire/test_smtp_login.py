"""Agents who log in to the listener, and those who try to."""

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from maild.config.passwords import NoPassword
from maild.inbox import raw_of
from maild.services.smtp_listener import Limits, Logins, session
from maild.store.engine import Database
from tests.wire.listening import Intake, listening
from tests.wire.sink import certificate
from tests.wire.smtp_client import SmtpClient

ANNA = "anna@acme.example"
SECRET = "correct horse"
MAIL = (
    b"From: Anna <anna@acme.example>\r\nSubject: Re: Printer\r\nMessage-ID: <1@acme.example>\r\n\r\nPull the plug.\r\n"
)
QUICK = Limits(login_delay_s=0.0)


def check(user: str, password: str) -> str | None:
    if user == "broken@acme.example":
        raise NoPassword("the file is gone")
    return ANNA if (user.lower(), password) == (ANNA, SECRET) else None


LOGINS = Logins(lambda: True, check)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What the listener and a client that trusts it need."""
    context, authority = certificate(tmp_path)
    return context, ssl.create_default_context(cafile=str(authority))


@pytest.fixture
def intake(sqlite_database: Database) -> Iterator[Intake]:
    with listening(sqlite_database, logins=LOGINS, limits=QUICK) as listener:
        yield listener


def base(*words: str) -> str:
    return base64.b64encode("\0".join(words).encode()).decode()


def log_in(client: SmtpClient, user: str = ANNA, password: str = SECRET) -> str:
    return client.say(f"AUTH PLAIN {base('', user, password)}")


def test_an_agent_logs_in_and_his_mail_says_so(intake: Intake) -> None:
    with intake.client() as client:
        assert "250-AUTH PLAIN LOGIN" in client.offered.splitlines()
        assert log_in(client) == "235 2.7.0 You are logged in"
        assert client.mail(MAIL, ANNA).startswith("250 ")

    [row] = intake.rows()
    assert row.login == ANNA
    assert row.helo == "client.example"
    with intake.database.read() as connection:
        assert b" with ESMTPA" in raw_of(connection, row.id).splitlines()[1]


def test_whoever_does_not_log_in_is_nobody(intake: Intake) -> None:
    with intake.client() as client:
        client.mail(MAIL, ANNA)

    assert intake.rows()[0].login is None


def test_a_name_in_two_steps(intake: Intake) -> None:
    with intake.client() as client:
        assert client.say("AUTH LOGIN") == "334 VXNlcm5hbWU6"
        assert client.say(base("Anna@acme.example")) == "334 UGFzc3dvcmQ6"
        assert client.say(base(SECRET)).startswith("235 ")


def test_a_name_with_the_command(intake: Intake) -> None:
    with intake.client() as client:
        assert client.say(f"auth login {base(ANNA)}") == "334 UGFzc3dvcmQ6"
        assert client.say(base(SECRET)).startswith("235 ")


def test_an_answer_after_the_command(intake: Intake) -> None:
    with intake.client() as client:
        assert client.say("AUTH PLAIN").startswith("334")
        assert client.say(base("", ANNA, SECRET)).startswith("235 ")


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (f"AUTH PLAIN {base('', ANNA, 'wrong')}", "535 5.7.8"),
        (f"AUTH PLAIN {base('', 'bert@acme.example', SECRET)}", "535 5.7.8"),
        (f"AUTH PLAIN {base('', ANNA, '')}", "535 5.7.8"),
        (f"AUTH PLAIN {base('bert@acme.example', ANNA, SECRET)}", "501 5.5.2"),
        ("AUTH PLAIN =", "501 5.5.2"),
        ("AUTH PLAIN %%%", "501 5.5.2"),
        (f"AUTH PLAIN {base(ANNA, SECRET)}", "501 5.5.2"),
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH", "504 5.5.4"),
        (f"AUTH PLAIN {base('', 'broken@acme.example', SECRET)}", "454 4.7.0"),
    ],
)
def test_what_does_not_log_in(intake: Intake, command: str, reply: str) -> None:
    with intake.client() as client:
        assert client.say(command).startswith(reply)
        client.mail(MAIL, ANNA)

    assert intake.rows()[0].login is None


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_login_can_be_cancelled(intake: Intake, mechanism: str) -> None:
    with intake.client() as client:
        assert client.say(f"AUTH {mechanism}").startswith("334")
        assert client.say("*").startswith("501 ")
        assert client.say("NOOP").startswith("250 ")


def test_five_failures_end_the_session(intake: Intake) -> None:
    with intake.client() as client:
        replies = [log_in(client, password=str(number)) for number in range(5)]

        assert [reply[:3] for reply in replies] == ["535"] * 4 + ["421"]
        assert client.closed()


def test_a_password_stands_in_no_log(intake: Intake) -> None:
    with capture_logs() as logs, intake.client() as client:
        log_in(client, password="hunter2")
        log_in(client)

    assert logs
    assert not any(word in repr(logs) for word in ("hunter2", SECRET, base("", ANNA, SECRET)))


def test_who_is_logged_in_writes_as_himself(intake: Intake) -> None:
    with intake.client() as client:
        log_in(client)
        assert client.say("MAIL FROM:<bert@acme.example>").startswith("553 5.7.1")
        for other in (b"Bert <bert@acme.example>", b"anna@acme.example, bert@acme.example"):
            raw = MAIL.replace(b"Anna <anna@acme.example>", other)
            assert client.mail(raw, ANNA).startswith("550 5.7.1")
        assert client.mail(b"From: bert@acme.example\r\n" + MAIL, ANNA).startswith("550 5.7.1")

    assert intake.rows() == []


def test_who_is_logged_in_may_not_relay(intake: Intake) -> None:
    with intake.client() as client:
        log_in(client)
        assert client.say(f"MAIL FROM:<{ANNA}>").startswith("250 ")
        assert client.say("RCPT TO:<ada@customer.example>").startswith("550 ")


def test_nobody_logs_in_twice_or_inside_a_mail(intake: Intake) -> None:
    with intake.client() as client:
        assert client.say(f"MAIL FROM:<{ANNA}>").startswith("250 ")
        assert log_in(client).startswith("503 ")
        client.say("RSET")
        log_in(client)
        assert log_in(client).startswith("503 ")


def test_nothing_is_offered_where_no_agent_has_a_password(sqlite_database: Database) -> None:
    with listening(sqlite_database, logins=Logins(lambda: False, check)) as intake, intake.client() as client:
        assert "AUTH" not in client.offered
        assert log_in(client).startswith("502 ")


def test_nothing_is_offered_by_lmtp(sqlite_database: Database) -> None:
    with listening(sqlite_database, logins=LOGINS, protocol="lmtp") as intake, intake.client("LHLO x") as client:
        assert "AUTH" not in client.offered
        assert log_in(client).startswith("500 ")


def test_from_elsewhere_a_password_is_heard_under_tls_only(
    sqlite_database: Database, tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "client_of", lambda _: "192.0.2.1")  # the tests are on this machine
    server, trusting = tls
    with listening(sqlite_database, logins=LOGINS, limits=QUICK, tls=server) as intake, intake.client() as client:
        assert "AUTH" not in client.offered
        assert log_in(client).startswith("538 5.7.11")
        client.start_tls(trusting)
        assert "250-AUTH PLAIN LOGIN" in client.offered.splitlines()
        assert log_in(client).startswith("235 ")


def test_a_login_in_the_clear_ends_with_tls(
    sqlite_database: Database, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, trusting = tls
    with listening(sqlite_database, logins=LOGINS, limits=QUICK, tls=server) as intake, intake.client() as client:
        log_in(client)
        client.start_tls(trusting)
        client.mail(MAIL, ANNA)

        assert intake.rows()[0].login is None
