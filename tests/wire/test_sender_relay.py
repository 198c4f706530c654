"""One connection to a smarthost: what it is told, and what becomes of a mail when things go wrong."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maild.config.connections import Relay as RelaySettings
from maild.message.parse import parse
from maild.services.sender import Outcome, Relay, RelayTrouble, Result, relay
from tests.parts import free_port
from tests.wire.sink import DROP, STALL, Sink, certificate, sink

RAW = b"Subject: hello\r\n\r\nHello Ada\r\n"
ADA = "ada@customer.example"
BOB = "bob@customer.example"
BOUNCES = "support+b7.k2@acme.example"


def settings(smarthost: Sink, **more: object) -> RelaySettings:
    return RelaySettings.model_validate({"host": "localhost", "port": smarthost.port, "security": "none", **more})


@pytest.fixture
def smarthost() -> Iterator[Sink]:
    with sink() as running:
        yield running


@pytest.fixture
def connect(smarthost: Sink) -> Iterator[Callable[..., Relay]]:
    opened: list[Relay] = []

    def new(**more: object) -> Relay:
        opened.append(Relay(settings(smarthost, **more), "desk.acme.example"))
        return opened[-1]

    yield new
    for each in opened:
        each.close()


def only(results: dict[str, Result]) -> Result:
    [result] = results.values()
    return result


# --- a mail that gets through


def test_a_mail_arrives_as_it_was_given(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    result = only(connect().send(BOUNCES, [ADA], RAW))

    [mail] = smarthost.mails
    assert (mail.sender, mail.recipients, mail.raw) == (BOUNCES, (ADA,), RAW)
    assert result == Result(Outcome.SENT, "250 2.0.0 kept as 1")
    assert smarthost.commands[0] == "EHLO desk.acme.example"
    assert mail.options == f"SIZE={len(RAW)}"


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        (b"A: b\r\n\r\n.\r\n..\r\n.x\r\nend\r\n", None),
        (b".\r\n", None),
        (b"A: b\n\nbare\nlines", b"A: b\r\n\r\nbare\r\nlines\r\n"),
        (b"A: b\r\n\r\nlone \r CR\r\n", b"A: b\r\n\r\nlone \r\n CR\r\n"),
        (b"A: b\r\n\r\nx\n.\n smuggled", b"A: b\r\n\r\nx\r\n.\r\n smuggled\r\n"),
        (b"x" * 300_000 + b"\r\n", None),
    ],
)
def test_lines_and_dots_arrive_whatever_they_are(
    smarthost: Sink, connect: Callable[..., Relay], given: bytes, arrives: bytes | None
) -> None:
    assert only(connect().send("", [ADA], given)).outcome is Outcome.SENT

    assert [mail.raw for mail in smarthost.mails] == [arrives or given]


def test_a_connection_is_used_again(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    line = connect()
    for _ in range(5):
        line.send("", [ADA], RAW)

    assert len(smarthost.mails) == 5
    assert smarthost.connections == 1


def test_a_connection_is_not_used_for_ever(
    smarthost: Sink, connect: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MAILS_A_CONNECTION", 2)
    line = connect()
    for _ in range(5):
        line.send("", [ADA], RAW)

    assert [mail.connection for mail in smarthost.mails] == [1, 1, 2, 2, 3]


def test_an_idle_connection_is_closed(
    smarthost: Sink, connect: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = connect()
    line.send("", [ADA], RAW)

    assert line.close_if_idle()
    monkeypatch.setattr(relay, "IDLE_S", 0.0)
    assert not line.close_if_idle()
    assert smarthost.commands[-1] == "QUIT"


def test_a_connection_that_the_relay_closed_meanwhile_costs_nothing(
    smarthost: Sink, connect: Callable[..., Relay]
) -> None:
    line = connect()
    line.send("", [ADA], RAW)
    smarthost.on("MAIL", DROP, times=1)

    assert only(line.send("", [ADA], RAW)).outcome is Outcome.SENT
    assert [mail.connection for mail in smarthost.mails] == [1, 2]


def test_a_relay_that_always_ends_the_connection_is_not_asked_for_ever(
    smarthost: Sink, connect: Callable[..., Relay]
) -> None:
    line = connect()
    line.send("", [ADA], RAW)
    smarthost.on("MAIL", DROP)

    assert only(line.send("", [ADA], RAW)).outcome is Outcome.LATER
    assert smarthost.connections == 2


def test_a_mail_of_several_recipients_is_sent_once(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    results = connect().send("", [ADA, BOB], RAW)

    assert {each.outcome for each in results.values()} == {Outcome.SENT}
    assert [mail.recipients for mail in smarthost.mails] == [(ADA, BOB)]


# --- what a relay may say


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(("code", "outcome"), [("451", Outcome.LATER), ("554", Outcome.FAILED)])
def test_a_refusal_is_of_this_mail_only_and_in_the_relays_words(
    smarthost: Sink, connect: Callable[..., Relay], step: str, code: str, outcome: Outcome
) -> None:
    smarthost.on(step, f"{code} 5.7.1 not today", times=1)
    line = connect()

    assert only(line.send(BOUNCES, [ADA], RAW)) == Result(outcome, f"{code} 5.7.1 not today")
    assert smarthost.mails == []
    assert only(line.send(BOUNCES, [ADA], RAW)).outcome is Outcome.SENT
    assert smarthost.connections == 1


def test_an_envelope_is_said_at_one_go_where_that_is_offered(connect: Callable[..., Relay]) -> None:
    said: list[bytes] = []
    answers = (
        b"250-far.example\r\n250 PIPELINING",
        b"250 ok\r\n250 ok\r\n354 go ahead",
        b"250 2.0.0 kept",
        b"221 bye",
    )
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 far.example\r\n")
                for answer in answers:
                    said.append(connection.recv(1 << 16))
                    connection.sendall(answer + b"\r\n")

        serving = threading.Thread(target=serve)
        serving.start()
        line = connect(host="127.0.0.1", port=server.getsockname()[1])
        result = only(line.send(BOUNCES, [ADA], RAW))
        line.close()
        serving.join()

    assert result == Result(Outcome.SENT, "250 2.0.0 kept")
    assert said[1:3] == [f"MAIL FROM:<{BOUNCES}>\r\nRCPT TO:<{ADA}>\r\nDATA\r\n".encode(), RAW + b".\r\n"]


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
def test_a_relay_that_waits_for_a_mail_which_it_refused_gets_none(connect: Callable[..., Relay], step: str) -> None:
    answers = {"EHLO": "250-odd.example\r\n250 PIPELINING", "DATA": "354 go ahead", step: "550 5.7.1 not you"}
    others: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as said:
                connection.sendall(b"220 odd.example\r\n")
                for command in iter(said.readline, b""):
                    verb = command[:4].decode().upper()
                    if verb.strip() not in ("EHLO", "MAIL", "RCPT", "DATA"):
                        others.append(command)
                    connection.sendall(answers.get(verb, "250 ok").encode() + b"\r\n")

        serving = threading.Thread(target=serve)
        serving.start()
        result = only(connect(host="127.0.0.1", port=server.getsockname()[1]).send(BOUNCES, [ADA], RAW))
        serving.join()

    assert result == Result(Outcome.FAILED, "550 5.7.1 not you")
    assert others == []


def test_each_recipient_has_his_own_result(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    smarthost.on("RCPT", "550 5.1.1 no such user", about="bob@")
    smarthost.on("RCPT", "450 4.2.0 greylisted", about="eve@")

    results = connect().send("", [ADA, BOB, "eve@customer.example"], RAW)

    assert [each.outcome for each in results.values()] != []
    assert results[ADA].outcome is Outcome.SENT
    assert results[BOB] == Result(Outcome.FAILED, "550 5.1.1 no such user")
    assert results["eve@customer.example"] == Result(Outcome.LATER, "450 4.2.0 greylisted")
    assert [mail.recipients for mail in smarthost.mails] == [(ADA,)]


def test_words_of_a_relay_are_one_harmless_line(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    smarthost.on("RCPT", "550-5.1.1 see\r\n550-\x1b[2Jhttps://x.example\r\n550 \u202eenough")

    assert only(connect().send("", [ADA], RAW)).words == "550 5.1.1 see [2Jhttps://x.example enough"


def test_where_nobody_may_send_from_null_the_bounce_address_is_used(
    smarthost: Sink, connect: Callable[..., Relay]
) -> None:
    smarthost.on("MAIL", "550 5.7.60 you may not send as this sender", about="FROM:<>")
    line = connect()

    for _ in range(2):
        assert only(line.send("", [ADA], RAW, instead=BOUNCES)).outcome is Outcome.SENT
    assert [mail.sender for mail in smarthost.mails] == [BOUNCES, BOUNCES]
    assert sum("FROM:<>" in command for command in smarthost.commands) == 1  # it learned
    assert only(connect().send("", [ADA], RAW)).outcome is Outcome.FAILED


def test_an_address_beyond_ascii_needs_a_relay_that_takes_it(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    foreign = b"To: j\xc3\xbcrgen@x.example\r\n\r\nHi\r\n"

    assert only(connect().send("", ["jürgen@x.example"], foreign)).outcome is Outcome.SENT
    assert smarthost.mails[0].recipients == ("jürgen@x.example",)
    assert smarthost.mails[0].options.endswith("BODY=8BITMIME SMTPUTF8")
    smarthost.extensions = ("SIZE 1000",)
    refused = only(connect().send("", ["jürgen@x.example"], foreign))
    assert refused.outcome is Outcome.FAILED
    assert "SMTPUTF8" in refused.words
    assert only(connect().send("", [ADA], RAW)).outcome is Outcome.SENT


def test_a_foreign_address_among_the_recipients_keeps_the_mail_from_nobody_else(
    smarthost: Sink, connect: Callable[..., Relay]
) -> None:
    smarthost.extensions = ("SIZE 1000",)
    raw = "From: a@x.example\r\nTo: Ada <ada@x.example>\r\nCc: Jürgen <jürgen@x.example>, b@x.example\r\n\r\nHi\r\n"

    assert only(connect().send("", [ADA], raw.encode())).outcome is Outcome.SENT
    assert only(connect().send("", ["jürgen@x.example"], raw.encode())).outcome is Outcome.FAILED
    sent = smarthost.mails[0].raw
    assert sent.isascii()
    assert b"Cc: =?utf-8?b?SsO8cmdlbiA8asO8cmdlbkB4LmV4YW1wbGU+?=:;, b@x.example\r\n" in sent
    assert [each.address for each in parse(sent).cc if "@" in each.address] == ["b@x.example"]


# --- connections that end


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENT", "DOT"])
def test_a_connection_that_ends_within_a_mail_means_later(
    smarthost: Sink, connect: Callable[..., Relay], step: str
) -> None:
    smarthost.on(step, DROP, times=1)
    line = connect()

    result = only(line.send("", [ADA], RAW))

    assert result.outcome is Outcome.LATER
    assert ("may have been taken" in result.words) == (step in ("CONTENT", "DOT"))  # it cannot tell these two apart
    assert len(smarthost.mails) == (step == "DOT")
    assert only(line.send("", [ADA], RAW)).outcome is Outcome.SENT


def test_a_mail_whose_content_began_is_not_sent_again_at_once(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    line = connect()
    line.send("", [ADA], RAW)
    smarthost.on("DOT", DROP, times=1)

    assert only(line.send("", [ADA], RAW)).outcome is Outcome.LATER
    assert len(smarthost.mails) == 2


@pytest.mark.parametrize("step", ["MAIL", "DATA", "DOT"])
def test_a_relay_that_says_nothing_is_not_waited_for_longer_than_promised(
    smarthost: Sink, connect: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(relay, "COMMAND_S", 0.1)
    monkeypatch.setattr(relay, "DOT_S", 0.1)
    smarthost.on(step, STALL)
    begun_s = time.monotonic()

    assert only(connect().send("", [ADA], RAW)).outcome is Outcome.LATER
    assert time.monotonic() - begun_s < 5.0


def test_a_whole_mail_has_an_end(
    smarthost: Sink, connect: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MAIL_S", 0.1)
    smarthost.on("DATA", STALL)

    assert only(connect().send("", [ADA], RAW)).outcome is Outcome.LATER


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
def test_a_relay_that_is_going_down_means_later(smarthost: Sink, connect: Callable[..., Relay], step: str) -> None:
    smarthost.on(step, "421 4.3.2 shutting down", times=1)

    assert only(connect().send("", [ADA], RAW)) == Result(Outcome.LATER, "421 4.3.2 shutting down")


# --- a relay that cannot be used


def test_nobody_there_is_trouble_and_no_mails_fault() -> None:
    port = free_port()

    with pytest.raises(RelayTrouble, match=rf"localhost:{port}: Connection refused"):
        Relay(RelaySettings.model_validate({"host": "localhost", "port": port}), "x").send("", [ADA], RAW)


@pytest.mark.parametrize("greeting", ["421 too busy", "554 go away", DROP])
def test_a_relay_that_does_not_greet_is_trouble(smarthost: Sink, connect: Callable[..., Relay], greeting: str) -> None:
    smarthost.on("CONNECT", greeting, times=1)
    line = connect()

    with pytest.raises(RelayTrouble):
        line.send("", [ADA], RAW)
    assert only(line.send("", [ADA], RAW)).outcome is Outcome.SENT


def test_what_is_no_mail_server_is_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"\xff\x00 HTTP/1.1 400\r\n\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        where = {"host": "localhost", "port": server.getsockname()[1]}
        with pytest.raises(RelayTrouble):
            Relay(RelaySettings.model_validate(where), "x").send("", [ADA], RAW)
        thread.join()


def test_a_relay_that_wants_a_login_is_trouble(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    smarthost.users = {"maild": "secret"}

    with pytest.raises(RelayTrouble, match=r"530 5\.7\.0 Authentication required"):
        connect().send("", [ADA], RAW)


@pytest.mark.parametrize("offered", ["AUTH PLAIN", "AUTH LOGIN"])
def test_it_logs_in_with_any_password(smarthost: Sink, connect: Callable[..., Relay], offered: str) -> None:
    smarthost.users = {"maild": "pässword 漢"}
    smarthost.extensions = (offered,)

    assert only(connect(user="maild", password="pässword 漢").send("", [ADA], RAW)).outcome is Outcome.SENT
    assert smarthost.mails[0].user == "maild"


def test_a_wrong_password_is_trouble_and_is_not_told(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    smarthost.users = {"maild": "secret"}

    with pytest.raises(RelayTrouble, match="does not let maild log in: 535") as caught:
        connect(user="maild", password="hunter2").send("", [ADA], RAW)
    assert "hunter2" not in str(caught.value)


# --- encryption


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_leaves_encrypted(smarthost: Sink, connect: Callable[..., Relay], tmp_path: Path, security: str) -> None:
    smarthost.tls, authority = certificate(tmp_path)
    smarthost.tls_at_once = security == "tls"
    line = connect(security=security, tls_ca_file=str(authority), user="maild", password="secret")
    smarthost.users = {"maild": "secret"}

    assert only(line.send("", [ADA], RAW)).outcome is Outcome.SENT
    assert smarthost.mails[0].encrypted
    said = [command.split()[0] for command in smarthost.commands]
    assert said[: said.index("MAIL")] == (
        ["EHLO", "STARTTLS", "EHLO", "AUTH"] if security == "starttls" else ["EHLO", "AUTH"]
    )


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_proves_nothing_is_trouble(
    smarthost: Sink, connect: Callable[..., Relay], tmp_path: Path, security: str
) -> None:
    smarthost.tls, _ = certificate(tmp_path)
    smarthost.tls_at_once = security == "tls"

    with pytest.raises(RelayTrouble, match="its certificate cannot be trusted"):
        connect(security=security).send("", [ADA], RAW)
    assert smarthost.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_host_is_trouble(
    smarthost: Sink, connect: Callable[..., Relay], tmp_path: Path, security: str
) -> None:
    smarthost.tls, authority = certificate(tmp_path, "elsewhere.example")
    smarthost.tls_at_once = security == "tls"

    with pytest.raises(RelayTrouble, match=r"[Hh]ostname"):
        connect(security=security, tls_ca_file=str(authority)).send("", [ADA], RAW)


def test_a_connection_that_takes_all_the_time_of_a_mail_is_trouble(
    smarthost: Sink, connect: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MAIL_S", 0.0)

    with pytest.raises(RelayTrouble, match="took longer"):
        connect().send("", [ADA], RAW)


def test_without_starttls_nothing_is_said_in_the_clear(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    with pytest.raises(RelayTrouble, match="does not offer STARTTLS"):
        connect(security="starttls").send("", [ADA], RAW)
    assert [command.split()[0] for command in smarthost.commands] == ["EHLO"]


def test_a_probe_connects_and_says_what_is_wrong(smarthost: Sink, connect: Callable[..., Relay]) -> None:
    line = connect()

    line.probe()

    assert [command.split()[0] for command in smarthost.commands] == ["EHLO", "QUIT"]
    smarthost.on("CONNECT", "554 go away")
    with pytest.raises(RelayTrouble, match="554 go away"):
        line.probe()
