"""What packing leaves of a mail's bytes, and what it costs, against zlib.

    python -m tests.benchmarks.packing [--folder MAILS]

Three kinds of mail that can be made again: prose of 4 KB (our documents, cut into pieces, below headers as relays leave
them), what maild itself writes to customers and agents (plain text and HTML), and a file of 40 KB that no method can
make smaller, in base64. What your own mails come to is said of a folder with a file for each.
"""

import argparse
import logging
import random
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import select

from maild import logs
from maild.store import raw, schema
from maild.store.engine import Database
from maild.store.models import Direction, MailRow
from tests.benchmarks import smtp_load
from tests.benchmarks.figures import Figure, table
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, Desk

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"
MAILS = 200  # of each kind
ROUNDS = 5
ZLIB_LEVEL = 6  # what zlib takes by itself


def measure(folder: Path | None = None, mails: int = MAILS) -> list[Figure]:
    """Return which share of each kind is left, and what a mail costs."""
    kinds = {"prose, 4 KB": list(prose(mails)), "as maild writes": ours(), "a file in base64, 40 KB": files(mails)}
    if folder is not None:
        kinds = {str(folder): [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]}
    return [figure for kind, each in kinds.items() for figure in _compared(kind, each)]


def prose(mails: int) -> Iterator[bytes]:
    """Yield mails in plain English, each with another piece of it."""
    written = "\r\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    chance = random.Random(7)
    for number in range(mails):
        head, _, _ = smtp_load.mail(4_096, number).partition(b"\r\n\r\n")
        begin = chance.randrange(len(written) - 4_096)
        yield head + b"\r\n\r\n" + written[begin : begin + 4_096 - len(head)].encode()


def ours() -> list[bytes]:
    """Return what a desk sends in a short conversation: acknowledgements, notifications, answers."""
    logs.configure(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/maild.db") as database:
        schema.upgrade(database)
        desk = Desk(database, FakeClock())
        for number, said in enumerate(prose(10)):
            text = said.partition(b"\r\n\r\n")[2].decode()
            desk.mail(ADA, f"Question {number}", text[:1_500], proven=True)
            told = desk.mails_to(ANNA)[-1]
            desk.mail(ANNA, f"Re: Question {number}", text[1_500:2_500], answers=told)
            desk.clock.advance(hours=3)
        with database.read() as connection:
            sent = connection.scalars(select(MailRow.id).where(MailRow.direction == Direction.OUT)).all()
            return list(raw.of(connection, sent).values())


def files(mails: int) -> list[bytes]:
    """Return mails with a file that is compressed already."""
    return [smtp_load.mail(40_960, number) for number in range(mails)]


def _compared(kind: str, mails: Sequence[bytes]) -> Iterator[Figure]:
    zstd_us, zlib_us = (_us(mails, method) for method in (raw.pack, _zlib))
    whole = sum(map(len, mails)) / 100
    left, zlib_left = (sum(sizes) / whole for sizes in zip(*map(_sizes, mails), strict=True))
    yield Figure(f"{kind}: left", left, "%", "zlib", zlib_left, more_is_better=False)
    yield Figure(f"{kind}: packing a mail", zstd_us, "us", "zlib", zlib_us, more_is_better=False)


def _sizes(mail: bytes) -> tuple[int, int]:
    return len(raw.pack(mail).content), min(len(_zlib(mail)), len(mail))


def _zlib(mail: bytes) -> bytes:
    return zlib.compress(mail, ZLIB_LEVEL)


def _us(mails: Sequence[bytes], method: Callable[[bytes], object]) -> float:
    """Return what one mail takes, in the best of some rounds."""
    took = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        for mail in mails:
            method(mail)
        took.append(time.process_time() - began_s)
    return min(took) / len(mails) * 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, metavar="MAILS", help="a folder of mails, a file for each")
    print(table(measure(parser.parse_args().folder)))  # noqa: T201


if __name__ == "__main__":
    main()
