"""`maild db rebuild` on its way: it is killed, goes on where it was, and a terminal shows how far it is."""

import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, update

from maild.store import schema
from maild.store.engine import Database
from maild.store.models import Direction, JobRow, MailRow
from tests.database.old import RELEASED, restore
from tests.system.commands import of_database, on_terminal

COPIES = 60  # of each mail, so that it takes a while


@pytest.fixture
def url(empty_database_url: str) -> str:
    """A desk of some thousand mails whose texts were lost."""
    with Database(empty_database_url) as database:
        restore(database, RELEASED[-1], copies=COPIES)
        schema.upgrade(database)
        with database.write() as connection:
            connection.execute(update(MailRow).where(MailRow.direction == Direction.IN).values(text="lost"))
    return empty_database_url


def place(url: str) -> str | None:
    """How far a rebuilding is, None if none is on its way."""
    with Database(url) as database, database.read() as connection:
        return connection.scalar(select(JobRow.mark).where(JobRow.name == "rebuild"))


def test_killed_it_goes_on_where_it_was_and_shows_how_far_it_is(url: str, tmp_path: Path) -> None:
    words = of_database(tmp_path, url, "rebuild")
    killed = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pause = threading.Event()
    while place(url) is None:
        pause.wait(0.01)
        assert killed.poll() is None, "it ended before it could be killed"
    killed.kill()
    killed.wait(10)
    where = place(url)
    assert where is not None

    shown = on_terminal(100, *words[words.index("db") :])

    assert f"went on where an earlier one was interrupted: {where}" in shown
    assert "mails: 100%" in shown
    assert place(url) is None
    again = subprocess.run(
        [*words[:-2], "--dry-run", *words[-2:]], capture_output=True, text=True, check=False, timeout=100
    )
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.endswith("0 would change\n")
