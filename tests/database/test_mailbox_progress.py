"""How far a mailbox was read, where the database cannot write it down."""

import sqlite3
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from maild.services.imap_poller import progress
from maild.services.imap_poller.progress import Progress
from maild.store.engine import Database
from tests.conftest import FakeClock


def test_what_cannot_be_committed_leaves_the_folder_ours_and_the_state_as_it_was(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = progress.claim(database, "box", "INBOX", clock)
    assert isinstance(mine, Progress)
    write = Database.write

    @contextmanager
    def on_a_full_disk(self, **how):
        with write(self, **how) as connection:
            yield connection
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("database or disk is full"))

    clock.advance(seconds=1)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", on_a_full_disk)
        with pytest.raises(OperationalError):
            mine.save(old_uid=7)

    assert mine.state.old_uid == 0
    mine.save(old_uid=8)
    assert mine.state.old_uid == 8
