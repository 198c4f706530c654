"""How maild logs in to other mail servers: the part of the configuration that relay and mailboxes share."""

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field, SecretStr, model_validator

from maild.config import passwords
from maild.config.kinds import Section
from maild.config.kinds.files import Command, Credential, File, PrivateFile
from maild.config.kinds.hosts import Host, Port, Url, is_loopback
from maild.config.kinds.names import Name, Tenant

Security = Literal["none", "starttls", "tls"]
Flow = Literal["device", "browser", "client-credentials"]


class Provider(NamedTuple):
    """What is known of a provider of mail that wants OAuth2."""

    flow: Flow
    token_url: str
    device_url: str
    authorize_url: str
    scopes: tuple[str, ...]
    service_scopes: tuple[str, ...]  # for client credentials


PROVIDERS: Final = {
    # Google's device flow does not give the scope that IMAP and SMTP need
    "google": Provider(
        "browser",
        "https://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com/device/code",
        "https://accounts.google.com/o/oauth2/v2/auth",
        ("https://mail.google.com/",),
        ("https://mail.google.com/",),
    ),
    "microsoft": Provider(
        "device",
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        (
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
            "offline_access",
        ),
        ("https://outlook.office365.com/.default",),
    ),
}


class OAuth(Section):
    """`[oauth.NAME]`: an application that a provider lets log in by OAuth2; mailboxes and the relay name it."""

    client_id: str = Field(min_length=1, max_length=300)
    provider: Literal["google", "microsoft"] | None = None
    tenant: Tenant = "common"  # of Microsoft 365
    flow: Flow  # default: the provider's
    inline_client_secret: SecretStr | None = Field(None, alias="client_secret")
    client_secret_file: PrivateFile | None = None
    client_secret_command: Command | None = None
    client_secret_credential: Credential | None = None
    token_url: Url  # default: the provider's, as the rest
    device_url: Url | None = None
    authorize_url: Url | None = None
    scopes: tuple[str, ...] = Field(min_length=1)

    def client_secret(self) -> SecretStr | None:
        """Return the application's own password, None if it has none.

        Raises:
            NoPassword: it cannot be had now; the text says why.
        """
        return (
            secret(self.client_secret_file, self.client_secret_command, self.client_secret_credential)
            or self.inline_client_secret
        )

    @model_validator(mode="before")
    @classmethod
    def _fit_provider(cls, written: Any) -> Any:
        """Fill in what is known of a provider."""
        if not isinstance(written, dict):
            return written
        named = written.get("provider")
        known = PROVIDERS.get(named) if isinstance(named, str) else None
        if known is None:
            return {"flow": "device", **written}
        flow = written.get("flow", known.flow)
        tenant = written.get("tenant", "common")
        scopes = known.service_scopes if flow == "client-credentials" else known.scopes
        urls = {key: getattr(known, key).format(tenant=tenant) for key in ("token_url", "device_url", "authorize_url")}
        return {"flow": flow, "scopes": scopes, **urls, **written}

    @model_validator(mode="after")
    def _can_be_used(self) -> "OAuth":
        ways = (
            self.inline_client_secret,
            self.client_secret_file,
            self.client_secret_command,
            self.client_secret_credential,
        )
        given = sum(way is not None for way in ways)
        if given > 1:
            raise ValueError("expected one of client_secret, client_secret_file, _command, _credential")
        if self.flow == "device" and self.device_url is None:
            raise ValueError('expected device_url, or provider = "microsoft"')
        if self.flow == "browser" and self.authorize_url is None:
            raise ValueError('expected authorize_url, or provider = "google"')
        if self.flow == "client-credentials" and not given:
            raise ValueError("expected client_secret_file: the flow client-credentials needs it")
        return self


class Login(Section):
    """How maild logs in to another server; the password is had by `password()`, when it is needed."""

    user: str | None = Field(None, min_length=1)
    inline_password: SecretStr | None = Field(None, alias="password")
    password_file: PrivateFile | None = None
    password_command: Command | None = None
    password_credential: Credential | None = None
    oauth: Name | None = None  # a table [oauth.NAME]; then there is no password

    def password(self) -> SecretStr | None:
        """Return the password, None if there is none to log in with; a command may take half a minute.

        Raises:
            NoPassword: it cannot be had now; the text says why.
        """
        return secret(self.password_file, self.password_command, self.password_credential) or self.inline_password

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> "Login":
        ways = (self.inline_password, self.password_file, self.password_command, self.password_credential, self.oauth)
        given = sum(way is not None for way in ways)
        if given > 1:
            raise ValueError("expected one of password, password_file, password_command, password_credential, oauth")
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


def secret(file: Path | None, command: str | None, credential: str | None) -> SecretStr | None:
    """Return the secret of one of these.

    Raises:
        NoPassword: it cannot be had now; the text says why.
    """
    try:
        if file is not None:
            return passwords.from_file(file)
        if command is not None:
            return passwords.from_command(command)
        if credential is not None:
            return passwords.from_credential(credential)
    except OSError as error:
        raise passwords.NoPassword(f"{error.filename}: {error.strerror}") from error
    return None
