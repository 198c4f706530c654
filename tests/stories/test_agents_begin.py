"""Agents begin tickets for customers: by passing on a customer's mail, or by writing to him first."""

import pytest

from maild.message.forwarded import passed_on
from maild.message.parse import parse
from maild.rules.state import Status
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BEN, BERT, SUPPORT, Desk

GMAIL = """Bert, she is new.

---------- Forwarded message ---------
From: Ada Lovelace <ada@customer.example>
Date: Mon, 2 Mar 2026 at 10:00
Subject: Printer on fire
To: Anna <anna@acme.example>


The printer burns.
"""
OUTLOOK = """{comment}

________________________________
{from_}: Ada Lovelace <ada@customer.example>
{sent}: Monday, March 2, 2026 10:00
{to}: Anna <anna@acme.example>
{subject}: Printer on fire

The printer burns.
"""
APPLE = """Bert, she is new.

> Anfang der weitergeleiteten Nachricht:
>
> Von: Ada Lovelace <ada@customer.example>
> Betreff: Printer on fire
> Datum: 2. März 2026 um 10:00:00 MEZ
> An: Anna <anna@acme.example>
>
> The printer burns.
"""
THUNDERBIRD = """

-------- Weitergeleitete Nachricht --------
Betreff: \tPrinter on fire
Datum: \tMon, 2 Mar 2026 10:00:00 +0100
Von: \tAda Lovelace <ada@customer.example>
An: \tAnna <anna@acme.example>


The printer burns.
"""
YAHOO = """Bert, she is new.
   ----- Forwarded Message -----
   From: Ada Lovelace <ada@customer.example>
   To: "anna@acme.example" <anna@acme.example>
   Sent: Monday, March 2, 2026 at 10:00:00 AM GMT+1
   Subject: Printer on fire

The printer burns.
"""
ROWS = {
    "de": ("Von", "Gesendet", "An", "Betreff", "WG"),
    "fr": ("De", "Envoyé", "À", "Objet", "TR"),
    "es": ("De", "Enviado", "Para", "Asunto", "RV"),
    "it": ("Da", "Inviato", "A", "Oggetto", "I"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp", "FW"),
    "pt": ("De", "Enviada em", "Para", "Assunto", "ENC"),
    "sv": ("Från", "Skickat", "Till", "Ämne", "VB"),
    "pl": ("Od", "Wysłano", "Do", "Temat", "PD"),
    "ru": ("От", "Отправлено", "Кому", "Тема", "FW"),
    "ja": ("差出人", "送信日時", "宛先", "件名", "FW"),
    "zh": ("发件人", "发送时间", "收件人", "主题", "转发"),
}
ATTACHED = """This is a multi-part message.
--b
Content-Type: text/plain; charset=utf-8

Bert, she is new.
--b
Content-Type: message/rfc822
Content-Disposition: attachment; filename="Printer on fire.eml"

From: Ada Lovelace <ada@customer.example>
To: anna@acme.example
Subject: Printer on fire
Message-ID: <original@customer.example>
Date: Mon, 2 Mar 2026 10:00:00 +0100

The printer burns.
--b--
"""
MULTIPART = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b"


def outlook(language: str) -> tuple[str, str]:
    from_, sent, to, subject, prefix = ROWS[language]
    text = OUTLOOK.format(comment="Bert, she is new.", from_=from_, sent=sent, to=to, subject=subject)
    return prefix, text


@pytest.mark.parametrize(
    ("prefix", "text", "headers"),
    [
        pytest.param("Fwd", GMAIL, "", id="gmail"),
        pytest.param("Fwd", APPLE, "", id="apple"),
        pytest.param("Fwd", THUNDERBIRD, "", id="thunderbird"),
        pytest.param("Fw", YAHOO, "", id="yahoo"),
        pytest.param("Fwd", ATTACHED, MULTIPART, id="attached"),
        *(pytest.param(*outlook(each), "", id=f"outlook-{each}") for each in ROWS),
    ],
)
def test_a_mail_that_is_passed_on_becomes_the_customers_ticket(
    desk: Desk, prefix: str, text: str, headers: str
) -> None:
    utf = headers or "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit"
    desk.mail(ANNA, f"{prefix}: Printer on fire", text.replace("\n", "\r\n"), proven=True, headers=utf)

    assert desk.tickets() == [1]
    assert (desk.status(1), desk.ticket(1).subject) == (Status.NEW, "Printer on fire")
    assert desk.mails_to(ADA) == []
    told = next(each for each in desk.mails_to(BERT))
    assert "Ada Lovelace <ada@customer.example> wrote:" in told.text
    assert "The printer burns." in told.text
    assert "she is new" in told.text or "Weitergeleitete" in text

    done = next(each for each in desk.mails_to(ANNA) if "Done:" in each.text)
    assert "New ticket for: ada@customer.example" in done.text
    desk.mail(BERT, f"Re: {told.subject}", "Use water.\r\n", answers=told)
    [got] = desk.mails_to(ADA)
    assert got.text.startswith("Use water.")
    assert "she is new" not in got.raw.decode()
    if headers:
        assert "<original@customer.example>" in got.raw.decode()


def test_passing_on_is_taken_back(desk: Desk) -> None:
    desk.mail(ANNA, "Fwd: Printer on fire", GMAIL.replace("\n", "\r\n"), proven=True)
    done = next(each for each in desk.mails_to(ANNA) if "Done:" in each.text)
    address, words = done.click("#undo")

    desk.mail(ANNA, "", words, to=address)

    assert desk.status(1) is Status.DELETED


@pytest.mark.parametrize(
    "text",
    [
        GMAIL.replace("Ada Lovelace <ada@customer.example>", "Ada Lovelace"),
        GMAIL.replace("<ada@customer.example>", "<ada@customer.example>, Ben <ben@customer.example>"),
        GMAIL.replace("ada@customer.example", BERT),
        "See below.\n\nThe printer burns, says Ada.\n",
        "#requster ada@customer.example\n\n" + GMAIL,
        "#undelete\n\n" + GMAIL,
    ],
)
def test_where_it_is_not_certain_whose_mail_it_is_the_agent_is_asked(desk: Desk, text: str) -> None:
    mail = desk.mail(ANNA, "Fwd: Printer on fire", text.replace("\n", "\r\n"), proven=True)

    assert desk.tickets() == []
    assert desk.filed(mail).state is MailState.NOTED
    assert len(desk.mails_to(ANNA)) == 1
    assert desk.mails_to(ADA) == []


def test_the_agent_says_himself_whose_mail_it_is(desk: Desk) -> None:
    text = "#requester ada@customer.example\n\nSee below.\n\nThe printer burns, says Ada.\n"
    desk.mail(ANNA, "Fwd: Printer on fire", text.replace("\n", "\r\n"), proven=True)

    assert desk.tickets() == [1]
    assert "The printer burns, says Ada." in desk.mails_to(BERT)[0].text
    assert desk.mails_to(ADA) == []


def test_nobody_else_begins_a_ticket_in_a_customers_name(desk: Desk) -> None:
    held = desk.mail(ANNA, "Fwd: Printer on fire", GMAIL.replace("\n", "\r\n"))
    assert desk.filed(held).state is MailState.HELD

    desk.mail("eve@elsewhere.example", "Fwd: Printer on fire", GMAIL.replace("\n", "\r\n"), proven=True)
    assert desk.mails_to(ADA) == []
    assert all("eve@elsewhere.example" in each.text for each in desk.mails_to(BERT))


def test_what_is_passed_on_and_is_on_a_ticket_already_is_no_answer(desk: Desk) -> None:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    desk.mails_to(ADA)
    desk.mail(
        ANNA,
        "Fwd: Printer on fire",
        GMAIL.replace("\n", "\r\n"),
        proven=True,
        headers="References: <mail-1@client.example>",
    )

    assert desk.mails_to(ADA) == []
    assert desk.status(1) is Status.NEW


def test_an_agent_writes_to_a_customer_first(desk: Desk) -> None:
    desk.mail(ANNA, "Your order", "#for ada@customer.example\r\n\r\nIt is ready.\r\n\r\n-- \r\nAnna Berg", proven=True)

    [got] = desk.mails_to(ADA)
    assert got.subject == "Your order"
    assert got.text.startswith("It is ready.\n\nRef:")
    assert "#for" not in got.raw.decode()
    assert got.message.header("auto-submitted") == ""
    assert (desk.status(1), desk.ticket(1).assignee) == (Status.ANSWERED, ANNA)
    assert "Answer to: ada@customer.example" in desk.mails_to(ANNA)[0].text

    desk.mail(ADA, "Re: Your order", "Thank you, when?\r\n", answers=got)
    assert desk.status(1) is Status.OPEN
    assert "Thank you, when?" in desk.mails_to(ANNA)[0].text


@pytest.mark.parametrize(
    "text",
    [
        "#for ada@customer.example",
        "#for ada\r\n\r\nIt is ready.",
        "#fro ada@customer.example\r\n\r\nIt is ready.",
        "#for bert@acme.example\r\n\r\nIt is ready.",
        f"#for {SUPPORT}\r\n\r\nIt is ready.",
        "#for ada@customer.example\r\n#spam\r\n\r\nIt is ready.",
        "#for ada@customer.example\r\n#cc bert@acme.example\r\n\r\nIt is ready.",
        "#for ada@customer.example\r\n\r\n" + GMAIL.replace("\n", "\r\n"),
    ],
)
def test_a_wrong_word_begins_nothing(desk: Desk, text: str) -> None:
    desk.mail(ANNA, "Your order", text, proven=True)

    assert desk.tickets() == []
    assert desk.mails_to(ADA) == []
    assert len(desk.mails_to(ANNA)) == 1


def test_without_proof_nothing_is_begun(desk: Desk) -> None:
    mail = desk.mail(ANNA, "Your order", "#for ada@customer.example\r\n\r\nIt is ready.")

    assert desk.filed(mail).state is MailState.HELD
    assert desk.mails_to(ADA) == []


def test_an_agent_who_asks_for_himself_is_a_customer_as_before(desk: Desk) -> None:
    desk.mail(ANNA, "My chair", "It is broken.\r\n", proven=True)

    assert desk.tickets() == [1]
    assert desk.ticket(1).assignee is None


def test_an_ordinary_mail_passes_nothing_on() -> None:
    mail = parse(b"From: a@x.example\r\nSubject: Hello\r\n\r\nFrom: the start it was clear.\r\nTo: be or not.\r\n")

    assert passed_on(mail, mail.text) is None


def test_at_the_desk_address_nothing_is_begun(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire", proven=True)
    to = desk.mails_to(ANNA)[0].action("d")
    desk.mails_to(ADA)

    desk.mail(ANNA, "", "#for ben@customer.example\r\n\r\nIt is ready.", to=to, proven=True)

    assert desk.tickets() == [1]
    assert desk.mails_to("ben@customer.example") == []
    assert len(desk.mails_to(ANNA)) == 1


def test_words_beside_for_are_about_the_ticket_that_it_begins(desk: Desk) -> None:
    words = f"#for {ADA}\r\n#cc {BEN}\r\n#assign bert\r\n#priority high\r\n#tag order -old\r\n#postpone 3d"

    desk.mail(ANNA, "Your order", f"{words}\r\n\r\nIt is ready.\r\n", proven=True)

    [got], [copy] = desk.mails_to(ADA), desk.mails_to(BEN)
    assert got.text.startswith("It is ready.")
    assert copy.message.message_id == got.message.message_id
    ticket = desk.ticket(1)
    assert (ticket.status, ticket.assignee, ticket.priority) == (Status.POSTPONED, BERT, "high")
    [handed_over] = desk.mails_to(BERT)
    assert "It is ready." in handed_over.text
    [told] = desk.mails_to(ANNA)
    for line in ("New ticket for: ada@customer.example", "Tags: +order", "Assigned to: Bert", "Status: postponed"):
        assert line in told.text, told.text


def test_who_resolves_what_he_begins_writes_one_mail(desk: Desk) -> None:
    desk.mail(ANNA, "Your order", f"#for {ADA}\r\n#resolve\r\n\r\nIt is ready.\r\n", proven=True)

    assert len(desk.mails_to(ADA)) == 1
    assert desk.status(1) is Status.RESOLVED


def test_words_above_a_mail_that_is_passed_on_open_the_ticket_as_they_say(desk: Desk) -> None:
    text = "#assign bert\r\n#priority urgent\r\n#tag order\r\n\r\n" + GMAIL.replace("\n", "\r\n")

    desk.mail(ANNA, "Fwd: Printer on fire", text, proven=True)

    ticket = desk.ticket(1)
    assert (ticket.status, ticket.assignee, ticket.priority) == (Status.NEW, BERT, "urgent")
    [notified] = desk.mails_to(BERT)
    assert "The printer burns." in notified.text
    assert "Bert, she is new." in notified.text
    [told] = desk.mails_to(ANNA)
    assert "Tags: +order" in told.text
    assert desk.mails_to(ADA) == []


def test_a_mail_is_passed_on_to_another_department(desk: Desk) -> None:
    desk.mail(ANNA, "Fwd: Printer on fire", "#department sales\r\n\r\n" + GMAIL.replace("\n", "\r\n"), proven=True)

    assert desk.ticket(1).department == "sales"
    assert len(desk.mails_to(BERT)) == 1


def test_a_mail_that_is_passed_on_as_done_disturbs_nobody(desk: Desk) -> None:
    desk.mail(ANNA, "Fwd: Printer on fire", "#resolve\r\n\r\n" + GMAIL.replace("\n", "\r\n"), proven=True)

    assert desk.status(1) is Status.RESOLVED
    assert desk.mails_to(BERT) == []
    assert desk.mails_to(ADA) == []
    assert len(desk.mails_to(ANNA)) == 1
