"""By what mail comes and goes: the sections `[smtp]`, `[relay]` and `[[mailbox]]`."""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from maild.config.kinds import Section
from maild.config.kinds.files import File
from maild.config.kinds.hosts import Host, Listen, Port, is_loopback
from maild.config.kinds.names import Count, Name, Size
from maild.config.kinds.times import Start
from maild.config.login import Security, Server


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
