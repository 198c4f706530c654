"""Machines, where servers listen, URLs."""

import ipaddress
import re
from typing import Annotated, NamedTuple

from pydantic import Field, StrictInt

from maild.config.kinds import from_text

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?", re.ASCII)


class Endpoint(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return whether `host` can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """Return whether a server that listens on `host` listens on every address."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def endpoint(text: str) -> Endpoint:
    """Return the endpoint that `text` says, such as "127.0.0.1:2525" or "[::1]:25"; without a host it is every address.

    Raises:
        ValueError: it says none.
    """
    expected = "expected 'host:port', such as '127.0.0.1:2525' or '[::1]:25'"
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(expected)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{expected} (an IPv6 address stands in brackets)")
    return Endpoint(_host(host) if host else "0.0.0.0", int(port))  # noqa: S104 - ":25" is how one writes "everywhere"


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if _HOST.fullmatch(text) is None:
            raise ValueError("expected the name or the address of a machine") from None
    return text


def _url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    if not rest or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected a URL such as 'https://login.acme.example/token'")
    if scheme != "https" and not (scheme == "http" and is_loopback(host)):
        raise ValueError("expected a URL that begins with https://: secrets are sent there")
    return text


Host = Annotated[str, from_text(_host, "the name or the address of a machine")]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Listen = Annotated[Endpoint, from_text(endpoint, "'host:port', such as '127.0.0.1:2525' or '[::1]:25'")]
Url = Annotated[str, from_text(_url, "a URL such as 'https://login.acme.example/token'")]
