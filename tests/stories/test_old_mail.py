"""A mailbox that had mail before maild: it is kept and found again, and nobody gets a mail for it."""

from datetime import UTC, datetime, timedelta

from maild import inbox
from maild.rules.state import Status
from tests.stories.driver import ADA, ANNA, CONFIG, Desk

LONG_AGO = datetime(2024, 5, 1, 8, tzinfo=UTC)


def old(
    desk: Desk, number: int, *, subject: str = "Printer", answers: int = 0, to: str = "support@acme.example"
) -> int:
    """Store a mail as a mailbox is first read; return its id."""
    reference = f"In-Reply-To: <old{answers}@client.example>\r\n" if answers else ""
    raw = (
        f"From: Ada <{ADA}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Wed, 1 May 2024 08:00:00 +0000\r\n"
        f"Message-ID: <old{number}@client.example>\r\n{reference}\r\nIt does not work ({number}).\r\n"
    ).encode()
    mail = inbox.Incoming(None, (), "imap sales", raw, old_since=LONG_AGO + timedelta(days=number))
    with desk.database.write() as connection:
        [stored] = inbox.store(connection, [mail], desk.clock())
    return stored.mail_id


def test_old_mail_becomes_resolved_tickets_with_their_dates_and_tells_nobody(desk: Desk) -> None:
    for number in range(1, 4):
        old(desk, number)
    old(desk, 4, answers=1)
    desk.work()

    assert [desk.status(ticket) for ticket in desk.tickets()] == [Status.RESOLVED] * 3
    assert desk.ticket(1).created_at == LONG_AGO + timedelta(days=1)
    assert desk.filed(4).ticket_id == 1
    desk.wait(days=40)
    assert desk.post_office.got == []


def test_a_customer_who_writes_again_opens_his_old_ticket(desk: Desk) -> None:
    old(desk, 1)
    desk.work()
    new = desk.mail(ADA, "Re: Printer", headers="In-Reply-To: <old1@client.example>")

    assert desk.filed(new).ticket_id == 1
    assert desk.status(1) is Status.OPEN
    assert len(desk.mails_to(ANNA)) == 1


def test_old_mail_leaves_a_living_ticket_as_it_is(desk: Desk) -> None:
    desk.mail(ADA, "Printer")
    status = desk.status(1)
    desk.post_office.got.clear()
    raw = (
        f"From: {ADA}\r\nTo: support@acme.example\r\nSubject: Re\r\nMessage-ID: <late@client.example>\r\n"
        "In-Reply-To: <mail-1@client.example>\r\n\r\nFound in the attic.\r\n"
    ).encode()
    with desk.database.write() as connection:
        inbox.store(connection, [inbox.Incoming(None, (), "imap inbox", raw, old_since=LONG_AGO)], desk.clock())
    desk.work()

    assert desk.status(1) is status
    assert desk.post_office.got == []


def test_a_mailbox_says_whose_mail_it_is_unless_an_address_does(desk: Desk) -> None:
    box = '[[mailbox]]\nname = "sales"\nhost = "h"\nuser = "u"\npassword = "p"\ndepartment = "sales"\n'
    there = Desk(desk.database, desk.clock, CONFIG + box)
    old(there, 1, to="undisclosed@elsewhere.example")
    old(there, 2)
    there.work()

    assert [there.ticket(number).department for number in (1, 2)] == ["sales", "support"]
