"""Mail addresses: how they are compared, and which of them maild writes to.

RFC 5321 4.1.2 and 4.5.3.1 (syntax, lengths), RFC 6531 (international local parts). The signed ones, by which a mail
proves what it belongs to, are in `tokens`.
"""

import re
import unicodedata
from typing import NamedTuple

MOST_ADDRESS_OCTETS = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
MOST_LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
MOST_DOMAIN_OCTETS = 255  # RFC 5321 4.5.3.1.2

_DOT_ATOM = re.compile(r"[^\s@.,:;<>()\[\]\\\"]+(?:\.[^\s@.,:;<>()\[\]\\\"]+)*")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


class Address(NamedTuple):
    """A mailbox as a header names it: the decoded display name, and the address as written but trimmed."""

    name: str
    address: str


def normalise(address: str) -> str:
    """Return `address` as addresses are compared: ASCII domain in lower case, local part case-folded; never raises.

    RFC 5321 2.4 lets a host tell `Ada` from `ada`; no host that matters does.
    """
    text = address.strip().strip("<>").strip()
    local, at, domain = text.rpartition("@")
    if not at:
        return text.casefold()
    if len(local) > 2 and local[0] == local[-1] == '"' and _DOT_ATOM.fullmatch(local[1:-1]):
        local = local[1:-1]  # RFC 5321 4.1.2: the quotes mean nothing where they are not needed
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
    return f"{local.casefold()}@{ascii_domain(domain)}"


def ascii_domain(domain: str) -> str:
    """Return `domain` in lower case, international labels as `xn--`; what is no domain comes back lower-cased."""
    text = domain.strip().rstrip(".").lower()
    if text.isascii() or len(text) > MOST_DOMAIN_OCTETS:
        return text
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:  # an empty or overlong label, or a character that no domain may have
        return text


def valid(address: str) -> bool:
    """Return whether maild may send to `address` or name it in a header.

    A subset of RFC 5321 and 6531: a dot-atom, one `@`, a domain of labels. Quoted local parts and address literals,
    which nobody uses and much software misreads, are refused, as is every control, space and invisible character.
    """
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
    if any(unicodedata.category(char)[0] in "CZ" for char in address):
        return False
    return all(_LABEL.fullmatch(label) for label in ascii_domain(domain).split(".")) and not domain.endswith(".")
