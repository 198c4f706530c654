"""Checks of files: who can read what is secret, and whether the daemon can read what it needs."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from maild.cli.access import sqlite_file
from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.config import Settings
from maild.config.passwords import NoPassword
from maild.store.locks import WRITE_LOCKS

_OTHERS = stat.S_IRWXO
_NOT_OWNER = stat.S_IRWXG | stat.S_IRWXO


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _configuration(patient: Patient) -> Iterator[Finding]:
    path = patient.path
    if not path.exists():
        yield unknown(f"{path} is not there")
        return
    mode = path.stat().st_mode
    if mode & (stat.S_IWOTH | stat.S_IWGRP):
        yield fault(f"{path} can be changed by others ({_mode(path)}), who could name commands in it")
    elif mode & stat.S_IROTH:
        yield warning(f"{path} can be read by everybody ({_mode(path)})")
    else:
        yield ok(f"{path}: {_mode(path)}, of {_name(path.stat().st_uid)}")


def _close_configuration(patient: Patient) -> Iterator[str]:
    mode = stat.S_IMODE(patient.path.stat().st_mode) & ~(_OTHERS | stat.S_IWGRP)
    patient.path.chmod(mode)
    yield f"chmod {mode:04o} {patient.path}"


def _secret_files(settings: Settings) -> list[Path]:
    files = {settings.relay.password_file, *(each.password_file for each in settings.mailboxes)}
    files |= {each.password_file for each in settings.agents}
    files |= {each.client_secret_file for each in settings.oauth.values()}
    return sorted(each for each in files if each is not None)


def _passwords(patient: Patient) -> Iterator[Finding]:
    files = _secret_files(patient.desk)
    for path in files:
        try:
            owner = path.stat().st_uid
        except OSError as error:
            yield fault(f"{path}: {error.strerror}")
            continue
        if stat.S_IMODE(path.stat().st_mode) & _NOT_OWNER:
            yield fault(f"{path} can be read or written by others than its owner ({_mode(path)})")
        elif patient.daemon_uid not in (None, 0, owner):
            daemon = _name(patient.daemon_uid or 0)
            yield fault(
                f"{path} belongs to {_name(owner)}; the daemon ({daemon}) cannot read it", f"chown {daemon} {path}"
            )
        else:
            yield ok(f"{path}: {_mode(path)}, of {_name(owner)}")
    yield from _other_passwords(patient.desk)
    if not files:
        yield ok("no files of passwords")


def _other_passwords(settings: Settings) -> Iterator[Finding]:
    """Ask for passwords that come from commands and credentials."""
    servers = [("relay", settings.relay), *((f"mailbox {each.name}", each) for each in settings.mailboxes)]
    for name, server in servers:
        if server.password_credential and "CREDENTIALS_DIRECTORY" not in os.environ:
            yield unknown(f"{name}: its password is a credential, which systemd gives to the daemon alone")
        elif server.password_command:
            try:
                server.password()
            except NoPassword as error:
                yield fault(f"{name}: {error}")
            else:
                yield ok(f"{name}: its command gives a password")


def _close_passwords(patient: Patient) -> Iterator[str]:
    for path in _secret_files(patient.desk):
        if not path.exists():
            continue
        if stat.S_IMODE(path.stat().st_mode) & _NOT_OWNER:
            path.chmod(0o600)
            yield f"chmod 0600 {path}"
        owner = patient.daemon_uid
        if os.geteuid() == 0 and owner not in (None, 0, path.stat().st_uid):
            os.chown(path, owner or 0, -1)
            yield f"chown {_name(owner or 0)} {path}"


def _database_files(settings: Settings) -> list[Path]:
    path = sqlite_file(settings)
    if path is None:
        return []
    names = (path.name, *(path.name + end for end in ("-wal", "-shm", "-journal", ".lock", *WRITE_LOCKS)))
    return [each for each in (path.with_name(name) for name in names) if each.exists()]


def _database(patient: Patient) -> Iterator[Finding]:
    path = sqlite_file(patient.desk)
    if path is None:
        yield ok("PostgreSQL keeps them")
        return
    files = _database_files(patient.desk)
    if not files:
        yield unknown(f"{path} is not there yet")
        return
    owner = path.stat().st_uid if path.exists() else None
    sound = True
    for each in files:
        if stat.S_IMODE(each.stat().st_mode) & _OTHERS:
            sound = False
            yield warning(f"{each}: everybody can read it ({_mode(each)}): all mails, signing keys and tokens")
        if owner is not None and each.stat().st_uid != owner:
            sound = False
            yield fault(
                f"{each} belongs to {_name(each.stat().st_uid)}, the database to {_name(owner)}, who cannot write"
            )
    if not os.access(path.parent, os.W_OK) and os.geteuid() == owner:
        sound = False
        yield fault(
            f"{path.parent} cannot be written: SQLite keeps its journal there", f"chown {_name(owner)} {path.parent}"
        )
    if sound:
        yield ok(f"{path}: {_mode(path)}, of {_name(path.stat().st_uid)}")


def _close_database(patient: Patient) -> Iterator[str]:
    files = _database_files(patient.desk)
    owner = files[0].stat() if files else None
    for each in files:
        mode = stat.S_IMODE(each.stat().st_mode)
        if mode & _OTHERS:
            each.chmod(mode & ~_OTHERS)
            yield f"chmod {mode & ~_OTHERS:04o} {each}"
        if owner is not None and os.geteuid() == 0 and each.stat().st_uid != owner.st_uid:
            os.chown(each, owner.st_uid, owner.st_gid)
            yield f"chown {_name(owner.st_uid)} {each}"


def _own_templates(patient: Patient) -> Iterator[Finding]:
    folder = patient.desk.maild.templates
    if folder is None:
        yield ok("the packed ones")
        return
    open_ones = [each for each in (folder, *folder.rglob("*")) if each.stat().st_mode & stat.S_IWOTH]
    for each in open_ones:
        yield fault(f"{each} can be changed by everybody ({_mode(each)})", f"chmod o-w {each}")
    if not open_ones:
        yield ok(f"{folder}: only its owner and group can change it")


def _close_templates(patient: Patient) -> Iterator[str]:
    folder = patient.desk.maild.templates
    for each in () if folder is None else (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(each.stat().st_mode)
        if mode & stat.S_IWOTH and not each.is_symlink():
            each.chmod(mode & ~stat.S_IWOTH)
            yield f"chmod {mode & ~stat.S_IWOTH:04o} {each}"


_WANTS = (Need.CONFIGURATION,)
CHECKS = (
    Check(
        "D08",
        Group.FILES,
        "Only the operator can change the configuration",
        "It may name commands, which run as the daemon, and passwords.",
        "chmod o-rwx,g-w FILE",
        _configuration,
        (),
        _close_configuration,
    ),
    Check(
        "D09",
        Group.FILES,
        "Passwords can be read by the daemon and by nobody else",
        "Whoever has them can read and send the department's mail; without them the daemon cannot.",
        "chmod 600 FILE",
        _passwords,
        _WANTS,
        _close_passwords,
    ),
    Check(
        "D10",
        Group.FILES,
        "The database's files belong to the daemon alone",
        "They hold every mail and the signing keys; a file of another user stops the daemon.",
        "chmod o-rwx FILE; chown it to the daemon's user",
        _database,
        _WANTS,
        _close_database,
    ),
    Check(
        "D11",
        Group.FILES,
        "Only the operator can change templates",
        "They write to customers in the department's name.",
        "chmod o-w FILE",
        _own_templates,
        _WANTS,
        _close_templates,
    ),
)
