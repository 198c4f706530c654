"""Checks of the machine: its clock, its service, the version that runs, and what the process may use."""

import ctypes
import os
import re
import resource
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from sqlalchemy import select

import maild
from maild.cli.access import sqlite_file
from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.store import raw
from maild.store.models import Direction, MailRow
from maild.store.standing import is_served

AHEAD: Final = timedelta(minutes=3)  # how far clocks of others may be ahead of ours
LATEST: Final = 20
TIME_ERROR: Final = 5  # adjtimex(2): nobody sets this clock right
_RECEIVED: Final = re.compile(rb"^Received:((?:[^\n]|\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_LIBC: Final = ctypes.CDLL(None)
_TIMEX_BYTES: Final = 256  # struct timex is smaller; all zero asks without changing anything


def synchronised() -> bool | None:
    """Return whether something sets this machine's clock right, None if the kernel does not say."""
    try:
        state = _LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except AttributeError:  # another system than Linux
        return None
    return None if state < 0 else state != TIME_ERROR


def _synchronised(patient: Patient) -> Iterator[Finding]:  # noqa: ARG001 - as all checks
    match synchronised():
        case True:
            yield ok("the kernel says that it is set right")
        case False:
            yield warning("nothing sets it right, the kernel says")
        case None:
            yield unknown("the kernel does not say")


def _clock(patient: Patient) -> Iterator[Finding]:
    """Compare it with the clocks of others: with PostgreSQL's, and with what servers before us wrote into mails."""
    store = patient.store
    if not store.is_sqlite:
        with store.read() as connection:
            theirs = connection.exec_driver_sql("SELECT now()").scalar_one()
        apart = abs(theirs - patient.now)
        if apart > AHEAD:
            yield fault(f"the clocks of this machine and of PostgreSQL are {_seconds(apart)} apart")
            return
    ahead = sorted(_ahead(patient))
    if not ahead:
        yield unknown("no mail that came by another server is there to compare with")
        return
    median = ahead[len(ahead) // 2]
    if median > AHEAD:
        yield fault(f"mails come from the future: their servers are {_seconds(median)} ahead of this clock")
    else:
        yield ok(f"in step with the servers of the latest {len(ahead)} mails")


def _ahead(patient: Patient) -> Iterator[timedelta]:
    """Yield how far the last server before us was ahead of our clock, for the latest mails."""
    newest = (
        select(MailRow.id, MailRow.stored_at)
        .where(MailRow.direction == Direction.IN, MailRow.old_since.is_(None))
        .order_by(MailRow.id.desc())
        .limit(LATEST)
    )
    with patient.store.read() as connection:
        stored = {row.id: row.stored_at for row in connection.execute(newest)}
        pieces = raw.heads(connection, list(stored))
    for mail_id, stored_at in stored.items():
        head = pieces.get(mail_id, b"").replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
        others = [each for each in _RECEIVED.findall(head) if b"(maild)" not in each and b"with maild" not in each]
        written = others[0].rpartition(b";")[2].decode("latin-1").strip()[:100] if others else ""
        try:
            at = parsedate_to_datetime(written)
        except ValueError:
            continue
        yield (at if at.tzinfo else at.replace(tzinfo=UTC)) - stored_at


def _seconds(length: timedelta) -> str:
    return f"{int(length.total_seconds())} s"


def _service(patient: Patient) -> Iterator[Finding]:
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        yield unknown("systemd does not run this machine", "let your own supervisor run: maild run")
        return
    yield from unit(patient)


def unit(patient: Patient) -> Iterator[Finding]:
    """Look whether the unit is installed, and whether it is started with the machine."""
    found = next((each / "maild.service" for each in patient.unit_folders if (each / "maild.service").exists()), None)
    if found is None:
        yield warning("maild.service is not installed", "see docs/install.md, 'The service, if it was not the package'")
        return
    wanted = [
        each for each in patient.unit_folders if (each / "multi-user.target.wants" / "maild.service").is_symlink()
    ]
    if not wanted:
        yield warning(f"{found} is not enabled: after a restart of the machine there is no desk")
        return
    words = re.search(r"^ExecStart=(\S+)", found.read_text(), re.MULTILINE)
    program = words[1] if words else ""
    if (
        shutil.which(program, path=os.pathsep.join(("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")))
        is None
    ):
        yield fault(f"{found} starts {program}, which is not there", "install maild where the unit looks for it")
        return
    yield ok(f"{found}, enabled")


def _runs(patient: Patient) -> Iterator[Finding]:
    match is_served(patient.store):
        case True:
            yield ok("a daemon serves this database")
        case False:
            yield fault("no daemon is running: nothing is filed, nothing leaves")
        case None:
            yield unknown("PostgreSQL does not tell who works with it; see the queues below")


def _version(patient: Patient) -> Iterator[Finding]:
    pid = _daemon(patient)
    if pid is None:
        yield ok(f"maild {maild.__version__}; no daemon on this machine to compare with")
        return
    try:
        started_at = datetime.fromtimestamp(Path(f"/proc/{pid}").stat().st_mtime, UTC)
    except OSError:
        yield unknown(f"process {pid} is not seen from here")
        return
    installed_at = datetime.fromtimestamp(Path(maild.__file__).stat().st_ctime, UTC)
    if installed_at > started_at:
        yield warning(
            f"maild {maild.__version__} was installed after the daemon had started: it still runs the old code"
        )
    else:
        yield ok(f"maild {maild.__version__}, process {pid}, since {started_at:%Y-%m-%d %H:%M} UTC")


def _daemon(patient: Patient) -> int | None:
    path = sqlite_file(patient.desk)
    if path is None or is_served(patient.store) is not True:
        return None
    found = re.match(r"pid (\d+)", path.with_name(path.name + ".lock").read_text(encoding="utf-8", errors="replace"))
    return int(found[1]) if found else None


def _files(patient: Patient) -> Iterator[Finding]:
    smtp = patient.desk.smtp
    wanted = 100 + (2 * smtp.max_connections if smtp else 0) + 4 * len(patient.desk.mailboxes)
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    pid = _daemon(patient) if patient.database is not None else None
    try:
        limits = Path(f"/proc/{pid}/limits").read_text() if pid else ""
    except OSError:
        limits = ""
    of_daemon = re.search(r"^Max open files\s+(\d+)", limits, re.MULTILINE)
    allowed = int(of_daemon[1]) if of_daemon else allowed
    said = f"{allowed} files may be open, {wanted} are needed with all connections taken"
    yield ok(said) if allowed == resource.RLIM_INFINITY or allowed >= wanted else warning(said)


_WANTS = (Need.CONFIGURATION, Need.DATABASE)
CHECKS = (
    Check(
        "D40",
        Group.SYSTEM,
        "Something sets the clock right",
        "Promised times, signatures and reminders go by it.",
        "timedatectl set-ntp true",
        _synchronised,
    ),
    Check(
        "D41",
        Group.SYSTEM,
        "The clock is right",
        "A clock that is behind makes everything late; mails from the future are the sign of it.",
        "set it right, then restart the daemon",
        _clock,
        _WANTS,
    ),
    Check(
        "D42",
        Group.SYSTEM,
        "The service is started with the machine",
        "Else the desk is gone after the next power cut, until somebody notices.",
        "systemctl enable --now maild",
        _service,
    ),
    Check(
        "D43",
        Group.SYSTEM,
        "The daemon runs",
        "It files, sends and reminds; nothing else does.",
        "systemctl start maild, and if it does not: journalctl -u maild",
        _runs,
        _WANTS,
    ),
    Check(
        "D44",
        Group.SYSTEM,
        "The daemon is of this version",
        "Commands and daemon that differ read the same database in two ways.",
        "systemctl restart maild",
        _version,
        _WANTS,
    ),
    Check(
        "D45",
        Group.SYSTEM,
        "Enough files may be open",
        "Each connection is one; at the limit clients are turned away.",
        "LimitNOFILE= in the unit, or max_connections in [smtp]",
        _files,
        (Need.CONFIGURATION,),
    ),
)
