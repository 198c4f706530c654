"""The quotes of mail programs in plain text, in many languages."""

import pytest

from maild.message.reply import new_text
from tests.unit.reading import mail

QUOTE = "> Dear Ada,\n>\n> is it switched on?\n>\n> Anna\n"


def new(text: str) -> str:
    return new_text(mail(text)).text


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


OTHER_QUOTES = {
    "Outlook on a telephone": (
        f"Get Outlook for iOS<https://aka.example/o>\n________________________________\n{HEADER_BLOCKS[0]}\n\nis it on?"
    ),
    "Apple Mail": "> Am 02.11.2026 um 10:00 schrieb Acme <support@acme.example>:\n>\n> is it on?",
    "Apple Mail on a telephone": (
        "Sent from my iPhone\n\n> On Nov 2, 2026, at 10:00, Acme <support@acme.example> wrote:\n>\n> is it on?"
    ),
    "Gmail on a telephone": "On Mon, 2 Nov 2026, 10:00 Acme Support, <support@acme.example> wrote:\n\n> is it on?",
    "K-9": "Am 2. November 2026 10:00:00 MEZ schrieb Acme <support@acme.example>:\n>is it on?",
    "Samsung": (
        "-------- Original message --------\nFrom: Acme <support@acme.example>\nDate: 11/2/26 "
        "10:00 (GMT+01:00)\nTo: Ada\nSubject: P\n\nis it on?"
    ),
    "Zimbra": (
        '----- Mail original -----\nDe: "Acme" <support@acme.example>\nÀ: "Ada" <a@x.example>\n'
        "Envoyé: Lundi 2 Novembre 2026 10:00:00\nObjet: P\n\nis it on?"
    ),
    "Notes": (
        '-----"Acme" <support@acme.example> wrote: -----\nTo: Ada\nFrom: "Acme" '
        "<support@acme.example>\nDate: 02.11.2026 10:00\nSubject: P\n\nis it on?"
    ),
    "GroupWise": ">>> Acme Support <support@acme.example> 11/2/2026 10:00 AM >>>\nis it on?",
    "NetEase": 'At 2026-11-02 10:00:00, "Acme" <support@acme.example> wrote:\n\nis it on?',
    "QQ": (
        "------------------ 原始邮件 ------------------\n发件人: Acme <support@acme.example>\n"
        "发送时间: 2026年11月2日\n\nis it on?"
    ),
    "Roundcube": "Am 2026-11-02 10:00, schrieb Acme Support:\n> is it on?",
    "Mutt": "On Mon, Nov 02, 2026 at 10:00:00AM +0100, Acme Support wrote:\n> is it on?",
    "Gnus": "Acme Support <support@acme.example> writes:\n\n> is it on?",
    "Pine": "On Mon, 2 Nov 2026, Acme Support wrote:\n\n> is it on?",
    "Evolution": "Am Montag, dem 02.11.2026 um 10:00 +0100 schrieb Acme Support:\n> is it on?",
    "Eudora": "At 10:00 02/11/2026, you wrote:\n>is it on?",
    "Proton Mail": (
        "-------- Original Message --------\nOn 11/2/26 10:00, Acme <support@acme.example> wrote:\n\n> is it on?"
    ),
    "Zoho": "---- On Mon, 02 Nov 2026 10:00:00 +0530 Acme <support@acme.example> wrote ----\n\nis it on?",
    "Windows Mail": (
        f"Von meinem Windows Phone gesendet\n\n________________________________\n{HEADER_BLOCKS[2]}\n\nis it on?"
    ),
    "Tobit David": (
        "Original Message processed by david®\nRe: Printer 2. November 2026, 10:00\nVon Acme\nAn Ada\n\nis it on?"
    ),
    "another desk": "##- Please type your reply above this line -##\n\nYour request (17) was received.\n\nis it on?",
}


@pytest.mark.parametrize("program", OTHER_QUOTES)
def test_the_quote_of_every_mail_program_goes(program: str) -> None:
    assert new(f"It is.\n\nAda\n\n{OTHER_QUOTES[program]}\n") == "It is.\n\nAda"


@pytest.mark.parametrize(
    "text",
    [
        (
            "It is.\n\nFrom: Acme <support@acme.example>\n\nSent: Monday, November 2, 2026 10:00 AM\n"
            "\nTo: Ada\n\nSubject: P\n\nis it on?"
        ),
        "It is.\n\nOn Mon, Nov 2, 2026 at 10:00 AM Acme\n\n<\nmailto:Acme <support@acme.example>\n> wrote:\nis it on?",
        "It is.\n\nOn Mon, Nov 2, 2026 at 10:00 AM Acme <\nsupport@acme.example\n> wrote:\n> is it on?",
    ],
)
def test_an_announcement_may_be_spread_over_lines(text: str) -> None:
    assert new(text) == "It is."
