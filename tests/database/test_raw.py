"""The bytes of mails at rest: smaller, and the same again when they are asked for."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from maild.cli.answers import soundness
from maild.store import raw
from maild.store.engine import Database
from maild.store.models import RawRow
from tests.clock import FakeClock
from tests.database.mails import MAIL, kept_bytes, store


def pack_all(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        found = raw.unpacked(connection, raw.Place(0, 0), clock(), 100 << 20, 100)
        raw.replace(connection, [(place, raw.pack(piece)) for place, piece in found.items()])


@given(st.binary(max_size=2000))
def test_whatever_is_packed_comes_back(content: bytes) -> None:
    assert raw.unpack(*raw.pack(content)) == content


def test_a_mail_of_words_takes_less_than_half_its_size(database: Database, clock: FakeClock) -> None:
    mail_id = store(database, clock, MAIL)
    pack_all(database, clock)

    assert kept_bytes(database, mail_id) < len(MAIL) // 2
    with database.read() as connection:
        assert raw.of(connection, [mail_id]) == {mail_id: MAIL}
        assert raw.heads(connection, [mail_id]) == {mail_id: MAIL}


def test_what_cannot_be_made_smaller_is_left_as_it_is() -> None:
    noise = os.urandom(5000)

    assert raw.pack(noise) == (noise, None)


def test_a_large_mail_is_given_piece_by_piece(database: Database, clock: FakeClock) -> None:
    large = MAIL + base64.encodebytes(os.urandom(2_000_000))
    mail_id = store(database, clock, large)
    pack_all(database, clock)

    with database.read() as connection:
        pieces = list(raw.pieces(connection, mail_id))
        assert list(raw.pieces(connection, 4711)) == []
    assert [len(each) for each in pieces] == [1 << 20, 1 << 20, len(large) - 2 * (1 << 20)]
    assert b"".join(pieces) == large


def test_mails_that_are_not_packed_are_read_as_they_are(database: Database, clock: FakeClock) -> None:
    mail_id = store(database, clock, MAIL)
    with database.read() as connection:
        assert raw.of(connection, [mail_id]) == {mail_id: MAIL}
    assert list(soundness.faults(database)) == []


def test_a_packed_piece_that_the_disk_changed_is_told_and_never_taken_for_the_mail(
    database: Database, clock: FakeClock
) -> None:
    mail_id = store(database, clock, MAIL)
    pack_all(database, clock)
    with database.write() as connection:
        content = bytearray(connection.scalar(select(RawRow.content)))
        content[len(content) // 2] ^= 0x10
        connection.execute(update(RawRow).values(content=bytes(content)))

    with database.read() as connection, pytest.raises(raw.DamagedError):
        raw.of(connection, [mail_id])
    assert [fault for fault in soundness.faults(database) if f"mail {mail_id}:" in fault]


def test_a_packed_piece_of_another_length_is_damaged(database: Database, clock: FakeClock) -> None:
    packed = raw.pack(MAIL)
    mail_id = store(database, clock, b"short")
    with database.write() as connection:
        connection.execute(
            insert(RawRow).values(mail_id=mail_id, number=1, content=packed.content, unpacked_bytes=len(MAIL) - 1)
        )

    with database.read() as connection, pytest.raises(raw.DamagedError, match="not"):
        raw.of(connection, [mail_id])
