"""`parse`: what a `Message` offers beyond what the corpus shows, and that it does no work before it is asked."""

import base64
import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest

from maild.message import headers, report
from maild.message.address import Address
from maild.message.bounce import read as read_bounce
from maild.message.classify import classify
from maild.message.parse import parse
from maild.message.reply import new_text

MAIL = b"""\
Received: from a.example
Received: from b.example
From: "Ada L." <ada@customer.example>
To: support@desk.example
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
Message-ID: <1@customer.example>
Date: Thu, 19 Nov 2026 10:00:00 +0100
Thread-Index: AQHa
 bcd==
Content-Language: de-DE
X-Twice: one
X-Twice: two
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Help
--b
Content-Type: application/pdf; name=a.pdf
Content-Transfer-Encoding: base64

JVBERg==
--b
Content-Type: message/rfc822

From: old@x.example
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain

Inner
--in--
--b--
"""


def test_headers_are_found_whatever_their_case_and_come_decoded() -> None:
    message = parse(MAIL)

    assert message.header("SUBJECT") == "Grüße"
    assert message.header("no-such") == ""
    assert message.headers("x-twice") == ("one", "two")
    assert message.headers("no-such") == ()
    assert len(message.headers("Received")) == 2
    assert message.thread_index == "AQHabcd=="
    assert message.content_language == "de-DE"
    assert message.from_ == Address("Ada L.", "ada@customer.example")


def test_without_an_author_there_is_no_from() -> None:
    assert parse(b"Subject: x\n\nx").from_ is None


def test_attached_mails_are_opened_on_demand() -> None:
    [*_, attached] = parse(MAIL).parts.parts

    inner = attached.message()

    assert attached.content_type == "message/rfc822"
    assert not attached.parts
    assert [part.content_type for part in inner.walk()] == ["multipart/alternative", "text/plain"]
    assert inner.parts[0].text().text == "Inner"


def test_an_attached_mail_in_base64_is_opened_too() -> None:
    encoded = base64.encodebytes(b"Subject: inner\n\nInner\n")
    raw = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + encoded

    inner = parse(raw).parts.message()

    assert inner.head.first("subject") == "inner"
    assert inner.text().text == "Inner\n"


def test_attachments_are_located_and_not_decoded_before_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def unbase64(data: bytes) -> bytes:
        decoded.append(data)
        return b"%PDF"

    monkeypatch.setattr(headers, "unbase64", unbase64)
    message = parse(MAIL)
    _ = (message.text, message.defects, [attachment.name for attachment in message.attachments])

    assert not decoded
    assert message.attachments[0].content() == b"%PDF"
    assert len(decoded) == 1


def test_an_attachment_knows_its_size_and_hash() -> None:
    attachment = parse(MAIL).attachments[0]

    assert (attachment.name, attachment.size_bytes) == ("a.pdf", 4)
    assert attachment.sha256 == hashlib.sha256(b"%PDF").hexdigest()


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse(MAIL).raw = b""  # type: ignore[misc]  # the point of the test


def test_the_raw_bytes_stay_the_truth() -> None:
    assert parse(MAIL).raw == MAIL


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_make_no_difference(end: bytes) -> None:
    message = parse(MAIL.replace(b"\n", end))

    assert message.subject == "Grüße"
    assert message.text == "Help"
    assert [attachment.name for attachment in message.attachments] == ["a.pdf", ""]


def test_reading_imports_nothing_heavy_before_it_is_needed() -> None:
    script = (
        "import sys; from maild.message.parse import parse; parse(b'Subject: x\\n\\nx').text;"
        "print([name for name in ('chardet', 'nh3', 'selectolax', 'email.parser') if name in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert found.strip() == "[]"


def test_a_description_holds_everything_and_fits_into_json() -> None:
    message = parse(MAIL)

    described = report.described(message, classify(message, None), new_text(message), read_bounce(message), "de")

    assert json.loads(json.dumps(described)) == described
    assert described["from"] == {"name": "Ada L.", "address": "ada@customer.example"}
    assert described["date"] == "2026-11-19T09:00:00+00:00"
    assert described["kind"] == "human"
    assert described["language"] == "de"
    assert described["reply"] == "Help"
    assert described["bounce"] is None
    assert described["attachments"][0] == {
        "name": "a.pdf",
        "content_type": "application/pdf",
        "size": 4,
        "sha256": described["attachments"][0]["sha256"],
        "inline": False,
        "content_id": None,
    }


def test_a_description_tells_of_a_bounce() -> None:
    message = parse(
        b"From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        b"--b\n\nNot delivered\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n"
        b"Final-Recipient: rfc822; y@x.example\nAction: failed\nStatus: 5.1.1\n--b--\n"
    )

    described = report.described(message, classify(message, ""), new_text(message), read_bounce(message), None)

    assert described["bounce"]["failed"][0]["recipient"] == "y@x.example"
    assert described["bounce"]["failed"][0]["permanent"] is True
