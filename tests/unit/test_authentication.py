"""From is believed when a host that we trust has checked it, and never because the mail says so itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.authentication import Authentication, Trust, aligned, results, verdict
from maild.message.parse import parse

HOST = "mx.acme.example"
FROM = "From: Anna <anna@acme.example>"


def said(*headers: str, authserv_id: str | None = HOST) -> Authentication:
    return verdict(parse("\r\n".join([*headers, "", "Hello"]).encode()), authserv_id)


def result(header: str, author: str = FROM) -> Trust:
    return said(f"Authentication-Results: {HOST}; {header}", author).result


@pytest.mark.parametrize(
    ("header", "trust"),
    [
        ("dmarc=pass header.from=acme.example", Trust.PASS),
        ("dmarc=pass (p=REJECT sp=NONE dis=NONE) header.from=acme.example", Trust.PASS),
        ("DMARC = Pass (p=none) header.from = ACME.example", Trust.PASS),
        ("dmarc=pass", Trust.PASS),
        ("dmarc=pass header.from=elsewhere.example", Trust.NONE),
        ("dmarc=fail header.from=acme.example", Trust.FAIL),
        ("dmarc=fail (p=none) header.from=acme.example; dkim=pass header.d=acme.example", Trust.FAIL),
        ("dmarc=none header.from=acme.example", Trust.NONE),
        ("dmarc=temperror header.from=acme.example; spf=none", Trust.NONE),
        ("dmarc=bestguesspass action=none header.from=acme.example", Trust.NONE),
        ("dmarc=none header.from=acme.example; dmarc=pass header.from=acme.example", Trust.NONE),
        ("dkim=pass header.d=acme.example header.s=s1 header.b=AbCd", Trust.PASS),
        ("dkim=pass header.i=@acme.example", Trust.PASS),
        ("dkim=pass header.i=anna@mail.acme.example", Trust.PASS),
        ("dkim=pass header.d=elsewhere.example", Trust.NONE),
        ("dkim=pass header.d=notacme.example", Trust.NONE),
        ("dkim=pass header.d=example", Trust.NONE),
        ("dkim=fail header.d=acme.example", Trust.FAIL),
        ("dkim=fail header.d=elsewhere.example", Trust.NONE),
        ("dkim=fail header.d=acme.example; dkim=pass header.d=acme.example", Trust.PASS),
        ("dkim=fail header.d=acme.example; spf=pass smtp.mailfrom=anna@acme.example", Trust.PASS),
        ("dkim=pass header.d=elsewhere.example; dkim=pass header.d=acme.example", Trust.PASS),
        ("dkim=neutral (body hash did not verify) header.d=acme.example", Trust.NONE),
        ("spf=pass smtp.mailfrom=anna@acme.example", Trust.PASS),
        ("spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=acme.example", Trust.PASS),
        ("spf=pass smtp.mailfrom=bounces.acme.example", Trust.PASS),
        ("spf=pass smtp.mailfrom=eve@elsewhere.example", Trust.NONE),
        ("spf=pass smtp.helo=acme.example", Trust.NONE),
        ("spf=fail smtp.mailfrom=anna@acme.example", Trust.FAIL),
        ("spf=softfail smtp.mailfrom=anna@acme.example", Trust.NONE),
        ("spf=fail smtp.mailfrom=eve@elsewhere.example", Trust.NONE),
        ("arc=pass (i=1 dmarc=pass header.from=acme.example)", Trust.NONE),
        ("auth=pass smtp.auth=anna", Trust.NONE),
        ("x-dmarc=pass header.from=acme.example", Trust.NONE),
        ("none", Trust.NONE),
        ("", Trust.NONE),
    ],
)
def test_what_the_trusted_host_says_decides(header: str, trust: Trust) -> None:
    assert result(header) is trust


@pytest.mark.parametrize(
    "header",
    [
        'spf=none smtp.mailfrom="x; dmarc=pass header.from=acme.example"@elsewhere.example',
        "spf=none (domain of x; dmarc=pass header.from=acme.example) smtp.mailfrom=elsewhere.example",
        r"spf=none (a \) b; dmarc=pass ) smtp.mailfrom=elsewhere.example",
        "spf=none (a (b; c) ; dmarc=pass ) smtp.mailfrom=elsewhere.example",
        r'spf=none reason="a \" ; dmarc=pass ; "',
        "spf=none (never closed; dmarc=pass header.from=acme.example",
        'spf=none reason="; dmarc=pass header.from=acme.example"',
        "spf=none (=?utf-8?q?=29=3Bdmarc=3Dpass=28?=) smtp.mailfrom=elsewhere.example",
    ],
)
def test_what_a_sender_slips_into_a_comment_or_a_quoted_name_is_not_heard(header: str) -> None:
    assert result(header) is Trust.NONE


@pytest.mark.parametrize(
    "identity",
    [
        "mx.elsewhere.example",
        "notmx.acme.example",
        "acme.example",
        "i=1; mx.acme.example",
        "mx.acme.example evil",
        "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=acme.example",
        "",
    ],
)
def test_another_host_is_not_heard(identity: str) -> None:
    found = said(f"Authentication-Results: {identity}; dmarc=pass header.from=acme.example", FROM)

    assert found == Authentication(Trust.NONE, "acme.example", (f"no Authentication-Results of {HOST}",))


@pytest.mark.parametrize(
    "identity", ["mx.acme.example 1", "MX.acme.EXAMPLE", '"mx.acme.example"', "(c) mx.acme.example (d)"]
)
def test_the_named_host_is_known_however_it_writes_its_name(identity: str) -> None:
    assert said(f"Authentication-Results: {identity}; dmarc=pass header.from=acme.example", FROM).result is Trust.PASS


@pytest.mark.parametrize(
    "name", ["ARC-Authentication-Results", "X-Authentication-Results", "Authentication-Results-Original"]
)
def test_headers_of_other_names_are_not_heard(name: str) -> None:
    assert said(f"{name}: {HOST}; dmarc=pass header.from=acme.example", FROM).result is Trust.NONE


def test_without_a_named_host_nobody_is_heard() -> None:
    found = said(f"Authentication-Results: {HOST}; dmarc=pass header.from=acme.example", FROM, authserv_id=None)

    assert found.result is Trust.NONE
    assert found.reasons == ("no host is named whose Authentication-Results are believed",)


GENUINE = f"Authentication-Results: {HOST}; spf=none smtp.mailfrom=elsewhere.example"
FORGED = f"Authentication-Results: {HOST}; dmarc=pass header.from=acme.example"
RECEIVED = "Received: from elsewhere.example by mx.acme.example; Mon, 2 Mar 2026 12:00:00 +0000"


def test_a_header_from_below_the_trusted_hop_is_not_heard() -> None:
    assert said(GENUINE, RECEIVED, FORGED, FROM).result is Trust.NONE
    assert said(RECEIVED, GENUINE, RECEIVED, FORGED, FROM).result is Trust.NONE


def test_a_header_from_below_a_foreign_one_is_not_heard() -> None:
    foreign = "Authentication-Results: elsewhere.example; spf=none"

    assert said(foreign, FORGED, FROM).result is Trust.NONE
    assert said(GENUINE, foreign, FORGED, FROM).result is Trust.NONE


def test_the_upper_header_is_heard_where_two_speak_of_one_method() -> None:
    genuine = f"Authentication-Results: {HOST}; dmarc=none header.from=acme.example"

    assert said(genuine, FORGED, FROM).result is Trust.NONE
    failed = f"Authentication-Results: {HOST}; dkim=fail header.d=acme.example"
    passed = f"Authentication-Results: {HOST}; dkim=pass header.d=acme.example"
    assert said(failed, passed, FROM).result is Trust.FAIL


def test_several_headers_of_the_host_are_read_together() -> None:
    spf = f"Authentication-Results: {HOST}; spf=softfail smtp.mailfrom=acme.example"
    dkim = f"Authentication-Results: {HOST};\r\n\tdkim=pass (2048-bit key)\r\n\theader.d=acme.example header.s=s1"

    assert said(RECEIVED, spf, dkim, FROM).result is Trust.PASS
    assert said(spf, dkim, RECEIVED, FROM).reasons == ("dkim=pass for acme.example",)


def test_several_authors_or_none_are_never_believed() -> None:
    genuine = f"Authentication-Results: {HOST}; dmarc=pass header.from=acme.example"
    failed = f"Authentication-Results: {HOST}; dmarc=fail header.from=acme.example"

    assert said(genuine, FROM, "From: eve@elsewhere.example").result is Trust.NONE
    assert said(genuine, FROM, FROM).result is Trust.NONE
    assert said(genuine, FROM, "From: ").result is Trust.NONE
    assert said(genuine, "From: anna@acme.example, eve@elsewhere.example").result is Trust.NONE
    assert said(genuine, "Subject: no author").result is Trust.NONE
    assert said(genuine, "From: nobody").result is Trust.NONE
    assert said(failed, FROM, "From: eve@elsewhere.example").result is Trust.FAIL


def test_domains_of_one_organisation_are_aligned() -> None:
    registered = {
        "a.acme.example": "acme.example",
        "b.acme.example": "acme.example",
        "acme.example": "acme.example",
    }.get

    assert aligned("acme.example", "mail.acme.example")
    assert aligned("mail.acme.example", "acme.example")
    assert not aligned("a.acme.example", "b.acme.example")
    assert aligned("a.acme.example", "b.acme.example", registered)
    assert aligned("acme.example", "b.acme.example", registered)
    assert not aligned("evil.dyn.example", "dyn.example", registered)
    assert not aligned("example", "acme.example")
    assert not aligned("", "")
    assert not aligned("acme.example", "")


def test_an_international_domain_is_compared_in_ascii() -> None:
    assert result("dkim=pass header.d=xn--bcher-kva.example", "From: info@bücher.example") is Trust.PASS


@given(st.text())
def test_no_header_makes_reading_fail(text: str) -> None:
    results(text)
    line = " ".join(text.encode(errors="replace").decode().split())
    assert said(f"Authentication-Results: {line}", FROM, authserv_id="mx.acme.example").result in Trust


@given(
    st.lists(st.sampled_from(["(", ")", '"', "\\", ";", "=", " ", "dmarc", "pass", "mx.acme.example", "x"])).map(
        "".join
    )
)
def test_a_header_of_the_grammars_own_characters_is_read_without_failing(text: str) -> None:
    identity, findings = results(text)

    assert identity or not findings


def test_a_huge_header_is_read_in_time_linear_in_its_bound() -> None:
    for piece in ("(", '"', "=", " = ", "; ", "dkim=pass ", "\\(", " "):
        results(f"{HOST}; " + piece * 1_000_000)


MICROSOFT = "protection.outlook.com"
_INSIDE = "Received: from A.eurprd05.prod.outlook.com (2603::1) by B.eurprd09.prod.outlook.com\r\n with HTTPS; Mon"
_EDGE = "Received: from C.eop-eur03.prod.protection.outlook.com (2603::2) by D.outlook.office365.com (2603::3); Mon"
_GATE = "Received: from mail.acme.example (192.0.2.1) by\r\n C.mail.protection.outlook.com (10.1.1.1) with SMTP; Mon"
_OUTSIDE = "Received: from anna.acme.example by mail.acme.example; Mon"
_PASSED = (
    "Authentication-Results: spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=acme.example; dkim=none (message not"
    "\r\n signed) header.d=none;dmarc=pass action=none\r\n header.from=acme.example;compauth=pass reason=100"
)
_FAILED = _PASSED.replace("dmarc=pass", "dmarc=fail")


def at_microsoft(*headers: str) -> Trust:
    return said(*headers, FROM, authserv_id=MICROSOFT).result


def test_microsoft_is_heard_where_only_its_gate_can_have_written() -> None:
    assert at_microsoft(_INSIDE, _EDGE, _PASSED, _GATE, _OUTSIDE) is Trust.PASS
    assert at_microsoft(_INSIDE, _EDGE, _FAILED, _GATE, _OUTSIDE) is Trust.FAIL
    assert said(_INSIDE, _EDGE, _PASSED, _GATE, FROM).result is Trust.NONE  # another host is named


@pytest.mark.parametrize(
    "headers",
    [
        (_PASSED,),
        (_PASSED, _OUTSIDE),
        (_INSIDE, _EDGE, _GATE, _PASSED, _GATE),
        (_INSIDE, _EDGE, _GATE, _PASSED, _OUTSIDE),
        (_INSIDE, _EDGE, _PASSED, _INSIDE),
        (_OUTSIDE, _PASSED, _GATE),
        ("Received: from x by mx.desk.example; Mon", _INSIDE, _EDGE, _PASSED, _GATE),
        (_INSIDE, _EDGE, f"Authentication-Results: {HOST}; dmarc=pass header.from=acme.example", _GATE),
        (_INSIDE, _PASSED, _GATE.replace("C.mail.protection.outlook.com", "mail.protection.outlook.com.evil.example")),
        (_INSIDE, _PASSED, _GATE.replace("from mail.acme.example", "from x by y.evil.example")),
        (_INSIDE, _PASSED, _GATE.replace("by\r\n C", "(by\r\n C")),
    ],
)
def test_what_stands_elsewhere_is_the_senders(headers: tuple[str, ...]) -> None:
    assert at_microsoft(*headers) is Trust.NONE


def test_of_two_headers_without_a_name_the_upper_one_is_heard() -> None:
    assert at_microsoft(_INSIDE, _EDGE, _FAILED, _GATE, _PASSED, _GATE) is Trust.FAIL
