"""Conversations that go wrong elsewhere: machines that answer machines, wrong recipients, borrowed names.

Each ends in the same question: who got what, and who did not.
"""

import re
from collections import Counter

import pytest

from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, MX, SUPPORT, Desk, Received

SALES = "sales@acme.example"
CARA = "cara@other.example"
MALLORY = "mallory@evil.example"
AWAY = "Auto-Submitted: auto-replied"
FAILED = f"Authentication-Results: {MX}; dmarc=fail header.from="


@pytest.fixture
def desk(sqlite_database: Database, clock: FakeClock) -> Desk:
    return Desk(sqlite_database, clock)


def begun(desk: Desk, cc: str = "") -> Received:
    """Anna's notification of ticket 1."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True, cc=cc)
    return desk.mails_to(ANNA)[-1]


def answered(desk: Desk, told: Received, text: str = "Pull the plug.\r\n", cc: str = "") -> Received:
    """Ada's copy of Anna's answer."""
    desk.clock.advance(minutes=1)
    desk.mail(ANNA, told.subject, f"#force\r\n{text}", answers=told, cc=cc)
    return desk.mails_to(ADA)[-1]


def got(desk: Desk) -> Counter[str]:
    return Counter(each.recipient for each in desk.post_office.got)


def after(desk: Desk, before: Counter[str]) -> dict[str, int]:
    """How many mails each got since."""
    return dict(got(desk) - before)


def leave_address(received: Received) -> str:
    return received.message.header("list-unsubscribe").removeprefix("<mailto:").partition("?")[0]


MACHINES = {
    "a responder that says so": ("Re: x", AWAY),
    "Exchange": ("Automatic reply: x", "X-Auto-Response-Suppress: All\nAuto-Submitted: auto-generated"),
    "an old responder": ("Out of Office: x", "Precedence: auto_reply"),
    "a German one without a mark": ("Abwesenheitsnotiz: x", ""),
    "vacation(1)": ("away from my mail", "Precedence: bulk"),
    "another desk": ("[Ticket#2026] Re: x", "X-OTRS-Loop: yes\nAuto-Submitted: auto-generated"),
    "a loop": ("Re: x", "X-Loop: help@other.example\nAuto-Submitted: auto-replied"),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("whose", ["customer", "participant", "agent"])
def test_no_machine_is_answered_whatever_it_answers(desk: Desk, machine: str, whose: str) -> None:
    told = begun(desk, cc=BEN)
    adas = answered(desk, told)
    [bens] = desk.mails_to(BEN)
    sender, received = {"customer": (ADA, adas), "participant": (BEN, bens), "agent": (ANNA, told)}[whose]
    subject, marks = MACHINES[machine]
    before, ticket = got(desk), desk.ticket(1)

    for _ in range(5):
        desk.clock.advance(minutes=1)
        desk.mail(sender, subject, "I am out of the office until Monday.\r\n", answers=received, headers=marks)

    assert after(desk, before) == {}
    assert desk.ticket(1) == ticket


def test_two_desks_that_are_participants_of_each_other_exchange_no_word(desk: Desk) -> None:
    told = begun(desk, cc="help@other.example")
    answered(desk, told)
    before = got(desk)

    for each in desk.mails_to("help@other.example"):
        for _ in range(10):
            desk.mail(
                "help@other.example", "[REQ-7] got it", "Ticket 7\r\n", answers=each, headers=AWAY, envelope_from=""
            )

    assert after(desk, before) == {}


def test_a_desk_that_forgets_to_mark_its_mails_hears_nothing_from_a_machine(desk: Desk) -> None:
    told = begun(desk, cc="help@other.example")
    answered(desk, told)
    [copy] = desk.mails_to("help@other.example")
    before = got(desk)

    for number in range(10):
        desk.clock.advance(minutes=1)
        desk.mail("help@other.example", "[REQ-7] got it", f"Ticket {number}\r\n", answers=copy)

    assert set(after(desk, before)) == {ANNA}


@pytest.mark.parametrize("named", [ANNA, BERT, SUPPORT, SALES, f"support+x@{SUPPORT.partition('@')[2]}"])
def test_a_reply_to_that_names_us_leads_to_its_author(desk: Desk, named: str) -> None:
    desk.mail(ADA, "Printer", headers=f"Reply-To: {named}", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(BERT, told.subject, "Pull the plug.\r\n", to=desk.mails_to(BERT)[-1].reply_to)

    assert "Pull the plug." in desk.mails_to(ADA)[-1].text
    assert not [each for each in desk.mails_to(ANNA) if "received your message" in each.subject]


@pytest.mark.parametrize("named", ["mailer-daemon@v.example", "noreply@v.example", "postmaster@v.example"])
def test_a_reply_to_that_nobody_reads_is_acknowledged_by_nobody(desk: Desk, named: str) -> None:
    desk.mail(ADA, "Printer", headers=f"Reply-To: {named}", proven=True)

    assert set(got(desk)) == {ANNA, BERT}


def test_a_reply_to_that_names_a_victim_sends_him_nothing_of_the_mail(desk: Desk) -> None:
    desk.mail(MALLORY, "Buy my pills", "Cheap pills\r\n", headers="Reply-To: victim@v.example", proven=True)

    [told] = desk.mails_to("victim@v.example")
    assert "ills" not in told.raw.decode()


def test_one_mail_to_two_desks_of_ours_is_one_ticket_and_told_to_both(desk: Desk) -> None:
    desk.mail(ADA, "Both", to=SUPPORT, cc=SALES, rcpt=(SUPPORT, SALES), proven=True)

    assert desk.tickets() == [1]
    assert got(desk) == {ADA: 1, ANNA: 1, BERT: 1}


def test_a_friend_who_answers_a_forwarded_answer_is_no_customer(desk: Desk) -> None:
    adas = answered(desk, begun(desk))
    before = got(desk)
    desk.mail("friend@x.example", f"Fwd: {adas.subject}", "Funny people.\r\n", answers=adas, proven=True)

    assert after(desk, before) == {ANNA: 1}
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, told.subject, "Dear Ada, all well.\r\n", answers=told)
    assert desk.mails_to("friend@x.example") == []


def test_a_mail_that_reaches_us_by_bcc_stays_on_its_ticket_and_brings_nobody_along(desk: Desk) -> None:
    adas = answered(desk, begun(desk))
    desk.mail(ADA, "FYI", to=CARA, rcpt=(adas.reply_to,))
    answered(desk, desk.mails_to(ANNA)[-1])

    assert desk.tickets() == [1]
    assert desk.mails_to(CARA) == []


def test_mail_in_our_own_name_is_answered_to_nobody(desk: Desk) -> None:
    for sender in (SUPPORT, SALES, "support+x@acme.example"):
        desk.mail(sender, "hello", proven=True)

    assert set(got(desk)) == {ANNA, BERT}


@pytest.mark.parametrize("way", ["as it was", "resent", "by a list", "by another host"])
def test_our_own_answer_that_comes_back_is_nobodys_words(desk: Desk, way: str) -> None:
    adas = answered(desk, begun(desk))
    before, ticket = got(desk), desk.ticket(1)
    top = {
        "as it was": b"",
        "resent": b"Resent-From: friend@x.example\r\nResent-To: support@acme.example\r\n",
        "by a list": b"List-Id: <list.x.example>\r\n",
        "by another host": b"Received: from a by b; Mon, 2 Mar 2026 12:00:00 +0000\r\n",
    }[way]

    mail = desk.deliver(top + adas.raw, "friend@x.example", SUPPORT)

    assert desk.filed(mail).state is MailState.NOTED
    assert after(desk, before) == {}
    assert desk.ticket(1) == ticket


def test_who_writes_to_the_addresses_of_two_people_writes_once(desk: Desk) -> None:
    told = begun(desk, cc=BEN)
    adas = answered(desk, told)
    [bens] = desk.mails_to(BEN)
    before = got(desk)
    desk.mail(BEN, "Re: x", to=bens.reply_to, cc=adas.reply_to, rcpt=(bens.reply_to, adas.reply_to), proven=True)

    assert after(desk, before) == {ANNA: 1}


@pytest.mark.parametrize("proven", [True, False])
def test_an_agent_at_his_customers_address_answers_only_with_proof(desk: Desk, proven: bool) -> None:
    adas = answered(desk, begun(desk))
    desk.mails_to(ADA)
    desk.mail(BERT, "Re: x", "I help her.\r\n", to=adas.reply_to, proven=proven)

    assert bool(desk.mails_to(ADA)) is proven


def test_the_people_of_a_merged_ticket_get_the_answer_once_each(desk: Desk) -> None:
    first = begun(desk, cc=f"{BEN}, {CARA}")
    desk.mail(CARA, "Same here", proven=True, cc=BEN)
    second = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, first.subject, "#merge 2\r\n", answers=first, proven=True)
    before = got(desk)
    desk.mail(ANNA, second.subject, "#force\r\nFixed.\r\n", answers=second)

    assert {who: number for who, number in after(desk, before).items() if who != ANNA} == {ADA: 1, BEN: 1, CARA: 1}


def test_who_left_a_ticket_is_not_brought_back_by_an_old_copy_of_it(desk: Desk) -> None:
    told = begun(desk, cc=BEN)
    answered(desk, told)
    [bens] = desk.mails_to(BEN)
    desk.mail(BEN, "Leave", to=leave_address(bens))
    desk.mail(BEN, "Re: x", "One more thing.\r\n", answers=bens, proven=True)
    heard = desk.mails_to(ANNA)[-1]

    assert "does not take part" in heard.text
    answered(desk, heard)
    assert desk.mails_to(BEN) == []


def test_a_participant_whose_mail_bounces_silences_nobody_else(desk: Desk) -> None:
    told = begun(desk, cc=BEN)
    desk.post_office.refusals[BEN] = "550 5.1.1 no such user"
    answered(desk, told)

    assert desk.status(1) is Status.OPEN  # one of them has no answer
    assert "no such user" in desk.mails_to(ANNA)[-1].text
    desk.mail(ADA, "Re: Printer on fire", headers="In-Reply-To: <mail-1@client.example>", proven=True)
    assert answered(desk, desk.mails_to(ANNA)[-1])


@pytest.mark.parametrize("sender", [BERT, MALLORY, ADA])
def test_an_agents_desk_address_answers_nobody_else(desk: Desk, sender: str) -> None:
    told = begun(desk)
    found = re.search(r"support\+t0\.d\d+\.\w+@acme\.example", told.text)
    assert found
    before = got(desk)
    desk.mail(sender, "list", "list\r\n", to=found[0], proven=True)

    shown = [each for each in desk.post_office.got[sum(before.values()) :] if each.recipient == sender]
    assert not any("Printer on fire" in each.text for each in shown)


def test_a_calendar_that_accepts_is_heard_and_not_answered(desk: Desk) -> None:
    adas = answered(desk, begun(desk))
    before = got(desk)
    calendar = "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n"
    kind = "MIME-Version: 1.0\nContent-Type: text/calendar; method=REPLY"
    desk.mail(ADA, f"Accepted: {adas.subject}", calendar, answers=adas, headers=kind)

    assert set(after(desk, before)) <= {ANNA}


def test_a_receipt_of_an_answer_changes_nothing(desk: Desk) -> None:
    adas = answered(desk, begun(desk))
    before, ticket = got(desk), desk.ticket(1)
    body = (
        "--b\r\nContent-Type: text/plain\r\n\r\nread\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Original-Message-ID: <{adas.message.message_id}>\r\n--b--\r\n"
    )
    kind = 'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary="b"'
    desk.mail(ADA, "Read: x", body, answers=adas, headers=kind)

    assert after(desk, before) == {}
    assert desk.ticket(1) == ticket


def test_a_challenge_is_a_request_that_no_machine_answers(desk: Desk) -> None:
    begun(desk)
    before = got(desk)
    desk.mail("confirm@arrest.example", "Please confirm", "click\r\n", headers="Precedence: bulk")

    assert set(after(desk, before)) == {ANNA, BERT}


@pytest.mark.parametrize("authors", [f"{ADA}, {ANNA}", f"{ANNA}, {ADA}"])
def test_a_mail_of_two_authors_is_no_agents(desk: Desk, authors: str) -> None:
    told = begun(desk)
    desk.mails_to(ADA)
    desk.mail(authors, told.subject, "Send money.\r\n", to=told.reply_to, envelope_from=MALLORY)

    assert not [each for each in desk.mails_to(ADA) if "Send money" in each.text]


def test_a_name_that_looks_like_an_address_is_no_address(desk: Desk) -> None:
    told = begun(desk)
    desk.mail(f'"{ANNA}" <{MALLORY}>', told.subject, "Send money.\r\n", to=told.reply_to)
    desk.mail(f'"{ADA}" <{MALLORY}>', "Re: [#1] Printer on fire", "Tell me all.\r\n")

    assert not [each for each in desk.post_office.got if each.recipient == ADA and "Send money" in each.text]
    assert desk.tickets() == [1, 2]  # a name and a tag are no proof: his second mail is a request of his own


def test_a_closed_ticket_is_taken_up_by_a_stranger_without_its_customers_knowledge(desk: Desk) -> None:
    told = begun(desk)
    adas = answered(desk, told)
    desk.mail(ANNA, told.subject, "#close\r\n", answers=told)
    before = got(desk)
    desk.mail(MALLORY, "Re: x", "My pills.\r\n", answers=adas, proven=True)

    assert ADA not in after(desk, before)
    assert MALLORY not in after(desk, before)


def test_who_answers_an_acknowledgement_is_not_acknowledged_again(desk: Desk) -> None:
    begun(desk)
    [thanks] = desk.mails_to(ADA)
    for _ in range(5):
        desk.mail(ADA, thanks.subject, "Thank you.\r\n", answers=thanks, proven=True)

    assert desk.mails_to(ADA) == []


def test_an_agents_note_to_a_customers_address_stays_a_note(desk: Desk) -> None:
    adas = answered(desk, begun(desk))
    desk.mail(ANNA, "Re: x", "#note\r\nHe is rude.\r\n", to=adas.reply_to, proven=True)

    assert desk.mails_to(ADA) == []


def test_both_addresses_of_an_agent_in_one_mail_mean_the_careful_one(desk: Desk) -> None:
    told = begun(desk)
    note = re.search(r"support\+t1\.n\d+\.\w+@acme\.example", told.text)
    assert note
    desk.mails_to(ADA)
    desk.mail(ANNA, told.subject, "He is rude.\r\n", to=told.reply_to, cc=note[0], rcpt=(told.reply_to, note[0]))

    assert desk.mails_to(ADA) == []


def test_an_answer_by_an_old_notification_of_a_merged_ticket_reaches_the_living_one_alone(desk: Desk) -> None:
    first = begun(desk)
    desk.mail(CARA, "Same here", proven=True)
    desk.mails_to(ANNA)
    desk.mail(ANNA, first.subject, "#merge 2\r\n", answers=first, proven=True)
    before = got(desk)
    desk.mail(ANNA, first.subject, "#force\r\nFixed.\r\n", answers=first)

    sent = after(desk, before)
    assert sent.get(CARA) == sent.get(ADA) == 1
    assert desk.tickets() == [1, 2]


def test_a_forged_name_in_cc_of_a_first_mail_gets_no_answers(desk: Desk) -> None:
    desk.mail(ADA, "Printer", envelope_from=MALLORY, cc=MALLORY, headers=f"{FAILED}customer.example")
    answered(desk, desk.mails_to(ANNA)[-1])

    assert desk.mails_to(MALLORY) == []
