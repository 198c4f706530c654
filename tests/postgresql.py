"""A private PostgreSQL for the tests: its own data, a free port on loopback, gone when the test run is.

Each worker of pytest-xdist has a server of its own, begun with the first test that wants one: a worker that is killed
takes its server with it, and nothing is shared that would have to be agreed upon. PostgreSQL refuses to run as root,
so for root it runs as `postgres`, or `nobody` where that user is missing.
"""

import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.parts import die_with_parent, free_port, missing

START_S: Final = 30.0
_FOLDERS: Final = Path("/usr/lib/postgresql")  # Debian, Ubuntu: one folder for each major version, none in PATH


_EMPTY: Final = """
DO $$
DECLARE found record;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- foreign keys do not ask about the order
    FOR found IN SELECT tablename AS name FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('DELETE FROM %I', found.name);
    END LOOP;
    PERFORM setval(sequencename::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


def programs() -> Path:
    """Return the folder of the newest installed server's programs; end the test if there is none."""
    found = sorted(_FOLDERS.glob("*/bin/initdb"), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))])
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        missing("PostgreSQL's server", "postgresql")
    return Path(initdb).resolve().parent


def _owner() -> dict[str, Any]:
    """Return as whom the server runs, as arguments for subprocess."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known.get("nobody") or missing("a user to run PostgreSQL as", "postgresql")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Server:
    """One PostgreSQL server; `start` and `stop` may be repeated, `kill` is a crash."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        """Make the data folder; with `fsync` the server survives a crash as an operator's would."""
        self.programs = programs()
        self.folder = folder
        self.port = free_port()
        self.fsync = fsync
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = _owner()
        if self._owner:
            os.chown(folder, self._owner["user"], self._owner["group"])
        command = [str(self.programs / "initdb"), "-D", str(self._data), "-U", "maild", "-A", "trust"]
        command += ["--no-sync", "--no-locale"]
        command += ["--encoding=UTF8", "--no-instructions"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, **self._owner)
        if done.returncode != 0:
            raise RuntimeError(f"initdb: {done.stdout}{done.stderr}")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start the server; on return it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "32MB",
            "fsync": self.fsync,
            "full_page_writes": self.fsync,
            "autovacuum": "off",  # a test is over before it is of use
            "timezone": "Asia/Kathmandu",  # whoever relies on the server's zone finds out
        }
        command = [str(self.programs / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                preexec_fn=die_with_parent(signal.SIGQUIT),  # noqa: PLW1509 - one system call; nothing that locks
                **self._owner,
            )  # fmt: skip
        pause = threading.Event()
        deadline = time.monotonic() + START_S
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.folder / "log").read_text(errors="replace")
                self.kill()
                raise RuntimeError(f"PostgreSQL did not start:\n{log_text[-4000:]}")
            pause.wait(0.02)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Shut down in order, ending all sessions."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Crash: no checkpoint, nothing is written any more."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def dsn(self, database: str) -> str:
        """Return where psycopg finds `database`."""
        return f"postgresql://maild@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement of administration, outside transactions."""
        import psycopg

        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"test{next(self._names)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.dsn(name)

    def empty(self, url: str) -> None:
        """Make the database at `url` as it was when it was migrated; ten times as quick as a new one."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_EMPTY)


@contextmanager
def server(*, fsync: bool = False) -> Iterator[Server]:
    """Give a running server of one's own, to be crashed as one likes."""
    folder = Path(tempfile.mkdtemp(prefix="maild-postgresql-"))  # not tmp_path: only its owner may enter that
    folder.chmod(0o700)
    try:
        private = Server(folder, fsync=fsync)
        try:
            private.start()
            yield private
        finally:
            private.kill()
    finally:
        shutil.rmtree(folder)
