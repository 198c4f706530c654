"""Templates and catalogues of an operator, languages, and their faults."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from maild.resources import resource
from maild.templates import BrokenTemplatesError, Templates
from tests.unit.mails import ACKNOWLEDGEMENT, NOTIFICATION, TEMPLATES


def own(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / name.replace("_dot_", ".")).write_text(content, encoding="utf-8")
    return folder


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


def test_pieces_of_an_older_maild_are_named_with_what_they_lack(tmp_path: Path) -> None:
    shipped = resource("templates") / "parts.txt"
    older = (
        shipped.read_text().replace("macro replies(status)", "macro answers(status)").replace("(file)", "(file, side)")
    )

    faults = Templates(own(tmp_path, **{"parts.txt": older})).check()

    [fault] = faults
    assert fault.startswith(f"{tmp_path / 'parts.txt'}: made for another version of maild: the mails need ")
    assert "replies" in fault
    assert f"as {shipped} has them" in fault


def test_pieces_of_the_operators_own_may_offer_more(tmp_path: Path) -> None:
    parts = (resource("templates") / "parts.txt").read_text() + "{% macro mine(word) %}{{ word }}{% endmacro %}\n"

    assert Templates(own(tmp_path, **{"parts.txt": parts})).check() == []
