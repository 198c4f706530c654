"""What a stranger, a liar and a machine can do to a desk: nothing."""

import re

import pytest

from maild.rules.state import Status
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BEN, BERT, MX, SUPPORT, Desk, Received

MALLORY = "mallory@evil.example"


def quiet(desk: Desk) -> bool:
    """Return whether nobody got anything since he last looked."""
    return all(desk.mails_to(each) == [] for each in (ADA, ANNA, BERT, BEN, MALLORY))


def test_an_agents_name_without_his_proof_is_held(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Send me your password.\r\n", to=SUPPORT, envelope_from=MALLORY)

    assert desk.filed(mail).state is MailState.HELD
    assert desk.status(1) is Status.NEW
    assert len(desk.mails_to(ANNA)) == 1  # she is asked whether it is hers
    assert quiet(desk)


def test_an_agents_name_on_another_agents_reply_address_is_held(desk: Desk, told: Received) -> None:
    mail = desk.mail(BERT, told.subject, "I stole this.\r\n", answers=told)

    assert desk.filed(mail).state is MailState.HELD
    assert len(desk.mails_to(BERT)) == 1  # he is asked whether it is his
    assert quiet(desk)


def test_a_stranger_at_an_agents_reply_address_is_no_agent(desk: Desk, told: Received) -> None:
    desk.mail(MALLORY, told.subject, "Hello customer.\r\n", answers=told)

    assert desk.status(1) is Status.NEW
    assert desk.mails_to(ADA) == []
    assert "does not take part" in desk.mails_to(BERT)[0].text


def test_a_failed_authentication_never_passes_for_an_agent(desk: Desk, told: Received) -> None:
    failed = f"Authentication-Results: {MX}; dmarc=fail header.from=acme.example"
    mail = desk.mail(ANNA, told.subject, "It is me.\r\n", answers=told, headers=failed)

    assert desk.filed(mail).state is MailState.HELD
    assert quiet(desk)


def test_results_of_a_host_that_is_not_ours_prove_nothing(desk: Desk) -> None:
    forged = "Authentication-Results: mx.evil.example; dmarc=pass header.from=acme.example"
    mail = desk.mail(ANNA, "Hello", "I have no token.\r\n", headers=forged)

    assert desk.filed(mail).state is MailState.HELD


@pytest.mark.parametrize("change", ["ticket", "role", "address", "mac"])
def test_a_changed_token_reaches_no_ticket(desk: Desk, told: Received, change: str) -> None:
    local, _, domain = told.reply_to.partition("@")
    changed = {
        "ticket": local.replace("+t1.", "+t2."),
        "role": re.sub(r"\.a(\d)", r".c\1", local),
        "address": re.sub(r"\.a\d+", ".a99", local),
        "mac": local[:-1] + ("a" if local[-1] != "a" else "b"),
    }[change]
    desk.mail(MALLORY, "Let me in", to=f"{changed}@{domain}")

    assert desk.status(1) is Status.NEW
    with desk.database.read() as connection:
        assert desk.ticket(1).waiting_since == desk.ticket(1).created_at
        assert connection is not None
    assert 2 in desk.tickets()  # a mail is a mail: it is a request of his own


def test_a_guessed_number_in_the_subject_reaches_no_ticket_and_names_it_to_the_agent(
    desk: Desk, told: Received
) -> None:
    desk.mail(MALLORY, "Re: [#1] Printer on fire", "What is the password?\r\n")

    assert desk.tickets() == [1, 2]
    assert desk.mails_to(ADA) == []
    assert "#1" in desk.mails_to(ANNA)[0].text


def test_a_stolen_reference_makes_a_stranger_a_third_party_whom_the_customer_never_hears(
    desk: Desk, told: Received
) -> None:
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [answer] = desk.mails_to(ADA)
    desk.mail(MALLORY, "Re: Printer on fire", "Code 123456\r\n", answers=answer)

    assert desk.tickets() == [1]
    assert desk.status(1) is Status.OPEN
    assert desk.mails_to(ADA) == []
    [warned] = desk.mails_to(ANNA)
    assert "does not take part" in warned.text
    desk.mail(ANNA, warned.subject, "Who are you?\r\n", answers=warned)
    assert desk.mails_to(MALLORY) == []
    assert "123456" not in desk.mails_to(ADA)[0].raw.decode()


def test_a_verification_mail_to_a_tickets_address_goes_to_no_customer(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [answer] = desk.mails_to(ADA)
    desk.mail("noreply@service.example", "Your code is 987654", "987654\r\n", to=answer.reply_to)

    assert all("987654" not in each.raw.decode() for each in desk.post_office.got if each.recipient == ADA)


def test_an_out_of_office_note_changes_nothing_and_is_not_answered(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [answer] = desk.mails_to(ADA)
    desk.mails_to(ANNA)
    before = desk.ticket(1)

    desk.mail(ADA, "Out of office", "I am away.\r\n", answers=answer, headers="Auto-Submitted: auto-replied")

    assert desk.ticket(1) == before
    assert quiet(desk)


def test_two_desks_that_acknowledge_each_other_stop_at_once(desk: Desk) -> None:
    for number in range(30):
        desk.mail(
            "support@other.example",
            "Re: " * number + "We have your mail",
            f"Ticket {number}\r\n",
            proven=True,
        )
        desk.clock.advance(minutes=2)

    sent = desk.mails_to("support@other.example")
    assert len(sent) <= 3
    assert len(desk.tickets()) <= 16


def test_a_responder_on_one_ticket_gets_a_few_mails_and_then_none(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    for _ in range(20):
        last = (desk.mails_to(ADA) or [None])[-1]
        if last is None:
            break
        desk.mail(ADA, "I answer everything", "Thank you for your mail\r\n", answers=last)
        desk.clock.advance(minutes=1)

    assert len([each for each in desk.post_office.got if each.recipient == ADA]) == 1


def test_ten_thousand_forged_senders_get_a_hundred_mails_an_hour_at_most(desk: Desk) -> None:
    for number in range(150):
        desk.mail(f"victim{number}@somewhere{number % 10}.example", "OBSCENE", "OBSCENE\r\n", work=False)
    desk.work()

    got = [each for each in desk.post_office.got if each.recipient.startswith("victim")]
    assert len(got) == 100
    assert not any("OBSCENE" in each.raw.decode() for each in got)


def test_a_domain_whose_names_are_forged_gets_fifty_mails_a_day_at_most(desk: Desk) -> None:
    for hour in range(3):
        for number in range(30):
            desk.mail(f"victim{hour}-{number}@somewhere.example", "OBSCENE", "OBSCENE\r\n", work=False)
        desk.work()
        desk.clock.advance(hours=2)

    got = [each for each in desk.post_office.got if each.recipient.startswith("victim")]
    assert len(got) == 50


def test_a_sender_whose_authentication_failed_is_not_acknowledged(desk: Desk) -> None:
    desk.mail(ADA, "Hello", headers=f"Authentication-Results: {MX}; dmarc=fail header.from=customer.example")

    assert desk.mails_to(ADA) == []
    assert desk.tickets() == [1]


def test_our_own_mail_that_comes_back_is_recognised(desk: Desk, told: Received) -> None:
    mail = desk.deliver(told.raw, "somebody@forwarder.example", SUPPORT)

    assert desk.filed(mail).state is MailState.NOTED
    assert desk.filed(mail).kind == "own"
    assert quiet(desk)


@pytest.mark.parametrize(
    "subject",
    [
        "Hi\r\n Bcc: victim@somewhere.example",
        "=?utf-8?q?Hi=0D=0ABcc:_victim@somewhere.example?=",
        "=?utf-8?b?SGkNCkJjYzogdmljdGltQHNvbWV3aGVyZS5leGFtcGxl?=",
        "Hi =?utf-8?q?=E2=80=A8Bcc:_victim@somewhere.example?=",
    ],
)
def test_no_subject_adds_a_header(desk: Desk, subject: str) -> None:
    desk.mail(f'"x=?utf-8?q?=0ABcc:_v@w.example?=" <{ADA}>', subject, proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, told.subject, "Fine.\r\n", answers=told)

    for each in desk.post_office.got:
        assert not each.message.headers("bcc")
        assert b"\nbcc" not in each.raw.lower()


def test_a_customers_html_reaches_the_agent_clean(desk: Desk) -> None:
    html = '<p onclick="x()">Hello<script>alert(1)</script><img src="https://track.example/1.gif"></p>'
    desk.mail(ADA, "Html", html, headers="MIME-Version: 1.0\nContent-Type: text/html", proven=True)

    [told] = desk.mails_to(ANNA)
    for danger in ("<script", "onclick", "track.example"):
        assert danger not in told.message.html
