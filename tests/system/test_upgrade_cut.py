"""An upgrade that is cut short, by a kill or with the power: the old database or the new one, and once more succeeds.

A few cuts each run; CUTS=60 makes it as thorough as one likes.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maild.store import schema
from maild.store.engine import Database
from tests import postgresql, processes
from tests.database import workers
from tests.database.old import RELEASED, Rows, lost, restore
from tests.system.commands import of_database
from tests.system.power_cut import mounted, usable

CUTS = int(os.environ.get("CUTS", "4"))
COPIES = 40  # of each mail: so much that the upgrade takes a while
RELEASED_SCHEMA = "0001"

pytestmark = [pytest.mark.timeout(900), pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)]


def done(folder: Path, url: str, *words: str) -> str:
    """Return what `maild db ...` says; it must succeed."""
    ran = subprocess.run(of_database(folder, url, *words), capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def whole(url: str, tables: Rows) -> bool:
    """Whether the database is the new one; it must be the old one else, with all that was in it."""
    with Database(url) as database:
        found = schema.revisions(database)
        assert found.have in (RELEASED_SCHEMA, found.need)
        assert lost(database, tables) == []
        return found.have == found.need


def repeat(folder: Path, url: str, tables: Rows) -> None:
    """Upgrade once more, which succeeds and leaves a sound database."""
    assert "schema" in done(folder, url, "upgrade")
    assert done(folder, url, "check") == "the database is sound\n"
    assert whole(url, tables)


class Upgrade:
    """An upgrade in a process of its own, which is let go on to a certain place."""

    def __init__(self, url: str) -> None:
        self._process = processes.begin(workers.upgrade_aloud, url)

    def steps(self) -> int:
        """Let it end; return how many steps it took to the end of its commit."""
        said, _ = self._process.communicate(timeout=120)
        assert said.endswith("commit\ndone\n")
        return len(said.splitlines())

    def go_to(self, step: int) -> None:
        """Return when it has begun this step, or a little later."""
        for _ in range(step):
            processes.line(self._process)
        threading.Event().wait(random.uniform(0, 0.01))

    def kill(self) -> None:
        """End it at once."""
        processes.kill(self._process)


def places(steps: int) -> Iterator[int]:
    """Yield where to cut: by turns somewhere, and in the commit."""
    for cut in range(CUTS):
        yield random.randrange(1, steps) if cut % 2 else steps - 1


def test_killed_at_any_instant_it_leaves_either_database(
    released: Path, database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    def fresh(name: str) -> str:
        if database_kind == "sqlite":
            return f"sqlite:///{tmp_path}/{name}.db"
        return str(request.getfixturevalue("postgresql_server").create())

    def old(name: str) -> tuple[str, Rows]:
        url = fresh(name)
        with Database(url) as database:
            return url, restore(database, released, copies=COPIES)

    steps = Upgrade(old("whole")[0]).steps()

    for cut, place in enumerate(places(steps)):
        url, tables = old(f"cut-{cut}")
        upgrade = Upgrade(url)
        upgrade.go_to(place)
        upgrade.kill()
        whole(url, tables)
        repeat(tmp_path, url, tables)


@pytest.mark.postgresql
def test_a_server_that_crashes_meanwhile_leaves_either_database(released: Path, tmp_path: Path) -> None:
    with postgresql.server(fsync=True) as server:

        def old() -> tuple[str, Rows]:
            url = server.create()
            with Database(url) as database:
                return url, restore(database, released, copies=COPIES)

        steps = Upgrade(old()[0]).steps()

        for place in places(steps):
            url, tables = old()
            upgrade = Upgrade(url)
            upgrade.go_to(place)
            server.kill()
            upgrade.kill()
            server.start()
            whole(url, tables)
            repeat(tmp_path, url, tables)


def test_a_power_cut_meanwhile_leaves_either_database(released: Path, tmp_path: Path) -> None:
    if not usable():
        pytest.skip("not run: it takes root, /dev/fuse, libfuse2 or fuse3, and mfusepy")
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    with Database(f"sqlite:///{prepared}/maild.db") as database:
        tables = restore(database, released, copies=COPIES // 4)
    shutil.copytree(prepared, tmp_path / "whole")
    steps = Upgrade(f"sqlite:///{tmp_path}/whole/maild.db").steps()
    for cut, place in enumerate(places(steps)):
        folder = tmp_path / f"cut-{cut}"
        for name in ("seen", "durable"):
            shutil.copytree(prepared, folder / name)
        with mounted(folder, seed=cut) as disk:
            upgrade = Upgrade(f"sqlite:///{disk.at}/maild.db")
            upgrade.go_to(place)
            disk.cut()
            upgrade.kill()
        with sqlite3.connect(folder / "durable" / "maild.db") as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plain.close()
        url = f"sqlite:///{folder}/durable/maild.db"
        whole(url, tables)
        repeat(tmp_path, url, tables)
