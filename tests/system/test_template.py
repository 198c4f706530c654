"""`maild template`: the operator sees what customers and agents will read, before they do."""

import json
from pathlib import Path

from tests.system.commands import run

SMALL = """
[maild]
templates = "own"
[smtp]
listen = "127.0.0.1:2525"
[[department]]
name = "support"
address = "support@acme.example"
"""


def test_the_packed_templates_are_listed_without_a_configuration() -> None:
    data = json.loads(run("template", "list", "--json").stdout)["data"]

    assert {"en", "de"} <= set(data["languages"])
    assert {"answer.txt", "answer.html", "reminder.txt", "layout.html"} <= {each["name"] for each in data["templates"]}
    assert not any(each["own"] for each in data["templates"])
    assert all(Path(each["file"]).exists() for each in data["templates"])


def test_the_operators_own_templates_are_told_apart_and_shown(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(SMALL)
    own = tmp_path / "own"
    own.mkdir()
    (own / "reminder.txt").write_text(
        '{% extends "layout.txt" %}{% block subject %}Ahoy{% endblock %}{% block body %}Still there?{% endblock %}'
    )
    listed = run("template", "list", "-c", config)
    done = run("template", "preview", "-c", config, "--to", tmp_path / "out", "--language", "en", "reminder")

    assert [line.split()[:2] for line in listed.stdout.decode().splitlines() if " own " in line] == [
        ["reminder.txt", "own"]
    ]
    assert done.returncode == 0, done.stderr
    assert "Still there?" in (tmp_path / "out" / "reminder-1.en.txt").read_text()
    assert "Ahoy" in (tmp_path / "out" / "index.html").read_text()


def test_every_mail_is_shown_in_every_language(tmp_path: Path) -> None:
    answer = json.loads(run("template", "preview", "--to", tmp_path, "--json").stdout)
    mails = answer["data"]["mails"]
    purposes = {each["name"].rpartition("-")[0] for each in mails}
    packed = json.loads(run("template", "list", "--json").stdout)["data"]["templates"]

    assert answer["kind"] == "template-preview"
    assert {each["language"] for each in mails} >= {"en", "de"}
    for each in mails:
        assert (tmp_path / f"{each['name']}.html").read_text().startswith("<!DOCTYPE html>")
        assert (tmp_path / f"{each['name']}.txt").stat().st_size > 0
    words = {each["name"].removesuffix(".txt") for each in packed if each["name"].endswith(".txt")}
    assert words - {"layout", "agent", "parts", "names", "listing", "figures", "deeds"} <= purposes


def test_a_mail_or_a_language_that_there_is_not_is_told_with_those_there_are(tmp_path: Path) -> None:
    for words, said in ((("reminders",), b"reminder"), (("--language", "tlh"), b"it speaks en, de")):
        done = run("template", "preview", "--to", tmp_path, *words)

        assert done.returncode == 2
        assert said in done.stderr
        assert not list(tmp_path.iterdir())
