"""A mail as it arrived, in memory or in a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final, NamedTuple

from maild.message.identity import Fingerprint
from maild.store.raw import PIECE_BYTES, cut


class Spooled:
    """A mail too large for memory: what was put in front of it, and a file that holds the rest."""

    def __init__(self, file: BinaryIO, size_bytes: int, *, front: bytes = b"") -> None:
        self._file = file
        self._front = front
        self.size_bytes: Final = len(front) + size_bytes  # of the mail

    def pieces(self) -> Iterator[bytes]:
        """Give the mail's bytes, at most PIECE_BYTES at a time, from the beginning each time it is called."""
        self._file.seek(0)
        piece = self._front + self._file.read(PIECE_BYTES - len(self._front))
        while piece:
            yield piece
            piece = self._file.read(PIECE_BYTES)

    def close(self) -> None:
        """Close the file; done by `GroupCommit` once the mail is stored or refused."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail as it arrived."""

    envelope_from: str | None  # "" is the null sender, None is unknown
    recipients: tuple[str, ...]  # of the envelope
    source: str  # "smtp 192.0.2.1", "lmtp", "imap support"
    content: bytes | Spooled
    fingerprint: bytes | None = None  # None: reckoned when it is stored
    old_since: datetime | None = None  # when it came to a mailbox that maild did not read yet: filed silently
    helo: str | None = None  # how the client of SMTP called itself
    login: str | None = None  # the agent who logged in to send it, normalised

    @property
    def size_bytes(self) -> int:
        """How long the mail is."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size_bytes

    def pieces(self) -> Iterator[bytes]:
        """Give the mail's bytes, at most PIECE_BYTES at a time."""
        if isinstance(self.content, Spooled):
            yield from self.content.pieces()
            return
        yield from cut(self.content)

    def close(self) -> None:
        """Close the mail's file, if it has one."""
        if isinstance(self.content, Spooled):
            self.content.close()

    def identity(self) -> bytes:
        """Return the mail's fingerprint."""
        if self.fingerprint is not None:
            return self.fingerprint
        reader = Fingerprint()
        for piece in self.pieces():
            reader.update(piece)
        return reader.digest()


class Stored(NamedTuple):
    """Where a mail is, and whether it had not been there before."""

    mail_id: int
    new: bool
