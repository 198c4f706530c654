"""An upgrade that is cut short, by a kill or with the power: the old database or the new one, and once more succeeds.

A few cuts each run; CUTS=60 makes it as thorough as one likes.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maild.store import schema
from maild.store.engine import Database
from tests import postgresql
from tests.database.old import RELEASED, Rows, lost, restore
from tests.system.power_cut import mounted, usable

CUTS = int(os.environ.get("CUTS", "4"))
COPIES = 60  # of each mail: so much that the upgrade takes a while

pytestmark = [pytest.mark.timeout(900), pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)]


def command(folder: Path, url: str, *words: str) -> list[str]:
    """Return the command line of `maild db ...` on this database."""
    config = folder / "config.toml"
    config.write_text(
        f'[maild]\ndatabase = "{url}"\n[smtp]\nlisten = "127.0.0.1:2525"\n'
        '[[department]]\nname = "support"\naddress = "support@acme.example"\n'
        '[[agent]]\nname = "Anna"\naddress = "anna@acme.example"\n'
    )
    return [sys.executable, "-m", "maild", "db", *words, "-c", str(config)]


def done(folder: Path, url: str, *words: str) -> str:
    """Return what `maild db ...` says; it must succeed."""
    ran = subprocess.run(command(folder, url, *words), capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def whole(url: str, tables: Rows, before: str) -> bool:
    """Whether the database is the new one; it must be either, with all that was in it."""
    with Database(url) as database:
        found = schema.revisions(database)
        assert found.have in (before, found.need)
        assert lost(database, tables) == []
        return found.have == found.need


def repeat(folder: Path, url: str, tables: Rows) -> None:
    """Upgrade once more, which succeeds and leaves a sound database."""
    assert "schema" in done(folder, url, "upgrade")
    assert done(folder, url, "check") == "the database is sound\n"
    assert whole(url, tables, "")


@contextmanager
def upgrading(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`maild db upgrade`, until it ends or is killed."""
    process = subprocess.Popen(command(folder, url, "upgrade"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def a_while(least_s: float, most_s: float) -> None:
    """Wait for a time that differs each time."""
    threading.Event().wait(random.uniform(least_s, most_s))


def took_s(folder: Path, url: str) -> float:
    """Return how long the whole upgrade takes, done and taken back."""
    begun_s = time.monotonic()
    done(folder, url, "upgrade", "--dry-run")
    return time.monotonic() - begun_s


def test_killed_at_any_instant_it_leaves_either_database(
    released: Path, empty_database_url: str, tmp_path: Path
) -> None:
    with Database(empty_database_url) as database:
        tables = restore(database, released, copies=COPIES)
        before = schema.revisions(database).have or ""
    whole_s = took_s(tmp_path, empty_database_url)

    for _ in range(CUTS):
        with upgrading(tmp_path, empty_database_url):
            a_while(whole_s / 3, whole_s)
        if whole(empty_database_url, tables, before):
            break

    repeat(tmp_path, empty_database_url, tables)


@pytest.mark.postgresql
def test_a_server_that_crashes_meanwhile_leaves_either_database(released: Path, tmp_path: Path) -> None:
    with postgresql.server(fsync=True) as server:
        url = server.create()
        with Database(url) as database:
            tables = restore(database, released, copies=COPIES)
            before = schema.revisions(database).have or ""
        whole_s = took_s(tmp_path, url)
        for _ in range(CUTS):
            with upgrading(tmp_path, url):
                a_while(whole_s / 3, whole_s)
                server.kill()
            server.start()
            if whole(url, tables, before):
                break

        repeat(tmp_path, url, tables)


def test_a_power_cut_meanwhile_leaves_either_database(released: Path, tmp_path: Path) -> None:
    if not usable():
        pytest.skip("not run: it takes root, /dev/fuse, libfuse2 or fuse3, and mfusepy")
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    with Database(f"sqlite:///{prepared}/maild.db") as database:
        tables = restore(database, released, copies=COPIES // 4)
        before = schema.revisions(database).have or ""
    disk_folder, whole_s = tmp_path / "disk", 0.0
    for cut in range(CUTS + 1):
        shutil.rmtree(disk_folder, ignore_errors=True)
        for name in ("seen", "durable"):
            shutil.copytree(prepared, disk_folder / name)
        with mounted(disk_folder, seed=cut) as disk:
            url = f"sqlite:///{disk.at}/maild.db"
            if not whole_s:  # the first round shows how long it takes here
                whole_s = took_s(tmp_path, url)
                continue
            with upgrading(tmp_path, url):
                a_while(whole_s / 3, whole_s * 1.1)
                disk.cut()
        survived = tmp_path / f"survived-{cut}"
        shutil.copytree(disk_folder / "durable", survived)
        with sqlite3.connect(survived / "maild.db") as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plain.close()
        url = f"sqlite:///{survived}/maild.db"
        whole(url, tables, before)
        repeat(tmp_path, url, tables)
