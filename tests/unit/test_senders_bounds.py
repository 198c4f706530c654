"""What checking senders asks, costs and survives. The DNS is given."""

import hashlib
import time
from collections.abc import Callable, Sequence

import pytest
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import given
from hypothesis import strategies as st

from maild.message import dkim, reading
from maild.message.authentication import Authentication
from maild.message.tokens import Key, Keys
from maild.services.filer import Authenticator, Inbound, authenticating
from tests.clock import NOON
from tests.unit.senders import (
    BEHIND,
    BODY,
    KEY,
    MAIL,
    NAMED,
    OTHER,
    OURS,
    OUTSIDE,
    POLLED,
    REJECT,
    RELAYED,
    checked,
    organisation,
    settings,
)
from tests.unit.signing import Dns, signed

# RFC 8463 appendix A: signed by nobody here.
PUBLISHED = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n"
    b" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n date : message-id : from : subject : date;\r\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    b" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    b" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    b" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    b"From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
    b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n\r\n\r\n"
)
PUBLISHED_KEY = (
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/"
    "J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTI"
    "KT+l/K4w3QIDAQAB"
)


def test_the_example_of_the_standard_verifies() -> None:
    found = checked(PUBLISHED, {"test._domainkey.football.example.com": PUBLISHED_KEY}, **POLLED)

    assert found.reasons == ("own check: dkim=pass for football.example.com",)


def test_nobody_is_asked_where_nothing_could_prove_it() -> None:
    for way in (POLLED, BEHIND, RELAYED, NAMED, {"login": "anna@acme.example"}):
        dns = Dns(KEY | OURS | REJECT, [])
        checked(MAIL, {}, dns=dns, **way)

        assert dns.asked == []


def test_a_signature_of_somebody_else_is_not_asked_about() -> None:
    dns = Dns(KEY | OTHER, [])
    checked(signed(MAIL, "evil.example"), {}, dns=dns, **POLLED)

    assert dns.asked == []


def test_once_a_signature_is_good_nothing_more_is_asked() -> None:
    dns = Dns(KEY | OURS | REJECT, [])
    checked(signed(signed(MAIL), selector="k"), {}, dns=dns)

    assert dns.asked == [("_dmarc.acme.example", "TXT"), ("k._domainkey.acme.example", "TXT")]


def test_our_own_mail_and_reports_are_not_checked() -> None:
    report = MAIL.replace(
        b"\r\n\r\n" + BODY.encode(),
        b'\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nNo.\r\n'
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        b"Final-Recipient: rfc822; ada@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n",
    )
    dns = Dns(OURS, [])
    checked(report, {}, dns=dns, envelope_from="")

    assert dns.asked == []


def test_a_mail_that_is_tried_again_is_not_asked_about_again() -> None:
    dns = Dns(OURS, [])
    senders = Authenticator(settings(), organisation, dns)
    for _ in range(3):
        found = judged(senders, [MAIL])
        assert [each.result.value for each in found] == ["pass"]

    assert len(dns.asked) == 2


def test_a_resolver_that_breaks_proves_nothing() -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise RuntimeError("foreign code")

    assert [each.result.value for each in judged(Authenticator(settings(), organisation, broken), [MAIL])] == ["none"]


def test_a_dns_that_is_slow_costs_a_group_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 10_000, 4))
    monkeypatch.setattr(authenticating.time, "monotonic", lambda: float(next(seconds)))
    asked: list[str] = []

    def slow(name: str, _kind: str, within_s: float) -> tuple[str, ...]:
        assert 0 < within_s <= authenticating.QUESTION_S
        asked.append(name)
        return ()

    found = judged(
        Authenticator(settings(), organisation, slow), [MAIL.replace(b"<1@", b"<%d@" % n) for n in range(50)]
    )

    assert {each.result.value for each in found} == {"none"}
    assert len(asked) < 20
    assert "in time" in found[-1].reasons[0]


def judged(senders: Authenticator, raws: Sequence[bytes]) -> list[Authentication]:
    """Return what is found of mails that came directly from outside, in one group."""
    known = reading.Known(Keys(Key("a", b"x" * 32)), settings().ours, None, organisation)
    mails = [
        Inbound(number, "anna@acme.example", ("support@desk.example",), NOON, 1, raw, source=OUTSIDE)
        for number, raw in enumerate(raws, start=1)
    ]
    read = [reading.read(each.raw, each.envelope_from, each.recipients, known, NOON) for each in mails]
    return [each.authentication for each in senders.check(mails, read)]


SPACES = b"a" + b" " * 2_000_000 + b"b\r\n"


@pytest.mark.parametrize(
    "hostile",
    [
        lambda: signed(MAIL + SPACES[:9]).replace(SPACES[:9], SPACES),
        lambda: signed(MAIL) + b"\r\n" * 1_000_000,
        lambda: signed(MAIL) + b"\r" * 1_000_000,
        lambda: b"X: " + b"\r\n " * 80_000 + b"x\r\n" + signed(MAIL),
        lambda: (
            b"DKIM-Signature: v=1; a=rsa-sha256; d=acme.example; s=k; b="
            + b" \r\n " * 900
            + b"; bh=x; h=from\r\n"
            + MAIL
        ),
        lambda: b"".join(b"DKIM-Signature: v=1\r\n" for _ in range(10_000)) + MAIL,
        lambda: signed(MAIL, headers=("from", *(f"x{n}" for n in range(95)))),
        lambda: (
            b"".join(b"X%d: y\r\n" % n for n in range(20_000))
            + signed(MAIL, headers=("from", *(f"x{n}" for n in range(95))))
        ),
    ],
    ids=["spaces", "empty lines", "returns", "folds", "space in a signature", "signatures", "names", "fields"],
)
def test_no_mail_takes_long_to_check(hostile: Callable[[], bytes]) -> None:
    raw = hostile()
    began_s = time.process_time()
    checked(raw, KEY | OURS, **POLLED)

    assert time.process_time() - began_s < 2


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"a", b"b ", b" c"]), max_size=40), st.booleans())
def test_bodies_are_canonical_as_dkimpy_has_them(pieces: list[bytes], relaxed: bool) -> None:
    body = b"".join(pieces)
    policy = CanonicalizationPolicy.from_c_value(b"simple/relaxed" if relaxed else b"simple/simple")
    expected = policy.canonicalize_body(body if body.endswith(b"\r\n") else body + b"\r\n")

    whole_lines = body.splitlines(keepends=True) if b"\r" not in body.replace(b"\r\n", b"") else [body]

    for parts in ([body], whole_lines):
        assert dkim.body_hash(parts, relaxed=relaxed) == hashlib.sha256(expected).digest()


@given(st.binary(max_size=300), st.integers(0, 900))
def test_a_damaged_mail_raises_nothing_and_proves_nothing_new(junk: bytes, at: int) -> None:
    raw = GOOD[:at] + junk + GOOD[at:]

    found = checked(raw, KEY, **POLLED)

    if found.result.value == "pass":
        assert b"Pull the plug." in raw
        assert found.domain == "acme.example"


GOOD = signed(MAIL)
