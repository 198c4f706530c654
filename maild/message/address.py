"""Mail addresses: how they are compared, and which of them maild writes to.

RFC 5321 4.1.2 and 4.5.3.1 (syntax, lengths), RFC 6531 (international local parts). The signed ones, by which a mail
proves what it belongs to, are in `tokens`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

MOST_ADDRESS_OCTETS = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
MOST_LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
MOST_DOMAIN_OCTETS = 255  # RFC 5321 4.5.3.1.2
MOST_LABEL_OCTETS = 63  # RFC 1035 2.3.4
MOST_REMEMBERED_CHARS = 400  # of an address

_DOT_ATOM = re.compile(r"[^\s@.,:;<>()\[\]\\\"]+(?:\.[^\s@.,:;<>()\[\]\\\"]+)*")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490 3.1
_DEVIATING = re.compile("([\u00df\u03c2])")  # eszett and final sigma


class Address(NamedTuple):
    """A mailbox as a header names it: the decoded display name, and the address as written but trimmed."""

    name: str
    address: str


def normalise(address: str) -> str:
    """Return `address` as addresses are compared: ASCII domain and local part in lower case; never raises.

    RFC 5321 2.4 lets a host tell `Ada` from `ada`; no host that matters does. Nothing else is taken for the same:
    with case folding a long s would be an s, and its holder somebody else.
    """
    return _normalised(address) if len(address) <= MOST_REMEMBERED_CHARS else _normalised.__wrapped__(address)


@lru_cache(maxsize=4_096)  # the same few addresses are compared a dozen times for each mail
def _normalised(address: str) -> str:
    local, at, domain = _parts(address)
    if not at:
        return domain.lower()
    if local.isascii():
        return f"{local.lower()}@{ascii_domain(domain)}"
    return f"{unicodedata.normalize('NFC', local.lower())}@{ascii_domain(domain)}"


def spelled(address: str) -> str:
    """Return `address` as mail is sent to it: as it was written, but for what means nothing there; never raises.

    Whoever is met first under an address decides how it is spelled for good: quotes that are not needed, a dot at the
    end and invisible signs compare as nothing, and must not make it one to which nobody can write.
    """
    local, at, domain = _parts(address)
    written = f"{local}{at}{domain.rstrip('.')}"
    if valid(written):
        return written
    plain = normalise(address)
    return plain if valid(plain) else address


def _parts(address: str) -> tuple[str, str, str]:
    """Return local part, `@` and domain; of what has no `@` all as the domain."""
    text = address.strip().strip("<>").strip()
    local, at, domain = text.rpartition("@")
    if len(local) > 2 and local[0] == local[-1] == '"' and _DOT_ATOM.fullmatch(local[1:-1]):
        local = local[1:-1]  # RFC 5321 4.1.2: the quotes mean nothing where they are not needed
    return local if local.isascii() else unicodedata.normalize("NFC", local), at, domain


def ascii_domain(domain: str) -> str:
    """Return `domain` in lower case, international labels as `xn--`; what is no domain comes back lower-cased."""
    text = domain.strip().rstrip(".").lower()
    if text.isascii() or len(text) > MOST_DOMAIN_OCTETS:
        return text
    try:
        return ".".join(map(_ascii_label, _DOTS.split(text)))
    except UnicodeError:  # an empty or overlong label, or a character that no domain may have
        return text


def _ascii_label(label: str) -> str:
    """Return a label in ASCII.

    Raises:
        UnicodeError: it is none.
    """
    if _DEVIATING.search(label) is None:
        return label.encode("idna").decode("ascii").lower()
    # RFC 5892 2.6: letters of their own, that the codec (RFC 3490) writes as "ss" and as the other sigma. The domain
    # with them belongs to somebody else than the one without.
    pieces = (_in_idna(piece) if number % 2 == 0 else piece for number, piece in enumerate(_DEVIATING.split(label)))
    found = "xn--" + "".join(pieces).encode("punycode").decode("ascii")
    if len(found) > MOST_LABEL_OCTETS:
        raise UnicodeError("label too long")
    return found


def _in_idna(text: str) -> str:
    """Return a part of a label as the codec means it: prepared, not yet in ASCII."""
    return text.encode("idna").decode("idna") if text else ""


def valid(address: str) -> bool:
    """Return whether maild may send to `address` or name it in a header.

    A subset of RFC 5321 and 6531: a dot-atom, one `@`, a domain of labels. Quoted local parts and address literals,
    which nobody uses and much software misreads, are refused, as is every control, space and invisible character.
    """
    return len(address) <= MOST_ADDRESS_OCTETS and _valid(address)


@lru_cache(maxsize=4_096)
def _valid(address: str) -> bool:
    local, at, domain = address.partition("@")
    if not at or "@" in domain:
        return False
    try:
        octets, local_octets = len(address.encode()), len(local.encode())
    except UnicodeEncodeError:  # a lone surrogate: raw bytes of a header that are no text
        return False
    if octets > MOST_ADDRESS_OCTETS or local_octets > MOST_LOCAL_OCTETS:
        return False
    if _DOT_ATOM.fullmatch(local) is None:
        return False
    if " " in address or not address.isprintable():
        return False
    return all(_LABEL.fullmatch(label) for label in ascii_domain(domain).split(".")) and not domain.endswith(".")
