"""Bytes become text with one kind of line end, whatever charset they came in and however their lines end."""

from hypothesis import example, given
from hypothesis import strategies as st

from maild.message import charset

PIECES = (
    b"a", b"Gr\xc3\xbc\xc3\x9fe", b"caf\xe9", b"\r\n", b"\r\n", b"\n", b"\r", b"\x00", b"\xff\xfe", b"\x1b$B$3\x1b(B",
    b"~{VPND~}", b"+AOQ-", b"\x81\x40",
)  # fmt: skip
LABELS = ("", "utf-8", "us-ascii", "iso-8859-1", "windows-1251", "utf-16", "utf-7", "hz-gb-2312", "iso-2022-jp", "no")


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.sampled_from(LABELS), st.sampled_from(LABELS))
@example(b"\xff\r\n \x81@", "utf-8", "")  # detection looks at line ends, too
def test_only_the_line_ends_and_nuls_of_the_decoded_text_are_changed(data: bytes, label: str, fallback: str) -> None:
    text, defect = charset.decode(data, label, fallback)

    assert charset.lines(data, label, fallback) == (
        text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""),
        defect,
    )


def test_every_kind_of_line_end_becomes_a_line_feed() -> None:
    for written in (b"one\r\ntwo\r\n", b"one\ntwo\n", b"one\rtwo\r", b"one\r\ntwo\n", b"one\ntwo\r"):
        assert charset.lines(written, "utf-8").text == "one\ntwo\n"
