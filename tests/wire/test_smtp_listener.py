"""What clients of the listener see, and what is stored of what they send."""

import socket
import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from maild.inbox import raw_of
from maild.message.identity import fingerprint
from maild.services.smtp_listener import Limits, SmtpListener
from maild.store.engine import Database
from tests.clock import NOON, FakeClock
from tests.wire.listening import Intake, listening

MAIL = b"From: ada@customer.example\r\nSubject: The printer\r\nMessage-ID: <1@customer.example>\r\n\r\nIt burns.\r\n"


@pytest.fixture
def intake(sqlite_database: Database) -> Iterator[Intake]:
    with listening(sqlite_database) as listener:
        yield listener


@pytest.fixture
def lmtp(sqlite_database: Database) -> Iterator[Intake]:
    with listening(sqlite_database, protocol="lmtp") as listener:
        yield listener


def test_the_listener_says_what_it_can(intake: Intake) -> None:
    with intake.client() as client:
        assert client.greeting == "220 desk.acme.example ESMTP maild"
        assert client.offered.splitlines() == [
            "250-desk.acme.example",
            "250-PIPELINING",
            "250-SIZE 26214400",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250-ENHANCEDSTATUSCODES",
            "250 HELP",
        ]
        assert client.say("QUIT") == "221 2.0.0 Bye"
        assert client.closed()


def test_a_mail_that_was_answered_250_is_stored_whole(intake: Intake) -> None:
    with intake.client() as client:
        reply = client.mail(MAIL, "ada@customer.example", "support@acme.example", "sales@acme.example")

    [row] = intake.rows()
    assert reply == f"250 2.0.0 Stored as {row.id}"
    assert intake.stored() == [MAIL]
    assert row.envelope_from == "ada@customer.example"
    assert row.recipients == ["support@acme.example", "sales@acme.example"]
    assert row.source == "smtp 127.0.0.1"
    assert row.stored_at == NOON
    assert bytes(row.fingerprint) == fingerprint(MAIL)


def test_the_same_mail_again_is_the_same_row(intake: Intake) -> None:
    with intake.client() as client:
        first = client.mail(MAIL)
        again = client.mail(MAIL, "ada@customer.example", "sales@acme.example")

    assert first == again
    [row] = intake.rows()
    assert row.recipients == ["support@acme.example", "sales@acme.example"]


def test_the_null_sender_is_empty(intake: Intake) -> None:
    with intake.client() as client:
        client.mail(MAIL, "")

    [row] = intake.rows()
    assert row.envelope_from == ""


def test_a_client_of_old_may_send_too(intake: Intake) -> None:
    with intake.client("HELO client.example") as client:
        assert client.offered == "250 desk.acme.example"
        assert client.say("MAIL FROM:<a@b.example> SIZE=5").startswith("501 5.5.4 ")
        assert client.mail(MAIL).startswith("250 ")


def test_all_commands_may_come_at_once(intake: Intake) -> None:
    session = (
        b"EHLO client.example\r\nMAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<support@acme.example>\r\n"
        b"RCPT TO:<nobody@acme.example>\r\nDATA\r\n" + MAIL + b".\r\nMAIL FROM:<c@b.example>\r\n"
        b"RCPT TO:<sales@acme.example>\r\nDATA\r\nSubject: two\r\n\r\n.\r\nQUIT\r\n"
    )
    with intake.client(hello=None) as client:
        client.send(session)
        codes = [client.reply()[:3] for _ in range(11)]

    assert codes == ["250", "250", "250", "550", "354", "250", "250", "250", "354", "250", "221"]
    assert intake.stored() == [MAIL, b"Subject: two\r\n\r\n"]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("RSET", "250 2.0.0 "),
        ("NOOP hello", "250 2.0.0 "),
        ("VRFY support", "252 2.5.0 "),
        ("HELP", "214 2.0.0 "),
        ("EXPN all", "500 5.5.2 "),
        ("AUTH PLAIN AGEAYg==", "502 5.5.1 "),
        ("STARTTLS", "502 5.5.1 "),
        ("LHLO x", "500 5.5.2 "),
        ("EHLO", "501 5.5.4 "),
        ("HELO", "501 5.5.4 "),
        ("", "500 5.5.2 "),
        ("\udcff\udcfe", "500 5.5.2 "),
        ("x" * 3000, "500 5.5.2 "),
        ("RCPT TO:<support@acme.example>", "503 5.5.1 "),
        ("DATA", "503 5.5.1 "),
        ("DATA now", "501 5.5.4 "),
        ("MAIL FROM:", "501 5.5.4 "),
        ("MAIL TO:<a@b.example>", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> SIZE=x", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> COLOUR=RED", "555 5.5.4 "),
        ("MAIL FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> SIZE=26214401", "552 5.3.4 "),
        ("MAIL FROM:<a@b.example> SIZE=26214400", "250 2.1.0 "),
        ("MAIL FROM:<a\u202eb@b.example> SMTPUTF8", "553 5.1.7 "),
        ("MAIL FROM:<a\udcffb@b.example>", "553 5.1.7 "),
        (f"MAIL FROM:<{'a' * 320}@b.example>", "553 5.1.7 "),
        ('MAIL FROM:<"ada b"@b.example>', "250 2.1.0 "),
        ("MAIL FROM:<ü@bücher.example> SMTPUTF8", "250 2.1.0 "),
        ("MAIL FROM:<@relay.example:a@b.example>", "250 2.1.0 "),
        ("mail from:<a@b.example>", "250 2.1.0 "),
    ],
)
def test_a_command_is_answered_by_its_meaning(command: str, reply: str, intake: Intake) -> None:
    with intake.client() as client:
        assert client.say(command).startswith(reply)


@pytest.mark.parametrize("hello", ["EHLO client.example", "HELO client.example", "NOOP"])
def test_a_plain_command_is_answered_like_one_that_takes_the_long_way(hello: str, intake: Intake) -> None:
    commands = (
        "RCPT TO:<support@acme.example>",
        "MAIL FROM:<ada@customer.example> SIZE=99999999999",
        "mail from:<ada@customer.example> SIZE=100 BODY=8BITMIME",
        "MAIL FROM:<ada@customer.example>",
        "MAIL FROM:<bob@customer.example>",
        "RCPT TO:<nobody@acme.example>",
        "RCPT TO:<support@acme.example>",
        "rcpt to:<SUPPORT@acme.example>",
    )
    with intake.client() as plain, intake.client() as odd:
        for client in (plain, odd):
            client.say(hello)

        # a space at the end is nothing that a short way would know
        assert [plain.say(each) for each in commands] == [odd.say(f"{each} ") for each in commands]


def test_a_client_must_say_its_name_first(intake: Intake) -> None:
    with intake.client(hello=None) as client:
        assert client.say("MAIL FROM:<a@b.example>").startswith("503 5.5.1 ")
        assert client.say("DATA").startswith("503 5.5.1 ")


@pytest.mark.parametrize(
    "recipient",
    [
        "someone@elsewhere.example",
        "support@elsewhere.example",
        "support%elsewhere.example@acme.example",
        "elsewhere.example!support@acme.example",
        "@acme.example:someone@elsewhere.example",
        '"support@elsewhere.example"@acme.example',
        "support@acme.example@elsewhere.example",
        "support",
        "x\u202esupport@acme.example",
    ],
)
def test_nobody_is_relayed_for(recipient: str, intake: Intake) -> None:
    with intake.client() as client:
        client.say("MAIL FROM:<a@b.example>")

        assert client.say(f"RCPT TO:<{recipient}>")[:5] in ("550 5", "553 5")
        assert client.say("DATA") == "554 5.5.1 No valid recipients"
    assert intake.rows() == []


@pytest.mark.parametrize(
    "recipient", ["<postmaster>", "<@relay.example:support@acme.example>", " <support@acme.example>"]
)
def test_our_addresses_are_known_in_their_odd_forms_too(recipient: str, intake: Intake) -> None:
    with intake.client() as client:
        client.say("MAIL FROM:<a@b.example>")

        assert client.say(f"RCPT TO:{recipient}") == "250 2.1.5 OK"


def test_addresses_beyond_ascii_come_in_and_are_stored(intake: Intake) -> None:
    with intake.client() as client:
        client.say("MAIL FROM:<jürgen@bücher.example> SMTPUTF8")
        assert client.say("RCPT TO:<hilfe@bücher.example>") == "250 2.1.5 OK"
        client.say("DATA")
        assert client.content("Subject: Größe\r\n\r\nü\r\n".encode()).startswith("250 ")

    [row] = intake.rows()
    assert (row.envelope_from, row.recipients) == ("jürgen@bücher.example", ["hilfe@bücher.example"])
    assert intake.stored() == ["Subject: Größe\r\n\r\nü\r\n".encode()]


def test_a_recipient_named_twice_is_one(intake: Intake) -> None:
    with intake.client() as client:
        client.mail(MAIL, "a@b.example", "support@acme.example", "support@acme.example")

    [row] = intake.rows()
    assert row.recipients == ["support@acme.example"]


@pytest.mark.parametrize(
    "ending",
    [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n", b"\n\n.\r\r\n"],
)
def test_no_second_mail_can_be_smuggled_in(ending: bytes, intake: Intake) -> None:
    with intake.client() as client:
        client.envelope()
        client.send(
            b"Subject: one\r\n\r\ntext" + ending + b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<sales@acme.example>\r\n"
            b"DATA\r\nSubject: two\r\n\r\n.\r\nNOOP\r\n"
        )

        assert client.reply().startswith("554 5.5.2 ")
        assert client.reply() == "250 2.0.0 OK"  # the NOOP: nothing before it was taken for a command
    assert intake.rows() == []


def test_lone_line_ends_are_made_whole(intake: Intake) -> None:
    with intake.client() as client:
        client.envelope()
        client.send(b"Subject: a\nTo: b\rCc: c\r\n\n\rtext\n\r\n.\r\n")
        assert client.reply().startswith("250 ")

    assert intake.stored() == [b"Subject: a\r\nTo: b\r\nCc: c\r\n\r\n\r\ntext\r\n\r\n"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\r\n",
        b".\r\n..\r\n.a\r\n",
        b"Subject: " + b"x" * 3_000_000 + b"\r\n",
        b"\xff\xfe caf\xe9\r\n",
        b"\r\n" * 500_000 + b"end\r\n",
    ],
    ids=["empty", "NUL", "dots", "long line", "8 bit", "empty lines"],
)
def test_any_content_is_stored_as_it_is(raw: bytes, intake: Intake) -> None:
    with intake.client() as client:
        assert client.mail(raw).startswith("250 ")

    assert intake.stored() == [raw]


def test_a_mail_that_goes_round_is_refused(intake: Intake) -> None:
    with intake.client() as client:
        assert client.mail(b"Received: from x by y; now\r\n" * 50 + MAIL).startswith("250 ")
        assert client.mail(b"RECEIVED: from x by y; now\r\n" * 51 + MAIL).startswith("554 5.4.6 ")
        assert client.mail(b"Subject: z\r\n\r\n" + b"Received: x\r\n" * 60).startswith("250 ")

    assert len(intake.rows()) == 2


def test_the_mail_tells_how_it_came(intake: Intake, sqlite_database: Database) -> None:
    with intake.client("EHLO mx.customer.example") as client:
        client.mail(MAIL)

    with sqlite_database.read() as connection:
        assert raw_of(connection, 1) == (
            b"Received: from mx.customer.example ([127.0.0.1])\r\n"
            b"\tby desk.acme.example (maild) with ESMTP\r\n"
            b"\tfor <support@acme.example>;\r\n"
            b"\tMon, 02 Mar 2026 12:00:00 +0000\r\n" + MAIL
        )


def test_lmtp_answers_once_for_each_recipient(lmtp: Intake) -> None:
    with lmtp.client("LHLO mta.example") as client:
        assert client.greeting == "220 desk.acme.example LMTP maild"
        assert "250-PIPELINING" in client.offered
        assert client.mail(MAIL, "", "support@acme.example", "sales@acme.example") == "250 2.0.0 Stored as 1"
        assert client.reply() == "250 2.0.0 Stored as 1"
        assert client.say("NOOP") == "250 2.0.0 OK"
        assert client.mail(b"a\n.\r\n", "", "support@acme.example", "sales@acme.example").startswith("554 5.5.2 ")
        assert client.reply().startswith("554 5.5.2 ")
        assert client.say("NOOP") == "250 2.0.0 OK"

    [row] = lmtp.rows()
    assert row.recipients == ["support@acme.example", "sales@acme.example"]
    assert row.source == "lmtp 127.0.0.1"


@pytest.mark.parametrize("command", ["EHLO x", "HELO x"])
def test_lmtp_is_not_greeted_as_smtp(command: str, lmtp: Intake) -> None:
    with lmtp.client(hello=None) as client:
        assert client.say(command).startswith("500 5.5.2 ")


def test_a_socket_that_was_opened_before_is_served(sqlite_database: Database) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    early = socket.create_connection(given.getsockname(), timeout=20)

    with early, listening(sqlite_database, sockets=[given]) as intake:
        assert intake.listener.address == given.getsockname()
        assert early.recv(100).startswith(b"220 ")


def test_a_socket_of_the_file_system_is_served(sqlite_database: Database) -> None:
    path = sqlite_database.path.with_name("lmtp.sock")
    with socket.socket(socket.AF_UNIX) as given, socket.socket(socket.AF_UNIX) as client:
        given.bind(str(path))
        with listening(sqlite_database, sockets=[given], protocol="lmtp") as intake:
            client.settimeout(20)
            client.connect(str(path))
            client.sendall(
                b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<support@acme.example>\r\nDATA\r\n" + MAIL + b".\r\nQUIT\r\n"
            )
            while client.recv(4096):
                pass

            [row] = intake.rows()
            assert row.source == "lmtp"


def test_a_port_that_is_taken_is_told_of_at_the_start(intake: Intake) -> None:
    second = SmtpListener(
        intake.inbox.submit, lambda _: True, FakeClock(), hostname="x", listen=intake.listener.address
    )

    with pytest.raises(OSError, match="address already in use"):
        second.start()
    assert not second.healthy()


def test_the_watchdog_sees_a_loop_that_hangs(sqlite_database: Database) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def accepts(_address: str) -> bool:
        asked.set()
        return go_on.wait(20)

    with listening(sqlite_database, accepts=accepts) as intake, intake.client() as client:
        assert intake.listener.healthy()
        client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<support@acme.example>\r\n")
        assert asked.wait(20)

        assert not intake.listener.healthy(patience_s=0.05)
        go_on.set()
        assert intake.listener.healthy()
    assert not intake.listener.healthy()


def test_a_good_session_is_told_of_by_its_mail_and_a_bad_one_by_a_line(intake: Intake) -> None:
    with capture_logs() as lines:
        with intake.client() as client:
            client.mail(MAIL)
            client.say("QUIT")
            assert client.closed()
        with intake.client() as client:
            client.say("MAIL FROM:<a@b.example>")
            client.say("RCPT TO:<nobody@acme.example>")
            client.say("QUIT")
            assert client.closed()
        intake.listener.stop(5)
        intake.inbox.stop(20)

    told = {line["event"]: line for line in lines}
    assert len(lines) == len(told) == 3
    assert told["stored"]["mail"] == 1
    assert told["recipient refused"]["recipient"] == "nobody@acme.example"
    assert told["session ended"]["errors"] == 1


def test_a_thousand_mails_of_twenty_clients_are_stored_exactly_once(database: Database) -> None:
    answers: list[list[str]] = [[] for _ in range(20)]

    def send(number: int) -> None:
        with intake.client() as client:
            for each in range(50):
                answers[number].append(client.mail(b"Message-ID: <%d.%d@b>\r\n\r\n" % (number, each)))

    with listening(database, limits=Limits(connections=20)) as intake:
        threads = [threading.Thread(target=send, args=[number]) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        told = {reply for replies in answers for reply in replies}
        rows = intake.rows()
        assert told == {f"250 2.0.0 Stored as {row.id}" for row in rows}
        assert len(rows) == 1000
        assert len(set(intake.stored())) == 1000
