"""The only door to the DNS: dnspython, with its cache. It is the resolver of this machine that is asked.

Nothing is opened before the first question, so a desk that never asks needs no network.
"""

import threading
from typing import Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from maild.message.lookup import Kind, Unavailable

CACHED: Final = 10_000  # answers, for as long as their domains allow; that nothing is there is one too


class Resolver:
    """Asks the DNS; may be used by several threads."""

    def __init__(self) -> None:
        self._opening = threading.Lock()
        self._resolver: dns.resolver.Resolver | None = None

    def ask(self, name: str, kind: Kind, within_s: float) -> tuple[str, ...]:
        """Return what `message.lookup.Lookup` returns, within so many seconds.

        Raises:
            Unavailable: there is no answer now.
        """
        try:
            answer = self._opened().resolve(
                name.rstrip(".") + ".", kind, lifetime=within_s, search=False, raise_on_no_answer=False
            )
        except (dns.resolver.NXDOMAIN, dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return ()
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise Unavailable(f"the DNS did not answer for {kind} of {name}: {type(error).__name__}") from error
        if answer.rrset is None:
            return ()
        return tuple(_written(kind, answer.rrset))

    def _opened(self) -> dns.resolver.Resolver:
        with self._opening:
            if self._resolver is None:
                self._resolver = dns.resolver.Resolver()
                self._resolver.cache = dns.resolver.LRUCache(CACHED)
            return self._resolver


def _written(kind: Kind, records: object) -> list[str]:
    rows: list[object] = list(records)  # type: ignore[call-overload]  # dnspython gives a set without a type
    match kind:
        case "TXT":
            return [b"".join(row.strings).decode("latin-1") for row in rows]  # type: ignore[attr-defined]  # as above
        case "MX":
            ranked = sorted(rows, key=lambda row: row.preference)  # type: ignore[attr-defined]  # as above
            return [row.exchange.to_text(omit_final_dot=True) for row in ranked]  # type: ignore[attr-defined]  # as above
        case "PTR":
            return [row.target.to_text(omit_final_dot=True) for row in rows]  # type: ignore[attr-defined]  # as above
        case "A" | "AAAA":
            return [row.address for row in rows]  # type: ignore[attr-defined]  # as above
