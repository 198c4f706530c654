"""docs/log.md explains every line of the log, and none that there is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from maild.rules.routing import Action

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception"}


def is_log(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id in ("log", "said")) or (
        isinstance(node, ast.Attribute) and node.attr in ("log", "_log")
    )


def events() -> Iterator[tuple[str, str]]:
    """Yield each event that is logged by its own words, with where."""
    for path in sorted((ROOT / "maild").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr in LEVELS and is_log(node.func.value):
                said = (
                    [node.args[0].body, node.args[0].orelse] if isinstance(node.args[0], ast.IfExp) else node.args[:1]
                )
                for each in said:
                    if isinstance(each, ast.Constant):
                        yield str(each.value), f"{path.relative_to(ROOT)}:{node.lineno}"


def explained() -> list[str]:
    rows = [
        line.split(" | ")[0] for line in (ROOT / "docs" / "log.md").read_text().splitlines() if line.startswith("| `")
    ]
    return [event for row in rows for event in re.findall(r"`([^`]+)`", row)]


def test_every_line_of_the_log_is_explained() -> None:
    missing = {f"{event} ({where})" for event, where in events() if event not in explained()}

    assert not missing


def test_no_line_is_explained_that_there_is_not() -> None:
    there = {event for event, _ in events()} | {action.value for action in Action}

    assert set(explained()) - there == set()
    assert len(explained()) == len(set(explained()))


def test_what_becomes_of_a_mail_is_explained() -> None:
    assert {action.value for action in Action} <= set(explained())
