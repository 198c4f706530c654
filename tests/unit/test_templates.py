"""Every mail reads well in every language, and nothing in it is more than words."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

from maild.rules.tickets import Status, Tell
from maild.templates import (
    Acknowledgement,
    Answer,
    BrokenTemplatesError,
    Listed,
    Notification,
    Purpose,
    Reminder,
    Rendered,
    Templates,
    Waiting,
    Who,
    _environment,
    samples,
)
from maild.templates.style import filters, mailto, paragraphs, quoted

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ADA = Who("Ada", "ada@customer.example")
ACKNOWLEDGEMENT = Acknowledgement(
    department="Acme Support", subject="Printer on fire", zone=BERLIN, reference="t1.x0.k2", name="Ada", proven=True
)
NOTIFICATION = Notification(
    department="Acme Support",
    subject="Printer on fire",
    zone=BERLIN,
    ticket_id=1042,
    status="open",
    customer=ADA,
    author=ADA,
    role="customer",
    proof="proven",
    at=NOON,
    text="It burns.",
)
TEMPLATES = Templates()


class Outline(HTMLParser):
    """What stands in an HTML mail: its elements in order, unclosed ones, and its words."""

    VOID = frozenset({"br", "img", "meta", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data


def every_mail() -> Iterator[tuple[str, str, Rendered]]:
    for language in TEMPLATES.languages:
        for mail in samples():
            yield language, mail.purpose, TEMPLATES.render(mail, language)


def own(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / name.replace("_dot_", ".")).write_text(content, encoding="utf-8")
    return folder


# --- all of them


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


# --- single mails


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


# --- the sandbox


@pytest.mark.parametrize(
    "reaching",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ parts.hello.__init__.__globals__ }}",
        "{{ _.__globals__ }}",
        "{{ {}.update(a=1) }}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(reaching: str) -> None:
    template = _environment().from_string("{% macro hello() %}{% endmacro %}" + reaching)

    with pytest.raises((SecurityError, UndefinedError)):
        template.render(parts={})


def test_a_method_of_a_dictionary_is_not_hidden_by_a_key_of_its_name() -> None:
    assert _environment().from_string("{{ names.get('a') }} {{ names.a }}").render(names={"get": 1, "a": 2}) == "2 2"


# --- text of mails is only ever data

HOSTILE = [
    "{{ 7*7 }}",
    "{% for x in y %}",
    "{{ self.__init__ }}",
    "%(who)s",
    "%s %d",
    "<script>alert(1)</script>",
    '"><b x="',
    "&lt;",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_words_of_a_mail_are_never_acted_on(words: str) -> None:
    mail = replace(
        NOTIFICATION,
        subject=words,
        author=Who(words, "x@y.example"),
        customer=Who(words, words),
        text=words,
        assignee=words,
        attachments=(Listed(words, 1),),
        role="third-party",
    )

    for language in TEMPLATES.languages:
        rendered = TEMPLATES.render(mail, language)
        assert rendered.subject == f"[#1042] {words}"
        assert rendered.text.count(words) >= 5
        assert Outline(rendered.html).words.count(words) >= 5
        assert "script" not in Outline(rendered.html).tags


def test_a_name_cannot_pretend_to_be_a_line_of_the_mail() -> None:
    mail = TEMPLATES.render(replace(NOTIFICATION, author=Who("Ada\n\nStatus: closed\u202e", "ada@x.example")), "en")

    assert "\nAda Status: closed <ada@x.example> wrote:\n" in "\n" + mail.text


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("<>&\"'{}%#\n\r\t "), max_size=200))
def test_any_words_stay_words(words: str) -> None:
    mail = replace(NOTIFICATION, text=words, subject=words, author=Who(words, ADA.address))

    rendered = TEMPLATES.render(mail, "en")

    tags = Outline(rendered.html).tags
    assert "\n" not in rendered.subject
    assert not {"script", "b", "img", "form", "iframe", "svg"} & set(tags)


# --- the operator's own


def test_an_operators_file_replaces_one_template(tmp_path: Path) -> None:
    text = '{% extends "layout.txt" %}{% block subject %}Mine{% endblock %}{% block body %}Own words{% endblock %}'
    own(tmp_path, acknowledgement_dot_txt=text)

    templates = Templates(tmp_path)

    mail = templates.render(ACKNOWLEDGEMENT, "en")
    assert (mail.subject, mail.text) == ("Mine", "Own words\nRef: t1.x0.k2\n")
    assert "Thank you for writing" in mail.html
    assert templates.check() == []


def test_an_operators_catalogue_changes_words_and_adds_languages(tmp_path: Path) -> None:
    for language, word in (("de", "Hallo,"), ("et", "Tere,")):
        (tmp_path / "locale" / language).mkdir(parents=True)
        own(tmp_path / "locale" / language, maild_dot_po=f'msgid ""\nmsgstr ""\n\nmsgid "Hello,"\nmsgstr "{word}"\n')

    templates = Templates(tmp_path)

    assert templates.languages == ("en", "de", "et")
    mail = replace(ACKNOWLEDGEMENT, name="")
    assert templates.render(mail, "de").text.startswith("Hallo,\n\nvielen Dank")
    assert templates.render(mail, "et").text.startswith("Tere,\n\nThank you")


def test_a_mail_from_right_to_left_is_laid_out_so(tmp_path: Path) -> None:
    (tmp_path / "locale" / "ar").mkdir(parents=True)
    own(tmp_path / "locale" / "ar", maild_dot_po='msgid ""\nmsgstr ""\n\nmsgid "Hello,"\nmsgstr "مرحبا،"\n')

    html = Templates(tmp_path).render(replace(NOTIFICATION, note="n@x.example"), "ar").html

    assert 'lang="ar" dir="rtl"' in html
    assert "border-right:3px" in html
    assert "border-left:3px" not in html


@pytest.mark.parametrize(
    ("asked", "spoken"), [("de-AT", "Guten Tag"), ("de_CH", "Guten Tag"), ("xx", "Hello"), ("", "Hello")]
)
def test_a_language_that_is_not_spoken_falls_back(asked: str, spoken: str) -> None:
    assert TEMPLATES.render(ACKNOWLEDGEMENT, asked).text.startswith(spoken)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (
            "reminder.txt",
            "{% block subject %}{% endblock %}{{ nmae }}",
            "unknown variable 'nmae'; did you mean 'name'?",
        ),
        ("reminder.txt", "{% block subject %}{% endblock %}{% if false %}{{ subjct }}{% endif %}", "'subject'?"),
        ("notification.html", "\n{{ author.nmae }}", "notification.html:2: en: 'dict object' has no attribute 'nmae'"),
        ("reminder.txt", "{{ 1 / 0 }}", "reminder.txt:1: en: ZeroDivisionError"),
        ("remindr.txt", "x", "remindr.txt: no mail has this name; did you mean reminder.txt?"),
        ("reminder.txt", "no subject", "reminder.txt: en: there is no block 'subject'"),
        ("reminder.html", "{{ ''.__class__.__mro__ }}", "access to attribute '__class__'"),
    ],
)
def test_a_fault_in_an_operators_template_is_found_before_any_mail(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    (tmp_path / name).write_text(content)

    faults = Templates(tmp_path).check()

    assert any(fault in found for found in faults), faults
    assert all(str(tmp_path) in found for found in faults), faults


def test_a_template_that_cannot_be_compiled_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "reminder.txt").write_text("\n{% if %}")

    with pytest.raises(BrokenTemplatesError, match=r"reminder\.txt:2: Expected an expression"):
        Templates(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('msgid "Hello %(name)s,"\nmsgstr "Hallo %(nmae)s,"\n', "maild.po:4: unknown named placeholder 'nmae'"),
        ('nonsense "Hello"\n', "maild.po"),
        ("\u00ff", "maild.po"),
    ],
)
def test_a_fault_in_a_catalogue_is_refused_with_its_line(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "locale" / "de").mkdir(parents=True)
    own(tmp_path / "locale" / "de", maild_dot_po='msgid ""\nmsgstr ""\n\n' + content)

    with pytest.raises(BrokenTemplatesError, match=re.escape(fault)):
        Templates(tmp_path)


# --- the filters


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
