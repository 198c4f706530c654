"""Who works here: the sections `[[department]]` and `[[agent]]`."""

from datetime import time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, StrictBool, model_validator

from maild.config.kinds import Section
from maild.config.kinds.files import Command, Credential, PrivateFile
from maild.config.kinds.names import Count, Language, MailAddress, Name, Title
from maild.config.kinds.times import DaysAway, Delay, DigestTime, SpanText, Zone
from maild.config.login import secret
from maild.rules.working_time import Span


class Department(Section):
    """`[[department]]`: who customers write to, and how patient it is."""

    name: Name
    address: MailAddress
    aliases: tuple[MailAddress, ...] = ()
    title: Title  # default: the name with a capital
    language: Language = "en"
    timezone: Zone = ZoneInfo("UTC")
    sla: Name | None = None
    lead: MailAddress | None = None  # an agent, who is told of what is late
    assign: Literal["none", "round-robin", "least-open"] = "none"
    acknowledge: StrictBool = True
    ask_rating: StrictBool = False
    remind_after: SpanText = Span.parse("5d")
    resolve_after: SpanText = Span.parse("10d")
    close_after: SpanText = Span.parse("14d")
    send_delay: Delay | None = None  # None: an answer leaves at once
    signature: StrictBool = False
    give_back_after: SpanText = Span.parse("2bd")
    reminders_a_minute: Count = 30

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
    send_delay: Delay | None = None  # None: that of the ticket's department
    calendar: Name | None = None  # None: his hours are the department's
    away: DaysAway = ()
    digest: DigestTime = time(8)  # None: never
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
