"""What is struck out of mails when somebody is to be forgotten, however it was written, and what is left as it is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.desk.striking import Words

ADA = "ada@customer.example"
WORDS = Words([ADA], ["Ada Lovelace", "Ada"])


@pytest.mark.parametrize(
    "written",
    [
        f"<{ADA}>",
        f"'{ADA.upper()}'",
        f"mailto:{ADA}?subject=x",
        f"Ask {ADA}.",
        "ada=40customer=2Eexample",
        "mailto:ada%40customer.example",
        "href=3Dada@customer.example",
        "ada@custo=\r\nmer.example",
    ],
)
def test_an_address_is_found_however_it_is_written(written: str) -> None:
    content = f"Hello {written} there".encode()

    assert WORDS.names_him(content)
    assert b"deleted@invalid" in WORDS.out_of_bytes(content)
    assert not WORDS.names_him(WORDS.out_of_bytes(content))


@pytest.mark.parametrize("other", [f"can{ADA}", f"x.{ADA}", f"x+{ADA}", f"{ADA}.au", f"{ADA}s", "ada@customer"])
def test_a_longer_address_is_somebody_elses(other: str) -> None:
    content = f"Hello <{other}> there".encode()

    assert not WORDS.names_him(content)
    assert WORDS.out_of_bytes(content) == content
    assert WORDS.out_of(other) == other


@pytest.mark.parametrize("name", ["Ada Lovelace", "Ada_Lovelace", "Ada=20Lovelace", "Ada\r\n Lovelace"])
def test_a_full_name_goes_along_and_one_word_stays(name: str) -> None:
    assert WORDS.out_of_bytes(f"Dear {name}, or Ada".encode()) == b"Dear deleted@invalid, or Ada"


def test_base64_is_looked_into_and_stays_base64() -> None:
    lines = base64.encodebytes(f"Guten Tag, {ADA} schrieb: ".encode() * 9).replace(b"\n", b"\r\n")
    struck = WORDS.out_of_bytes(b"Subject: x\r\n\r\n" + lines + b"--b--\r\n")

    assert WORDS.names_him(b"\r\n\r\n" + lines)
    assert not WORDS.names_him(struck)
    body = struck.split(b"\r\n\r\n")[1].removesuffix(b"--b--\r\n")
    assert base64.b64decode(body) == b"Guten Tag, deleted@invalid schrieb: " * 9
    assert max(map(len, body.splitlines())) == 76


def test_a_word_of_a_header_field_stays_one_word() -> None:
    word = base64.b64encode(b"Ada Lovelace und noch jemand")
    struck = WORDS.out_of_bytes(b"To: =?utf-8?b?" + word + b"?= <x@y.example>\r\n")

    assert struck == b"To: =?utf-8?b?" + base64.b64encode(b"deleted@invalid und noch jemand") + b"?= <x@y.example>\r\n"


@given(st.binary(max_size=300))
def test_what_does_not_hold_it_is_not_changed_by_a_bit(content: bytes) -> None:
    assert WORDS.out_of_bytes(content) == content


def test_columns_of_any_kind_are_looked_through() -> None:
    assert WORDS.out_of({"a": [f"x {ADA}", 1, None], "b": {"c": ADA}}) == {
        "a": ["x deleted@invalid", 1, None],
        "b": {"c": "deleted@invalid"},
    }
