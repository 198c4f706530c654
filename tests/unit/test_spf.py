"""SPF, record by record (RFC 7208); the DNS is given."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.spf import Result, check
from tests.unit.signing import Dns

CLIENT = "192.0.2.7"
SIX = "2001:db8::7"
HOSTS = {
    "A mail.acme.example": "192.0.2.7",
    "AAAA mail.acme.example": "2001:db8::7",
    "A acme.example": ["192.0.2.1", "192.0.2.2"],
    "MX acme.example": ["mx1.acme.example", "mx2.acme.example"],
    "A mx1.acme.example": "192.0.2.250",
    "A mx2.acme.example": "192.0.2.7",
    "AAAA mx2.acme.example": "2001:db8::7",
    "PTR 7.2.0.192.in-addr.arpa": ["liar.evil.example", "mail.acme.example"],
    "A liar.evil.example": "203.0.113.1",
    "good.example": "v=spf1 ip4:192.0.2.0/24 -all",
    "bad.example": "v=spf1 -all",
    "soft.example": "v=spf1 ~all",
    "loop.example": "v=spf1 include:loop.example -all",
    "broken.example": "v=spf1 rubbish",
    "away.example": "!",
    "A anna.users.acme.example": "127.0.0.2",
    "A 7.2.0.192.list.example": "127.0.0.2",
}


def asked(record: str | Sequence[str], client: str = CLIENT, **more: str | Sequence[str]) -> Result:
    names = {name.replace("_", "."): value for name, value in more.items()}
    return check(client, "anna@acme.example", "mail.acme.example", Dns(HOSTS | {"acme.example": record} | names, []))[0]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 +all", "pass"),
        ("v=spf1 all", "pass"),
        ("v=spf1 -all", "fail"),
        ("v=spf1 ~all", "softfail"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1", "neutral"),
        ("V=SPF1 -ALL", "fail"),
        ("v=spf10 -all", "none"),
        ("google-site-verification=x", "none"),
        ([], "none"),
        (["v=spf1 -all", "v=spf1 +all"], "permerror"),
        (["v=spf1 -all", "something else"], "fail"),
        ("v=spf1 ip4:192.0.2.7 -all", "pass"),
        ("v=spf1 ip4:192.0.2.8 -all", "fail"),
        ("v=spf1 ip4:192.0.2.0/29 -all", "pass"),
        ("v=spf1 ip4:192.0.2.0/30 -all", "fail"),
        ("v=spf1 ip4:192.0.2.0/33 -all", "permerror"),
        ("v=spf1 ip4:192.0.2 -all", "permerror"),
        ("v=spf1 ip4: -all", "permerror"),
        ("v=spf1 ip6:2001:db8::/32 -all", "fail"),
        ("v=spf1 a -all", "fail"),
        ("v=spf1 a/29 -all", "pass"),
        ("v=spf1 a//64 -all", "fail"),
        ("v=spf1 a/29//64 -all", "pass"),
        ("v=spf1 a:mail.acme.example -all", "pass"),
        ("v=spf1 a:mail.acme.example/32 -all", "pass"),
        ("v=spf1 -a:mail.acme.example +all", "fail"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 mx:acme.example -all", "pass"),
        ("v=spf1 ptr -all", "pass"),
        ("v=spf1 ptr:acme.example -all", "pass"),
        ("v=spf1 ptr:evil.example -all", "fail"),
        ("v=spf1 include:good.example -all", "pass"),
        ("v=spf1 include:bad.example ~all", "softfail"),
        ("v=spf1 include:soft.example -all", "fail"),
        ("v=spf1 include:missing.example -all", "permerror"),
        ("v=spf1 include:broken.example -all", "permerror"),
        ("v=spf1 include:away.example -all", "temperror"),
        ("v=spf1 include -all", "permerror"),
        ("v=spf1 redirect=good.example", "pass"),
        ("v=spf1 redirect=bad.example", "fail"),
        ("v=spf1 redirect=missing.example", "permerror"),
        ("v=spf1 redirect=bad.example +all", "pass"),
        ("v=spf1 redirect=bad.example redirect=good.example", "permerror"),
        ("v=spf1 exp=why.acme.example colour=red -all", "fail"),
        ("v=spf1 exists:%{l}.users.acme.example -all", "pass"),
        ("v=spf1 exists:%{ir}.list.example -all", "pass"),
        ("v=spf1 exists:%{l1r}.users.%{d} -all", "pass"),
        ("v=spf1 exists:%{d2}.nowhere.example -all", "fail"),
        ("v=spf1 exists:%{x}.nowhere.example -all", "permerror"),
        ("v=spf1 exists:%x.nowhere.example -all", "permerror"),
        ("v=spf1 exists -all", "permerror"),
        ("v=spf1 a:%{h} -all", "pass"),
        ("v=spf1 all:x", "permerror"),
        ("v=spf1 include:loop.example -all", "permerror"),
        ("v=spf1 nonsense -all", "permerror"),
        ("v=spf1 " + "a:mail.acme.example/0 " * 1 + "-all", "pass"),
        ("v=spf1 " + "a:mx1.acme.example " * 10 + "-all", "fail"),
        ("v=spf1 " + "a:mx1.acme.example " * 11 + "-all", "permerror"),
        ("v=spf1 a:no1.example a:no2.example -all", "fail"),
        ("v=spf1 a:no1.example a:no2.example a:no3.example -all", "permerror"),
        ("v=spf1 " + "ip4:192.0.2.9 " * 400 + "-all", "permerror"),
    ],
)
def test_a_record_says(record: str | Sequence[str], expected: str) -> None:
    assert asked(record).value == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 ip6:2001:db8::/32 -all", "pass"),
        ("v=spf1 ip6:2001:db8::7 -all", "pass"),
        ("v=spf1 ip6:2001:db8:1::/48 -all", "fail"),
        ("v=spf1 ip4:192.0.2.7 -all", "fail"),
        ("v=spf1 a:mail.acme.example -all", "pass"),
        ("v=spf1 mx//128 -all", "pass"),
    ],
)
def test_a_client_of_ipv6(record: str, expected: str) -> None:
    assert asked(record, SIX).value == expected


def test_a_client_of_ipv4_may_be_written_as_ipv6() -> None:
    assert asked("v=spf1 ip4:192.0.2.7 -all", "::ffff:192.0.2.7") is Result.PASS


def test_the_null_sender_is_whoever_the_client_says_he_is() -> None:
    dns = Dns({"mail.acme.example": "v=spf1 ip4:192.0.2.7 -all"}, [])

    assert check(CLIENT, "", "mail.acme.example", dns) == (Result.PASS, "mail.acme.example")


@pytest.mark.parametrize("helo", ["", "localhost", "[192.0.2.7]", "x" * 300 + ".example", "a..example"])
def test_a_name_that_is_no_domain_says_nothing(helo: str) -> None:
    assert check(CLIENT, "", helo, Dns({}, []))[0] is Result.NONE


def test_a_client_without_an_address_says_nothing() -> None:
    assert check("", "anna@acme.example", "x", Dns({"acme.example": "v=spf1 +all"}, []))[0] is Result.NONE


@given(st.text("v=spf1 +-~?aeimnptx:/%{}.l0123456789redirectexists", max_size=80), st.booleans())
def test_no_record_brings_it_down_or_asks_too_much(tail: str, six: bool) -> None:
    dns = Dns(HOSTS | {"acme.example": f"v=spf1 {tail}"}, [])

    found, _ = check(SIX if six else CLIENT, "anna@acme.example", "mail.acme.example", dns)

    assert found in Result
    assert len(dns.asked) <= 130  # ten terms, ten names each, and the records themselves


def test_mail_exchangers_beyond_ten_are_too_many() -> None:
    many: Mapping[str, str | Sequence[str]] = {"MX acme.example": [f"mx{n}.acme.example" for n in range(11)]}
    dns = Dns(HOSTS | {"acme.example": "v=spf1 mx -all"} | many, [])

    assert check(CLIENT, "anna@acme.example", "x", dns)[0] is Result.PERMERROR
