"""Mails that have been there for a while take less room; nobody waits for it, and nobody reads anything else."""

import os

import pytest
from sqlalchemy import func, select

from maild.config import parse
from maild.services.keeper import Keeper, packing
from maild.store import raw
from maild.store.engine import Database
from maild.store.models import JobRow, MailRow, RawRow
from tests.clock import FakeClock
from tests.database.mails import MAIL, kept_bytes, store
from tests.stories.driver import CONFIG

SETTINGS = parse(CONFIG)


def work(keeper: Keeper) -> None:
    for _ in range(100):
        if keeper.step() > 1:
            return
    raise AssertionError("the keeper does not come to rest")


def test_a_mail_is_packed_once_it_has_been_there_for_a_while(database: Database, clock: FakeClock) -> None:
    keeper = Keeper(database, SETTINGS, clock)
    mail_id = store(database, clock, MAIL)
    work(keeper)
    assert kept_bytes(database, mail_id) == len(MAIL)

    clock.advance(minutes=20)
    work(keeper)

    assert kept_bytes(database, mail_id) < len(MAIL) // 2
    with database.read() as connection:
        assert raw.of(connection, [mail_id]) == {mail_id: MAIL}


def test_mails_that_cannot_be_made_smaller_are_looked_at_once(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(database, SETTINGS, clock)
    store(database, clock, os.urandom(300))
    clock.advance(minutes=20)
    work(keeper)
    looked_at: list[bytes] = []
    monkeypatch.setattr(raw, "pack", lambda piece: looked_at.append(piece) or raw.Packed(piece, None))
    store(database, clock, MAIL)
    clock.advance(minutes=20)
    work(keeper)

    assert looked_at == [MAIL]


def test_a_large_mail_is_packed_in_several_steps(database: Database, clock: FakeClock) -> None:
    keeper = Keeper(database, SETTINGS, clock)
    large = MAIL * 3000
    mail_id = store(database, clock, large)
    clock.advance(minutes=20)
    with database.read() as connection:
        pieces = connection.scalar(select(func.count()).select_from(RawRow))
    steps = 1
    while keeper.step() < 1:
        steps += 1

    assert pieces > 2 * steps - 3 > 1
    with database.read() as connection:
        assert b"".join(raw.pieces(connection, mail_id)) == large
    assert kept_bytes(database, mail_id) < len(large) // 20


def test_of_two_nodes_one_packs(database: Database, clock: FakeClock) -> None:
    store(database, clock, MAIL)
    clock.advance(minutes=20)
    with database.write() as connection:
        connection.execute(
            JobRow.__table__.insert().values(name="pack", due_at=clock() + packing.PERIOD, attempts=1)
        )  # another node's lease

    assert Keeper(database, SETTINGS, clock).step() > 1
    with database.read() as connection:
        assert connection.scalar(select(func.count()).where(RawRow.unpacked_bytes.is_not(None))) == 0


def test_a_chore_that_fails_is_told_and_done_later(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(database, SETTINGS, clock)
    mail_id = store(database, clock, MAIL)
    clock.advance(minutes=20)
    with monkeypatch.context() as broken:
        broken.setattr(raw, "pack", lambda piece: 1 / 0)
        assert keeper.step() > 1
    clock.advance(minutes=11)
    work(keeper)

    assert kept_bytes(database, mail_id) < len(MAIL)


def test_a_mail_that_is_deleted_meanwhile_is_no_fault(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(database, SETTINGS, clock)
    store(database, clock, MAIL)
    clock.advance(minutes=20)
    pack = raw.pack

    def delete_and_pack(piece: bytes) -> raw.Packed:
        with database.write() as connection:
            connection.execute(MailRow.__table__.delete())
        return pack(piece)

    monkeypatch.setattr(raw, "pack", delete_and_pack)
    work(keeper)

    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(RawRow)) == 0
