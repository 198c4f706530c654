"""`config.example.toml` is the reference: it says everything that the model says, and nothing else."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from maild.config import Settings, load, parse
from maild.config.connections import Mailbox, Relay, Smtp
from maild.config.desks import Agent, Department
from maild.config.habits import Escalate, Route, Vip
from maild.config.kinds import Section
from maild.config.login import OAuth
from maild.config.monitoring import Metrics
from maild.config.retention import Retention
from maild.config.service_levels import OpeningHours, Sla, Targets
from maild.config.settings import Maild
from maild.resources import resource

EXAMPLE = resource("config.example.toml")
SECTIONS: dict[str, type[Section]] = {
    "maild": Maild,
    "smtp": Smtp,
    "relay": Relay,
    "department": Department,
    "agent": Agent,
    "sla": Sla,
    "calendar": OpeningHours,
    "mailbox": Mailbox,
    "oauth": OAuth,
    "route": Route,
    "vip": Vip,
    "metrics": Metrics,
    "retention": Retention,
    "escalate": Escalate,
}
COMPUTED = {  # what is not written depends on the machine or on other keys
    "maild.database",
    "maild.hostname",
    "relay.port",
    "relay.security",
    "department.title",
    "agent.departments",
    "calendar.timezone",
    "mailbox.department",
    "mailbox.port",
    "oauth.flow",
    "oauth.token_url",
    "oauth.device_url",
    "oauth.authorize_url",
    "oauth.scopes",
}
PASSWORDS = ("password_file", "password_command", "password_credential", "password", "oauth")
SECRETS = ("client_secret_file", "client_secret_command", "client_secret_credential", "client_secret")


@dataclass(frozen=True)
class Entry:
    """A key as the example shows it."""

    section: str
    key: str
    value: Any
    commented: bool
    about: str

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"


def entries() -> Iterator[Entry]:
    section, about, after_key = "", "", False
    for line in EXAMPLE.read_text().splitlines():
        if re.match(r"#( |$)", line):
            about = line if after_key else f"{about}\n{line}"
            after_key = False
        elif header := re.match(r"#?\[+([a-z]+)[.a-z]*\]+$", line):
            section, about = header[1], ""
        elif line:
            key, value = tomllib.loads(line.removeprefix("#")).popitem()
            after_key = True
            yield Entry(section, key, value, line.startswith("#"), about)
        else:
            about = "" if after_key or not about else about


ENTRIES = tuple(entries())


def uncommented(password: str = "password_file") -> str:
    """Return the example with everything in it in force, and one of the ways to give a password."""
    lines = [re.sub(r"^#(?! |$)", "", line) for line in EXAMPLE.read_text().splitlines()]
    others = tuple(f"{way} =" for way in (*PASSWORDS, *SECRETS[1:]) if way != password)
    text = "\n".join(line for line in lines if not line.startswith(others))
    return text.replace('after = "keep"', 'after = "move"')  # move_to belongs to it


def field(section: type[Section], key: str) -> FieldInfo:
    [found] = [each for name, each in section.model_fields.items() if (each.alias or name) == key]
    return found


def default(entry: Entry) -> Any:
    return field(SECTIONS[entry.section], entry.key).get_default(call_default_factory=True)


def test_the_example_can_be_used_as_it_is() -> None:
    desk = load(EXAMPLE)

    assert [each.name for each in desk.departments] == ["support"]
    assert [each.departments for each in desk.agents] == [("support",)]


@pytest.mark.parametrize("password", PASSWORDS)
def test_the_example_can_be_used_with_everything_in_force(password: str) -> None:
    desk = parse(uncommented(password))

    assert desk.mailboxes[0].move_to == "Archive"
    assert desk.sla["standard"].warn_at == (75, 100)
    assert desk.calendar["office"].holidays == "EE"


def test_the_example_tells_every_key_once_and_no_other() -> None:
    told = [entry.name for entry in ENTRIES]
    known = {
        f"{name}.{each.alias or key}" for name, model in SECTIONS.items() for key, each in model.model_fields.items()
    }

    assert sorted(told) == sorted(known)
    assert set(SECTIONS) == {each.alias or name for name, each in Settings.model_fields.items()}
    assert {"low", "normal", "high", "urgent"} == set(Targets.model_fields)


def test_everything_in_the_example_is_said_what_it_is_for() -> None:
    silent = [
        entry.name
        for entry in ENTRIES
        if not entry.about and entry.name not in {"department.name", "agent.address", "mailbox.host", "relay.host"}
    ]

    assert silent == []


def test_only_what_has_no_default_is_in_force() -> None:
    for entry in ENTRIES:
        if not entry.commented:
            assert field(SECTIONS[entry.section], entry.key).is_required(), entry.name


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_default_that_the_example_shows_is_the_models(entry: Entry) -> None:
    if not entry.commented or (entry.section in {"mailbox", "oauth", "escalate"} and _needed(entry)):
        return
    if "Default:" in entry.about or "As in [relay]" in entry.about:
        assert entry.name in COMPUTED or default(entry) in (None, (), {})
        return

    shown = SECTIONS[entry.section].model_validate(smallest(entry) | {entry.key: entry.value})
    [attribute] = [
        name for name, each in type(shown).model_fields.items() if (each.alias or name) == entry.key
    ]  # fmt: skip
    assert entry.name in COMPUTED or getattr(shown, attribute) == default(entry)
    assert getattr(shown, attribute) == getattr(SECTIONS[entry.section].model_validate(smallest(entry)), attribute)


def _needed(entry: Entry) -> bool:
    return field(SECTIONS[entry.section], entry.key).is_required() and entry.name not in COMPUTED


def smallest(entry: Entry) -> dict[str, Any]:
    """Return the least that a section needs."""
    needs: dict[str, dict[str, Any]] = {
        "smtp": {"listen": "127.0.0.1:2525"},
        "department": {"name": "support", "address": "support@acme.example"},
        "agent": {"name": "Anna", "address": "anna@acme.example", "departments": ["support"]},
        "calendar": {"timezone": "UTC"},
        "oauth": {"client_id": "x", "provider": "microsoft"},
        "escalate": {"name": "x", "unanswered_for": "1h", "raise_to": "low"},
        "route": {"subject": "invoice", "priority": "high"},
        "mailbox": {"name": "a", "host": "imap.example", "user": "x", "password": "y", "department": "support"},
    }
    return needs.get(entry.section, {})
