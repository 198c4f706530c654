"""Reading a mail: any bytes become a `Message`, none raise.

    bytes -> header section -> one scan for delimiter lines -> tree of parts -> which parts are the text,
                                                                                which are attachments

Only what is asked for is decoded: attachments are located, text is made when somebody reads it. The raw bytes stay
the truth; what was wrong with them is listed in `Message.defects`. Time is linear in the size of the mail; every list
is bounded (`headers`, `mime`, `address_list` name their bounds). All ids are without angle brackets.

The room is made of `headers` (fields, encoded words, parameters), `charset`, `address_list`, `mime` (parts),
`body` (what of them is text), `filename`, `uuencode`, `tnef`, `flowed` and `html`.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from maild.message import address_list, body, headers, mime
from maild.message.address import Address
from maild.message.headers import Headers
from maild.message.mime import Part
from maild.message.once import once

ATTACHMENTS: Final = 100
_FROM_LINE: Final = re.compile(rb">?From (?![ \t]*:)[^\r\n]*\r*\n")


@dataclass(frozen=True, eq=False)
class Attachment:
    """A file in a mail; nothing of it is decoded before it is asked for."""

    name: str  # decoded and safe to show and to save, "" if it has none
    content_type: str
    inline: bool  # shown within the text: an image of the HTML body, or said to be inline
    content_id: str  # without angle brackets, "" if none
    _load: Callable[[], bytes] = field(repr=False)
    _size: Callable[[], int] | None = field(default=None, repr=False)

    def content(self) -> bytes:
        """Return the bytes of the file, its transfer encoding undone; decoded anew each time: they may be many."""
        return self._load()

    @once
    def size_bytes(self) -> int:
        """Return how long the file is."""
        return len(self._load()) if self._size is None else self._size()

    @once
    def sha256(self) -> str:
        """Return the SHA-256 of the file, as hexadecimal digits; a list of files needs their sizes only."""
        return hashlib.sha256(self._load()).hexdigest()


@dataclass(frozen=True, eq=False)
class Message:
    """What a mail says. Everything is worked out when first asked for, and kept."""

    raw: bytes = field(repr=False)
    head: Headers = field(repr=False)
    parts: Part = field(repr=False)  # the tree: `parts.walk()` goes through all of it

    def header(self, name: str) -> str:
        """Return the first header of that name, decoded and unfolded, "" if there is none."""
        return self.head.first(name.lower())

    def headers(self, name: str) -> tuple[str, ...]:
        """Return every header of that name, decoded and unfolded, in their order."""
        return self.head.all(name.lower())

    @once
    def message_id(self) -> str:
        """Return the Message-ID (RFC 5322 3.6.4), "" if there is none."""
        return next(iter(headers.ids(self.head.raw("message-id"))), "") or "".join(
            self.header("message-id")[:998].strip("<> ").split()
        )

    @once
    def in_reply_to(self) -> tuple[str, ...]:
        """Return the ids of In-Reply-To."""
        return headers.ids(self.head.raw("in-reply-to"))

    @once
    def references(self) -> tuple[str, ...]:
        """Return the ids of References, oldest first."""
        return headers.ids(self.head.raw("references"))

    def _addresses(self, name: str) -> tuple[Address, ...]:
        values = self.head.raws(name)
        if len(values) <= 1:
            return address_list.read(values[0], self.head.fallback) if values else ()
        found = [one for value in values[: headers.REFERENCES] for one in address_list.read(value, self.head.fallback)]
        return tuple(found[: address_list.ADDRESSES])

    @once
    def froms(self) -> tuple[Address, ...]:
        """Return every author (RFC 5322 3.6.2); more than one From header is a forger's or a broken sender's work."""
        return self._addresses("from")

    @once
    def from_(self) -> Address | None:
        """Return the first author, None if there is none."""
        return next((one for one in self.froms if one.address), self.froms[0] if self.froms else None)

    @once
    def sender(self) -> Address | None:
        """Return who sent the mail for its authors (RFC 5322 3.6.2), None if not said."""
        return next(iter(self._addresses("sender")), None)

    @once
    def reply_to(self) -> tuple[Address, ...]:
        """Return where answers are wanted (RFC 5322 3.6.2)."""
        return self._addresses("reply-to")

    @once
    def to(self) -> tuple[Address, ...]:
        """Return the recipients of To."""
        return self._addresses("to")

    @once
    def cc(self) -> tuple[Address, ...]:
        """Return the recipients of Cc."""
        return self._addresses("cc")

    @once
    def date(self) -> datetime | None:
        """Return when the mail says that it was written, in UTC; None if it does not say or the date is absurd."""
        return headers.date(self.head.raw("date"))

    @once
    def subject(self) -> str:
        """Return the subject on one line."""
        return " ".join(self.header("subject").split())

    @once
    def content_language(self) -> str:
        """Return Content-Language (RFC 3282) as written, "" if none."""
        return self.header("content-language")

    @once
    def thread_index(self) -> str:
        """Return Outlook's Thread-Index ([MS-OXOMSG] 2.2.1.3), without white space, "" if none."""
        return "".join(self.header("thread-index").split())

    @once
    def _body(self) -> body.Body:
        return body.read(self.parts, self.head.fallback)

    @property
    def text(self) -> str:
        """Return the text that a person reads, with LF line ends; made from HTML where there is only HTML."""
        return self._body.text

    @property
    def html(self) -> str:
        """Return the HTML of the body, decoded but as it was sent (never show it unclean), "" if there is none."""
        return self._body.html

    @property
    def html_only(self) -> bool:
        """Return whether the text had to be made from HTML."""
        return self._body.html_only

    @once
    def attachments(self) -> tuple[Attachment, ...]:
        """Return the files of the mail, at most ATTACHMENTS; the raw mail holds the rest."""
        files = self._body.files[:ATTACHMENTS]
        return tuple(
            Attachment(one.name, one.content_type, one.inline, one.content_id, one.load, one.size) for one in files
        )

    @once
    def defects(self) -> tuple[str, ...]:
        """Return what was wrong with the mail, each once: names of faults, as `docs/mail.md` explains them."""
        found = [defect for part in self.parts.walk() for defect in part.defects]
        found += self._body.defects
        if len(self._body.files) > ATTACHMENTS:
            found.append("attachments-too-many")
        if not self.head.names:
            found.append("headers-missing")
        for name in ("from", "message-id", "date", "subject"):
            if len(self.head.raws(name)) > 1:
                found.append(f"{name}-repeated")
        if not any("@" in one.address for one in self.froms):
            found.append("from-missing")
        if not self.message_id:
            found.append("message-id-missing")
        if self.date is None:
            found.append("date-absurd" if self.head.raw("date").strip() else "date-missing")
        return tuple(dict.fromkeys(found))


def parse(raw: bytes) -> Message:
    """Return what the mail `raw` says; never raises, whatever the bytes."""
    raw = _with_line_ends(raw)
    start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0  # seen in practice: mails that were saved by an editor
    while raw[start : start + 1] in (b"\n", b"\r"):
        start += 1
    match = _FROM_LINE.match(raw, start)
    if match:  # the separator of mbox files (RFC 4155), which some deliver with the mail
        start = match.end()
    section = headers.read(raw, start)
    tree = mime.read(raw, start, section=section)
    if not raw.isascii():
        _tell_charset(tree)
    return Message(raw, section.headers, tree)


_NAMED: Final = ("from", "to", "cc", "subject", "content-disposition")


def _tell_charset(tree: Part) -> None:
    """Tell headers with raw 8-bit values which charset the mail declares elsewhere: it is most likely theirs."""
    parts = list(tree.walk())
    raw = [part for part in parts if not all(one.isascii() for name in _NAMED for one in part.head.raws(name))]
    if raw:
        label = next((part.parameters["charset"] for part in parts if part.parameters.get("charset")), "")
        for part in raw:
            part.head.fallback = part.parameters.get("charset") or label


def _with_line_ends(raw: bytes) -> bytes:
    """Return `raw` with lines that end in LF: a mail written with bare CR would be one long line."""
    if raw.find(b"\n", 0, headers.SECTION_BYTES) < 0 and raw.find(b"\r", 0, headers.SECTION_BYTES) >= 0:
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw
