"""No answer takes an address to a customer that was made for an agent: whoever holds it may answer as he."""

import base64
import re

import pytest

from maild.message.parse import Message, parse
from tests.stories.driver import ADA, ANNA, BEN, MX, SUPPORT, Desk, Received

AGENTS = re.compile(rb"t[0-9]+\.[and][0-9]+\.[a-z0-9]{27}")
TEXT = b"Content-Type: text/plain\r\n\r\nPull the plug.\r\n"
MIXED = 'multipart/mixed; boundary="B"'


def told(desk: Desk) -> Received:
    desk.mail(ADA, "Printer on fire", proven=True)
    [mail] = desk.mails_to(ANNA)
    desk.mails_to(ADA)
    return mail


def parted(*parts: bytes) -> bytes:
    return b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"


def quoted(mail: Received) -> bytes:
    return b"".join(b"> " + line.encode() + b"\r\n" for line in mail.text.splitlines())


def answer(desk: Desk, mail: Received, content_type: str, body: bytes) -> None:
    """Let Anna answer a mail with whatever her program makes of it."""
    head = (
        f"From: {ANNA}",
        f"To: {mail.reply_to}",
        f"Subject: Re: {mail.subject}",
        "Message-ID: <answer@acme.example>",
        f"In-Reply-To: <{mail.message.message_id}>",
        "MIME-Version: 1.0",
        f"Content-Type: {content_type}",
    )
    desk.deliver("\r\n".join(head).encode() + b"\r\n\r\n" + body, ANNA, mail.reply_to)


def shown(message: Message) -> bytes:
    """All that somebody has who opens a mail and its files, those in files included."""
    files = [each.content() for each in message.attachments]
    inner = [shown(parse(each)) for each in files if b"Message-ID" in each]
    return b"\n".join([message.raw, message.text.encode(), message.html.encode(), *files, *inner])


def element(tag: int, content: bytes) -> bytes:
    """An element of DER."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def opaque(entity: bytes) -> bytes:
    """An entity in an opaque signature, as Outlook makes it (RFC 8551 3.5.2), without the signature itself."""
    data, signed = bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06092a864886f70d010702")
    wrapped = element(0x30, data + element(0xA0, element(0x04, entity)))
    inner = element(0x02, b"\1") + element(0x31, b"") + wrapped + element(0x31, b"")
    return element(0x30, signed + element(0xA0, element(0x30, inner)))


def attached(mail: Received, content_type: str, name: str) -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n"
    head += f"Content-Disposition: attachment; filename={name}\r\n\r\n"
    return head.encode() + base64.encodebytes(mail.raw)


def files(mail: Received) -> dict[str, bytes]:
    """The files by which a mail of ours comes back: the parts of a mixed answer, by what they are."""
    within = f"Subject: x\r\nMessage-ID: <x@acme.example>\r\nContent-Type: {MIXED}\r\n\r\n".encode()
    within += parted(TEXT, attached(mail, "message/rfc822", "inner.eml"))
    return {
        "attached": b"Content-Type: message/rfc822\r\n\r\n" + mail.raw,
        "encoded": attached(mail, "message/rfc822", "mail.eml"),
        "dragged": attached(mail, "application/octet-stream", "mail.eml"),
        "within another": b"Content-Type: message/rfc822\r\n\r\n" + within,
        "its header": b"Content-Type: text/rfc822-headers\r\n\r\n" + mail.raw.partition(b"\r\n\r\n")[0],
        "a meeting": f"Content-Type: text/calendar\r\n\r\nATTENDEE:mailto:{mail.reply_to}\r\n".encode(),
    }


@pytest.mark.parametrize("kind", ["attached", "encoded", "dragged", "within another", "its header", "a meeting"])
def test_a_file_that_holds_our_mail_to_the_agent_brings_his_answer_back(desk: Desk, kind: str) -> None:
    mail = told(desk)
    answer(desk, mail, MIXED, parted(TEXT, files(mail)[kind]))

    assert desk.mails_to(ADA) == []
    assert "addresses that are yours alone" in desk.mails_to(ANNA)[-1].text


def test_an_answer_in_an_opaque_signature_leaves_without_it(desk: Desk) -> None:
    mail = told(desk)
    entity = b"Content-Type: text/plain\r\n\r\nPull the plug.\r\n\r\nOn Monday, Acme wrote:\r\n" + quoted(mail)
    content_type = "application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64"
    answer(desk, mail, content_type, base64.encodebytes(opaque(entity)))

    [got] = desk.mails_to(ADA)
    assert got.text.startswith("Pull the plug.")
    assert AGENTS.search(shown(got.message)) is None
    assert got.message.attachments == ()


def test_a_further_form_of_the_text_is_no_file(desk: Desk) -> None:
    mail = told(desk)
    rich = b"Content-Type: application/rtf\r\n\r\n{\\rtf1 Pull the plug." + quoted(mail) + b"}\r\n"
    answer(desk, mail, 'multipart/alternative; boundary="B"', parted(TEXT, rich))

    [got] = desk.mails_to(ADA)
    assert AGENTS.search(shown(got.message)) is None


def test_words_that_hold_such_an_address_in_two_lines_come_back(desk: Desk) -> None:
    mail = told(desk)
    at = mail.reply_to.index("+") + 10
    answer(desk, mail, "text/plain", f"Pull the plug.\r\n{mail.reply_to[:at]}\r\n{mail.reply_to[at:]}\r\n".encode())

    assert desk.mails_to(ADA) == []
    assert "addresses that are yours alone" in desk.mails_to(ANNA)[-1].text


def test_the_first_mail_to_a_customer_takes_none_along(desk: Desk) -> None:
    mail = told(desk)
    body = f"Content-Type: text/plain\r\n\r\n#for {BEN}\r\n\r\nHello.\r\n".encode()
    raw = (
        f"Authentication-Results: {MX}; dmarc=pass header.from=acme.example\r\n"
        f"From: {ANNA}\r\nTo: {SUPPORT}\r\nSubject: Hello\r\nContent-Type: {MIXED}\r\n\r\n"
    ).encode()
    desk.deliver(raw + parted(body, files(mail)["dragged"]), ANNA, SUPPORT)

    assert desk.mails_to(BEN) == []
    assert "addresses that are yours alone" in desk.mails_to(ANNA)[-1].text


def test_other_files_go_along(desk: Desk) -> None:
    mail = told(desk)
    image = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    other = b"Content-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nSubject: Manual\r\n\r\nRead me.\r\n"
    answer(desk, mail, MIXED, parted(TEXT, image, other))

    [got] = desk.mails_to(ADA)
    assert [each.content_type for each in got.message.attachments] == ["image/png", "message/rfc822"]


def test_an_encrypted_answer_that_nobody_can_read_comes_back(desk: Desk) -> None:
    mail = told(desk)
    answer(desk, mail, "application/pkcs7-mime; smime-type=enveloped-data", b"\x30\x03abc\r\n")

    assert desk.mails_to(ADA) == []
    assert len(desk.mails_to(ANNA)) == 1
