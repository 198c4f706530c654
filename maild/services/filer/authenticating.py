"""Whether From is genuine: who is heard, in this order, and what maild finds out by itself.

    1. a login to our own listener          proves the login's own address, and is a failure of every other
    2. the named host (maild.authserv_id)   what its Authentication-Results say is final (message.authentication)
    3. own checks (maild.check_senders)     signatures, SPF and DMARC, if the extra `auth` is installed

Own checks look at signatures of every mail. SPF, and with it a failure, needs the client that the sender's own server
was: so the mail came by SMTP from a public address, and no host is named that stands in front of us. What came by way
of LMTP, a mailbox or a server in between can be proven by its signature, and never fails.

A check asks the DNS, so it is made before any transaction, and takes `MAIL_S` at most; all mails of a group together
`GROUP_S`. What the DNS does not answer in that time proves nothing and disproves nothing. A verdict is kept for the
next tries to file the same mail.
"""

import ipaddress
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import structlog

from maild.config import Settings
from maild.message import dmarc, spf
from maild.message.authentication import Authentication, Organisation, of_login
from maild.message.classify import Kind
from maild.message.lookup import Kind as Record
from maild.message.lookup import Lookup, Unavailable
from maild.message.reading import Reading
from maild.services.filer.filing import Inbound

log = structlog.get_logger("maild.filer")

MAIL_S: Final = 10.0
GROUP_S: Final = 30.0  # filer.LEASE must exceed it by far
QUESTION_S: Final = 3.0
AT_ONCE: Final = 8  # mails whose checks wait for the DNS at the same time
REMEMBERED: Final = 1_000  # verdicts
_UNCHECKED: Final = frozenset({Kind.OWN, Kind.DSN_FAILED, Kind.DSN_DELAYED, Kind.DSN_OK, Kind.MDN})

Ask = Callable[[str, Record, float], tuple[str, ...]]  # a Lookup that is told how many seconds it has


class Authenticator:
    """Says of mails whether their From is genuine."""

    def __init__(self, settings: Settings, organisation: Organisation | None, ask: Ask | None) -> None:
        """Prepare to check; without `ask` nothing is found out by ourselves."""
        self._settings = settings
        self._organisation = organisation
        self._ask = ask if settings.maild.check_senders else None
        self._verdicts: dict[int, Authentication] = {}

    def check(self, mails: Sequence[Inbound], readings: Sequence[Reading]) -> list[Reading]:
        """Return `readings` with what is known of each From; may wait for the DNS."""
        until_s = time.monotonic() + GROUP_S
        pairs = list(zip(mails, readings, strict=True))
        slow = [pair for pair in pairs if self._asks(*pair)]
        if len(slow) > 1:
            with ThreadPoolExecutor(min(len(slow), AT_ONCE), "authenticating") as pool:
                list(pool.map(lambda pair: self._remember(pair[0], self._checked(pair[0], pair[1], until_s)), slow))
        found = [self._checked(mail, each, until_s) for mail, each in pairs]
        if len(self._verdicts) > REMEMBERED:
            self._verdicts.clear()
        for mail, said in zip(mails, found, strict=True):
            self._remember(mail, said)
        return [
            each if said is each.authentication else replace(each, authentication=said)
            for each, said in zip(readings, found, strict=True)
        ]

    def _remember(self, mail: Inbound, said: Authentication) -> None:
        if mail.id:
            self._verdicts[mail.id] = said

    def _asks(self, mail: Inbound, each: Reading) -> bool:
        said = each.authentication
        return (
            self._ask is not None
            and mail.id not in self._verdicts
            and mail.login is None
            and mail.old_since is None  # what it proves is needed for answers and actions: old mail has neither
            and (bool(each.message.head.raws("dkim-signature")) or self._client(mail) is not None)
            and not said.heard
            and each.kind not in _UNCHECKED
            and len(each.message.froms) == 1
            and "." in said.domain
        )

    def _checked(self, mail: Inbound, each: Reading, until_s: float) -> Authentication:
        known = self._verdicts.get(mail.id)
        if known is not None:
            return known
        if mail.login is not None:
            return of_login(each.message, mail.login)
        if not self._asks(mail, each):
            return each.authentication
        try:
            return self._own(mail, each, self._lookup(until_s))
        except Exception:  # dkimpy and dnspython are foreign parsers of what strangers write; the mail goes on unproven
            log.exception("sender not checked", mail=mail.id)
            return each.authentication

    def _lookup(self, until_s: float) -> Lookup:
        until_s = min(until_s, time.monotonic() + MAIL_S)

        def ask(name: str, kind: Record) -> tuple[str, ...]:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or self._ask is None:
                raise Unavailable("the DNS did not answer in time")
            return self._ask(name, kind, min(left_s, QUESTION_S))

        return ask

    def _own(self, mail: Inbound, each: Reading, lookup: Lookup) -> Authentication:
        """Return what signatures, SPF and DMARC say of a mail."""
        from maild.message import dkim  # noqa: PLC0415 - needs the extra

        domain = each.authentication.domain
        client = self._client(mail)
        split = dkim.split(mail.raw, each.message)
        signed = [] if split is None else list(dkim.signatures(split, mail.stored_at))
        signed = [one for one in signed if dmarc.fits(one.domain, domain, self._organisation, strict=False)]
        if not signed and client is None:
            return each.authentication  # nothing could prove it, so nobody is asked
        try:
            record = dmarc.discover(domain, lookup, self._organisation)
        except Unavailable as error:
            return dmarc.judge(domain, dmarc.Evidence(doubts=(str(error),)), self._organisation)
        doubts: list[str] = []
        for one in signed:
            if not dmarc.fits(one.domain, domain, self._organisation, strict=bool(record and record.strict_dkim)):
                continue
            try:
                if split is not None and dkim.verifies(split, one, lookup):
                    evidence = dmarc.Evidence(record, (one.domain,))
                    return dmarc.judge(domain, evidence, self._organisation)
            except Unavailable as error:
                doubts.append(str(error))
        if client is None:
            return dmarc.judge(domain, dmarc.Evidence(record, doubts=doubts), self._organisation)
        result, about = spf.check(client, mail.envelope_from or "", mail.helo or "", lookup)
        if result is spf.Result.TEMPERROR:
            doubts.append(f"the DNS did not answer for SPF of {about}")
        return dmarc.judge(domain, dmarc.Evidence(record, (), result.value, about, doubts), self._organisation)

    def _client(self, mail: Inbound) -> str | None:
        """Return the address of the sender's own server, None if somebody stood between it and us."""
        way, _, peer = mail.source.partition(" ")
        if way != "smtp" or self._settings.maild.authserv_id is not None or mail.envelope_from is None:
            return None
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return str(address) if address.is_global else None
