"""Where passwords come from: a private file, a command, a systemd credential; never a log, an error or a repr.

They are read when they are needed, not when maild starts, so that a changed file needs no restart.
"""

import os
import shlex
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final

from pydantic import SecretStr

COMMAND_TIMEOUT_S: Final = 30.0
LONGEST_BYTES: Final = 64 * 1024
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class NoPassword(Exception):  # noqa: N818 - a state that the caller reports, with its reason as a sentence
    """The password could not be had; the text says why, and never what was read."""


def check_file(path: Path) -> str | None:
    """Return what is wrong with a file that holds a password, None if nothing is."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return f"{path} is not a file"
        if status.st_mode & OTHERS:
            return f"{path} can be read or written by others than its owner; run: chmod 600 {shlex.quote(str(path))}"
        from_file(path)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    except NoPassword as error:
        return str(error)
    return None


def from_file(path: Path) -> SecretStr:
    """Return the first line of a file.

    Raises:
        OSError: it cannot be read.
        NoPassword: it has no first line, or is no text.
    """
    with path.open("rb") as file:
        return _first_line(file.read(LONGEST_BYTES), str(path))


def check_command(command: str) -> str | None:
    """Return what is wrong with a command that prints a password, without running it; None if nothing is."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"not a command: {str(error).lower()}"
    if not words:
        return "expected a command"
    if shutil.which(words[0]) is None:
        return f"there is no program {words[0]!r}"
    return None


def from_command(command: str) -> SecretStr:
    """Return the first line that `command` prints; no shell is involved.

    Raises:
        OSError: it cannot be started.
        NoPassword: it fails, prints nothing, or takes longer than half a minute.
    """
    words = shlex.split(command)
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own configuration names the command
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoPassword(f"{words[0]} took longer than {COMMAND_TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        raise NoPassword(f"{words[0]} ended with status {done.returncode}")
    return _first_line(done.stdout, words[0])


def credential_file(name: str) -> Path | None:
    """Return the file of a systemd credential, None if this process was given none (systemd.exec(5))."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder, name) if folder else None


def from_credential(name: str) -> SecretStr:
    """Return the first line of a systemd credential.

    Raises:
        OSError: it cannot be read.
        NoPassword: systemd gave this process no credentials, or this one is empty.
    """
    path = credential_file(name)
    if path is None:
        raise NoPassword(
            f"credential {name}: $CREDENTIALS_DIRECTORY is not set; systemd passes credentials to its units"
        )
    return from_file(path)


def _first_line(content: bytes, source: str) -> SecretStr:
    line = content.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise NoPassword(f"{source}: the password is not UTF-8 text") from None
    if not text:
        raise NoPassword(f"{source}: the first line is empty")
    return SecretStr(text)
