"""The life of a ticket as customers and agents see it."""

from maild.message.address import normalise
from maild.rules.state import Status
from tests.stories.driver import ADA, ANNA, BEN, BERT, SUPPORT, Desk


def test_a_mail_becomes_a_ticket_and_everybody_concerned_knows(desk: Desk) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)

    [acknowledged] = desk.mails_to(ADA)
    assert acknowledged.subject == "Re: Printer on fire"
    assert acknowledged.message.in_reply_to == ("mail-1@client.example",)
    assert acknowledged.message.header("auto-submitted") == "auto-replied"
    for agent in (ANNA, BERT):
        [told] = desk.mails_to(agent)
        assert told.subject == "[#1] Printer on fire"
        assert "It does not work." in told.text
    assert desk.status(1) is Status.NEW


def test_an_unproven_sender_is_not_told_what_the_mail_said(desk: Desk) -> None:
    desk.mail(ADA, "Buy pills now", "at http://evil.example\r\n")

    [acknowledged] = desk.mails_to(ADA)
    assert "pills" not in acknowledged.subject
    assert "pills" not in acknowledged.raw.decode()
    assert "evil" not in acknowledged.raw.decode()


def test_an_agents_reply_is_a_public_answer(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mails_to(ADA)

    desk.mail(ANNA, "Re: [#1] Printer on fire", "Pull the plug.\r\n\r\n> It does not work.\r\n", answers=told)

    [answer] = desk.mails_to(ADA)
    assert answer.subject == "Re: Printer on fire"
    assert answer.message.from_ == ("Anna (Acme Support)", SUPPORT)
    assert answer.message.in_reply_to[0].startswith("m1.")  # the acknowledgement, the newest that Ada has
    assert "mail-1@client.example" in answer.message.references
    assert answer.message.header("auto-submitted") == ""
    assert "Pull the plug." in answer.text
    assert "It does not work" not in answer.text
    assert "+t1.a" not in answer.raw.decode()
    assert "+t1.n" not in answer.raw.decode()
    assert desk.status(1) is Status.ANSWERED
    assert desk.ticket(1).assignee == ANNA


def test_the_customers_answer_opens_the_ticket_again_and_tells_who_owns_it(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Re: [#1] Printer on fire", "Pull the plug.\r\n", answers=told)
    desk.mails_to(BERT)
    answer = desk.mails_to(ADA)[-1]

    desk.mail(ADA, "Re: Printer on fire", "I did.\r\n", answers=answer)

    assert desk.status(1) is Status.OPEN
    [told] = desk.mails_to(ANNA)
    assert "I did." in told.text
    assert desk.mails_to(BERT) == []


def test_silence_reminds_then_resolves_then_closes(desk: Desk) -> None:
    answered(desk)

    desk.wait(days=7)
    [reminder] = desk.mails_to(ADA)
    assert reminder.message.header("precedence") == "bulk"
    assert desk.status(1) is Status.ANSWERED

    desk.wait(days=4)
    [resolved] = desk.mails_to(ADA)
    assert resolved.action("p")
    assert desk.status(1) is Status.RESOLVED

    desk.wait(days=15)
    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.CLOSED
    assert desk.ticket(1).due_at is None


def test_a_click_on_still_a_problem_reopens_and_one_on_solved_resolves(desk: Desk) -> None:
    answered(desk)
    desk.wait(days=7)
    [reminder] = desk.mails_to(ADA)

    desk.mail(ADA, "Solved", "Yes, it is solved.\r\n", to=reminder.action("s"))
    assert desk.status(1) is Status.RESOLVED

    desk.mail(ADA, "Still a problem", "No, it is not.\r\n", to=reminder.action("p"))
    assert desk.status(1) is Status.OPEN
    assert "No, it is not." in desk.mails_to(ANNA)[-1].text


def test_a_mail_on_a_closed_ticket_begins_one_that_follows_it(desk: Desk) -> None:
    answer = answered(desk)
    desk.wait(days=40)
    assert desk.status(1) is Status.CLOSED
    desk.mails_to(ADA)
    desk.mails_to(ANNA)
    desk.mails_to(BERT)

    desk.mail(ADA, "Re: Printer on fire", "It burns again.\r\n", answers=answer)

    assert desk.tickets() == [1, 2]
    assert desk.ticket(2).follows_id == 1
    assert desk.status(1) is Status.CLOSED
    [follow_up] = desk.mails_to(ADA)
    assert follow_up.subject == "Re: Printer on fire"
    assert "#1" in desk.mails_to(BERT)[0].text

    desk.mail(ADA, "Re: Printer on fire", "And smokes.\r\n", answers=answer)
    assert desk.tickets() == [1, 2]


def test_who_was_in_cc_of_the_first_mail_gets_the_answer_too(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True, cc=f"Ben <{BEN}>")
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Re: [#1] Printer on fire", "Pull the plug.\r\n", answers=told)

    [for_ada], [for_ben] = desk.mails_to(ADA)[1:], desk.mails_to(BEN)
    assert for_ada.message.message_id == for_ben.message.message_id
    assert [each.address for each in for_ben.message.to] == [ADA]
    assert [each.address for each in for_ben.message.cc] == [BEN]
    assert for_ada.reply_to != for_ben.reply_to

    desk.mail(BEN, "Re: Printer on fire", "He cannot reach the plug.\r\n", answers=for_ben)
    assert desk.status(1) is Status.OPEN
    assert desk.ticket(1).requester_id == 1


def test_a_mail_to_two_departments_is_one_ticket_of_which_both_are_told(desk: Desk) -> None:
    desk.mail(ADA, "Offer and repair", to=f"{SUPPORT}, sales@acme.example", rcpt=(SUPPORT, "sales@acme.example"))

    assert desk.tickets() == [1]
    assert len(desk.mails_to(BERT)) == 1  # of both departments, and told once
    assert len(desk.mails_to(ANNA)) == 1


def test_a_report_that_only_knows_the_message_id_silences_no_address(desk: Desk) -> None:
    answer = answered(desk)
    report = (
        "From: mailer-daemon@somewhere.example\r\nTo: support@acme.example\r\nSubject: Undelivered\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; somewhere.example\r\n\r\n"
        f"Final-Recipient: rfc822; {ADA}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{answer.message.message_id}>\r\n\r\n--b--\r\n"
    )
    desk.deliver(report.encode(), "", SUPPORT)
    assert desk.ticket(1).undelivered

    [told] = desk.mails_to(ANNA)[-1:]
    desk.mail(ANNA, told.subject, "Once more.\r\n", answers=told)
    desk.wait(days=8)
    assert not [entry for entry in desk.history(1) if entry[0] == "withheld"]


def test_an_answer_that_cannot_be_delivered_opens_the_ticket_and_tells_its_author(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.post_office.refusals[normalise(ADA)] = "550 5.1.1 no such user"

    desk.mail(ANNA, "Re: [#1] Printer on fire", "Pull the plug.\r\n", answers=told)

    assert desk.status(1) is Status.OPEN
    assert desk.ticket(1).undelivered
    [returned] = desk.mails_to(ANNA)
    assert "550 5.1.1 no such user" in returned.text
    assert "Pull the plug." in returned.text


def test_an_agents_answer_to_a_closed_ticket_comes_back_and_nobody_gets_it(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Re: [#1] Printer on fire", "Pull the plug.\r\n", answers=told)
    desk.wait(days=40)
    desk.mails_to(ADA)
    desk.mails_to(ANNA)

    desk.mail(ANNA, "Re: [#1] Printer on fire", "By the way ...\r\n", answers=told)

    assert desk.mails_to(ADA) == []
    [returned] = desk.mails_to(ANNA)
    assert "With #open on top your answer opens it again" in returned.text
    assert "By the way" in returned.text

    desk.mail(ANNA, "Re: [#1] Printer on fire", "#open\r\n\r\nBy the way ...\r\n", answers=returned)

    assert "By the way" in desk.mails_to(ADA)[0].text
    assert desk.status(1) is Status.OPEN


def answered(desk: Desk):
    """Bring ticket 1 to where we wait for Ada; return the answer as she has it."""
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Re: [#1] Printer on fire", "Pull the plug.\r\n", answers=told)
    return desk.mails_to(ADA)[-1]


def test_an_address_that_does_not_exist_gets_nothing_automatic_until_its_owner_writes_again(desk: Desk) -> None:
    desk.post_office.refusals[normalise(ADA)] = "550 5.1.1 no such user"
    desk.mail(ADA, "Printer on fire", proven=True)
    desk.post_office.refusals.clear()
    [told] = desk.mails_to(ANNA)[:1]
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    desk.wait(days=7)
    assert [each.message.header("auto-submitted") for each in desk.mails_to(ADA)] == [""]
    assert any(entry[0] == "withheld" and "failed before" in str(entry[2]) for entry in desk.history(1))

    desk.mail(ADA, "I am back", proven=True)
    assert len(desk.mails_to(ADA)) == 1


def test_a_full_mailbox_does_not_silence_an_address(desk: Desk) -> None:
    desk.post_office.refusals[normalise(ADA)] = "552 5.2.2 mailbox full"
    desk.mail(ADA, "Printer on fire", proven=True)
    desk.post_office.refusals.clear()
    desk.clock.advance(hours=2)

    desk.mail(ADA, "Another thing", proven=True)

    assert len(desk.mails_to(ADA)) == 1
