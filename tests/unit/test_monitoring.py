"""What is offered to monitors: each figure that a dashboard, a rule or a page names is one that maild gives."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maild.rules import troubles
from maild.services.metrics import Figures, ServiceState
from maild.store.engine import Database
from tests.clock import FakeClock

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = DOCS / "monitoring" / "grafana-dashboard.json"
RULES = DOCS / "monitoring" / "alerts.yaml"
OF_OTHERS = ("process_", "python_", "up")


@pytest.fixture
def given(sqlite_database: Database, clock: FakeClock) -> set[str]:
    figures = Figures(sqlite_database, clock, lambda: [ServiceState("filer", True, 3)], lambda: {("info", "stored"): 2})
    return {family.name + ("_total" if family.type == "counter" else "") for family in figures.collect()}


def named(text: str) -> set[str]:
    return set(re.findall(r"\bmaild_[a-z_]+", text))


def expressions(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(found, list):
        for each in found:
            yield from expressions(each)


def test_the_page_names_all_figures_and_no_other(given: set[str]) -> None:
    rows = re.findall(r"^\| `(maild_[a-z_]+)", (DOCS / "monitoring.md").read_text(), re.MULTILINE)

    assert set(rows) == given
    assert len(rows) == len(set(rows))


def test_the_dashboard_asks_for_figures_that_there_are(given: set[str]) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = set().union(*(named(each) for each in expressions(dashboard)))

    assert asked
    assert asked <= given
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_the_rules_ask_for_figures_that_there_are(given: set[str]) -> None:
    asked = set().union(*(named(line) for line in RULES.read_text().splitlines() if "expr:" in line))

    assert asked
    assert asked <= given


def test_the_table_of_troubles_is_that_of_the_code() -> None:
    rows = re.findall(r"^    (\w+) {2,}\S", troubles.__doc__ or "", re.MULTILINE)

    assert [row for row in rows if row != "trouble"] == list(troubles.NAMES)
    page = (DOCS / "monitoring.md").read_text()
    assert all(f"| `{name}` |" in page for name in troubles.NAMES)


def found_promtool() -> str:
    found = shutil.which("promtool")
    return found or pytest.skip("not run: promtool is missing (Debian, Ubuntu: apt-get install prometheus)")


def test_prometheus_takes_the_rules() -> None:
    promtool = found_promtool()
    checked = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_takes_the_figures(sqlite_database: Database, clock: FakeClock) -> None:
    promtool = found_promtool()
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposed(sqlite_database, clock),
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def exposed(database: Database, clock: FakeClock, services: Iterable[ServiceState] = ()) -> str:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(Figures(database, clock, lambda: services, lambda: {("info", "stored"): 2}))
    return generate_latest(registry).decode()
