"""Where a mail ends after DATA, and what its bytes are."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maild.services.smtp_listener.content import Content

BYTES = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"\r\n.", b"\0", b"a", b"\r\n.\r\n", b"MAIL"]), max_size=25
).map(b"".join)


def read(raw: bytes, cuts: list[int]) -> tuple[bytes, Content]:
    content = Content()
    pieces = []
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    for start, end in itertools.pairwise(bounds):
        if content.ended:
            content.rest += raw[start:end]
        else:
            pieces.append(content.feed(raw[start:end]))
    return b"".join(pieces), content


def as_the_standard_says(raw: bytes) -> tuple[bytes, bytes, bool]:
    """Read all of `raw`, which has an end, at once: the mail, what follows it, whether it smuggles."""
    body, rest = (b"", raw[3:]) if raw.startswith(b".\r\n") else raw.split(b"\r\n.\r\n", 1)
    if not raw.startswith(b".\r\n"):
        body += b"\r\n"
    smuggling = re.search(rb"[\r\n]\0*\.\0*[\r\n]", b"\n" + body) is not None
    lines = [line.removeprefix(b".") for line in body.split(b"\r\n")]
    return re.sub(rb"\r\n|\r|\n", b"\r\n", b"\r\n".join(lines)), rest, smuggling


@given(BYTES, BYTES, st.lists(st.integers(0, 80), max_size=8))
@example(b"\r\n", b"", [1])
@example(b"a\r\n.", b"\r\n.\r\n", [3, 4, 5, 6])
@example(b"", b"MAIL FROM:<>\r\n", [1, 2])
def test_a_mail_is_read_as_the_standard_says_however_it_arrives(before: bytes, after: bytes, cuts: list[int]) -> None:
    raw = before + b"\r\n.\r\n" + after
    mail, rest, smuggling = as_the_standard_says(raw)

    got, content = read(raw, cuts)

    assert got == mail
    assert (content.ended, content.rest, content.smuggling) == (True, rest, smuggling)


@given(BYTES, st.lists(st.integers(0, 80), max_size=8))
def test_what_comes_out_has_whole_line_ends_only(before: bytes, cuts: list[int]) -> None:
    got, _ = read(before + b"\r\n.\r\n", cuts)

    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", got)
    assert got.endswith(b"\r\n") or not got


@pytest.mark.parametrize(
    "ending",
    [
        b"\n.\n",
        b"\r\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\r\n\0.\r\n",
        b"\n\n.\r\r\n",
        b"\r\n.\0\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_an_odd_ending_is_no_end_and_is_told_of(ending: bytes, step: int) -> None:
    raw = b"From: a\r\n\r\nx" + ending + b"MAIL FROM:<b@x>\r\n.\r\n"

    got, content = read(raw, list(range(0, len(raw), step)))

    assert content.ended
    assert content.rest == b""
    assert content.smuggling
    assert b"MAIL FROM" in got


@pytest.mark.parametrize("text", [b"\0", b"a.\nb", b"\r\n..\r\n", b"\n..\n", b"\r.a\r", b"caf\xe9\n"])
def test_ordinary_mess_is_no_smuggling(text: bytes) -> None:
    _, content = read(b"From: a\r\n\r\nx" + text + b"\r\n.\r\n", [])

    assert not content.smuggling


@pytest.mark.parametrize("text", [b"a", b"\r", b"\0", b"."])
def test_an_endless_line_is_handed_on_and_not_kept(text: bytes) -> None:
    content = Content()
    out = [content.feed(b"x" + text * 50_000) for _ in range(20)]

    assert sum(map(len, out)) >= 20 * 50_000 - 50_001
    assert len(content._tail) <= 50_001
    out.append(content.feed(b"\r\n.\r\n"))
    assert content.ended
    assert b"".join(out).count(b"x") == 20


def test_a_long_line_in_drops_costs_no_more_than_its_length() -> None:
    content = Content()
    longest = 0
    for _ in range(30_000):
        content.feed(b"y")
        longest = max(longest, len(content._tail))

    assert longest <= 4_096


def test_a_line_end_that_is_cut_behind_a_long_line_stays_whole() -> None:
    content = Content()

    got = content.feed(b"a" * 10_000 + b"\r") + content.feed(b"\n.\r") + content.feed(b"\nQUIT\r\n")

    assert got == b"a" * 10_000 + b"\r\n"
    assert content.rest == b"QUIT\r\n"
