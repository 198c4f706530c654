"""The bytes of mails, in pieces of at most 1 MiB: the only place that knows how they lie in the table `raw`.

    bytes -> pieces -> rows            a mail is stored as it is: who waits for its 250 waits for no compression
    rows  -> smaller rows              later, by the keeper (`unpacked`, `pack`, `replace`)
    rows  -> `unpack` -> bytes         whoever reads need not know

A packed piece is a zstd frame with a checksum, and says so by `unpacked_bytes`, its length before; null means that it
lies there as it came. One piece at a time is in memory, packed and unpacked, so a large mail never is as a whole
unless somebody asks for it whole.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from threading import local
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_, update
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from maild.store.models import MailRow, RawRow

PIECE_BYTES: Final = 1 << 20  # of a row, before it is packed
LEVEL: Final = 3  # 6 costs three times as much for 3 % less
SHORTEST_BYTES: Final = 128  # what is shorter is left as it is

_INSERT: Final = insert(RawRow)
_PIECES: Final = (
    select(RawRow.mail_id, RawRow.content, RawRow.unpacked_bytes)
    .where(RawRow.mail_id.in_(bindparam("mails", expanding=True)))
    .order_by(RawRow.mail_id, RawRow.number)
)
_PIECE: Final = select(RawRow.content, RawRow.unpacked_bytes).where(
    RawRow.mail_id == bindparam("mail"), RawRow.number == bindparam("piece")
)
_HEADS: Final = select(RawRow.mail_id, RawRow.content, RawRow.unpacked_bytes).where(
    RawRow.mail_id.in_(bindparam("mails", expanding=True)), RawRow.number == 0
)
_REPLACE: Final = (
    update(RawRow)
    .where(RawRow.mail_id == bindparam("mail"), RawRow.number == bindparam("piece"), RawRow.unpacked_bytes.is_(None))
    .values(content=bindparam("packed"), unpacked_bytes=bindparam("length"))
)
# How long a piece is that a query finds, packed or not.
LENGTH: Final = func.coalesce(RawRow.unpacked_bytes, func.length(RawRow.content))


class DamagedError(Exception):
    """A piece of a mail cannot be unpacked: what the disk gave back is not what was written."""


class Place(NamedTuple):
    """Where a piece is; places are ordered as the bytes are."""

    mail_id: int
    number: int


class Packed(NamedTuple):
    """A piece as it lies in the table."""

    content: bytes
    unpacked_bytes: int | None  # None: as it came


class _Tools(local):
    """What packs and unpacks, one a thread: it is not made to be shared, and costs more to make than to use."""

    def __init__(self) -> None:
        self.compressor = ZstdCompressor(level=LEVEL, write_checksum=True)
        self.decompressor = ZstdDecompressor()


_TOOLS: Final = _Tools()


def cut(raw: bytes) -> Iterator[bytes]:
    """Give the pieces of a mail; an empty mail is one empty piece."""
    if len(raw) <= PIECE_BYTES:
        yield raw
        return
    for start in range(0, len(raw), PIECE_BYTES):
        yield raw[start : start + PIECE_BYTES]


def write(connection: Connection, mails: Iterable[tuple[int, bytes]]) -> None:
    """Write the bytes of mails, by id, that are in memory anyway."""
    rows: list[dict[str, Any]] = [
        {"mail_id": mail_id, "number": number, "content": piece}
        for mail_id, raw in mails
        for number, piece in enumerate(cut(raw))
    ]
    if rows:
        connection.execute(_INSERT, rows)


def of(connection: Connection, mail_ids: Collection[int]) -> dict[int, bytes]:
    """Return the bytes of mails; a mail that has none is left out.

    Raises:
        DamagedError: some are not what was written.
    """
    gathered: dict[int, BytesIO] = {}  # which gives its bytes without a second copy of a large mail
    for mail_id, content, unpacked_bytes in connection.execute(_PIECES, {"mails": list(mail_ids)}):
        gathered.setdefault(mail_id, BytesIO()).write(unpack(content, unpacked_bytes))
    return {mail_id: each.getvalue() for mail_id, each in gathered.items()}


def pieces(connection: Connection, mail_id: int) -> Iterator[bytes]:
    """Give the bytes of one mail, a piece at a time: never more than one of them is fetched.

    Raises:
        DamagedError: some are not what was written.
    """
    number = 0
    while (row := connection.execute(_PIECE, {"mail": mail_id, "piece": number}).one_or_none()) is not None:
        yield unpack(row.content, row.unpacked_bytes)
        number += 1


def heads(connection: Connection, mail_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the first piece of mails, which holds their header fields."""
    if not mail_ids:
        return {}
    rows = connection.execute(_HEADS, {"mails": list(mail_ids)})
    return {mail_id: unpack(content, unpacked_bytes) for mail_id, content, unpacked_bytes in rows}


def unpack(content: bytes, unpacked_bytes: int | None) -> bytes:
    """Return a piece as it came.

    Raises:
        DamagedError: it is not what was written.
    """
    if unpacked_bytes is None:
        return content
    try:
        piece: bytes = _TOOLS.decompressor.decompress(content)
    except ZstdError as error:
        raise DamagedError(f"a piece of its bytes cannot be unpacked ({error})") from error
    if len(piece) != unpacked_bytes:
        raise DamagedError(f"a piece of its bytes is {len(piece)} long, not {unpacked_bytes}")
    return piece


def pack(piece: bytes) -> Packed:
    """Return a piece as it is kept in the long run: as it came, if it cannot be made smaller."""
    if len(piece) >= SHORTEST_BYTES:
        smaller = _TOOLS.compressor.compress(piece)
        if len(smaller) < len(piece):
            return Packed(smaller, len(piece))
    return Packed(piece, None)


def unpacked(
    connection: Connection, after: Place, stored_before: datetime, most_bytes: int, most: int
) -> dict[Place, bytes]:
    """Return pieces behind `after` that lie as they came, of mails stored until `stored_before`, in order.

    At most `most` of them, and no more than `most_bytes`, but one in any case.
    """
    behind = (
        select(RawRow.mail_id, RawRow.number, func.length(RawRow.content).label("size"))
        .join(MailRow, MailRow.id == RawRow.mail_id)
        .where(tuple_(RawRow.mail_id, RawRow.number) > tuple_(after.mail_id, after.number))
        .where(RawRow.unpacked_bytes.is_(None), MailRow.stored_at <= stored_before)
        .order_by(RawRow.mail_id, RawRow.number)
        .limit(most)
    )
    wanted: list[Place] = []
    for mail_id, number, size in connection.execute(behind):
        if wanted and size > most_bytes:
            break
        wanted.append(Place(mail_id, number))
        most_bytes -= size
    return {
        each: connection.execute(_PIECE, {"mail": each.mail_id, "piece": each.number}).one().content for each in wanted
    }


def replace(connection: Connection, packed: Iterable[tuple[Place, Packed]]) -> None:
    """Put packed pieces into the place of those that lie as they came."""
    rows = [
        {"mail": place.mail_id, "piece": place.number, "packed": each.content, "length": each.unpacked_bytes}
        for place, each in packed
        if each.unpacked_bytes is not None
    ]
    if rows:
        connection.execute(_REPLACE, rows)
