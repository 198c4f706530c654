"""Checks of what the DNS says of the departments' domains: whether mail finds them, and whether theirs is believed."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

from sqlalchemy import ColumnElement, select

from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.config.kinds.hosts import is_loopback
from maild.message import dmarc, spf
from maild.message.address import ascii_domain
from maild.message.lookup import Unavailable
from maild.store import raw
from maild.store.models import Direction, MailRow

SELECTORS: Final = (  # that relays and providers usually sign with; a domain's own cannot be asked for
    "default", "dkim", "mail", "google", "selector1", "selector2", "s1", "s2", "k1", "k2", "k3", "fm1", "fm2", "fm3",
    "protonmail", "mx", "smtp", "key1", "zoho", "mandrill", "pm", "maild",
)  # fmt: skip
LATEST: Final = 20  # mails whose headers are looked at
_HEAD: Final = re.compile(rb"\r?\n\r?\n")


def _domains(patient: Patient) -> list[str]:
    return sorted({ascii_domain(each.address.rpartition("@")[2]) for each in patient.desk.departments})


def _asking(look: Callable[[Patient, str], Iterator[Finding]]) -> Callable[[Patient], Iterator[Finding]]:
    """Return a check that looks at each domain, and says so where the DNS does not answer."""

    def asked(patient: Patient) -> Iterator[Finding]:
        for domain in _domains(patient):
            try:
                yield from look(patient, domain)
            except Unavailable as silent:
                yield unknown(f"{domain}: {silent}", "try again with a network, and a resolver in /etc/resolv.conf")

    return asked


@_asking
def _receives(patient: Patient, domain: str) -> Iterator[Finding]:
    servers = patient.lookup(domain, "MX")
    if servers in (("",), (".",)):
        yield fault(f"{domain} says that it takes no mail (null MX, RFC 7505)")
    elif servers:
        lost = [each for each in servers if not (patient.lookup(each, "A") or patient.lookup(each, "AAAA"))]
        for each in lost:
            yield fault(f"{domain}: its mail server {each} has no address")
        if not lost:
            yield ok(f"{domain}: {', '.join(servers)}")
    elif patient.lookup(domain, "A") or patient.lookup(domain, "AAAA"):
        yield warning(f"{domain} has no MX; senders fall back to its address (RFC 5321 5.1)")
    else:
        yield fault(f"{domain} has neither MX nor address: nobody can write to it")


@_asking
def _spf(patient: Patient, domain: str) -> Iterator[Finding]:
    records = [each for each in patient.lookup(domain, "TXT") if re.match(r"v=spf1(?: |\Z)", each, re.IGNORECASE)]
    relay = patient.desk.relay
    if not records:
        term = "mx" if is_loopback(relay.host) else f"mx a:{relay.host}"
        yield warning(f"{domain} has no SPF record", f'add a TXT record to {domain}: "v=spf1 {term} ~all"')
        return
    if len(records) > 1:
        yield fault(f"{domain} has {len(records)} SPF records, which counts as none", "join them in one")
        return
    addresses = [] if is_loopback(relay.host) else _addresses(patient, relay.host)
    if not addresses:
        sender = spf.check("192.0.2.1", f"postmaster@{domain}", domain, patient.lookup)[0]
        if sender is spf.Result.PERMERROR:
            yield fault(f"{domain}: its record is wrong or asks for too much (RFC 7208 4.6.4): {records[0]}")
        else:
            yield ok(
                f"{domain}: {records[0]} (whether it names the address by which {relay.host} sends is not seen here)"
            )
        return
    for address in addresses:
        yield _allowed(patient, domain, address)


def _allowed(patient: Patient, domain: str, address: str) -> Finding:
    relay = patient.desk.relay.host
    match spf.check(address, f"postmaster@{domain}", domain, patient.lookup)[0]:
        case spf.Result.PASS:
            return ok(f"{domain} lets {relay} ({address}) send")
        case spf.Result.PERMERROR:
            return fault(f"{domain}: its record is wrong or asks for too much (RFC 7208 4.6.4)")
        case spf.Result.TEMPERROR:
            return unknown(f"{domain}: the DNS did not answer all of it")
        case said:
            return warning(
                f"{domain} does not let {relay} ({address}) send ({said}); it may send from another address",
                f"add what the relay's provider asks for, or ip4:{address}, to the record of {domain}",
            )


def _addresses(patient: Patient, host: str) -> list[str]:
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    return [*patient.lookup(host, "A"), *patient.lookup(host, "AAAA")]


@_asking
def _dkim(patient: Patient, domain: str) -> Iterator[Finding]:
    used = _selectors_seen(patient, domain)
    found = [
        each
        for each in dict.fromkeys((*used, *SELECTORS))
        if any("p=" in record for record in patient.lookup(f"{each}._domainkey.{domain}", "TXT"))
    ]
    lost = [each for each in used if each not in found]
    for each in lost:
        yield fault(f"{domain}: mail is signed with selector {each}, whose key is not in the DNS")
    if found:
        yield ok(f"{domain}: keys of {', '.join(found)}")
    elif not lost:
        yield warning(f"{domain}: none of the usual selectors has a key; if the relay signs with another, all is well")


def _selectors_seen(patient: Patient, domain: str) -> list[str]:
    """Return the selectors with which our own mail was signed when it came back (the round trip brings some)."""
    if patient.database is None:
        return []
    pattern = re.compile(rb"^DKIM-Signature:(?:[^\n]|\n[ \t])*", re.IGNORECASE | re.MULTILINE)
    seen: list[str] = []
    for head in _heads(patient, MailRow.kind == "own"):
        for signature in pattern.findall(head):
            tags = dict(re.findall(r"\b([ds])=([\w.-]+)", signature.decode("latin-1")))
            if tags.get("d", "").lower() == domain and tags.get("s"):
                seen.append(tags["s"])
    return list(dict.fromkeys(seen))


def _heads(patient: Patient, which: ColumnElement[bool]) -> list[bytes]:
    """Return the header sections of the latest mails that came in."""
    newest = (
        select(MailRow.id).where(MailRow.direction == Direction.IN, which).order_by(MailRow.id.desc()).limit(LATEST)
    )
    with patient.store.read() as connection:
        pieces = raw.heads(connection, list(connection.scalars(newest)))
    return [_HEAD.split(each, maxsplit=1)[0] for each in pieces.values()]


@_asking
def _dmarc(patient: Patient, domain: str) -> Iterator[Finding]:
    for name in dict.fromkeys((domain, ".".join(domain.split(".")[-2:]))):
        for text in patient.lookup(f"_dmarc.{name}", "TXT"):
            record = dmarc.read(text, inherited=name != domain)
            if record is not None:
                yield ok(f"{domain}: policy {record.policy}, published at _dmarc.{name}")
                return
            if text.lower().startswith("v=dmarc1"):
                yield fault(f"{domain}: what is published at _dmarc.{name} cannot be read: {text}")
                return
    yield warning(f"{domain} has no DMARC record", f'add a TXT record to _dmarc.{domain}: "v=DMARC1; p=none"')


def _provable(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk.maild
    checks = settings.check_senders and find_spec("dkim") is not None and find_spec("dns") is not None
    if settings.authserv_id:
        yield from _believed(patient, settings.authserv_id)
    elif checks:
        yield ok("maild checks signatures itself (check_senders)")
    elif settings.agent_trust == "both":
        yield fault("agent_trust is 'both', and nothing can prove a sender: every agent's mail is held")
    else:
        yield warning("senders cannot be proven: acknowledgements say nothing, agents need their signed addresses")


def _believed(patient: Patient, host: str) -> Iterator[Finding]:
    if patient.database is None:
        yield ok(f"{host} is believed")
        return
    heads = _heads(patient, MailRow.kind != "own")
    pattern = re.compile(
        rb"^Authentication-Results:\s*" + re.escape(host.encode()) + rb"\b", re.IGNORECASE | re.MULTILINE
    )
    named = sum(1 for each in heads if pattern.search(each))
    if heads and not named:
        yield warning(
            f"{host} is believed, but none of the latest {len(heads)} mails has an Authentication-Results of it",
            "correct authserv_id: it is the first word of that header in mails that come by your mail server",
        )
    else:
        yield ok(f"{host} is believed; {named} of the latest {len(heads)} mails have its word")


def _hostname(patient: Patient) -> Iterator[Finding]:
    name = patient.desk.maild.hostname
    if "." not in name.rstrip("."):
        yield warning(f"maild greets as {name!r}, which is no full name: some servers turn that away")
        return
    try:
        known = patient.lookup(name, "A") or patient.lookup(name, "AAAA")
    except Unavailable as silent:
        yield unknown(f"{name}: {silent}")
        return
    if known or is_loopback(patient.desk.relay.host):
        yield ok(f"{name}: {', '.join(known) or 'not in the DNS, which a relay on this machine does not mind'}")
    else:
        yield warning(f"maild greets as {name}, which is not in the DNS")


def resolver(limit_s: float) -> Callable[[str, str], tuple[str, ...]]:
    """Return what asks the DNS: dnspython if it is there, else only for addresses, by the system."""
    try:
        from maild.services.filer.resolver import Resolver
    except ImportError:
        return _by_the_system
    ask = Resolver().ask
    return lambda name, kind: ask(name, kind, limit_s)  # type: ignore[arg-type]  # the kinds that lookups have


def _by_the_system(name: str, kind: str) -> tuple[str, ...]:
    family = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}.get(kind)
    if family is None:
        raise Unavailable(f"to ask for {kind} of {name} needs dnspython: pip install 'maild[auth]'")
    try:
        return tuple(dict.fromkeys(str(each[4][0]) for each in socket.getaddrinfo(name, None, family)))
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            return ()
        raise Unavailable(f"the DNS did not answer for {name}: {error.strerror}") from error


_WANTS = (Need.CONFIGURATION, Need.NETWORK)
CHECKS = (
    Check(
        "D20",
        Group.DOMAINS,
        "Mail to the departments' domains finds a server",
        "Without MX, or with one that has no address, nobody's mail arrives.",
        "add an MX record that names your mail server",
        _receives,
        _WANTS,
    ),
    Check(
        "D21",
        Group.DOMAINS,
        "SPF lets the relay send",
        "Receivers put mail aside that comes from servers which the domain does not name (RFC 7208).",
        "correct the TXT record that begins with v=spf1",
        _spf,
        _WANTS,
    ),
    Check(
        "D22",
        Group.DOMAINS,
        "There is a key for signatures (DKIM)",
        "Large receivers want mail signed by its domain (RFC 6376); the relay signs, maild does not.",
        "let the relay sign, and publish its key as SELECTOR._domainkey.DOMAIN",
        _dkim,
        _WANTS,
    ),
    Check(
        "D23",
        Group.DOMAINS,
        "The domain says what to do with forgeries (DMARC)",
        "Large receivers want it (RFC 7489); it also proves our own mail, which comes back in answers.",
        'begin with "v=DMARC1; p=none", and make it stricter when all mail passes',
        _dmarc,
        _WANTS,
    ),
    Check(
        "D24",
        Group.DOMAINS,
        "It can be told who wrote a mail",
        "Unproven senders are told less, and what destroys needs proof.",
        "name your mail server's Authentication-Results in authserv_id, or: pip install 'maild[auth]'",
        _provable,
        (Need.CONFIGURATION,),
    ),
    Check(
        "D25",
        Group.DOMAINS,
        "maild greets with a full name",
        "Servers turn away clients that greet with a bare or unknown name (RFC 5321 4.1.4).",
        "set `hostname` in [maild] to the full name of this machine",
        _hostname,
        _WANTS,
    ),
)
