"""What a language fixes is written out before templates are compiled; mails read as if it were looked up."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, UndefinedError

from maild.templates import Listed, Templates, Who, _environment, _told, catalogues, samples, style
from maild.templates.mails import Mail
from tests.unit.mails import ACKNOWLEDGEMENT, NOTIFICATION, TEMPLATES

LOOKED_UP: dict[str, Environment] = {}
SAMPLES = [*samples()]
WORDS = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&\"'{}%() \n#"), max_size=40)


def looked_up(mail: Mail, language: str) -> tuple[str, str]:
    """Return the bodies of a mail by templates that look up all words when they are said."""
    if language not in LOOKED_UP:
        files = {name: path.read_text(encoding="utf-8") for name, path in TEMPLATES.files().items()}
        translated = catalogues.translations(TEMPLATES._catalogues.get(language))
        LOOKED_UP[language] = environment = _environment(DictLoader(files), translated)
        environment.filters.update(style.filters(language))
        environment.globals.update(language=language, dir="ltr", left="left", right="right")
    text, html = (
        LOOKED_UP[language].get_template(f"{mail.purpose}.{suffix}").render(_told(mail)) for suffix in ("txt", "html")
    )
    return text.strip("\n") + "\n", html.strip("\n") + "\n"


@pytest.mark.parametrize("language", TEMPLATES.languages)
def test_every_mail_says_the_same_as_if_all_were_looked_up(language: str) -> None:
    for mail in SAMPLES:
        for department in ("Acme Support", 'Zoë & <Söhne> "x" %s %(who)s {{ a }}'):
            named = replace(mail, department=department)

            rendered = TEMPLATES.render(named, language)

            assert (rendered.text, rendered.html) == looked_up(named, language)


@settings(max_examples=60)
@given(st.sampled_from(SAMPLES), st.sampled_from(TEMPLATES.languages), st.data())
def test_a_mail_of_any_values_says_the_same_as_if_all_were_looked_up(
    mail: Any, language: str, data: st.DataObject
) -> None:
    changes: dict[str, object] = {}
    for field in fields(mail):
        value = getattr(mail, field.name)
        if isinstance(value, bool):
            changes[field.name] = data.draw(st.booleans())
        elif isinstance(value, Who):
            changes[field.name] = Who(data.draw(WORDS), data.draw(WORDS))
        elif isinstance(value, str) and field.name not in ("status", "role", "proof", "priority"):
            changes[field.name] = data.draw(WORDS)
        elif isinstance(value, tuple) and field.name != "promises" and data.draw(st.booleans()):  # what is late is one
            changes[field.name] = ()
    changed = replace(mail, **changes)

    try:
        expected = looked_up(changed, language)
    except Exception as error:  # values that no mail has together: whatever they raise, both raise it
        with pytest.raises(type(error)):
            TEMPLATES.render(changed, language)
        return

    rendered = TEMPLATES.render(changed, language)
    assert (rendered.text, rendered.html) == expected


def said(folder: Path, source: str, *, proven: bool = True) -> str:
    """Return what the operator's template `acknowledgement.html` says in German that is `source`."""
    (folder / "acknowledgement.html").write_text(source, encoding="utf-8")
    return Templates(folder).render(replace(ACKNOWLEDGEMENT, proven=proven), "de").html.strip("\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ _('Hello,') }}", "Guten Tag,"),
        ("{{ _('Hello,') | upper }}", "GUTEN TAG,"),
        ("{{ _('Hello %(name)s,', name='<b>') }}", "Guten Tag &lt;b&gt;,"),
        ("{{ _('Hello %(name)s,', name='<b>') ~ '<i>' }}", "Guten Tag &lt;b&gt;,&lt;i&gt;"),
        ("{% set hello = _('Hello %(name)s,', name='<b>') %}{{ hello }}", "Guten Tag &lt;b&gt;,"),
        ("{{ _('%(a)s', a='<b>') ~ '<i>' }}", "&lt;b&gt;&lt;i&gt;"),
        ("{{ _('100 %% <b>') }}", "100 % <b>"),
        ("{% trans %}100 % <b>{% endtrans %}", "100 % <b>"),
        ("{% for _ in (1, 2) %}{{ _ }}{% endfor %}", "12"),
        ("{% set left = 'up' %}{{ left }}", "up"),
        ("{% macro right(x) %}{{ x }}{% endmacro %}{{ right('up') }}", "up"),
        ("{{ language }} {{ left }}", "de left"),
        ("{% if true %}{{ _('Hello,') }}{% else %}x{% endif %} {{ _('Hello,') }}", "Guten Tag, Guten Tag,"),
    ],
)
def test_what_is_written_out_means_what_it_meant(tmp_path: Path, source: str, expected: str) -> None:
    assert said(tmp_path, source) == expected


@pytest.mark.parametrize(
    ("source", "error"),
    [("{{ _('100 %') }}", ValueError), ("{{ _('%(who)s') }}", KeyError), ("{{ who }}", UndefinedError)],
)
def test_what_cannot_be_said_fails_when_it_is_said(tmp_path: Path, source: str, error: type[Exception]) -> None:
    source = "{% if proven %}" + source + "{% endif %}"

    assert said(tmp_path, source, proven=False) == ""
    with pytest.raises(error):
        said(tmp_path, source)


def test_a_name_that_an_operators_template_sets_holds_in_the_layout_too(tmp_path: Path) -> None:
    (tmp_path / "acknowledgement.html").write_text('{% extends "layout.html" %}{% set left = "center" %}')
    own = Templates(tmp_path)

    html = own.render(ACKNOWLEDGEMENT, "en").html

    assert 'class="inner ink" align="center"' in html


def test_a_value_that_is_many_is_told_one_by_one() -> None:
    told = _told(replace(NOTIFICATION, attachments=(Listed("a\nb", 1),), text="a\r\nb"))

    assert (told["attachments"], told["text"]) == (({"name": "a b", "size_bytes": 1},), "a\nb")


def test_what_most_mails_lead_to_is_compiled_before_the_first_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    templates = Templates()
    templates.warm()
    monkeypatch.setattr(Environment, "compile", lambda *_: pytest.fail("a template is compiled"))

    for language in templates.languages:
        templates.render(ACKNOWLEDGEMENT, language)
        templates.render(NOTIFICATION, language)
