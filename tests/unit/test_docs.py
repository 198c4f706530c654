"""What the documents say exists."""

import ast
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest

from maild import cli
from maild.message.commands.words import meant_word
from maild.rules import clock, limits, pace
from maild.rules.routing import Action
from maild.rules.state import DELETED_KEPT, SPAM_KEPT, Status
from maild.services import filer
from maild.services.filer.requests import ANSWERED
from maild.services.filer.wishes import AVAILABLE
from maild.services.smtp_listener import Limits
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


def said() -> Iterator[tuple[str, str]]:
    """Yield every piece of text of the product, and where it stands; what is filled in is "{}"."""
    for path in sorted((ROOT / "maild").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                yield (
                    where,
                    "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value
    shipped = [*sorted((ROOT / "templates").rglob("*.*")), *sorted((ROOT / "systemd").iterdir())]
    for path in (*shipped, ROOT / "config.example.toml"):
        yield str(path.relative_to(ROOT)), path.read_text()


def test_every_page_and_heading_that_the_product_names_is_there() -> None:
    named = 0
    for where, text in said():
        for page, heading in re.findall(r"\b((?:docs/)?[\w-]+\.md)\b(?:, '([^']+)')?", text):
            named += 1
            assert (ROOT / page).is_file(), f"{where}: {page}"
            headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
            assert not heading or heading in headings, f"{where}: {page} has no {heading!r}"
    assert named > 5


def test_every_command_that_the_product_tells_to_type_exists_with_its_options() -> None:
    """A sentence such as "maild speaks ..." is no command: its second word is none."""
    nouns = cli.cli.list_commands(click.Context(cli.cli))
    named = set()
    for where, text in said():
        for found in re.findall(rf"\bmaild ((?:{'|'.join(nouns)})\b[^\n.,;:?`'\")]*)", text):
            words = [word for word in found.split() if re.fullmatch(r"[a-z]+|--[a-z-]+", word)]
            command: click.Command = cli.cli
            for word in words:
                if word.startswith("--"):
                    known = {option for parameter in command.params for option in parameter.opts}
                    assert word in known | {"--help", "--version"}, f"{where}: maild {found}"
                elif isinstance(command, click.Group):
                    verb = command.get_command(click.Context(command), word)
                    assert verb is not None, f"{where}: maild {found}"
                    command = verb
            named.add(" ".join(words))
    assert len(named) > 30


def layers(text: str) -> list[set[str]]:
    return [set(re.findall(r"\w+", layer)) for layer in text.split(">")]


def test_the_layers_are_those_that_are_checked() -> None:
    [contract, *_] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs" / "develop.md").read_text()
    [block] = re.findall(r"^```\n(__main__ >.*?)^```", page, re.MULTILINE | re.DOTALL)

    assert layers(block) == [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]


HEADER = re.compile(r"(?:x|list|auto|resent|thread|in-reply|return|content|dkim)-[a-z-]+")
NO_HEADERS = {"auto-replied", "auto-generated", "list-style-type", "x-zip-compressed"}


def test_the_page_on_mail_names_every_header_that_is_looked_at() -> None:
    page = (ROOT / "docs" / "mail.md").read_text().lower()
    looked_at = {
        node.value
        for path in sorted((ROOT / "maild" / "message").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and HEADER.fullmatch(node.value)
    }
    assert len(looked_at) > 50
    assert sorted(each for each in looked_at - NO_HEADERS if not re.search(rf"\b{each}\b(?!-)", page)) == []


def test_limits_are_told_as_they_are() -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    known = Limits()
    told = [
        f"{known.size_bytes >> 20} MiB, {known.recipients} recipients, {known.received} `Received` headers",
        f"{known.connections_per_address} connections, {known.new_per_minute} new ones a minute",
        f"{known.mails} mails and {known.errors} errors a session",
        f"| {known.connections} connections",
        f"{known.command_s / 60:.0f} minutes for a command, {known.session_s / 60:.0f} for a session",
        f"in DATA {known.data_rate_bytes_s:.0f} bytes a second",
        "{} in 10 minutes, {} in an hour, {} in a day".format(*(most for _, most in limits.PER_TICKET)),
        "{} in an hour, {} in a day; ".format(*(most for _, most in limits.PER_ADDRESS)),
        f"{limits.PER_UNPROVEN_ADDRESS[0][1]} in a day if nothing proves it",
        f"{limits.IN_ALL[0][1]} in an hour, of which {limits.IN_ALL_UNPROVEN[0][1]} to unproven addresses",
        f"{limits.PER_UNPROVEN_DOMAIN[0][1]} in a day to an unproven domain",
        f"once in {limits.RATED_AGAIN.days} days",
    ]
    assert [each for each in told if each not in page] == []
    assert f"at most {limits.TO_AGENT[0][1]} mails an hour on one ticket" in page


def test_times_are_told_as_they_are() -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    minute = timedelta(minutes=1)
    told = [
        f"for {pace.GAP // minute} minutes or more, and more than {pace.MASS} tickets",
        f"moved by up to {clock.TOLERANCE // minute} minutes",
        f"more than {clock.LONGEST_DOWN.days} days after it",
        f"Spam goes after {SPAM_KEPT.days} days, what agents deleted after {DELETED_KEPT.days}",
    ]
    assert [each for each in told if each not in page] == []


def test_the_flow_counts_as_the_filer_does() -> None:
    assert f" {filer.MOST_BEGUN} times | `failed` |" in (ROOT / "docs" / "flow.md").read_text()


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
    assert {each for each in told if meant_word(each) is None} <= AVAILABLE, told - AVAILABLE
