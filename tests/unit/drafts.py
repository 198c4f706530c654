"""A draft to vary, and how what is composed from it is looked at."""

import email
import email.header
import email.policy
import email.utils
from datetime import UTC, datetime
from email.message import EmailMessage

from hypothesis import strategies as st

from maild.message.address import Address
from maild.message.compose import Draft

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
WORDS = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\r\n\t\0 =?,;:\"\\()<>@._%'\u2028\u0085\u202e\u200d\u0301äß漢😀"),
    max_size=300,
)


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
