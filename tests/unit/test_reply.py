"""The new text of a mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.reply import new_text
from tests.unit.reading import mail


def new(text: str, **more: str) -> str:
    return new_text(mail(text, **more)).text


HEADER_BLOCK = (
    "From: Acme Support <support@acme.example>\nSent: Monday, November 2, 2026 10:00 AM\n"
    "To: Ada <ada@customer.example>\nSubject: Printer"
)
QUOTE = "> Dear Ada,\n>\n> is it switched on?\n>\n> Anna\n"


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
        "I wonder what your colleague wrote:",
        "--\nAda\n\nIt is on, and that is all.",
        "I tried it:\n\n>>> import printer\n>>> printer.burn()",
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


def test_a_sentence_above_a_short_attribution_is_the_authors() -> None:
    text = "See you on 12/03/2026 at 10:30.\nBob wrote:\n> ok"

    assert new(text) == "See you on 12/03/2026 at 10:30."


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


NO_NOTICE = (
    "This e-mail is confidential and I would like to know why you send it to everybody in my company without asking "
    "whether I am the intended recipient of such things at all. Please explain."
)


@pytest.mark.parametrize(
    "text",
    [
        "It is on.\n\n______________________________________\nThe second part of what I say\nstands here.",
        "It is on.\n\nThis message is confidential, please.",
        NO_NOTICE,
        "It is on.\n\nSent from my iPhone, which is why I cannot attach the file. Shall I?",
    ],
)
def test_what_only_looks_like_a_signature_stays(text: str) -> None:
    assert new(text) == text


def test_a_quote_at_the_end_of_a_mail_that_answers_nothing_stays() -> None:
    text = "I get this:\n\n> error 17\n> at line 4"

    assert new(text, subject="Printer", answers="") == text
    assert new(text, subject="Re: Printer", answers="") == "I get this:"


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


@pytest.mark.parametrize("prefix", ["[users] Fwd", "FW", "WG", "TR", "RV", "转发"])
def test_an_outlook_forward_is_content(prefix: str) -> None:
    text = f"What do you say?\n\n{HEADER_BLOCK}\n\nWe offer ten.\n"

    assert new(text, subject=f"{prefix}: Offer") == text.strip()


def test_an_old_mail_below_a_mail_that_answers_nothing_is_content() -> None:
    text = f"Is this from you?\n\n-----Original Message-----\n{HEADER_BLOCK}\n\nYour account was used."

    assert new(text, subject="A mail that I got", answers="") == text
    assert new(text, subject="Bill: is it right?", answers="") == text
    assert new(text, subject="A mail that I got") == "Is this from you?"
    assert new(text, subject="AW: Printer", answers="") == "Is this from you?"


def test_a_forward_of_apple_mail_is_content_though_it_is_quoted() -> None:
    text = (
        "What do you say?\n\nBegin forwarded message:\n\n> From: Bob <bob@x.example>\n> Subject: "
        "Offer\n>\n> We offer ten."
    )

    assert new(text, subject="Re: Offer") == text
    assert new("What do you say?\n\n> We offer ten.", subject="Fwd: Offer") == "What do you say?\n\n> We offer ten."


@pytest.mark.parametrize(
    "words", ["See my answers below in red.", "Siehe unten, in Rot.", "Voir ci-dessous.", "Мои ответы ниже, см. ниже."]
)
def test_nothing_is_cut_where_the_author_says_that_he_answers_below(words: str) -> None:
    text = f"{words}\n\n{HEADER_BLOCK}\n\nis it switched on?\nyes it is\n"

    assert new(text) == text.strip()


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

    reply = new_text(mail(f"See below.\n\n{HEADER_BLOCK}\n\n{quoted}"), [OURS])

    assert "See below." in reply.text
    assert "YES IT IS ON" in reply.text


def test_the_greeting_that_the_customer_always_writes_stays_though_we_quoted_it_once() -> None:
    ours = f"{OURS}\n> Dear Acme Support team,\n>\n> it burns.\n>\n> Best regards, Ada\n"
    text = "Dear Acme Support team,\n\nit burns no more.\n\nBest regards, Ada"

    assert new_text(mail(text), [ours]).text == text


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
