"""Files that stand uuencoded in a text body (POSIX uuencode): what attachments were before MIME."""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_BEGIN: Final = re.compile(rb"^begin[ \t]+[0-7]{3,4}[ \t]+([^\r\n]{1,500})\r?\n(?=[ -`]{2})", re.MULTILINE)
_END: Final = re.compile(rb"^(?:[ `]?[ \t]*\r?\n)?end[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_MAY_BEGIN: Final = re.compile(rb"\nbegin[ \t]")
FILES: Final = 100


@dataclass(frozen=True)
class File:
    """One uuencoded file, and where it stands: `start` to `end` with its begin and end lines."""

    name: bytes
    start: int
    end: int
    encoded: bytes

    def content(self) -> bytes:
        """Return the file's bytes; lines that are broken are left out."""
        out = bytearray()
        for line in self.encoded.splitlines():
            if not line or line in (b"`", b" "):
                continue
            try:
                out += binascii.a2b_uu(line)
            except binascii.Error:
                # broken encoders write too long a line; its first byte says how much of it counts
                length = (((line[0] - 32) & 63) * 4 + 5) // 3
                try:
                    out += binascii.a2b_uu(line[:length])
                except binascii.Error:
                    continue
        return bytes(out)


def may_hold(body: bytes) -> bool:
    """Tell whether `body` could hold such a file; fast, because most hold none."""
    return body.startswith(b"begin") or _MAY_BEGIN.search(body) is not None


def find(body: bytes) -> Iterator[File]:
    """Yield the uuencoded files of `body`, at most FILES; one without an end line is none."""
    at = 0
    for _ in range(FILES):
        begin = _BEGIN.search(body, at)
        if begin is None:
            return
        end = _END.search(body, begin.end())
        if end is None:
            return
        yield File(begin.group(1), begin.start(), end.end(), body[begin.end() : end.start()])
        at = end.end()
