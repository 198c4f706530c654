"""Where a signature begins at the end of a mail: by its mark, never by its words.

Marks are the line `-- ` (RFC 3676 4.3) and its likenesses with a short block below, the footer of a
mailing list, the one line with which a telephone or a mail program signs ("Sent from my iPhone"), and the notice of
confidentiality that a company's server adds.
A greeting and a name are the author's words and stay.
"""

import re
from collections.abc import Sequence

from maild.message import phrases
from maild.message.quotes import LINE_SEEN

_LONGEST = 12  # lines of a signature below its mark
_LONGEST_OF_CONTACTS = 25  # ... if they are telephone numbers, addresses and what a law wants named
_NOTICE_CHARACTERS = 150  # a shorter one is somebody's sentence about this mail
_ROUNDS = 3  # signatures on top of one another: the author's, his telephone's, his list's

_DELIMITER = re.compile(r"^(?:--|—|––|——|-- —)$")
_FOOTER = re.compile(r"^_{20,}$|^-{40,}$")
_MARKS = "-–—_"  # one of these begins both
_SENT_FROM = re.compile(
    r"\W{0,4}(?:"
    + "|".join(re.escape(words) + ("(?![a-z])" if words[-1].isascii() else "") for words in phrases.SENT_FROM)
    + ")"
)
_SENT_LAST = re.compile(r"(?:gönderildi|saadetud|傳送|发送|送信|보냄|전송|gesendet|skickat|sendt|verzonden|küldve)$")
_DEVICE = re.compile(r"(?<![a-z0-9])(?:" + "|".join(re.escape(word) for word in phrases.DEVICES) + ")")
_LINK = re.compile(r"<[^<>]{1,300}>|\(https?://[^()]{1,300}\)|https?://\S{1,300}|\[[^\[\]]{1,60}\]")
_ADDRESS = re.compile(r"https?://|www\.|\w@\w")
_DISCLAIMER = re.compile(
    r"\W{0,4}(?:" + "|".join(re.escape(words) for words in phrases.DISCLAIMERS) + ")", re.IGNORECASE
)
_CONFIDENTIAL = re.compile("|".join(re.escape(words) for words in phrases.CONFIDENTIAL), re.IGNORECASE)
_CONTACT = re.compile(r"\d{3}|@|www\.|://|^.{2,30}:|^\W+$")
_QUESTION = re.compile(r"\w\s?[?？]$")
_POSTSCRIPT = re.compile(r"^\W{0,3}(?:p\.?\s?){1,2}s\.?\s?[:.,\-–) ]", re.IGNORECASE)


def start(lines: Sequence[str], kind: Sequence[str], end: int) -> int:
    """Return the line before `end` at which the signatures begin, `end` if there are none."""
    for _ in range(_ROUNDS):
        before = end
        end = _marked(lines, kind, _telephone(lines, kind, _disclaimer(lines, kind, end)))
        if end == before:
            break
    return end


def _telephone(lines: Sequence[str], kind: Sequence[str], end: int) -> int:
    """Take lines like "Sent from my iPhone" off the end."""
    first = kind.index("t") if "t" in kind else end
    for at in range(end - 1, first, -1):
        if kind[at] == "e":
            continue
        if kind[at] != "t" or not is_sent_from(lines[at]):
            break
        end = at
    return end


def is_sent_from(line: str) -> bool:
    """Tell whether `line` is what a telephone or a mail program puts below every mail."""
    if len(line) > LINE_SEEN:
        return False
    folded = line.casefold()
    if "<" in folded or "[" in folded or "://" in folded:
        folded = _LINK.sub(" ", folded)
    body = folded.strip(" \t*_\xa0.|<>")
    if len(body) > 90 or "?" in body:
        return False
    match = _SENT_FROM.match(body)
    if match is None:
        return _SENT_LAST.search(body) is not None and len(body.split()) <= 6 and _DEVICE.search(body) is not None
    if _DEVICE.search(re.split(r"[,;!?]", body, maxsplit=1)[0]):
        return len(body.split()) <= 14
    return match.group().endswith("from my") and len(body.split()) <= 6 and not re.search("[,;!?]", body)


def _disclaimer(lines: Sequence[str], kind: Sequence[str], end: int) -> int:
    """Take the notice off the end that a company's server puts below every mail."""
    begins, seen = end, 0
    for at in range(end - 1, 0, -1):
        if kind[at] == "e":
            continue
        seen += 1
        if kind[at] != "t" or seen > _LONGEST:
            break
        if kind[at - 1] != "t" and _DISCLAIMER.match(lines[at]):
            begins = at
    if begins == end or "t" not in kind[:begins]:
        return end
    notice = " ".join(line[: 2 * LINE_SEEN] for line in lines[begins:end])
    return begins if len(notice) >= _NOTICE_CHARACTERS and _CONFIDENTIAL.search(notice) else end


def _marked(lines: Sequence[str], kind: Sequence[str], end: int) -> int:
    """Take a block below `-- ` or a list's footer off the end."""
    seen = 0
    for at in range(end - 1, 0, -1):
        if kind[at] == "e":
            continue
        if kind[at] != "t":
            return end
        line = lines[at].strip()
        if line[:1] in _MARKS:
            if _DELIMITER.match(line):
                return at if _is_signature(lines, kind, at, end, seen) else end
            if len(line) <= 200 and _FOOTER.match(line):
                return at if _is_footer(lines, kind, at, end, seen) else end
        seen += 1
        if seen > _LONGEST_OF_CONTACTS:
            return end
    return end


def _is_signature(lines: Sequence[str], kind: Sequence[str], at: int, end: int, count: int) -> bool:
    """Judge the block below a `--`: short lines, no question, no postscript, words above."""
    if "t" not in kind[:at]:
        return False
    below = [line.strip() for line in lines[at + 1 : end] if line.strip()]
    if any(_POSTSCRIPT.match(line[:40]) for line in below):
        return False
    if count > _LONGEST:
        return sum(_CONTACT.search(line[:LINE_SEEN]) is not None for line in below) * 2 >= count
    return lines[at] == "-- " or not any(_QUESTION.search(line[-40:]) for line in below)


def is_block(lines: Sequence[str]) -> bool:
    """Tell whether `lines`, which a mail program calls a signature, read like one: few, and no sentences among them."""
    words = [line for line in lines if line.strip()]
    if len(words) > _LONGEST_OF_CONTACTS or any(_POSTSCRIPT.match(line[:40]) for line in words):
        return False
    return not any(_is_sentence(line[:LINE_SEEN]) for line in words)


def _is_sentence(line: str) -> bool:
    count = len(line.split())
    return count >= 12 or (count >= 5 and line.rstrip()[-1:] in (".", "?", "!", "。", "？", "！")) or "?" in line


def _is_footer(lines: Sequence[str], kind: Sequence[str], at: int, end: int, count: int) -> bool:
    """Judge the block below a long rule: a list's footer is short and names an address."""
    if "t" not in kind[:at] or count > 6:
        return False
    below = lines[at + 1 : end]
    return any(_ADDRESS.search(line[:LINE_SEEN]) for line in below)
