"""However a block of words is broken, no customer sees any of it: everything is done, or nothing and nobody is told."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maild.message.commands import WORDS
from tests.stories.driver import ADA, ANNA, Desk

LINES = [word.example for word in WORDS.values()]


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """Lines of the table as somebody may write them, one of them with a slip of the finger."""
    lines = draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=3))
    at = draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    place = draw(st.integers(2, len(line)))  # what begins with a sign and no letter is no word: "#1"
    slip = draw(st.sampled_from(["", "x", " ", "#", "\u00a0", "’", "-"]))
    lines[at] = line[:place] + slip + line[place + draw(st.integers(0, 1)) :]
    return draw(st.sampled_from(["\r\n", "\r\n\r\n"])).join(lines)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("begun", [False, True], ids=["on a ticket", "to the department"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(blocks())
def test_no_part_of_a_block_reaches_a_customer(desk: Desk, begun: bool, block: str) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    before = len(desk.post_office.got)
    text = f"{block}\r\n\r\nPull the plug.\r\n"

    if begun:
        desk.mail(ANNA, "Your order", text, proven=True)
    else:
        desk.mail(ANNA, told.subject, text, answers=told, proven=True)
    desk.wait(days=1)

    customers = [each for each in desk.post_office.got[before:] if each.recipient.endswith("customer.example")]
    for got in customers:
        assert "#" not in got.text.partition("Ref:")[0], block
    desk.clock.advance(timedelta(hours=2))
