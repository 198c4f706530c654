"""Words of others in headers: none adds a line, all are read back."""

import email
import email.header
import email.policy
import email.utils
import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maild.message.address import Address
from maild.message.compose import (
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
from tests.unit.drafts import ADA, DESK, DRAFT, MULTIPART_HEAD, PLAIN_HEAD, WORDS, assert_lines_are_lawful, heads, read


def people(raw: bytes, field: str) -> list[tuple[str, str]]:
    """Names and addresses; policy.default of CPython 3.11 puts spaces between the encoded-words of a phrase."""
    value = email.message_from_bytes(raw, policy=email.policy.compat32)[field].replace("\r\n", "")
    found = email.utils.getaddresses([value])
    return [(str(email.header.make_header(email.header.decode_header(name))), address) for name, address in found]


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
