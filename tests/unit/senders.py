"""A mail of an agent, the DNS of its domain, and what maild makes of the two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from maild.config import parse as parse_settings
from maild.message import reading
from maild.message.authentication import Authentication
from maild.message.tokens import Key, Keys
from maild.services.filer import Authenticator, Inbound
from tests.clock import NOON
from tests.unit.signing import Dns, published, published_ed25519, signed

OUTSIDE = "smtp 93.184.216.34"  # a public address; those of documentation are not
NEAR = "smtp 10.0.0.7"
MX = "mx.desk.example"
BODY = "Pull the plug.  \r\n\r\nAnna\t\r\n\r\n\r\n"
MAIL = (
    "From: Anna <anna@acme.example>\r\nTo: support@desk.example\r\nSubject: Re: Printer\r\n"
    "Date: Mon, 2 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n\r\n" + BODY
).encode()
KEY = {"k._domainkey.acme.example": published()}
REJECT = {"_dmarc.acme.example": "v=DMARC1; p=reject"}
STRICT = {"_dmarc.acme.example": "v=DMARC1; p=reject; adkim=s; aspf=s"}
WATCH = {"_dmarc.acme.example": "v=DMARC1; p=none; rua=mailto:d@acme.example"}
OURS = {"acme.example": "v=spf1 ip4:93.184.216.0/24 -all"}
NOT_OURS = {"acme.example": "v=spf1 ip4:192.0.2.0/24 -all"}
PERHAPS = {"acme.example": "v=spf1 ip4:192.0.2.0/24 ~all"}


def organisation(domain: str) -> str | None:
    labels = domain.split(".")
    size = 3 if domain.endswith("co.example") else 2
    return ".".join(labels[-size:]) if len(labels) >= size else None


def settings(*lines: str) -> Any:
    maild = "\n".join(["[maild]", *lines])
    return parse_settings(f"""
{maild}
[smtp]
listen = "127.0.0.1:0"
[[department]]
name = "support"
address = "support@desk.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
""")


def checked(
    raw: bytes,
    records: Mapping[str, str | Sequence[str]],
    *,
    source: str = OUTSIDE,
    envelope_from: str | None = "anna@acme.example",
    helo: str = "mail.acme.example",
    login: str | None = None,
    lines: Sequence[str] = (),
    later: timedelta = timedelta(),
    dns: Dns | None = None,
) -> Authentication:
    configured = settings(*lines)
    known = reading.Known(Keys(Key("a", b"x" * 32)), configured.ours, configured.maild.authserv_id, organisation)
    inbound = Inbound(
        7, envelope_from, ("support@desk.example",), NOON + later, 1, raw, source=source, helo=helo, login=login
    )
    read = reading.read(raw, envelope_from, inbound.recipients, known, NOON)
    [found] = Authenticator(configured, organisation, dns or Dns(records, [])).check([inbound], [read])
    return found.authentication


def mail(sender: str = "Anna <anna@acme.example>", raw: bytes = MAIL) -> bytes:
    return raw.replace(b"Anna <anna@acme.example>", sender.encode(), 1)


@dataclass(frozen=True)
class Row:
    """One line of the table: a mail, what the DNS says, what follows."""

    name: str
    expected: str
    raw: bytes | Callable[[], bytes] = MAIL
    dns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)


def signature(**options: Any) -> Callable[[], bytes]:
    return lambda: signed(MAIL, **options)


def changed(old: bytes, new: bytes, **options: Any) -> Callable[[], bytes]:
    return lambda: signed(MAIL, **options).replace(old, new)


EDWARDS = {"k._domainkey.acme.example": published_ed25519()}


POLLED = {"source": "imap support", "envelope_from": None}
BEHIND = {"source": NEAR}
RELAYED = {"source": "lmtp"}
SUB = mail("Anna <anna@mail.acme.example>")
OTHER = {"k._domainkey.evil.example": published()}
NAMED = {"lines": [f'authserv_id = "{MX}"']}
