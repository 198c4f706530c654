"""Where a mail is while it comes in, and how its answer comes back."""

import asyncio
from concurrent.futures import Future
from pathlib import Path

from maild.inbox import Spooled, Stored
from maild.message.identity import fingerprint
from maild.services.smtp_listener.answers import Answers
from maild.services.smtp_listener.spool import MEMORY_BYTES, Spool

MAIL = b"From: a\r\nReceived: x\r\n\r\n" + b"text\r\n" * 60_000


def filled(pieces: int, limit_bytes: int = 1 << 30, directory: Path | None = None) -> Spool:
    spool = Spool(limit_bytes, directory)
    for piece in range(pieces):
        spool.add(MAIL[piece * 30_000 : (piece + 1) * 30_000])
    return spool


def test_a_small_mail_stays_in_memory() -> None:
    spool = filled(2)
    spool.fingerprint()

    assert spool.content(b"front") == b"front" + MAIL[:60_000]
    assert spool.hops() == 1


def test_a_large_mail_goes_into_a_file_without_a_name(tmp_path: Path) -> None:
    spool = filled(13, directory=tmp_path)
    assert spool.size_bytes == len(MAIL) > MEMORY_BYTES
    assert spool.fingerprint() == fingerprint(MAIL)

    content = spool.content(b"front")

    assert isinstance(content, Spooled)
    assert b"".join(content.pieces()) == b"".join(content.pieces()) == b"front" + MAIL
    assert list(tmp_path.iterdir()) == []
    content.close()


def test_of_a_mail_that_is_too_large_nothing_is_kept() -> None:
    spool = filled(13, limit_bytes=300_000)

    assert spool.refusal == "552 5.3.4 The mail is larger than 300000 bytes"
    assert spool.size_bytes == len(MAIL)  # it is counted on, so that it can be cut
    assert spool._file is None
    assert not spool._pieces


def test_who_is_gone_does_not_keep_the_others_from_their_answers() -> None:
    async def answers() -> list[object]:
        told = Answers(asyncio.get_running_loop())
        commits: list[Future[Stored]] = [Future() for _ in range(4)]
        waiting = [told.of(commit) for commit in commits]
        waiting[1].cancel()
        for number, commit in enumerate(commits):
            if number == 2:
                commit.set_exception(ValueError("poison"))
            else:
                commit.set_result(Stored(number, new=True))
        return list(await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20))

    first, gone, failed, last = asyncio.run(answers())

    assert first == Stored(0, new=True)
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(failed, ValueError)
    assert last == Stored(3, new=True)


def test_an_answer_for_a_loop_that_is_closed_is_nobodys() -> None:
    loop = asyncio.new_event_loop()
    commit: Future[Stored] = Future()
    Answers(loop).of(commit)
    loop.close()

    commit.set_result(Stored(1, new=True))

    assert commit.done()
