"""What one client, or many, may cost: size, number and time."""

import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from maild.services.smtp_listener import Limits
from maild.store.engine import Database
from tests.wire.listening import Intake, listening
from tests.wire.smtp_client import SmtpClient

MAIL = b"From: ada@customer.example\r\nSubject: The printer\r\n\r\nIt burns.\r\n"


@contextmanager
def bounded(database: Database, **limits: float) -> Iterator[Intake]:
    with listening(database, limits=Limits(**limits)) as intake:  # type: ignore[arg-type]  # each is a number
        yield intake


def test_a_mail_that_is_too_large_is_read_to_its_end_and_refused(sqlite_database: Database) -> None:
    with bounded(sqlite_database, size_bytes=100_000) as intake, intake.client() as client:
        assert client.mail(b"x" * 99_998 + b"\r\n").startswith("250 ")
        assert client.mail(b"y" * 99_999 + b"\r\n").startswith("552 5.3.4 ")
        assert client.mail(b"MAIL FROM:<a@b.example>\r\n" * 7_000) == "552 5.3.4 The mail is larger than 100000 bytes"
        assert client.say("NOOP") == "250 2.0.0 OK"

        assert len(intake.rows()) == 1


def test_a_mail_without_an_end_is_read_only_so_far(sqlite_database: Database) -> None:
    with bounded(sqlite_database, size_bytes=100_000) as intake, intake.client() as client:
        client.envelope()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            client.send((b"x" * 100_000 + b"\r\n") * 1_000)

        assert intake.rows() == []


def test_line_ends_that_grow_when_they_are_made_whole_count_in_full(sqlite_database: Database) -> None:
    with bounded(sqlite_database, size_bytes=100_000) as intake, intake.client() as client:
        client.envelope()
        client.send(b"\n" * 60_000 + b"\r\n.\r\n")

        assert client.reply().startswith("552 5.3.4 ")


def test_a_mail_has_only_so_many_recipients(sqlite_database: Database) -> None:
    with listening(sqlite_database, accepts=lambda _: True, limits=Limits(recipients=3)) as intake:
        with intake.client() as client:
            client.say("MAIL FROM:<a@b.example>")
            replies = [client.say(f"RCPT TO:<r{number}@acme.example>") for number in range(5)]
            client.say("DATA")
            assert client.content(MAIL).startswith("250 ")

        assert [reply[:9] for reply in replies] == ["250 2.1.5"] * 3 + ["452 4.5.3"] * 2
        assert len(intake.rows()[0].recipients) == 3


def test_a_client_that_errs_too_often_is_sent_away(sqlite_database: Database) -> None:
    with bounded(sqlite_database, errors=10) as intake, intake.client() as client:
        client.say("MAIL FROM:<a@b.example>")
        replies = [client.say(f"RCPT TO:<guess{number}@acme.example>") for number in range(10)]

        assert {reply[:9] for reply in replies} == {"550 5.1.1"}
        assert client.reply().startswith("421 4.7.0 ")
        assert client.closed()


def test_a_session_has_only_so_many_mails(sqlite_database: Database) -> None:
    with bounded(sqlite_database, mails=2) as intake, intake.client() as client:
        assert client.mail(MAIL).startswith("250 ")
        assert client.mail(MAIL).startswith("250 ")

        assert client.reply().startswith("421 4.7.0 ")
        assert client.closed()


def test_only_so_many_clients_are_served_at_a_time(sqlite_database: Database) -> None:
    with bounded(sqlite_database, connections=2) as intake:
        one, two = intake.client(), intake.client()
        with one, two, intake.client(hello=None) as third:
            assert third.greeting.startswith("421 4.3.2 ")
            assert third.closed()
            assert two.say("QUIT").startswith("221 ")
            assert two.closed()
            assert one.mail(MAIL).startswith("250 ")
        with intake.client() as fourth:
            assert fourth.say("NOOP").startswith("250 ")


def test_a_well_behaved_client_is_served_while_five_hundred_knock(sqlite_database: Database) -> None:
    with bounded(sqlite_database, connections=20) as intake:
        with intake.client() as client:
            crowd = [socket.create_connection(intake.listener.address, timeout=20) for _ in range(500)]
            began_s = time.monotonic()
            reply = client.mail(MAIL)
            took_s = time.monotonic() - began_s
            greetings = [each.recv(100)[:3] for each in crowd]
            for each in crowd:
                each.close()

        assert reply.startswith("250 ")
        assert took_s < 5
        assert greetings.count(b"220") == 19
        assert greetings.count(b"421") == 481


def test_silence_ends_a_session(sqlite_database: Database) -> None:
    with bounded(sqlite_database, command_s=0.1) as intake, intake.client(hello=None) as client:
        assert client.reply().startswith("421 4.4.2 ")
        assert client.closed()


def test_silence_inside_a_mail_ends_the_session_too(sqlite_database: Database) -> None:
    with bounded(sqlite_database, command_s=0.3) as intake, intake.client() as client:
        client.envelope()
        client.send(MAIL)

        assert client.reply().startswith("421 4.4.2 ")
        assert client.closed()
        assert intake.rows() == []


def test_a_client_that_waits_for_us_is_not_cut_for_its_silence(sqlite_database: Database) -> None:
    with bounded(sqlite_database, command_s=0.1, session_s=0.3) as intake, intake.client() as client:
        with intake.database.write():  # the commit has to wait meanwhile
            client.envelope()
            client.send(MAIL + b".\r\n")
            threading.Event().wait(0.5)

        assert client.reply().startswith("250 ")


def test_silence_ends_sooner_when_places_are_few(sqlite_database: Database) -> None:
    with bounded(sqlite_database, connections=1, crowded_command_s=0.1) as intake, intake.client() as client:
        assert client.reply().startswith("421 4.4.2 ")


def test_chatter_does_not_keep_a_session_alive(sqlite_database: Database) -> None:
    with bounded(sqlite_database, session_s=0.3) as intake, intake.client() as client:
        replies = [client.say("NOOP")]
        while replies[-1].startswith("250 "):
            replies.append(client.say("NOOP"))

        assert replies[-1].startswith("421 4.4.2 ")
        assert client.closed()


def test_a_mail_that_drips_is_cut(sqlite_database: Database) -> None:
    with bounded(sqlite_database, data_window_s=0.2, data_rate_bytes_s=10_000) as intake, intake.client() as client:
        client.envelope()
        client.send(b"x" * 5_000)
        client.socket.settimeout(0.01)
        for _ in range(2_000):
            client.send(b"x")
            try:
                reply = client.socket.recv(100)
            except TimeoutError:
                continue
            break

        assert reply.startswith(b"421 4.4.2 The mail comes too slowly")
        assert intake.rows() == []


def test_a_mail_that_comes_fast_enough_may_take_its_time(sqlite_database: Database) -> None:
    with bounded(sqlite_database, data_window_s=0.05, data_rate_bytes_s=100) as intake, intake.client() as client:
        client.envelope()
        pause = threading.Event()
        for _ in range(20):
            client.send(b"x" * 1_000 + b"\r\n")
            pause.wait(0.02)

        assert client.content(b"end\r\n").startswith("250 ")


@pytest.mark.parametrize("line", [b"x" * 1_000_000, b"NOOP " + b"x" * 1_000_000 + b"\r\n"])
def test_a_command_of_a_million_letters_is_not_kept(line: bytes, sqlite_database: Database) -> None:
    with listening(sqlite_database) as intake, intake.client() as client:
        client.send(line)

        assert client.reply().startswith("421 4.5.2 ")


def test_a_large_mail_is_not_in_memory_as_a_whole(sqlite_database: Database) -> None:
    line = b"a line of the attachment, which is as long as base64 makes them, and it goes on\r\n"
    with listening(sqlite_database) as intake, intake.client() as client:
        client.mail(MAIL)
        client.envelope()
        tracemalloc.start()
        try:
            for _ in range(2_000):
                client.send(line * 120)
            client.send(b".\r\n")
            reply = client.reply()
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert reply.startswith("250 ")
        assert intake.rows()[1].size_bytes > 2_000 * 120 * len(line)
        assert peak_bytes < 6_000_000


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r", b"ab\r\n", b"..\r\n"])
def test_hostile_lines_do_not_stop_the_others(line: bytes, sqlite_database: Database) -> None:
    stop = threading.Event()

    def flood(client: SmtpClient) -> None:
        client.envelope()
        block = line * (100_000 // len(line))
        while not stop.is_set():
            client.send(block)

    with listening(sqlite_database, limits=Limits(size_bytes=1 << 40)) as intake:
        hostile, other = intake.client(), intake.client()
        with hostile, other:
            flooding = threading.Thread(target=flood, args=[hostile])
            flooding.start()
            waits_s = []
            for _ in range(50):
                began_s = time.monotonic()
                assert other.say("NOOP") == "250 2.0.0 OK"
                waits_s.append(time.monotonic() - began_s)
            stop.set()
            flooding.join()

    assert sorted(waits_s)[40] < 1
