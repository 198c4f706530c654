"""Real parts that tests stand on: servers of other projects, which a machine may lack."""

import ctypes
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

import pytest

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_NOT_EPHEMERAL: Final = range(10_000, 32_768)  # ip_local_port_range of Linux begins behind it
_LIBC: Final = ctypes.CDLL(None)


def missing(part: str, packages: str) -> NoReturn:
    """End the test because `part` is not installed: a skip that says so, or with CI=true a failure.

    Where the answer must be complete, a test that did not run is no answer.
    """
    reason = f"not run: {part} is missing (Debian, Ubuntu: apt-get install {packages})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, packages: str, folders: tuple[str, ...] = ("/usr/sbin", "/usr/local/sbin")) -> str:
    """Return the path of a program that `packages` bring; end the test if it is not installed."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *folders))  # servers are not in an ordinary user's PATH
    return shutil.which(name, path=path) or missing(name, packages)


def free_port() -> int:
    """Return a port of loopback that nobody listens on now, and that nobody is given who asks for any port."""
    while True:
        port = secrets.choice(_NOT_EPHEMERAL)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def die_with_parent(how: signal.Signals) -> Callable[[], None]:
    """Return what subprocess is to call in a child, so that it hears `how` when the test run ends in any way."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(how))

    return ask
