"""`maild template`: which mails there are, whose words they have, and how they look."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maild.cli import output
from maild.cli.access import answering_json, configured

if TYPE_CHECKING:
    from maild.templates import Mail, Rendered, Templates


@click.group(name="template", short_help="List the mails that maild writes, and show them.")
def command() -> None:
    """The words of maild: templates that are packed with it, and those of the operator that replace them."""


@command.command("list")
@configured
@answering_json
def list_(config: Path | None, as_json: bool) -> None:
    """List all templates: the file of each, and whether it is packed or your own.

    To change one, copy its file into a folder, name that in `templates` of [maild], and look at it with
    `maild template preview`.
    """
    templates, own = _templates(config)
    rows = [
        {"name": name, "own": own is not None and path.is_relative_to(own), "file": str(path)}
        for name, path in sorted(templates.files().items())
    ]
    if as_json:
        output.envelope("template-list", {"languages": list(templates.languages), "templates": rows})
        return
    shown = [(each["name"], "own" if each["own"] else "packed", each["file"]) for each in rows]
    output.line(output.table(("template", "whose", "file"), shown, width=output.terminal_width()))
    output.say(f"languages: {', '.join(templates.languages)}")


@command.command("preview")
@configured
@answering_json
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("maild-preview"),
    show_default=True,
    metavar="FOLDER",
    help="Where the pages are written; what is there is replaced",
)
@click.option("--language", metavar="LANGUAGE", help="One of those that maild speaks [default: all]")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def preview(config: Path | None, as_json: bool, folder: Path, language: str | None, names: tuple[str, ...]) -> None:
    """Write every mail (or only those of NAME, such as "reminder") with sample values, as text and as a page for a
    browser; open index.html in FOLDER to see all of them.
    """
    templates, _ = _templates(config)
    languages = [language] if language else list(templates.languages)
    if language and language not in templates.languages:
        known = ", ".join(templates.languages)
        raise click.UsageError(f"maild does not speak {output.printable(language)}; it speaks {known}.")
    wanted = _wanted(names)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[tuple[str, str, Rendered]] = []
    for spoken in languages:
        for number, mail in wanted:
            name = f"{mail.purpose}-{number}.{spoken}"
            rendered = templates.render(mail, spoken)
            (folder / f"{name}.txt").write_text(rendered.text, encoding="utf-8")
            (folder / f"{name}.html").write_text(rendered.html, encoding="utf-8")
            written.append((name, spoken, rendered))
    index = folder / "index.html"
    index.write_text(_index(written), encoding="utf-8")
    if as_json:
        mails = [{"name": name, "language": spoken, "subject": each.subject} for name, spoken, each in written]
        output.envelope("template-preview", {"index": str(index), "mails": mails})
        return
    output.line(output.printable(index))
    output.say(f"{output.count(len(written), 'mail')}, each as text and as a page")


def _templates(config: Path | None) -> "tuple[Templates, Path | None]":
    """Return the templates of a configuration, and the operator's folder; without a configuration the packed ones."""
    from maild import config as configuration
    from maild.templates import Templates

    path = configuration.find(config)
    if config is None and not path.exists():
        return Templates(), None
    own = configuration.load(path).maild.templates
    return Templates(own), own


def _wanted(names: tuple[str, ...]) -> "list[tuple[int, Mail]]":
    """Return the samples of the mails that are named, each with its number among those of its name."""
    from maild.templates import samples

    numbers: dict[str, int] = {}
    found: list[tuple[int, Mail]] = []
    for mail in samples():
        numbers[mail.purpose] = numbers.get(mail.purpose, 0) + 1
        if not names or mail.purpose in names:
            found.append((numbers[mail.purpose], mail))
    for name in names:
        if name not in numbers:
            known = ", ".join(sorted(numbers))
            raise click.UsageError(f"There is no mail {output.printable(name)!r}; there are: {known}.")
    return found


def _index(written: "list[tuple[str, str, Rendered]]") -> str:
    rows = "\n".join(
        f'<tr><td>{spoken}<td><a href="{name}.html">{name}</a><td><a href="{name}.txt">text</a>'
        f"<td>{html.escape(each.subject)}"
        for name, spoken, each in written
    )
    style = "body{font:16px sans-serif;margin:2em}td{padding:.2em 1em .2em 0}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"<title>The mails of maild</title><style>{style}</style></head><body><h1>The mails of maild</h1>"
        f"<table>{rows}</table></body></html>\n"
    )
