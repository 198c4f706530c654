"""A large mail is read from a small part of it as from the whole."""

import random
from base64 import encodebytes
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maild.message import dkim, shorten
from maild.message.parse import Message, parse
from maild.message.shorten import LEAST_BYTES, Shortened

FILE = random.Random(1).randbytes(300_000)


def encoded(content: bytes, line_end: bytes = b"\r\n") -> bytes:
    return encodebytes(content).replace(b"\n", line_end)


def mail(*files: bytes, line_end: bytes = b"\r\n", behind: bytes = b"") -> bytes:
    """Return a mail with a text and files; each is the encoded body of its part."""
    head = (
        b"From: ada@customer.example\nSubject: Plans\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee plans.\n"
    )
    parts = b"".join(
        b"--b\nContent-Type: application/pdf; name=plan%d.pdf\nContent-Transfer-Encoding: base64\n\n" % number
        + b"@%d@" % number
        for number in range(len(files))
    )
    raw = (head + parts + b"--b--\n").replace(b"\n", line_end)
    for number, file in enumerate(files):
        raw = raw.replace(b"@%d@" % number, file)
    return raw + behind


def short(raw: bytes, piece_bytes: int = 100_000) -> Shortened:
    def pieces() -> Iterator[bytes]:
        for at in range(0, len(raw), piece_bytes):
            yield raw[at : at + piece_bytes]

    return shorten.shorten(pieces)


def said(message: Message) -> tuple[object, ...]:
    files = [(each.name, each.content_type, each.size_bytes, each.sha256) for each in message.attachments]
    return message.subject, message.text, message.html, files, message.defects


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("left", [0, 1, 2, 3, 57])
def test_a_mail_says_the_same_without_the_bytes_of_its_files(line_end: bytes, left: int) -> None:
    raw = mail(encoded(FILE[: 285_000 + left], line_end), encoded(b"a few", line_end), line_end=line_end)

    shortened = short(raw)

    assert len(shortened) < 25_000
    assert said(parse(shortened)) == said(parse(raw))
    assert shortened.whole(0, len(shortened)) == raw


def test_the_size_of_a_file_is_told_without_loading_it() -> None:
    shortened = short(mail(encoded(FILE)))
    shortened._whole = None

    [file] = parse(shortened).attachments

    assert file.size_bytes == len(FILE)


def test_a_file_that_is_joined_of_several_is_as_long_as_what_is_read_of_it() -> None:
    raw = mail(encoded(FILE[:100_001]) + encoded(FILE[:200_000]))

    assert said(parse(short(raw))) == said(parse(raw))


def test_a_run_of_letters_that_is_short_or_uneven_stays() -> None:
    uneven = b"".join(b"A" * (60 + 4 * (number % 2)) + b"\r\n" for number in range(5_000))

    for raw in (mail(encoded(FILE[: LEAST_BYTES // 2])), mail(uneven), b"", b"x", b"A" * 300_000):
        assert short(raw) == raw
        assert short(raw).gaps == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 56, 57, 58, 60_000, 150_001, 299_998]), max_size=3),
    st.integers(40, 200_000),
    st.sampled_from([b"", b"\r\n", b"behind the end", b"A" * 76 + b"\r\n", b"A" * 75 + b"\r\r\n"]),
)
def test_however_it_is_cut_the_whole_is_found_again(sizes: list[int], piece_bytes: int, behind: bytes) -> None:
    raw = mail(*(encoded(FILE[:size]) for size in sizes), behind=behind)

    shortened = short(raw, max(piece_bytes, len(raw) // 500))

    assert shortened.whole(0, len(shortened)) == raw
    assert said(parse(shortened)) == said(parse(raw))


def test_a_hostile_mail_is_shortened_in_no_time() -> None:
    lines = b"".join(b"A" * (40 + 4 * (number % 3)) + b"\n" for number in range(60_000))

    assert short(lines, 1 << 20).whole(0, len(lines)) == lines


def test_a_signature_is_checked_over_the_whole_mail() -> None:
    raw = mail(encoded(FILE))
    shortened = short(raw)

    seen, whole = dkim.split(shortened, parse(shortened)), dkim.split(raw, parse(raw))

    assert seen is not None
    assert whole is not None
    assert callable(seen.body)
    assert b"".join(seen.body()) == whole.body
    assert seen.fields == whole.fields
