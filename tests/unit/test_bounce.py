"""What a delivery report says."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.bounce import Bounce, Failure, may_report, read
from maild.message.parse import parse
from tests.unit.reading import mail, report


def told(message_text: str, **headers: str) -> Bounce:
    found = read(report(message_text, **headers))
    assert found is not None
    return found


def status(*fields: str, returned: str = "") -> str:
    groups = "\n\n".join(fields)
    return f"--b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n{groups}\n\n{returned}--b--\n"


FAILED = (
    "Final-Recipient: rfc822; bob@x.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: "
    "smtp; 550 5.1.1 user\n unknown"
)


def test_a_standard_report_names_recipient_status_and_reason() -> None:
    assert told(status("Reporting-MTA: dns; mx.example", FAILED)).failed == (
        Failure("bob@x.example", "failed", "5.1.1", permanent=True, diagnostic="smtp; 550 5.1.1 user unknown"),
    )


def test_the_address_that_we_wrote_to_counts_not_the_one_it_was_forwarded_to() -> None:
    found = told(status(f"Original-Recipient: rfc822;info@x.example\n{FAILED}"))

    assert [one.recipient for one in found.failed] == ["info@x.example"]


def test_a_delay_is_not_permanent() -> None:
    [failure] = told(
        status("Final-Recipient: rfc822; bob@x.example\nAction: delayed (will retry)\nStatus: 4.4.1")
    ).failed

    assert (failure.action, failure.permanent, failure.bad_address) == ("delayed", False, False)


def test_every_recipient_is_named_once() -> None:
    found = told(status(FAILED, FAILED, FAILED.replace("bob", "cleo")))

    assert [one.recipient for one in found.failed] == ["bob@x.example", "cleo@x.example"]


def test_recipients_are_told_apart_even_without_the_empty_line() -> None:
    found = told(status(f"{FAILED}\n{FAILED.replace('bob', 'cleo')}"))

    assert [one.recipient for one in found.failed] == ["bob@x.example", "cleo@x.example"]


def test_who_got_the_mail_did_not_fail() -> None:
    found = told(status("Final-Recipient: rfc822; bob@x.example\nAction: delivered\nStatus: 2.0.0"))

    assert found.failed == ()
    assert found.delivered == ("bob@x.example",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("rfc822; bob@x.example", "bob@x.example"),
        ("RFC822;<bob@x.example>", "bob@x.example"),
        ("<bob@x.example>", "bob@x.example"),
        ("bob@x.example", "bob@x.example"),
        ("utf-8; bob@x.example", "bob@x.example"),
        ("rfc822; bob", "bob"),
    ],
)
def test_a_recipient_is_read_however_it_is_written(value: str, expected: str) -> None:
    [failure] = told(status(f"Final-Recipient: {value}\nAction: failed")).failed

    assert failure.recipient == expected


@pytest.mark.parametrize(
    ("code", "reason", "bad"),
    [
        ("5.1.1", "no such user", True),
        ("5.1.10", "recipient not found", True),
        ("5.2.1", "account disabled", True),
        ("5.4.4", "host not found", True),
        ("5.0.0", "550 user unknown", True),
        ("5.2.2", "mailbox full", False),
        ("5.7.1", "550 message rejected as spam", False),
        ("5.7.1", "550 5.7.1 recipient address rejected", True),
        ("5.3.4", "message too large", False),
        ("4.4.7", "expired", False),
        ("5.0.0", "over quota, user unknown to have space", False),
    ],
)
def test_only_an_address_that_is_bad_itself_is_called_so(code: str, reason: str, bad: bool) -> None:
    assert Failure("bob@x.example", "failed", code, permanent=True, diagnostic=reason).bad_address is bad


HEAD = "From: support@acme.example\nMessage-ID: <17@acme.example>\nSubject: Printer\n"
RETURNED = f"{HEAD}\nDear Bob\n"


@pytest.mark.parametrize(
    "part",
    [
        f"--b\nContent-Type: message/rfc822\n\n{RETURNED}\n",
        f"--b\nContent-Type: text/rfc822-headers\n\n{HEAD}\n",
        f"--b\nContent-Type: message/global-headers\n\n{HEAD}\n",
    ],
)
def test_the_mail_that_came_back_is_known_by_its_message_id(part: str) -> None:
    assert told(status(FAILED, returned=part)).original_message_id == "17@acme.example"


def test_a_report_without_the_mail_may_point_at_it() -> None:
    assert told(status(FAILED), in_reply_to="<17@acme.example>").original_message_id == "17@acme.example"
    assert told(status(FAILED)).original_message_id == ""


QMAIL = (
    "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver "
    "your message to the following addresses.\n"
    "This is a permanent error; I've given up. Sorry it didn't work out.\n\n<bob@x.example>"
    ":\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
    "--- Below this line is a copy of the message.\n\nReturn-Path: <support@acme.example>\n"
    "Message-ID: <17@acme.example>\nFrom: a@acme.example\n\nHi\n"
)
EXIM = (
    "This message was created automatically by mail delivery software.\n\nA message that you "
    "sent could not be delivered to one or more of its\n"
    "recipients. This is a permanent error. The following address(es) failed:\n\n  "
    "bob@x.example\n    SMTP error from remote mail server:\n"
    "    550 5.1.1 User unknown\n\n------ This is a copy of the message, including all the "
    "headers. ------\n\nMessage-Id: <17@acme.example>\n"
)
SENTENCES = "Your message was not delivered to the following recipients:\n\n  bob@x.example\n\nNo such account.\n"
CODES = "Delivery report\n\nbob@x.example: 550 5.1.1 recipient rejected\n"


@pytest.mark.parametrize("text", [QMAIL, EXIM, SENTENCES, CODES])
def test_a_report_in_a_servers_own_words_is_read(text: str) -> None:
    found = told(text, content_type="text/plain")

    assert [one.recipient for one in found.failed] == ["bob@x.example"]
    assert found.failed[0].permanent


@pytest.mark.parametrize("text", [QMAIL, EXIM])
def test_the_mail_that_came_back_is_found_in_the_text(text: str) -> None:
    assert told(text, content_type="text/plain").original_message_id == "17@acme.example"


def test_the_header_of_exim_and_google_names_the_recipients() -> None:
    found = told("Sorry.", content_type="text/plain", x_failed_recipients="bob@x.example, cleo@x.example")

    assert [one.recipient for one in found.failed] == ["bob@x.example", "cleo@x.example"]


def test_status_fields_that_stand_in_the_text_are_read() -> None:
    text = f"An error occurred.\n\nTechnical report:\n\nReporting-MTA: dns; x\n\n{FAILED}\n"
    found = read(mail(text, "Undelivered Mail Returned to Sender", answers="", **{"from": "reports@relay.example"}))

    assert found is not None
    assert found.failed[0].status == "5.1.1"


def test_a_refusal_dressed_as_a_disposition_notification_is_a_bounce() -> None:
    parts = (
        "--b\n\nYour message was automatically rejected: quota exceeded\n--b\nContent-Type: "
        "message/disposition-notification\n\n"
        "Final-Recipient: rfc822; bob@x.example\nOriginal-Message-ID: <17@acme.example>\n"
        "Disposition: automatic-action/MDN-sent-automatically; deleted\n\n--b--\n"
    )
    found = told(parts, content_type='multipart/report; report-type=disposition-notification; boundary="b"')

    assert found.failed[0].recipient == "bob@x.example"
    assert found.original_message_id == "17@acme.example"


@pytest.mark.parametrize(
    "text",
    ["Hello, my mail to bob@x.example came back, 550 5.1.1 unknown.", EXIM, QMAIL],
)
def test_a_person_who_writes_about_a_bounce_sends_none(text: str) -> None:
    assert read(mail(text, "Question", answers="")) is None
    assert read(mail(text, "Undelivered mail", answers="", x_mailer="Apple Mail (2.3)")) is None
    assert read(mail(text, "Re: Undelivered mail")) is None


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reading_of_a_report_fail(raw: bytes) -> None:
    head = (
        b"From: MAILER-DAEMON@x.example\nReturn-Path: <>\nSubject: Undelivered\nContent-Type: "
        b'multipart/report; boundary="b"\n\n'
    )
    read(parse(head + raw))
    read(parse(head + b"--b\nContent-Type: message/delivery-status\n\n" + raw))


_LINES = [
    "Hi. This is the\n",
    "<a@b.example>:\n",
    "550 5.1.1\n",
    "\xff\n",
    "Final-Recipient:",
    "Action: failed\n",
    " x\n",
    "\n",
    "--b\n",
]


@given(st.lists(st.sampled_from(_LINES), max_size=20).map("".join))
def test_a_broken_report_is_read_as_far_as_it_goes(text: str) -> None:
    found = read(report(text))

    assert found is None or all(one.recipient for one in found.failed)


_HEADS = (
    "From: MAILER-DAEMON@x.example\n", "From: postmaster@x.example\n", "From: Ada <ada@x.example>\n", "From: <>\n",
    "Subject: Undelivered mail\n", "Subject: Printer\n", "Return-Path: <>\n", "Return-Path: <ada@x.example>\n",
    "X-Failed-Recipients: bob@x.example\n", "In-Reply-To: <1@x.example>\n", "Auto-Submitted: auto-replied\n",
    'Content-Type: multipart/report; boundary="b"\n', 'Content-Type: multipart/mixed; boundary="b"\n',
)  # fmt: skip
_BODIES = (
    EXIM, QMAIL, status(FAILED), "Hello\n",
    f"--b\nContent-Type: text/plain\n\nHello\n--b\nContent-Type: message/delivery-status\n\n{FAILED}\n--b--\n",
    ("--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; bob@x.example\n"
    "Disposition: automatic-action/MDN-sent-automatically; deleted\n\n--b--\n"),
    f"Content-Type: message/delivery-status\n\n{FAILED}\n",
)  # fmt: skip


@given(st.lists(st.sampled_from(_HEADS), unique=True).map("".join), st.sampled_from(_BODIES))
def test_whatever_is_read_as_a_report_could_be_told_beforehand(heads: str, body: str) -> None:
    message = parse(f"{heads}{'' if body.startswith('Content-Type') else chr(10)}{body}".encode())

    assert may_report(message) or read(message) is None


def test_a_postmaster_is_a_person_until_he_sends_a_report() -> None:
    postmaster = "postmaster@x.example"

    assert (
        read(
            mail(
                "Your server refuses bob@x.example: 550 5.7.1. Why?", "Your server", answers="", **{"from": postmaster}
            )
        )
        is None
    )
    assert read(mail(SENTENCES, "Undeliverable: Printer", answers="", **{"from": postmaster})) is not None


def test_a_warning_in_a_servers_own_words_is_a_delay() -> None:
    text = (
        "Warning: your mail is delayed.\n\nIt has not yet been delivered to the following address:\n\n  bob@x.example\n"
    )
    found = told(text, subject="Warning: message delayed", content_type="text/plain")

    assert [(one.recipient, one.permanent) for one in found.failed] == [("bob@x.example", False)]


def test_a_group_of_fields_that_a_gateway_encoded_is_read() -> None:
    encoded = base64.b64encode(f"{FAILED}\n".encode()).decode()
    found = told(status(f"Reporting-MTA: dns; mx.example\nContent-Transfer-Encoding: base64\n\n{encoded}"))

    assert [one.recipient for one in found.failed] == ["bob@x.example"]


def test_headers_that_came_back_as_a_text_file_name_the_mail() -> None:
    part = f'--b\nContent-Type: text/plain; name="headers.txt"\n\n{HEAD}\n'

    assert told(status(FAILED, returned=part)).original_message_id == "17@acme.example"


def test_an_address_in_the_mail_that_came_back_did_not_fail() -> None:
    text = (
        "Your mail could not be delivered to the following recipient:\n\n  bob@x.example\n\n"
        "Original message follows.\n\n"
        "Received: from x\nMessage-ID: <17@acme.example>\nTo: cleo@x.example\n\n550 dora@x.example\n"
    )

    assert [one.recipient for one in told(text, content_type="text/plain").failed] == ["bob@x.example"]


def test_a_reason_that_the_fields_do_not_give_is_read_from_the_text() -> None:
    text = "Content-Type: text/plain\n\n<bob@x.example>: 550 5.1.1 unknown user\n"
    fields = "Final-Recipient: rfc822; bob@x.example\nAction: failed"
    [failure] = told(f"--b\n{text}--b\nContent-Type: message/delivery-status\n\n{fields}\n\n--b--\n").failed

    assert failure.status == "5.1.1"
    assert "unknown user" in failure.diagnostic
    assert failure.bad_address


def test_a_version_number_is_no_status() -> None:
    text = "Your mail about Release 2.0.12 could not be delivered to the following recipient:\n\n  bob@x.example\n"

    assert told(text, content_type="text/plain").failed[0].status == ""
