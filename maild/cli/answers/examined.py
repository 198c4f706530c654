"""What is right and wrong with a desk before it runs: findings, each with what it is about.

    configuration   all faults at once, with file and line
    templates       each rendered in each language with sample values
    certificate     that certificate and key are a pair
    database        reachable, its schema, its journal and why
    connections     relay, mailboxes and listener, when asked for

Nothing is changed, and a database that is not there is not made.
"""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy.exc import DBAPIError

from maild import config as configuration
from maild.cli.access import database_of, desk_or_empty, now, shown_url, sqlite_file
from maild.cli.answers.mailboxes import counted, probed
from maild.cli.output import count
from maild.config import ConfigError, Settings, Smtp
from maild.oauth.tokens import Tokens
from maild.services.sender import Relay, RelayTrouble
from maild.store import schema, search
from maild.store.engine import Database
from maild.templates import BrokenTemplatesError, Templates

FAULT: Final = "fault"  # it will not work
WARNING: Final = "warning"  # allowed, but risky
FINE: Final = "ok"
GREETING_S: Final = 5.0
_LONGEST_LINE: Final = 2_000
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - it is not listened there, but asked


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: str
    about: str
    text: str
    file: str | None = None
    line: int | None = None
    key: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self._asdict()


def examine(path: Path, *, connect: bool) -> Iterator[Finding]:
    """Yield what is found, in order; a configuration that cannot be used ends it, since all else follows from it."""
    try:
        settings = configuration.load(path)
    except ConfigError as error:
        for fault in error.faults:
            yield Finding(FAULT, "configuration", str(fault), fault.file, fault.line, fault.key or None)
        return
    yield Finding(FINE, "configuration", f"{path}: {_in_short(settings)}", str(path))
    for warning in configuration.warnings(settings):
        yield Finding(WARNING, "configuration", warning, str(path))
    yield from _templates(settings)
    if settings.smtp is not None:
        yield from _certificate(settings.smtp)
    yield from _database(settings)
    if connect:
        yield from _relay(settings)
        yield from _mailboxes(settings)
        if settings.smtp is not None:
            yield from listener(settings.smtp)


def _in_short(settings: Settings) -> str:
    counts = ((settings.departments, "department"), (settings.agents, "agent"), (settings.mailboxes, "mailbox"))
    return ", ".join(count(len(several), noun) for several, noun in counts)


def _templates(settings: Settings) -> Iterator[Finding]:
    try:
        templates = Templates(settings.maild.templates)
    except BrokenTemplatesError as error:
        for fault in error.faults:
            yield Finding(FAULT, "templates", fault)
        return
    faults = templates.check()
    for fault in faults:
        yield Finding(FAULT, "templates", fault)
    if not faults:
        yield Finding(FINE, "templates", f"all render in {', '.join(templates.languages)}")
    for language, words in templates.untranslated().items():
        if words:
            yield Finding(WARNING, "templates", f"{len(words)} texts are not translated into {language}")


def _certificate(section: Smtp) -> Iterator[Finding]:
    if section.tls_certificate is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(section.tls_certificate, section.tls_key)
    except (OSError, ssl.SSLError) as error:
        yield Finding(FAULT, "certificate", f"{section.tls_certificate} with its key cannot be used: {error}")
    else:
        yield Finding(FINE, "certificate", f"{section.tls_certificate}")


def _database(settings: Settings) -> Iterator[Finding]:
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        yield _unmade(path)
        return
    try:
        with database_of(settings, any_schema=True) as database:
            yield from _schema(settings, database)
            if database.journal is not None:
                yield Finding(*_journal(database))
            yield from _index(database)
    except (OSError, DBAPIError) as error:
        said = getattr(error, "orig", None) or error
        yield Finding(FAULT, "database", f"{shown_url(settings)}: {' '.join(str(said).split())}")


def _unmade(path: Path) -> Finding:
    folder = path.parent
    if not folder.is_dir():
        return Finding(FAULT, "database", f"{path}: there is no folder {folder}; make it, owned by the daemon's user")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(FAULT, "database", f"{path}: folder {folder} cannot be written by this user")
    return Finding(FINE, "database", f"{path}: not there yet, made when the daemon starts")


def _schema(settings: Settings, database: Database) -> Iterator[Finding]:
    try:
        found = schema.revisions(database)
        schema.require(database)
    except schema.SchemaError:
        newer = found.have is not None and found.have > found.need  # they are numbered
        words = f"schema {found.have or 'none'}, brought to {found.need} when the daemon starts"
        if newer:
            words = f"schema {found.have} was made by a newer maild, this one knows {found.need}; install that version"
        yield Finding(FAULT if newer else FINE, "database", f"{shown_url(settings)}: {words}")
    else:
        yield Finding(FINE, "database", f"{shown_url(settings)}: schema {found.have}")


def _index(database: Database) -> Iterator[Finding]:
    """Say by what texts are searched, where SQLite may lack it."""
    found = schema.revisions(database)
    with database.read() as connection:
        made = search.has_index(connection)
        able = not database.is_sqlite or search.has_fts5(connection)
    if made and able:
        yield Finding(FINE, "search", "by an index of words")
    elif made:
        yield Finding(FAULT, "search", "the database has an FTS5 index, and this Python's SQLite library has no FTS5")
    elif found.have == found.need or not able:
        why = "the index of words was never made" if able else "this Python's SQLite library has no FTS5"
        compared = f"searching compares the texts of the last {search.MOST_COMPARED:,} mails"
        yield Finding(WARNING, "search", f"{why}: {compared}")


def _journal(database: Database) -> tuple[str, str, str]:
    """Return the journal that the next writer has, why, and what the file has now if that is another."""
    journal = database.journal
    if journal is None:
        raise ValueError("only SQLite has a journal")
    with database.read() as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()).upper()
    now = "" if mode == journal.mode else f" (the file is in mode {mode} until the daemon opens it)"
    return FINE, "journal", f"{journal.mode}, synchronous {journal.synchronous}: {journal.reason}{now}"


def _relay(settings: Settings) -> Iterator[Finding]:
    relay = settings.relay
    where = f"{relay.host}:{relay.port}"
    try:
        with desk_or_empty(settings) as database:
            Relay(relay, settings.maild.hostname, Tokens(database, settings, partial(now, database))).probe()
    except RelayTrouble as trouble:
        yield Finding(FAULT, "relay", str(trouble))
    else:
        login = f", logged in as {relay.user}" if relay.user else ""
        yield Finding(FINE, "relay", f"{where}: answers, security {relay.security}{login}")


def _mailboxes(settings: Settings) -> Iterator[Finding]:
    for each in settings.mailboxes:
        about = f"mailbox {each.name}"
        with desk_or_empty(settings) as database:
            found = probed(database, settings, each)
        for step in found.findings:
            if not step.ok:
                fix = f"; {step.fix}" if step.fix else ""
                yield Finding(FAULT, about, f"{each.host}:{each.port}: {step.step}: {step.words}{fix}")
        if found.ok:
            yield Finding(FINE, about, f"{each.host}:{each.port}: logged in as {each.user}; {counted(found)}")


def listener(section: Smtp) -> Iterator[Finding]:
    """Say whether the listener's address is free, or maild's own."""
    host, port = section.listen.host, section.listen.port
    where = f"{host}:{port}"
    try:
        [family, *_] = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield Finding(FAULT, "listener", f"{where}: {error.strerror}{_hint(error)}")
            return
        said = greeting(host, port)
        if said.endswith(" maild"):
            yield Finding(FINE, "listener", f"{where}: maild listens there already")
        else:
            yield Finding(FAULT, "listener", f"{where}: another program listens there{f': {said}' if said else ''}")
    else:
        yield Finding(FINE, "listener", f"{where}: free")


def _hint(error: OSError) -> str:
    return "; a port below 1024 needs a right (systemd: AmbientCapabilities=)" if error.errno == errno.EACCES else ""


def greeting(host: str, port: int) -> str:
    """Return the first line that whoever listens says, "" if nothing."""
    with suppress(OSError):
        return spoken(host, port)[0]
    return ""


def spoken(host: str, port: int, *commands: str) -> list[str]:
    """Return how a server of SMTP or LMTP greets and answers `commands`: the last line of each answer.

    Raises:
        OSError: nobody listens there, or he does not answer in time.
    """
    said: list[str] = []
    with socket.create_connection((_ANYWHERE.get(host, host), port), GREETING_S) as connection:
        connection.settimeout(GREETING_S)
        with connection.makefile("rb") as answers:
            for command in ("", *commands):
                if command:
                    connection.sendall(command.encode() + b"\r\n")
                line = answers.readline(_LONGEST_LINE)
                while line[3:4] == b"-":  # RFC 5321 4.2.1: more lines follow
                    line = answers.readline(_LONGEST_LINE)
                said.append(line.decode("utf-8", "replace").rstrip("\r\n"))
    return said
