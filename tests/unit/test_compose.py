"""What leaves is a well-formed mail, whatever the words in it."""

import email
import email.header
import email.policy
import email.utils
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maild.message.address import Address
from maild.message.compose import (
    Automatic,
    Draft,
    Extra,
    File,
    Unsendable,
    clean,
    clean_filename,
    compose,
    fields,
    for_recipient,
    in_ascii,
    needs_utf8,
    route,
)

ADA = Address("Ada", "ada@customer.example")
DESK = Address("Anna (Acme Support)", "support@acme.example")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DRAFT = Draft(
    from_=DESK,
    to=(ADA,),
    subject="Re: Printer on fire",
    text="Hello Ada\n",
    message_id="m1.n.k2@acme.example",
    date=NOON,
)
PLAIN_HEAD = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]
MULTIPART_HEAD = PLAIN_HEAD[:-1]


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def heads(raw: bytes) -> list[str]:
    """The field names as any reader finds them: line by line, without trusting a parser."""
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    return [line.partition(":")[0] for line in head.split("\r\n") if line[0] not in " \t"]


def assert_lines_are_lawful(raw: bytes) -> None:
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\0" not in raw


def part_texts(raw: bytes) -> Iterator[str]:
    for part in read(raw).walk():
        if part.get_content_maintype() == "text":
            yield part.get_content()


def people(raw: bytes, field: str) -> list[tuple[str, str]]:
    """Names and addresses; policy.default of CPython 3.11 puts spaces between the encoded-words of a phrase."""
    value = email.message_from_bytes(raw, policy=email.policy.compat32)[field].replace("\r\n", "")
    found = email.utils.getaddresses([value])
    return [(str(email.header.make_header(email.header.decode_header(name))), address) for name, address in found]


# --- the shape


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


# --- texts


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\n", "7bit"),
        ("Grüße aus München, wo es heute regnet\n", "quoted-printable"),
        ("Здравствуйте\n", "base64"),
        ("From here on\n", "quoted-printable"),
        ("see\nFrom here on\n", "quoted-printable"),
        ("x" * 999 + "\n", "quoted-printable"),
        ("x" * 998 + "\n", "7bit"),
    ],
)
def test_a_text_is_encoded_only_as_far_as_it_needs(text: str, encoding: str) -> None:
    raw = compose(replace(DRAFT, text=text))

    assert read(raw)["Content-Transfer-Encoding"] == encoding
    assert read(raw).get_content().replace("\r\n", "\n") == text
    assert b"\nFrom " not in raw
    assert_lines_are_lawful(raw)


def characters(html: str) -> str:
    """Return HTML with its numeric references as the characters that they stand for."""
    return re.sub(r"&#([1-9]\d{1,5});", lambda found: chr(int(found[1])), html)


STYLED = "<style>q{content:'“'}</style>"


@pytest.mark.parametrize(
    ("html", "sent"),
    [
        ("<p>Grüße, und noch viel mehr Text</p>\n", b"7bit\r\n\r\n<p>Gr&#252;&#223;e, und noch viel mehr Text</p>\r\n"),
        ("<title>Käse</title><style>p{}</style><p>Ein Satz ohne viel.</p>", b"K&#228;se</title><style>p{}</style>"),
        (f"{STYLED}<p>Ein Satz — ohne viel Besonderes darin</p>", b"'=E2=80=9C'"),  # a style sheet knows no references
        (f"{STYLED}<p>Ein Satz — ohne viel</p><STYLE>q{{}}</STYLE>", b"=E2=80=94"),
        ("<p>Здравствуйте</p>", b"base64"),
    ],
)
def test_html_with_a_few_foreign_characters_refers_to_them(html: str, sent: bytes) -> None:
    assert sent in compose(replace(DRAFT, html=html))


TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\t =.Fä\u2028\0"))


@given(TEXTS, TEXTS)
@example("From x\r\nFrom y\rFrom z\n.\n..\n", "=20\n=\n")
@example("ä" * 2000, "From " * 500)
@example("\t \n \n", "")
def test_any_text_arrives_as_it_was_but_for_controls_and_line_ends(text: str, html: str) -> None:
    raw = compose(replace(DRAFT, text=text, html=html))

    assert_lines_are_lawful(raw)
    assert raw.isascii()
    for said, came, kept in zip((text, html) if html else (text,), part_texts(raw), (str, characters), strict=False):
        expected = kept(re.sub("[\x00-\x08\x0b-\x1f\x7f]", "", re.sub("\r\n?", "\n", said)))
        assert kept(came).replace("\r\n", "\n").removesuffix("\n") == expected.removesuffix("\n")


@given(st.binary(max_size=400))
def test_any_file_arrives_unchanged(content: bytes) -> None:
    [part] = read(compose(replace(DRAFT, files=(File("x.bin", "application/x-thing", content),)))).iter_attachments()

    assert part.get_content() == content


# --- words of others in headers

WORDS = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\r\n\t\0 =?,;:\"\\()<>@._%'\u2028\u0085\u202e\u200d\u0301äß漢😀"),
    max_size=300,
)


@given(WORDS)
@example("=?utf-8?q?hi=0ABcc:_x@y.z?=")
@example("x" * 5000)
@example("ä" * 5000)
@example("e\u200d\u0301")
def test_cleaning_is_done_once_for_all(words: str) -> None:
    once = clean(words)

    assert clean(once) == once
    assert len(once) <= 400
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", once)


@pytest.mark.parametrize(
    ("words", "cleaned"),
    [
        ("a \r\n\t b", "a b"),
        ("  a  b ", "a b"),
        ("e\u0301", "é"),
        ("fi\u00adsh\u200b", "fish"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u200db", "ab"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\ud800", "\ufffd"),
        ("\u00a0x\u3000", "x"),
        ("x" * 401, "x" * 399 + "…"),
    ],
)
def test_cleaning_keeps_what_is_seen(words: str, cleaned: str) -> None:
    assert clean(words) == cleaned


@pytest.mark.parametrize("token", ["a\nBcc: x", "a\r", "a\0", "a\u2028", "\x1b[2J", "\u202e"])
def test_the_last_guard_lets_no_control_into_a_field(token: str) -> None:
    with pytest.raises(Unsendable):
        fields.field("Subject", token)


def test_a_percent_in_a_file_name_is_not_left_to_be_undone() -> None:
    assert b"filename*=utf-8''bill%20100%25.pdf" in compose(
        replace(DRAFT, files=(File("bill 100%.pdf", "application/pdf", b"1"),))
    )


@given(WORDS)
@example("Re: Grüße")
@example("漢" * 400)
@example("word " * 80)
@example("a =?utf-8?q?b?= c")
@example("ä  b\u00a0c")
def test_any_subject_is_read_back_as_it_was_cleaned(subject: str) -> None:
    raw = compose(replace(DRAFT, subject=subject))

    assert heads(raw) == PLAIN_HEAD
    assert_lines_are_lawful(raw)
    assert read(raw)["Subject"] == clean(subject)


@given(WORDS, WORDS)
@example('Anna "the fixer" \\ O\'Neil', "Grüße, Anna <x@y.example>")
@example("a" * 128, "b " * 64)
def test_any_display_name_is_read_back_as_it_was_cleaned(name: str, other: str) -> None:
    raw = compose(replace(DRAFT, from_=Address(name, DESK.address), to=(Address(other, ADA.address), ADA)))

    assert heads(raw) == PLAIN_HEAD
    assert_lines_are_lawful(raw)
    assert people(raw, "From") == [(clean(name, 128), DESK.address)]
    assert people(raw, "To") == [(clean(other, 128), ADA.address), ADA]
    message = read(raw)
    assert [a.addr_spec for a in message["From"].addresses] == [DESK.address]
    assert [a.addr_spec for a in message["To"].addresses] == [ADA.address, ADA.address]


@given(WORDS)
@example("../../etc/cron.d/x")
@example("bill 100%.pdf")
@example("Rechnung für März.pdf")
@example("x" * 300 + ".pdf")
@example("ä" * 300 + ".pdf")
@example("con.txt")
@example("invoice.pdf\u202efdp.exe")
def test_any_file_name_is_read_back_as_it_was_cleaned(name: str) -> None:
    raw = compose(replace(DRAFT, files=(File(name, "image/png", b"1"),)))

    assert heads(raw) == MULTIPART_HEAD
    assert_lines_are_lawful(raw)
    [part] = read(raw).iter_attachments()
    assert sorted(part.keys()) == ["Content-Disposition", "Content-Transfer-Encoding", "Content-Type"]
    assert part.get_filename() == clean_filename(name)


@given(WORDS)
def test_a_cleaned_file_name_is_one_safe_component(name: str) -> None:
    safe = clean_filename(name)

    assert 0 < len(safe) <= 101
    assert len(safe.encode()) <= 404
    assert PurePosixPath(safe).name == safe
    assert safe.strip(" .") == safe
    assert not set('/\\:*?"<>|\0') & set(safe)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\x\\y.exe", "C_x_y.exe"),
        (".htaccess", "htaccess"),
        ("\u200b.htaccess", "htaccess"),
        ("x.pdf\u202efdp.exe", "x.pdffdp.exe"),
        ("AUX", "_AUX"),
        ("nul.txt", "_nul.txt"),
        ("", "file"),
        ("...", "file"),
        ("x" * 200 + ".pdf", "x" * 95 + "….pdf"),
    ],
)
def test_file_names_that_do_harm_are_defused(name: str, safe: str) -> None:
    assert clean_filename(name) == safe


BREAKS = ["\r\n", "\n", "\r", "\0", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\x1e"]
FORMS = ["hi{}Bcc: x@y.example", "{}Bcc: x@y.example", "hi{0}{0}<b>body</b>", "hi{} Bcc: x@y.example{}"]
ENCODED = [
    "=?utf-8?q?hi=0ABcc:_x@y.example?=",
    "=?utf-8?q?hi=0D=0ABcc:_x@y.example?=",
    "=?utf-8?b?aGkKQmNjOiB4QHkuZXhhbXBsZQ==?=",
    "=?utf-8?b?aGkNCkJjYzogeEB5LmV4YW1wbGU=?=",
    "=?iso-8859-1?q?hi=85Bcc:_x?=",
    "=?utf-8?q?hi?=\r\n Bcc: x@y.example",
    "=?utf-7?q?+AAo-Bcc:?=",
    "utf-8''hi%0D%0ABcc:%20x@y.example",
    '"; filename="b.exe',
    'x"\r\nContent-Type: text/html\r\n\r\n<script>',
    "%0D%0ABcc: x@y.example",
    "=0ABcc: x@y.example",
    "\ud800\nBcc: x@y.example",
]
VECTORS = [
    form.format(mark) if "{0}" in form else form.replace("{}", mark) for form in FORMS for mark in BREAKS
] + ENCODED


@pytest.mark.parametrize("vector", VECTORS, ids=ascii)
def test_no_value_adds_a_header(vector: str) -> None:
    draft = replace(
        DRAFT,
        from_=Address(vector, DESK.address),
        to=(Address(vector, ADA.address),),
        cc=(Address(vector, "bob@customer.example"),),
        subject=vector,
        in_reply_to=vector,
        references=(vector, "a@x"),
        extra=((Extra.CONTENT_LANGUAGE, vector), (Extra.IMPORTANCE, vector)),
        files=(File(vector, vector, b"1", vector, inline=True), File(vector, f"image/png; name={vector}", b"1")),
        html="<p>hi",
    )

    raw = compose(draft)

    expected = "From To Cc Subject Date Message-ID References Content-Language Importance MIME-Version Content-Type"
    if "In-Reply-To" in heads(raw):  # the vector is an id like any other: printable, without spaces
        assert re.fullmatch("[!-~]+", vector)
        expected = expected.replace("References", "In-Reply-To References")
    assert heads(raw) == expected.split()
    assert_lines_are_lawful(raw)
    message = read(raw)
    assert message.get_content_type() == "multipart/mixed"
    assert [a.addr_spec for a in message["To"].addresses] == [ADA.address]
    for part in message.walk():
        assert "Bcc" not in part


@pytest.mark.parametrize(
    "vector", [*VECTORS, "", "a@" + "x." * 160, "ada", "@x.example", "ada@", "a@b@", "a b@x\n.example", "a@x y", "a@-"]
)
def test_an_address_that_is_none_is_never_sent_to(vector: str) -> None:
    with pytest.raises(Unsendable):
        compose(replace(DRAFT, to=(Address("", f"{vector}\n@x.example"),)))
    with pytest.raises(Unsendable):
        for_recipient(compose(DRAFT), f"ada@{vector}\n")


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("ada@customer.example", "ada@customer.example"),
        (" ada@customer.example ", "ada@customer.example"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("a..b.@docomo.example", '"a..b."@docomo.example'),
        ('"a b"@x.example', '"a b"@x.example'),
        ('"ada"@x.example', "ada@x.example"),
        ("o'neil+tag@x.example", "o'neil+tag@x.example"),
        ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        ("jürgen@x.example", "jürgen@x.example"),
    ],
)
def test_addresses_of_the_world_are_routed(address: str, sent: str) -> None:
    assert route(address) == sent


def test_an_address_that_is_too_long_is_none() -> None:
    longest = "a" * 64 + "@" + "x." * 120 + "example"

    assert route(longest) == longest
    with pytest.raises(Unsendable):
        route("a" * 9 + longest)


def test_an_address_beyond_ascii_needs_smtputf8_and_a_text_beyond_ascii_does_not() -> None:
    foreign = compose(replace(DRAFT, to=(Address("", "jürgen@x.example"),)))

    assert needs_utf8(foreign)
    assert read(foreign)["To"] == "jürgen@x.example"
    assert not needs_utf8(compose(replace(DRAFT, text="Grüße", subject="Grüße")))


@pytest.mark.parametrize("name", ["", "Jürgen Müller", "J" * 90])
def test_a_foreign_recipient_is_shown_to_the_others_where_he_cannot_be_written(name: str) -> None:
    raw = compose(replace(DRAFT, cc=(Address(name, "jürgen@x.example"), Address("Bob", "bob@x.example"))))

    shown = in_ascii(raw)

    assert shown is not None
    assert not needs_utf8(shown)
    assert shown.partition(b"\r\n\r\n")[2] == raw.partition(b"\r\n\r\n")[2]
    assert [each.addr_spec for each in read(shown)["Cc"].addresses] == ["bob@x.example"]
    assert in_ascii(compose(replace(DRAFT, from_=Address("", "hjälp@x.example")))) is None


def test_many_recipients_fold_between_them() -> None:
    crowd = tuple(Address(f"Person Number {n}", f"person{n}@customer.example") for n in range(100))

    raw = compose(replace(DRAFT, to=crowd))

    assert people(raw, "To") == list(crowd)
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 76


def test_a_heads_lines_stay_short_where_a_space_allows_it() -> None:
    raw = compose(replace(DRAFT, subject="schöne Grüße und Wünsche " * 15, cc=(Address("Ünal " * 20, ADA.address),)))

    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 76


def test_only_foreign_words_are_encoded() -> None:
    assert b"\r\nSubject: Re: =?utf-8?q?Sch=C3=B6ne?= Aussichten\r\n" in compose(
        replace(DRAFT, subject="Re: Schöne Aussichten")
    )


@given(st.text(st.sampled_from("aäß漢😀 "), min_size=1, max_size=300))
def test_encoded_words_are_short_and_hold_whole_characters(subject: str) -> None:
    raw = compose(replace(DRAFT, subject=subject)).partition(b"\r\nDate")[0].partition(b"Subject: ")[2]

    for word in re.findall(rb"=\?utf-8\?[qb]\?[^?]*\?=", raw):
        assert len(word) <= 75
        assert "\ufffd" not in str(email.header.make_header(email.header.decode_header(word.decode())))


# --- the draft itself


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
