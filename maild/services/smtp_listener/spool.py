"""Where a mail is while it comes in: in memory if it is small, else in a file that no name leads to.

The mail's fingerprint and its hops are read as it passes, so that it is never in memory as a whole.
"""

import tempfile
from pathlib import Path
from typing import BinaryIO, Final, cast

import structlog

from maild.inbox import Spooled
from maild.message.identity import Fingerprint

log = structlog.get_logger(__name__)

MEMORY_BYTES: Final = 256 << 10

TOO_LARGE: Final = "552 5.3.4 The mail is larger than {} bytes"
NO_ROOM: Final = "452 4.3.1 No room for the mail now, please try again later"


class Spool:
    """Takes a mail's bytes, whose line ends must be whole CRLFs; `refusal` says why they are not kept any more."""

    __slots__ = ("_directory", "_file", "_fingerprint", "_limit_bytes", "_pieces", "refusal", "size_bytes")

    def __init__(self, limit_bytes: int, directory: Path | None) -> None:
        self._limit_bytes = limit_bytes
        self._directory = directory
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self._fingerprint = Fingerprint()
        self.size_bytes = 0  # of what came, kept or not
        self.refusal: str | None = None

    def add(self, piece: bytes) -> None:
        """Keep the next `piece`."""
        self.size_bytes += len(piece)
        if self.refusal is not None:
            return
        if self.size_bytes > self._limit_bytes:
            self._refuse(TOO_LARGE.format(self._limit_bytes))
            return
        self._fingerprint.update(piece, canonical=True)
        try:
            self._keep(piece)
        except OSError as error:  # the disk is full or broken: our trouble, so the sender keeps the mail
            log.error("a mail cannot be spooled", reason=str(error))  # noqa: TRY400 - the disk is at fault, not a frame
            self._refuse(NO_ROOM)

    def _keep(self, piece: bytes) -> None:
        if self._file is None:
            self._pieces.append(piece)
            if self.size_bytes <= MEMORY_BYTES:
                return
            self._file = cast("BinaryIO", tempfile.TemporaryFile(dir=self._directory, buffering=0))  # noqa: SIM115 - `close`
            piece = b"".join(self._pieces)
            self._pieces = []
        view = memoryview(piece)
        while view:  # a raw file may take less than it is given
            view = view[self._file.write(view) :]

    def _refuse(self, reply: str) -> None:
        self.close()
        self.refusal = reply

    def fingerprint(self) -> bytes:
        """Return the mail's fingerprint, once all of it is here."""
        return self._fingerprint.digest()

    def header(self) -> bytes:
        """Return the mail's header, or much of it, once `fingerprint` was asked for."""
        return self._fingerprint.head

    def hops(self) -> int:
        """Return how many servers say that they received the mail, once `fingerprint` was asked for."""
        return (b"\n" + self._fingerprint.head).lower().count(b"\nreceived:")

    def content(self, front: bytes) -> bytes | Spooled:
        """Return the mail with `front` put before it; a file is the caller's to close from then on."""
        if self._file is None:
            return b"".join((front, *self._pieces))
        spooled = Spooled(self._file, self.size_bytes, front=front)
        self._file = None
        return spooled

    def close(self) -> None:
        """Forget the mail."""
        self._pieces = []
        if self._file is not None:
            self._file.close()
            self._file = None
