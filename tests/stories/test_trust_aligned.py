"""One thing proves one thing: links of others, mails to dead addresses, floods in a name, proofs of what destroys."""

import pytest
from sqlalchemy import select

from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import AddressRow, MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, MX, SUPPORT, Desk, Received

MALLORY = "mallory@evil.example"


@pytest.fixture
def reminder(desk: Desk) -> Received:
    """Ada's reminder of ticket 1, which Anna answered and in which Ben takes part; everybody has read his mail."""
    desk.mail(ADA, "Printer on fire", proven=True, cc=BEN)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    desk.wait(days=8)
    reminder = desk.mails_to(ADA)[-1]
    for each in (ANNA, BERT, BEN):
        desk.mails_to(each)
    return reminder


@pytest.mark.parametrize("sender", [ADA, BEN])
def test_who_takes_part_closes_by_the_link(desk: Desk, reminder: Received, sender: str) -> None:
    desk.mail(sender, "Solved", "Solved\r\n", to=reminder.action("s"))

    assert desk.status(1) is Status.RESOLVED


@pytest.mark.parametrize("word", ["s", "p"])
def test_whoever_is_forwarded_the_mail_closes_nothing_and_is_heard(desk: Desk, reminder: Received, word: str) -> None:
    desk.mail(MALLORY, "Solved", "Solved\r\n", to=reminder.action(word), proven=True)

    assert desk.status(1) is Status.OPEN
    assert "does not take part" in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == desk.mails_to(MALLORY) == []


def test_who_is_no_requester_any_more_closes_nothing(desk: Desk, reminder: Received) -> None:
    desk.mail(ADA, "Re: Printer on fire", answers=reminder)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, f"#requester {BEN}\r\n", answers=told)

    desk.mail(ADA, "Solved", "Solved\r\n", to=reminder.action("s"))

    assert desk.status(1) is Status.OPEN


def suppressed(desk: Desk) -> bool:
    with desk.database.read() as connection:
        until = connection.scalar(select(AddressRow.suppressed_until).where(AddressRow.normal == ADA))
    return until is not None


@pytest.mark.parametrize(
    ("how", "lifted"), [("name", False), ("proof", True), ("token", True), ("token of Ben", False)]
)
def test_what_lifts_a_suppression_is_proven_or_sent_to_an_address_of_his_own(
    desk: Desk, how: str, lifted: bool
) -> None:
    desk.mail(ADA, "Printer on fire", proven=True, cc=BEN)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    adas, bens = desk.mails_to(ADA)[-1], desk.mails_to(BEN)[-1]
    desk.post_office.refusals[ADA] = "550 5.1.1 no such user"
    desk.mail(ANNA, told.subject, "#force\r\nAnd the other one.\r\n", answers=told)
    assert suppressed(desk)
    desk.post_office.refusals.clear()

    to = {"token": adas.reply_to, "token of Ben": bens.reply_to}.get(how, SUPPORT)
    desk.mail(ADA, "Back again", to=to, proven=how == "proof")

    assert suppressed(desk) is not lifted


def test_a_flood_in_somebodys_name_draws_none_of_his_own_mail_and_reaches_none_of_his_tickets(desk: Desk) -> None:
    for number in range(10):
        desk.mail(ADA, f"Forged {number}", envelope_from=MALLORY)
    own = desk.mail(ADA, "Printer on fire", proven=True)
    forged = desk.mail(ADA, "Forged 11", envelope_from=MALLORY)

    assert desk.filed(own).purpose == "open"
    assert desk.filed(own).ticket_id == 11
    assert desk.filed(forged).ticket_id == 10


UNCHECKED = CONFIG.replace(f'authserv_id = "{MX}"', "check_senders = false")
PASSED = f"Authentication-Results: {MX}; dmarc=pass header.from=acme.example"


@pytest.mark.parametrize(
    ("config", "by_token", "proven", "deleted"),
    [
        (CONFIG, True, True, True),
        (CONFIG, True, False, False),
        (CONFIG, False, True, False),
        (UNCHECKED, True, False, True),
    ],
)
def test_what_destroys_asks_for_both_proofs_where_senders_are_checked(
    sqlite_database: Database, clock: FakeClock, config: str, by_token: bool, proven: bool, deleted: bool
) -> None:
    desk = Desk(sqlite_database, clock, config)
    desk.mail(ADA, "Printer on fire")
    [told] = desk.mails_to(ANNA)

    to = told.reply_to if by_token else SUPPORT
    desk.mail(ANNA, told.subject, "#delete\r\n", answers=told, to=to, proven=proven)

    assert (desk.status(1) is Status.DELETED) is deleted


def test_where_nothing_checks_senders_both_proofs_can_still_be_asked_for(
    sqlite_database: Database, clock: FakeClock
) -> None:
    config = UNCHECKED.replace("check_senders", 'agent_trust = "both"\ncheck_senders')
    desk = Desk(sqlite_database, clock, config)
    desk.mail(ADA, "Printer on fire")
    [told] = desk.mails_to(ANNA)

    mail = desk.mail(ANNA, told.subject, "#delete\r\n", answers=told)

    assert desk.filed(mail).state is MailState.HELD


def test_a_recipient_whom_the_relay_cannot_write_keeps_the_answer_from_nobody_else(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True, cc=f"Jürgen <jürgen@customer.example>, {BEN}")
    [told] = desk.mails_to(ANNA)
    desk.mails_to(ADA)
    why = "the relay takes no addresses beyond ASCII (SMTPUTF8, RFC 6531)"
    desk.post_office.refusals["jürgen@customer.example"] = f"5 {why}"
    desk.mails_to(BERT)

    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    assert "Pull the plug." in desk.mails_to(ADA)[0].text
    assert "Pull the plug." in desk.mails_to(BEN)[0].text
    [failed] = desk.mails_to(ANNA)
    assert "jürgen@customer.example" in failed.text
    assert "SMTPUTF8" in failed.text


@pytest.mark.parametrize(("sender", "linked"), [(ADA, True), (MALLORY, False)])
def test_a_mail_that_proves_two_tickets_is_on_the_newer_one_which_names_the_other(
    desk: Desk, sender: str, linked: bool
) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [first] = desk.mails_to(ADA)
    desk.mail(ADA, "No paper", proven=True)
    [second] = desk.mails_to(ADA)
    desk.mails_to(ANNA)
    ids = f"References: <{first.message.message_id}>"
    mail = desk.mail(
        sender, "Re: x", "Both.\r\n", to=SUPPORT, headers=f"{ids} <{second.message.message_id}>", proven=True
    )

    assert desk.filed(mail).ticket_id == 2
    assert bool(desk.ticket(2).related) is linked
    assert "The subject names" not in desk.mails_to(ANNA)[0].text
