"""Compose a mail: the only maker of what maild sends.

`compose` takes a `Draft` (plain values, mostly other people's words) and returns the bytes that leave. What it
promises, whatever the draft says:

- every line ends in CR LF and has at most 998 octets (RFC 5322 2.1.1); heads fold at 76 wherever a space allows it;
- heads are ASCII, except where an address itself is not: then the mail needs SMTPUTF8 (RFC 6532), which
  `needs_utf8` tells the sender;
- the header fields are exactly those that the draft asks for: `fields.field` is the only function that makes one,
  and it takes nothing that could end a line;
- the boundary of a multipart does not occur in its parts (`parts`);
- the same draft gives the same bytes: no clock, no randomness.

Headers of one recipient are not made here: the sender prepends them with `for_recipient`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from maild.message import address_list
from maild.message.address import Address
from maild.message.compose import fields, parts
from maild.message.compose.fields import Unsendable, clean, clean_filename, route
from maild.message.compose.parts import File

__all__ = [
    "Automatic",
    "Draft",
    "Extra",
    "File",
    "Unsendable",
    "clean",
    "clean_filename",
    "compose",
    "for_recipient",
    "in_ascii",
    "needs_utf8",
    "route",
]

REFERENCES_LIMIT: Final = 100  # ids; a thread is found by its first and its newest ones


class Automatic(StrEnum):
    """Who makes the mail; the value is that of the header `Auto-Submitted` (RFC 3834 5)."""

    NO = ""  # a person wrote it: the header is left out
    REPLIED = "auto-replied"  # the direct answer to one mail: an acknowledgement, a returned command
    GENERATED = "auto-generated"  # made by time or by another person's deed: a notification, a reminder


class Extra(StrEnum):
    """The further headers that a draft may carry; nothing outside this list can be written."""

    CONTENT_LANGUAGE = "Content-Language"  # RFC 3282
    IMPORTANCE = "Importance"  # RFC 2156 5.3.4: high, normal, low


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A mail as plain values. Ids are without angle brackets, `date` is aware."""

    from_: Address
    to: tuple[Address, ...]
    subject: str
    text: str
    message_id: str
    date: datetime
    cc: tuple[Address, ...] = ()
    html: str = ""  # "": the mail has a plain text only
    in_reply_to: str = ""
    references: tuple[str, ...] = ()  # oldest first
    automatic: Automatic = Automatic.NO
    bulk: bool = False  # reminders only: `Precedence: bulk`
    extra: tuple[tuple[Extra, str], ...] = ()
    files: tuple[File, ...] = ()


def compose(draft: Draft) -> bytes:
    """Return the mail that `draft` describes, ready for any number of recipients.

    Raises:
        Unsendable: an address, the message id or the date is not one, or nobody is addressed. Other people's words
            (subject, names, texts, files, their message ids) never cause this.
    """
    body = parts.body(draft.text, draft.html, draft.files, seed=draft.message_id)
    head = "".join((*_head(draft), fields.field("MIME-Version", "1.0"), body.head, "\r\n"))
    return b"".join((head.encode("utf-8"), *body.content))


def for_recipient(raw: bytes, reply_to: str, leave: str = "") -> bytes:
    """Return the copy of a composed mail of which a reply goes to `reply_to` and to nobody else.

    With `leave` mail programs offer to unsubscribe by a mail to that address (RFC 2369 3.2). There is no
    `List-Unsubscribe-Post`: RFC 8058 wants a web server for that.

    Raises:
        Unsendable: one of the two is not an address.
    """
    own = fields.field("Reply-To", route(reply_to))
    if leave:
        own += fields.field("List-Unsubscribe", f"<mailto:{route(leave)}?subject=Leave>")
    return own.encode("utf-8") + raw


def needs_utf8(raw: bytes) -> bool:
    """Return whether the head of a composed mail is not ASCII, so that the relay must offer SMTPUTF8 (RFC 6531)."""
    return not raw.isascii() and not raw[: raw.find(b"\r\n\r\n")].isascii()


def in_ascii(raw: bytes) -> bytes | None:
    """Return a composed mail for a relay without SMTPUTF8: an address beyond ASCII in To or Cc is only shown.

    It becomes an empty group that is named like it (RFC 6857 3.2.1), so that the others get their copies. None if more
    than that is not ASCII: then the mail cannot go.
    """
    end = raw.find(b"\r\n\r\n") + 2
    lines = []
    for line in _FIELD.split(raw[:end]):
        name, _, value = line.partition(b":")
        if line.isascii():
            lines.append(line)
        elif name.lower() in (b"to", b"cc"):
            shown = fields.addresses(name.decode("ascii"), address_list.read(value), ascii_only=True)
            lines.append(shown.encode("ascii").removesuffix(b"\r\n"))
        else:
            return None
    return b"\r\n".join(lines) + raw[end:]


_FIELD: Final = re.compile(rb"\r\n(?![ \t])")


def _head(draft: Draft) -> list[str]:
    if not (draft.to or draft.cc):
        raise Unsendable("the mail is addressed to nobody")
    own_id = fields.message_id(draft.message_id)
    if not own_id:
        raise Unsendable(f"not a message id: {draft.message_id!r}")
    head = [fields.addresses("From", (draft.from_,))]
    if draft.to:
        head.append(fields.addresses("To", draft.to))
    if draft.cc:
        head.append(fields.addresses("Cc", draft.cc))
    head.append(fields.text("Subject", draft.subject))
    head.append(fields.date("Date", draft.date))
    head.append(fields.field("Message-ID", own_id))
    if parent := fields.message_id(draft.in_reply_to):
        head.append(fields.field("In-Reply-To", parent))
    if thread := _thread(draft.references):
        head.append(fields.field("References", *thread))
    if draft.automatic is not Automatic.NO:
        head.append(fields.field("Auto-Submitted", draft.automatic.value))
        head.append(fields.field("X-Auto-Response-Suppress", "All"))  # Exchange's own; MS-OXCMAIL 2.2.3.2.14
    if draft.bulk:
        head.append(fields.field("Precedence", "bulk"))
    head.extend(fields.text(name.value, value) for name, value in dict(draft.extra).items())
    return head


def _thread(references: tuple[str, ...]) -> list[str]:
    """Return the ids that can stand in a header, each once: the first and the newest, oldest first."""
    # of an id that comes twice the later place is kept, as the place nearer to its answer
    ids = list(dict.fromkeys(wrapped for one in reversed(references) if (wrapped := fields.message_id(one))))
    ids.reverse()
    return ids if len(ids) <= REFERENCES_LIMIT else ids[:1] + ids[1 - REFERENCES_LIMIT :]
