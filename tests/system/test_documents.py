"""Every command in README and docs, typed as it stands there, on a machine that may be spoiled.

A fenced block of `sh` is run line by line; one of `console` has commands behind `$` and, loosely, what they show:
numbers and times may differ, `...` stands for anything, lines may be left out. A block that cannot be run here says why
in a comment above it, `<!-- not run: why -->`, and is counted. `maild run` is started and goes on beside what follows.
"""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from maild import config
from tests.machine import CHECKOUT, Machine
from tests.parts import die_with_parent, missing

PAGES = sorted([CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")])
INSTALL = CHECKOUT / "docs" / "install.md"
NOT_RUN = {"README.md": 1, "install.md": 5, "operate.md": 3}  # blocks, by page
FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^\n]+?) -->\n)?^```(?P<kind>[\w-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^(?:\$ |# )?(?:sudo |maild |make |apt|systemctl|pip|uv |git |curl|psql|promtool)", re.MULTILINE)
WAIT_S = 20.0

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str
    mark: str

    @property
    def reason(self) -> str:
        """Why it is not run, "" if it is."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command with what it is said to show."""
        if self.kind == "sh":
            joined = re.sub(r"(\\\n|\|\n)\s*", lambda found: "| " if found[1][0] == "|" else " ", self.text)
            return [(line, []) for line in joined.splitlines() if line.strip() and not line.startswith("#")]
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and line.strip():
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("kind")) + 1
        yield Block(page.name, line, found["kind"], found["text"], found["mark"] or "")


def where(block: Block) -> str:
    return f"{block.page}:{block.line}"


ALL = [block for page in PAGES for block in blocks(page)]


def to_type(page: Path) -> list[Block]:
    """The blocks of a page that are run."""
    return [block for block in blocks(page) if block.kind in ("sh", "console") and not block.reason]


def test_what_looks_like_a_command_is_one_that_is_run() -> None:
    hidden = [
        where(block) for block in ALL if block.kind in ("", "text", "bash", "shell") and COMMAND.search(block.text)
    ]

    assert hidden == [], "say sh or console"


def test_what_is_not_run_says_why_and_is_counted() -> None:
    skipped = [block for block in ALL if block.kind in ("sh", "console") and block.reason]
    counts = {page: sum(1 for block in skipped if block.page == page) for page in {block.page for block in skipped}}

    assert counts == NOT_RUN
    assert all(len(block.reason) > 20 for block in skipped)


@pytest.mark.parametrize("block", [each for each in ALL if each.kind == "toml"], ids=where)
def test_every_piece_of_a_configuration_is_one(block: Block) -> None:
    """Pieces are completed with the tables that they lack."""
    rest = {
        "smtp": '[smtp]\nlisten = "127.0.0.1:2525"\n',
        "department": '[[department]]\nname = "support"\naddress = "support@acme.example"\n',
        "agent": '[[agent]]\nname = "Bert"\naddress = "bert@acme.example"\n',
    }
    lacking = [text for name, text in rest.items() if f"[{name}]" not in block.text]
    lacking = [text for text in lacking if not (text.startswith("[smtp]") and "[[mailbox]]" in block.text)]
    agents = set(re.findall(r'(?:assign|tell) = \[?"([^"]+@[^"]+)"', block.text)) - {"bert@acme.example"}
    lacking += [f'[[agent]]\nname = "X"\naddress = "{each}"\n' for each in sorted(agents)]
    named = set(re.findall(r'(?:department|move_to) = "([\w-]+)"', block.text)) - {"support"}
    lacking += [f'[[department]]\nname = "{each}"\naddress = "{each}@acme.example"\n' for each in sorted(named)]

    config.parse(block.text + "\n" + "\n".join(lacking))


class Typist:
    """Types the commands of a page on a machine."""

    def __init__(self, machine: Machine, folder: str) -> None:
        self._machine = machine
        self._folder = folder
        self._daemon: subprocess.Popen[str] | None = None

    def type(self, block: Block) -> None:
        """Type all commands of a block; what they are said to show must be seen within a while."""
        wanted = int(block.mark.removeprefix("ends with ")) if block.mark.startswith("ends with ") else 0
        for command, shown in block.commands:
            if re.match(r"maild run\b", command):
                self._begin(command)
                continue
            ends_s = time.monotonic() + WAIT_S
            while True:
                status, said = self._typed(command)
                lost = [line for line in shown if not seen(line, said)]
                if (status == wanted and not lost) or time.monotonic() > ends_s or not shown:
                    break
                threading.Event().wait(0.3)
            assert status == wanted, f"{where(block)}: {command}: {status}\n{said}"
            assert not lost, f"{where(block)}: {command} does not show {lost}, but:\n{said}"

    def _words(self, command: str) -> list[str]:
        script = f"cd {shlex.quote(self._folder)} && {command}"
        return self._machine.command("HOME=/root", "TERM=dumb", "COLUMNS=200", "bash", "-euo", "pipefail", "-c", script)

    def _typed(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            self._words(command), capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout + done.stderr

    def _begin(self, command: str) -> None:
        self._daemon = subprocess.Popen(
            self._words(f"exec {command}"),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call; nothing that locks
        )
        for line in self._daemon.stderr:
            if " ready" in line:
                break
        else:
            raise AssertionError(f"{command} ends with {self._daemon.wait()}")
        self._reader = threading.Thread(target=self._daemon.stderr.read, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """End the daemon that a page has started, as systemd would."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            assert self._daemon.wait(30) == 0
            self._reader.join(10)
            self._daemon.stderr.close()


def seen(line: str, said: str) -> bool:
    """Return whether what is shown has a line like `line`."""
    pattern = "".join(
        r".*" if part == "..." else r"\d+" if part.isdigit() else r"\s+" if part.isspace() else re.escape(part)
        for part in re.split(r"(\.\.\.|\d+|\s+)", line.strip())
    )
    return any(re.search(pattern, each) for each in said.splitlines())


# What stands at the machine's port 25: takes every mail, and hands those to support@ on to maild, as Postfix would.
MAIL_SERVER = """
import smtplib, sys, threading
from tests.wire.sink import sink
with sink(25) as server:
    print("ready", flush=True)
    done, pause = 0, threading.Event()
    while not pause.wait(0.1):
        for mail in server.mails[done:]:
            done += 1
            ours = [each for each in mail.recipients if each.startswith("support")]
            if ours:
                with smtplib.SMTP("127.0.0.1", 2525, timeout=10) as client:
                    client.sendmail(mail.sender, ours, mail.raw)
"""


@pytest.fixture
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    made = Machine(tmp_path, alone=bool(getattr(request, "param", True)))
    launcher = tmp_path / "maild"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m maild "$@"\n')
    yield made
    made.close()


@pytest.fixture
def mail_server(machine: Machine) -> Iterator[None]:
    """A mail server on the machine's port 25, and `maild` as if it were installed."""
    machine.run("install", "-m", "0755", "/mnt/maild", "/usr/local/bin/maild")
    machine.run("sh", "-c", "rm -rf /etc/maild /var/lib/maild; id maild 2>/dev/null || useradd --system maild")
    server = subprocess.Popen(
        machine.command(f"PYTHONPATH={CHECKOUT}", sys.executable, "-c", MAIL_SERVER),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call; nothing that locks
    )
    assert server.stdout.readline() == "ready\n"
    yield
    server.kill()
    server.communicate()


# What a page takes for granted that is not about the first steps: a desk that works, with a ticket or two.
A_DESK = """
maild init --address support@acme.example --agent Anna=anna@acme.example
maild run
"""


@pytest.mark.usefixtures("mail_server")
@pytest.mark.parametrize(
    "page", [each for each in PAGES if each != INSTALL and to_type(each)], ids=lambda page: page.name
)
def test_a_page_can_be_typed_as_it_stands(page: Path, machine: Machine) -> None:
    if shutil.which("curl") is None:
        missing("curl", "curl")
    typist = Typist(machine, "/root")
    if page.name != "README.md":
        typist.type(Block(page.name, 0, "sh", A_DESK, ""))
    for block in to_type(page):
        typist.type(block)
    typist.stop()


@pytest.mark.parametrize("machine", [False], indirect=True, ids=["with its network"])
def test_every_way_to_install_can_be_typed_as_it_stands(machine: Machine, tmp_path: Path) -> None:
    for name in ("pipx", "uv"):
        if find_spec(name) is None:
            missing(name, f"pipx, or: pip install {name}")
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {name} "$@"\n')
        machine.run("install", "-m", "0755", f"/mnt/{name}", f"/usr/bin/{name}")
    shutil.copytree(
        CHECKOUT, tmp_path / "source", ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "dist")
    )
    typist = Typist(machine, "/mnt/source")
    machine.run("sh", "-c", "rm -rf /etc/maild /var/lib/maild /opt/maild")
    for block in to_type(INSTALL):
        another_way = "/usr/local/bin" in block.text
        if another_way:
            machine.run("rm", "-f", "/usr/local/bin/maild", "/usr/bin/maild")
        typist.type(block)
        if another_way:
            assert machine.run("maild", "--version").startswith("maild ")
