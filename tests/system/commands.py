"""`maild` as a process of its own, on pipes and on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path


def run(
    *words: object, given: bytes | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `maild WORDS` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "maild", *map(str, words)],
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "MAILD_CONFIG": "/nowhere/config.toml", **(env or {})},
    )


def on_terminal(columns: int, *words: object, env: dict[str, str] | None = None) -> str:
    """Return what `maild WORDS` shows on a terminal so wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **(env or {})}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "maild", *map(str, words)], stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(master)
    assert process.wait(20) == 0
    return said.decode().replace("\r\n", "\n")


def of_database(folder: Path, url: str, *words: str) -> list[str]:
    """Return the command line of `maild db ...` on this database."""
    config = folder / "config.toml"
    config.write_text(
        f'[maild]\ndatabase = "{url}"\n[smtp]\nlisten = "127.0.0.1:2525"\n'
        '[[department]]\nname = "support"\naddress = "support@acme.example"\n'
        '[[agent]]\nname = "Anna"\naddress = "anna@acme.example"\n'
    )
    return [sys.executable, "-m", "maild", "db", *words, "-c", str(config)]
