"""Whose mail was passed on: read from what a mail program puts above it, or from the mail itself, attached.

    ---------- Forwarded message ---------        Anfang der weitergeleiteten Nachricht:
    From: Ada <ada@customer.example>              > Von: Ada <ada@customer.example>
    Date: Mon, 2 Nov 2026 at 10:00                > Datum: 2. November 2026 um 10:00:00 MEZ
    Subject: Printer on fire                      > Betreff: Printer on fire

Certain or not at all: one address in the row that names the author, among at least two more rows of a header, in any of
the languages of `phrases`. The topmost block is the mail that was passed on; what that one quoted is below. A mail that
is attached tells for itself, if it is the only one. Nothing is guessed: who gets None asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maild.message import announcements, quotes, signatures
from maild.message.address import Address, valid
from maild.message.parse import Message, parse
from maild.message.reply import is_forward, new_text
from maild.message.signatures import is_sent_from

ATTACHED = "message/rfc822"
MOST_ATTACHED_BYTES = 30 << 20
_ROWS = 20  # lines that a header block may take, empty and folded ones included
_LEAST_ROWS = 3
_EMAIL = re.compile(r"[^\s<>()\[\]\"',;:]{1,64}@[\w.-]{1,255}")
_MARKS = " \t*_\u200b\u200e\u200f\u202a\u202b\u202c\ufeff\xa0"
_NAME_EDGE = _MARKS + "<>[]()\"'„“”«»"


@dataclass(frozen=True, slots=True)
class Passed:
    """A mail that somebody passed on, and what he wrote above it."""

    author: Address | None  # None: it cannot be told with certainty
    subject: str
    text: str
    comment: str
    attached: Message | None = None  # the mail itself, if it was attached whole


def passed_on(message: Message, text: str) -> Passed | None:
    """Return the mail that `message` passes on, whose whole text is `text`; None if it passes none on."""
    attached = [each for each in message.attachments if each.content_type.lower() == ATTACHED]
    if attached:
        return _attached(message, text, attached[0] if len(attached) == 1 else None)
    lines = text.split("\n")
    at = _start(lines)
    says = is_forward(message)
    if at is None:
        return Passed(None, message.subject, text, "") if says else None
    if not says and not at[1]:
        return None
    return _inline(message, lines, at[0])


def _attached(message: Message, text: str, only: object) -> Passed:
    content = getattr(only, "content", None)
    size = getattr(only, "size_bytes", 0)
    if content is None or size > MOST_ATTACHED_BYTES:
        return Passed(None, message.subject, text, "")
    original = parse(content())
    author = original.from_ if original.from_ and valid(original.from_.address) else None
    return Passed(author, original.subject, new_text(original).text, text.strip(), original)


def _start(lines: Sequence[str]) -> tuple[int, bool] | None:
    """Return where the topmost mail that is passed on begins, and whether its program says so in words."""
    bare = [_bare(line) for line in lines[: announcements.LINES_SEEN]]
    found = announcements.find(bare, quotes.kinds(bare))
    first = next((each for each in found if each.forward or each.firm), None)
    return None if first is None else (first.start, first.forward)


def _inline(message: Message, lines: Sequence[str], start: int) -> Passed:
    rows: dict[str, str] = {}
    last, end = "", start
    for at in range(start, min(start + _ROWS, len(lines))):
        line = _bare(lines[at])
        name = announcements.row(line)
        if name is None:
            if len(rows) >= _LEAST_ROWS and (last == "about" or not line.strip()):
                break  # Outlook puts the text right below the subject
            if (
                last not in ("", "about") and line.strip()
            ):  # folded: a long list of recipients, an address on a line of its own
                rows[last] += f" {line.strip()}"
            continue
        if name in rows and name != "copy":
            break
        rows.setdefault(name, _value(line))
        last, end = name, at + 1
    while end < len(lines) and _bare(lines[end]).strip() and announcements.row(_bare(lines[end])) is None:
        if not _EMAIL.search(lines[end]):
            break
        end += 1  # the rest of a folded row
    below = lines[end:]
    if below and all(not line.strip() or quotes.quoted(line) for line in below):
        below = [_bare(line) for line in below]
    comment = _comment(lines[:start])
    subject = rows.get("about", "").strip(_MARKS) or message.subject
    return Passed(_author(rows), subject, "\n".join(below).strip("\n\ufeff"), comment)


def _comment(lines: Sequence[str]) -> str:
    """Return what the agent wrote above it, without his signature and the rule that his program put below that."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or quotes.is_rule(lines[end - 1]) or is_sent_from(lines[end - 1])):
        end -= 1
    written = lines[:end]
    return "\n".join(written[: signatures.start(written, quotes.kinds(written), end)]).strip()


def _author(rows: dict[str, str]) -> Address | None:
    written = rows.get("from", "")
    addresses = list(
        dict.fromkeys(each.rstrip(".").lower() for each in _EMAIL.findall(written.replace("mailto:", " ")))
    )
    if len(rows) < _LEAST_ROWS or len(addresses) != 1 or not valid(addresses[0]):
        return None
    place = written.lower().find(addresses[0])
    address = written[place : place + len(addresses[0])]
    name = written[:place].replace("mailto:", " ").strip(_NAME_EDGE)
    return Address("" if "@" in name else " ".join(name.split())[:200], address)


def _value(line: str) -> str:
    found = re.search("[:：]", line)
    return line[found.end() :].strip(_MARKS) if found else ""


def _bare(line: str) -> str:
    """Return a line without the quote mark that Apple Mail puts before what is passed on."""
    stripped = line.lstrip(" \t\xa0")
    return stripped[1:].lstrip(" \xa0") if stripped.startswith(">") else line
