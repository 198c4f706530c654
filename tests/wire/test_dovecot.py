"""The Dovecot that tests stand on is one that a mail client would accept."""

import contextlib
import imaplib
import ssl

import pytest

from tests.dovecot import Dovecot

pytestmark = pytest.mark.dovecot


def test_a_user_finds_his_mail_over_every_kind_of_connection(dovecot_server: Dovecot) -> None:
    account = dovecot_server.account()
    trusted = ssl.create_default_context(cafile=str(dovecot_server.certificate))
    with (
        imaplib.IMAP4(dovecot_server.host, dovecot_server.port) as plain,
        imaplib.IMAP4(dovecot_server.host, dovecot_server.port) as upgraded,
        imaplib.IMAP4_SSL(dovecot_server.host, dovecot_server.tls_port, ssl_context=trusted) as sealed,
    ):
        upgraded.starttls(trusted)
        plain.login(account.user, account.password)
        plain.append("INBOX", "", "", b"Subject: hello\r\n\r\nhello\r\n")
        for client in (upgraded, sealed):
            client.login(account.user, account.password)

        assert [client.select()[1] for client in (plain, upgraded, sealed)] == [[b"1"]] * 3
    assert [*account.maildir.glob("cur/*"), *account.maildir.glob("new/*")]


def test_a_wrong_password_is_refused(dovecot_server: Dovecot) -> None:
    with (
        imaplib.IMAP4(dovecot_server.host, dovecot_server.port) as client,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        client.login(dovecot_server.account().user, "wrong")


def test_a_dropped_session_is_an_end_of_file(dovecot_server: Dovecot) -> None:
    account = dovecot_server.account()
    client = imaplib.IMAP4(dovecot_server.host, dovecot_server.port)
    client.login(account.user, account.password)

    dovecot_server.doveadm("kick", account.user)

    with contextlib.closing(client.sock), contextlib.closing(client.file), pytest.raises(imaplib.IMAP4.abort):
        client.noop()
