"""Agents steer tickets by words on top of an answer, from their mail clients; no typing error does anything."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maild.rules.state import Status
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received, opened

CAROL = "carol@customer.example"


def answer(desk: Desk, told: Received, text: str, **kwargs: object) -> int:
    """Let whoever got `told` answer it."""
    quoted = "".join(f"> {line}\r\n" for line in told.text.splitlines())
    body = f"{text}\r\n\r\nOn Monday Ada via Acme Support wrote:\r\n{quoted}"
    return desk.mail(told.recipient, f"Re: {told.subject}", body, answers=told, **kwargs)


def nobody_heard(desk: Desk) -> bool:
    return all(desk.mails_to(each) == [] for each in (ADA, ANNA, BERT, BEN, CAROL))


def test_an_answer_with_a_status_word_is_sent_and_resolves(desk: Desk, told: Received) -> None:
    answer(desk, told, "#resolve\r\n\r\nPull the plug.")

    [got] = desk.mails_to(ADA)
    assert got.text.strip().startswith("Pull the plug.")
    assert "#resolve" not in got.raw.decode()
    assert desk.status(1) is Status.RESOLVED
    assert desk.ticket(1).assignee == ANNA
    assert desk.mails_to(ANNA) == []


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("#resolve", Status.RESOLVED),
        ("#Close.", Status.CLOSED),
        ("＃spam", Status.SPAM),
        ("\\#postpone 2d", Status.POSTPONED),
        ("# delete", Status.DELETED),
    ],
)
def test_words_alone_are_done_and_send_no_answer(desk: Desk, told: Received, word: str, status: Status) -> None:
    answer(desk, told, word, proven=True)

    assert desk.status(1) is status
    assert [each.message.header("auto-submitted") for each in desk.mails_to(ADA)] == (
        ["auto-generated"] if status is Status.RESOLVED else []
    )
    assert desk.ticket(1).assignee is None


@pytest.mark.parametrize(("away", "back"), [("#spam", "#notspam"), ("#delete", "#undelete"), ("#close", "#open")])
def test_what_was_put_aside_is_had_back(desk: Desk, told: Received, away: str, back: str) -> None:
    answer(desk, told, away, proven=True)
    answer(desk, told, back, proven=True)

    assert desk.status(1) in (Status.NEW, Status.OPEN)
    assert nobody_heard(desk)


def test_a_ticket_is_resolved_without_a_word_to_the_customer(desk: Desk, told: Received) -> None:
    answer(desk, told, "#silent\r\n#resolve")

    assert desk.status(1) is Status.RESOLVED
    assert nobody_heard(desk)


def test_a_postponed_ticket_comes_back_when_it_was_said_in_the_agents_zone(desk: Desk, told: Received) -> None:
    answer(desk, told, "#postpone 2bd")
    assert desk.ticket(1).wake_at == datetime(2026, 3, 4, 12, tzinfo=UTC)

    desk.wait(days=3)

    assert desk.status(1) is Status.NEW
    assert "has been waiting" in desk.mails_to(ANNA)[0].text


def test_a_note_never_leaves_the_desk(desk: Desk, told: Received) -> None:
    mail = answer(desk, told, "#note\r\nHe is always like that.")

    assert desk.status(1) is Status.NEW
    assert nobody_heard(desk)
    assert desk.filed(mail).purpose == "note"
    assert desk.filed(mail).text == "He is always like that."


def test_a_note_goes_along_with_a_ticket_that_is_handed_over(desk: Desk, told: Received) -> None:
    answer(desk, told, "#assign bert\r\n#note You know him better.")

    [handed] = desk.mails_to(BERT)
    assert "Anna gave you this ticket" in handed.text
    assert "You know him better." in handed.text
    assert "It does not work." in handed.text
    assert desk.mails_to(ADA) == []
    assert desk.ticket(1).assignee == BERT

    answer(desk, handed, "Pull the plug.")
    assert "Pull the plug." in desk.mails_to(ADA)[0].text


def test_a_ticket_is_taken_and_given_back(desk: Desk, told: Received) -> None:
    answer(desk, told, "#take")
    assert desk.ticket(1).assignee == ANNA
    assert desk.ticket(1).status is Status.NEW

    answer(desk, told, "#assign nobody")
    assert desk.ticket(1).assignee is None
    assert nobody_heard(desk)


def test_another_department_gets_the_ticket_and_is_told_once(desk: Desk, told: Received) -> None:
    answer(desk, told, "#assign bert\r\n#department Acme Sales\r\n#priority urgent\r\n#title A new printer is wanted")

    ticket = desk.ticket(1)
    assert (ticket.department, ticket.priority, ticket.assignee) == ("sales", "urgent", BERT)
    [handed] = desk.mails_to(BERT)
    assert handed.subject == "[#1] A new printer is wanted"
    assert handed.reply_to.startswith("sales+")
    changed = {(field, old, new, cause) for field, old, new, cause in desk.history(1)}
    assert {
        ("department", "support", "sales", "MoveTo"),
        ("priority", "normal", "urgent", "SetPriority"),
        ("subject", "Printer on fire", "A new printer is wanted", "Retitle"),
        ("assignee", None, BERT, "Assign"),
    } <= changed


def test_who_is_admitted_gets_the_answer_and_who_left_does_not(desk: Desk, told: Received) -> None:
    answer(desk, told, f"#cc Ben <{BEN}>\r\n\r\nPull the plug.")
    [first] = desk.mails_to(BEN)
    assert "Pull the plug." in first.text
    assert "It does not work" not in first.text

    answer(desk, told, f"#cc {CAROL}, -{BEN}\r\n\r\nDid it help?")
    assert desk.mails_to(BEN) == []
    assert "Did it help?" in desk.mails_to(CAROL)[0].text

    answer(desk, told, f"#cc {BEN}\r\n\r\nAnd now?")
    assert [each.text.strip()[:8] for each in desk.mails_to(BEN)] == ["And now?"]


def test_another_requester_gets_the_answers_and_the_old_one_does_not(desk: Desk, told: Received) -> None:
    answer(desk, told, f"#requester {BEN}\r\n\r\nYour printer, I think?")

    assert "Your printer" in desk.mails_to(BEN)[0].text
    assert desk.mails_to(ADA) == []


def test_the_requesters_other_address_is_known_from_then_on(desk: Desk, told: Received) -> None:
    home = "ada@home.example"
    answer(desk, told, f"#alias {home}\r\n\r\nPull the plug.")
    [got] = desk.mails_to(ADA)
    desk.mail(home, "Re: Printer on fire", "I did.\r\n", answers=got)

    [heard] = desk.mails_to(ANNA)
    assert "does not take part" not in heard.text
    assert ("alias", None, home, "KnowAs") in desk.history(1)


def test_two_tickets_about_one_matter_become_one(desk: Desk, told: Received) -> None:
    desk.mail(BEN, "Fire!", proven=True)
    desk.mails_to(BEN)
    answer(desk, told, "#merge 2", proven=True)

    assert desk.status(1) is Status.MERGED
    desk.mails_to(ANNA)
    desk.mail(ADA, "Re: Printer on fire", "Hello?\r\n", headers="In-Reply-To: <mail-1@client.example>")
    assert "Hello?" in desk.mails_to(ANNA)[0].text


@pytest.mark.parametrize("word", ["#delete", "#merge 1"])
def test_words_that_take_a_ticket_away_need_more_than_the_reply_address(desk: Desk, told: Received, word: str) -> None:
    answer(desk, told, word)

    [returned] = desk.mails_to(ANNA)
    assert "proof" in returned.text
    assert desk.status(1) is Status.NEW


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("#reslove\r\n\r\nPull the plug.", "#resolve"),
        ("#resolve\r\n#postpone yesterday\r\n\r\nPull the plug.", "#postpone"),
        ("#prioritty high", "#priority high"),
        ("#assign brt\r\nPull the plug.", "#assign bert"),
        ("#resolve #close", "Only one of"),
        ("#resolve because it works", "takes nothing behind it"),
    ],
)
def test_a_typing_error_does_nothing_and_comes_back_with_what_was_meant(
    desk: Desk, told: Received, typed: str, meant: str
) -> None:
    before = desk.ticket(1)
    answer(desk, told, typed)

    [returned] = desk.mails_to(ANNA)
    assert meant in returned.text
    assert "Pull the plug" in returned.text or "Pull" not in typed
    assert desk.mails_to(ADA) == []
    assert desk.ticket(1) == before

    answer(desk, returned, "#resolve\r\n\r\nPull the plug.")
    assert desk.status(1) is Status.RESOLVED
    assert "Pull the plug." in desk.mails_to(ADA)[0].text


def test_if_one_thing_cannot_be_done_nothing_is(desk: Desk, told: Received) -> None:
    answer(desk, told, "#priority high\r\n#cc carol@customer.example\r\n#undelete")

    assert "A ticket that is new cannot be taken out of the bin." in desk.mails_to(ANNA)[0].text
    assert desk.ticket(1).priority == "normal"
    assert [each[0] for each in desk.history(1) if each[0] in ("priority", "participants")] == []


@pytest.mark.parametrize("word", ["#spam", "#delete"])
def test_nobody_answers_what_he_throws_away(desk: Desk, told: Received, word: str) -> None:
    answer(desk, told, f"{word}\r\n\r\nGo away!", proven=True)

    assert "takes no answer along" in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW


@pytest.mark.parametrize("address", [BERT, "support@acme.example"])
def test_neither_an_agent_nor_our_own_address_takes_part(desk: Desk, told: Received, address: str) -> None:
    answer(desk, told, f"#cc {address}\r\n\r\nPull the plug.")

    assert address in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []


def test_an_empty_answer_comes_back(desk: Desk, told: Received) -> None:
    answer(desk, told, "#silent")

    assert "nothing in it" in desk.mails_to(ANNA)[0].text
    assert desk.mails_to(ADA) == []


HTML = """MIME-Version: 1.0
Content-Type: text/html; charset=utf-8"""


@pytest.mark.parametrize(
    "html",
    [
        "<div>#resolve</div><div><br></div><div>Pull <b>the</b> plug.</div>",
        "<p class=MsoNormal>#resolve<o:p></o:p></p><p class=MsoNormal>&nbsp;</p><p>Pull <b>the</b> plug.</p>",
        "#resolve<br><br>Pull <b>the</b> plug.",
        '<span style="color:red">#re</span>solve<br>Pull <b>the</b> plug.',
        "<table><tr><td>#resolve</td></tr><tr><td>Pull <b>the</b> plug.</td></tr></table>",
    ],
)
def test_words_in_html_are_done_and_cut_out(desk: Desk, told: Received, html: str) -> None:
    quote = '<blockquote type="cite">It does not work.</blockquote>'
    desk.mail(ANNA, f"Re: {told.subject}", f"{html}{quote}", answers=told, headers=HTML)

    [got] = desk.mails_to(ADA)
    assert desk.status(1) is Status.RESOLVED
    assert "<b>the</b>" in got.message.html
    assert "resolve" not in got.raw.decode()
    assert "#re" not in got.message.html


def test_words_in_html_alone_beside_an_innocent_text_are_heard(desk: Desk, told: Received) -> None:
    body = (
        "--x\r\nContent-Type: text/plain\r\n\r\nPull the plug.\r\n"
        "--x\r\nContent-Type: text/html\r\n\r\n<div>#reslove</div><div>Pull the plug.</div>\r\n--x--\r\n"
    )
    desk.mail(
        ANNA, told.subject, body, answers=told,
        headers='MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="x"',
    )  # fmt: skip

    assert desk.mails_to(ADA) == []
    assert "#resolve" in desk.mails_to(ANNA)[0].text


def test_a_customers_words_are_words(desk: Desk, told: Received) -> None:
    desk.mail(
        ADA, "Re: Printer on fire", "#close\r\n\r\nThank you.\r\n", headers="In-Reply-To: <mail-1@client.example>"
    )

    assert desk.status(1) is Status.NEW
    assert "#close" in desk.mails_to(ANNA)[0].text


def test_words_in_an_agents_name_without_his_proof_are_held(desk: Desk, told: Received) -> None:
    mail = desk.mail(BERT, told.subject, "#close\r\n", answers=told)

    assert desk.filed(mail).state is MailState.HELD
    assert desk.status(1) is Status.NEW


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=12),
    st.text(max_size=20),
    st.sampled_from(["plain", "html"]),
)
def test_no_typo_ever_reaches_a_customer(desk: Desk, word: str, behind: str, kind: str) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mails_to(ADA)
    line = f"#{word}{behind}".replace("\r", " ").replace("\n", " ").replace("<", " ").replace("&", " ")
    ending = "<br>Pull the plug." if kind == "html" else "\r\n\r\nPull the plug.\r\n"

    desk.mail(ANNA, told.subject, line + ending, answers=told, headers=f"MIME-Version: 1.0\nContent-Type: text/{kind}; charset=utf-8", proven=True)  # fmt: skip # noqa: E501 - one header

    for got in desk.mails_to(ADA):
        assert "#" not in got.text.partition("Ref:")[0]
    desk.clock.advance(timedelta(hours=2))


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("#resolve", Status.RESOLVED),
        ("#close", Status.CLOSED),
        ("#postpone", Status.POSTPONED),
        ("#spam", Status.SPAM),
        ("#take", Status.NEW),
    ],
)
def test_one_click_in_a_notification_does_it_and_no_signature_reaches_the_customer(
    desk: Desk, told: Received, words: str, status: Status
) -> None:
    address, body = told.click(words)
    desk.mail(ANNA, "", f"{body}\r\n\r\nBest regards\r\nAnna Berg, Acme Support\r\n", to=address)

    assert desk.status(1) is status
    assert desk.ticket(1).assignee == (ANNA if words == "#take" else None)
    assert not any("Best regards" in each.text for each in desk.mails_to(ADA))


def test_a_mail_offers_what_can_be_done_with_its_ticket(desk: Desk, told: Received) -> None:
    answer(desk, told, "#take\r\n#resolve")
    desk.mail(ADA, "Re: Printer on fire", "No!\r\n", headers="In-Reply-To: <mail-1@client.example>")

    offered = desk.mails_to(ANNA)[-1]
    assert offered.click("#resolve")
    with pytest.raises(AssertionError):
        offered.click("#take")


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_no_answer_shows_customers_the_addresses_of_agents(desk: Desk, told: Received, kind: str) -> None:
    lines = told.text.splitlines()
    body = "\r\n".join(f"> {line}" for line in lines) if kind == "plain" else "<br>".join(lines)
    head = "On Monday Ada via Acme Support wrote:" if kind == "plain" else "Ada wrote:"
    for top in ("", "#resolve"):
        desk.mail(
            ANNA, f"Re: {told.subject}", f"{top}\r\n\r\n{head}\r\n{body}\r\n", answers=told,
            headers=f"MIME-Version: 1.0\nContent-Type: text/{kind}; charset=utf-8",
        )  # fmt: skip

    assert all("+t1.n" not in each.raw.decode() and "+t0.d" not in each.raw.decode() for each in desk.mails_to(ADA))
    assert "yours alone" in desk.mails_to(ANNA)[0].text


def test_what_is_refused_is_told_of_the_line_that_asked_for_it(desk: Desk) -> None:
    told = opened(desk)

    desk.mail(ANNA, told.subject, "#assign me\r\n#tag printer\r\n#link 1\r\n", answers=told)

    [returned] = desk.mails_to(ANNA)
    assert "- #link 1\n\n  A ticket cannot be linked to itself." in returned.text.replace("\r", "")


def test_whoever_is_given_a_ticket_along_with_an_answer_sees_that_answer(desk: Desk) -> None:
    told = opened(desk)

    desk.mail(ANNA, told.subject, "#assign bert\r\n\r\nBert knows, he will write to you.\r\n", answers=told)

    [handed] = desk.mails_to(BERT)
    assert "Anna answered:\n\n> Bert knows, he will write to you." in handed.text.replace("\r", "")
    assert "It does not work." in handed.text
