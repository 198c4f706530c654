"""config.toml -> typed settings; all faults reported at once, with file, line, key and what was expected.

    config.toml:12: smtp.max_sise: unknown key; did you mean 'max_size'?
          12 | max_sise = "25MiB"

`load` is the only place that looks around: at the file, the files that it names, the name of the machine and the
environment (`$MAILD_CONFIG`, `$STATE_DIRECTORY`, `$CREDENTIALS_DIRECTORY`, nothing else). What it returns never
changes.
Lines that hold a password or the address of a database are not shown.
"""

import os
import re
import socket
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from maild.config import toml_lines
from maild.config.connections import Mailbox, Relay, Smtp
from maild.config.desks import Agent, Department
from maild.config.kinds import nearest
from maild.config.kinds.hosts import is_loopback
from maild.config.kinds.names import NAME, TITLE
from maild.config.service_levels import OpeningHours, Sla, Targets
from maild.config.settings import Maild, Settings

__all__ = [
    "Agent",
    "ConfigError",
    "Department",
    "Fault",
    "Mailbox",
    "Maild",
    "OpeningHours",
    "Relay",
    "Settings",
    "Sla",
    "Smtp",
    "Targets",
    "find",
    "load",
    "parse",
    "read",
    "warnings",
]

SYSTEM_FILE: Final = Path("/etc/maild/config.toml")
LARGEST_BYTES: Final = 4 * 2**20
SHOWN_KEYS: Final = frozenset({"password_file", "password_credential"})  # they name a secret and do not tell it

_PATTERNS: Final = {
    NAME: "expected a name of small letters, digits, '-' and '_', at most 40",
    TITLE: "expected a text of one line, at most 100 characters",
}
_WORDS: Final = {  # by pydantic's kind of error; our own kinds bring their words with them
    "missing": "required key is missing",
    "literal_error": "expected {expected}",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "string_type": "expected a text in quotes",
    "path_type": "expected the name of a file in quotes",
    "model_type": "expected a table",
    "mapping_type": "expected a table",
    "tuple_type": "expected a list in brackets",
    "too_short": "expected at least one in the list",
    "greater_than_equal": "expected a number of at least {ge}",
    "less_than_equal": "expected a number of at most {le}",
    "string_too_short": "expected a text that is not empty",
    "string_too_long": "expected a text of at most {max_length} characters",
}
_TOP_WORDS: Final = {
    "missing": "expected at least one table [[{key}]]",
    "model_type": "expected one table [{key}]",
    "tuple_type": "expected tables [[{key}]], one for each",
}
_SECRET = re.compile("pas+w|secret|token|database|://", re.IGNORECASE)  # misspelt ones too
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)\Z")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a configuration."""

    file: str
    line: int | None
    key: str  # empty if the file as a whole is meant
    expected: str
    shown: str | None = None  # the line as it was written, None if it is secret

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        text = _printable(f"{where}: {self.key}: {self.expected}" if self.key else f"{where}: {self.expected}")
        return text if self.shown is None else f"{text}\n{self.line:>8} | {_printable(self.shown)}"


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults)
        self.faults = faults

    def render(self) -> str:
        """Return the faults as an operator reads them, in the order of the file."""
        return "\n".join(map(str, self.faults))

    def __str__(self) -> str:
        return self.render()


def find(explicit: Path | None = None) -> Path:
    """Return the configuration to load: `explicit`, else `$MAILD_CONFIG`, else /etc/maild/config.toml.

    The working directory is not searched: a configuration may name commands, and whoever stands in a strange folder
    shall not run them.
    """
    named = os.environ.get("MAILD_CONFIG")
    return explicit or (Path(named) if named else SYSTEM_FILE)


def load(path: Path, text: str | None = None) -> Settings:
    """Return the settings of a file, with the defaults of this machine, after a look at all files that it names.

    `text` is what the file said if it has been read before: it may have been changed since.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong.
    """
    return parse(
        read(path) if text is None else text,
        str(path),
        folder=path.absolute().parent,
        defaults=_defaults_of_this_machine(),
    )


def parse(
    text: str, file: str = "config.toml", *, folder: Path | None = None, defaults: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings that `text` says; `file` is named in faults, `defaults` go into `[maild]`.

    Without `folder` no file is looked at: this is pure, and what tests and the demo want.

    Raises:
        ConfigError: something in it is wrong.
    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_fault(file, text, str(error)),)) from None
    except RecursionError:
        raise ConfigError((Fault(file, None, "", "not TOML: nested too deeply"),)) from None
    if isinstance(table := written.get("maild", {}), dict):
        written["maild"] = {**(defaults or {}), **table}
    try:
        return Settings.model_validate(written, context={"folder": folder} if folder else None)
    except ValidationError as error:
        lines = toml_lines.locate(text)
        shown = text.splitlines()
        faults = (_fault(file, lines, shown, each) for each in error.errors(include_url=False))
        raise ConfigError(tuple(sorted(faults, key=lambda fault: fault.line or 0))) from None


def warnings(settings: Settings) -> tuple[str, ...]:
    """Return what is allowed but risky, each as `key: why, and what is better`."""
    return tuple(_warnings(settings))


def _login_warnings(settings: Settings) -> Iterator[str]:
    """Yield what is risky or of no use about the logins of agents to the listener."""
    for agent in settings.agents:
        name, smtp = f"agent {agent.name}.password", settings.smtp
        if agent.inline_password is not None:
            yield f"{name}: whoever reads the configuration knows it; use password_file or password_credential"
        if not agent.logs_in:
            continue
        if smtp is None or smtp.protocol == "lmtp":
            yield f"{name}: there is no listener of SMTP to log in to"
        elif smtp.tls_certificate is None and not is_loopback(smtp.listen.host):
            yield f"{name}: without smtp.tls_certificate he can log in from this machine only"


def _warnings(settings: Settings) -> Iterator[str]:
    servers = [("relay", settings.relay), *((f"mailbox {each.name}", each) for each in settings.mailboxes)]
    for name, server in servers:
        if server.inline_password is not None:
            yield f"{name}.password: whoever reads the configuration knows it; use password_file or password_credential"
        if server.security == "none" and not is_loopback(server.host):
            yield f"{name}.security: mail to {server.host} can be read on its way; use 'starttls' or 'tls'"
    yield from _login_warnings(settings)
    if urlsplit(settings.maild.database).password:
        yield "maild.database: whoever reads the configuration knows the password; use a password file (~/.pgpass)"
    for department in settings.departments:
        if not settings.agents_of(department.name):
            told = "all agents are" if settings.agents else "nobody is"
            yield f"department {department.name}: no agent belongs to it, so {told} told of its tickets"
        if department.remind_after.seconds >= department.resolve_after.seconds > 0:
            yield f"department {department.name}.remind_after: never reached, resolve_after is not longer"
    if settings.maild.operator is None:
        yield "maild.operator: nobody is told by mail when something breaks; name an address"


def read(path: Path) -> str:
    """Return what a configuration says, unread.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise _whole(path, "there is no such file; name another with -c FILE or in $MAILD_CONFIG") from None
    except OSError as error:
        raise _whole(path, f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_BYTES:
        raise _whole(path, "larger than 4 MiB, hardly a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError((Fault(str(path), line, "", "not UTF-8 text"),)) from None


def _whole(path: Path, expected: str) -> ConfigError:
    return ConfigError((Fault(str(path), None, "", expected),))


def _defaults_of_this_machine() -> dict[str, str]:
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]  # systemd.exec(5): several are separated by colons
    name = socket.gethostname()
    return {
        "database": f"sqlite:///{Path(state or '.').absolute() / 'maild.db'}",
        "hostname": name if "." in name else socket.getfqdn(),
    }


def _syntax_fault(file: str, text: str, said: str) -> Fault:
    lines = text.splitlines()
    found = _AT_LINE.search(said)
    number = int(found[1]) if found else max(len(lines), 1)
    said = said[: found.start()] if found else said.replace(" (at end of document)", " at the end of the file")
    if said == "Illegal character '\\n'":
        said = "a text without its closing quote"
    shown = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    if _SECRET.search(shown):
        shown = ""
    return Fault(file, number, "", f"not TOML: {said[:1].lower()}{said[1:]}", shown or None)


def _fault(file: str, lines: Mapping[toml_lines.Path, int], text: list[str], error: ErrorDetails) -> Fault:
    path = error["loc"]
    line = toml_lines.line_of(lines, path)
    shown = text[line - 1].strip() if line else ""
    if _SECRET.search(shown) and path[-1] not in SHOWN_KEYS:
        shown = ""
    return Fault(file, line, _written(path), _expected(error), shown or None)


def _written(path: toml_lines.Path) -> str:
    """Return a path as people write it, counting from 1: `department[2].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        elif part != "[key]":  # pydantic's mark for the name of a table
            text += f".{part}" if text else part
    return text


def _expected(error: ErrorDetails) -> str:
    """Return what was expected, in an operator's words."""
    path, kind, context = error["loc"], error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_beside(path)
        return "unknown key" + (nearest(str(path[-1]), known) or f"; known are {', '.join(known)}")
    if kind == "string_pattern_mismatch":
        return _PATTERNS[context["pattern"]]
    if len(path) == 1 and kind in _TOP_WORDS:
        return _TOP_WORDS[kind].format(key=path[0])
    return _WORDS[kind].format(**context) if kind in _WORDS else error["msg"]


def _printable(text: str) -> str:
    """Return `text` with nothing in it that a terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text.replace("\t", " "))


def _keys_beside(path: toml_lines.Path) -> list[str]:
    """Return the keys that the table around `path` may have."""
    models: list[Any] = [Settings]
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        fields = [field for model in models for key, field in _fields(model) if key == part]
        models = _models(fields[0].annotation) if fields else models  # else it is the name of a table
    return sorted({key for model in models for key, _ in _fields(model)})


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections that a field of type `annotation` is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
