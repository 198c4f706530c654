"""What the documents say exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from maild import cli
from maild.rules.routing import Action
from maild.rules.tickets import Status
from maild.services.filer.commanding import AVAILABLE
from maild.services.filer.requests import ANSWERED
from maild.store.models import DeliveryState, MailState

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ids = [page.name for page in PAGES]


def paths(text: str) -> Iterator[str]:
    """Yield what looks like a file or folder of the project."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"(?:maild|tests|docs|templates|systemd)/[\w./-]+|[\w./-]+\.(?:md|toml)", quoted):
            yield quoted


def commands(text: str) -> Iterator[list[str]]:
    """Yield the commands that a reader is told to type, word by word."""
    for line in re.findall(r"`(maild [^`\n]+)`", text) + re.findall(r"^(maild [^#\n]+)", text, re.MULTILINE):
        yield [word for word in line.split()[1:] if re.fullmatch(r"[a-z]+|--[a-z-]+", word)]


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(paths(page.read_text())) - {"config.toml", "/etc/maild/config.toml"}

    missing = [
        each for each in named if not any((base / each).exists() for base in (ROOT, ROOT / "maild", page.parent))
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for words in commands(page.read_text()):
        command: click.Command = cli.cli
        for word in words:
            if word.startswith("--"):
                known = {option for parameter in command.params for option in parameter.opts}
                assert word in known | {"--help", "--version"}, f"maild {' '.join(words)}"
            elif isinstance(command, click.Group):
                found = command.get_command(click.Context(command), word)
                assert found is not None, f"maild {' '.join(words)}"
                command = found


def test_the_flow_names_every_state() -> None:
    flow = (ROOT / "docs" / "flow.md").read_text()

    for state in (*MailState, *DeliveryState, *Status):
        assert re.search(rf"\b{state.value}\b", flow), state
    for action in Action:
        assert re.search(rf"\b{action.value}\b", flow), action


def test_the_agents_page_names_every_word_and_every_request() -> None:
    page = (ROOT / "docs" / "agents.md").read_text()

    for word in sorted(AVAILABLE):
        assert f"`#{word}" in page, word
    for request in sorted(ANSWERED):
        assert f"`{request}" in page, request
    told = set(re.findall(r"`#([a-z]+)", page))
    assert told <= AVAILABLE, told - AVAILABLE
