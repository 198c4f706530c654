"""A server that breaks off, hangs, lies and repeats at every step: what it ever showed is in the store exactly once."""

import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from maild.config import parse
from maild.inbox import GroupCommit
from maild.services.imap_poller import Connection, Poller, Watchdog, fetching
from maild.services.imap_poller.trouble import Trouble
from maild.services.imap_poller.wire import Pace
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.wire import imap_server
from tests.wire.imap_reading import DESK, Reading, mail, settings_for
from tests.wire.imap_server import Imap, serving

HASTE = Pace(connect_s=1, operation_s=0.3, idle_s=0, save_s=0, poll_s=0, first_pause_s=0.01, longest_pause_s=0.02)


@pytest.fixture
def server() -> Iterator[Imap]:
    with serving(Imap()) as running:
        yield running


def settings_of(server: Imap, more: str = "", name: str = "inbox"):
    return settings_for("127.0.0.1", server.port, "support", more, name=name)


@pytest.fixture
def reading(sqlite_database: Database, server: Imap, clock: FakeClock) -> Iterator[Reading]:
    made = Reading(sqlite_database, settings_of(server), clock, HASTE)
    yield made
    made.close()


def begin_anew(reading: Reading, server: Imap, after: str) -> None:
    """Have an empty mailbox, read for the first time, with mail that came since."""
    with reading.database.write() as connection:
        for table in ("raw", "delivery", "mail", "mailbox"):
            connection.exec_driver_sql(f"delete from {table}")
    server.fault = lambda _number, _piece: None
    server.folders = {"INBOX": {}, "Done": {}}
    server.shown = set()
    reading.hire(settings_of(server, after))
    reading.read()


AFTER = ['after = "keep"', 'after = "seen"', 'after = "delete"', 'after = "move"\nmove_to = "Done"']


@pytest.mark.parametrize(
    "fault",
    [
        imap_server.DROP,
        imap_server.HALF,
        imap_server.TWICE,
        imap_server.GARBAGE,
        imap_server.NO,
        imap_server.BAD,
        imap_server.BYE,
    ],
)
def test_a_fault_at_any_step_loses_and_doubles_nothing(reading: Reading, server: Imap, fault: str) -> None:
    place, last = 0, 1
    while place < last:
        begin_anew(reading, server, AFTER[place % len(AFTER)])
        mails = [mail() for _ in range(3)]
        first = server.pieces
        server.fault = lambda number, _piece, at=first + place: fault if number == at else None
        reading.worker._hang_up()  # so that logging in is among the steps
        server.add(*mails)
        reading.read()
        last = server.pieces - first

        assert reading.raws() == dict.fromkeys(mails, 1), f"{fault} instead of piece {place} of {last}"
        assert set(mails) <= server.shown
        place += 1
    assert last > 25


@pytest.mark.parametrize("idle", ["IDLE", ""])
@pytest.mark.parametrize("after", AFTER)
def test_connections_that_break_after_any_number_of_bytes_lose_and_double_nothing(
    reading: Reading, server: Imap, after: str, idle: str
) -> None:
    server.capabilities = f"IMAP4rev1 MOVE UIDPLUS {idle}"
    begin_anew(reading, server, after)
    dice = random.Random(after + idle)
    server.lasts = lambda: dice.randrange(200, 20_000)
    reading.worker._hang_up()
    mails = [mail(body="x" * dice.randrange(2000)) for _ in range(150)]
    for start in range(0, len(mails), 30):
        server.add(*mails[start : start + 30])
        for _ in range(12):
            reading.clock.advance(seconds=max(1.0, reading.worker.step()))
    server.lasts = lambda: None
    reading.worker._hang_up()
    reading.read()

    assert reading.raws() == dict.fromkeys(mails, 1)
    assert server.connections > 10
    if "delete" in after or "move" in after:
        assert server.inbox == {}


@pytest.mark.parametrize("fault", [imap_server.HANG, imap_server.DRIP])
def test_a_server_that_hangs_or_drips_is_left_at_the_deadline(reading: Reading, server: Imap, fault: str) -> None:
    begin_anew(reading, server, AFTER[1])
    reading.worker._hang_up()
    server.add(mail())
    first = server.pieces
    reading.read()
    pieces = server.pieces - first
    for place in range(0, pieces, 4):
        begin_anew(reading, server, AFTER[1])
        new = mail()
        server.fault = lambda number, _piece, at=server.pieces + place: fault if number == at else None
        reading.worker._hang_up()
        server.add(new)
        began_s = time.monotonic()
        reading.read()

        assert reading.raws() == {new: 1}
        assert time.monotonic() - began_s < 5


def test_a_flood_is_dammed(reading: Reading, server: Imap) -> None:
    begin_anew(reading, server, AFTER[0])
    new = mail()
    server.fault = lambda number, piece: imap_server.FLOOD if b"FETCH" in piece and number < flooded else None
    flooded = server.pieces + 60
    server.add(new)
    errors = []
    for _ in range(6):
        reading.worker.step()
        errors.append(reading.row.error or "")
        reading.clock.advance(seconds=1)
    assert any("more than it was asked for" in each or "not done within" in each for each in errors)

    server.fault = lambda _number, _piece: None
    reading.clock.advance(hours=1)
    reading.read()
    assert reading.raws() == {new: 1}


@pytest.mark.parametrize("how", ["a flood", "a literal of 4 GB"])
def test_more_than_was_asked_for_is_not_even_read(
    sqlite_database: Database, server: Imap, clock: FakeClock, how: str
) -> None:
    reading = Reading(
        sqlite_database, settings_of(server), clock, Pace(operation_s=60, idle_s=0, save_s=0, first_pause_s=0.01)
    )
    reading.read()
    server.add(mail())
    if how == "a flood":
        server.fault = lambda _number, piece: imap_server.FLOOD if b"FETCH" in piece else None
    else:
        server.rewrite = lambda piece: piece.replace(b"BODY[] {", b"BODY[] {40000000")
    began_s = time.monotonic()
    reading.worker.step()

    assert "more than it was asked for" in reading.row.error
    assert time.monotonic() - began_s < 30
    reading.close()


LIES = {
    "a literal of 4 GB": lambda piece: piece.replace(b"BODY[] {", b"BODY[] {40000000"),
    "another mail than asked for": lambda piece: piece.replace(b"FETCH (UID ", b"FETCH (UID 9"),
    "no mail at all": lambda piece: b"" if b"BODY[] {" in piece else piece,
    "NIL": lambda piece: b"* 1 FETCH (UID 1 BODY[] NIL)\r\n* 2 FETCH (FLAGS {1}\r\n" if b"BODY[] {" in piece else piece,
    "a search that is not ASCII": lambda piece: piece.replace(b"* SEARCH ", b"* SEARCH \xff"),
    "parentheses without an end": lambda piece: piece.replace(b"RFC822.SIZE", b"(" * 20_000 + b"RFC822.SIZE"),
    "unbalanced parentheses": lambda piece: piece.replace(b"RFC822.SIZE", b")))RFC822.SIZE"),
    "a line of 2 MB": lambda piece: piece.replace(b"RFC822.SIZE", b"X" * 2_000_000 + b" 1 RFC822.SIZE"),
    "a size that is too small": lambda piece: piece.replace(b"RFC822.SIZE 2", b"RFC822.SIZE 0"),
    "a size that is too large": lambda piece: piece.replace(b"RFC822.SIZE ", b"RFC822.SIZE 99"),
    "no size": lambda piece: piece.replace(b"RFC822.SIZE", b"X-SIZE"),
    "an OK without words": lambda piece: piece[:-7] + b"\r\n" if piece.endswith(b"OK done\r\n") else piece,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_for_a_while_loses_no_mail(reading: Reading, server: Imap, lie: str) -> None:
    begin_anew(reading, server, AFTER[2])
    mails = [mail(), mail()]
    server.rewrite = LIES[lie]
    server.add(*mails)
    for _ in range(25):
        reading.clock.advance(seconds=max(1.0, reading.worker.step()))
    assert set(reading.raws()) <= set(mails)
    stored = reading.raws().total()
    assert stored + len(server.inbox) >= 2, "deleted before it was stored"

    server.rewrite = lambda piece: piece
    reading.clock.advance(days=2)
    for _ in range(40):
        reading.clock.advance(seconds=max(1.0, reading.worker.step()))
    reading.read()
    assert reading.raws() == dict.fromkeys(mails, 1)
    assert server.inbox == {}


def test_what_the_server_names_and_does_not_give_is_asked_for_again_soon(reading: Reading, server: Imap) -> None:
    begin_anew(reading, server, AFTER[2])
    mails = [mail(), mail(), mail()]
    [_, second, _] = server.add(*mails)
    there = f"FETCH (UID {second} BODY[]".encode()
    server.rewrite = lambda piece: piece.replace(there, b"FETCH (UID 999 BODY[]")
    reading.read()
    assert reading.raws() == {mails[0]: 1, mails[2]: 1}
    assert list(server.inbox) == [second]

    server.rewrite = lambda piece: piece
    reading.clock.advance(minutes=5)
    reading.read()
    assert reading.raws() == dict.fromkeys(mails, 1)
    assert server.inbox == {}


def test_mail_of_which_search_knows_nothing_comes_all_the_same(reading: Reading, server: Imap) -> None:
    begin_anew(reading, server, AFTER[2])
    server.answers = {"UID SEARCH": "OK done"}  # GNU imap4d answers so to "UID 5:*"
    mails = [mail(), mail()]
    server.add(*mails)
    reading.read()

    assert reading.raws() == dict.fromkeys(mails, 1)
    assert server.inbox == {}


WAYS = {
    "a size that is far too small": lambda piece: re.sub(rb"RFC822.SIZE \d+", b"RFC822.SIZE 20", piece),
    "a size that is three times too large": lambda piece: re.sub(rb"RFC822.SIZE \d+", b"RFC822.SIZE 19000000", piece),
    "no pieces": lambda piece: piece.replace(b"BODY[]<0>", b"X-NO-SUCH-THING"),
    "pieces that are named wrongly": lambda piece: re.sub(rb"BODY\[]<(\d+)>", rb"BODY[]<\1.1048576>", piece),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_large_mail_that_does_not_come_one_way_comes_another(reading: Reading, server: Imap, way: str) -> None:
    begin_anew(reading, server, AFTER[2])
    large, small = mail(body="\r\n".join(["y" * 70] * 90_000)), mail()
    server.rewrite = WAYS[way]
    server.add(large, small)
    for _ in range(8):
        reading.clock.advance(seconds=max(1.0, reading.worker.step()))

    assert reading.raws() == {large: 1, small: 1}
    assert server.inbox == {}


THROTTLED = "Request is throttled. Suggested Backoff Time: 92415 milliseconds"


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH", "IDLE"])
@pytest.mark.parametrize("word", ["NO", "BAD"])
def test_a_server_that_throttles_is_left_alone_for_as_long_as_it_asks(
    sqlite_database: Database, server: Imap, clock: FakeClock, command: str, word: str
) -> None:
    reading = Reading(
        sqlite_database, settings_of(server), clock, Pace(operation_s=5, idle_s=0, save_s=0, first_pause_s=0.01)
    )
    reading.read()
    mails = [mail() for _ in range(30)]
    server.add(*mails)
    reading.worker._hang_up()
    server.answers = {command: f"{word} {THROTTLED}"}
    for _ in range(5):
        if pause_s := reading.worker.step():
            break
    connections = server.connections
    for _ in range(9):
        assert reading.worker.step() > 0
        clock.advance(seconds=10)

    assert pause_s == pytest.approx(92.415)
    assert "throttled" in reading.row.error
    assert server.connections == connections
    assert reading.row.missed is None
    server.answers = {}
    clock.advance(seconds=10)
    reading.read(steps=12)
    assert reading.raws() == dict.fromkeys(mails, 1)
    reading.close()


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_a_server_that_waits_for_tls_is_told_from_one_that_is_silent(server: Imap, security: str) -> None:
    server.fault = lambda _number, _piece: imap_server.HANG
    settings = settings_for("127.0.0.1", server.port, "support", security=security)
    connection = Connection(settings.mailboxes[0], Watchdog(), HASTE)
    with pytest.raises(Trouble, match="says nothing within 1 s") as caught:
        connection.open()

    assert 'use security = "tls"' in caught.value.fix


@pytest.mark.parametrize(
    ("command", "said", "told", "fix"),
    [
        ("LOGIN", "NO [ALERT] Application-specific password required (Failure)", "logging in: ", "app password"),
        (
            "EXAMINE",
            "BAD User is authenticated but not connected.\r\n* BYE Connection closed. 14",
            "INBOX: ",
            "no mailbox",
        ),
        ("EXAMINE", "NO [NONEXISTENT] Unknown Mailbox: INBOX (Failure)", "INBOX: ", 'did you mean "Inbox"?'),
        ("UID SEARCH", "NO [UNAVAILABLE] SEARCH Server error", "looking for mail: ", "fault at the provider"),
    ],
)
def test_what_a_provider_refuses_is_told_with_what_to_do(
    server: Imap, command: str, said: str, told: str, fix: str
) -> None:
    server.folders = {"Inbox": {}} if "NONEXISTENT" in said else server.folders
    server.answers = {command: said}
    connection = Connection(settings_of(server).mailboxes[0], Watchdog(), HASTE)

    def visit() -> None:
        connection.open()
        connection.log_in("u", "secret")
        connection.open_folder("INBOX", to_write=False)
        connection.uids_after(0, 1)

    with pytest.raises(Trouble) as caught:
        visit()

    assert told in str(caught.value)
    assert fix in caught.value.fix
    connection.close()


def test_the_operator_is_told_at_once_of_a_long_pause(
    sqlite_database: Database, server: Imap, clock: FakeClock
) -> None:
    reading = Reading(sqlite_database, settings_of(server), clock, HASTE)
    server.answers = {"LOGIN": "NO Request is throttled. Suggested Backoff Time: 3000000 milliseconds"}
    reading.worker.step()

    assert reading.row.alerted_at == clock()
    reading.close()


def test_a_folder_whose_name_cannot_be_read_hides_no_other(server: Imap) -> None:
    server.folders |= {"&!!-": {}, "B&APw-cher": {}}
    connection = Connection(settings_of(server).mailboxes[0], Watchdog(), HASTE)
    connection.open()
    connection.log_in("u", "secret")

    assert connection.folders() == ["Bücher", "INBOX"]
    connection.close()


def test_one_mail_at_which_the_server_breaks_holds_up_no_other(reading: Reading, server: Imap) -> None:
    begin_anew(reading, server, AFTER[0])
    mails = [mail() for _ in range(40)]
    server.fault = lambda _number, piece: imap_server.DROP if piece == mails[17] else None
    server.add(*mails)
    for _ in range(60):
        reading.clock.advance(seconds=max(1.0, reading.worker.step()))
    assert reading.raws() == dict.fromkeys([each for each in mails if each is not mails[17]], 1)
    assert reading.row.missed is not None
    reading.clock.advance(minutes=10)
    connections = server.connections
    for _ in range(60):
        reading.clock.advance(seconds=max(1.0, reading.worker.step()))
    assert server.connections <= connections + 2  # it is not tried all the time

    server.fault = lambda _number, _piece: None
    reading.clock.advance(days=2)
    reading.read()
    assert reading.raws() == dict.fromkeys(mails, 1)
    assert reading.row.missed is None


def test_a_mail_in_one_packet_with_the_answer_to_idle_is_noticed_at_once(
    sqlite_database: Database, server: Imap, clock: FakeClock
) -> None:
    patient = Pace(operation_s=5, idle_s=30, first_pause_s=0.01)
    reading = Reading(sqlite_database, settings_of(server), clock, patient)
    server.rewrite = lambda piece: piece + b"* 1 EXISTS\r\n" if piece == b"+ idling\r\n" else piece
    began_s = time.monotonic()
    reading.worker.step()

    assert time.monotonic() - began_s < 5
    reading.close()


def test_a_path_that_dies_in_silence_is_left_and_what_came_meanwhile_is_found(
    sqlite_database: Database, server: Imap, clock: FakeClock
) -> None:
    pace = Pace(operation_s=0.5, idle_s=0.1, save_s=0, first_pause_s=0.01)
    reading = Reading(sqlite_database, settings_of(server), clock, pace)
    reading.read()
    dead = server.connections
    server.fault = lambda _number, _piece: imap_server.HANG if server.connections == dead else None  # nor is it closed
    new = mail()
    server.add(new)
    began_s = time.monotonic()
    reading.read()

    assert reading.raws() == {new: 1}
    assert server.connections == dead + 1
    assert time.monotonic() - began_s < 5
    reading.close()


def test_without_idle_the_folder_is_looked_at_now_and_then(reading: Reading, server: Imap) -> None:
    server.capabilities = "IMAP4rev1"
    begin_anew(reading, server, 'after = "delete"')
    new = mail()
    server.add(new)
    reading.read()

    assert reading.raws() == {new: 1}
    assert "IDLE" not in server.commands
    assert "\\Deleted" in server.inbox[max(server.inbox)].flags  # EXPUNGE would remove what others marked


def test_no_word_of_a_mail_gets_into_a_command(reading: Reading, server: Imap) -> None:
    begin_anew(reading, server, AFTER[3])
    evil = b'Message-ID: <x\r\nA9 DELETE INBOX>\r\n\r\nFrom: x\r\nSubject: "x\r\nA8 LOGOUT\r\n\r\n'
    server.add(evil, b'Message-ID: <"\\{3}\r\nx@y>\r\n\r\n\r\n')
    reading.read()
    reading.clock.advance(days=1, hours=1)
    reading.read()
    known = ("CAPABILITY", "LOGIN", "ID", "SELECT", "EXAMINE", "UID", "IDLE", "NOOP", "LOGOUT", "LIST")

    assert reading.raws().total() == 2
    assert all(each.split(" ")[0] in known for each in server.commands), server.commands
    assert not any("DELETE" in each or "A8" in each for each in server.commands)


def test_other_mailboxes_keep_their_pace_beside_one_that_hangs(sqlite_database: Database, server: Imap) -> None:
    def box(name: str, port: int) -> str:
        login = 'host = "127.0.0.1"\nuser = "u"\npassword = "secret"\nsecurity = "none"'
        return f'[[mailbox]]\nname = "{name}"\nport = {port}\n{login}\n'

    def now() -> datetime:
        return datetime.now(UTC)

    arrived = threading.Event()
    inbox = GroupCommit(sqlite_database, now, arrived.set)
    inbox.start()
    pace = Pace(connect_s=2, operation_s=20, idle_s=20, first_pause_s=0.1)
    poller = Poller(sqlite_database, inbox.submit, now, pace=pace)
    with serving(Imap(fault=lambda number, _piece: imap_server.HANG if number > 3 else None)) as hanging:
        poller.start(parse(DESK + box("bad", hanging.port) + box("good", server.port)))
        while not server.commands or server.commands[-1] != "IDLE":
            assert not arrived.wait(0.02)
        server.add(mail())
        assert arrived.wait(3)
        began_s = time.monotonic()

        assert poller.stop(6)
        assert time.monotonic() - began_s < 5
    inbox.stop(5)


def test_a_server_that_takes_no_connection_is_told_within_its_time(sqlite_database: Database, clock: FakeClock) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        settings = settings_for("127.0.0.1", silent.getsockname()[1], "support")
        reading = Reading(sqlite_database, settings, clock, HASTE)
        began_s = time.monotonic()
        reading.worker.step()

        assert time.monotonic() - began_s < 2
        assert reading.row.error
        reading.close()


def test_what_is_renumbered_while_it_is_read_is_neither_lost_nor_doubled(
    reading: Reading, server: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BATCH_MAILS", 3)
    begin_anew(reading, server, AFTER[0])
    mails = [mail() for _ in range(10)]
    server.add(*mails)
    for each in server.inbox.values():
        each.came_at = each.came_at.replace(day=9)
    reading.worker.step()
    server.renumber()
    reading.worker._hang_up()
    reading.read()

    assert reading.raws() == dict.fromkeys(mails, 1)
