"""What leaves is a well-formed mail, whatever the words in it."""

from dataclasses import replace
from datetime import UTC, timedelta, timezone

import pytest

from maild.message.address import Address
from maild.message.compose import Automatic, Draft, File, Unsendable, compose, for_recipient
from tests.unit.drafts import DRAFT, NOON, PLAIN_HEAD, assert_lines_are_lawful, heads, read


def test_a_plain_mail_has_exactly_its_headers() -> None:
    raw = compose(DRAFT)

    assert heads(raw) == PLAIN_HEAD
    assert raw.endswith(b"\r\n\r\nHello Ada\r\n")
    assert_lines_are_lawful(raw)


def test_the_same_draft_gives_the_same_bytes() -> None:
    draft = replace(DRAFT, html="<p>Hello", files=(File("a.pdf", "application/pdf", b"1"),))

    assert compose(draft) == compose(draft)


def test_threading_headers_name_the_ids_in_brackets() -> None:
    message = read(compose(replace(DRAFT, in_reply_to="b@x", references=("a@x", "b@x"))))

    assert message["In-Reply-To"] == "<b@x>"
    assert message["References"] == "<a@x> <b@x>"


def test_long_references_keep_the_first_and_the_newest() -> None:
    ids = tuple(f"{n}@x.example" for n in range(250))

    kept = read(compose(replace(DRAFT, references=ids)))["References"].split()

    assert kept == ["<0@x.example>", *(f"<{n}@x.example>" for n in range(151, 250))]


def test_an_id_that_comes_twice_is_named_once_at_its_last_place() -> None:
    message = read(compose(replace(DRAFT, references=("a@x", "b@x", "a@x"))))

    assert message["References"] == "<b@x> <a@x>"


@pytest.mark.parametrize("strange", ["a b@x", "a@x>\r\nBcc: c@d", "ä@x", "", "x" * 2000, "a@x\0", "<a@x>"])
def test_an_id_of_others_that_cannot_stand_in_a_header_is_left_out(strange: str) -> None:
    raw = compose(replace(DRAFT, in_reply_to=strange, references=(strange, "good@x")))

    assert heads(raw) == [*PLAIN_HEAD[:5], "References", *PLAIN_HEAD[5:]]
    assert read(raw)["References"] == "<good@x>"


def test_automatic_mail_says_so_and_a_persons_answer_does_not() -> None:
    answer, automatic = read(compose(DRAFT)), read(compose(replace(DRAFT, automatic=Automatic.REPLIED)))
    reminder = read(compose(replace(DRAFT, automatic=Automatic.GENERATED, bulk=True)))

    assert not {"Auto-Submitted", "X-Auto-Response-Suppress", "Precedence"} & set(answer.keys())
    assert (automatic["Auto-Submitted"], automatic["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert automatic["Precedence"] is None
    assert (reminder["Auto-Submitted"], reminder["Precedence"]) == ("auto-generated", "bulk")


def test_html_makes_an_alternative_with_the_plain_text_first() -> None:
    message = read(compose(replace(DRAFT, html="<p>Hello Ada</p>")))

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_inline_images_stand_beside_the_html_and_attachments_around_it() -> None:
    files = (
        File("logo.png", "image/png", b"\x89PNG", content_id="logo@acme", inline=True),
        File("bill.pdf", "application/pdf", b"%PDF"),
        File("lost.png", "image/png", b"\x89PNG", inline=True),  # nothing can show it: it has no id
    )

    message = read(compose(replace(DRAFT, html='<img src="cid:logo@acme">', files=files)))

    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png",
        "application/pdf", "image/png",
    ]  # fmt: skip
    image, bill, lost = (part for part in message.walk() if part.get_filename())
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo@acme>", "inline")
    assert bill.get_content() == b"%PDF"
    assert lost.get_content_disposition() == "attachment"


def test_an_inline_image_of_a_mail_without_html_is_attached() -> None:
    files = (File("logo.png", "image/png", b"\x89PNG", content_id="logo@acme", inline=True),)

    message = read(compose(replace(DRAFT, files=files)))

    assert [part.get_content_disposition() for part in message.iter_parts()] == [None, "attachment"]


def test_an_attached_mail_stays_a_mail_only_if_it_needs_no_encoding() -> None:
    seven_bit = File("a.eml", "message/rfc822", b"Subject: x\r\n\r\nhello\r\n")
    eight_bit = File("b.eml", "message/rfc822", b"Subject: x\r\n\r\nh\xe9llo\r\n")

    first, second = list(read(compose(replace(DRAFT, files=(seven_bit, eight_bit)))).iter_attachments())

    assert first.get_content_type() == "message/rfc822"
    assert first.get_content()["Subject"] == "x"
    assert second.get_content_type() == "application/octet-stream"
    assert second.get_content() == eight_bit.content


def test_an_attached_mail_that_quotes_the_boundary_does_not_end_the_part() -> None:
    first = compose(replace(DRAFT, files=(File("a", "image/png", b"1"),)))
    boundary = read(first).get_boundary()
    forged = f"Subject: x\r\n\r\n--{boundary}\r\nContent-Type: text/html\r\n\r\n<b>forged</b>\r\n--{boundary}--\r\n"

    raw = compose(replace(DRAFT, files=(File("a.eml", "message/rfc822", forged.encode()),)))

    assert read(raw).get_boundary() != boundary
    assert [part.get_content_type() for part in read(raw).iter_parts()] == ["text/plain", "message/rfc822"]


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("image/PNG", "image/png"),
        ("text/plain; charset=ISO-8859-1; name=x", "text/plain"),
        ("image/png\r\nBcc: x@y.example", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("message/delivery-status", "application/octet-stream"),
        ("a/" + "b" * 500, "application/octet-stream"),
    ],
)
def test_the_type_of_a_file_is_one_or_it_is_octets(said: str, sent: str) -> None:
    [part] = read(compose(replace(DRAFT, files=(File("x", said, b"1"),)))).iter_attachments()

    assert part.get_content_type() == sent


def test_the_charset_of_an_attached_text_is_kept() -> None:
    files = (File("x.txt", 'text/plain; format=flowed; charset="ISO-8859-1"', b"\xe9"),)

    [part] = read(compose(replace(DRAFT, files=files))).iter_attachments()

    assert part.get_content() == "é"


def test_reply_to_is_prepended_for_one_recipient() -> None:
    raw = compose(DRAFT)

    assert for_recipient(raw, "support+t1.c7.k2@acme.example") == b"Reply-To: support+t1.c7.k2@acme.example\r\n" + raw


@pytest.mark.parametrize(
    "wrong",
    [
        replace(DRAFT, to=()),
        replace(DRAFT, message_id=""),
        replace(DRAFT, message_id="a b@x"),
        replace(DRAFT, message_id="a@x>\r\nBcc: <b@x"),
        replace(DRAFT, date=NOON.replace(tzinfo=None)),
        replace(DRAFT, from_=Address("Anna", "")),
    ],
)
def test_a_draft_that_is_no_mail_is_refused(wrong: Draft) -> None:
    with pytest.raises(Unsendable):
        compose(wrong)


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        (UTC, "Mon, 23 Nov 2026 12:00:00 +0000"),
        (timezone(timedelta(hours=5, minutes=45)), "Mon, 23 Nov 2026 17:45:00 +0545"),
        (timezone(-timedelta(hours=3, minutes=30)), "Mon, 23 Nov 2026 08:30:00 -0330"),
    ],
)
def test_the_date_is_that_of_the_draft_in_its_zone(zone: timezone, written: str) -> None:
    message = read(compose(replace(DRAFT, date=NOON.astimezone(zone))))

    assert message["Date"] == written
    assert message["Date"].datetime == NOON
