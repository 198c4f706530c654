"""What the tests of commands ask for."""

from pathlib import Path

import pytest

from maild.store.engine import Database
from tests.clock import FakeClock
from tests.database.commands import Shell, write_config
from tests.stories.driver import Desk


@pytest.fixture
def shell(
    database: Database,
    database_url: str,
    clock: FakeClock,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    """A desk at noon of a Monday, and `maild` as its operator calls it."""
    config = write_config(tmp_path, database_url)
    monkeypatch.setenv("MAILD_CONFIG", str(config))
    return Shell(Desk(database, clock), config, capsys)
