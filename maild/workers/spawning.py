"""A worker is begun: a process of our own interpreter, which is given what it needs to know and a channel to us.

What it is given is never in its arguments, since everybody on the machine may read those and a configuration may hold
passwords; nor is the file read again, since an operator may be in the midst of changing it.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from maild.workers.channel import Channel

SCRIPT: Final = Path(__file__).with_name("start.py")


def command() -> list[str]:
    """Return the words that begin a worker: the interpreter that we run in, as isolated as it is."""
    flags = {"-I": sys.flags.isolated, "-S": sys.flags.no_site, "-B": sys.dont_write_bytecode}
    return [sys.executable, *(flag for flag, is_set in flags.items() if is_set), str(SCRIPT)]


def begin(
    words: Sequence[str], name: str, file: Path, given: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], Channel]:
    """Start a worker and return it with the channel to it.

    Its standard input is what it is given, its standard output the channel, its standard error ours.

    Raises:
        OSError: no process can be had now.
    """
    ours, theirs = socket.socketpair()
    ours.set_inheritable(False)
    environment = {key: value for key, value in os.environ.items() if key not in _OURS}
    with theirs, os.fdopen(os.memfd_create("maild"), "w+b") as content:
        content.write(json.dumps({"path": sys.path, "name": name, **given}).encode())
        content.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own words
                [*words, name, str(file)], stdin=content, stdout=theirs.fileno(), env=environment
            )
        except OSError:
            ours.close()
            raise
    return process, Channel(ours)


_OURS: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})  # what systemd has to do with us alone
