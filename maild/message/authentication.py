"""Whether a mail comes from the domain that its From names, as far as a host that we trust has said so.

The only witness heard here is `Authentication-Results` (RFC 8601) of the one host that the operator named. Anybody can
write such a header into a mail before he sends it, so it is believed by who wrote it and by where it stands:

  * its authserv-id is the named one (a version number behind it is allowed); a header without one, or with an
    instance number in its place (ARC's `i=1;`), is somebody else's;
  * headers grow upwards: the first header of another host, reading from the top, ends the belief, and so does the first
    Received below the first header of the named host, since all below it was in the mail when that host took it;
  * where two of the host's headers speak of one method, the upper is heard; two different dmarc results prove nothing.

The host itself must strip headers that pretend to be its own (RFC 8601 5); the rules above are for hosts that forget.

Microsoft 365 writes no authserv-id. Where the operator names `MICROSOFT`, the topmost header is believed, if it has no
id and stands where only that host writes: below nothing but Received lines of its inner hosts, and directly above the
first line by which one of its gates (`*.mail.protection.outlook.com`) took the mail from outside. So such a header is
believed in mailboxes that are read there, and in no mail that reached us by any other host.

    dmarc=fail                                                -> FAIL
    dmarc=pass, of the domain in From                         -> PASS
    else dkim=pass or spf=pass of an aligned domain           -> PASS
    else dkim=fail or spf=fail of an aligned domain           -> FAIL
    anything else; several From or none (unless it is a FAIL) -> NONE

Aligned (RFC 7489 3.1, relaxed): of one organisation. Given a list of public suffixes, the caller says which domain is
the organisation's. Without it two domains are aligned if they are equal or one lies below the other; cousins
(`a.acme.example`, `b.acme.example`) are not, which errs on the careful side.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from maild.message.address import ascii_domain, normalise
from maild.message.headers import plain
from maild.message.parse import Message

MICROSOFT = "protection.outlook.com"  # what an operator names whose mailbox is at Microsoft 365
MOST_HEADERS = 50
MOST_HEADER_CHARS = 8192

Organisation = Callable[[str], str | None]


class Trust(StrEnum):
    """What is known of the From of a mail."""

    PASS = "pass"  # noqa: S105 a verdict, no secret
    FAIL = "fail"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Authentication:
    """The verdict on From, the domain that it is about ("" if From names none), and why, for the record."""

    result: Trust
    domain: str
    reasons: tuple[str, ...]
    heard: bool = False  # whether a host that we trust has said anything: then nobody else is asked


@dataclass(frozen=True, slots=True)
class Finding:
    """One result in an Authentication-Results header: `dkim=pass header.d=acme.example`."""

    method: str
    result: str
    properties: dict[str, str]

    def domain(self, *names: str) -> str:
        """Return the domain in the first of the properties that is there, "" if none is."""
        for name in names:
            value = self.properties.get(name, "").strip("<>")
            if value:
                return ascii_domain(value.rpartition("@")[2])
        return ""


def verdict(message: Message, authserv_id: str | None, organisation: Organisation | None = None) -> Authentication:
    """Return what the host `authserv_id` says about the From of `message`.

    `organisation` returns the registered domain of a domain (`acme.co.uk` for `mail.acme.co.uk`), None for a public
    suffix; leave it out where no list of public suffixes is at hand.
    """
    domain = ascii_domain(message.from_.address.rpartition("@")[2]) if message.from_ else ""
    if not authserv_id:
        return Authentication(Trust.NONE, domain, ("no host is named whose Authentication-Results are believed",))
    findings = list(_believed(message, authserv_id.strip().lower()))
    if not findings:
        return Authentication(Trust.NONE, domain, (f"no Authentication-Results of {authserv_id}",))
    result, reason = _judge(findings, domain, organisation)
    if result is Trust.PASS and (len(message.froms) != 1 or len(message.head.raws("from")) != 1):
        return Authentication(Trust.NONE, domain, (reason, "but the mail has not exactly one From"), heard=True)
    return Authentication(result, domain, (reason,), heard=True)


def of_login(message: Message, login: str) -> Authentication:
    """Return what it says of the From of `message` that the agent `login` sent it, who proved himself to us.

    `login` is normalised. Another From than his is no slip: his mail program was told to write it.
    """
    domain = ascii_domain(message.from_.address.rpartition("@")[2]) if message.from_ else ""
    written = [normalise(each.address) for each in message.froms]
    if len(written) == 1 == len(message.head.raws("from")) and written[0] == login:
        return Authentication(Trust.PASS, domain, (f"he logged in as {login} to send it",), heard=True)
    return Authentication(Trust.FAIL, domain, (f"{login} logged in to send it, and From is somebody else",), heard=True)


def aligned(one: str, other: str, organisation: Organisation | None = None) -> bool:
    """Return whether two domains, as `ascii_domain` writes them, belong to one organisation."""
    if not one or not other:
        return False
    if one == other:
        return True
    if organisation is not None:
        owner = organisation(one)
        return owner is not None and owner == organisation(other)
    shorter, longer = sorted((one, other), key=len)
    return "." in shorter and longer.endswith("." + shorter)


def results(header: str) -> tuple[str, tuple[Finding, ...]]:
    """Return the authserv-id of an Authentication-Results header and its findings; never raises.

    The id is "" where the header names none, or something that is no id.
    """
    first, *rest = _split(_without_comments(header[:MOST_HEADER_CHARS]), ";")
    words = first.split()
    if "=" in first or not words or len(words) > 2 or (len(words) == 2 and not words[1].isdigit()):
        return "", ()
    return words[0].strip('"').lower(), tuple(finding for part in rest for finding in _finding(part))


def _believed(message: Message, authserv_id: str) -> Iterator[Finding]:
    """Yield the findings of the named host that stand where only that host could write them.

    Where two of its headers speak of one method, only the upper one is heard.
    """
    if authserv_id == MICROSOFT:
        yield from _believed_of_microsoft(message)
        return
    headers = iter(message.head.raws("authentication-results")[:MOST_HEADERS])
    spoken: set[str] = set()
    heard = False
    for name in message.head.names:
        if name == "received" and heard:
            return
        if name != "authentication-results":
            continue
        # Not decoded: an encoded word in it would be the sender's, and could hold anything.
        host, findings = results(plain(next(headers, b"")[:MOST_HEADER_CHARS]))
        if host != authserv_id:
            return
        heard = True
        yield from (finding for finding in findings if finding.method not in spoken)
        spoken.update(finding.method for finding in findings)


def _believed_of_microsoft(message: Message) -> Iterator[Finding]:
    """Yield the findings of Microsoft 365, if they stand where only it could write them."""
    received = iter(message.head.raws("received")[:MOST_HEADERS])
    for name in message.head.names:
        if name == "received":
            by = _taken_by(next(received, b""))
            if not by.endswith(_INSIDE_MICROSOFT) or by.endswith(_GATE_OF_MICROSOFT):
                return  # another host's, or the gate itself, below which all is the sender's
        elif name == "authentication-results":
            break
    else:
        return
    if not _taken_by(next(received, b"")).endswith(_GATE_OF_MICROSOFT):
        return
    text = plain(message.head.raws("authentication-results")[0][:MOST_HEADER_CHARS])
    parts = _split(_without_comments(text), ";")
    if "=" in parts[0]:  # else it names somebody
        yield from (finding for part in parts for finding in _finding(part))


_INSIDE_MICROSOFT = (".outlook.com", ".office365.com", ".exchangelabs.com")
_GATE_OF_MICROSOFT = ".mail.protection.outlook.com"
_BY = re.compile(r"(?:^|\s)by\s+([a-z0-9.-]+)(?=[\s;]|$)")


def _taken_by(received: bytes) -> str:
    """Return the host that wrote a Received line (RFC 5321 4.4), "" if it can be read in two ways."""
    named = _BY.findall(_without_comments(plain(received[:MOST_HEADER_CHARS]).lower()))
    return named[0] if len(named) == 1 else ""


def _judge(findings: Sequence[Finding], domain: str, organisation: Organisation | None) -> tuple[Trust, str]:
    """Return the verdict of the table above, but for the number of From, and the finding that decided."""
    policies = [finding for finding in findings if finding.method == "dmarc"]
    for policy in policies:
        about = policy.domain("header.from") or domain
        if policy.result == "fail":
            return Trust.FAIL, f"dmarc=fail for {about}"
    if len({policy.result for policy in policies}) > 1:
        return Trust.NONE, "two different results of dmarc"
    for policy in policies:
        about = policy.domain("header.from") or domain
        if policy.result == "pass" and aligned(about, domain, organisation):
            return Trust.PASS, f"dmarc=pass for {about}"
    for wanted, trust in (("pass", Trust.PASS), ("fail", Trust.FAIL)):
        for finding in findings:
            about = _signer(finding)
            if finding.result == wanted and aligned(about, domain, organisation):
                return trust, f"{finding.method}={wanted} for {about}"
    said = ", ".join(f"{finding.method}={finding.result}" for finding in findings[:8])
    return Trust.NONE, f"nothing proves {domain or 'a missing From'}: {said}"


def _signer(finding: Finding) -> str:
    """Return the domain that a DKIM or SPF finding vouches for, "" for every other method."""
    if finding.method == "dkim":
        return finding.domain("header.d", "header.i")
    if finding.method == "spf":
        return finding.domain("smtp.mailfrom", "smtp.mail", "envelope-from")
    return ""


def _finding(part: str) -> Iterator[Finding]:
    """Yield the finding in one part of the header between semicolons, nothing for `none` and for what is no finding."""
    words = _split(_SPACED_EQUALS.sub("=", part).strip(), " ")
    method, equals, result = words[0].partition("=")
    if not equals:
        return
    pairs = (word.partition("=") for word in words[1:])
    properties = {name.lower(): value.strip('"') for name, _, value in pairs if value}
    yield Finding(method.partition("/")[0].strip().lower(), result.strip('"').lower(), properties)


_SPACED_EQUALS = re.compile(r"(?<!\s)\s*=\s*")


def _split(text: str, separator: str) -> list[str]:
    """Return `text` cut at every `separator` outside quotes."""
    if '"' not in text:
        return text.split(separator)
    parts, start, quoted = [], 0, False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return parts


def _without_comments(text: str) -> str:
    """Return `text` without its comments, which may be nested (RFC 5322 3.2.2); one never closed runs to the end."""
    if "(" not in text and "\\" not in text:
        return text
    kept, depth, quoted, escaped = [], 0, False, False
    for char in text:
        if escaped:
            escaped = False
            continue  # left out: a quote that ends no quoted string must not look like one that does
        if char == "\\" and (depth or quoted):
            escaped = True
            continue
        if char == '"' and not depth:
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
            continue
        elif char == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(" " if char.isspace() else char)
    return "".join(kept)
