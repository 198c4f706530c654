"""What maild finds out by itself about a sender: signatures, SPF and DMARC, row by row. The DNS is given."""

from datetime import timedelta

import pytest

from tests.clock import NOON
from tests.unit.senders import (
    BEHIND,
    EDWARDS,
    KEY,
    MAIL,
    MX,
    NAMED,
    NOT_OURS,
    OTHER,
    OURS,
    PERHAPS,
    POLLED,
    REJECT,
    RELAYED,
    STRICT,
    SUB,
    WATCH,
    Row,
    changed,
    checked,
    mail,
    signature,
)
from tests.unit.signing import body_bytes, published, published_ed25519, signed

ED25519 = {"algorithm": "ed25519-sha256"}
SIGNATURES = [
    Row("Ed25519", "pass", signature(**ED25519), EDWARDS | REJECT, POLLED),
    Row("Ed25519, simple canonicalisation", "pass", signature(**ED25519, canonical="simple/simple"), EDWARDS, POLLED),
    Row("Ed25519, the body changed", "none", changed(b"Pull", b"Push", **ED25519), EDWARDS, POLLED),
    Row("Ed25519, a signed field changed", "none", changed(b"Printer", b"Money", **ED25519), EDWARDS, POLLED),
    Row("Ed25519, the signature changed", "none", changed(b"d=acme", b"d=ACME", **ED25519), EDWARDS, POLLED),
    Row(
        "Ed25519, another key",
        "none",
        signature(**ED25519),
        {"k._domainkey.acme.example": published_ed25519(seed=2)},
        POLLED,
    ),
    Row("Ed25519 by a key of RSA", "none", signature(**ED25519), KEY, POLLED),
    Row("RSA by a key of Ed25519", "none", signature(), EDWARDS, POLLED),
    Row(
        "a key of Ed25519 that is none",
        "none",
        signature(**ED25519),
        {"k._domainkey.acme.example": published_ed25519(p="AAAA")},
        POLLED,
    ),
    Row("a good signature", "pass", signature(), KEY | REJECT, POLLED),
    Row("a good signature without DMARC", "pass", signature(), KEY, POLLED),
    Row("of 2048 bits", "pass", signature(bits=2048), {"k._domainkey.acme.example": published(2048)}, POLLED),
    Row("simple canonicalisation", "pass", signature(canonical="simple/simple"), KEY, POLLED),
    Row("relaxed header, simple body", "pass", signature(canonical="relaxed/simple"), KEY, POLLED),
    Row("simple header, relaxed body", "pass", signature(canonical="simple/relaxed"), KEY, POLLED),
    Row("a header alone in c=", "pass", signature(canonical="relaxed"), KEY, POLLED),
    Row("From signed twice, against a second one", "pass", signature(headers=("from", "from", "to")), KEY, POLLED),
    Row("a field signed that is not there", "pass", signature(headers=("from", "reply-to")), KEY, POLLED),
    Row("an identity of a sub-domain", "pass", signature(i="anna@mail.acme.example"), KEY, POLLED),
    Row("an identity of another domain", "none", signature(i="anna@evil.example"), KEY, POLLED),
    Row(
        "i= of a sub-domain where the key forbids it",
        "none",
        signature(i="a@mail.acme.example"),
        {"k._domainkey.acme.example": published(t="s")},
        POLLED,
    ),
    Row("a key revoked", "none", signature(), {"k._domainkey.acme.example": "v=DKIM1; k=rsa; p="}, POLLED),
    Row("no key", "none", signature(), {}, POLLED),
    Row(
        "two keys under one name",
        "none",
        signature(),
        {"k._domainkey.acme.example": [published(), published()]},
        POLLED,
    ),
    Row("another key", "none", signature(), {"k._domainkey.acme.example": published(seed=2)}, POLLED),
    Row("a key in test", "none", signature(), {"k._domainkey.acme.example": published(t="y")}, POLLED),
    Row("a key for something else", "none", signature(), {"k._domainkey.acme.example": published(s="tlsrpt")}, POLLED),
    Row("a key for SHA-1 only", "none", signature(), {"k._domainkey.acme.example": published(h="sha1")}, POLLED),
    Row("a key of another version", "none", signature(), {"k._domainkey.acme.example": published(v="DKIM2")}, POLLED),
    Row("a key that is rubbish", "none", signature(), {"k._domainkey.acme.example": "v=DKIM1; p=AAAA"}, POLLED),
    Row("a key that is too small", "none", signature(bits=768), {"k._domainkey.acme.example": published(768)}, POLLED),
    Row("a key without end", "none", signature(), {"k._domainkey.acme.example": published(n="x" * 4000)}, POLLED),
    Row("SHA-1", "none", signature(algorithm="rsa-sha1"), KEY, POLLED),
    Row("the body changed", "none", changed(b"Pull", b"Push"), KEY, POLLED),
    Row("a signed field changed", "none", changed(b"Re: Printer", b"Re: Money"), KEY, POLLED),
    Row("From changed", "none", changed(b"Anna <anna@", b"Bert <bert@"), KEY, POLLED),
    Row("the signature changed", "none", changed(b"d=acme", b"d=ACME"), KEY, POLLED),
    Row("space changed that relaxed forgives", "pass", changed(b"plug.  \r\n", b"plug. \r\n"), KEY, POLLED),
    Row(
        "space changed that simple does not",
        "none",
        changed(b"plug.  \r\n", b"plug. \r\n", canonical="simple/simple"),
        KEY,
        POLLED,
    ),
    Row("text appended behind l=", "none", lambda: signed(MAIL, l="10") + b"Send money.\r\n", KEY, POLLED),
    Row("l= shorter than the body", "none", signature(l="10"), KEY, POLLED),
    Row("l=0", "none", signature(l="0"), KEY, POLLED),
    Row(
        "l= of the whole body",
        "pass",
        lambda: signed(MAIL, canonical="simple/simple", l=str(body_bytes(MAIL) - 4)),
        KEY,
        POLLED,
    ),
    Row("expired", "none", signature(x=str(int(NOON.timestamp()) + 60)), KEY, POLLED | {"later": timedelta(minutes=2)}),
    Row("not expired yet", "pass", signature(x=str(int(NOON.timestamp()) + 600)), KEY, POLLED),
    Row("expired before it was made", "none", signature(x=str(int(NOON.timestamp()) - 60)), KEY, POLLED),
    Row("x= that is no number", "none", signature(x="never"), KEY, POLLED),
    Row("made in the future", "none", signature(at=NOON + timedelta(days=3)), KEY, POLLED),
    Row("without a time", "pass", signature(at=None), KEY, POLLED),
    Row("two signatures, the upper one broken", "pass", lambda: signed(signed(MAIL), selector="gone"), KEY, POLLED),
    Row("two signatures, one of a service", "pass", lambda: signed(signed(MAIL), "evil.example"), KEY | OTHER, POLLED),
    Row("a field added that was not signed", "pass", lambda: b"X-Spam: no\r\n" + signed(MAIL), KEY, POLLED),
    Row("a second From on top", "none", lambda: b"From: Bert <bert@acme.example>\r\n" + signed(MAIL), KEY, POLLED),
    Row("the same From twice", "none", lambda: b"From: Anna <anna@acme.example>\r\n" + signed(MAIL), KEY, POLLED),
    Row("a From hidden by a space", "none", lambda: b"From : Bert <bert@acme.example>\r\n" + signed(MAIL), KEY, POLLED),
    Row(
        "a header that ends in two places",
        "none",
        lambda: signed(MAIL).replace(b"\r\n\r\n", b"\r\n--x: y\r\n\r\n", 1),
        KEY,
        POLLED,
    ),
    Row(
        "a line that is no field",
        "none",
        lambda: signed(MAIL).replace(b"\r\n\r\n", b"\r\nSend money\r\n\r\n", 1),
        KEY,
        POLLED,
    ),
    Row(
        "From not signed",
        "none",
        signature(headers=("to", "subject")),
        KEY,
        POLLED,
    ),
    Row("by another domain", "none", signature(domain="evil.example"), OTHER, POLLED),
    Row(
        "by a domain that ends alike",
        "none",
        signature(domain="notacme.example"),
        {"k._domainkey.notacme.example": published()},
        POLLED,
    ),
    Row("by a public suffix", "none", signature(domain="example"), {"k._domainkey.example": published()}, POLLED),
    Row(
        "by a sub-domain, relaxed",
        "pass",
        signature(domain="mail.acme.example"),
        {"k._domainkey.mail.acme.example": published()} | REJECT,
        POLLED,
    ),
    Row(
        "by a sub-domain, strict",
        "none",
        signature(domain="mail.acme.example"),
        {"k._domainkey.mail.acme.example": published()} | STRICT,
        POLLED,
    ),
    Row("by the domain itself, strict", "pass", signature(), KEY | STRICT, POLLED),
    Row("of the organisation for a sub-domain", "pass", lambda: signed(SUB), KEY, POLLED),
    Row("the key does not answer", "none", signature(), {"k._domainkey.acme.example": "!"}, POLLED),
    Row(
        "the key does not answer, SPF fails",
        "none",
        signature(),
        {"k._domainkey.acme.example": "!"} | REJECT | NOT_OURS,
    ),
    Row("DMARC does not answer", "none", signature(), KEY | {"_dmarc.acme.example": "!"}, POLLED),
    Row(
        "behind a line of a mailbox",
        "pass",
        lambda: b"From anna@acme.example Mon Mar  2 12:00:00 2026\r\n" + signed(MAIL),
        KEY,
        POLLED,
    ),
    Row("bare line feeds", "pass", lambda: signed(MAIL).replace(b"\r\n", b"\n"), KEY, POLLED),
    Row(
        "a signature full of space",
        "none",
        lambda: b"DKIM-Signature: v=1; b=" + b"\r\n " * 3000 + b"\r\n" + MAIL,
        KEY,
        POLLED,
    ),
]
POLICIES = [
    Row("SPF of the envelope", "pass", MAIL, OURS),
    Row("SPF of the envelope, with DMARC", "pass", MAIL, OURS | REJECT),
    Row("SPF of another domain", "none", MAIL, {"evil.example": "v=spf1 +all"}, {"envelope_from": "x@evil.example"}),
    Row(
        "SPF of another domain, DMARC none",
        "fail",
        MAIL,
        {"evil.example": "v=spf1 +all"} | WATCH,
        {"envelope_from": "x@evil.example"},
    ),
    Row(
        "SPF of a sub-domain, relaxed",
        "pass",
        MAIL,
        {"b.acme.example": "v=spf1 +all"} | REJECT,
        {"envelope_from": "x@b.acme.example"},
    ),
    Row(
        "SPF of a sub-domain, strict",
        "fail",
        MAIL,
        {"b.acme.example": "v=spf1 +all"} | STRICT,
        {"envelope_from": "x@b.acme.example"},
    ),
    Row(
        "the null sender, by the client's name",
        "pass",
        MAIL,
        {"mail.acme.example": "v=spf1 +all"},
        {"envelope_from": ""},
    ),
    Row("the null sender, by a name without SPF", "none", MAIL, {}, {"envelope_from": ""}),
    Row("nothing is published", "none"),
    Row("SPF fails", "fail", MAIL, NOT_OURS),
    Row("SPF fails softly", "none", MAIL, PERHAPS),
    Row(
        "SPF of another domain fails",
        "none",
        MAIL,
        {"evil.example": "v=spf1 -all"},
        {"envelope_from": "x@evil.example"},
    ),
    Row("SPF fails softly, DMARC", "fail", MAIL, PERHAPS | REJECT),
    Row("SPF fails, the signature is good", "pass", signature(), KEY | NOT_OURS | REJECT),
    Row("SPF passes, the signature is broken", "pass", changed(b"Pull", b"Push"), KEY | OURS | REJECT),
    Row("both fail, p=none", "fail", changed(b"Pull", b"Push"), KEY | NOT_OURS | WATCH),
    Row("p=quarantine", "fail", MAIL, {"_dmarc.acme.example": "v=DMARC1; p=quarantine"}),
    Row("p=reject, pct=0", "fail", MAIL, {"_dmarc.acme.example": "v=DMARC1; p=reject; pct=0"}),
    Row("DMARC of the organisation", "fail", SUB, REJECT),
    Row("DMARC of the organisation, sp=none", "fail", SUB, {"_dmarc.acme.example": "v=DMARC1; p=reject; sp=none"}),
    Row("two records of DMARC", "none", MAIL, {"_dmarc.acme.example": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}),
    Row("a record of DMARC among others", "fail", MAIL, {"_dmarc.acme.example": ["hello", "v=DMARC1; p=none"]}),
    Row("a record without a policy", "none", MAIL, {"_dmarc.acme.example": "v=DMARC1; adkim=s"}),
    Row(
        "a record without a policy, but with reports", "fail", MAIL, {"_dmarc.acme.example": "v=DMARC1; rua=mailto:d@x"}
    ),
    Row("not DMARC", "none", MAIL, {"_dmarc.acme.example": "v=DMARC2; p=reject"}),
    Row("SPF does not answer", "none", MAIL, {"acme.example": "!"} | REJECT),
    Row(
        "an include does not answer",
        "none",
        MAIL,
        {"acme.example": "v=spf1 include:x.example -all", "x.example": "!"} | REJECT,
    ),
    Row("SPF is broken, DMARC", "fail", MAIL, {"acme.example": "v=spf1 nonsense -all"} | REJECT),
    Row("two From", "none", mail("Anna <anna@acme.example>, Bert <bert@acme.example>"), OURS | REJECT),
    Row("no From", "none", MAIL.replace(b"From: Anna <anna@acme.example>\r\n", b""), OURS | REJECT),
    Row("a From without a domain", "none", mail("Anna <anna>"), OURS | REJECT),
    # Where somebody stands between the sender's server and us, nothing fails.
    Row("by way of a server of our own", "none", MAIL, NOT_OURS | REJECT, BEHIND),
    Row("by way of this machine", "none", MAIL, NOT_OURS | REJECT, {"source": "smtp 127.0.0.1"}),
    Row("by LMTP", "none", MAIL, NOT_OURS | REJECT, RELAYED),
    Row("from a mailbox", "none", MAIL, NOT_OURS | REJECT, POLLED),
    Row(
        "by IPv6",
        "pass",
        MAIL,
        {"acme.example": "v=spf1 ip6:2a00:1450::/32 -all"},
        {"source": "smtp 2a00:1450:4001::5"},
    ),
    Row("by IPv4 written as IPv6", "pass", MAIL, OURS, {"source": "smtp ::ffff:93.184.216.34"}),
]


def told(result: str) -> bytes:
    return f"Authentication-Results: {MX}; {result}\r\n".encode()


WITNESSES = [
    Row("the host says pass", "pass", told("dmarc=pass header.from=acme.example") + MAIL, NOT_OURS | REJECT, NAMED),
    Row(
        "the host says fail, the signature is good",
        "fail",
        lambda: told("dmarc=fail header.from=acme.example") + signed(MAIL),
        KEY,
        NAMED,
    ),
    Row(
        "the host says nothing of use, the signature is good",
        "none",
        lambda: told("dmarc=none header.from=acme.example") + signed(MAIL),
        KEY,
        NAMED,
    ),
    Row("the host is silent, the signature is good", "pass", signature(), KEY, NAMED),
    Row("the host is silent, SPF would fail", "none", MAIL, NOT_OURS | REJECT, NAMED),
    Row(
        "another host says pass",
        "none",
        b"Authentication-Results: mx.evil.example; dmarc=pass header.from=acme.example\r\n" + MAIL,
        {},
        NAMED,
    ),
    Row(
        "the host's own name, and no host is named",
        "fail",
        told("dmarc=pass header.from=acme.example") + MAIL,
        NOT_OURS | REJECT,
    ),
    Row(
        "a forged header below the host's hop",
        "none",
        b"Received: from a by mx.evil.example; x\r\n"
        b"Authentication-Results: mx.evil.example; dmarc=pass header.from=acme.example\r\n"
        + told("dmarc=pass header.from=acme.example")
        + MAIL,
        {},
        NAMED,
    ),
    Row("own checks are off", "none", signature(), KEY | OURS, {"lines": ["check_senders = false"]}),
    Row("he logged in", "pass", MAIL, NOT_OURS | REJECT, {"login": "anna@acme.example"}),
    Row(
        "he logged in, the host says fail",
        "pass",
        told("dmarc=fail header.from=acme.example") + MAIL,
        {},
        NAMED | {"login": "anna@acme.example"},
    ),
    Row(
        "he logged in and writes as somebody else",
        "fail",
        mail("Bert <bert@acme.example>"),
        OURS,
        {"login": "anna@acme.example"},
    ),
    Row(
        "he logged in and writes as two",
        "fail",
        mail("anna@acme.example, bert@acme.example"),
        OURS,
        {"login": "anna@acme.example"},
    ),
    Row("he logged in and writes another case", "pass", mail("ANNA@Acme.Example"), {}, {"login": "anna@acme.example"}),
]
TABLE = [*SIGNATURES, *POLICIES, *WITNESSES]


def test_the_table_is_long_enough_and_every_row_has_a_name() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE) >= 60


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_sender_is_judged_as_the_table_says(row: Row) -> None:
    found = checked(row.raw if isinstance(row.raw, bytes) else row.raw(), row.dns, **row.given)

    assert found.result.value == row.expected, found.reasons
    assert found.reasons
