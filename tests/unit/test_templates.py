"""Every mail reads well in every language, and nothing in it is more than words."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from maild.rules.state import Status, Tell
from maild.templates import Answer, Listed, Purpose, Reminder, Rendered, Waiting, samples
from maild.templates.style import filters, mailto, paragraphs, quoted
from tests.unit.mails import ACKNOWLEDGEMENT, ADA, BERLIN, NOON, NOTIFICATION, TEMPLATES, Outline


def every_mail() -> Iterator[tuple[str, str, Rendered]]:
    for language in TEMPLATES.languages:
        for mail in samples():
            yield language, mail.purpose, TEMPLATES.render(mail, language)


def test_the_packed_templates_are_without_fault() -> None:
    assert TEMPLATES.check() == []


def test_every_translation_is_complete() -> None:
    assert TEMPLATES.untranslated() == {"de": []}


def test_no_translation_says_what_no_template_asks() -> None:
    assert TEMPLATES.superfluous() == {"de": []}


def test_every_mail_that_a_decision_asks_for_has_a_template_and_a_sample() -> None:
    assert {tell.value for tell in Tell} <= {purpose.value for purpose in Purpose}
    assert {mail.purpose for mail in samples()} == set(Purpose)


def test_every_status_has_a_name() -> None:
    for status in Status:
        mail = Waiting(
            department="D",
            subject="S",
            zone=BERLIN,
            ticket_id=1,
            status=status,
            customer=ADA,
            waiting_since=NOON,
            now=NOON,
        )
        assert f"Status: {status}" in TEMPLATES.render(mail, "en").text


def test_every_mail_is_tidy_plain_text_and_balanced_html() -> None:
    for language, purpose, mail in every_mail():
        where = f"{purpose} {language}"
        assert "\n\n\n" not in mail.text, where
        assert not re.search("[ \t]\n", mail.text), where
        assert mail.text == mail.text.strip("\n") + "\n", where
        assert "{" not in mail.text, where
        outline = Outline(mail.html)
        assert outline.tags.count("body") == 1, where
        assert f'lang="{language}"' in mail.html, where


def test_no_mail_loads_anything_from_elsewhere() -> None:
    for _, purpose, mail in every_mail():
        assert not re.search(r"\b(src|background|srcset)=|url\(|@import|<script|<link|<form", mail.html), purpose
        assert all(link.startswith(("mailto:", "https://printers.example/")) for link in Outline(mail.html).links)


def test_what_customers_get_names_no_ticket() -> None:
    for purpose in ("acknowledgement", "answer", "reminder", "resolved", "follow_up"):
        for _, kind, mail in every_mail():
            if kind == purpose:
                words = Outline(mail.html).words + mail.text + mail.subject
                assert not re.search(r"#\d|ticket", words, re.IGNORECASE)


def test_the_subject_to_a_customer_is_his_own_and_to_an_agent_always_the_same() -> None:
    for _, purpose, mail in every_mail():
        if purpose in ("answer", "reminder", "resolved", "follow_up"):
            first = purpose == "answer" and mail.subject == "Printer on fire"  # an agent's, whom nobody had written to
            assert first or mail.subject == "Re: Printer on fire"
        elif purpose in ("notification", "waiting", "undelivered"):
            assert mail.subject == "[#1042] Printer on fire"


def test_the_reference_is_the_last_line_of_both_bodies() -> None:
    mail = TEMPLATES.render(ACKNOWLEDGEMENT, "en")

    assert mail.text.endswith("\n\nRef: t1.x0.k2\n")
    assert Outline(mail.html).words.strip().endswith("Ref: t1.x0.k2")
    assert "Ref" not in TEMPLATES.render(replace(ACKNOWLEDGEMENT, reference=""), "en").text


def test_an_unproven_sender_is_told_nothing_of_what_he_wrote() -> None:
    mail = TEMPLATES.render(
        replace(ACKNOWLEDGEMENT, proven=False, subject="Cheap pills", name="Visit pills.example"), "en"
    )

    assert "pills" not in mail.subject + mail.text + mail.html
    assert mail.subject == "We have received your message"


def test_the_promised_time_is_told_in_the_zone_and_words_of_the_reader() -> None:
    mail = replace(ACKNOWLEDGEMENT, promised_at=NOON)

    assert "by Monday, November 23, 2026, 1:00\u00a0PM CET." in TEMPLATES.render(mail, "en").text
    assert "bis spätestens Montag, 23. November 2026, 13:00 MEZ." in TEMPLATES.render(mail, "de").text
    tokyo = replace(mail, zone=ZoneInfo("Asia/Tokyo"))
    assert "Monday, November 23, 2026, 9:00\u00a0PM JST" in TEMPLATES.render(tokyo, "en").text


def test_a_mail_without_a_subject_is_spoken_of_sensibly() -> None:
    mail = TEMPLATES.render(replace(ACKNOWLEDGEMENT, subject=""), "en")

    assert mail.subject == "Re:"
    assert "“(no subject)”" in mail.text


def test_an_answer_is_the_agents_words_alone() -> None:
    answer = Answer(department="Acme", subject="x", zone=BERLIN, text="Hello Ada,\n\n  use <b>this</b>.\n")

    mail = TEMPLATES.render(answer, "en")

    assert mail.text == "Hello Ada,\n\n  use <b>this</b>.\n"
    assert Outline(mail.html).words.split() == ["Hello", "Ada,", "use", "<b>this</b>."]


def test_an_agents_own_html_is_relayed_as_it_is() -> None:
    answer = Answer(department="Acme", subject="x", zone=BERLIN, text="Hi", html="<p>Hi <b>Ada</b></p>")

    assert "<p>Hi <b>Ada</b></p>" in TEMPLATES.render(answer, "en").html


def test_the_two_actions_are_mails_to_signed_addresses() -> None:
    mail = Reminder(
        department="Acme",
        subject="x",
        zone=BERLIN,
        answered_at=NOON,
        solved="s+t1.s7.k2@a.example",
        problem="s+t1.p7.k2@a.example",
    )

    rendered = TEMPLATES.render(mail, "en")

    assert "\nmailto:s+t1.s7.k2@a.example?subject=Solved\n" in rendered.text
    assert Outline(rendered.html).links == [
        "mailto:s+t1.s7.k2@a.example?subject=Solved&body=Yes%2C%20it%20is%20solved.",
        "mailto:s+t1.p7.k2@a.example?subject=Still%20a%20problem&body=It%20is%20still%20a%20problem%3A%0A%0A",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"role": "third-party"}, "does not take part in this ticket"),
        ({"proof": "unproven"}, "nothing proves that this message is from ada@customer.example"),
        ({"proof": "failed"}, "says that this message is not from there"),
        ({"related": (17, 18)}, "names #17, #18"),
        ({"follows_id": 7}, "follows #7"),
        ({"internal": True, "role": "agent"}, "Only agents see this"),
        ({"attachments": (Listed("bill.pdf", 1500),)}, "bill.pdf (1.5\u00a0kB)"),
    ],
)
def test_an_agent_is_told_plainly_what_is_special(change: dict[str, object], said: str) -> None:
    usual, special = (TEMPLATES.render(replace(NOTIFICATION, **which), "en") for which in ({}, change))

    for mail in (special.text, Outline(special.html).words):
        assert said in " ".join(mail.split(" "))
    assert said not in usual.text


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1500, "1.5 kB"),
        (25_000_000, "25 MB"),
        (5_000_000_000_000, "5000 GB"),
    ],
)
def test_sizes_are_told_in_units_of_people(octets: int, said: str) -> None:
    assert filters("en")["size"](octets) == said.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("span", "said"),
    [(timedelta(minutes=40), "40 minutes"), (timedelta(hours=5), "5 hours"), (timedelta(days=2), "2 days")],
)
def test_spans_are_told_in_words(span: timedelta, said: str) -> None:
    assert filters("en")["span"](span) == said


def test_a_quotation_marks_each_line() -> None:
    assert quoted("a\n\n> b") == "> a\n>\n>> b"


def test_plain_text_becomes_html_with_its_lines_and_links() -> None:
    assert paragraphs("a <b>\n  c https://x.example/?a=1&b=2.") == (
        'a &lt;b&gt;<br>\n&nbsp;&nbsp;c <a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a>.'
    )


def test_a_link_to_a_mail_holds_only_what_it_was_given() -> None:
    assert mailto("a+b@x.example", "x&cc=evil@y.example", "1\r\n2") == (
        "mailto:a+b@x.example?subject=x%26cc%3Devil%40y.example&body=1%0D%0A2"
    )
