"""A From that two readers may read in two ways proves no agent."""

import pytest

from maild.message.authorship import is_plain
from maild.message.parse import parse

ANNA = "anna@acme.example"


def plain(written: str) -> bool:
    return is_plain(parse(f"To: x@y.example\r\n{written}\r\n\r\nFrom : not a header\r\n".encode()))


@pytest.mark.parametrize(
    "written",
    [
        f"From: {ANNA}",
        f"From: <{ANNA}>",
        f"From: Anna Berg <{ANNA}>",
        f'From: "Berg, Anna: Support" <{ANNA}>',
        f"From: Berg, Anna <{ANNA}>",
        f"From: =?utf-8?q?Anna_M=C3=BCller?= <{ANNA}>",
        f"From: {ANNA} <{ANNA}>",
        f"From: '{ANNA}' <Anna@ACME.example>",
        f'From: "{ANNA}" <{ANNA}>',
        f"From: {ANNA} (Anna Berg)",
        f"From: Anna O'Neil\r\n <{ANNA}>",
        "From: Анна <анна@пример.example>",
    ],
)
def test_what_mail_programs_write_is_plain(written: str) -> None:
    assert plain(written)


@pytest.mark.parametrize(
    "written",
    [
        f"From: <{ANNA}> <eve@evil.example>",
        f"From: {ANNA}, eve@evil.example",
        f"From: {ANNA}\r\nFrom: eve@evil.example",
        f"From: eve@evil.example <{ANNA}>",
        f"From: Anna (eve@evil.example) <{ANNA}>",
        f"From: Anna: {ANNA};",
        f"From: Anna:<{ANNA}>",
        f"From: <@evil.example:{ANNA}>",
        f"From: <mailto:{ANNA}>",
        f"From: '{ANNA}'",
        f'From: "{ANNA}" <>',
        "From: =?utf-8?q?anna=40acme.example?=",
        "From: =?utf-8?b?PGFubmFAYWNtZS5leGFtcGxlPg==?= <x>",
        f"From : {ANNA}",
        f"Sender: {ANNA}",
        "From: " + "a" * 3_000 + f" <{ANNA}>",
    ],
)
def test_what_can_be_read_in_two_ways_is_not(written: str) -> None:
    assert not plain(written)
