"""Two desks write to each other, and a forwarder brings a desk its own mail back: it comes to rest."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from maild.message.parse import parse
from maild.store.engine import Database
from maild.store.models import Direction, MailRow
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, CONFIG, SUPPORT, Desk, Received

THEIRS = "help@beta.example"
BERTA = "berta@beta.example"
DAYS = 40


@pytest.fixture
def desks(_sqlite_template: Path, tmp_path: Path, clock: FakeClock) -> Iterator[tuple[Desk, Desk]]:
    """Ours of acme.example, and another of beta.example."""
    databases = []
    for name in ("ours", "theirs"):
        shutil.copyfile(_sqlite_template, tmp_path / name)
        databases.append(Database(f"sqlite:///{tmp_path / name}"))
    other = CONFIG.replace("support@acme.example", THEIRS).replace("anna@acme.example", BERTA)
    yield Desk(databases[0], clock), Desk(databases[1], clock, other.replace("acme.example", "beta.example"))
    for each in databases:
        each.close()


def carry(post: list[Received], seen: int, to: Desk, domain: str) -> int:
    """Deliver what one desk sent to the other's domain as it is; return how much of the post was seen."""
    for mail in post[seen:]:
        if mail.recipient.endswith(f"@{domain}"):
            null = parse(mail.raw).header("auto-submitted") not in ("", "no")
            to.deliver(mail.raw, "" if null else parse(mail.raw).from_.address, mail.recipient)
    return len(post)


def live(ours: Desk, theirs: Desk, agents: dict[str, Desk]) -> None:
    """Let both go on for a while: what one sends to the other arrives, and each agent answers all that he gets."""
    seen = [0, 0]
    for _ in range(DAYS * 4):
        for _ in range(30):
            before = list(seen)
            mine, yours = ours.post_office.got, theirs.post_office.got
            seen = [carry(mine, seen[0], theirs, "beta.example"), carry(yours, seen[1], ours, "acme.example")]
            if seen == before:
                break
        else:
            raise AssertionError("they write to each other without an end")
        for agent, desk in agents.items():
            for told in desk.mails_to(agent):
                desk.mail(agent, f"Re: {told.subject}", "We look into it.\r\n", answers=told, proven=True)
        now = ours.clock()
        ours.wait(hours=6)
        theirs.clock.set(now)
        theirs.wait(hours=6)


def mails(desk: Desk) -> int:
    with desk.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(MailRow)) or 0


def test_a_forged_first_mail_sets_no_two_desks_on_each_other(desks: tuple[Desk, Desk]) -> None:
    ours, theirs = desks
    ours.mail(THEIRS, "Hello", "Are you there?\r\n", to=SUPPORT)

    live(ours, theirs, {})

    assert mails(ours) < 60  # the agents' daily reminders included
    assert mails(theirs) < 60


def test_agents_of_two_desks_who_answer_everything_are_stopped_by_nobody_but_do_not_multiply(
    desks: tuple[Desk, Desk],
) -> None:
    ours, theirs = desks
    ours.mail(THEIRS, "Hello", "Are you there?\r\n", to=SUPPORT, proven=True)

    live(ours, theirs, {ANNA: ours, BERTA: theirs})

    assert (len(ours.tickets()), len(theirs.tickets())) == (1, 1)
    assert 0 < answers(ours) + answers(theirs) <= 4 * 2 * DAYS  # what people write, one each time they look


def answers(desk: Desk) -> int:
    with desk.database.read() as connection:
        wanted = select(func.count()).where(MailRow.purpose == "answer", MailRow.direction == Direction.OUT)
        return connection.scalar(wanted) or 0


@pytest.mark.parametrize("rewritten", [False, True], ids=["as it is", "with an id and an author of its own"])
@pytest.mark.parametrize("auto", [False, True], ids=["by hand", "by a machine"])
def test_a_customer_whose_mailbox_sends_everything_back_opens_one_ticket(
    desks: tuple[Desk, Desk], rewritten: bool, auto: bool
) -> None:
    ours, _ = desks
    ours.mail(ADA, "Hello", "Are you there?\r\n", proven=True)
    [told] = ours.mails_to(ANNA)
    ours.mail(ANNA, "Re: Hello", "We are.\r\n", answers=told, proven=True)
    for day in range(DAYS):
        for number, mail in enumerate(ours.mails_to(ADA)):
            raw = mail.raw
            if rewritten:
                head, _, body = raw.partition(b"\r\n\r\n")
                gone = (b"message-id", b"from", b"auto-", b"x-auto", b"references", b"in-reply-to", b"reply-to")
                lines = [each for each in head.split(b"\r\n") if not each.lower().startswith(gone)]
                lines += [b"From: ada@customer.example", b"Message-ID: <back-%d-%d@customer.example>" % (day, number)]
                lines += [b"Auto-Submitted: auto-generated"] * auto
                raw = b"\r\n".join(lines) + b"\r\n\r\n" + body
            ours.deliver(raw, "" if auto else ADA, SUPPORT)
        ours.wait(days=1)

    assert len(ours.tickets()) <= 2
    assert len([each for each in ours.post_office.got if each.recipient == ADA]) <= 15
