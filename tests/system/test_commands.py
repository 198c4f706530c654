"""The commands as processes: what they load, how they end, what they say to pipes and terminals."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from maild.store.locks import WRITE_LOCKS
from tests.system.commands import on_terminal, run
from tests.unit import hostile

HEAVY = ("sqlalchemy", "pydantic", "alembic", "rich", "jinja2", "aiosmtpd", "structlog", "asyncio")
PARSED = {
    "file",
    "message_id",
    "in_reply_to",
    "references",
    "from",
    "reply_to",
    "to",
    "cc",
    "date",
    "subject",
    "kind",
    "kind_reasons",
    "language",
    "text",
    "reply",
    "html",
    "attachments",
    "bounce",
    "defects",
}
MAIL = b"""\
From: Ada Lovelace <ada@customer.example>
To: support@acme.example
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Message-ID: <1@customer.example>
In-Reply-To: <0@acme.example>
Date: Mon, 02 Mar 2026 14:00:00 +0200
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

The printer is still on fire, please help me.

On Sunday, Anna wrote:
> Have you tried water?
--b
Content-Type: text/plain; name="log.txt"
Content-Disposition: attachment; filename="log.txt"

fire
--b--
"""


def loaded_by(*words: object) -> set[str]:
    """Return which of the heavy libraries a command loads."""
    code = (
        "import sys; from maild.cli import main; status = main(sys.argv[1:]);"
        f"print(status, *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, check=True, text=True)
    status, *found = done.stderr.split()
    assert status == "0"
    return set(found)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("run", "--help"),
        ("check", "--help"),
        ("demo", "--help"),
        ("status", "--help"),
        ("ticket", "list", "--help"),
        ("ticket", "set", "--help"),
        ("mail", "list", "--help"),
        ("mail", "explain", "--help"),
        ("delivery", "cancel", "--help"),
        ("db", "check", "--help"),
    ],
    ids=" ".join,
)
def test_help_loads_no_heavy_library(words: Sequence[str]) -> None:
    assert loaded_by(*words) == set()


def test_parsing_a_mail_loads_neither_database_nor_configuration(tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)

    assert loaded_by("mail", "parse", file, "--json") == set()


def test_a_parsed_mail_has_the_promised_keys(tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)
    done = run("mail", "parse", file, "--json")
    [line] = done.stdout.splitlines()
    found = json.loads(line)

    assert (done.returncode, done.stderr) == (0, b"")
    assert set(found) >= PARSED
    assert found["file"] == str(file)
    assert (found["message_id"], found["in_reply_to"]) == ("1@customer.example", ["0@acme.example"])
    assert found["from"] == {"name": "Ada Lovelace", "address": "ada@customer.example"}
    assert found["to"] == [{"name": "", "address": "support@acme.example"}]
    assert found["subject"] == "Grüße"
    assert found["date"] == "2026-03-02T12:00:00+00:00"
    assert (found["kind"], found["language"]) == ("human", "en")
    assert found["reply"] == "The printer is still on fire, please help me."
    [attachment] = found["attachments"]
    assert set(attachment) == {"name", "content_type", "size", "sha256", "inline", "content_id"}
    assert (attachment["name"], attachment["size"]) == ("log.txt", 4)
    assert found["bounce"] is None
    assert found["defects"] == []


def test_mails_that_cannot_be_read_are_answered_and_the_others_go_on(tmp_path: Path) -> None:
    good = tmp_path / "good.eml"
    good.write_bytes(MAIL)
    done = run("mail", "parse", tmp_path / "none.eml", tmp_path, good, "--json")
    missing, folder, parsed = map(json.loads, done.stdout.splitlines())

    assert done.returncode == 66
    assert missing == {"file": str(tmp_path / "none.eml"), "error": "No such file or directory"}
    assert folder["error"] == "Is a directory"
    assert parsed["subject"] == "Grüße"
    assert done.stderr == b""


def test_names_from_standard_input_are_answered_one_by_one_at_once(tmp_path: Path) -> None:
    file = tmp_path / "Grüße und mehr.eml"
    file.write_bytes(MAIL)
    with subprocess.Popen(
        [sys.executable, "-m", "maild", "mail", "parse", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(os.fsencode(file) + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())  # before more is said, else this waits for ever

            assert answer["file"] == str(file)
        process.stdin.close()

        assert process.wait(20) == 0


@pytest.mark.parametrize("raw", [b"", b"\x00" * 100, b"\n\n\n", b"From", b"\xff\xfe" * 500, b"Subject: \x1b[31m\n"])
def test_nothing_in_a_mail_is_an_error(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(raw)
    done = run("mail", "parse", file, "--json")

    assert done.returncode == 0
    assert set(json.loads(done.stdout)) >= PARSED
    assert done.stderr == b""


def test_hostile_mails_are_all_answered(tmp_path: Path) -> None:
    mails = [*(make(20_000) for make in hostile.MAILS.values()), *hostile.SMALL.values()]
    for number, raw in enumerate(mails):
        (tmp_path / f"{number}.eml").write_bytes(raw)
    files = sorted(tmp_path.iterdir())
    done = run("mail", "parse", "-", "--json", given=b"".join(bytes(each) + b"\n" for each in files))
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    assert (done.returncode, done.stderr) == (0, b"")
    assert [each["file"] for each in answers] == [str(each) for each in files]
    assert not any("error" in each for each in answers)


def test_a_reader_that_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)
    with subprocess.Popen(
        [sys.executable, "-m", "maild", "mail", "parse", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, errors = process.communicate(bytes(file) + b"\n")

    assert errors == b""
    assert process.returncode == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_a_locale_lacks_stop_no_command(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes("Subject: 日本語\n\nhi\n".encode())
    done = run("mail", "parse", file, env={"PYTHONIOENCODING": encoding})

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u65e5" in done.stdout or "日本語".encode() in done.stdout


def test_a_missing_configuration_is_told_with_what_to_do() -> None:
    for words in (("run",), ("check",), ("status",), ("ticket", "list"), ("db", "upgrade")):
        done = run(*words)

        assert done.returncode == 78, words
        assert done.stdout == b""
        assert (
            b"/nowhere/config.toml: there is no such file; name another with -c FILE or in $MAILD_CONFIG" in done.stderr
        )


def test_all_faults_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[maild]\nhostnam = "x"\n[smtp]\nlisten = "nowhere"\n[[department]]\nname = "support"\n')
    done = run("check", "-c", file)
    as_json = json.loads(run("check", "-c", file, "--json").stdout)["data"]
    lines = done.stderr.decode().splitlines()

    assert done.returncode == 78
    assert lines[0] == f"{file}:2: maild.hostnam: unknown key; did you mean 'hostname'?"
    assert lines[-1] == "3 faults"
    assert as_json["ok"] is False
    assert [(each["line"], each["key"]) for each in as_json["findings"]] == [
        (2, "maild.hostnam"),
        (4, "smtp.listen"),
        (5, "department[1].address"),
    ]


def test_help_fits_a_terminal_of_80_columns() -> None:
    for words in ((), ("ticket", "set"), ("mail", "parse"), ("check",), ("status",)):
        assert max(map(len, on_terminal(80, *words, "--help").splitlines())) <= 80


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can make files for somebody else")
def test_what_root_makes_belongs_to_the_daemons_user(tmp_path: Path) -> None:
    nobody = 65534
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, nobody, nobody)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[maild]\ndatabase = "sqlite:///{state}/maild.db"\n[smtp]\nlisten = "127.0.0.1:2525"\n'
        '[[department]]\nname = "support"\naddress = "support@acme.example"\n'
    )
    done = [run(*words, "-c", config).returncode for words in (("db", "upgrade"), ("status",), ("db", "check"))]

    assert done == [0, 0, 0]
    assert {each.name: each.stat().st_uid for each in state.iterdir()} == dict.fromkeys(
        (f"maild.db{end}" for end in ("", ".lock", *WRITE_LOCKS)), nobody
    )
