"""`maild init`: a configuration that is right, from few answers, and nothing written if it would be wrong."""

import os
import pty
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from maild import config as configuration
from maild.cli import init
from tests.dovecot import Dovecot
from tests.parts import free_port
from tests.system.commands import run
from tests.wire.sink import sink

SMALL = ("--address", "support@acme.example", "--agent", "Anna=anna@acme.example", "--offline")
TRIED = SMALL[:-1]


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o600)
    return file


def answering(config: Path, *answers: object) -> tuple[int, str]:
    """Run it on a terminal whose user types `answers`; return the exit status and what he saw."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "maild", "init", "--offline", "-c", str(config)], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    os.write(master, "".join(f"{each}\n" for each in answers).encode())
    seen = b""
    while True:
        try:
            seen += os.read(master, 65536)
        except OSError:  # it has ended
            break
    os.close(master)
    return process.wait(30), seen.decode().replace("\r\n", "\n")


def test_two_words_make_a_desk(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    done = run("init", "-c", file, *SMALL)
    settings = configuration.load(file)

    assert done.returncode == 0
    assert tomllib.loads(file.read_text()) == {  # what is a default is not written
        "maild": {"database": "maild.db"},
        "smtp": {"listen": "127.0.0.1:2525"},
        "department": [{"name": "support", "address": "support@acme.example"}],
        "agent": [{"name": "Anna", "address": "anna@acme.example"}],
    }
    assert settings.maild.database == f"sqlite:///{file.parent}/maild.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    for line in (f"maild check --connect -c {file}", f"maild run -c {file}", "hand mail for support@acme.example"):
        assert line in done.stdout.decode()
    assert run("check", "-c", file).returncode == 0


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("precious")
    done = run("init", "-c", file, *SMALL)

    assert done.returncode == 1
    assert b"is there already" in done.stderr
    assert file.read_text() == "precious"


def test_a_relay_and_a_mailbox_share_a_login(tmp_path: Path, password: Path) -> None:
    file = tmp_path / "config.toml"
    login = ("--user", "desk", "--password-file", password)
    done = run(
        "init", "-c", file, *SMALL, "--agent", "bert.b@acme.example", "--relay", "smtp.acme.example:465", *login,
        "--imap", "imap.acme.example",
    )  # fmt: skip
    settings = configuration.load(file)

    assert done.returncode == 0
    assert (settings.relay.host, settings.relay.port, settings.relay.security) == ("smtp.acme.example", 465, "tls")
    assert settings.relay.user == settings.mailboxes[0].user == "desk"
    assert (settings.mailboxes[0].host, settings.mailboxes[0].port) == ("imap.acme.example", 993)
    assert [agent.name for agent in settings.agents] == ["Anna", "Bert B"]
    assert settings.smtp is None
    assert b"secret" not in file.read_bytes()


def test_a_relay_of_this_machine_is_not_told_the_login_of_the_mailbox(tmp_path: Path, password: Path) -> None:
    file = tmp_path / "config.toml"
    run("init", "-c", file, *SMALL, "--user", "desk", "--password-file", password, "--imap", "[::1]:1143")

    settings = configuration.load(file)
    assert settings.relay.user is None
    assert (settings.mailboxes[0].host, settings.mailboxes[0].port) == ("::1", 1143)


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root has files that the daemon cannot read")
def test_root_is_told_to_give_the_password_to_the_daemon(tmp_path: Path, password: Path) -> None:
    login = ("--relay", "smtp.acme.example", "--user", "desk", "--password-file", password)
    done = run("init", "-c", tmp_path / "config.toml", *SMALL, *login)

    assert f"chown maild {password}" in done.stdout.decode()


def test_all_faults_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    done = run("init", "-c", file, "--address", "nonsense", "--agent", "Anna", "--user", "desk", "--listen", "here")

    assert done.returncode == 78
    for fault in (b"department[1].address", b"agent[1].address", b"smtp.listen", b"password"):
        assert fault in done.stderr
    assert not file.exists()


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    done = run("init", "-c", tmp_path / "config.toml")

    assert done.returncode == 2
    assert b"--address and --agent" in done.stderr


def test_a_person_is_asked_and_asked_again_after_a_wrong_answer(tmp_path: Path, password: Path) -> None:
    file = tmp_path / "config.toml"
    status, seen = answering(
        file, "support", "support@acme.example", "Anna=anna@acme.example, bert@acme.example", "smtp.acme.example",
        "imap.acme.example", "desk", tmp_path / "none", password,
    )  # fmt: skip
    settings = configuration.load(file)

    assert status == 0, seen
    assert "expected a mail address" in seen
    assert "To make it: install -m 600" in seen
    assert [agent.name for agent in settings.agents] == ["Anna", "Bert"]
    assert (settings.relay.host, settings.mailboxes[0].host) == ("smtp.acme.example", "imap.acme.example")
    assert settings.relay.password_file == password


def test_enter_takes_what_suits_most(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    status, seen = answering(file, "support@acme.example", "anna@acme.example", "", "")

    assert status == 0, seen
    assert "[smtp]" in file.read_text()
    assert "[relay]" not in file.read_text()


def test_what_was_written_is_tried_and_what_does_not_work_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    listen, nobody = free_port(), free_port()
    done = run("init", "-c", file, *TRIED, "--relay", f"localhost:{nobody}", "--listen", f"127.0.0.1:{listen}")

    assert done.returncode == 69
    assert f"fault: relay: localhost:{nobody}".encode() in done.stderr
    assert b"ok: listener" in done.stdout
    assert b"maild check --connect" in done.stdout
    assert file.exists()


def test_a_relay_that_answers_is_said_to(tmp_path: Path) -> None:
    with sink() as smarthost:
        words = ("--relay", f"127.0.0.1:{smarthost.port}", "--listen", f"127.0.0.1:{free_port()}")
        done = run("init", "-c", tmp_path / "config.toml", *TRIED, *words)

    assert done.returncode == 0, done.stderr
    assert b"ok: relay" in done.stdout
    assert b"maild check --connect" not in done.stdout
    assert smarthost.mails == []


@pytest.mark.dovecot
def test_a_mailbox_is_logged_in_to(dovecot_server: Dovecot, tmp_path: Path) -> None:
    account = dovecot_server.account()
    secret, wrong = tmp_path / "secret", tmp_path / "wrong"
    secret.write_text(account.password)
    wrong.write_text("wrong")
    for each in (secret, wrong):
        each.chmod(0o600)
    with sink() as smarthost:
        words = (*TRIED, "--relay", f"127.0.0.1:{smarthost.port}", "--user", account.user)
        words += ("--imap", f"127.0.0.1:{dovecot_server.tls_port}")
        environment = {"SSL_CERT_FILE": str(dovecot_server.certificate)}
        good = run("init", "-c", tmp_path / "good.toml", *words, "--password-file", secret, env=environment)
        bad = run("init", "-c", tmp_path / "bad.toml", *words, "--password-file", wrong, env=environment)

    assert good.returncode == 0, good.stderr
    assert f"logged in as {account.user}; of 0 mails 0 would be fetched".encode() in good.stdout
    assert bad.returncode == 69
    assert b"fault: mailbox support: 127.0.0.1" in bad.stderr
    assert b"logging in" in bad.stderr


def test_a_service_is_enabled_where_one_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = tmp_path / "maild.service"
    unit.write_text("")
    monkeypatch.setattr(init, "UNITS", (unit,))
    for listen, started in (("0.0.0.0:25", "maild.socket maild"), ("127.0.0.1:2525", "maild")):
        answers = init.Answers(
            "support@acme.example", ("Anna=anna@acme.example",), "mx.acme.example", None, None, listen, None
        )
        settings = configuration.parse(init.written(answers, configuration.SYSTEM_FILE))

        said = init._next(configuration.SYSTEM_FILE, settings, again=False)
        assert f"  systemctl enable --now {started}" in said
        assert "  maild doctor" in said
