"""DMARC (RFC 7489): what proven domains mean for the domain in From, which is the one that people see.

    a DKIM signature or SPF passes, of a domain aligned with From    -> PASS
    DMARC is published, both were looked at, none of them passes     -> FAIL, whatever the policy (p=none too)
    no DMARC, and SPF says that this client may not (-all)           -> FAIL
    the DNS did not answer something that could have changed it      -> NONE
    anything else                                                    -> NONE

A DKIM signature that does not verify is as one that is not there (RFC 6376 6.1): lists and forwarders break them. The
policy (p, sp) is what a domain asks of others; for us a failure is a failure, so it is told in the reasons and decides
nothing. `pct` is not looked at for the same reason (and gone from the successor of RFC 7489).

Strict alignment (adkim=s, aspf=s) wants the very domain, relaxed one of the same organisation. The organisation is
what the caller's list of public suffixes says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from maild.message.authentication import Authentication, Organisation, Trust, aligned
from maild.message.lookup import Lookup

Policy = Literal["none", "quarantine", "reject"]


@dataclass(frozen=True, slots=True)
class Record:
    """What a domain says about mail in its name."""

    policy: Policy = "none"
    strict_dkim: bool = False
    strict_spf: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a mail; `spf` is None where it cannot be told, since the mail came by way of others."""

    record: Record | None = None
    signed_by: Sequence[str] = ()  # domains whose signatures verify
    spf: str | None = None  # message.spf.Result
    spf_domain: str = ""
    doubts: Sequence[str] = ()  # what the DNS did not answer


def read(text: str, *, inherited: bool = False) -> Record | None:
    """Return what a record says, None if it is none that counts (RFC 7489 6.3, 6.6.3).

    `inherited` is a record of the organisation read for one of its sub-domains: `sp` counts before `p`.
    """
    tags: dict[str, str] = {}
    for number, part in enumerate(text.split(";")):
        name, equals, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if number == 0 and (name, value) != ("v", "DMARC1"):
            return None
        if equals:
            tags.setdefault(name, value)
    policy = _policy(tags.get("p", ""))
    if policy is None:
        if "mailto:" not in tags.get("rua", "").lower():
            return None
        policy = "none"
    elif inherited:
        policy = _policy(tags.get("sp", "")) or policy
    return Record(policy, tags.get("adkim", "r").lower() == "s", tags.get("aspf", "r").lower() == "s")


def _policy(written: str) -> Policy | None:
    match written.lower():
        case "none":
            return "none"
        case "quarantine":
            return "quarantine"
        case "reject":
            return "reject"
        case _:
            return None


def discover(domain: str, lookup: Lookup, organisation: Organisation | None) -> Record | None:
    """Return what is published for mail from `domain`, by itself or else by its organisation; None if nothing is.

    Raises:
        Unavailable: it cannot be known now.
    """
    own = _published(domain, lookup)
    if own:
        return read(own[0]) if len(own) == 1 else None  # RFC 7489 6.6.3: several are none
    owner = organisation(domain) if organisation else None
    if owner is None or owner == domain:
        return None
    above = _published(owner, lookup)
    return read(above[0], inherited=True) if len(above) == 1 else None


def _published(domain: str, lookup: Lookup) -> list[str]:
    return [each for each in lookup(f"_dmarc.{domain}", "TXT") if each.partition(";")[0].replace(" ", "") == "v=DMARC1"]


def fits(one: str, other: str, organisation: Organisation | None, *, strict: bool) -> bool:
    """Return whether two domains are aligned."""
    return one == other if strict else aligned(one, other, organisation)


def judge(domain: str, evidence: Evidence, organisation: Organisation | None) -> Authentication:
    """Return what `evidence` says of mail whose From is of `domain`, by the table above."""
    record, spf = evidence.record, evidence.spf
    published = record or Record()
    for signer in evidence.signed_by:
        if fits(signer, domain, organisation, strict=published.strict_dkim):
            return Authentication(Trust.PASS, domain, (f"own check: dkim=pass for {signer}",))
    spf_aligned = fits(evidence.spf_domain, domain, organisation, strict=published.strict_spf)
    if spf == "pass" and spf_aligned:
        return Authentication(Trust.PASS, domain, (f"own check: spf=pass for {evidence.spf_domain}",))
    if evidence.doubts:
        return Authentication(Trust.NONE, domain, tuple(f"own check: {each}" for each in evidence.doubts))
    if spf is not None and record is not None:
        reason = f"own check: dmarc=fail for {domain} (policy {record.policy}, spf={spf})"
        return Authentication(Trust.FAIL, domain, (reason,))
    if spf == "fail" and spf_aligned:
        return Authentication(Trust.FAIL, domain, (f"own check: spf=fail for {evidence.spf_domain}",))
    said = f", spf={spf}" if spf is not None else ""
    return Authentication(Trust.NONE, domain, (f"own check: nothing proves {domain}{said}",))
