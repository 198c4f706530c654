"""The evidence in a mail: every signed thing, reference, tag and conversation that may lead to its ticket.

Order is meaning: what stands first in `Clues.signed` and `Clues.message_ids` is the newest, and wins. References are
read as the world writes them: without brackets, folded inside an id, cut off, glued together; whatever is left of one
of our own ids is still found, because it proves itself. Bounds: `MOST_...`; the rest of a mail is not looked at.
"""

import re
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from itertools import chain, islice

from maild.message.parse import Message
from maild.message.subject import tags
from maild.message.tokens import (
    Forged,
    Keys,
    Role,
    Token,
    any_signed_part,
    may_be_signed,
    read,
    read_message_id,
    signed_part,
)

MOST_BODY_CHARS = 1 << 20
MOST_IDS = 100  # of References, the newest
MOST_RECIPIENTS = 500
MOST_HEADERS = 20  # of one name
MOST_HEADER_CHARS = 8192
MOST_BODY_TOKENS = 100  # each costs a MAC
CONVERSATION_BYTES = 22  # of a Thread-Index; each answer adds five

_RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "X-Forwarded-To", "Envelope-To", "X-Envelope-To", "Resent-To")
_REFERENCE_HEADERS = ("In-Reply-To", "References", "X-Forwarded-Message-Id")
_RECIPIENT_NAMES = frozenset(map(str.lower, _RECIPIENT_HEADERS))
_REFERENCE_NAMES = frozenset(map(str.lower, _REFERENCE_HEADERS))
_MAY_HOLD_OWN_ID = re.compile(rb"[mM][\x00-\x20\x7f]*[0-9]|=\?|[\x80-\xff\x1b]")  # or hide it in an encoding
_OWN_ID = re.compile(r"m[0-9]{1,15}\.[a-z0-9]{1,40}\.[a-z0-9]{27}(?![a-z0-9])", re.ASCII)
_DOT = r"(?:\.|%2e|=2e)"
_BODY_TOKEN = re.compile(rf"t([0-9]{{1,15}}){_DOT}([a-z])([0-9]{{1,15}}){_DOT}", re.ASCII)
_LINE_END = re.compile(r"=?\r?\n[>|\s]*")
# The role in a token: no text without one of these holds any. Each begins with one letter that is looked for alone,
# which is several times as fast as looking for the token, and may be broken by line ends.
_BREAK = r"(?:=?\r?\n[>|\s]*+)*+"
_ROLE_MARKS = tuple(
    (letter, re.compile(_BREAK.join((first, *others, "[A-Za-z]", "[0-9]")), re.ASCII | re.IGNORECASE))
    # An "=" that ends a line belongs to the break; without saying so each of many would look through all behind it.
    for letter, first, others in ((".", r"\.", ""), ("%", "%", "2e"), ("=", r"=(?!\r?\n)", "2e"))
)
_BEFORE_ROLE = 16  # characters of a token: its letter and the number of the ticket
_MAC_CHARS = 27  # key id and MAC
_MAC_REACH = 120  # the same with the line ends and quote marks that clients put among them
_AMONG = re.compile(r"=\r?\n|&gt;|<wbr>|[\s>|\u00ad\u200b]")
_BETWEEN_IDS = re.compile(r"[\s<>,;]+")


class Kind(IntEnum):
    """The kinds of signed evidence, numbered as in the table of `maild.message.match`."""

    REPLY_ADDRESS = 1
    OWN_ID = 2
    BODY_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Signed:
    """Something of ours that a mail carries: the ticket it proves, and where it stood."""

    kind: Kind
    ticket_id: int
    where: str
    role: Role | None = None  # of a reply address only
    address_id: int = 0


@dataclass(frozen=True, slots=True)
class Clues:
    """All that a mail says about its ticket; `message_ids`, `ticket_ids`, `thread_indexes` are to be looked up."""

    signed: tuple[Signed, ...] = ()  # our ids among the references, newest first, then recipients, then the body
    message_ids: tuple[str, ...] = ()  # not ours; newest first
    tags: tuple[int, ...] = ()
    thread_indexes: tuple[str, ...] = ()
    forged: tuple[str, ...] = ()  # what looked signed and was not: each a sentence for the record

    @property
    def ticket_ids(self) -> tuple[int, ...]:
        """The tickets named outright: look up who takes part in them, and all that they were merged into."""
        return tuple(dict.fromkeys(chain((clue.ticket_id for clue in self.signed), self.tags)))


def collect(
    message: Message, recipients: Sequence[str], keys: Keys, ours: Collection[str], now: datetime | None = None
) -> Clues:
    """Return all evidence that `message` carries; never raises.

    `recipients` are those of the envelope; `ours` as for `tokens.signed_part`. Without `now` a retired key is
    believed for ever.
    """
    search = _Search(keys, ours, now)
    ids = _references(message)
    signed = (
        *search.own_ids(message, ids),
        *search.reply_addresses(maybe_signed(message, recipients)),
        *search.body_tokens(message),
    )
    index = conversation(message.thread_index)
    return Clues(
        signed=signed,
        message_ids=tuple(one for one in ids if one not in search.own),
        tags=tags(message.subject),
        thread_indexes=(index,) if index else (),
        forged=tuple(search.forged),
    )


def conversation(thread_index: str | None) -> str:
    """Return the name of the conversation that an Outlook Thread-Index is of, "" if it is none.

    Its first 22 bytes (a time and a GUID) are made by the first mail and copied by every answer.
    """
    if not thread_index:
        return ""
    text = "".join(thread_index.split())[:32]  # 24 bytes, which hold the 22
    try:
        start = b64decode(text[: len(text) // 4 * 4], validate=True)[:CONVERSATION_BYTES]
    except ValueError:  # no base64
        return ""
    return start.hex() if len(start) == CONVERSATION_BYTES else ""


@dataclass(slots=True)
class _Search:
    """One search through one mail, and what it found that claims to be ours and is not."""

    keys: Keys
    ours: Collection[str]
    now: datetime | None
    forged: dict[str, None] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)  # Message-IDs of our form, proven or not

    def own_ids(self, message: Message, ids: Iterable[str]) -> Iterator[Signed]:
        """Yield our own Message-IDs that the mail refers to: the well-formed, then those in damaged headers."""
        seen = set()
        for one in chain(ids, _damaged(message)):
            local = one.partition("@")[0].lower()
            if local in seen:
                self.own.add(one)
                continue
            found = read_message_id(self.keys, one, self.now)
            if found is None:
                continue
            seen.add(local)
            self.own.add(one)
            if isinstance(found, int):
                yield Signed(Kind.OWN_ID, found, "our own Message-ID among its references")
            else:
                self._note(found, "among its references")

    def reply_addresses(self, recipients: Iterable[tuple[str, str]]) -> Iterator[Signed]:
        """Yield the signed reply addresses among `recipients`, pairs of where each stood and the address."""
        seen = set()
        for where, address in recipients:
            part = signed_part(address, self.ours)
            mine = part is not None
            if part is None:
                part = any_signed_part(address)
            if part is None or part in seen:
                continue
            seen.add(part)
            found = read(self.keys, part, self.now)
            if isinstance(found, Token):
                what = f"signed reply address in {where}"
                yield Signed(Kind.REPLY_ADDRESS, found.ticket_id, what, found.role, found.address_id)
            elif found is not None and mine:
                self._note(found, f"in {where}")

    def body_tokens(self, message: Message) -> Iterator[Signed]:
        """Yield the tokens that the body quotes, from its top, then those that only its HTML shows."""
        seen: set[str] = set()
        for text in (message.text, message.html):
            body = text[:MOST_BODY_CHARS]
            roles = [role.search(body) for letter, role in _ROLE_MARKS if letter in body]
            first = min((role.start() for role in roles if role), default=-1)
            if first < 0:
                continue
            lower = body.lower()  # of a few letters it makes two
            found = self._proven(_tokens(lower, first - _BEFORE_ROLE if len(lower) == len(body) else 0), seen)
            if not found:
                found = self._proven(_tokens(_LINE_END.sub("", lower)), seen)  # wrapped before its MAC
            yield from (Signed(Kind.BODY_TOKEN, token.ticket_id, "signed token in the body") for token in found)

    def _proven(self, tokens: Iterable[str], seen: set[str]) -> list[Token]:
        """Return those of `tokens` that we made, but for those `seen` before; note the others."""
        proven = []
        for token in tokens:
            if token in seen:
                continue
            seen.add(token)
            found = read(self.keys, token, self.now)
            if isinstance(found, Token):
                proven.append(found)
            elif found is not None:
                self._note(found, "in the body")
        return proven

    def _note(self, forged: Forged, where: str) -> None:
        self.forged[f"{forged.reason} ({where})"] = None


def _references(message: Message) -> list[str]:
    """Return the Message-IDs that the mail answers, newest first, each once.

    In-Reply-To names the mail that was answered; References runs from the oldest to the newest (RFC 5322 3.6.4).
    """
    if not message.head.has_any(_REFERENCE_NAMES):
        return []
    forwarded = reversed(_BETWEEN_IDS.split(message.header("X-Forwarded-Message-Id")[:MOST_HEADER_CHARS]))
    newest_first = chain(message.in_reply_to, reversed(message.references), forwarded)
    cleaned = (one.strip("<> \t\r\n") for one in newest_first)
    return list(islice(dict.fromkeys(one for one in cleaned if one), MOST_IDS))


def _damaged(message: Message) -> Iterator[str]:
    """Yield what looks like our own Message-IDs in headers that are no list of ids any more, newest first.

    Read twice: as it is, for ids that lost brackets or were glued to others, and without white space, for ids that
    were folded in the middle.
    """
    for name in _REFERENCE_HEADERS if message.head.has_any(_REFERENCE_NAMES) else ():
        if _MAY_HOLD_OWN_ID.search(message.head.raw(name.lower())) is None:
            continue
        header = message.header(name).lower()[-MOST_HEADER_CHARS:]
        for text in (header, "".join(header.split())):
            yield from reversed([found.group() for found in islice(_OWN_ID.finditer(text), MOST_IDS)])


def maybe_signed(message: Message, recipients: Sequence[str]) -> list[tuple[str, str]]:
    """Return each address that the mail was sent to and that could be a signed one of ours, with where it stood.

    The envelope comes first; at most MOST_RECIPIENTS addresses are looked at.
    """
    everybody = [("the envelope", address) for address in recipients]
    everybody += [("To", mailbox.address) for mailbox in message.to]
    everybody += [("Cc", mailbox.address) for mailbox in message.cc]
    for name in _RECIPIENT_HEADERS if message.head.has_any(_RECIPIENT_NAMES) else ():
        for header in message.headers(name)[:MOST_HEADERS]:
            words = _BETWEEN_IDS.split(header[:MOST_HEADER_CHARS])
            everybody += [(name, word) for word in words if "@" in word or "%40" in word]
    return [(where, address) for where, address in everybody[:MOST_RECIPIENTS] if may_be_signed(address)]


def _tokens(body: str, start: int = 0) -> Iterator[str]:
    """Yield what looks like a token in the lower-case `body` from `start` on, its MAC joined where quoting broke it."""
    for found in islice(_BODY_TOKEN.finditer(body, max(0, start)), MOST_BODY_TOKENS):
        rest = _AMONG.sub("", body[found.end() : found.end() + _MAC_REACH])[:_MAC_CHARS]
        if len(rest) == _MAC_CHARS:
            yield f"t{found[1]}.{found[2]}{found[3]}.{rest}"
