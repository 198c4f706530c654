"""Mails that lead to nobody, or to somebody else: whom maild answers, and what it tells the agents instead."""

import pytest

from maild.desk import Happening
from maild.rules.events import Merge, Reopen, Resolve
from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, MX, SUPPORT, Desk, Received

MALLORY = "mallory@evil.example"
VICTIM = "victim@somewhere.example"
FAILED = f"Authentication-Results: {MX}; dmarc=fail header.from=customer.example"


def answered(desk: Desk) -> Received:
    """Let Ada ask and Anna answer; return the answer that Ada got."""
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    return desk.mails_to(ADA)[-1]


def happen(desk: Desk, ticket: int, *events) -> None:
    with desk.database.write() as connection:
        desk.works.desk.handle(connection, [Happening(ticket, each, ANNA) for each in events], desk.clock())


def test_a_proven_sender_cannot_have_his_words_sent_to_the_victim_in_reply_to(desk: Desk) -> None:
    desk.mail(MALLORY, "BUY NOW", "BUY NOW\r\n", headers=f"Reply-To: {VICTIM}", proven=True)
    desk.mail(MALLORY, "BUY MORE", "BUY MORE\r\n", headers=f"Reply-To: {VICTIM}", proven=True)

    [acknowledged] = desk.mails_to(VICTIM)
    assert "BUY" not in acknowledged.raw.decode()


@pytest.mark.parametrize("sender", [SUPPORT, "sales@acme.example", f"Support <{SUPPORT.replace('@', '+x@')}>"])
def test_a_mail_in_our_own_name_is_not_acknowledged_to_ourselves(desk: Desk, sender: str) -> None:
    desk.mail(sender, "Who am I?")

    assert {each.recipient for each in desk.post_office.got} == {ANNA, BERT}


@pytest.mark.parametrize("sender", ["", f"From: {SUPPORT}\r\n", "From: nobody at all\r\n"])
def test_an_answer_that_nobody_can_get_comes_back_to_the_agent(desk: Desk, sender: str) -> None:
    desk.deliver(f"{sender}Message-ID: <1@x.example>\r\nSubject: Hello\r\n\r\nHello\r\n".encode(), "", SUPPORT)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    [returned] = desk.mails_to(ANNA)
    assert "Pull the plug." in returned.text
    assert desk.status(1) is Status.OPEN
    assert desk.ticket(1).undelivered


@pytest.mark.parametrize("header", ["From", "Cc", "Reply-To"])
def test_an_address_that_is_too_long_for_any_mailbox_does_not_keep_a_mail_from_its_ticket(
    desk: Desk, header: str
) -> None:
    address = "a" * 400 + "@b.example"
    sender = "" if header == "From" else f"From: {ADA}\r\n"
    raw = f"{sender}{header}: {address}\r\nMessage-ID: <1@x.example>\r\nSubject: Hello\r\n\r\nHello\r\n"
    mail = desk.deliver(raw.encode(), ADA, SUPPORT)

    assert desk.filed(mail).state is MailState.FILED
    assert len(desk.mails_to(ANNA)) == 1


@pytest.mark.parametrize(("sender", "headers"), [(MALLORY, ""), (ADA, FAILED)])
def test_a_stranger_on_a_closed_ticket_opens_another_of_which_the_customer_hears_nothing(
    desk: Desk, sender: str, headers: str
) -> None:
    answer = answered(desk)
    desk.wait(days=40)
    assert desk.status(1) is Status.CLOSED
    desk.mails_to(ADA)

    desk.mail(sender, "EVIL", "Your code is 987654\r\n", answers=answer, headers=headers)

    assert desk.status(2) is Status.NEW
    assert desk.mails_to(ADA) == []
    assert "987654" in desk.mails_to(ANNA)[-1].text


def test_a_strangers_click_on_a_closed_ticket_tells_the_customer_nothing(desk: Desk) -> None:
    answered(desk)
    desk.wait(days=11)
    problem = desk.mails_to(ADA)[-1].action("p")
    desk.wait(days=40)
    assert desk.status(1) is Status.CLOSED
    desk.mails_to(ADA)

    desk.mail(MALLORY, "EVIL", "EVIL\r\n", to=problem)

    assert desk.status(2) is Status.NEW
    assert desk.mails_to(ADA) == []


def test_who_writes_in_anothers_name_gets_no_copy_of_the_answer(desk: Desk) -> None:
    desk.mail(ADA, "Reset my password", cc=MALLORY, headers=FAILED)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "It is swordfish.\r\n", answers=told)

    assert len(desk.mails_to(ADA)) == 1
    assert desk.mails_to(MALLORY) == []


@pytest.mark.parametrize("copied", ["ben@", "@customer.example", "ben ben@customer.example", '"' * 9 + "@b.example"])
def test_a_misspelt_address_in_cc_does_not_keep_the_answer_from_the_others(desk: Desk, copied: str) -> None:
    desk.mail(ADA, "Printer on fire", cc=f"{copied}, {BEN}")
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    assert "Pull the plug." in desk.mails_to(ADA)[-1].text
    assert "Pull the plug." in desk.mails_to(BEN)[-1].text


def test_an_answer_that_fails_after_its_ticket_was_merged_opens_the_other_and_tells_the_agent(desk: Desk) -> None:
    desk.post_office.refusals[ADA] = "451 later"
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    desk.mail(BEN, "The same printer", proven=True)
    happen(desk, 1, Merge(desk.clock(), 2))
    desk.mails_to(ANNA)

    desk.post_office.refusals[ADA] = "550 no such user"
    desk.wait(hours=2)

    [failed] = desk.mails_to(ANNA)
    assert "550 no such user" in failed.text
    assert desk.ticket(2).undelivered


def test_too_many_mails_go_to_the_ticket_that_lives_on_when_theirs_was_merged(desk: Desk) -> None:
    for number in range(10):
        desk.mail(ADA, f"Alarm {number}")
    happen(desk, 10, Merge(desk.clock(), 1))
    desk.mails_to(ANNA)

    mail = desk.mail(ADA, "Help", "It really burns.\r\n")

    assert desk.filed(mail).ticket_id == 1
    assert "It really burns." in desk.mails_to(ANNA)[-1].text


def test_the_history_says_from_when_on_a_ticket_is_silenced(desk: Desk) -> None:
    answered(desk)
    for _ in range(6):
        happen(desk, 1, Resolve(desk.clock()), Reopen(desk.clock()))
        desk.clock.advance(minutes=11)

    [silenced] = [each for each in desk.history(1) if each[0] == "silenced_until"]
    assert silenced[1] is None
    assert silenced[2] is not None


def test_a_ticket_resolved_by_words_alone_stays_in_the_customers_conversation(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mails_to(ADA)

    desk.mail(ANNA, told.subject, "#resolve\r\n", answers=told)

    [resolved] = desk.mails_to(ADA)
    assert resolved.message.references[0] == "mail-1@client.example"
    assert not any("agents" in each or each == "mail-2@client.example" for each in resolved.message.references)


def test_of_a_department_in_which_nobody_works_all_agents_hear(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock, CONFIG.replace('["support", "sales"]', '["support"]'))
    desk.mail(ADA, "A larger printer", to="sales@acme.example", proven=True)

    [told] = desk.mails_to(ANNA)
    assert len(desk.mails_to(BERT)) == 1
    desk.mail(ANNA, told.subject, "It costs 42.\r\n", answers=told)
    assert "It costs 42." in desk.mails_to(ADA)[-1].text
