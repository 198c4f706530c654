"""Mails in files of other programs: mbox (RFC 4155, and the dialects that quote `From `) and Maildir.

One mail at a time is in memory. Nothing is decided here, and the files are only read.
"""

import email.utils
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

MOST_BYTES: Final = 128 * 2**20  # of a mail; what is longer is told and left out
HEAD_BYTES: Final = 256 * 1024
_SEPARATOR: Final = re.compile(rb"From \S.*\d{4}\b")  # "From ada@customer.example Mon Mar  2 12:00:00 2026"
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_RECEIVED: Final = re.compile(rb"^Received:((?:[^\n]|\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_DATE: Final = re.compile(rb"^Date:((?:[^\n]|\n[ \t])*)", re.IGNORECASE | re.MULTILINE)


class Found(NamedTuple):
    """A mail that was found; `raw` is None if it is too long."""

    where: str  # for people: file and number
    raw: bytes | None
    came_at: datetime | None  # None: nothing says when


def mbox(path: Path) -> Iterator[Found]:
    """Yield the mails of an mbox file, in its order.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no mbox.
    """
    with path.open("rb") as file:
        for number, (separator, raw) in enumerate(_cut(file), 1):
            came_at = _instant(separator.partition(b" ")[2].partition(b" ")[2].strip()) if separator else None
            yield Found(f"{path}:{number}", raw, came_at or (when(raw) if raw else None))


def _cut(file: BinaryIO) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield each separating line with the mail behind it, None in its place if that is too long."""
    separator = file.readline()
    if not separator:
        return
    if not _SEPARATOR.match(separator):
        raise ValueError("it does not begin with a line 'From ': no mbox")
    lines: list[bytes] = []
    size, empty = 0, False  # a separator stands behind an empty line, which is not the mail's
    for line in file:
        if empty and line.startswith(b"From ") and _SEPARATOR.match(line):
            yield separator, _joined(lines[:-1], size)
            separator, lines, size, empty = line, [], 0, False
            continue
        size += len(line)
        if size <= MOST_BYTES:
            lines.append(line)
        empty = not line.strip(b"\r\n")
    yield separator, _joined(lines[:-1] if empty else lines, size)


def _joined(lines: list[bytes], size: int) -> bytes | None:
    return None if size > MOST_BYTES else _QUOTED.sub(rb"\1", b"".join(lines))


def maildir(path: Path) -> Iterator[Found]:
    """Yield the mails of a Maildir, the oldest first.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no Maildir.
    """
    folders = [path / name for name in ("cur", "new")]
    if not all(each.is_dir() for each in folders):
        raise ValueError("it has no folders cur and new: no Maildir")
    files = [
        each for folder in folders for each in folder.iterdir() if each.is_file() and not each.name.startswith(".")
    ]
    dated: list[tuple[datetime, Path]] = []
    for each in files:
        with each.open("rb") as file:
            head = file.read(HEAD_BYTES)
        dated.append((when(head) or datetime.fromtimestamp(each.stat().st_mtime, UTC), each))
    for came_at, each in sorted(dated):
        raw = each.read_bytes() if each.stat().st_size <= MOST_BYTES else None
        yield Found(str(each), raw, came_at)


def when(raw: bytes) -> datetime | None:
    """Return when a mail came, by the last server that took it, else by its own date."""
    head = raw[:HEAD_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    for pattern in (_RECEIVED, _DATE):
        found = pattern.search(head)
        at = _instant(found[1].rpartition(b";")[2]) if found else None  # RFC 5321 4.4: behind the last semicolon
        if at is not None:
            return at
    return None


def _instant(written: bytes) -> datetime | None:
    """Return the instant that a date of mail or of ctime(3) says."""
    text = " ".join(written[:100].decode("latin-1").split())
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:  # year 1 or 9999, shifted by a zone
        return None
