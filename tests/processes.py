"""Other processes for the tests: a function of ours run by a Python of its own, so that it can be killed."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent


def begin(work: Callable[..., None], *arguments: object) -> subprocess.Popen[str]:
    """Start a process that calls `work` with `arguments` as text; what it prints is read from its `stdout`."""
    code = f"import sys; from {work.__module__} import {work.__qualname__} as work; work(*sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,  # closed when the test run ends, however it ends
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that `process` prints, for example that it is ready."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if not said:
        raise RuntimeError(process.communicate()[1])
    return said


def end(process: subprocess.Popen[str]) -> None:
    """Wait for `process` to end well, closing its standard input."""
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(errors or f"ended with {process.returncode}")


def kill(process: subprocess.Popen[str]) -> None:
    """Kill `process` as a power cut would, without a chance to tidy up."""
    process.kill()
    process.communicate()


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has begun and that are there, oldest first."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            found += [int(each) for each in task.read_text().split()]
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """Return the processes that `pid` has begun, and those that these have begun, each before what it has begun."""
    found = []
    for each in children(pid):
        found += [each, *descendants(each)]
    return found
