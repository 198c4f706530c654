"""What the configuration says of other servers: relay, mailboxes, log-ins."""

from datetime import date

import pytest

from maild.config import ConfigError, parse
from tests.unit.configured import SMALLEST, faults, settings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('host = "localhost"', ("localhost", 25, "none")),
        ('host = "127.0.0.1"', ("127.0.0.1", 25, "none")),
        ('host = "::1"\nport = 2526', ("::1", 2526, "none")),
        ('host = "mail.example"', ("mail.example", 587, "starttls")),
        ('host = "mail.example"\nport = 25', ("mail.example", 25, "starttls")),
        ('host = "mail.example"\nport = 465', ("mail.example", 465, "tls")),
        ('host = "mail.example"\nsecurity = "tls"', ("mail.example", 465, "tls")),
        ('host = "mail.example"\nsecurity = "none"', ("mail.example", 25, "none")),
    ],
)
def test_port_and_security_of_the_relay_fit_each_other(written: str, expected: tuple[str, int, str]) -> None:
    relay = settings("[relay]", written).relay

    assert (relay.host, relay.port, relay.security) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [("", (993, "tls")), ('security = "starttls"', (143, "starttls")), ("port = 1993", (1993, "tls"))],
)
def test_port_and_security_of_a_mailbox_fit_each_other(written: str, expected: tuple[int, str]) -> None:
    table = '[[mailbox]]\nname = "inbox"\nhost = "imap.example"\nuser = "support"\npassword = "x"'
    [mailbox] = settings(table, written).mailboxes

    assert (mailbox.port, mailbox.security, mailbox.department) == (*expected, "support")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:2526", "::1", 2526),
        ("[::]:2526", "::", 2526),
        ("desk.acme.example:2525", "desk.acme.example", 2525),
        (":2525", "0.0.0.0", 2525),
    ],
)
def test_an_endpoint_is_read_and_written(text: str, host: str, port: int) -> None:
    smtp = settings(smallest=SMALLEST.replace("127.0.0.1:2525", text)).smtp

    assert smtp is not None
    assert smtp.listen == (host, port)
    assert str(smtp.listen) == (text if host != "0.0.0.0" else "0.0.0.0:2525")


@pytest.mark.parametrize(
    ("listen", "relay"),
    [
        ("0.0.0.0:2525", "127.0.0.1"),
        ("[::]:2525", "localhost"),
        ("127.0.0.1:2525", "localhost"),
        ("localhost:2525", "::1"),
        ("desk.acme.example:2525", "desk.acme.example"),
    ],
)
def test_maild_never_sends_to_itself(listen: str, relay: str) -> None:
    text = f'[relay]\nhost = "{relay}"\nport = 2525\n' + SMALLEST.replace("127.0.0.1:2525", listen)

    assert faults(text) == [
        "relay.port: expected another port: maild itself listens there, and would send its mail to itself"
    ]
    assert parse(text.replace("[[department]]", 'protocol = "lmtp"\n[[department]]', 1)).relay.port == 2525


@pytest.mark.parametrize(("listen", "relay"), [("127.0.0.2:2525", "127.0.0.1"), ("0.0.0.0:2525", "mail.example")])
def test_another_server_on_the_same_port_is_no_loop(listen: str, relay: str) -> None:
    assert settings(f'[relay]\nhost = "{relay}"\nport = 2525', smallest=SMALLEST.replace("127.0.0.1:2525", listen))


def test_a_password_is_never_shown_by_accident() -> None:
    desk = settings(
        '[maild]\ndatabase = "postgresql://maild:hunter2@db/maild"', '[relay]\nuser = "x"\npassword = "hunter2"'
    )
    password = desk.relay.password()

    assert "hunter2" not in f"{desk!r} {desk} {desk.relay!r} {desk.maild!r} {desk.relay.inline_password}"
    assert password is not None
    assert password.get_secret_value() == "hunter2"


def test_without_a_user_there_is_no_password() -> None:
    assert settings().relay.password() is None


BOX = '[[mailbox]]\nname = "inbox"\nhost = "imap.example"\nuser = "support@acme.example"\n'


@pytest.mark.parametrize(
    ("written", "start"), [("2026-01-01", date(2026, 1, 1)), ('"2026-01-01"', date(2026, 1, 1)), ('"all"', "all")]
)
def test_old_mail_of_a_mailbox_is_taken_since_a_day(written: str, start: object) -> None:
    [mailbox] = settings(BOX + f'password = "x"\nstart = {written}').mailboxes

    assert mailbox.start == start


def test_a_provider_is_known_by_its_name() -> None:
    application = '[oauth.office]\nclient_id = "1"\nprovider = "microsoft"\ntenant = "acme.example"'
    desk = settings(BOX + 'oauth = "office"', application)

    assert desk.mailboxes[0].password() is None
    assert desk.oauth["office"].flow == "device"
    assert desk.oauth["office"].token_url == "https://login.microsoftonline.com/acme.example/oauth2/v2.0/token"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (BOX + 'oauth = "offise"\n[oauth.office]\nclient_id = "1"\nprovider = "google"', "did you mean 'office'?"),
        ('[oauth.x]\nclient_id = "1"', "token_url"),
        ('[oauth.x]\nclient_id = "1"\ntoken_url = "http://login.example/t"\nscopes = ["a"]', "begins with https://"),
        (
            '[oauth.x]\nclient_id = "1"\nprovider = "microsoft"\nflow = "client-credentials"',
            "expected client_secret_file",
        ),
        (BOX + 'password = "x"\nstart = "yesterday"', "expected 'now', 'all', or a date such as"),
    ],
)
def test_a_login_that_cannot_work_is_explained(written: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(written)

    assert said in caught.value.render()
