"""Manual pages as roff (man(7)), made of what the commands and the example configuration say anyway.

    maild(1)          what all commands have in common
    maild-NOUN(1)     one for each command of the table, with its verbs
    maild.toml(5)     the configuration, from config.example.toml

Nothing is written twice, so nothing can differ; no page bears a date, so the same maild makes the same bytes.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

_ESCAPES: Final = {
    "\\": "\\e",
    "-": "\\-",  # else a hyphen, which cannot be copied into a shell
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
}
_TABLE: Final = re.compile(r"#?(\[\[?[a-zA-Z_.]+\]\]?)\s*\Z")
_KEY: Final = re.compile(r"(#?[a-z_]+) = (.*)\Z")
_STATUS: Final = re.compile(r"\b(\d{1,3}) {2,}(.+?)(?= +\d{1,3} {2,}|\Z)")


def escape(text: str) -> str:
    """Return `text` so that roff shows just that, wherever it stands."""
    shown = "".join(
        _ESCAPES.get(char, char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text.replace("\t", "    ")
    )
    return re.sub(r"(?m)^(?=\.)", r"\\&", shown)


def bold(text: str) -> str:
    """Return `text` in bold."""
    return f"\\fB{escape(text)}\\fR"


def name_of(path: str) -> str:
    """Return the name of the page of a command, "maild-ticket" of "ticket"."""
    return "-".join(["maild", *path.split()])


def general_page(cli: click.Group, version: str, statuses: str) -> str:
    """Return maild(1); `statuses` is the table of exit statuses, two to a line."""
    context = click.Context(cli, info_name="maild", **cli.context_settings)
    lines = [*_head("maild", 1, version, (cli.help or "").rstrip("."))]
    lines += [".SH SYNOPSIS", f"{bold('maild')} \\fI{escape('COMMAND')}\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]"]
    lines += [".SH DESCRIPTION", *_prose(cli.help or "")]
    lines += [".SH COMMANDS"]
    names = cli.list_commands(context)
    for each in names:
        found = cli.get_command(context, each)
        if found is not None and not found.hidden:
            lines += [".TP", f"{bold(name_of(each))}(1)", escape(found.get_short_help_str(200))]
    lines += [".SH OPTIONS", *_options(cli, context)]
    lines += [".SH ENVIRONMENT", ".TP", bold("MAILD_CONFIG")]
    lines += ["The configuration, for commands without " + bold("-c") + "."]
    lines += [".TP", bold("NO_COLOR"), "No colours and no bold letters, whatever its value."]
    lines += [".SH FILES", ".TP", f"\\fI{escape('/etc/maild/config.toml')}\\fR"]
    lines += ["The configuration, if nothing names another; see " + bold("maild.toml") + "(5)."]
    lines += [".SH EXIT STATUS"]
    for status, meaning in sorted(_statuses(statuses)):
        lines += [".TP", bold(str(status)), escape(meaning)]
    lines += [".SH SEE ALSO", ",\n".join(f"{bold(each)}({at})" for each, at in _others("", names))]
    return "\n".join(lines) + "\n"


def command_page(cli: click.Group, noun: str, version: str) -> str:
    """Return the page of one command, with all its verbs."""
    context = click.Context(cli, info_name="maild", **cli.context_settings)
    command = cli.get_command(context, noun)
    if command is None:
        raise KeyError(noun)
    here = click.Context(command, info_name=noun, parent=context)
    lines = [*_head(name_of(noun), 1, version, command.get_short_help_str(200).rstrip("."))]
    lines += [".SH SYNOPSIS"]
    if isinstance(command, click.Group):
        verbs = [(each, command.commands[each]) for each in command.list_commands(here)]
        contexts = [click.Context(each, info_name=name, parent=here) for name, each in verbs if not each.hidden]
        for at, each in enumerate(contexts):
            lines += [*([".br"] if at else []), _usage(each)]
        lines += [".SH DESCRIPTION", *_prose(command.help or ""), ".SH COMMANDS"]
        for each in contexts:
            lines += [f".SS {_usage(each)}", *_prose(each.command.help or ""), *_options(each.command, each)]
    else:
        lines += [_usage(here), ".SH DESCRIPTION", *_prose(command.help or "")]
        lines += [".SH OPTIONS", *_options(command, here)]
    names = cli.list_commands(context)
    lines += [".SH SEE ALSO", ",\n".join(f"{bold(each)}({at})" for each, at in _others(noun, names))]
    return "\n".join(lines) + "\n"


def configuration_page(example: str, version: str) -> str:
    """Return maild.toml(5) of the text of config.example.toml.

    There a paragraph of "# ..." is about the lines "key = value" or "#key = value" right below it, or about the
    "[table]" or "#[table]".
    """
    lines = [*_head("maild.toml", 5, version, "the configuration of maild"), ".SH DESCRIPTION"]
    written = example.splitlines()
    begin = next((at for at, line in enumerate(written) if _TABLE.match(line)), len(written))
    while begin and written[begin - 1].startswith("#"):  # what is said of the first table
        begin -= 1
    lines += _prose("\n".join(line.removeprefix("#") for line in written[:begin]))
    about: list[str] = []
    keys = False  # whether the line before was a key: then the next one belongs to the same words
    for line in written[begin:]:
        key = _KEY.match(line)
        if keys and not key:
            lines += [escape(" ".join(about))]
            about, keys = [], False
        if table := _TABLE.match(line):
            lines += [f".SH {bold(table[1])}", *_prose(" ".join(about))]
            about = []
        elif key:
            lines += [".TQ" if keys else ".TP", f"{bold(key[1])} = {escape(key[2])}"]
            keys = True
        elif line.startswith("#"):
            about.append(line.removeprefix("#").strip())
    if keys:
        lines += [escape(" ".join(about))]
    lines += [".SH SEE ALSO", f"{bold('maild')}(1),\n{bold('maild-check')}(1),\n{bold('maild-run')}(1)"]
    return "\n".join(lines) + "\n"


def _head(name: str, section: int, version: str, about: str) -> Iterator[str]:
    yield f'.TH {escape(name.upper())} {section} "" "maild {version}" "maild"'
    yield ".nh"  # names of options are not to be hyphenated
    yield ".ad l"
    yield ".SH NAME"
    yield f"{escape(name)} \\- {escape(about)}"


def _usage(context: click.Context) -> str:
    words = [escape(each) for each in context.command.collect_usage_pieces(context)]
    return " ".join([bold(context.command_path), *(f"\\fI{each}\\fR" for each in words)])


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record is not None:
            names, about = record
            shown = re.sub(r"(?<![\w-])(--?[\w-]+)", lambda found: bold(found[1]), names)
            plain = re.split(r"(\\fB.*?\\fR)", shown)
            yield from (".TP", "".join(each if each.startswith("\\fB") else escape(each) for each in plain))
            yield escape(" ".join(about.split()) or "-")


def _prose(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that begin with a line "\\b" stay as they are, as click has it."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text.split("\f", maxsplit=1)[0])):
        yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", escape(paragraph[2:]), ".fi")
        else:
            yield escape(" ".join(paragraph.split()))


def _statuses(table: str) -> Iterator[tuple[int, str]]:
    for line in table.splitlines():
        if line.startswith("    "):
            for found in _STATUS.finditer(line.strip()):
                yield int(found[1]), found[2].strip()


def _others(noun: str, names: list[str]) -> Iterator[tuple[str, int]]:
    """Yield the pages besides that of `noun`."""
    if noun:
        yield "maild", 1
    yield from ((name_of(each), 1) for each in names if each != noun)
    yield "maild.toml", 5
