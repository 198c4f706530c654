"""The processes of a daemon on this machine, as the kernel tells of them (proc(5))."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from maild.store.engine import Database

PROC: Final = Path("/proc")
_PID: Final = re.compile(r"pid (\d+)")  # as the daemon notes it in its lock file


def processes(database: Database, *, running: bool | None) -> list[dict[str, Any]]:
    """Return the daemon that serves `database` and the processes that work for it; none where that cannot be seen."""
    if not (running and database.is_sqlite):
        return []
    note = ""
    with suppress(OSError):
        note = database.path.with_name(database.path.name + ".lock").read_text(encoding="utf-8", errors="replace")
    found = _PID.match(note.strip())
    if found is None or not _is_maild(int(found[1])):  # the daemon may run where numbers mean other processes
        return []
    return list(_family(int(found[1]), "daemon"))


def _is_maild(pid: int) -> bool:
    with suppress(OSError):
        return b"maild" in (PROC / str(pid) / "cmdline").read_bytes()
    return False


def _family(pid: int, name: str | None = None) -> Iterator[dict[str, Any]]:
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
        begun = [each.read_text().split() for each in (PROC / str(pid) / "task").glob("*/children")]
    except (OSError, IndexError):  # it has ended meanwhile, or is not ours to look at
        return
    shown = name or (words[1] if words[0] == "maild" and len(words) > 1 else "other")
    yield {"name": shown, "pid": pid, "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE")}
    for child in sorted(int(each) for some in begun for each in some):
        yield from _family(child)
