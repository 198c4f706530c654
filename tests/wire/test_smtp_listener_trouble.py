"""Trouble of ours is never the sender's: 4xx, nothing lost, nothing twice; and clean endings."""

import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from maild.inbox import Incoming
from maild.services.smtp_listener import Limits, content, tls_context
from maild.store import engine
from maild.store.engine import Database
from maild.store.locks import FileLock
from tests.parts import program
from tests.wire.listening import Intake, listening
from tests.wire.smtp_client import SmtpClient

MAIL = b"From: ada@customer.example\r\nSubject: The printer\r\n\r\nIt burns.\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"x" * 400_000 + b"\r\n"


@pytest.fixture
def intake(sqlite_database: Database) -> Iterator[Intake]:
    with listening(sqlite_database) as listener:
        yield listener


def wait_for(intake: Intake, mails: int) -> None:
    """Return when so many mails are stored: stopping the inbox waits for what is on its way."""
    assert intake.inbox.stop(20)
    assert len(intake.rows()) == mails


# -- the database ------------------------------------------------------------------------------------------------


def test_while_the_database_is_locked_the_sender_keeps_the_mail(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.1)
    path: Path = intake.database.path
    lock = FileLock(path.with_name(path.name + ".write-lock"))
    assert lock.try_acquire()
    with intake.client() as client, capture_logs() as lines:
        assert client.mail(MAIL) == "451 4.3.0 Trouble on our side, please try again later"
        assert client.mail(LARGE).startswith("451 4.3.0 ")
        lock.close()
        assert client.mail(MAIL).startswith("250 ")
        intake.inbox.stop(20)  # the line is written after the answer

    assert [line["event"] for line in lines] == ["mail not stored", "mail not stored", "stored"]
    assert not any(line.get("exc_info") for line in lines)
    assert intake.stored() == [MAIL]


def test_when_the_disk_is_full_the_sender_keeps_the_mail_until_there_is_room(intake: Intake) -> None:
    with intake.client() as client:
        assert client.mail(MAIL).startswith("250 ")
        with intake.database.write() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count={pages + 10}"))
        assert client.mail(LARGE) == "452 4.3.1 No room for the mail now, please try again later"
        with intake.database.write() as connection:
            connection.execute(text("PRAGMA max_page_count=1000000"))
        assert client.mail(LARGE).startswith("250 ")

    assert intake.stored() == [MAIL, LARGE]


def test_when_nothing_can_be_spooled_the_sender_keeps_the_mail(sqlite_database: Database, tmp_path: Path) -> None:
    with listening(sqlite_database, spool_directory=tmp_path / "gone") as intake, intake.client() as client:
        assert client.mail(LARGE) == "452 4.3.1 No room for the mail now, please try again later"
        assert client.mail(MAIL).startswith("250 ")

        (tmp_path / "gone").mkdir()
        assert client.mail(LARGE).startswith("250 ")
        assert list((tmp_path / "gone").iterdir()) == []  # no name leads to what is spooled
        assert intake.stored() == [MAIL, LARGE]


def test_a_fault_of_ours_in_a_command_is_temporary_and_tells_nothing(sqlite_database: Database) -> None:
    def accepts(address: str) -> bool:
        raise RuntimeError(f"secret {address}")

    with listening(sqlite_database, accepts=accepts) as intake, intake.client() as client:
        client.say("MAIL FROM:<a@b.example>")

        assert client.say("RCPT TO:<support@acme.example>") == "451 4.3.0 Trouble on our side, please try again later"
        assert client.say("NOOP") == "250 2.0.0 OK"


def test_a_fault_of_ours_inside_a_mail_never_lets_its_text_be_taken_for_commands(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content.Content, "feed", lambda _self, _chunk: 1 / 0)
    with intake.client() as client:
        client.envelope()
        client.send(b"MAIL FROM:<evil@b.example>\r\n")

        assert client.reply() == "421 4.3.0 Trouble on our side, please try again later"
        assert client.closed()


def test_after_the_inbox_stopped_the_sender_keeps_the_mail(intake: Intake) -> None:
    with intake.client() as client:
        assert intake.inbox.stop(20)

        assert client.mail(MAIL).startswith("451 4.3.0 ")
        assert client.mail(LARGE).startswith("451 4.3.0 ")


def test_the_fault_of_one_mail_is_not_the_next_ones(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = iter([True])
    plain = Incoming.pieces
    monkeypatch.setattr(
        Incoming,
        "pieces",
        lambda mail: 1 / 0 if next(failing, False) else plain(mail),  # type: ignore[arg-type]
    )
    with intake.client() as client:
        assert client.mail(MAIL) == "451 4.3.0 Trouble on our side, please try again later"
        assert client.mail(MAIL).startswith("250 ")


# -- clients that vanish -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_vanishes_after_the_dot_has_its_mail_stored_once(reset: bool, intake: Intake) -> None:
    for _ in range(2):
        with intake.database.write():  # the commit has to wait meanwhile
            client = intake.client()
            client.envelope()
            client.send(MAIL + b".\r\n" if not reset else MAIL)
            if reset:
                client.send(b".\r\n")
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
            with intake.client() as other:  # served meanwhile; by now the loop has seen the end of the first
                assert other.say("NOOP") == "250 2.0.0 OK"

    with intake.client() as client:
        assert client.mail(MAIL).startswith("250 ")
    assert len(intake.rows()) == 1
    intake.listener.stop(5)
    assert intake.listener.sessions == 0


def test_a_client_that_closes_its_side_after_the_dot_still_gets_its_answer(intake: Intake) -> None:
    with intake.client() as client:
        client.envelope()
        client.send(MAIL + b".\r\n")
        client.socket.shutdown(socket.SHUT_WR)

        assert client.reply().startswith("250 ")
        assert client.closed()
    assert intake.stored() == [MAIL]


@pytest.mark.parametrize("sent", [b"", MAIL, MAIL + b".", MAIL + b".\r", LARGE])
def test_a_mail_that_did_not_come_to_its_end_is_not_ours(sent: bytes, intake: Intake) -> None:
    with intake.client() as client:
        client.envelope()
        client.send(sent)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.closed()

    wait_for(intake, 0)


def test_every_cut_of_a_session_stores_the_mail_once_or_not_at_all(intake: Intake) -> None:
    session = (
        b"EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<support@acme.example>\r\nDATA\r\n"
        + MAIL
        + b".\r\nQUIT\r\n"
    )
    end = session.index(b"\r\n.\r\n") + 5
    for cut in range(0, len(session), 7):
        with intake.client(hello=None) as client:
            client.send(session[:cut])
            client.socket.shutdown(socket.SHUT_WR)
            replies = []
            while reply := client.reply():
                replies.append(reply)
        assert any("Stored as" in reply for reply in replies) == (cut >= end)

    assert intake.stored() == [MAIL]


# -- the stop ----------------------------------------------------------------------------------------------------


def test_an_idle_client_hears_of_the_stop(intake: Intake) -> None:
    with intake.client() as idle, intake.client() as midway:
        midway.say("MAIL FROM:<a@b.example>")

        assert intake.listener.stop(20)

        for client in (idle, midway):
            assert client.reply() == "421 4.3.2 The service is shutting down, please try again later"
            assert client.closed()
    with pytest.raises(ConnectionRefusedError):
        intake.client()


def test_a_client_inside_a_mail_may_finish_it(intake: Intake) -> None:
    with intake.client() as client:
        client.envelope()
        client.send(MAIL)
        clean: list[bool] = []
        stopping = threading.Thread(target=lambda: clean.append(intake.listener.stop(20)))
        with intake.client() as idle:
            stopping.start()
            assert idle.reply().startswith("421 ")

        client.send(b".\r\n")

        assert client.reply().startswith("250 ")
        assert client.reply().startswith("421 4.3.2 ")
        assert client.closed()
        stopping.join()
    assert clean == [True]
    assert intake.stored() == [MAIL]


def test_a_client_that_does_not_finish_its_mail_is_cut(intake: Intake) -> None:
    with intake.client() as client:
        client.envelope()
        client.send(MAIL)

        assert not intake.listener.stop(0.1)

        assert client.closed()
    wait_for(intake, 0)


def test_a_stop_ends_in_time_whatever_holds_the_database(intake: Intake) -> None:
    with intake.client() as client, intake.database.write():
        client.envelope()
        client.send(MAIL + b".\r\n")
        begun_s = time.monotonic()

        assert not intake.listener.stop(0.5)

        assert time.monotonic() - begun_s < 4  # the writer waits for longer
        assert client.closed()


def test_a_mail_that_waits_for_its_commit_at_the_stop_is_answered(intake: Intake) -> None:
    with intake.client() as client:
        with intake.database.write():
            client.envelope()
            client.send(MAIL + b".\r\n")
            clean: list[bool] = []
            stopping = threading.Thread(target=lambda: clean.append(intake.listener.stop(20)))
            with intake.client() as idle:
                stopping.start()
                assert idle.reply().startswith("421 ")

        assert client.reply().startswith("250 ")
        stopping.join()
    assert clean == [True]


def test_stopping_twice_or_before_the_start_does_nothing(intake: Intake) -> None:
    assert intake.listener.stop(1)
    assert intake.listener.stop(1)


def test_a_client_that_reads_nothing_does_not_hold_up_the_stop(intake: Intake) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.connect(intake.listener.address)
        deaf.settimeout(0.5)
        with pytest.raises(TimeoutError):
            deaf.sendall(b"HELP\r\n" * 10_000_000)

        intake.listener.stop(0.2)

    assert intake.listener.sessions == 0


# -- TLS ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = [program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"], check=True, capture_output=True
    )
    return folder / "certificate.pem"


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def tls(sqlite_database: Database, certificate: Path) -> Iterator[Intake]:
    context = tls_context(certificate, certificate.with_name("key.pem"))
    with listening(sqlite_database, tls=context, limits=Limits(connections=5)) as listener:
        yield listener


def test_mail_may_come_encrypted(tls: Intake, trusting: ssl.SSLContext) -> None:
    with tls.client() as client:
        assert "250-STARTTLS" in client.offered

        client.start_tls(trusting)

        assert "STARTTLS" not in client.offered
        assert "AUTH" not in client.offered
        assert client.say("STARTTLS").startswith("503 5.5.1 ")
        assert client.mail(LARGE).startswith("250 ")
        assert client.say("QUIT").startswith("221 ")
    with tls.database.read() as connection:
        raw = connection.execute(text("select content from raw where number = 0")).scalar_one()
    assert b"(maild) with ESMTPS\r\n" in raw
    assert tls.stored() == [LARGE]


def test_what_was_said_in_the_clear_does_not_count_after_tls(tls: Intake, trusting: ssl.SSLContext) -> None:
    with tls.client() as client:
        client.say("MAIL FROM:<evil@b.example>")
        client.start_tls(
            trusting, behind=b"EHLO x\r\nMAIL FROM:<evil@b.example>\r\n", hello="RCPT TO:<support@acme.example>"
        )

        assert client.offered.startswith("503 5.5.1 ")  # the first reply after TLS answers the first command after it
        assert client.say("MAIL FROM:<a@b.example>").startswith("503 5.5.1 ")  # not even the name is known any more
        assert client.say("EHLO client.example").startswith("250-")
        assert client.say("RCPT TO:<support@acme.example>").startswith("503 5.5.1 ")


def test_a_client_that_does_not_trust_us_leaves_no_session_behind(tls: Intake) -> None:
    for _ in range(10):  # twice as many as there are places
        with tls.client() as client, pytest.raises(ssl.SSLError):
            client.start_tls(ssl.create_default_context())
    with tls.client() as client:
        client.send(b"STARTTLS\r\n")
        client.reply()
        client.send(b"this is no handshake\r\n" * 10)
        while client.socket.recv(1000):
            pass

    with tls.client() as client:
        assert client.mail(MAIL).startswith("250 ")


def test_a_client_that_vanishes_inside_tls_leaves_no_session_behind(tls: Intake, trusting: ssl.SSLContext) -> None:
    for _ in range(10):
        client = tls.client()
        client.start_tls(trusting)
        client.envelope()
        client.send(LARGE)
        client.socket.close()
    with tls.client() as client:
        assert client.mail(MAIL).startswith("250 ")

    wait_for(tls, 1)


def test_clients_hear_of_the_stop_through_tls_and_amid_the_handshake(tls: Intake, trusting: ssl.SSLContext) -> None:
    with tls.client() as inside, tls.client() as midway:
        inside.start_tls(trusting)
        assert midway.say("STARTTLS").startswith("220 ")

        assert tls.listener.stop(20)

        assert inside.reply().startswith("421 4.3.2 ")
        assert midway.closed()


def test_a_certificate_that_is_none_is_told_of_at_once(certificate: Path, tmp_path: Path) -> None:
    shutil.copyfile(certificate, tmp_path / "alone.pem")

    with pytest.raises(ssl.SSLError):
        tls_context(tmp_path / "alone.pem", None)
    with pytest.raises(FileNotFoundError):
        tls_context(tmp_path / "none.pem", None)


def test_the_connection_of_a_reset_client_is_forgotten(intake: Intake) -> None:
    clients = [SmtpClient(intake.listener.address) for _ in range(5)]
    for client in clients:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()
    with intake.client() as client:
        assert client.say("NOOP") == "250 2.0.0 OK"

    intake.listener.stop(5)
    assert intake.listener.sessions == 0
