"""How maild logs in to other mail servers: the part of the configuration that relay and mailboxes share."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from maild.config import passwords
from maild.config.setting_types import Command, Credential, File, Host, Port, PrivateFile, Section, is_loopback

Security = Literal["none", "starttls", "tls"]


class Login(Section):
    """How maild logs in to another server; the password is had by `password()`, when it is needed."""

    user: str | None = Field(None, min_length=1)
    inline_password: SecretStr | None = Field(None, alias="password")
    password_file: PrivateFile | None = None
    password_command: Command | None = None
    password_credential: Credential | None = None

    def password(self) -> SecretStr | None:
        """Return the password, None if there is none to log in with; a command may take half a minute.

        Raises:
            NoPassword: it cannot be had now; the text says why.
        """
        try:
            if self.password_file is not None:
                return passwords.from_file(self.password_file)
            if self.password_command is not None:
                return passwords.from_command(self.password_command)
            if self.password_credential is not None:
                return passwords.from_credential(self.password_credential)
        except OSError as error:
            raise passwords.NoPassword(f"{error.filename}: {error.strerror}") from error
        return self.inline_password

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> "Login":
        ways = (self.inline_password, self.password_file, self.password_command, self.password_credential)
        given = sum(way is not None for way in ways)
        if given > 1:
            raise ValueError("expected one of password, password_file, password_command, password_credential")
        if given and self.user is None:
            raise ValueError("expected user beside the password")
        if self.user is not None and not given:
            raise ValueError("expected a password beside user: password_file, password_command or password_credential")
        return self


class Server(Login):
    """A mail server that maild connects to; on other machines never without encryption when a password is sent."""

    host: Host
    port: Port
    security: Security
    tls_ca_file: File | None = None  # None: the system's authorities

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> "Server":
        if self.security == "none" and self.user is not None and not is_loopback(self.host):
            raise ValueError("expected security 'starttls' or 'tls': the password would be sent in the clear")
        return self
