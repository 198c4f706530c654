"""What makes two arrivals the same mail: SHA-256 over Message-ID, From, Date, Subject and the body's bytes.

The trace that relays add (`Received`, `Return-Path`) does not count, and neither does what transports change in
passing: folds and spaces in those fields, the kind of line end, empty lines at the very end. So a retry, a second
path and a second address of ours give one fingerprint, while two mails that share a Message-ID but not a body give two.
A Message-ID alone never identifies a mail: it may be missing, invented by a relay or used twice. Where it is missing,
whom the mail is to, what it answers and how its body is to be read count too: two mails taken for one would be a mail
lost, one taken for two is only shown twice.

Not told apart: two mails without Message-ID and Date that are equal in all of that. They cannot be told from a
sender's retry of one.
"""

import hashlib
import re
from typing import Final

HEAD_BYTES: Final = 262_144  # of the header section; what is beyond counts as body

_FIELDS: Final = (b"message-id", b"from", b"date", b"subject")
_MORE_FIELDS: Final = (
    b"to",
    b"cc",
    b"sender",
    b"reply-to",
    b"in-reply-to",
    b"references",
    b"content-type",
    b"content-transfer-encoding",
)
_BLOCK: Final = b"\r\n" * 32_768


def _fields(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(rb"\n(" + b"|".join(names) + rb")[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE)


_FIELD: Final = _fields(_FIELDS)
_MORE_FIELD: Final = _fields(_MORE_FIELDS)

# From 2,048 bytes on, hashing lets other threads run. For a small mail coming back takes longer than hashing.
_SLICE_BYTES: Final = 2_047
_LARGE_BYTES: Final = 16_384


def fingerprint(raw: bytes) -> bytes:
    """Return the 32 bytes that identify the mail `raw`, whatever its bytes are."""
    reader = Fingerprint()
    reader.update(raw)
    return reader.digest()


class Fingerprint:
    """Reads a mail in pieces of any size; what comes out does not depend on how it was cut.

    Keeps the header section (at most HEAD_BYTES and one piece) and nothing of the body.
    """

    __slots__ = ("_carriage_return", "_hash", "_head", "_line_ends", "head")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._head: bytearray | None = bytearray()  # None once the header section is over
        self._carriage_return = False  # the last piece ended in CR, which may be half a line end
        self._line_ends = 0  # read from the body and not hashed yet: they may be its very end
        self.head = b""  # the header section, once it is over; line ends are CRLF

    def update(self, piece: bytes, *, canonical: bool = False) -> None:
        """Read the next `piece`; `canonical` says that it has no line ends but whole CRLFs, which saves a look."""
        if not canonical or self._carriage_return:
            piece = self._canonical(piece)
        if self._head is None:
            self._read_body(piece)
        else:
            self._read_head(self._head, piece)

    def digest(self) -> bytes:
        """Return the 32 bytes that identify the mail. Nothing may be read after it."""
        if self._carriage_return:
            self._carriage_return = False
            self.update(b"\r\n", canonical=True)
        if self._head is not None:
            self._end_head(bytes(self._head))
        return self._hash.digest()

    def _canonical(self, piece: bytes) -> bytes:
        if self._carriage_return:
            piece = b"\r" + piece
        self._carriage_return = piece.endswith(b"\r")
        if self._carriage_return:
            piece = piece[:-1]
        pairs = piece.count(b"\r\n")
        if pairs == piece.count(b"\n") and pairs == piece.count(b"\r"):
            return piece
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")

    def _read_head(self, head: bytearray, piece: bytes) -> None:
        seen = len(head)
        head += piece
        if head.startswith(b"\r\n"):
            end, body = 0, 2
        else:
            blank = head.find(b"\r\n\r\n", max(0, seen - 3), HEAD_BYTES + 2)
            end, body = blank + 2, blank + 4
            if blank < 0:
                if len(head) < HEAD_BYTES + 4:  # a blank line may still begin within the bound
                    return
                end = body = HEAD_BYTES
        rest = bytes(memoryview(head)[body:])
        self._end_head(bytes(memoryview(head)[:end]))
        self._read_body(rest)

    def _end_head(self, head: bytes) -> None:
        self._head = None
        self.head = head
        section = b"\n" + head
        values = _values(_FIELDS, _FIELD, section)
        hashed = _joined(values)
        if not any(values[b"message-id"]):
            hashed += _joined(_values(_MORE_FIELDS, _MORE_FIELD, section))
        self._hash.update(hashed)

    def _read_body(self, piece: bytes) -> None:
        text = piece.rstrip(b"\r\n")
        if text:
            self._hash_line_ends()
            self._hash_text(text)
        self._line_ends += (len(piece) - len(text)) // 2

    def _hash_text(self, text: bytes) -> None:
        if len(text) > _LARGE_BYTES:
            self._hash.update(text)
            return
        for start in range(0, len(text), _SLICE_BYTES):
            self._hash.update(text[start : start + _SLICE_BYTES])

    def _hash_line_ends(self) -> None:
        whole, rest = divmod(self._line_ends, len(_BLOCK) // 2)
        for _ in range(whole):
            self._hash.update(_BLOCK)
        self._hash.update(b"\r\n" * rest)
        self._line_ends = 0


def _values(names: tuple[bytes, ...], field: re.Pattern[bytes], section: bytes) -> dict[bytes, list[bytes]]:
    """Return every value of each of `names`, unfolded."""
    values: dict[bytes, list[bytes]] = {name: [] for name in names}
    for name, value in field.findall(section):
        values[name.lower()].append(b" ".join(value.split()))
    return values


def _joined(values: dict[bytes, list[bytes]]) -> bytes:
    """Return `values` as bytes; lengths are written out, so that no two sets of values run together alike."""
    joined: list[bytes] = []
    for each in values.values():
        joined.append(b"%d" % len(each))
        joined += (b":%d:%b" % (len(value), value) for value in each)
        joined.append(b"\n")
    return b"".join(joined)
