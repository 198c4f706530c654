"""The manual and the completion, as the programs take them that they are made for."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

from maild import cli
from maild.config import Settings
from tests.parts import missing
from tests.system.commands import on_terminal, run

NOUNS = cli.cli.list_commands(click.Context(cli.cli))
PAGES = ["maild", *(f"maild-{noun}" for noun in NOUNS), "maild.toml"]


def rendered(roff: bytes) -> str:
    """Return a page as man(1) shows it in plain text; it must have nothing to warn of."""
    man = shutil.which("man") or missing("man", "man-db")
    environment = {**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [man, "--warnings=w", "-l", "-"], input=roff, capture_output=True, env=environment, check=True
    )
    assert done.stderr == b""
    return done.stdout.decode()


def options(command: click.Command) -> Iterator[str]:
    """Yield the options of a command and of its verbs."""
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            yield from (*option.opts, *option.secondary_opts)
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            yield from options(verb)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown_without_a_warning(page: str) -> None:
    shown = rendered(run("man", page).stdout)

    assert shown.splitlines()[0].startswith(page.upper())
    for part in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert f"\n{part}\n" in shown


@pytest.mark.parametrize("noun", NOUNS)
def test_the_page_of_a_command_names_all_its_verbs_and_options(noun: str) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), noun)
    assert command is not None
    shown = rendered(run("man", noun).stdout)
    words = {word.strip("[],.") for word in shown.split()}

    assert set(options(command)) <= words
    for verb in command.commands if isinstance(command, click.Group) else ():
        assert f"maild {noun} {verb} " in shown


def test_the_general_page_names_every_command_and_exit_status() -> None:
    shown = rendered(run("man").stdout)

    assert all(f"maild-{noun}(1)" in shown for noun in NOUNS)
    assert [
        line.split()[0]
        for line in shown.split("EXIT STATUS\n")[1].split("SEE ALSO")[0].splitlines()
        if line[7:8].isdigit()
    ] == [str(each) for each in (0, 1, 2, 66, 69, 70, 74, 75, 77, 78)]


def test_the_page_of_the_configuration_names_every_key() -> None:
    shown = rendered(run("man", "maild.toml").stdout)

    tables = re.findall(r"^\[\[?(\w+)", shown, re.MULTILINE)
    keys = set(re.findall(r"^ *#?(\w+) = ", shown, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        assert (field.alias or name) in tables, name
        for section in sections(field.annotation):
            for key, inner in section.model_fields.items():
                assert (inner.alias or key) in keys or shown.count(f" {key} = "), f"{section.__name__}: {key}"


def sections(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the tables that a key of the configuration holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from sections(inner)


def test_all_pages_are_written_where_man_looks_for_them(tmp_path: Path) -> None:
    done = run("man", "--to", tmp_path)

    written = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*.[15]"))
    assert done.returncode == 0
    assert written == sorted([*(f"man1/{each}.1" for each in PAGES[:-1]), "man5/maild.toml.5"])
    assert (tmp_path / "man1" / "maild-db.1").read_bytes() == run("man", "maild-db").stdout


def test_a_page_that_is_not_there_is_told_with_those_that_are() -> None:
    done = run("man", "tiket")

    assert done.returncode == 1
    assert b"maild-ticket" in done.stderr


def test_on_a_terminal_a_page_is_opened() -> None:
    if shutil.which("man") is None:
        missing("man", "man-db")
    shown = on_terminal(80, "man", "ticket", env={"MANPAGER": "cat", "PAGER": "cat"})

    assert ".SH" not in shown
    assert "MAILD-TICKET(1)" in shown


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["tick"], {"ticket"}),
        (["db", "b"], {"backup"}),
        (["ticket", "list", "--sta"], {"--status"}),
        (["ticket", "list", "--status", "ope"], {"open"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bash_completes_commands_options_and_values(typed: list[str], offered: set[str]) -> None:
    if shutil.which("bash") is None:
        missing("bash", "bash")
    script = run("completion", "bash").stdout.decode()
    # What bash does at a Tab: the words so far in an array, the answers in another.
    script += (
        f'\nmaild() {{ {sys.executable} -m maild "$@"; }}\nexport -f maild\n'
        f"COMP_WORDS=(maild {' '.join(typed)}); COMP_CWORD={len(typed)}\n"
        '_maild_completion maild; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    script = script.replace("$1)", f"{sys.executable} -m maild)")
    done = subprocess.run(["bash", "--norc"], input=script, capture_output=True, text=True, check=True, timeout=60)

    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize(
    ("shell", "sign"), [("zsh", b"#compdef maild"), ("fish", b"complete --no-files --command maild")]
)
def test_other_shells_have_a_script_too(shell: str, sign: bytes) -> None:
    done = run("completion", shell)

    assert (done.returncode, done.stderr) == (0, b"")
    assert sign in done.stdout
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=done.stdout, check=True, timeout=60)
