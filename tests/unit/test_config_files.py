"""What a configuration says of files, and of the machine it is loaded on."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from maild.config import ConfigError, Settings, load
from maild.config.passwords import NoPassword

REST = """
[smtp]
listen = "127.0.0.1:2525"
[[department]]
name = "support"
address = "support@acme.example"
"""

Write = Callable[..., Settings]


@pytest.fixture
def desk(tmp_path: Path) -> Write:
    """Return a function that writes a configuration and loads it."""

    def write(text: str, rest: str = REST) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(text + rest)
        return load(path)

    return write


def fault(desk: Write, text: str, rest: str = REST) -> str:
    with pytest.raises(ConfigError) as caught:
        desk(text, rest)
    [only] = caught.value.faults
    return f"{only.line}: {only.key}: {only.expected}"


def private(path: Path, content: bytes | str, mode: int = 0o600) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


RELAY = '[relay]\nhost = "mail.example"\nuser = "desk"\n'


def test_a_missing_configuration_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.toml")

    assert caught.value.render() == (
        f"{tmp_path}/config.toml: there is no such file; name another with -c FILE or in $MAILD_CONFIG"
    )


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)

    assert caught.value.render() == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_configuration_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = private(tmp_path / "config.toml", REST, 0o000)

    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path)


def test_a_configuration_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = private(tmp_path / "config.toml", "[maild]\n# fine\n# Büro\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"config.toml:3: not UTF-8 text"):
        load(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load(private(tmp_path / "config.toml", "\ufeff" + REST)).departments


def test_an_endless_configuration_is_refused() -> None:
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        load(Path("/dev/zero"))


def test_a_configuration_nested_beyond_reason_is_refused(desk: Write) -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        desk("x = " + "[" * 100_000)


def test_the_database_is_in_the_state_directory(desk: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/maild:/var/lib/other")
    assert desk("").maild.database == "sqlite:////var/lib/maild/maild.db"

    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.chdir(tmp_path)
    assert desk("").maild.database == f"sqlite:///{tmp_path}/maild.db"


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("/srv/desk.db", "sqlite:////srv/desk.db"),
        ("desk.db", "sqlite:///{folder}/desk.db"),
        ("sqlite:////srv/desk.db", "sqlite:////srv/desk.db"),
        ("postgresql://maild@db/maild", "postgresql://maild@db/maild"),
    ],
)
def test_a_database_is_a_file_or_a_url(desk: Write, tmp_path: Path, written: str, url: str) -> None:
    assert desk(f'[maild]\ndatabase = "{written}"').maild.database == url.format(folder=tmp_path)


def test_the_hostname_is_the_machines_unless_written(desk: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "desk.acme.example")
    assert desk("").maild.hostname == "desk.acme.example"
    assert desk('[maild]\nhostname = "mx.acme.example"').maild.hostname == "mx.acme.example"

    monkeypatch.setattr(socket, "gethostname", lambda: "desk")
    monkeypatch.setattr(socket, "getfqdn", lambda: "desk.lan")
    assert desk("").maild.hostname == "desk.lan"


def test_names_of_files_are_relative_to_the_configuration(desk: Write, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    private(tmp_path / "relay-password", "geheim\n")

    loaded = desk('[maild]\ntemplates = "mine"\n' + RELAY + 'password_file = "relay-password"')
    password = loaded.relay.password()

    assert loaded.maild.templates == tmp_path / "mine"
    assert password is not None
    assert password.get_secret_value() == "geheim"


def test_files_that_are_missing_are_found_at_once(desk: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        desk(
            '[maild]\ntemplates = "mine"\n' + RELAY + 'password_file = "pw"\ntls_ca_file = "ca.pem"',
            REST.replace("[[dep", 'tls_certificate = "cert.pem"\n[[dep'),
        )

    assert [(each.key, each.expected) for each in caught.value.faults] == [
        ("maild.templates", f"{tmp_path}/mine is not a folder"),
        ("relay.password_file", f"{tmp_path}/pw: No such file or directory"),
        ("relay.tls_ca_file", f"{tmp_path}/ca.pem: No such file or directory"),
        ("smtp.tls_certificate", f"{tmp_path}/cert.pem: No such file or directory"),
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_password_that_others_can_read_or_write_is_refused(desk: Write, tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "pw", "geheim", mode)

    said = fault(desk, RELAY + f'password_file = "{path}"')

    assert said == (
        f"4: relay.password_file: {path} can be read or written by others than its owner; run: chmod 600 {path}"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "the first line is empty"), (b"\ngeheim\n", "is empty"), (b"\xff\n", "is not UTF-8 text")],
)
def test_a_file_without_a_password_is_refused(desk: Write, tmp_path: Path, content: bytes, said: str) -> None:
    private(tmp_path / "pw", content)

    assert said in fault(desk, RELAY + 'password_file = "pw"')


def test_a_changed_password_is_taken_without_a_restart(desk: Write, tmp_path: Path) -> None:
    path = private(tmp_path / "pw", "old\r\n")
    relay = desk(RELAY + 'password_file = "pw"').relay
    first = relay.password()
    path.write_text("new")
    second = relay.password()

    assert first is not None
    assert second is not None
    assert (first.get_secret_value(), second.get_secret_value()) == ("old", "new")


def test_a_password_file_that_went_away_is_told_without_a_traceback_of_the_system(desk: Write, tmp_path: Path) -> None:
    path = private(tmp_path / "pw", "geheim")
    relay = desk(RELAY + 'password_file = "pw"').relay
    path.unlink()

    with pytest.raises(NoPassword, match="No such file or directory"):
        relay.password()


def test_a_password_comes_from_a_command(desk: Write) -> None:
    password = desk(RELAY + """password_command = "printf 'geheim\\nmore'" """).relay.password()

    assert password is not None
    assert password.get_secret_value() == "geheim"


@pytest.mark.parametrize(
    ("command", "said"),
    [("no-such-program x", "there is no program 'no-such-program'"), ("", "expected a command"), ("echo 'x", "not a")],
)
def test_a_command_that_cannot_be_run_is_refused(desk: Write, command: str, said: str) -> None:
    assert said in fault(desk, RELAY + f'password_command = "{command}"')


@pytest.mark.parametrize(("command", "said"), [("false", "false ended with status 1"), ("true", "first line is empty")])
def test_a_command_that_gives_no_password_is_told(desk: Write, command: str, said: str) -> None:
    relay = desk(RELAY + f'password_command = "{command}"').relay

    with pytest.raises(NoPassword, match=said):
        relay.password()


def test_a_password_comes_from_a_systemd_credential(
    desk: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(tmp_path / "relay", "geheim")
    text = RELAY + 'password_credential = "relay"'
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    password = desk(text).relay.password()

    assert password is not None
    assert password.get_secret_value() == "geheim"
    assert "systemd passed no credential 'other'" in fault(desk, RELAY + 'password_credential = "other"')


def test_without_systemd_a_credential_is_missing_only_when_it_is_needed(
    desk: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    relay = desk(RELAY + 'password_credential = "relay"').relay

    with pytest.raises(NoPassword, match="CREDENTIALS_DIRECTORY is not set"):
        relay.password()
