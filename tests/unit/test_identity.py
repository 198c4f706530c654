"""Which arrivals are the same mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.identity import HEAD_BYTES, Fingerprint, fingerprint

MAIL = (
    b"Received: from a by b; Mon, 2 Nov 2026 10:00:00 +0000\r\n"
    b"From: Ada <ada@customer.example>\r\n"
    b"To: support@acme.example\r\n"
    b"Subject: The printer burns\r\n"
    b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@customer.example>\r\n"
    b"\r\n"
    b"It burns.\r\n"
    b"\r\n"
    b"Really.\r\n"
)

ANY_MAIL = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"Subject: x", b"subject :", b" y", b"From: z", b"\0", b"text", b".", b""]
    ),
    max_size=30,
).map(b"".join)


def in_pieces(raw: bytes, cuts: list[int]) -> bytes:
    reader = Fingerprint()
    start = 0
    for cut in sorted(min(cut, len(raw)) for cut in cuts):
        reader.update(raw[start:cut])
        start = cut
    reader.update(raw[start:])
    return reader.digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Received: from a by b; Mon, 2 Nov 2026 10:00:00 +0000\r\n", b""),
        (b"From:", b"Received: from x by y; now\r\nReturn-Path: <ada@customer.example>\r\nFrom:"),
        (b"To: support@acme.example", b"To: sales@acme.example"),
        (b"Subject: The printer burns", b"SUBJECT:The printer\r\n burns "),
        (b"\r\n", b"\n"),
        (b"Really.\r\n", b"Really."),
        (b"Really.\r\n", b"Really.\r\n\r\n\r\n"),
    ],
)
def test_a_mail_that_came_by_another_path_is_the_same_mail(old: bytes, new: bytes) -> None:
    assert old in MAIL

    assert fingerprint(MAIL.replace(old, new)) == fingerprint(MAIL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<1@customer.example>", b"<2@customer.example>"),
        (b"Message-ID: <1@customer.example>\r\n", b""),
        (b"Ada", b"Eva"),
        (b"The printer burns", b"The printer"),
        (b"10:00:00 +0000\r\nMessage-ID", b"10:00:01 +0000\r\nMessage-ID"),
        (b"It burns.", b"It smokes."),
        (b"\r\n\r\nReally", b"\r\nReally"),
        (b"It burns.", b"It  burns."),
        (b"Subject: The printer burns", b"Subject: The printer\r\nSubject: burns"),
    ],
)
def test_a_mail_that_says_something_else_is_another_mail(old: bytes, new: bytes) -> None:
    assert old in MAIL

    assert fingerprint(MAIL.replace(old, new)) != fingerprint(MAIL)


def test_a_thousand_mails_with_one_message_id_are_a_thousand() -> None:
    prints = {fingerprint(MAIL + b"%d\r\n" % number) for number in range(1000)}

    assert len(prints) == 1000


def test_words_do_not_wander_from_one_field_into_the_next() -> None:
    one = fingerprint(b"From: a\r\nDate: bc\r\n\r\n")

    assert one != fingerprint(b"From: ab\r\nDate: c\r\n\r\n")
    assert one != fingerprint(b"From: a\r\nSubject: bc\r\n\r\n")


@pytest.mark.parametrize(
    "field",
    [
        "To: sales@acme.example",
        "Cc: x@y.example",
        "In-Reply-To: <a@b>",
        "Content-Type: text/html",
        "Content-type:x\r\n y",
    ],
)
def test_without_a_message_id_more_has_to_be_the_same(field: str) -> None:
    anonymous = MAIL.replace(b"Message-ID: <1@customer.example>\r\n", b"Message-ID: \r\n")
    other = anonymous.replace(b"From:", field.encode() + b"\r\nFrom:")

    assert fingerprint(other) != fingerprint(anonymous)
    assert fingerprint(b"X-Spam: no\r\nDelivered-To: a@b\r\n" + other) == fingerprint(other)
    assert fingerprint(MAIL.replace(b"From:", field.encode() + b"\r\nFrom:")) == fingerprint(MAIL)


def test_a_field_in_the_body_is_body() -> None:
    assert fingerprint(b"From: a\r\n\r\nSubject: b\r\n") != fingerprint(b"From: a\r\nSubject: b\r\n\r\n")


@given(ANY_MAIL, st.lists(st.integers(0, 120), max_size=6))
def test_the_fingerprint_does_not_depend_on_how_the_mail_was_cut(raw: bytes, cuts: list[int]) -> None:
    assert in_pieces(raw, cuts) == fingerprint(raw)


@given(ANY_MAIL)
def test_line_ends_of_any_kind_are_line_ends(raw: bytes) -> None:
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    assert fingerprint(raw) == fingerprint(lines) == fingerprint(lines.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "size", [HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, HEAD_BYTES + 2, HEAD_BYTES + 5, 2 * HEAD_BYTES]
)
@pytest.mark.parametrize("piece", [1000, HEAD_BYTES - 2, HEAD_BYTES + 3, HEAD_BYTES + 4])
def test_an_endless_header_section_is_read_up_to_a_bound_however_it_was_cut(size: int, piece: int) -> None:
    raw = b"Subject: " + b"x" * (size - 9) + b"\r\n\r\nbody"

    assert in_pieces(raw, list(range(0, len(raw), piece))) == fingerprint(raw)


def test_a_body_of_empty_lines_costs_no_memory_and_still_counts_before_text() -> None:
    reader = Fingerprint()
    reader.update(b"From: a\r\n\r\n")
    for _ in range(100):
        reader.update(b"\r\n" * 10_000, canonical=True)
    reader.update(b"end", canonical=True)

    assert reader.digest() == fingerprint(b"From: a\r\n\r\n" + b"\r\n" * 1_000_000 + b"end")


def test_a_lone_carriage_return_before_a_canonical_piece_counts() -> None:
    reader = Fingerprint()
    reader.update(b"From: a\r\n\r\none\r")
    reader.update(b"two\r\n", canonical=True)

    assert reader.digest() == fingerprint(b"From: a\r\n\r\none\rtwo\r\n")


def test_the_header_section_is_kept_for_who_asks() -> None:
    reader = Fingerprint()
    reader.update(MAIL)

    assert reader.head == MAIL.partition(b"\r\n\r\n")[0] + b"\r\n"
