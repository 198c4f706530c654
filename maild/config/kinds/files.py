"""What lies on the machine: files, folders, the database, commands.

Paths are relative to the folder of the configuration, and whether they are there is asked only when a whole
configuration is read: a section by itself knows no folder.
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, ValidationInfo

from maild.config import passwords


def _database(text: str, info: ValidationInfo) -> str:
    """Return the URL of a database; a plain name of a file is one of SQLite."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        return f"sqlite:///{_placed(Path(text), info)}"
    if scheme not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        raise ValueError("expected a file, 'sqlite:///FILE' or 'postgresql://USER@HOST/NAME'")
    return text


def _placed(path: Path, info: ValidationInfo) -> Path:
    """Return `path` as it is meant: relative to the configuration's folder, `~` being the user's."""
    folder = (info.context or {}).get("folder")
    return path if folder is None else folder / path.expanduser()


def _file(path: Path, info: ValidationInfo) -> Path:
    path = _placed(path, info)
    if info.context:
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from None
    return path


def _private_file(path: Path, info: ValidationInfo) -> Path:
    path = _placed(path, info)
    if info.context and (fault := passwords.check_file(path)):
        raise ValueError(fault)
    return path


def _folder(path: Path, info: ValidationInfo) -> Path:
    path = _placed(path, info)
    if info.context and not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


def _command(text: str, info: ValidationInfo) -> str:
    if info.context and (fault := passwords.check_command(text)):
        raise ValueError(fault)
    return text


def _credential(name: str, info: ValidationInfo) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", name) is None or name in {".", ".."}:
        raise ValueError("expected the name of a systemd credential such as 'relay-password'")
    path = passwords.credential_file(name) if info.context else None
    if path is not None and not path.is_file():
        raise ValueError(f"systemd passed no credential {name!r} (LoadCredential= in the unit)")
    return name


Database = Annotated[str, StringConstraints(min_length=1), AfterValidator(_database)]
File = Annotated[Path, AfterValidator(_file)]
PrivateFile = Annotated[Path, AfterValidator(_private_file)]
Folder = Annotated[Path, AfterValidator(_folder)]
Command = Annotated[str, AfterValidator(_command)]
Credential = Annotated[str, AfterValidator(_credential)]
