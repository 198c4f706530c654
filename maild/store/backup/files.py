"""Files that are whole under their name, or not there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give the name of a new, private, empty file beside `path`; it is gone at the end, unless it was renamed."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def difference(wanted: dict[str, int], found: dict[str, int]) -> str:
    """Return in words where the rows of tables differ, empty if nowhere."""
    tables = sorted(each for each in wanted.keys() | found.keys() if wanted.get(each) != found.get(each))
    return ", ".join(f"{each} has {found.get(each, 0)} rows of {wanted.get(each, 0)}" for each in tables)
