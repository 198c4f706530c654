"""Real parts that tests stand on: servers of other projects, which a machine may lack."""

import os
import shutil
from typing import NoReturn

import pytest


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
