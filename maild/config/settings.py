"""What a configuration may say: the typed, frozen model behind `maild.config`, with every default.

Here are the whole, `[maild]`, and what is looked up by name or address; the other sections are in the rooms beside it:
`connections`, `login`, `desks`, `habits`, `service_levels`, `monitoring` and `retention`.

The names of keys are those of the file; where Python needs another name, or a unit, the attribute differs and the key
is its alias (`max_size` is `max_size_bytes`, `[[department]]` is `departments`). `config.example.toml` says what each
key is for, and a test proves that it says so of all of them.

Validation does no I/O, except with `{"folder": Path}` as its context: then names of files are relative to that folder,
and the files are looked at. Reading the configuration itself, the name of the machine and the environment is
`maild.config`'s affair.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ModelWrapValidatorHandler, StrictBool, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from maild.config import references
from maild.config.connections import Mailbox, Relay, Smtp
from maild.config.desks import Agent, Department
from maild.config.habits import Escalate, Route, Vip, customers
from maild.config.kinds import Section
from maild.config.kinds.files import Database, Folder
from maild.config.kinds.hosts import Host
from maild.config.kinds.names import MailAddress, Name
from maild.config.login import OAuth
from maild.config.monitoring import Metrics
from maild.config.retention import Retention
from maild.config.service_levels import OpeningHours, Sla
from maild.message.address import normalise
from maild.rules.levels import Level
from maild.rules.placing import Placing
from maild.rules.policy import MOST_ESCALATIONS, Policy
from maild.rules.working_time import Calendar


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


class Settings(Section):
    """A whole configuration; names in it that refer to others are known to exist."""

    maild: Maild = Maild.model_validate({})
    smtp: Smtp | None = None
    relay: Relay = Relay.model_validate({})
    departments: tuple[Department, ...] = Field(alias="department")
    agents: tuple[Agent, ...] = Field((), alias="agent")
    mailboxes: tuple[Mailbox, ...] = Field((), alias="mailbox")
    metrics: Metrics | None = None
    retention: Retention = Retention.model_validate({})
    oauth: Mapping[Name, OAuth] = {}
    sla: Mapping[Name, Sla] = {}
    calendar: Mapping[Name, OpeningHours] = {}
    routes: tuple[Route, ...] = Field((), alias="route")
    vip: Vip = Vip.model_validate({})
    escalations: tuple[Escalate, ...] = Field((), alias="escalate", max_length=MOST_ESCALATIONS)

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

    @cached_property
    def placing(self) -> Placing:
        """Where new requests go."""
        rules = tuple(each.rule(number) for number, each in enumerate(self.routes, 1))
        agents = {
            each.name: frozenset(normalise(agent.address) for agent in self.agents_of(each.name))
            for each in self.departments
        }
        return Placing(rules, customers(self.vip.customers), self.vip.priority, agents)

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

    def led_by(self, agent: str) -> frozenset[str]:
        """Return the agents, normalised, of the departments that an agent leads."""
        led = [each.name for each in self.departments if each.lead and normalise(each.lead) == normalise(agent)]
        return frozenset(normalise(each.address) for name in led for each in self.agents_of(name))

    def language_of(self, agent: Agent) -> str:
        """Return the language in which an agent is written to."""
        return agent.language or self._departments[agent.departments[0]].language

    def timezone_of(self, agent: Agent) -> ZoneInfo:
        """Return the zone in which an agent is told times and says "tomorrow 9:00"."""
        return agent.timezone or self._departments[agent.departments[0]].timezone

    def hours_of(self, agent: Agent, department: Department) -> Calendar:
        """Return when an agent works: by his own calendar, else the department's."""
        return self.calendar[agent.calendar].calendar if agent.calendar else self.office_of(department)

    def is_absent(self, agent: Agent, at: datetime) -> bool:
        """Return whether `at` is on a day on which the configuration has an agent away."""
        day = at.astimezone(self.timezone_of(agent)).date()
        return any(first <= day <= last for first, last in agent.away)

    @cached_property
    def _levels_of_domains(self) -> dict[str, str]:
        return {domain: name for name, level in self.sla.items() for domain in level.domains}

    def level_of(self, department: Department, requester: str = "") -> str | None:
        """Return the name of the level of service that a customer has: his domain's, else his department's, if any.

        A domain stands for those below it too, of which each may have another level.
        """
        domain = normalise(requester).rpartition("@")[2]
        while domain:
            if found := self._levels_of_domains.get(domain):
                return found
            domain = domain.partition(".")[2]
        return department.sla

    @cached_property
    def promises(self) -> str:
        """A mark of all that says when tickets are due; another one where any of it is another."""
        said = (self.departments, self.sla, self.calendar, self.escalations)
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def policy_of(self, department: Department, requester: str = "") -> Policy:
        """Return what the life cycle needs to know of a department and of the level of service of a customer.

        Its patience counts around the clock, its business days and automatic mails by its office hours.
        """
        key = department.name, self.level_of(department, requester)
        if key not in self._policies:
            self._policies[key] = self._policy(department, key[1])
        return self._policies[key]

    @cached_property
    def _policies(self) -> dict[tuple[str, str | None], Policy]:
        return {}

    def _policy(self, department: Department, name: str | None) -> Policy:
        office, level = self.office_of(department), self.sla[name] if name else None
        always = _always(office)
        told_in = level.warn_in or level.calendar if level else None
        counted = self._calendar(level.calendar, always) if level else always
        return Policy(
            remind_after=department.remind_after,
            resolve_after=department.resolve_after,
            close_after=department.close_after,
            give_back_after=department.give_back_after,
            calendar=always,
            office=office,
            asks_rating=department.ask_rating,
            level=Level(name, counted, level.by_clock, level.warn_at) if name and level else None,
            told_in=self._calendar(told_in, always if level else office),
            escalations=tuple(each.rule for each in self.escalations),
            agents=self.placing.agents,
        )

    def _calendar(self, name: str | None, otherwise: Calendar) -> Calendar:
        return self.calendar[name].calendar if name else otherwise

    def office_of(self, department: Department) -> Calendar:
        """Return when a department writes automatic mails: its level's hours, else Monday to Friday, 9 to 17."""
        named = self.sla[department.sla].calendar if department.sla else None
        return self._calendar(named, _office(department.timezone))


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
