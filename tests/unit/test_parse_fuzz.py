"""Any bytes are a mail: random ones, and mails of the corpus that were cut, spliced and damaged."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from maild.message.parse import Message
from tests.unit.reading import read_all

CORPUS = Path(__file__).parent.parent / "corpus" / "parse"
MAILS = [path.read_bytes() for path in sorted(CORPUS.glob("*.eml"))]
PIECES = [
    b"\n", b"\r\n", b"\r", b"\n\n", b"--", b"\n--b\n", b"\n--b--\n", b"=?utf-8?q?", b"?=", b'"', b"<", b">", b"(",
    b")", b";", b"=", b"\0", b"\xff", b"\xc3", b"Content-Type: ", b"multipart/mixed; boundary=b",
    b"message/rfc822", b"base64", b"\x1b$B", b"@", b",", b":", b"*0*=", b"utf-7''", b"charset=", b"begin 644 x\n",
    b"end\n", b"name=", b"&#xD800;", b"<table>", b"</table>", b"<blockquote>", b"Date: ", b"From: ", b"\\", b"%",
    b"utf-16", b"+2AA-", b"x\x9f\x3e\x22", b"application/ms-tnef", b"text/calendar", b"text/html",
]  # fmt: skip


def check(message: Message) -> None:
    """Assert what holds of every message, whatever the bytes."""
    one_line = [message.subject, message.message_id, message.thread_index]
    for address in (*message.froms, *message.to, *message.cc, *message.reply_to):
        one_line += [address.name, address.address]
    one_line += [attachment.name for attachment in message.attachments]
    one_line += [value for name in set(message.head.names) for value in message.headers(name)]
    assert not any(sign in text for text in one_line for sign in "\r\n\0\u2028\u202e")
    assert not any(sign in attachment.name for attachment in message.attachments for sign in "/\\")
    assert "\0" not in message.text
    assert "\r" not in message.text
    for text in (*one_line, message.text, message.html, *message.defects):
        text.encode("utf-8")  # no halves of surrogate pairs, which no file, database or mail can hold
        json.dumps(text)
    for part in message.parts.walk():
        assert part.body_at <= part.end <= len(part.raw)


@given(st.binary(max_size=2_000))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_a_message(raw: bytes) -> None:
    check(read_all(raw))


@given(st.lists(st.sampled_from(PIECES), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_order_of_the_pieces_of_mail_gives_a_message(pieces: list[bytes]) -> None:
    check(read_all(b"".join(pieces)))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A mail of the corpus with some of its bytes cut, replaced or repeated."""
    raw = bytearray(draw(st.sampled_from(MAILS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(raw)))
        until = min(len(raw), at + draw(st.integers(0, 40)))
        kind = draw(st.integers(0, 2))
        if kind == 0:
            raw[at:until] = draw(st.sampled_from(PIECES))
        elif kind == 1:
            raw[at:at] = raw[at:until]
        else:
            other = draw(st.sampled_from(MAILS))
            raw[at:until] = other[draw(st.integers(0, len(other))) :][:200]
    return bytes(raw)


@given(damaged())
@settings(max_examples=300, deadline=None)
def test_any_damage_to_a_mail_gives_a_message(raw: bytes) -> None:
    check(read_all(raw))


@given(st.sampled_from(MAILS), st.data())
@settings(max_examples=150, deadline=None)
def test_a_mail_cut_anywhere_gives_a_message(raw: bytes, data: st.DataObject) -> None:
    check(read_all(raw[: data.draw(st.integers(0, len(raw)))]))
