"""Mails made to hurt: each gives a message, within bounds, at a cost that grows no faster than the mail."""

import time
from collections.abc import Callable

import pytest

from maild.message import address_list, headers, mime
from maild.message.parse import ATTACHMENTS, parse
from tests.unit.hostile import MAILS, SMALL
from tests.unit.reading import read_all

SIZE = 50_000  # a quadratic reader needs a second for it


def cost_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize("name", MAILS)
def test_twice_the_mail_costs_about_twice_the_time(name: str) -> None:
    small, large = MAILS[name](SIZE), MAILS[name](2 * SIZE)

    # The least of several runs, since a busy machine only ever adds; a linear reader gives 2, a quadratic one 4.
    for _ in range(6):
        once, twice = cost_s(lambda: read_all(small)), cost_s(lambda: read_all(large))
        if twice <= 2.6 * once + 0.02:
            return
    pytest.fail(f"{name}: {SIZE} bytes cost {once:.3f} s, twice as many {twice:.3f} s")


@pytest.mark.parametrize("name", MAILS)
def test_lists_are_bounded_whatever_the_mail(name: str) -> None:
    message = read_all(MAILS[name](SIZE))

    assert len(message.attachments) <= ATTACHMENTS
    assert len(message.references) <= headers.REFERENCES
    assert all(
        len(some) <= address_list.ADDRESSES for some in (message.froms, message.to, message.cc, message.reply_to)
    )
    parts = list(message.parts.walk())
    assert len(parts) <= mime.PARTS + mime.DEPTH
    assert max(part.depth for part in parts) <= mime.DEPTH
    assert len(message.subject) <= headers.VALUE_BYTES


@pytest.mark.parametrize("name", SMALL)
def test_small_malice_gives_a_message(name: str) -> None:
    message = read_all(SMALL[name])

    assert "\n" not in message.subject
    assert all("/" not in one.name for one in message.attachments)


def test_more_attachments_than_the_bound_are_told() -> None:
    message = parse(MAILS["many attachments"](SIZE))

    assert "attachments-too-many" in message.defects


def test_more_parts_than_the_bound_are_told() -> None:
    message = parse(MAILS["many parts"](SIZE))

    assert "parts-too-many" in message.defects


def test_deeper_nesting_than_the_bound_is_told_and_read_as_text() -> None:
    message = parse(MAILS["nested multiparts"](SIZE))

    assert "parts-too-deep" in message.defects
    assert "deep" in message.text


def test_a_header_section_longer_than_the_bound_is_cut_and_the_body_found() -> None:
    message = parse(b"Subject: x\n" + b"X-A: b\n" * 50_000 + b"From: late@x.example\n\nbody\n")

    assert "headers-cut" in message.defects
    assert message.subject == "x"
    assert message.text == "body\n"
