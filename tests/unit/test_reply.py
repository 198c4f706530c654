"""The new text of a mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.reply import new_text
from tests.unit.reading import mail


def new(text: str, **more: str) -> str:
    return new_text(mail(text, **more)).text


QUOTE = "> Dear Ada,\n>\n> is it switched on?\n>\n> Anna\n"

ATTRIBUTIONS = [
    "On Mon, 2 Nov 2026 at 10:00, Acme Support <support@acme.example> wrote:",
    "On Mon, Nov 2, 2026 at 10:00 AM Acme Support <support@acme.example>\nwrote:",
    "On Mon, Nov 2, 2026 at 10:00 AM Acme Support <\nsupport@acme.example> wrote:",
    "On 02/11/2026 10:00, Acme Support wrote:",
    "Am Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Acme Support <support@acme.example>:",
    "Am 02.11.26 um 10:00 schrieb Acme Support:",
    "Le lun. 2 nov. 2026 à 10:00, Acme Support <support@acme.example> a écrit :",
    "El lun, 2 nov 2026 a las 10:00, Acme Support (<support@acme.example>) escribió:",
    "Il giorno lun 2 nov 2026 alle ore 10:00 Acme Support <support@acme.example> ha\nscritto:",
    "Em seg., 2 de nov. de 2026 às 10:00, Acme Support <support@acme.example> escreveu:",
    "Op ma 2 nov 2026 om 10:00 schreef Acme Support <support@acme.example>:",
    "Den mån 2 nov. 2026 kl 10:00 skrev Acme Support <support@acme.example>:",
    "man. 2. nov. 2026 kl. 10.00 skrev Acme Support <support@acme.example>:",
    "ma 2. marrask. 2026 klo 10.00 Acme Support (support@acme.example) kirjoitti:",
    "Kontakt Acme Support (<support@acme.example>) kirjutas kuupäeval E, 2. november\n2026 kell 10:00:",
    "pon., 2 lis 2026 o 10:00 Acme Support <support@acme.example> napisał(a):",
    "po 2. 11. 2026 v 10:00 odesílatel Acme Support <support@acme.example> napsal:",
    "Acme Support <support@acme.example> ezt írta (időpont: 2026. nov. 2., H, 10:00):",
    "În lun., 2 nov. 2026 la 10:00, Acme Support <support@acme.example> a scris:",
    "Acme Support <support@acme.example>, 2 Kas 2026 Pzt, 10:00 tarihinde şunu yazdı:",
    "Στις Δευ 2 Νοε 2026 στις 10:00 π.μ., ο χρήστης Acme <support@acme.example> έγραψε:",
    "пн, 2 нояб. 2026 г. в 10:00, Acme Support <support@acme.example>:",
    "пн, 2 лист. 2026 р. о 10:00 Acme Support <support@acme.example> пише:",
    "Понедельник, 2 ноября 2026, 10:00 +03:00 от Acme <support@acme.example>:",
    (
        "\u202bבתאריך יום ב׳, 2 בנוב׳ 2026 ב-10:00 מאת \u202aAcme\u202c\u200f "
        "<\u202asupport@acme.example\u202c\u200f>:\u202c"
    ),
    "2026年11月2日(月) 10:00 Acme Support <support@acme.example>:",
    "Acme Support <support@acme.example> 于2026年11月2日周一 10:00写道：",
    "2026년 11월 2일 (월) 오전 10:00, Acme Support <support@acme.example>님이 작성:",
    "Vào Th 2, 2 thg 11, 2026 vào lúc 10:00 Acme <support@acme.example> đã viết:",
    "--- On Mon, 11/2/26, Acme Support <support@acme.example> wrote:",
    "---- Acme Support wrote ----",
    "Acme Support wrote:",
    "2026-11-02 10:00 GMT+03:00 Acme Support <support@acme.example>:",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_quote_goes_with_the_line_that_announces_it(line: str, gap: str) -> None:
    reply = new_text(mail(f"It is on.\n\nAda\n\n{line}{gap}{QUOTE}"))

    assert reply.text == "It is on.\n\nAda"
    assert "is it switched on?" in reply.cut


@pytest.mark.parametrize("line", [line for line in ATTRIBUTIONS if "@" in line and not line.startswith("2026-")])
def test_a_quote_without_marks_goes_if_the_line_above_leaves_no_doubt(line: str) -> None:
    assert new(f"It is on.\n\n{line}\n\nDear Ada,\n\nis it switched on?\n") == "It is on."


HEADER_BLOCKS = [
    (
        "From: Acme Support <support@acme.example>\nSent: Monday, November 2, 2026 10:00 AM\nTo: "
        "Ada <ada@customer.example>\nSubject: Printer"
    ),
    (
        "*From:* Acme [mailto:support@acme.example]\n*Sent:* Monday, November 2, 2026 10:00 AM\n"
        "*To:* ada@customer.example\n*Subject:* Printer"
    ),
    "Von: Acme Support <support@acme.example>\nGesendet: Montag, 2. November 2026 10:00\nAn: Ada\nBetreff: Printer",
    "De : Acme Support <support@acme.example>\nEnvoyé : lundi 2 novembre 2026 10:00\nÀ : Ada\nObjet : Printer",
    (
        "De: Acme Support <support@acme.example>\nEnviado el: lunes, 2 de noviembre de 2026 "
        "10:00\nPara: Ada\nAsunto: Printer"
    ),
    "Da: Acme Support <support@acme.example>\nInviato: lunedì 2 novembre 2026 10:00\nA: Ada\nOggetto: Printer",
    "Van: Acme Support <support@acme.example>\nVerzonden: maandag 2 november 2026 10:00\nAan: Ada\nOnderwerp: Printer",
    "Från: Acme Support <support@acme.example>\nSkickat: den 2 november 2026 10:00\nTill: Ada\nÄmne: Printer",
    (
        "Lähettäjä: Acme <support@acme.example>\nLähetetty: maanantai 2. marraskuuta 2026 10.00\n"
        "Vastaanottaja: Ada\nAihe: Printer"
    ),
    "Od: Acme Support <support@acme.example>\nWysłano: poniedziałek, 2 listopada 2026 10:00\nDo: Ada\nTemat: Printer",
    "От: Acme Support <support@acme.example>\nОтправлено: 2 ноября 2026 г. 10:00\nКому: Ada\nТема: Printer",
    "发件人: Acme Support <support@acme.example>\n发送时间: 2026年11月2日 10:00\n收件人: Ada\n主题: Printer",
    "差出人: Acme Support <support@acme.example>\n送信日時: 2026年11月2日 10:00\n宛先: Ada\n件名: Printer",
    "Date: Mon, 2 Nov 2026 10:00:00 +0000\nTo: ada@customer.example",
    (
        "From: Acme Support <support@acme.example>\nDate: Monday, 2 November 2026 at 10:00\nTo: "
        "Ada <ada@customer.example>\nCc: Bob\n <bob@customer.example>\nSubject: Printer"
    ),
]


@pytest.mark.parametrize("block", HEADER_BLOCKS)
@pytest.mark.parametrize(
    "rule",
    ["", "________________________________\n", "-----Original Message-----\n", "------------------------------\n\n"],
)
def test_a_header_block_begins_the_old_mail(block: str, rule: str) -> None:
    assert new(f"It is on.\n\nAda\n\n{rule}{block}\n\nDear Ada,\n\nis it switched on?\n") == "It is on.\n\nAda"


@pytest.mark.parametrize(
    "words",
    [
        "Original Message",
        "Ursprüngliche Nachricht",
        "Message d'origine",
        "Mensaje original",
        "Исходное сообщение",
        "原始邮件",
    ],
)
def test_a_rule_that_names_the_original_begins_the_old_mail(words: str) -> None:
    assert new(f"It is on.\n-----{words}-----\n\nDear Ada, is it switched on?\n") == "It is on."


@pytest.mark.parametrize(
    "text",
    [
        "Please deliver to:\n\nDate: 3 May 2026\nTime: 7:00\nAddress: 130 Fox St\n\nThank you",
        "Name: Ada\nEmail: ada@customer.example\nDate: 2026-11-02\nMessage: it burns\n\nPlease call back.",
        "I get this:\n\n> error 17\n> at line 4\n\nWhat now?",
        "These are my questions:\n\n1. is it on?\n2. is it hot?",
        "Please reach bob@customer.example by 12/03/2026:\nhe has the key.",
        "It broke on Monday, 2 November 2026 at 10:00:\nfirst smoke, then fire.",
        "----- Enter feedback below -----\n\nAll was well.",
        "Options:\n--verbose\n--quiet\n\nWhich one?",
        "On your machine you can run:\n\n    telnet 127.0.0.1 2525\n\nThis works.",
        "One more thing - from my desk it works.\nSent from my desk, it is easier than by telephone.",
        "Sent from support twice, did you get it?",
        "| a | b |\n|---|---|\n| 1 | 2 |\n\nThat is all.",
        "Hello\n\n--\n\nI forgot: what is the price?",
        "Regards\nAda\n\nP.S.\n-- \nPS: it is the blue one",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    reply = new_text(mail(text))

    assert reply.text == text
    assert reply.cut == ""


def test_answers_between_quotes_stay_with_what_they_answer() -> None:
    text = (
        "On Mon, 2 Nov 2026 at 10:00, Acme <support@acme.example> wrote:\n"
        "> Is it on?\n\nYes.\n\n> Is it hot?\n\nNo.\n\n> Regards\n> Anna\n"
    )

    reply = new_text(mail(text))

    assert reply.text == text.partition("\n\n> Regards")[0]
    assert reply.cut == "> Regards\n> Anna"


def test_an_answer_below_the_quote_is_found() -> None:
    assert new(f"On 2 Nov 2026 10:00, Acme <support@acme.example> wrote:\n{QUOTE}\nIt is on.\n") == "It is on."


def test_a_greeting_above_and_an_answer_below_the_quote_both_stay() -> None:
    assert new(f"Hello,\nOn 2 Nov 2026 10:00, Acme wrote:\n{QUOTE}\nIt is on.\n") == "Hello,\n\nIt is on."


def test_a_rule_that_stands_on_the_line_of_the_author_is_taken_off_it() -> None:
    assert new("It is on.----- Original Message -----From: Acme <support@acme.example>\nIs it on?\n") == "It is on."
    assert new("Choose one: ---- red ---- or blue") == "Choose one: ---- red ---- or blue"


def test_an_attribution_that_stands_on_the_line_of_the_author_is_taken_off_it() -> None:
    assert (
        new("It is on. On Mon, Nov 2, 2026 at 10:00 AM, Acme <support@acme.example> wrote:\n> Is it on?\n")
        == "It is on."
    )


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi Samsung Galaxy",
        "Get Outlook for iOS<https://aka.example/x>",
        "Sent from Mail for Windows",
        "Gesendet mit der GMX Mail App",
        "Отправлено с iPhone",
        "发自我的iPhone",
        "iPhoneから送信",
        "나의 iPhone에서 보냄",
        "Sent from Yahoo Mail on Android",
        "Sent from my mobile device, please excuse typos.",
        "Skickat från min iPhone",
        "Verzonden vanaf mijn iPad",
    ],
)
def test_the_line_of_a_telephone_goes(line: str) -> None:
    assert new(f"It is on.\n\n{line}\n") == "It is on."
    assert (
        new(f"It is on.\n\n{line}\n\nOn 2 Nov 2026 10:00, Acme <support@acme.example> wrote:\n{QUOTE}") == "It is on."
    )


def test_a_signature_below_its_mark_goes_and_a_name_without_one_stays() -> None:
    assert (
        new("It is on.\n\nKind regards\nAda\n-- \nAda Lovelace\nCustomer Ltd\n+44 1\n")
        == "It is on.\n\nKind regards\nAda"
    )


def test_a_long_block_below_two_hyphens_is_no_signature() -> None:
    text = "First part.\n--\n" + "\n".join(f"line {number} of the second part" for number in range(20))

    assert new(text) == text


def test_a_lists_footer_goes() -> None:
    footer = (
        "_______________________________________________\nusers mailing list\n"
        "users@lists.example\nhttps://lists.example/users"
    )

    assert new(f"It is on.\n\n{footer}\n") == "It is on."


def test_a_companys_notice_goes() -> None:
    notice = (
        "This e-mail and any attachments are confidential and intended solely for the addressee. "
        "If you are not the intended "
        "recipient, please delete it and tell the sender."
    )

    assert new(f"It is on.\n\nAda\n\n{notice}\n") == "It is on.\n\nAda"


def test_a_forwarded_mail_is_content() -> None:
    forwarded = (
        "---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nDate: Mon, 2 Nov 2026 10:00\n"
        "Subject: Offer\nTo: Ada <ada@customer.example>\n\nWe offer ten.\n\n-- \nBob"
    )

    assert (
        new(f"What do you say?\n\n{forwarded}", subject="Fwd: Offer", answers="") == f"What do you say?\n\n{forwarded}"
    )
    assert new(forwarded, subject="Fwd: Offer", answers="") == forwarded


@pytest.mark.parametrize("prefix", ["FW", "WG", "TR", "RV", "转发"])
def test_an_outlook_forward_is_content(prefix: str) -> None:
    text = f"What do you say?\n\n{HEADER_BLOCKS[0]}\n\nWe offer ten.\n"

    assert new(text, subject=f"{prefix}: Offer") == text.strip()


def test_a_mail_of_nothing_but_a_quote_is_not_empty() -> None:
    assert new(QUOTE) == QUOTE.strip()
    assert new(f"On 2 Nov 2026 10:00, Acme <support@acme.example> wrote:\n{QUOTE}") != ""


def test_nothing_below_our_own_marker_is_new() -> None:
    text = "It is on.\n\n##- Bitte schreiben Sie über dieser Zeile -##\n\nDear Ada, is it switched on?\n"

    assert new(text) == "It is on."


OURS = (
    "Dear Ada,\n\nplease look whether the red switch at the back is on.\nThen hold the green "
    "button for ten seconds.\n\nAnna, Acme Support\n"
)


def test_what_we_sent_is_recognised_without_any_mark() -> None:
    reply = new_text(mail(f"It is on.\n\nAcme kirjoitti eilen\n\n{OURS}"), [OURS])

    assert reply.text == "It is on.\n\nAcme kirjoitti eilen"
    assert "red switch" in reply.cut


def test_an_answer_below_what_we_sent_is_found_without_any_mark() -> None:
    assert new_text(mail(f"{OURS}\nIt is on, and I held it.\n"), [OURS]).text == "It is on, and I held it."


def test_an_answer_inside_what_we_sent_is_not_lost() -> None:
    quoted = OURS.replace("is on.\n", "is on.\nYES IT IS ON\n")

    reply = new_text(mail(f"See below.\n\n{HEADER_BLOCKS[0]}\n\n{quoted}"), [OURS])

    assert "See below." in reply.text
    assert "YES IT IS ON" in reply.text


def test_one_sentence_of_ours_that_the_customer_repeats_stays() -> None:
    text = "Hello\n\nAnna, Acme Support\n\ntold me to write again."

    assert new_text(mail(text), [OURS]).text == text


_PIECES = st.sampled_from(
    [
        "> a\n",
        ">> b c\n",
        "word word\n",
        "\n",
        "-- \n",
        "On 2 Nov 2026 10:00, A <a@b.example> wrote:\n",
        "From: a@b.example\n",
        "Sent: Mon, 2 Nov 2026 10:00\n",
        "Subject: x\n",
        "To: b\n",
        "-----Original Message-----\n",
        "Sent from my iPhone\n",
        "##- x -##\n",
        "_____________________________________\n",
        "https://x.example\n",
        "Fwd: x\n",
        "wrote:\n",
        "<a@b.example>\n",
        ":",
        " ",
        "\t\n",
    ]
)


@given(st.lists(_PIECES, max_size=30).map("".join), st.lists(_PIECES, max_size=6).map("".join), st.booleans())
def test_every_line_is_new_or_cut_and_something_is_always_new(text: str, known: str, answers: bool) -> None:
    message = mail(text, answers="1@acme.example" if answers else "")

    reply = new_text(message, [known] if known else [])

    assert bool(reply.text.strip()) == bool(message.text.strip())
    both = "".join(f"{reply.text}\n{reply.cut}".split())
    assert sorted(both) == sorted("".join(message.text.split()))
