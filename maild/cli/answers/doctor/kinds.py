"""What a check of the doctor is made of, and what all checks are given."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from maild.cli.access import desk_or_empty
from maild.cli.answers.mailboxes import probed
from maild.config import Settings
from maild.config.connections import Mailbox
from maild.message.lookup import Lookup
from maild.oauth.tokens import Tokens
from maild.services.imap_poller.probe import Probe
from maild.services.sender import Relay, RelayTrouble
from maild.store.engine import Database

LIMIT_S: Final = 40.0  # how long a check may take; logging in to a server that drips takes longest


class Verdict(IntEnum):
    """How it is; the largest of its findings is a check's."""

    OK = 0
    UNKNOWN = 1  # it could not be looked at; the finding says why
    WARNING = 2  # it works, but
    FAULT = 3  # something does not work, or will not


class Group(StrEnum):
    """What a check is about."""

    CONFIGURATION = "configuration"
    FILES = "files and permissions"
    DATABASE = "database"
    DOMAINS = "domains (DNS)"
    CERTIFICATE = "certificate"
    SERVERS = "relay, mailboxes, listener"
    WORK = "queues and mails"
    PEOPLE = "agents and customers"
    SYSTEM = "this machine"
    ROUND_TRIP = "round trip"


class Need(StrEnum):
    """Without what a check says nothing."""

    CONFIGURATION = "a configuration that can be used (D01)"
    DATABASE = "a database of this version (D12, D13)"
    NETWORK = "a network (--offline)"


class Finding(NamedTuple):
    """One thing that was seen."""

    verdict: Verdict
    found: str
    fix: str = ""  # "": the check's own


@dataclass
class Patient:
    """A desk under examination. What is costly is asked once, whichever check needs it first."""

    path: Path
    now: datetime
    lookup: Lookup
    settings: Settings | None = None
    database: Database | None = None  # None: it is not there, or of another version
    offline: bool = False
    daemon_uid: int | None = None  # None: not known
    pause: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    tell: Callable[[str], None] = lambda _: None  # what takes long
    unit_folders: tuple[Path, ...] = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _probes: dict[str, Probe] = field(default_factory=dict)
    _relay: list[str] = field(default_factory=list)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    @property
    def desk(self) -> Settings:
        """The configuration, for checks that need one."""
        if self.settings is None:
            raise ValueError("a check that needs a configuration says so")
        return self.settings

    @property
    def store(self) -> Database:
        """The database, for checks that need one."""
        if self.database is None:
            raise ValueError("a check that needs a database says so")
        return self.database

    def lacks(self, need: Need) -> bool:
        """Return whether something that a check needs is not there."""
        match need:
            case Need.CONFIGURATION:
                return self.settings is None
            case Need.DATABASE:
                return self.database is None
            case Need.NETWORK:
                return self.offline

    def probe(self, mailbox: Mailbox) -> Probe:
        """Return how reading a mailbox goes."""
        with self._once(f"mailbox {mailbox.name}"):
            if mailbox.name not in self._probes:
                with nullcontext(self.database) if self.database else desk_or_empty(self.desk) as database:
                    self._probes[mailbox.name] = probed(database, self.desk, mailbox)
            return self._probes[mailbox.name]

    def relay_trouble(self) -> str:
        """Return why the relay cannot be used, "" if it can."""
        with self._once("relay"):
            if not self._relay:
                tokens = Tokens(self.store, self.desk, lambda: self.now) if self.database is not None else None
                try:
                    Relay(self.desk.relay, self.desk.maild.hostname, tokens).probe()
                    self._relay.append("")
                except RelayTrouble as trouble:
                    self._relay.append(str(trouble))
            return self._relay[0]

    def _once(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


Look = Callable[[Patient], Iterable[Finding]]
Mend = Callable[[Patient], Iterator[str]]  # yields what it did


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table. A number is given once and keeps its meaning."""

    number: str
    group: Group
    name: str  # what is so when all is well
    why: str
    fix: str
    look: Look
    needs: tuple[Need, ...] = ()
    mend: Mend | None = None  # what `--fix` does; only what is safe
    limit_s: float = LIMIT_S


def ok(found: str) -> Finding:
    """Return that something is well."""
    return Finding(Verdict.OK, found)


def unknown(found: str, fix: str = "") -> Finding:
    """Return that something could not be looked at, and why."""
    return Finding(Verdict.UNKNOWN, found, fix)


def warning(found: str, fix: str = "") -> Finding:
    """Return that something works, but."""
    return Finding(Verdict.WARNING, found, fix)


def fault(found: str, fix: str = "") -> Finding:
    """Return that something does not work."""
    return Finding(Verdict.FAULT, found, fix)
