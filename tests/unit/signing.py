"""Signs mails as their senders' servers do, with keys made here, and answers for the DNS. dkimpy does the signing.

What it canonicalises by itself is the measure of what maild canonicalises.
"""

import base64
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from math import gcd
from typing import Any, Final

import dkim
import nacl.signing
from dkim.canonicalization import CanonicalizationPolicy

from maild.message.lookup import Kind, Unavailable
from tests.clock import NOON

SIGNED: Final = ("from", "to", "subject", "date", "message-id")
_RSA: Final = bytes.fromhex("06092a864886f70d0101010500")  # rsaEncryption, RFC 8017 A.1


@cache
def rsa_key(bits: int, seed: int = 1) -> dict[str, int]:
    """Return a private key, the same each time: good for tests only."""
    chance = random.Random(bits * 1000 + seed)
    while True:
        p, q = _prime(chance, bits // 2), _prime(chance, bits - bits // 2)
        if p != q and gcd(65_537, (p - 1) * (q - 1)) == 1 and (p * q).bit_length() == bits:
            break
    private = pow(65_537, -1, (p - 1) * (q - 1))
    return {
        "modulus": p * q,
        "publicExponent": 65_537,
        "privateExponent": private,
        "prime1": p,
        "prime2": q,
        "exponent1": private % (p - 1),
        "exponent2": private % (q - 1),
        "coefficient": pow(q, -1, p),
    }


def _prime(chance: random.Random, bits: int) -> int:
    while True:
        found = chance.getrandbits(bits) | 1 | 1 << (bits - 1) | 1 << (bits - 2)
        if all(found % small for small in (3, 5, 7, 11, 13, 17, 19, 23)) and all(
            _is_probably_prime(found, chance.randrange(2, found - 1)) for _ in range(12)
        ):
            return found


def _is_probably_prime(found: int, base: int) -> bool:
    odd, twos = found - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    at = pow(base, odd, found)
    if at in (1, found - 1):
        return True
    return any((at := at * at % found) == found - 1 for _ in range(twos - 1))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(long)]) + long + content


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def ed25519_key(seed: int = 1) -> nacl.signing.SigningKey:
    """Return a private key of Ed25519 (RFC 8463), the same each time."""
    return nacl.signing.SigningKey(bytes([seed]) * 32)


def published_ed25519(seed: int = 1, **tags: str) -> str:
    """Return what a domain publishes about its key of Ed25519."""
    public = base64.b64encode(bytes(ed25519_key(seed).verify_key)).decode()
    said = {"v": "DKIM1", "k": "ed25519", "p": public, **tags}
    return "; ".join(f"{name}={value}" for name, value in said.items())


def published(bits: int = 1024, seed: int = 1, **tags: str) -> str:
    """Return what a domain publishes about its key."""
    key = rsa_key(bits, seed)
    inner = _der(0x30, _integer(key["modulus"]) + _integer(key["publicExponent"]))
    outer = _der(0x30, _der(0x30, _RSA) + _der(0x03, b"\x00" + inner))
    said = {"v": "DKIM1", "k": "rsa", **tags, "p": tags.get("p", base64.b64encode(outer).decode())}
    return "; ".join(f"{name}={value}" for name, value in said.items())


def signed(
    raw: bytes,
    domain: str = "acme.example",
    *,
    selector: str = "k",
    bits: int = 1024,
    seed: int = 1,
    headers: Sequence[str] = SIGNED,
    canonical: str = "relaxed/relaxed",
    at: datetime | None = NOON,
    algorithm: str = "rsa-sha256",
    **tags: str,
) -> bytes:
    """Return `raw` with a signature before it; `tags` are further tags of the signature (`x`, `l`, `i`)."""
    work: Any = dkim.DKIM(raw, signature_algorithm=algorithm.encode())
    policy = CanonicalizationPolicy.from_c_value(canonical.encode())
    work.hasher = dkim.HASH_ALGORITHMS[algorithm.encode()]
    body = policy.canonicalize_body(work.body)
    if "l" in tags:
        body = body[: int(tags["l"])]
    fields = {
        "v": "1",
        "a": algorithm,
        "c": canonical,
        "d": domain,
        "s": selector,
        **({"t": str(int(at.timestamp()))} if at else {}),
        **tags,
        "h": ":".join(headers),
        "bh": base64.b64encode(work.hasher(body).digest()).decode(),
        "b": "0" * 60,
    }
    pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
    named = tuple(each.encode() for each in headers)
    key: Any = ed25519_key(seed) if algorithm.startswith("ed25519") else rsa_key(bits, seed)
    return b"DKIM-Signature: " + bytes(work.gen_header(pairs, named, policy, b"DKIM-Signature", key)) + raw


def body_bytes(raw: bytes) -> int:
    """Return how long the body of `raw` is."""
    return len(raw.partition(b"\r\n\r\n")[2])


@dataclass(frozen=True)
class Dns:
    """A DNS of few names. A text that begins with "!" is a name that does not answer."""

    records: Mapping[str, str | Sequence[str]]
    asked: list[tuple[str, Kind]]

    def __call__(self, name: str, kind: Kind, within_s: float = 1.0) -> tuple[str, ...]:
        """Answer as a resolver does."""
        assert within_s > 0
        self.asked.append((name, kind))
        found = self.records.get(f"{kind} {name}" if kind != "TXT" else name, ())
        if isinstance(found, str):
            found = (found,)
        if found[:1] == ("!",):
            raise Unavailable(f"the DNS did not answer for {kind} of {name}")
        return tuple(found)
