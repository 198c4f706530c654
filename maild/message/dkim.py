"""DKIM (RFC 6376): which domains have signed a mail, so that it was not changed since.

A signature counts only if all of this holds; one that does not is as one that is not there (RFC 6376 6.1):

  * it verifies over header and body, by a key that its domain publishes now (not revoked, not in test, t=y);
  * From is signed, there is exactly one From, and it is the one that everybody else here reads;
  * the whole body is signed: an `l=` shorter than it lets anybody append;
  * rsa-sha256 or ed25519-sha256 (RFC 8301: no SHA-1), RSA keys of 1024 to 8192 bits;
  * it has not expired (x=) when the mail came, and is not of the far future (t=).

Header canonicalisation, keys and RSA are dkimpy's. What it leaves open is done here: it believes `l=`, takes its time
from the wall, tells a DNS failure as a bad signature, and is quadratic in the white space of a body.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from maild.message.address import ascii_domain
from maild.message.lookup import Lookup
from maild.message.parse import Message
from maild.message.shorten import Shortened

MOST_SIGNATURES: Final = 10  # that are looked at; of those that align with From the first that verifies is enough
MOST_KEY_CHARS: Final = 2_048  # an RSA key of 8192 bits has 1400; more is an attack on whoever computes with it
LEAST_RSA_BITS: Final = 1024
MOST_RSA_BITS: Final = 8192
MOST_SECTION_BYTES: Final = 262_144
MOST_SIGNATURE_BYTES: Final = 4_096  # of its field, whose white space dkimpy's patterns are slow to see through
MOST_SIGNED_FIELDS: Final = 100
AHEAD_S: Final = 86_400  # of clocks that run ahead
_LINE_ENDS: Final = 1 << 15  # hashed at once

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that may count; `domain` is what it vouches for if it verifies."""

    domain: str
    selector: str
    tags: dict[bytes, bytes]
    field: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as signatures see it: its fields, bytes as they came, and its body with CRLF line ends."""

    fields: Sequence[tuple[bytes, bytes]]
    body: bytes | Callable[[], Iterator[bytes]]  # of a large mail in pieces of whole lines


def split(raw: bytes, message: Message) -> Mail | None:
    """Return `raw` as signatures see it; None if its header could be read in two ways, so that no signature counts."""
    whole = raw
    if b"\n" in raw[:1] or raw.count(b"\n") != raw.count(b"\r\n"):
        raw = re.sub(rb"\r?\n", b"\r\n", raw)
    head, end, body = raw.partition(b"\r\n\r\n")
    if not end or len(head) > MOST_SECTION_BYTES:
        return None
    fields: list[tuple[bytes, list[bytes]]] = []
    lines = head.split(b"\r\n")
    if lines[0].startswith((b"From ", b">From ")):  # RFC 4155: of a mailbox that it passed through; no field
        del lines[0]
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if not fields or not line.strip():
                return None
            fields[-1][1].append(line)
            continue
        found = _FIELD.match(line)
        # "--x: y" is a field to a verifier and the end of the header to readers of MIME.
        if found is None or line.startswith(b"--"):
            return None
        fields.append((found[1], [line[found.end() :]]))
    joined = [(name, b"\r\n".join(folded) + b"\r\n") for name, folded in fields]
    named = [value for name, value in joined if name.lower() == b"from"]
    read = message.head.raws("from")
    if len(named) != 1 or len(read) != 1 or _words(named[0]) != _words(read[0]) or len(message.froms) != 1:
        return None
    if isinstance(whole, Shortened) and whole.gaps:
        return Mail(joined, partial(_body_of, whole, len(head) + 4))
    return Mail(joined, body)


def _body_of(mail: Shortened, at: int) -> Iterator[bytes]:
    """Give what stands behind `at` in the whole mail, in pieces of whole lines that end in CRLF."""
    rest = b""
    for piece in mail.pieces():
        lines, newline, rest = (rest + piece).rpartition(b"\n")
        chunk = lines + newline
        if chunk.count(b"\n") != chunk.count(b"\r\n"):
            chunk = re.sub(rb"\r?\n", b"\r\n", chunk)
        if chunk[at:]:
            yield chunk[at:]
        at = max(0, at - len(chunk))
    if rest[at:]:
        yield rest[at:]


def _words(value: bytes) -> list[bytes]:
    return value.split()


def signatures(mail: Mail, now: datetime) -> Iterator[Signature]:
    """Yield the signatures of a mail that came at `now` which could count, top first."""
    found = [each for each in mail.fields if each[0].lower() == b"dkim-signature"]
    for each in found[:MOST_SIGNATURES]:
        if len(each[1]) > MOST_SIGNATURE_BYTES:
            continue
        try:
            tags = parse_tag_value(re.sub(rb"\r\n", b"", each[1]))
        except InvalidTagValueList:
            continue
        if _sound(tags, now):
            domain = ascii_domain(tags[b"d"].decode("ascii"))
            yield Signature(domain, tags[b"s"].decode("ascii").lower(), tags, each)


def _sound(tags: dict[bytes, bytes], now: datetime) -> bool:
    """Return whether a signature says all that it must (RFC 6376 3.5), and nothing that makes it void."""
    wanted = (b"a", b"b", b"bh", b"d", b"h", b"s")
    if tags.get(b"v") != b"1" or not all(tags.get(name) for name in wanted):
        return False
    if not (tags[b"d"].isascii() and tags[b"s"].isascii()) or tags[b"a"] not in _ALGORITHMS:
        return False
    if re.search(rb"[^A-Za-z0-9._-]", tags[b"d"] + tags[b"s"]) or tags.get(b"q", b"dns/txt") != b"dns/txt":
        return False
    identity = tags.get(b"i", b"@" + tags[b"d"]).lower().rpartition(b"@")[2]
    if identity != tags[b"d"].lower() and not identity.endswith(b"." + tags[b"d"].lower()):
        return False
    at = int(now.timestamp())
    for name in (b"t", b"x", b"l"):
        if name in tags and re.fullmatch(rb"[0-9]{1,15}", tags[name]) is None:
            return False
    if b"t" in tags and int(tags[b"t"]) > at + AHEAD_S:
        return False
    if b"x" in tags and int(tags[b"x"]) < max(at, int(tags.get(b"t", b"0"))):
        return False
    signed = _signed_fields(tags)
    return b"from" in signed and len(signed) <= MOST_SIGNED_FIELDS


def _signed_fields(tags: dict[bytes, bytes]) -> list[bytes]:
    return [each.strip().lower() for each in tags[b"h"].split(b":")]


_ALGORITHMS: Final = frozenset({b"rsa-sha256", b"ed25519-sha256"})


def verifies(mail: Mail, signature: Signature, lookup: Lookup) -> bool:
    """Return whether `signature` is its domain's, over all of the mail.

    Raises:
        Unavailable: its key cannot be asked for now.
    """
    if not _body_is_signed(mail.body, signature.tags):
        return False
    key = _key(signature, lookup)
    return key is not None and _header_is_signed(mail, signature, key)


def _body_is_signed(body: bytes | Callable[[], Iterator[bytes]], tags: dict[bytes, bytes]) -> bool:
    relaxed = tags.get(b"c", b"simple/simple").partition(b"/")[2] == b"relaxed"
    try:
        wanted = base64.b64decode(b"".join(tags[b"bh"].split()), validate=True)
    except binascii.Error:
        return False
    # All of it, whatever l= says: so a shorter l= never verifies.
    return body_hash([body] if isinstance(body, bytes) else body(), relaxed=relaxed) == wanted


def body_hash(pieces: Iterable[bytes], *, relaxed: bool) -> bytes:
    """Return the SHA-256 of a body as it is signed (RFC 6376 3.4.3, 3.4.4), in time that grows with its length alone.

    All but the last of `pieces` end in CRLF.
    """
    digest = hashlib.sha256()
    held, empty = 0, True  # line ends that may be the last ones of the body
    for piece in pieces:
        said = piece
        if relaxed:
            said = re.sub(rb" +", b" ", said.replace(b"\t", b" ")).replace(b" \r\n", b"\r\n").removesuffix(b" ")
        text = said.rstrip(b"\r\n")
        ends = len(said) - len(text)
        if said.count(b"\r\n", len(text)) * 2 != ends:  # carriage returns among them, which are text
            while said.endswith(b"\r\n", 0, len(text) + ends):
                ends -= 2
            text, ends = said[: len(text) + ends], len(said) - len(text) - ends
        if text:
            for start in range(0, held, _LINE_ENDS):
                digest.update(b"\r\n" * min(_LINE_ENDS, held - start))
            digest.update(text)
            held, empty = 0, False
        held += ends // 2
    if not (relaxed and empty):
        digest.update(b"\r\n")
    return digest.digest()


@dataclass(frozen=True, slots=True)
class _Key:
    public: Any  # what dkimpy computes with
    bits: int
    kind: bytes


def _key(signature: Signature, lookup: Lookup) -> _Key | None:
    """Return the key of a signature, None if its domain publishes none that counts (RFC 6376 3.6.1)."""
    name = f"{signature.selector}._domainkey.{signature.domain}"
    records = [each for each in lookup(name, "TXT") if "p=" in each.replace(" ", "")]
    if len(records) != 1 or len(records[0]) > MOST_KEY_CHARS or not records[0].isascii():
        return None
    try:
        tags = parse_tag_value(records[0].encode("ascii"))
        flags = {each.strip() for each in tags.get(b"t", b"").split(b":")}
        hashes = {each.strip() for each in tags.get(b"h", b"sha256").split(b":")}
        services = {each.strip() for each in tags.get(b"s", b"*").split(b":")}
        if b"y" in flags or b"sha256" not in hashes or not services & {b"*", b"email"} or not tags.get(b"p"):
            return None
        identity = signature.tags.get(b"i", b"@" + signature.tags[b"d"]).lower().rpartition(b"@")[2]
        if b"s" in flags and identity != signature.tags[b"d"].lower():
            return None
        public, bits, kind, _ = dkim.evaluate_pk(name, records[0])
    except (InvalidTagValueList, dkim.DKIMException, binascii.Error, ValueError, IndexError):
        return None
    if not signature.tags[b"a"].startswith(kind):
        return None
    if kind == b"rsa" and not (LEAST_RSA_BITS <= bits <= MOST_RSA_BITS and 3 <= public["publicExponent"] < 2**64):
        return None
    return _Key(public, bits, kind)


def _header_is_signed(mail: Mail, signature: Signature, key: _Key) -> bool:
    tags = {name: value for name, value in signature.tags.items() if name != b"bh"}  # the body was seen to
    work = dkim.DKIM(minkey=LEAST_RSA_BITS)
    signed = set(_signed_fields(tags))
    work.headers = [each for each in mail.fields if each[0].lower() in signed]  # dkimpy would look at all, each time
    work.pk, work.keysize, work.ktag = key.public, key.bits, key.kind
    verify: Callable[..., bool] = work.verify_sig_process
    try:
        return bool(verify(tags, _signed_fields(tags), signature.field, None))
    except (dkim.DKIMException, binascii.Error, ValueError, AssertionError):
        return False
