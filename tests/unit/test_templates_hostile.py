"""Words of mails are only ever data, and a template reaches nothing but its values."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

from maild.templates import Listed, Who, _environment
from tests.unit.mails import ADA, NOTIFICATION, TEMPLATES, Outline


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
