"""Fetching mails: from UIDs to mails that are stored, a batch at a time.

    look (sizes) -> choose a batch, bounded by number and bytes -> fetch -> store -> mark, move or delete

While one batch is stored the next one is fetched: `begin`, then `finish`. A mail counts as fetched only when the server
gave it, and as done only when its commit is durable; nothing is marked before. What the server names but does not give
is `missed`, never passed over in silence. A mail larger than LARGE_BYTES is fetched in pieces into a file, so that it
never is in memory as a whole.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import BinaryIO, Final, cast

import structlog

from maild.config.connections import Mailbox
from maild.inbox import Incoming, QueueFullError, Spooled, StoppedError, Stored, is_full
from maild.message.identity import Fingerprint, fingerprint
from maild.message.parse import parse
from maild.services.imap_poller.connection import Connection, Seen
from maild.services.imap_poller.progress import State
from maild.services.imap_poller.trouble import Step, Trouble, words_of
from maild.store.passing import is_passing

log = structlog.get_logger("maild.imap")

BATCH_MAILS: Final = 200
BATCH_BYTES: Final = 4 << 20
LARGE_BYTES: Final = 1 << 20  # larger mails are fetched in pieces
PIECE_BYTES: Final = 1 << 20
LARGEST_BYTES: Final = 256 << 20  # of a larger mail only the head is taken, with a note
WHOLE_BYTES: Final = 64 << 20  # up to here a mail that does not come in pieces is asked for as a whole
HEAD_BYTES: Final = 256 << 10
LOOK_MAILS: Final = 1000  # in one question for sizes
STORE_S: Final = 60.0  # the longest that a commit is waited for
LATE: Final = timedelta(days=1)  # a mail's own Date may be so much older than when it came

Submit = Callable[[Incoming], "Future[Stored]"]


@dataclass(slots=True)
class Batch:
    """What became of some UIDs."""

    uids: list[int]  # all that were tried, ascending
    stored: list[int] = field(default_factory=list)  # durable: may be marked, moved or deleted
    missed: list[int] = field(default_factory=list)  # named by the server, and not given
    new: int = 0  # of those stored
    waiting: "dict[int, Future[Stored]]" = field(default_factory=dict)  # by UID: fetched, and durable one day
    turned_away: Exception | None = None  # why others that were fetched do not even wait
    is_note: bool = False  # what is stored tells of the mail alone, which is nowhere else than in the mailbox


class Fetcher:
    """Fetches the mails of one folder and has them stored."""

    def __init__(self, mailbox: Mailbox, submit: Submit, beat: Callable[[], None]) -> None:
        self._mailbox = mailbox
        self._beat = beat  # called between the pieces of a large mail, which may take long
        self._submit = submit
        self._source = f"imap {mailbox.name}"

    def choose(self, uids: Sequence[int], seen: Mapping[int, Seen]) -> list[int]:
        """Return the beginning of `uids` that makes a batch; large ones come alone."""
        batch: list[int] = []
        room = BATCH_BYTES
        for uid in uids[:BATCH_MAILS]:
            size = seen[uid].size_bytes if uid in seen else 0
            if batch and (size > room or size > LARGE_BYTES):
                break
            batch.append(uid)
            room -= size
            if size > LARGE_BYTES:
                break
        return batch

    def is_wanted(self, uid: int, seen: Seen | None, state: State) -> bool:
        """Return whether a mail is to be fetched: not if it was there before maild and `start` leaves that alone."""
        if not _is_old(uid, seen, state):
            return True
        start = self._mailbox.start
        if start == "now":
            return False
        if start == "all" or seen is None or seen.came_at is None:
            return True
        return seen.came_at >= datetime.combine(start, time(), UTC)

    def take(
        self,
        connection: Connection,
        uids: Sequence[int],
        seen: Mapping[int, Seen],
        state: State,
        *,
        otherwise: bool = False,
    ) -> Batch:
        """Fetch and store the mails of a batch, as `begin` and `finish` do."""
        batch = self.begin(connection, uids, seen, state, otherwise=otherwise)
        self.finish(batch)
        return batch

    def begin(
        self,
        connection: Connection,
        uids: Sequence[int],
        seen: Mapping[int, Seen],
        state: State,
        *,
        otherwise: bool = False,
    ) -> Batch:
        """Fetch the mails of a batch and have them stored.

        A single one is fetched in pieces instead of whole, or whole, if `otherwise`.
        Some servers lie about sizes, and some know no pieces: what does not come one way may come the other.

        Raises:
            Trouble: the server failed.
        """
        batch = Batch(list(uids))
        wanted = [uid for uid in uids if uid in seen and self.is_wanted(uid, seen[uid], state)]
        batch.missed = [uid for uid in uids if uid not in seen]
        size_bytes = sum(seen[uid].size_bytes for uid in wanted)
        in_pieces = size_bytes > LARGE_BYTES
        if otherwise and size_bytes <= WHOLE_BYTES:
            in_pieces = not in_pieces
        if len(wanted) == 1 and in_pieces:
            self._take_large(connection, wanted[0], seen[wanted[0]], state, batch)
            return batch
        mails = connection.fetch(wanted, size_bytes) if wanted else {}
        batch.missed += [uid for uid in wanted if uid not in mails]
        for uid, raw in mails.items():
            old_since = _old_since(uid, seen[uid], state, raw)
            self._store(uid, Incoming(None, (), self._source, raw, fingerprint(raw), old_since), batch)
        return batch

    def _take_large(self, connection: Connection, uid: int, seen: Seen, state: State, batch: Batch) -> None:
        if seen.size_bytes > LARGEST_BYTES:
            raw = _note(connection.fetch_piece(uid, 0, HEAD_BYTES), seen.size_bytes, self._mailbox)
            old_since = _old_since(uid, seen, state, raw)
            self._store(uid, Incoming(None, (), self._source, raw, old_since=old_since), batch)
            batch.is_note = True
            return
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - the inbox closes it
        try:
            reader, size_bytes = Fingerprint(), 0
            for piece in _pieces(connection, uid, seen.size_bytes):
                self._beat()
                file.write(piece)
                reader.update(piece)
                size_bytes += len(piece)
            head = b""
            if _is_doubtful(uid, state):
                file.seek(0)
                head = file.read(HEAD_BYTES)
            mail = Incoming(
                None,
                (),
                self._source,
                Spooled(file, size_bytes),
                reader.digest(),
                old_since=_old_since(uid, seen, state, head),
            )
        except BaseException:
            file.close()
            raise
        self._store(uid, mail, batch)

    def _store(self, uid: int, mail: Incoming, batch: Batch) -> None:
        try:
            batch.waiting[uid] = self._submit(mail)
        except (QueueFullError, StoppedError) as full:
            mail.close()
            batch.turned_away = full

    def finish(self, batch: Batch) -> None:
        """Wait until what was fetched is stored; on return the mails in `batch.stored` are durable.

        Raises:
            Trouble: none was stored, or not all could wait; what was stored will be recognised when it comes again.
        """
        refused: list[int] = []
        error = batch.turned_away
        for uid, future in batch.waiting.items():
            try:
                batch.new += future.result(STORE_S).new
                batch.stored.append(uid)
            except Exception as why:  # noqa: BLE001 - whatever the database said; the mail stays where it is
                error = why
                refused.append(uid)
        if error is not None and (batch.turned_away or not batch.stored or is_passing(error)):  # no mail is at fault
            fix = "make room on the disk of the database" if is_full(error) else "see maild status"
            raise Trouble(Step.STORE, words_of(getattr(error, "orig", error)), fix) from error
        if error is not None:
            log.error("mails not stored, they are fetched again", uids=refused[:20], why=words_of(error))
            batch.missed += refused
        batch.waiting.clear()
        if batch.is_note:
            batch.stored.clear()


def _pieces(connection: Connection, uid: int, size_bytes: int) -> Iterator[bytes]:
    """Give a mail piece by piece; it ends where the server gives nothing, or less than asked for at its said end."""
    offset = 0
    while True:
        piece = connection.fetch_piece(uid, offset, PIECE_BYTES)
        offset += len(piece)
        if piece:
            yield piece
        if not piece or (len(piece) < PIECE_BYTES and offset >= size_bytes):
            break
        if offset > LARGEST_BYTES + LARGE_BYTES:  # sizes are estimates with some servers
            raise Trouble(Step.FETCH, f"mail {uid} is longer than the server says ({size_bytes} bytes), without an end")
    if offset < size_bytes // 2:  # too much to be an estimate
        raise Trouble(Step.FETCH, f"the server gives {offset} bytes of mail {uid}, and says that it has {size_bytes}")


def apply(connection: Connection, mailbox: Mailbox, uids: Sequence[int]) -> None:
    """Do with stored mails what `after` says.

    Raises:
        Trouble: not done; it will be tried again.
    """
    if not uids:
        return
    match mailbox.after:
        case "keep":
            return
        case "seen":
            connection.mark_seen(uids)
        case "move":
            connection.move(uids, mailbox.move_to or "")
        case "delete":
            connection.delete(uids)


def newest(seen: Iterable[Seen]) -> datetime | None:
    """Return when the last of some mails came."""
    return max((each.came_at for each in seen if each.came_at), default=None)


def _is_old(uid: int, seen: Seen | None, state: State) -> bool:
    """Return whether a mail was there before maild, by the server's own clock."""
    if uid > state.old_uid or state.old_until is None:
        return False
    return seen is None or seen.came_at is None or seen.came_at <= state.old_until


def _is_doubtful(uid: int, state: State) -> bool:
    return uid <= state.old_uid and state.old_until is not None


def _old_since(uid: int, seen: Seen, state: State, raw: bytes) -> datetime | None:
    """Return when an old mail came, None if it is not old.

    In a folder that was restored or renumbered everything may seem to have come today: there the mail's own Date counts
    too, if it is well before maild's time. What it says is not believed of mail that comes in the ordinary way.
    """
    if not _is_doubtful(uid, state) or state.old_until is None:
        return None
    came_at = seen.came_at or state.old_until
    if _is_old(uid, seen, state):
        return came_at
    sent_at = parse(raw[:HEAD_BYTES]).date
    return sent_at if sent_at is not None and sent_at < state.old_until - LATE else None


def _note(head: bytes, size_bytes: int, mailbox: Mailbox) -> bytes:
    """Return a mail of its own with the head of one that is too large, and a text that says where it is."""
    fields, _, _ = head.replace(b"\r\n", b"\n").partition(b"\n\n")
    kept: list[bytes] = []
    keep = True
    for line in fields.split(b"\n"):
        if line[:1] not in (b" ", b"\t"):
            keep = not line.lower().startswith((b"content-", b"mime-version"))
        if keep:
            kept.append(line)
    text = (
        f"This mail has {size_bytes:,} bytes, more than maild takes.\n"
        f"It is in the mailbox {mailbox.name}, folder {mailbox.folder}, and stays there.\n"
    )
    return b"\r\n".join([*kept, b"", *text.encode().split(b"\n")])
