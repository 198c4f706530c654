"""Who may connect, and the bounds of what one may do then. No I/O and no clock: instants are seconds of any clock.

A client that speaks for many, a mail server on this machine, is bounded by the total alone. One IPv6 network of 64
bits is one client: that much anybody has.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

_WINDOW_S: Final = 60.0
_REMEMBERED: Final = 50_000  # clients of the present window; more than that are a flood and the total bounds them


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the listener, with defaults that suit a desk."""

    size_bytes: int = 25 << 20  # of a mail
    connections: int = 100
    connections_per_address: int = 10
    recipients: int = 100  # RFC 5321 4.5.3.1.8: at least that many
    mails: int = 100  # of a session
    errors: int = 10  # of a session
    received: int = 50  # header fields of a mail; more of them are a loop
    command_s: float = 300.0  # RFC 5321 4.5.3.2.7: at least five minutes
    crowded_command_s: float = 20.0  # when more than CROWDED of the connections are taken
    session_s: float = 1_200.0
    data_rate_bytes_s: float = 500.0  # during DATA, measured every `data_window_s`
    data_window_s: float = 30.0
    login_delay_s: float = 1.0  # before a wrong password is answered, and so much more each time

    @property
    def new_per_minute(self) -> int:
        """How often one client may connect in a minute."""
        return 6 * self.connections_per_address


CROWDED: Final = 0.8
MOST_FAILED_LOGINS: Final = 20  # of one client within FAILED_LOGINS_S
FAILED_LOGINS_S: Final = 900.0


class Gate:
    """Counts the clients that are in, and says who may come in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inside: dict[str, int] = {}
        self._total = 0
        self._came: dict[str, int] = {}  # in the present window
        self._window_since = 0.0
        self._failed: dict[str, list[float]] = {}  # when logins of a client failed

    def enter(self, address: str, now_s: float) -> str | None:
        """Let the client at `address` in, or return the reply that turns it away; who was let in must `leave`."""
        if self._total >= self._limits.connections:
            return "421 4.3.2 Too many connections, please try again later"
        client = client_of(address)
        if client is not None:
            if now_s - self._window_since >= _WINDOW_S or len(self._came) >= _REMEMBERED:
                self._came.clear()
                self._window_since = now_s
            self._came[client] = self._came.get(client, 0) + 1
            if (
                self._inside.get(client, 0) >= self._limits.connections_per_address
                or self._came[client] > self._limits.new_per_minute
            ):
                return "421 4.7.0 Too many connections from your address, please try again later"
            self._inside[client] = self._inside.get(client, 0) + 1
        self._total += 1
        return None

    def leave(self, address: str) -> None:
        """Take back that the client at `address` is in."""
        self._total -= 1
        client = client_of(address)
        if client is not None:
            self._inside[client] -= 1
            if not self._inside[client]:
                del self._inside[client]

    def login_failed(self, address: str, now_s: float) -> None:
        """Count a failed login of the client at `address`."""
        client = client_of(address)
        if client is None:
            return
        if len(self._failed) >= _REMEMBERED:
            self._failed.clear()
        self._failed.setdefault(client, []).append(now_s)

    def may_log_in(self, address: str, now_s: float) -> bool:
        """Return whether the client at `address` has not failed too often to be asked."""
        client = client_of(address)
        if client is None or client not in self._failed:
            return True
        self._failed[client] = [each for each in self._failed[client] if each > now_s - FAILED_LOGINS_S]
        return len(self._failed[client]) < MOST_FAILED_LOGINS

    @property
    def crowded(self) -> bool:
        """Whether idle clients should make room soon."""
        return self._total > CROWDED * self._limits.connections


def client_of(address: str) -> str | None:
    """Return whom `address` is counted as, None for this machine itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a socket of the file system
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return None if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return None if found.is_loopback else str(found)
