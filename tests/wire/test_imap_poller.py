"""Mailboxes on a real server: every mail in the store once, whatever happens in between."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maild.cli import main as commands
from maild.inbox import Incoming, Stored
from maild.services.imap_poller import connection, fetching, worker
from maild.services.imap_poller.trouble import Step, Trouble
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.dovecot import Dovecot
from tests.wire.imap_reading import DESK, Box, Reading, box, mail, settings_for

pytestmark = pytest.mark.dovecot


@pytest.fixture
def inbox(dovecot_server: Dovecot) -> Iterator[Box]:
    with box(dovecot_server) as opened:
        yield opened


@pytest.fixture
def reading(sqlite_database: Database, inbox: Box, clock: FakeClock) -> Iterator[Reading]:
    """The mailbox, read with the defaults; its first contact is made."""
    clock.set(datetime.now(UTC))  # the server has no other
    made = Reading(sqlite_database, settings_of(inbox), clock)
    yield made
    made.close()


def settings_of(inbox: Box, more: str = "", security: str = "none", port: int = 0):
    return settings_for(inbox.server.host, port or inbox.server.port, inbox.account.user, more, security=security)


def test_mail_that_was_there_before_is_left_alone(reading: Reading, inbox: Box) -> None:
    inbox.add(mail("old"), mail("older"))
    reading.read()
    new = mail("new")
    inbox.add(new)
    reading.read()

    assert reading.raws() == {new: 1}
    assert [each.source for each in reading.stored()] == ["imap inbox"]
    assert reading.stored()[0].old_since is None


def test_mail_that_was_there_before_is_taken_in_silence_if_wanted(reading: Reading, inbox: Box) -> None:
    old, new = mail("old"), mail("new")
    inbox.add(old, came_at=datetime(2025, 5, 1, 8, tzinfo=UTC))
    reading.hire(settings_of(inbox, 'start = "all"'))
    reading.read()
    inbox.add(new)
    reading.read()

    assert reading.raws() == {old: 1, new: 1}
    assert [each.old_since for each in reading.stored()] == [datetime(2025, 5, 1, 8, tzinfo=UTC), None]


def test_old_mail_is_taken_since_a_day(reading: Reading, inbox: Box) -> None:
    before, on, after = mail("a"), mail("b"), mail("c")
    for each, day in ((after, 9), (before, 7), (on, 8)):
        inbox.add(each, came_at=datetime(2025, 5, day, 0, 0, 1, tzinfo=UTC))
    reading.hire(settings_of(inbox, "start = 2025-05-08"))
    reading.read()

    assert reading.raws() == {on: 1, after: 1}


def test_a_flag_that_somebody_sets_hides_no_mail(reading: Reading, inbox: Box) -> None:
    reading.read()
    new = mail()
    inbox.add(new)
    inbox.client.store("1", "+FLAGS", "(\\Seen)")
    reading.read()

    assert reading.raws() == {new: 1}


def test_reading_sets_no_flag(reading: Reading, inbox: Box) -> None:
    reading.read()
    inbox.add(mail())
    reading.read()

    assert inbox.uids(criterion="UNSEEN") == [1]


@pytest.mark.parametrize(
    ("after", "left", "unseen", "moved"),
    [("seen", 3, 0, 0), ("delete", 0, 0, 0), ('move"\nmove_to = "Done', 0, 0, 3)],
)
def test_what_is_stored_is_marked_deleted_or_moved(
    reading: Reading, inbox: Box, after: str, left: int, unseen: int, moved: int
) -> None:
    inbox.create("Done")
    reading.hire(settings_of(inbox, f'after = "{after}"'))
    reading.read()
    inbox.add(mail(), mail(), mail())
    reading.read()

    assert (len(inbox.uids()), len(inbox.uids(criterion="UNSEEN")), len(inbox.uids("Done"))) == (left, unseen, moved)
    assert reading.raws().total() == 3


def test_nothing_is_marked_before_it_is_stored(reading: Reading, inbox: Box) -> None:
    reading.hire(settings_of(inbox, 'after = "delete"'))
    reading.read()
    inbox.add(mail(), mail())

    def full(_mail: object) -> None:
        raise fetching.QueueFullError("the disk is full")

    reading.submit = full
    for _ in range(3):
        reading.worker.step()
        reading.clock.advance(seconds=1)
    assert (reading.raws().total(), len(inbox.uids())) == (0, 2)

    reading.submit = reading.inbox.submit
    reading.read()
    assert (reading.raws().total(), len(inbox.uids())) == (2, 0)


def test_a_crash_between_commit_and_mark_files_nothing_twice(
    reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.hire(settings_of(inbox, 'after = "seen"'))
    reading.read()
    inbox.add(*(mail() for _ in range(5)))
    with monkeypatch.context() as patched:
        patched.setattr("maild.services.imap_poller.worker.apply", crash)
        with pytest.raises(KeyboardInterrupt):
            reading.read()
    assert (reading.raws().total(), len(inbox.uids(criterion="UNSEEN"))) == (5, 5)

    reading.hire()
    reading.read()
    assert (reading.raws().total(), len(inbox.uids(criterion="UNSEEN"))) == (5, 0)


def crash(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_new_numbers_for_old_mails_file_nothing_twice_and_miss_nothing(reading: Reading, inbox: Box) -> None:
    old, first, second = mail("old"), mail("first"), mail("second")
    inbox.add(old, came_at=datetime(2026, 1, 1, tzinfo=UTC))
    reading.read()
    inbox.add(first)
    reading.read()
    before = reading.row.uid_validity
    inbox.add(second)
    inbox.renumber()
    reading.read()

    assert reading.row.uid_validity != before
    assert reading.raws() == {first: 1, second: 1}


def test_a_restored_mailbox_is_not_taken_for_new_mail(reading: Reading, inbox: Box) -> None:
    olds = [mail("old", date="Thu, 1 Jan 2026 10:00:00 +0000") for _ in range(3)]
    inbox.add(*olds, came_at=datetime.now(UTC) - timedelta(hours=1))
    reading.read()
    copies = [
        path.read_bytes() for path in sorted(inbox.account.maildir.glob("*/*")) if path.parent.name in ("cur", "new")
    ]
    inbox.remove(inbox.uids())
    reading.clock.advance(days=2)
    inbox.renumber()
    inbox.add(*copies, came_at=datetime.now(UTC).replace(microsecond=0))
    later = mail("new", date=reading.clock().strftime("%a, %d %b %Y %H:%M:%S +0000"))
    inbox.add(later)
    reading.worker._hang_up()
    reading.read()

    assert later in reading.raws()
    assert [each.old_since is not None for each in reading.stored()] == [True, True, True, False]


def test_mails_that_go_away_under_our_hands_hinder_nobody(
    reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.read()
    kept, gone = mail("kept"), mail("gone")
    inbox.add(gone, kept)
    choose = fetching.Fetcher.choose

    def and_meanwhile(self: fetching.Fetcher, uids: list[int], seen: object) -> list[int]:
        inbox.uids()
        inbox.remove([1])
        return choose(self, uids, seen)  # type: ignore[arg-type]

    monkeypatch.setattr(fetching.Fetcher, "choose", and_meanwhile)
    reading.read()
    reading.clock.advance(minutes=10)
    reading.read()

    assert reading.raws()[kept] == 1
    assert reading.row.missed is None


def test_a_session_that_the_server_drops_is_begun_anew(reading: Reading, inbox: Box) -> None:
    reading.read()
    inbox.kick()
    new = mail()
    inbox.add(new)
    reading.read()

    assert reading.raws() == {new: 1}


def test_a_folder_that_vanishes_is_told_and_found_again(reading: Reading, inbox: Box) -> None:
    inbox.create("Desk")
    reading.hire(settings_of(inbox, 'folder = "Desk"'))
    reading.read()
    inbox.client.delete("Desk")
    reading.worker._hang_up()
    reading.worker.step()
    assert "Desk" in reading.row.error
    assert reading.row.failing_since is not None

    inbox.create("Desk")
    new = mail()
    inbox.add(new, folder="Desk")
    reading.read()
    assert reading.raws() == {new: 1}
    assert reading.row.error is None


def test_the_same_mail_by_two_ways_is_one_and_two_with_one_id_are_two(reading: Reading, inbox: Box) -> None:
    reading.read()
    one = mail("one")
    again = b"Received: by mx2.acme.example; Mon, 2 Mar 2026 11:00:01 +0000\r\n" + one
    other = one.replace(b"It does not work.", b"It works.")
    inbox.add(one, again, other)
    reading.read()

    assert reading.raws() == {one: 1, other: 1}


def test_many_mails_are_fetched_in_batches_of_bounded_size(
    reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BATCH_BYTES", 20_000)
    reading.read()
    mails = [mail(body="x" * 3000) for _ in range(30)]
    inbox.add(*mails)
    sizes: list[int] = []
    finish = fetching.Fetcher.finish
    monkeypatch.setattr(
        fetching.Fetcher, "finish", lambda self, batch: (sizes.append(len(batch.waiting)), finish(self, batch))[1]
    )
    reading.read()

    assert reading.raws() == dict.fromkeys(mails, 1)
    assert max(sizes) == 6


def test_a_batch_is_fetched_while_the_one_before_is_stored_and_is_marked_after_its_own_commit(
    reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH_MAILS", 3)  # before the worker is hired, who begins with as many
    reading.hire(settings_of(inbox, 'after = "seen"'))
    monkeypatch.setattr(fetching, "STORE_S", 1)
    reading.read()
    mails = [mail() for _ in range(8)]
    inbox.add(*mails)
    held: list[tuple[Incoming, Future[Stored]]] = []
    marked: list[int] = []

    def submit(incoming: Incoming) -> Future[Stored]:
        """Store nothing before two batches are there."""
        marked.append(len(inbox.uids(criterion="SEEN")))
        held.append((incoming, Future()))
        answer = held[-1][1]
        if len(marked) >= 6:
            for each, waiting in held:
                waiting.set_result(reading.inbox.submit(each).result(10))
            held.clear()
        return answer

    reading.submit = submit
    reading.read()

    assert marked == [0, 0, 0, 0, 0, 0, 3, 3]
    assert reading.raws() == dict.fromkeys(mails, 1)
    assert len(inbox.uids(criterion="SEEN")) == 8


def test_a_stop_writes_down_how_far_the_folder_was_read(reading: Reading, inbox: Box) -> None:
    reading.read()
    inbox.add(mail(), mail())
    reading.worker.step()
    reading.worker.step()
    reading.worker.stop()
    reading.worker.leave()

    assert reading.row.last_uid == 2
    assert reading.row.due_at <= reading.clock()


def test_a_large_mail_comes_in_pieces_and_whole(reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PIECE_BYTES", 100_000)
    reading.read()
    large = mail(body="\r\n".join(["y" * 70] * 20_000))
    small = mail()
    inbox.add(small, large, mail())
    reading.read()

    assert reading.raws()[large] == 1
    assert reading.raws().total() == 3


def test_a_mail_beyond_all_bounds_is_noted_and_stays(
    reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LARGE_BYTES", 5_000)
    monkeypatch.setattr(fetching, "LARGEST_BYTES", 100_000)
    reading.hire(settings_of(inbox, 'after = "delete"'))
    reading.read()
    inbox.add(mail("huge", body="z" * 900 + "\r\n" + "z" * 200_000))
    reading.read()
    [raw] = reading.raws()

    assert b"Subject: huge" in raw
    assert b"more than maild takes" in raw
    assert len(inbox.uids()) == 1


def test_a_server_that_refuses_to_move_keeps_no_mail_from_coming(reading: Reading, inbox: Box) -> None:
    reading.hire(settings_of(inbox, 'after = "move"\nmove_to = "Nowhere"'))
    reading.read()
    inbox.add(mail(), mail())
    for _ in range(4):
        reading.worker.step()
    inbox.add(mail())
    for _ in range(4):
        reading.worker.step()
    assert reading.raws().total() == 3
    assert "moving" in reading.row.error
    for _ in range(5):
        reading.clock.advance(minutes=3)
        reading.worker.step()
    assert alerts(reading) == ["Mailbox inbox keeps mails that are stored already"]

    inbox.create("Nowhere")
    inbox.add(mail())
    for _ in range(8):
        reading.worker.step()
    reading.read()
    assert reading.raws().total() == 4
    assert (len(inbox.uids()), len(inbox.uids("Nowhere"))) == (0, 4)


def test_a_folder_too_large_for_one_search_is_searched_in_parts(
    reading: Reading, inbox: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SEARCH_MAILS", 3)
    mails = [mail() for _ in range(10)]
    inbox.add(*mails)
    inbox.remove([2, 5, 6])
    reading.hire(settings_of(inbox, 'start = "all"'))
    reading.read()
    later = [mail() for _ in range(4)]
    inbox.add(*later)
    reading.worker._hang_up()
    reading.read()

    kept = [each for number, each in enumerate(mails, 1) if number not in (2, 5, 6)]
    assert reading.raws() == dict.fromkeys(kept + later, 1)


def test_an_operator_sees_each_step_and_what_would_be_fetched(
    inbox: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox.add(mail(), came_at=datetime(2025, 1, 1, tzinfo=UTC))
    inbox.add(mail(), mail())
    inbox.create("Done")
    [mailbox] = settings_of(inbox).mailboxes
    config = tmp_path / "config.toml"
    box = (
        f'[[mailbox]]\nname = "inbox"\nhost = "127.0.0.1"\nport = {mailbox.port}\nsecurity = "none"\n'
        f'user = "{mailbox.user}"\npassword = "secret"\nstart = 2025-06-01\nafter = "move"\nmove_to = "Dnoe"\n'
    )
    config.write_text(DESK.replace("[maild]", '[maild]\ndatabase = "desk.db"') + box)
    wrong = commands(["mailbox", "test", "-c", str(config)])
    said = capsys.readouterr().out
    config.write_text(config.read_text().replace("Dnoe", "Done"))
    right = commands(["mailbox", "test", "inbox", "--json", "-c", str(config)])
    [found] = json.loads(capsys.readouterr().out)["data"]

    assert (wrong, right) == (69, 0)
    assert "there is no folder Dnoe to move mails to; folders are: Done, INBOX" in said
    assert (found["mails"], found["would_be_fetched"], found["ok"]) == (3, 2, True)
    assert found["steps"][0]["step"] == "looking up the host"
    assert inbox.uids(criterion="UNSEEN") == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_the_daily_comparison_finds_what_is_missing(reading: Reading, inbox: Box) -> None:
    reading.read()
    mails = [mail() for _ in range(4)]
    inbox.add(*mails)
    reading.read()
    with reading.database.write() as connection:
        connection.exec_driver_sql("delete from raw where mail_id = 2")
        connection.exec_driver_sql("delete from mail where id = 2")
        connection.exec_driver_sql("update mail set message_id = 'm' || substr(hex(fingerprint), 1, 4)")
    assert reading.raws().total() == 3

    reading.clock.advance(days=1, minutes=1)
    reading.read()
    assert reading.raws() == dict.fromkeys(mails, 1)


def test_a_whole_mailbox_of_old_mail_is_taken_after_an_interruption(reading: Reading, inbox: Box) -> None:
    mails = [mail() for _ in range(450)]
    inbox.add(*mails)
    reading.hire(settings_of(inbox, 'start = "all"'))
    for _ in range(2):
        reading.worker.step()
    assert 0 < reading.raws().total() < 450

    reading.hire()
    reading.read()
    assert reading.raws() == dict.fromkeys(mails, 1)
    assert all(each.old_since for each in reading.stored())


def test_the_operator_is_told_once_of_an_outage_and_once_that_it_is_over(reading: Reading, inbox: Box) -> None:
    reading.read()
    right = reading.settings
    reading.hire(settings_of(inbox, port=1))
    for _ in range(8):
        reading.worker.step()
        reading.clock.advance(minutes=2)
    told = alerts(reading)
    assert told == ["Mailbox inbox cannot be read"]

    reading.hire(right)
    reading.read()
    assert alerts(reading) == ["Mailbox inbox cannot be read", "Mailbox inbox works again"]


def test_an_outage_is_told_when_it_has_lasted_five_minutes_and_not_before(reading: Reading, inbox: Box) -> None:
    reading.read()
    reading.hire(settings_of(inbox, port=1))
    reading.worker.step()
    began = reading.clock()
    assert reading.row.failing_since == began

    for after, told in (
        (timedelta(minutes=5, seconds=-1), []),
        (timedelta(minutes=5), ["Mailbox inbox cannot be read"]),
    ):
        reading.clock.set(began + after)
        reading.worker.step()

        assert alerts(reading) == told


def alerts(reading: Reading) -> list[str]:
    with reading.database.read() as connection:
        rows = connection.exec_driver_sql(
            "select m.subject from mail m join delivery d on d.mail_id = m.id where m.purpose = 'alert' order by m.id"
        )
        return [row[0] for row in rows]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_connections_are_encrypted_and_verified(reading: Reading, inbox: Box, security: str) -> None:
    server = inbox.server
    port = server.tls_port if security == "tls" else server.port
    reading.hire(settings_of(inbox, f'tls_ca_file = "{server.certificate}"', security, port))
    reading.read()
    assert reading.row.last_success_at is not None

    reading.hire(settings_of(inbox, "", security, port))
    with pytest.raises(Trouble) as caught:
        reading.worker._enter(reading.worker._progress)  # type: ignore[arg-type]
    assert caught.value.step is Step.ENCRYPT
    assert "self-signed certificate" in str(caught.value)
    assert "tls_ca_file" in caught.value.fix


@pytest.mark.parametrize(
    ("more", "change", "step", "said"),
    [
        ("", {"host": "no-such-host.invalid"}, Step.RESOLVE, "no-such-host.invalid"),
        ("", {"port": 1}, Step.CONNECT, "refused"),
        ("", {"user": "wrong@x", "password": "wrong"}, Step.LOGIN, "AUTHENTICATIONFAILED"),
        ('folder = "Nope"', {}, Step.FOLDER, "Nope"),
    ],
)
def test_the_step_that_fails_is_named_with_the_servers_words(
    reading: Reading, inbox: Box, more: str, change: dict[str, object], step: Step, said: str, tmp_path: Path
) -> None:
    settings = settings_of(inbox, more)
    [mailbox] = settings.mailboxes
    values = {key: value for key, value in change.items() if key != "password"}
    if "password" in change:
        secret = tmp_path / "secret"
        secret.write_text("wrong")
        values |= {"inline_password": None, "password_file": secret}
    changed = mailbox.model_copy(update=values)
    reading.hire(settings.model_copy(update={"mailboxes": (changed,)}))
    reading.worker.step()

    assert reading.row.error.startswith(str(step))
    assert said in reading.row.error
