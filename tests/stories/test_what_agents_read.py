"""What agents read in their mails: nothing twice, nothing that cannot be, everything by its name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from maild.rules.events import Event
from maild.store.engine import Database
from maild.store.models import MailState
from maild.templates import Templates, samples
from maild.templates.mails import Shown
from maild.templates.pieces import Change
from tests.clock import NOON, FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, Desk, Received, opened

TEMPLATES = Templates()

MORNING = datetime(2026, 3, 3, 8, tzinfo=UTC)  # a Tuesday
PHOTO = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, which Ada opened; everybody has read his mail."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", "It smokes.\r\n", proven=True)
    [told] = desk.mails_to(ANNA)
    for each in (ADA, BERT):
        desk.mails_to(each)
    desk.clock.advance(minutes=5)
    return told


def answer(desk: Desk, told: Received, text: str) -> int:
    """Let whoever got `told` answer it."""
    return desk.mail(told.recipient, f"Re: {told.subject}", text, answers=told)


def ask(desk: Desk, told: Received, words: str, agent: str = ANNA) -> Received:
    """Let an agent write to his desk address; return what he gets."""
    address, _ = told.click("help")
    desk.mail(agent, words, "\r\n", to=address)
    [got] = desk.mails_to(agent)
    return got


def collided(desk: Desk, told: Received) -> tuple[Received, int]:
    """What Anna gets when Ada has written since she was told, and her answer that waits."""
    desk.mail(ADA, "Re: Printer on fire", "It was the toaster.\r\n", headers="In-Reply-To: <mail-1@client.example>")
    desk.mails_to(ANNA)
    desk.clock.advance(minutes=1)
    mail = answer(desk, told, "Buy a new printer.\r\n")
    [waits] = desk.mails_to(ANNA)
    return waits, mail


# Nothing is told twice


def test_a_ticket_that_is_handed_over_shows_the_customers_words_once(desk: Desk, told: Received) -> None:
    answer(desk, told, "#assign bert\r\n")

    [got] = desk.mails_to(BERT)
    assert got.text.count("It smokes.") == 1


def test_an_answer_that_waits_shows_what_was_missed_once_and_what_was_before(desk: Desk, told: Received) -> None:
    waits, _ = collided(desk, told)

    assert waits.text.count("It was the toaster.") == 1
    assert waits.text.count("It smokes.") == 1


def test_a_customer_who_waits_is_quoted_once(desk: Desk, told: Received) -> None:
    desk.wait(days=10)

    mails = [each for each in desk.mails_to(ANNA) if "has been waiting" in each.text]
    assert mails
    assert all(each.text.count("It smokes.") == 1 for each in mails)


def test_who_works_in_two_departments_is_told_of_all_that_waits_in_one_mail(desk: Desk) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    desk.mail(f"Ben <{BEN}>", "No paper", to="sales@acme.example", proven=True)
    desk.mails_to(BERT)

    desk.wait(days=8)

    assert {each.subject for each in desk.mails_to(BERT)} == {"2 tickets wait for you"}


# Where a mail is held, it is let through or put away by a click


def test_an_answer_that_waits_is_put_away_by_a_click(desk: Desk, told: Received) -> None:
    waits, mail = collided(desk, told)
    [address] = [line.split("mailto:")[1] for line in waits.text.splitlines() if line.startswith("Put it away")]

    desk.mail(ANNA, "", "\r\n", to=address)

    assert desk.mails_to(ADA) == []
    assert desk.filed(mail).state is MailState.NOTED


def test_another_answer_puts_the_one_that_waits_away(desk: Desk, told: Received) -> None:
    waits, mail = collided(desk, told)
    desk.clock.advance(minutes=1)

    answer(desk, waits, "Buy a new toaster.\r\n")

    [got] = desk.mails_to(ADA)
    assert "toaster" in got.text
    assert desk.filed(mail).state is MailState.NOTED
    assert desk.filed(mail).reason.startswith(f"rejected by {ANNA}")


def test_a_note_puts_no_answer_away(desk: Desk, told: Received) -> None:
    waits, mail = collided(desk, told)

    answer(desk, waits, "#note\r\nI will ask her.\r\n")

    assert desk.filed(mail).state is MailState.HELD


@pytest.mark.parametrize("failed", [False, True])
def test_the_digest_has_both_links_for_a_mail_that_is_held_and_one_for_a_forgery(desk: Desk, failed: bool) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    if failed:
        forged = "Authentication-Results: mx.acme.example; dmarc=fail header.from=acme.example"
        mail = desk.mail(ANNA, "Re: [#1] Printer on fire", "Yes.\r\n", headers=forged)
    else:
        mail = desk.mail(ANNA, "Re: [#1] Printer on fire", "Yes.\r\n")
    assert desk.filed(mail).state is MailState.HELD
    desk.mails_to(ANNA)
    desk.clock.set(MORNING)
    desk.works.mornings.step()
    desk.work()

    [digest] = [each for each in desk.mails_to(ANNA) if each.subject.startswith("Your day")]
    assert ("It is mine, let it through" in digest.text) is not failed
    [address] = [line.split("mailto:")[1] for line in digest.text.splitlines() if line.startswith("Put it away")]
    desk.mail(ANNA, "", "\r\n", to=address)
    assert desk.filed(mail).state is MailState.NOTED


# The desk address


def test_nobody_is_offered_to_take_on_what_is_his(desk: Desk, told: Received) -> None:
    answer(desk, told, "#take\r\n")
    desk.mail(f"Ben <{BEN}>", "No paper", proven=True)
    desk.mails_to(ANNA)

    mine, all_of_them = ask(desk, told, "mine"), ask(desk, told, "list")

    assert "take it on" not in mine.text
    assert all_of_them.text.count("take it on") == 1
    assert "take it on" not in (mine.message.html or "")


def test_a_slip_of_the_pen_is_told_as_it_was_written(desk: Desk, told: Received) -> None:
    assert '- serach printer\n  "serach" is no request that I understand.' in ask(desk, told, "serach printer").text
    assert "Did you mean search printer?" in ask(desk, told, "serach printer").text
    assert "- #serach" in ask(desk, told, "#serach printer").text
    assert '"serach" is no word that I know. Did you mean help search?' in ask(desk, told, "help serach").text


def test_what_a_reply_asks_for_is_told_by_its_text_and_not_by_our_subject(desk: Desk, told: Received) -> None:
    helped = ask(desk, told, "mine")
    desk.mail(ANNA, f"Re: {helped.subject}", "serach printer\r\n", answers=helped)

    [got] = desk.mails_to(ANNA)
    assert '"serach" is no request that I understand.' in got.text


def test_what_comes_back_is_written_anew_as_a_reply_to_it(desk: Desk, told: Received) -> None:
    answer(desk, told, "#prioriti high\r\n\r\nPull the plug.\r\n")
    [back] = desk.mails_to(ANNA)
    assert "as a reply to this message" in back.text

    answer(desk, back, "#priority high\r\n\r\nPull the plug.\r\n")

    assert "Pull the plug." in desk.mails_to(ADA)[0].text
    assert desk.ticket(1).priority == "high"


@pytest.mark.parametrize("asked", ["next", "take 1", "get 1"])
def test_a_ticket_to_be_answered_comes_with_its_mails(desk: Desk, told: Received, asked: str) -> None:
    got = ask(desk, told, asked)

    assert [each.content_type for each in got.message.attachments] == ["message/rfc822"]
    assert "It smokes." in got.message.attachments[0].content().decode()


# Files


def test_a_picture_without_a_name_is_listed_by_what_it_is(desk: Desk) -> None:
    headers = "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x"
    text = (
        "--x\r\nContent-Type: text/html\r\n\r\n<p>It looks so: <img src='cid:a'></p>\r\n"
        "--x\r\nContent-Type: image/png\r\nContent-ID: <a>\r\nContent-Disposition: inline\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{PHOTO}\r\n--x--\r\n"
    )
    desk.mail(ADA, "Printer on fire", text, headers=headers)

    [told] = desk.mails_to(ANNA)
    assert "- image.png (" in told.text
    assert "image/png" not in told.text


def test_a_ticket_that_is_closed_does_not_promise_that_a_reply_answers(desk: Desk, told: Received) -> None:
    answer(desk, told, "#close\r\n")

    assert "open it again, then a reply" in ask(desk, told, "get 1").text


# What happens next, and what happened


RULES = """
[[escalate]]
name = "four-hours"
unanswered_for = "4h"
tell = ["bert@acme.example"]
raise_to = "urgent"
"""


def test_a_mail_names_the_rule_that_acts_next_and_whom_it_tells(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock, CONFIG + RULES)
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)

    [told] = desk.mails_to(ANNA)
    assert "the rule four-hours acts, unless it is answered, and tells: Bert." in told.text


def test_a_mail_names_whom_it_is_told_next(desk: Desk, told: Received) -> None:
    assert "All of Acme Support are told again on" in told.text
    desk.wait(hours=1)
    answer(desk, told, "#take\r\n")

    assert "unless Anna does something about it" in ask(desk, told, "get 1").text


def test_the_history_is_told_in_words(desk: Desk, told: Received) -> None:
    answer(desk, told, "#assign bert\r\n#priority high\r\n")
    [given] = desk.mails_to(BERT)
    answer(desk, given, "Pull the plug.\r\n")
    desk.mails_to(ANNA)

    why = " ".join(ask(desk, told, "why 1").text.split())
    assert f"Ada wrote - New ticket for: {ADA}" in why
    assert "Anna assigned it - Assigned to: Bert" in why
    assert "Anna set its priority - Priority: high (was normal)" in why
    assert "Bert answered - Status: answered (was new)" in why


@pytest.mark.parametrize("name", [*(each.__name__ for each in get_args(Event)), "Split", "Released"])
def test_everything_that_happens_has_words_of_its_own(name: str) -> None:
    change = Change(NOON, "Anna", name)
    shown = next(each for each in samples() if isinstance(each, Shown))

    assert f" {name}\n" not in TEMPLATES.render(replace(shown, why=(change,)), "en").text


# What agents pass on, and what they split off

TURNS = CONFIG.replace('title = "Acme Support"', 'title = "Acme Support"\nassign = "round-robin"')
FORWARD = """She knows me.
Do not mention the discount.

---------- Forwarded message ---------
From: Ada Lovelace <ada@customer.example>
Date: Mon, 2 Mar 2026, 10:00
Subject: Printer on fire
To: Anna <anna@acme.example>

The printer burns.
"""


@pytest.mark.parametrize("config", [CONFIG, TURNS])
def test_who_passes_a_mail_on_gets_one_mail_of_it_and_can_answer_that(
    database: Database, clock: FakeClock, config: str
) -> None:
    desk = Desk(database, clock, config)
    desk.mail(ANNA, "Fwd: Printer on fire", FORWARD.replace("\n", "\r\n"), proven=True)

    [done] = desk.mails_to(ANNA)
    assert "New ticket for: ada@customer.example" in done.text
    assert "A reply to this message answers the customer." in done.text
    answer(desk, done, "Pull the plug.\r\n")
    assert "Pull the plug." in desk.mails_to(ADA)[0].text


def test_what_stands_above_a_mail_that_is_passed_on_is_a_note_to_colleagues(desk: Desk) -> None:
    desk.mail(ANNA, "Fwd: Printer on fire", FORWARD.replace("\n", "\r\n"), proven=True)

    [told] = desk.mails_to(BERT)
    assert "Anna passed this message on, and noted internally:" in told.text
    assert "She knows me.\nDo not mention the discount.\n" in told.text
    assert "nothing proves" not in told.text
    address, _ = told.click("help")
    desk.mail(BERT, "get 1", "\r\n", to=address)
    got = desk.mails_to(BERT)[0].text
    assert "Anna noted internally:\n> She knows me.\n> Do not mention the discount." in got
    assert "Ada Lovelace wrote:\n> The printer burns.\n" in got
    answer(desk, told, "#assign anna\r\n")
    assert "Do not mention the discount." in desk.mails_to(ANNA)[-1].text
    address, _ = told.click("help")
    desk.mail(BERT, "search discount", "\r\n", to=address)
    desk.mail(BERT, "#note", "\r\n", to=address)


def test_a_signature_above_what_is_passed_on_is_no_note(desk: Desk) -> None:
    signed = FORWARD.replace("the discount.\n", "the discount.\n\n-- \nAnna Berg\nAcme Ltd\n")
    desk.mail(ANNA, "Fwd: Printer on fire", signed.replace("\n", "\r\n"), proven=True)

    [told] = desk.mails_to(BERT)
    assert "Do not mention the discount.\n\nAda Lovelace" in told.text
    assert "Acme Ltd" not in told.text


def split(desk: Desk) -> None:
    """Ada writes a second matter on ticket 1, and Anna makes a ticket of its own of it."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [first] = desk.mails_to(ANNA)
    answer(desk, first, "Pull the plug.\r\n")
    [got] = desk.mails_to(ADA)[1:]
    desk.clock.advance(hours=1)
    desk.mail(f"Ada <{ADA}>", got.subject, "And the coffee is cold.\r\n", answers=got)
    [second] = desk.mails_to(ANNA)
    desk.mails_to(BERT)
    answer(desk, second, "#split Cold coffee\r\n")


def test_a_ticket_that_was_split_off_is_given_to_somebody_who_is_told(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock, TURNS)
    split(desk)

    assert desk.ticket(2).assignee == BERT
    [told] = desk.mails_to(BERT)
    assert "Anna made a ticket of its own of this message, which came on #1." in told.text
    assert "And the coffee is cold." in told.text
    assert "CAUTION" not in told.text
    assert not any("wrote:\n\nAnd the coffee" in each.text for each in desk.mails_to(ANNA))
    assert desk.mails_to(ADA) == []


def test_of_a_ticket_that_was_split_off_all_are_told_and_also_that_it_is_gone(desk: Desk) -> None:
    split(desk)

    assert desk.ticket(2).assignee is None
    [told] = desk.mails_to(BERT)
    assert told.subject == "[#2] Cold coffee"
    undo = next(each for each in desk.mails_to(ANNA) if "Take it back" in each.text)
    address, body = undo.click("#undo")
    desk.mail(ANNA, "", f"{body}\r\n", to=address)
    [gone] = desk.mails_to(BERT)
    assert "Anna took it back." in gone.text


def test_whoever_does_not_take_part_is_let_in_by_a_link(desk: Desk) -> None:
    told = opened(desk)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [got] = desk.mails_to(ADA)
    desk.mail("Cara <cara@else.example>", "Re: Printer", "I am her sister.\r\n", answers=got, proven=True)
    [stranger] = desk.mails_to(ANNA)

    address, words = stranger.click("#cc cara@else.example")
    desk.mail(ANNA, "", words, to=address)
    desk.mail(ANNA, stranger.subject, "Hello both.\r\n", answers=stranger)

    assert stranger.click("#alias cara@else.example")[0] == address
    assert "Hello both." in desk.mails_to("cara@else.example")[0].text


def test_who_only_uses_a_name_is_let_in_by_no_link(desk: Desk) -> None:
    told = opened(desk)
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [got] = desk.mails_to(ADA)
    failed = "Authentication-Results: mx.acme.example; dmarc=fail header.from=else.example"
    desk.mail("Cara <cara@else.example>", "Re: Printer", "I am her sister.\r\n", answers=got, headers=failed)

    [stranger] = desk.mails_to(ANNA)

    assert "CAUTION" in stranger.text
    assert "take part</a>" not in stranger.raw.decode()
    assert "%23cc" not in stranger.text


def test_an_answer_that_did_not_arrive_is_told_once_with_the_servers_words(desk: Desk) -> None:
    told = opened(desk)
    desk.post_office.refusals[ADA] = "550 5.1.1 User unknown"

    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)

    [undelivered] = desk.mails_to(ANNA)
    assert undelivered.text.count("Pull the plug.") == 1
    assert "ada@customer.example: 550 5.1.1 User unknown" in undelivered.text


def test_why_a_mail_did_not_leave_is_told_in_the_language_of_the_reader(database: Database, clock: FakeClock) -> None:
    desk = Desk(database, clock, CONFIG.replace('name = "Anna"', 'name = "Anna"\nlanguage = "de"'))
    for number in range(3):
        desk.mail(f"Ada <{ADA}>", f"Printer {number}", proven=True)
    told = desk.mails_to(ANNA)[-1]

    desk.mail(ANNA, told.subject, "#why", answers=told)

    [why] = desk.mails_to(ANNA)
    line = (
        "Nicht gesendet: Eingangsbestätigung, ada@customer.example (2 Eingangsbestätigungen an diese Adresse in einer"
    )
    assert line in " ".join(why.text.split())


def test_what_follows_a_closed_ticket_links_to_it(desk: Desk) -> None:
    told = opened(desk)
    desk.mail(ANNA, told.subject, "#close\r\n", answers=told)
    desk.mail(f"Ada <{ADA}>", "Re: Printer", "Again.\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True)
    [follower] = desk.mails_to(ANNA)

    address, words = follower.click("get 1")
    desk.mail(ANNA, "", words, to=address)

    assert "It does not work." in desk.mails_to(ANNA)[0].text
