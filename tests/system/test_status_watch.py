"""`maild status --watch`: drawn again and again on a terminal, a line for each look in a pipe, ended by Ctrl-C."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from maild.store.engine import Database
from tests.database.commands import write_config
from tests.system.commands import run


def _heeding_ctrl_c() -> None:
    """Undo what a shell does to a test run in the background, whose children would ignore it, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begin(config: Path, *words: str, stdout: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "maild", "status", "--watch", *words, "-c", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=_heeding_ctrl_c,  # noqa: PLW1509 - one system call; nothing that locks
        env={name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm"},
    )


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, bytes]:
    """Press Ctrl-C; return the exit status and what was said to standard error."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    return process.returncode, err


def read_until(master: int, enough: Callable[[bytes], bool]) -> bytes:
    said = b""
    while not enough(said):
        said += os.read(master, 65536)
    return said


def test_a_pipe_gets_a_line_for_each_look(sqlite_url: str, tmp_path: Path) -> None:
    process = begin(write_config(tmp_path, sqlite_url), stdout=subprocess.PIPE)
    assert process.stdout is not None
    first, second = (process.stdout.readline().decode() for _ in range(2))

    assert ended(process) == (0, b"")
    assert first[20:] == second[20:] == " MAILD CRITICAL - no daemon is running\n"
    assert first[:20] < second[:20]


def test_with_json_each_look_is_an_object_on_a_line(sqlite_url: str, tmp_path: Path) -> None:
    process = begin(write_config(tmp_path, sqlite_url), "--json", stdout=subprocess.PIPE)
    assert process.stdout is not None
    found = json.loads(process.stdout.readline())

    assert ended(process) == (0, b"")
    assert found["level"] == "critical"


def test_a_terminal_is_drawn_again_from_its_top_and_never_scrolls(sqlite_url: str, tmp_path: Path) -> None:
    config = write_config(tmp_path, sqlite_url)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 80, 0, 0))
    process = begin(config, stdout=slave)
    os.close(slave)
    first = read_until(master, lambda said: b"\x1b[J" in said)
    with Database(sqlite_url) as daemon:  # it is there at the second look
        daemon.claim_for_daemon("pid 4711")
        second = read_until(master, lambda said: said.endswith(b"\x1b[J") and b"  running" in said)
        status = ended(process)
    os.close(master)

    assert status == (0, b"")
    assert first.startswith(b"\x1b[2J\x1b[H")
    assert b"not running" in first
    assert second.startswith(b"\x1b[H")
    assert all(each.count(b"\n") < 12 for each in (first + second).split(b"\x1b[H"))


def test_a_plug_in_is_not_watched(sqlite_url: str, tmp_path: Path) -> None:
    done = run("status", "--watch", "--check", "-c", write_config(tmp_path, sqlite_url))

    assert done.returncode == 2
    assert b"Say one of" in done.stderr


@pytest.mark.timeout(30)
def test_a_database_that_is_missing_ends_the_watch(tmp_path: Path) -> None:
    done = run("status", "--watch", "-c", write_config(tmp_path, f"sqlite:///{tmp_path / 'none.db'}"))

    assert done.returncode == 78
