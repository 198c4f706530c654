"""What a configuration may say: the typed, frozen model behind `maild.config`, with every default.

The names of keys are those of the file; where Python needs another name, or a unit, the attribute differs and the key
is its alias (`max_size` is `max_size_bytes`, `[[department]]` is `departments`). `config.example.toml` says what each
key is for, and a test proves that it says so of all of them.

Validation does no I/O, except with `{"folder": Path}` as its context: then names of files are relative to that folder,
and the files are looked at. Reading the configuration itself, the name of the machine and the environment is
`maild.config`'s affair.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from maild.config import references
from maild.config.login import OAuth, Security, Server, secret
from maild.config.setting_types import (
    Command,
    Count,
    Country,
    Credential,
    Database,
    Day,
    File,
    Folder,
    Host,
    HoursOfDay,
    Language,
    Listen,
    MailAddress,
    Name,
    Percent,
    Port,
    PrivateFile,
    Section,
    Size,
    SpanText,
    Start,
    Title,
    Week,
    Zone,
    holidays_of,
    is_loopback,
)
from maild.message.address import normalise
from maild.rules.sla import OFFICE_WEEK, Calendar, Hours, Span
from maild.rules.ticket import Policy


class Maild(Section):
    """`[maild]`: the daemon itself."""

    database: Database = Field("sqlite:///maild.db", repr=False)  # a URL; it may hold a password
    hostname: Host = "localhost"  # `maild.config.load` puts the machine's own name here
    authserv_id: Host | None = None
    check_senders: StrictBool = True
    agent_trust: Literal["either", "both"] = "either"
    operator: MailAddress | None = None
    templates: Folder | None = None
    reply_form: Literal["plus", "catch-all"] = "plus"


class Smtp(Section):
    """`[smtp]`: the listener; left out, mail comes by `[[mailbox]]` only."""

    listen: Listen
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls_certificate: File | None = None
    tls_key: File | None = None  # None: it is in the file of the certificate
    max_size_bytes: Size = Field(25 * 2**20, alias="max_size")
    max_connections: Count = 100
    max_connections_per_address: Count = 10

    @field_validator("tls_key")
    @classmethod
    def _belongs_to_a_certificate(cls, key: File | None, info: ValidationInfo) -> File | None:
        if key is not None and info.data.get("tls_certificate", key) is None:
            raise ValueError("expected tls_certificate beside it")
        return key


class Relay(Server):
    """`[relay]`: the smarthost by which all mail leaves."""

    host: Host = "localhost"
    port: Port = 25
    security: Security = "none"

    @model_validator(mode="before")
    @classmethod
    def _fit_port_and_security(cls, written: Any) -> Any:
        """Choose what is not written: nothing to encrypt on this machine, STARTTLS elsewhere, TLS on port 465."""
        if not isinstance(written, dict):
            return written
        host, port = written.get("host", "localhost"), written.get("port")
        near = isinstance(host, str) and is_loopback(host.strip())
        security = written.get("security", "tls" if port == 465 else "none" if near else "starttls")
        ports = {"none": 25, "starttls": 587, "tls": 465}
        usual = ports.get(security, 25) if isinstance(security, str) else 25
        return {**written, "security": security, "port": usual if port is None else port}


class Mailbox(Server):
    """`[[mailbox]]`: an IMAP folder that is polled."""

    name: Name
    department: Name  # default: the first one
    port: Port = 993
    security: Security = "tls"
    folder: str = Field("INBOX", min_length=1, max_length=255)
    start: Start = "now"
    after: Literal["keep", "seen", "move", "delete"] = "keep"
    move_to: str | None = Field(None, min_length=1, max_length=255)

    @model_validator(mode="before")
    @classmethod
    def _fit_port(cls, written: Any) -> Any:
        if not isinstance(written, dict) or "port" in written:
            return written
        return {**written, "port": 993 if written.get("security", "tls") == "tls" else 143}

    @model_validator(mode="after")
    def _moves_somewhere_else(self) -> "Mailbox":
        if (self.after == "move") != (self.move_to is not None):
            raise ValueError('expected after = "move" and move_to together')
        if self.move_to == self.folder:
            raise ValueError("expected move_to to be another folder than the one that is read")
        if self.user is None:
            raise ValueError("expected user: an IMAP server wants one")
        return self


class Department(Section):
    """`[[department]]`: who customers write to, and how patient it is."""

    name: Name
    address: MailAddress
    aliases: tuple[MailAddress, ...] = ()
    title: Title  # default: the name with a capital
    language: Language = "en"
    timezone: Zone = ZoneInfo("UTC")
    sla: Name | None = None
    assign: Literal["none", "round-robin", "least-open"] = "none"
    acknowledge: StrictBool = True
    remind_after: SpanText = Span.parse("5d")
    resolve_after: SpanText = Span.parse("10d")
    close_after: SpanText = Span.parse("14d")

    @model_validator(mode="before")
    @classmethod
    def _title_after_the_name(cls, written: Any) -> Any:
        if not isinstance(written, dict):
            return written
        name = str(written.get("name", "")).replace("-", " ").replace("_", " ")
        return {"title": name.capitalize()[:40].strip() or "-", **written}


class Agent(Section):
    """`[[agent]]`: who answers; his From address is one half of what makes him one."""

    address: MailAddress
    name: Title
    departments: tuple[Name, ...] = Field(min_length=1)  # default: all of them
    language: Language | None = None  # None: his first department's
    timezone: Zone | None = None  # None: his first department's
    inline_password: SecretStr | None = Field(None, alias="password")  # with one he may log in to the listener
    password_file: PrivateFile | None = None
    password_command: Command | None = None
    password_credential: Credential | None = None

    @property
    def logs_in(self) -> bool:
        """Whether he may log in to the listener."""
        return any((self.inline_password, self.password_file, self.password_command, self.password_credential))

    def password(self) -> SecretStr | None:
        """Return the password that he logs in with, None if he may not; a command may take half a minute.

        Raises:
            NoPassword: it cannot be had now; the text says why.
        """
        return secret(self.password_file, self.password_command, self.password_credential) or self.inline_password

    @model_validator(mode="after")
    def _one_password(self) -> "Agent":
        ways = (self.inline_password, self.password_file, self.password_command, self.password_credential)
        if sum(way is not None for way in ways) > 1:
            raise ValueError("expected one of password, password_file, password_command, password_credential")
        return self


class Targets(Section):
    """How long one clock may run, by priority; the others take that of the next priority towards normal."""

    low: SpanText | None = None
    normal: SpanText
    high: SpanText | None = None
    urgent: SpanText | None = None

    def of(self, priority: str) -> Span:
        """Return the target of "low", "normal", "high" or "urgent"; any other priority is taken as normal."""
        match priority:
            case "low":
                return self.low or self.normal
            case "high":
                return self.high or self.normal
            case "urgent":
                return self.urgent or self.high or self.normal
            case _:
                return self.normal


class Sla(Section):
    """`[sla.NAME]`: a level of service; a clock left out has no target."""

    calendar: Name | None = None  # None: the clocks run always
    first_response: Targets | None = None
    next_response: Targets | None = None
    resolution: Targets | None = None
    warn_at: tuple[Percent, ...] = (75, 100)


class OpeningHours(Section):
    """`[calendar.NAME]`: when a desk works."""

    timezone: Zone  # default: the first department's
    hours: Week = OFFICE_WEEK
    holidays: Country | None = None
    closed_days: tuple[Day, ...] = Field((), alias="closed")
    open_days: Mapping[Day, HoursOfDay] = Field({}, alias="open")

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar for `maild.rules`."""
        country = self.holidays
        special: dict[Any, Hours] = dict(self.open_days)
        if country is None:
            return Calendar(self.timezone, self.hours, closed=frozenset(self.closed_days), special=special)
        return Calendar(
            self.timezone,
            self.hours,
            holidays=lambda year: holidays_of(country, year),
            closed=frozenset(self.closed_days),
            special=special,
        )

    @model_validator(mode="after")
    def _makes_a_calendar(self) -> "OpeningHours":
        if both := set(self.closed_days) & set(self.open_days):
            raise ValueError(f"{min(both)} is both closed and open")
        Calendar(self.timezone, self.hours, special=dict(self.open_days))
        return self


class Settings(Section):
    """A whole configuration; names in it that refer to others are known to exist."""

    maild: Maild = Maild.model_validate({})
    smtp: Smtp | None = None
    relay: Relay = Relay.model_validate({})
    departments: tuple[Department, ...] = Field(alias="department")
    agents: tuple[Agent, ...] = Field((), alias="agent")
    mailboxes: tuple[Mailbox, ...] = Field((), alias="mailbox")
    oauth: Mapping[Name, OAuth] = {}
    sla: Mapping[Name, Sla] = {}
    calendar: Mapping[Name, OpeningHours] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _find_all_faults(cls, written: Any, handler: ModelWrapValidatorHandler["Settings"]) -> "Settings":
        """Check fields and references alike, so that an operator sees all faults at once."""
        if not isinstance(written, dict):
            return handler(written)
        faults = [
            InitErrorDetails(type=PydanticCustomError("reference", "{text}", {"text": text}), loc=path, input=None)
            for path, text in references.faults(written)
        ]
        try:
            settings = handler(references.filled_in(written))
        except ValidationError as error:
            faults = [*map(_again, error.errors(include_url=False)), *faults]
        if faults:
            raise ValidationError.from_exception_data("configuration", faults, hide_input=True)
        return settings

    @cached_property
    def ours(self) -> frozenset[str]:
        """Every address of our departments, normalised; with catch-all addresses their domains too."""
        addresses = frozenset(self._by_address)
        if self.maild.reply_form == "plus":
            return addresses
        return addresses | {address.rpartition("@")[2] for address in addresses}

    @cached_property
    def _by_address(self) -> dict[str, Department]:
        return {normalise(address): each for each in self.departments for address in (each.address, *each.aliases)}

    @cached_property
    def _agents(self) -> dict[str, Agent]:
        return {normalise(agent.address): agent for agent in self.agents}

    @cached_property
    def _departments(self) -> dict[str, Department]:
        return {department.name: department for department in self.departments}

    def department(self, name: str) -> Department | None:
        """Return the department of that name, None if it is gone from the configuration."""
        return self._departments.get(name)

    def department_of(self, address: str) -> Department | None:
        """Return the department that a mail to `address` is for, None if it is none of ours.

        What follows a plus, signed or not, is not looked at; nor is a catch-all address: its ticket tells.
        """
        found = self._by_address.get(normalise(address))
        if found is not None:
            return found
        local, _, domain = normalise(address).rpartition("@")
        while "+" in local:
            local = local.rpartition("+")[0]
            if found := self._by_address.get(f"{local}@{domain}"):
                return found
        return None

    def agent_of(self, address: str) -> Agent | None:
        """Return the agent whose address it is, None if it is nobody's; no proof that he wrote."""
        return self._agents.get(normalise(address))

    def agents_of(self, department: str) -> tuple[Agent, ...]:
        """Return the agents of a department, in the order of the file."""
        return tuple(agent for agent in self.agents if department in agent.departments)

    def language_of(self, agent: Agent) -> str:
        """Return the language in which an agent is written to."""
        return agent.language or self._departments[agent.departments[0]].language

    def timezone_of(self, agent: Agent) -> ZoneInfo:
        """Return the zone in which an agent is told times and says "tomorrow 9:00"."""
        return agent.timezone or self._departments[agent.departments[0]].timezone

    def policy_of(self, department: Department) -> Policy:
        """Return what the life cycle needs to know of a department.

        Its patience counts around the clock, its business days and reminders by its office hours.
        """
        office = self.office_of(department)
        return Policy(
            remind_after=department.remind_after,
            resolve_after=department.resolve_after,
            close_after=department.close_after,
            calendar=_always(office),
            office=office,
        )

    def clock_of(self, department: Department) -> Calendar:
        """Return the calendar that the clocks of a department run by: its level's, else around the clock."""
        named = self.sla[department.sla].calendar if department.sla else None
        return self.calendar[named].calendar if named else _always(_office(department.timezone))

    def office_of(self, department: Department) -> Calendar:
        """Return when a department writes automatic mails: its level's hours, else Monday to Friday, 9 to 17."""
        named = self.sla[department.sla].calendar if department.sla else None
        return self.calendar[named].calendar if named else _office(department.timezone)


@lru_cache(maxsize=64)
def _office(zone: ZoneInfo) -> Calendar:
    return Calendar.office(zone)


@lru_cache(maxsize=64)
def _always(office: Calendar) -> Calendar:
    return Calendar.always(office)


def _again(error: ErrorDetails) -> InitErrorDetails:
    """Return an error so that it can be raised once more: its kind, its words and what they are about."""
    context = error.get("ctx", {})
    text = str(context["error"]) if error["type"] == "value_error" else error["msg"]
    kind = PydanticCustomError(error["type"], "{text}", {**context, "text": text})
    return InitErrorDetails(type=kind, loc=error["loc"], input=None)
