"""SPF (RFC 7208): whether a domain says that a client may send mail in its name.

    pass      it may                          none       the domain says nothing
    fail      it may not (-all)               temperror  the DNS did not answer
    softfail  it probably may not (~all)      permerror  the record is wrong, or asks for too much
    neutral   the domain does not say

Bounds (RFC 7208 4.6.4): 10 terms that ask the DNS, 10 names of an MX or PTR, 2 questions without an answer; what goes
beyond is permerror. `exp=` is not looked at: nobody reads it. The caller gives the look-up.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from maild.message.lookup import Kind, Lookup, Unavailable

MOST_LOOKUPS: Final = 10
MOST_NAMES: Final = 10
MOST_VOID: Final = 2
MOST_RECORD_CHARS: Final = 4_096

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Result(StrEnum):
    """What SPF says, in the words of RFC 7208 2.6."""

    PASS = "pass"  # noqa: S105 a verdict, no secret
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_QUALIFIERS: Final = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}
_TERM: Final = re.compile(
    r"(?P<qualifier>[-+~?]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<value>[^/]+(?:/[^0-9/][^/]*)*))?(?P<cidr>(?:/[0-9]{1,3})?(?://[0-9]{1,3})?)\Z",
    re.IGNORECASE,
)
_MODIFIER: Final = re.compile(r"([a-z][a-z0-9._-]*)=(.*)\Z", re.IGNORECASE)
_MACRO: Final = re.compile(r"%(?:\{([slodipvhcrt])([0-9]{0,3})(r?)([-.+,/_=]*)\}|([%_-])|(.?))", re.IGNORECASE)


class _PermanentError(Exception):
    """The record cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class _Term:
    qualifier: Result
    name: str
    value: str
    bits4: int
    bits6: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question, with what has been spent on it."""

    client: _IP
    sender: str
    helo: str
    lookup: Lookup
    spent: list[str] = field(default_factory=list)
    void: list[str] = field(default_factory=list)


def check(client: str, sender: str, helo: str, lookup: Lookup) -> tuple[Result, str]:
    """Return what SPF says of mail from `sender` by a client at the address `client`, and the domain asked.

    With the null sender ("") the client's name of itself stands for it (RFC 7208 2.4).
    """
    domain = (sender.rpartition("@")[2] if sender else helo).strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return Result.NONE, domain
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    identity = sender if "@" in sender else f"postmaster@{domain}"
    asked = _Asked(address, identity, helo.lower(), lookup)
    try:
        return _evaluate(asked, domain, top=True), domain
    except Unavailable:
        return Result.TEMPERROR, domain
    except _PermanentError:
        return Result.PERMERROR, domain


def _evaluate(asked: _Asked, domain: str, *, top: bool = False) -> Result:
    if not _is_domain(domain):
        return Result.NONE
    # Asked past the budget of void look-ups: only those of terms count (RFC 7208 4.6.4).
    records = [each for each in asked.lookup(domain, "TXT") if re.match(r"v=spf1(?: |\Z)", each, re.IGNORECASE)]
    if not records:
        return Result.NONE
    if len(records) > 1 or len(records[0]) > MOST_RECORD_CHARS:
        raise _PermanentError("several records" if top else "several records of an included domain")
    terms, redirect = _parsed(records[0])
    for term in terms:
        if _matches(asked, term, domain):
            return term.qualifier
    if not redirect:
        return Result.NEUTRAL
    _spend(asked, "redirect")
    found = _evaluate(asked, _expand(asked, redirect, domain))
    if found is Result.NONE:
        raise _PermanentError("redirect to a domain without a record")
    return found


def _parsed(record: str) -> tuple[list[_Term], str]:
    """Return the terms of a record and its redirect ("" for none), which counts only without `all`."""
    terms: list[_Term] = []
    modifiers: dict[str, str] = {}
    for word in record.split()[1:]:
        modifier = _MODIFIER.match(word)
        if modifier:
            name = modifier[1].lower()
            if name in {"redirect", "exp"} and name in modifiers:
                raise _PermanentError(f"{name} twice")
            modifiers[name] = modifier[2]
        else:
            terms.append(_term(word))
    if "redirect" in modifiers and not modifiers["redirect"]:
        raise _PermanentError("redirect to nothing")
    return terms, "" if any(term.name == "all" for term in terms) else modifiers.get("redirect", "")


def _term(word: str) -> _Term:
    # ip6:2001:db8::/32 has colons of its own, so addresses are cut off by hand.
    qualifier, rest = (word[0], word[1:]) if word[:1] in _QUALIFIERS else ("+", word)
    name, colon, value = rest.partition(":")
    if name.lower() in {"ip4", "ip6"}:
        value, slash, bits = value.partition("/")
        version = 4 if name.lower() == "ip4" else 6
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            raise _PermanentError(f"{word} names no address") from None
        if address.version != version or (slash and not bits.isdigit()):
            raise _PermanentError(f"{word} is malformed")
        length = _bits(bits, address.max_prefixlen)
        return _Term(_QUALIFIERS[qualifier], name.lower(), value, length, length)
    found = _TERM.match(word)
    if found is None:
        raise _PermanentError(f"unknown term {word[:40]}")
    name, value, cidr = found["name"].lower(), found["value"] or "", found["cidr"]
    if (name in {"include", "exists"}) != bool(value) and name not in {"a", "mx", "ptr"}:
        raise _PermanentError(f"{word[:40]} is malformed")
    if (colon and not value) or (cidr and name not in {"a", "mx"}):
        raise _PermanentError(f"{word[:40]} is malformed")
    four, _, six = cidr.partition("//")
    return _Term(_QUALIFIERS[qualifier], name, value, _bits(four.strip("/"), 32), _bits(six, 128))


def _bits(written: str, most: int) -> int:
    if not written:
        return most
    if int(written) > most:
        raise _PermanentError(f"/{written} is too long")
    return int(written)


def _matches(asked: _Asked, term: _Term, domain: str) -> bool:
    match term.name:
        case "all":
            return True
        case "ip4" | "ip6":
            return _within(asked.client, term.value, term)
        case "include":
            return _included(asked, _expand(asked, term.value, domain))
        case "a":
            _spend(asked, term.name)
            return _has_address(asked, _target(asked, term, domain), term)
        case "mx":
            _spend(asked, term.name)
            hosts = _ask(asked, _target(asked, term, domain), "MX")
            if len(hosts) > MOST_NAMES:
                raise _PermanentError("too many hosts of an mx")
            return any(_has_address(asked, host, term, counts=False) for host in hosts)
        case "ptr":
            _spend(asked, term.name)
            target = _target(asked, term, domain)
            return any(name == target or name.endswith("." + target) for name in _names(asked))
        case _:
            _spend(asked, term.name)
            return bool(_ask(asked, _expand(asked, term.value, domain), "A"))


def _included(asked: _Asked, domain: str) -> bool:
    _spend(asked, "include")
    found = _evaluate(asked, domain)
    if found is Result.NONE:
        raise _PermanentError("include of a domain without a record")
    return found is Result.PASS


def _target(asked: _Asked, term: _Term, domain: str) -> str:
    return _expand(asked, term.value, domain) if term.value else domain


def _has_address(asked: _Asked, name: str, term: _Term, *, counts: bool = True) -> bool:
    kind: Kind = "A" if asked.client.version == 4 else "AAAA"
    addresses = _ask(asked, name, kind) if counts else asked.lookup(name, kind)
    return any(_within(asked.client, each, term) for each in addresses)


def _within(client: _IP, address: str, term: _Term) -> bool:
    bits = term.bits4 if client.version == 4 else term.bits6
    try:
        network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    except ValueError:
        return False
    return network.version == client.version and client in network


def _names(asked: _Asked) -> Iterator[str]:
    """Yield the names of the client that lead back to it (RFC 7208 5.5); a failure of the DNS is no name."""
    try:
        names = asked.lookup(asked.client.reverse_pointer, "PTR")
    except Unavailable:
        return
    kind: Kind = "A" if asked.client.version == 4 else "AAAA"
    for name in names[:MOST_NAMES]:
        try:
            if str(asked.client) in asked.lookup(name, kind):
                yield name.rstrip(".").lower()
        except Unavailable:
            continue


def _ask(asked: _Asked, name: str, kind: Kind) -> tuple[str, ...]:
    found = asked.lookup(name, kind) if _is_domain(name) else ()
    if not found:
        asked.void.append(name)
        if len(asked.void) > MOST_VOID:
            raise _PermanentError("too many names that do not exist")
    return found


def _spend(asked: _Asked, name: str) -> None:
    asked.spent.append(name)
    if len(asked.spent) > MOST_LOOKUPS:
        raise _PermanentError("too many look-ups")


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    return len(domain) <= 253 and len(labels) > 1 and all(0 < len(label) <= 63 for label in labels)


def _expand(asked: _Asked, text: str, domain: str) -> str:
    """Return a domain-spec with its macros filled in (RFC 7208 7), its left labels cut until it is a domain."""
    full = _MACRO.sub(lambda found: _filled(asked, found, domain), text).rstrip(".").lower()
    while len(full) > 253 and "." in full:
        full = full.partition(".")[2]
    return full


def _filled(asked: _Asked, found: re.Match[str], domain: str) -> str:
    letter, digits, backwards, delimiters, quoted, wrong = found.groups()
    if quoted:
        return {"%": "%", "_": " ", "-": "%20"}[quoted]
    if letter is None or digits == "0":
        raise _PermanentError(f"unknown macro {wrong or ''}")
    local, _, of = asked.sender.rpartition("@")
    value = {
        "s": asked.sender,
        "l": local,
        "o": of,
        "d": domain,
        "i": _dotted(asked.client),
        "p": "unknown",  # RFC 7208 7.2: asked for too seldom to be worth its look-ups
        "v": "in-addr" if asked.client.version == 4 else "ip6",
        "h": asked.helo,
    }.get(letter.lower())
    if value is None:
        raise _PermanentError(f"macro {letter} is for explanations only")
    parts = re.split(f"[{re.escape(delimiters or '.')}]", value)
    if backwards:
        parts.reverse()
    joined = ".".join(parts[-int(digits) :] if digits else parts)
    return quote(joined, safe="-._~") if letter.isupper() else joined


def _dotted(client: _IP) -> str:
    return str(client) if client.version == 4 else ".".join(client.exploded.replace(":", ""))
