"""Texts and files arrive as they were written."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maild.message.compose import File, compose
from tests.unit.drafts import DRAFT, assert_lines_are_lawful, read


def part_texts(raw: bytes) -> Iterator[str]:
    for part in read(raw).walk():
        if part.get_content_maintype() == "text":
            yield part.get_content()


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
@example("\t \n \n", "\u0800\n\x08")
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
