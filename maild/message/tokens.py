"""Signed addresses and Message-IDs, by which a mail proves what it belongs to.

maild sends these, they come back to it, and each carries its own proof:

    reply address   support+t1042.c7.k<26>@acme.example    ticket, role, address it was made for
    bounce address  support+b93.k<26>@acme.example         delivery (VERP)
    release address support+h17.a5.k<26>@acme.example      held mail, whom it was made for
    reject address  support+j17.a5.k<26>@acme.example      the same
    undo word       u17.t1042.a5.k<26>                     mail that did something, ticket, whom it was made for
    Message-ID      m1042.<nonce>.k<26>@acme.example       ticket

`k` is the id of the key, `<26>` an HMAC-SHA256 over purpose and content, cut to 128 bits and written in base32 without
padding. Letter case means nothing, since relays change it. The purpose is part of the MAC, so one kind never passes
for another. At a catch-all domain the signed part stands alone: `t1042.c7.k<26>@desk.acme.example`.

Nothing here knows a ticket: a `Token` says that we made it, not that the ticket still exists, nor who holds it now.

RFC 5321 4.5.3.1.1 (length of a local part), RFC 5322 3.6.4 (Message-ID).
"""

import hmac
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

from maild.message.address import MOST_LOCAL_OCTETS, ascii_domain

Form = Literal["plus", "catch-all"]

RETIRED_KEY_LIFE = timedelta(days=400)  # an answer to last year's mail is still read
LEAST_SECRET_BYTES = 16  # less than the MAC that it makes would be the weaker half

_NUMBER = "(0|[1-9][0-9]{0,14})"  # no leading zeros: one token, one spelling
_MAC = "([a-z0-9])([a-z2-7]{26})"
_TOKEN = re.compile(rf"t{_NUMBER}\.([a-z]){_NUMBER}\.{_MAC}", re.ASCII)
_BOUNCE = re.compile(rf"b{_NUMBER}\.{_MAC}", re.ASCII)
_RELEASE = re.compile(rf"[hj]{_NUMBER}\.a{_NUMBER}\.{_MAC}", re.ASCII)
_UNDO = re.compile(rf"u{_NUMBER}\.t{_NUMBER}\.a{_NUMBER}\.{_MAC}", re.ASCII)
_MESSAGE_ID = re.compile(rf"m{_NUMBER}\.([a-z0-9]{{1,40}})\.{_MAC}", re.ASCII)
# What nobody else writes: a text that begins so and does not prove itself was changed or made up.
_LIKE_TOKEN = re.compile(r"t[0-9]+\.[a-z][0-9]+\.[a-z0-9]", re.ASCII)
_LIKE_BOUNCE = re.compile(r"b[0-9]+\.[a-z0-9]{20}", re.ASCII)
_LIKE_RELEASE = re.compile(r"[hj][0-9]+\.a[0-9]+\.[a-z0-9]", re.ASCII)
_LIKE_MESSAGE_ID = re.compile(r"m[0-9]+\.[a-z0-9]+\.[a-z0-9]{20}", re.ASCII)

_MAY_BE_SIGNED = re.compile(r"[TBHJtbhj][0-9]+\.", re.ASCII)  # how all that signs an address begins

_PLUS = re.compile(r"=2b|%2b", re.IGNORECASE)  # seen in practice: relays and web forms quote the plus
_TAGGED = re.compile(r"\A(?:ms)?(?:prvs1?|btv1)=+[^=]*=+")  # BATV: a relay of ours signed the envelope sender
_AT = re.compile(r"=40|%40", re.IGNORECASE)


class Role(StrEnum):
    """What the holder of a signed address may do; the value is what the address says."""

    CUSTOMER = "c"  # write on the ticket
    AGENT = "a"  # answer in public
    NOTE = "n"  # leave an internal note
    SOLVED = "s"  # say that the matter is solved
    PROBLEM = "p"  # say that it is not
    RATE = "r"  # rate how it went
    LEAVE = "l"  # take part no longer
    THREAD = "x"  # find the ticket, made for nobody
    DESK = "d"  # ask for lists and help; of no ticket, so its number is 0


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that signs; once retired it only proves what it signed before, for `RETIRED_KEY_LIFE`."""

    id: str
    secret: bytes = field(repr=False)
    retired_at: datetime | None = None

    def __post_init__(self) -> None:
        if re.fullmatch("[a-z0-9]", self.id) is None:
            raise ValueError(f"the id of a key is one lower-case letter or digit, not {self.id!r}")
        if len(self.secret) < LEAST_SECRET_BYTES:
            raise ValueError(f"the secret of key {self.id} is shorter than {LEAST_SECRET_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that signs, and those that are still believed."""

    current: Key
    others: tuple[Key, ...] = ()

    def __post_init__(self) -> None:
        ids = [self.current.id, *(key.id for key in self.others)]
        if len(ids) != len(set(ids)):
            raise ValueError("two keys have the same id")


@dataclass(frozen=True, slots=True)
class Token:
    """What a signed reply address says; `address_id` 0 means that it was made for nobody in particular."""

    ticket_id: int
    role: Role
    address_id: int


class Undo(NamedTuple):
    """What a link takes back: the mail that did it, on which ticket, and whom the link was made for."""

    mail_id: int
    ticket_id: int
    address_id: int


@dataclass(frozen=True, slots=True)
class Forged:
    """Something of our form that we did not make, or no longer believe; it counts as no proof at all."""

    reason: str


def sign(keys: Keys, token: Token) -> str:
    """Return the signed part of the reply address that says `token`: 36 octets for small ids, 60 at most."""
    said = f"t{token.ticket_id}.{token.role.value}{token.address_id}"
    return f"{said}.{keys.current.id}{_mac(keys.current, 'reply', said)}"


def read(keys: Keys, text: str, now: datetime | None = None) -> Token | Forged | None:
    """Return what the signed part `text` proves, None if it is not of our form; never raises.

    Without `now` a retired key is believed for ever.
    """
    text = text.strip()
    if not text.isascii():
        return None
    text = text.lower()
    found = _TOKEN.fullmatch(text)
    if found is None:
        return Forged("the token is cut off or changed") if _LIKE_TOKEN.match(text) else None
    ticket_id, role, address_id, key_id, mac = found.groups()
    said = text[: found.start(4) - 1]
    doubt = _doubt(keys, "reply", said, key_id=key_id, mac=mac, now=now)
    if doubt is not None:
        return Forged(f"token for ticket {ticket_id}: {doubt}")
    if role not in _ROLES:
        return Forged(f"token for ticket {ticket_id}: role {role} is unknown")  # signed by a later version
    return Token(int(ticket_id), Role(role), int(address_id))


def reply_address(base: str, signed: str, form: Form) -> str:
    """Return the address to which an answer goes: `signed` behind the local part of `base`, or at its domain.

    Raises:
        ValueError: the local part would be longer than 64 octets (see `fits`).
    """
    local, _, domain = base.rpartition("@")
    whole = signed if form == "catch-all" else f"{local}+{signed}"
    if len(whole.encode()) > MOST_LOCAL_OCTETS:
        raise ValueError(f"{local} is too long to carry a signed part")
    return f"{whole}@{domain}"


def fits(base: str, form: Form, largest_id: int = 9_999_999) -> bool:
    """Return whether `base` can carry the signed part of every ticket and address up to `largest_id`."""
    if form == "catch-all":
        return True
    local = base.rpartition("@")[0]
    longest = 1 + len(f"t{largest_id}.c{largest_id}.") + 27  # the plus, what is said, key id and MAC
    return len(local.encode()) + longest <= MOST_LOCAL_OCTETS


def signed_part(address: str, ours: Collection[str]) -> str | None:
    """Return the part of `address` that may be signed, if it is one of ours in either form.

    `ours` holds the addresses of our departments, and the domains of which we take every address, as `normalise` and
    `ascii_domain` write them.
    """
    for base, domain, part in _splits(address):
        if f"{base}@{domain}" in ours or domain in ours:
            return part
    return None


def any_signed_part(address: str) -> str | None:
    """Return the part of `address` that may be signed, whatever its domain.

    Providers rename domains (`@acme.onmicrosoft.com`) and departments move; what is signed proves itself. A part that
    does not is somebody else's affair, not a forgery.
    """
    return next((part for _, _, part in _splits(address)), None)


def may_be_signed(address: str) -> bool:
    """Tell whether `address` could be a signed one; fast, because nearly none is, and nothing else proves anything."""
    return _MAY_BE_SIGNED.search(address) is not None


def looks_signed(address: str) -> bool:
    """Return whether `address` has the form of a signed one of ours, whoever made it: nobody is behind it."""
    part = any_signed_part(address)
    return part is not None and any(like.match(part) for like in (_LIKE_TOKEN, _LIKE_BOUNCE, _LIKE_RELEASE))


def bounce_address(keys: Keys, delivery_id: int, base: str, form: Form) -> str:
    """Return the envelope sender whose bounces name the delivery.

    Raises:
        ValueError: the local part would be longer than 64 octets.
    """
    said = f"b{delivery_id}"
    return reply_address(base, f"{said}.{keys.current.id}{_mac(keys.current, 'bounce', said)}", form)


def read_bounce_address(
    keys: Keys, address: str, ours: Collection[str], now: datetime | None = None
) -> int | Forged | None:
    """Return the id of the delivery that `address` proves, None if it is no bounce address of ours; never raises."""
    part = signed_part(address, ours)
    if part is None:
        return None
    found = _BOUNCE.fullmatch(part)
    if found is None:
        return Forged("the bounce address is cut off or changed") if _LIKE_BOUNCE.match(part) else None
    delivery_id, key_id, mac = found.groups()
    doubt = _doubt(keys, "bounce", f"b{delivery_id}", key_id=key_id, mac=mac, now=now)
    return int(delivery_id) if doubt is None else Forged(f"bounce address for delivery {delivery_id}: {doubt}")


def release_address(keys: Keys, mail_id: int, address_id: int, base: str, form: Form, *, reject: bool = False) -> str:
    """Return the address to which the holder of `address_id` writes to release, or reject, the held mail `mail_id`.

    No role of a ticket's token: a mail is no ticket, and nothing that looks for tickets may take one for the other.

    Raises:
        ValueError: the local part would be longer than 64 octets.
    """
    letter, purpose = _OF_HELD[reject]
    said = f"{letter}{mail_id}.a{address_id}"
    return reply_address(base, f"{said}.{keys.current.id}{_mac(keys.current, purpose, said)}", form)


def read_release_address(
    keys: Keys, address: str, ours: Collection[str], now: datetime | None = None, *, reject: bool = False
) -> tuple[int, int] | Forged | None:
    """Return the held mail that `address` releases, or rejects, and the address id that it was made for; never raises.

    None if it is no such address of ours.
    """
    part = signed_part(address, ours)
    letter, purpose = _OF_HELD[reject]
    if part is None or not part.startswith(letter):
        return None
    found = _RELEASE.fullmatch(part)
    if found is None:
        return Forged(f"the {purpose} address is cut off or changed") if _LIKE_RELEASE.match(part) else None
    mail_id, address_id, key_id, mac = found.groups()
    doubt = _doubt(keys, purpose, f"{letter}{mail_id}.a{address_id}", key_id=key_id, mac=mac, now=now)
    return (int(mail_id), int(address_id)) if doubt is None else Forged(f"{purpose} of mail {mail_id}: {doubt}")


def undo_token(keys: Keys, undo: Undo) -> str:
    """Return the word behind `#undo` that takes back what one mail did; it is no address."""
    said = f"u{undo.mail_id}.t{undo.ticket_id}.a{undo.address_id}"
    return f"{said}.{keys.current.id}{_mac(keys.current, 'undo', said)}"


def read_undo_token(keys: Keys, text: str, now: datetime | None = None) -> Undo | None:
    """Return what the word `text` takes back, None if we did not make it; never raises."""
    found = _UNDO.fullmatch(text.strip().lower())
    if found is None:
        return None
    *numbers, key_id, mac = found.groups()
    undo = Undo(*map(int, numbers))
    said = f"u{undo.mail_id}.t{undo.ticket_id}.a{undo.address_id}"
    return undo if _doubt(keys, "undo", said, key_id=key_id, mac=mac, now=now) is None else None


def message_id(keys: Keys, ticket_id: int, nonce: str, domain: str) -> str:
    """Return a Message-ID, without angle brackets, that proves `ticket_id` when an answer names it.

    `nonce` makes it unique: 1 to 40 lower-case letters and digits.

    Raises:
        ValueError: `nonce` is something else.
    """
    if re.fullmatch(r"[a-z0-9]{1,40}", nonce) is None:
        raise ValueError("a nonce is 1 to 40 lower-case letters and digits")
    said = f"m{ticket_id}.{nonce}"
    return f"{said}.{keys.current.id}{_mac(keys.current, 'message-id', said)}@{domain}"


def read_message_id(keys: Keys, text: str, now: datetime | None = None) -> int | Forged | None:
    """Return the id of the ticket that the Message-ID `text` proves, None if it is not of our form; never raises.

    The domain proves nothing and is not looked at: departments move.
    """
    part = text.strip().strip("<>").partition("@")[0]
    if not part.isascii():
        return None
    part = part.lower()
    found = _MESSAGE_ID.fullmatch(part)
    if found is None:
        return Forged("a Message-ID like ours is cut off or changed") if _LIKE_MESSAGE_ID.match(part) else None
    ticket_id, _, key_id, mac = found.groups()
    doubt = _doubt(keys, "message-id", part[: found.start(3) - 1], key_id=key_id, mac=mac, now=now)
    return int(ticket_id) if doubt is None else Forged(f"Message-ID for ticket {ticket_id}: {doubt}")


_OF_HELD = (("h", "release"), ("j", "reject"))
_ROLES = frozenset(role.value for role in Role)
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 6, lower case
_BASE32 = tuple(one + other for one in _LETTERS for other in _LETTERS)  # ten bits each


def _mac(key: Key, purpose: str, said: str) -> str:
    """Return the first 128 bits of the MAC over `purpose` and `said`, as 26 characters of base32."""
    digest = hmac.digest(key.secret, f"maild\0{purpose}\0{said}".encode(), "sha256")
    bits = int.from_bytes(digest[:16], "big") << 2  # 130: as many as 26 characters of base32 hold
    return "".join([_BASE32[bits >> shift & 0x3FF] for shift in range(120, -1, -10)])


def _doubt(keys: Keys, purpose: str, said: str, *, key_id: str, mac: str, now: datetime | None) -> str | None:
    """Return why `mac` does not prove `said`, None if it does.

    One MAC is made and compared whatever is wrong, so that a guess teaches its sender nothing.
    """
    named = next((key for key in (keys.current, *keys.others) if key.id == key_id), None)
    key = named or keys.current
    genuine = hmac.compare_digest(_mac(key, purpose, said), mac)
    if named is None:
        return f"key {key_id} is unknown"
    if not genuine:
        return "the signature is wrong"
    if now is not None and key.retired_at is not None and now > key.retired_at + RETIRED_KEY_LIFE:
        return f"key {key_id} was retired too long ago"
    return None


def _splits(address: str) -> Iterator[tuple[str, str, str]]:
    """Yield (base, domain, part that may be signed) of `address`: behind its last plus, else its whole local part."""
    text = address.strip().strip("<>\"' ")
    if "@" not in text:
        text = _AT.sub("@", text)
    local, at, domain = text.rpartition("@")
    if not at or not local.isascii():
        return
    local = _PLUS.sub("+", local.lower().removeprefix("mailto:").strip('"'))
    local = _TAGGED.sub("", local, count=1)
    base, plus, part = local.rpartition("+")
    if plus:
        yield base, ascii_domain(domain), part
    else:
        yield "", ascii_domain(domain), local
