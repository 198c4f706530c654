"""`maild init`: the first configuration, from at most six answers."""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from maild.cli import output
from maild.cli.access import configured
from maild.cli.failures import OK, UNAVAILABLE, Failure

if TYPE_CHECKING:
    from maild.config import Settings

LISTEN: Final = "127.0.0.1:2525"
NEARBY: Final = "localhost"
MODE: Final = 0o640
GROUP: Final = "maild"  # of the daemon, where maild is installed as a service
STATE: Final = "/var/lib/maild/maild.db"
UNITS: Final = tuple(Path(each, "maild.service") for each in ("/etc/systemd/system", "/usr/lib/systemd/system"))
FREE_PORT: Final = 1024  # below it a port needs a right, or systemd that opens it


@dataclass(frozen=True, slots=True)
class Answers:
    """What the operator was asked; None or empty: not answered yet."""

    address: str | None
    agents: tuple[str, ...]  # each NAME=ADDRESS, or an address
    relay: str | None
    user: str | None
    password_file: Path | None
    listen: str | None
    imap: str | None


@click.command(name="init", short_help="Write the first configuration.")
@configured
@click.option("--address", metavar="ADDRESS", help="To which customers write: support@acme.example")
@click.option("--agent", "agents", multiple=True, metavar="NAME=ADDRESS", help="Who answers; may be repeated")
@click.option("--relay", metavar="HOST[:PORT]", help=f"The server by which mail leaves [default: {NEARBY}]")
@click.option("--user", metavar="NAME", help="The name to log in with, at the relay and at the IMAP server")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its first line is the password; only its owner can read it",
)
@click.option("--listen", metavar="ADDRESS:PORT", help=f"Where mail comes in by SMTP [default: {LISTEN}]")
@click.option("--imap", metavar="HOST[:PORT]", help="A server whose INBOX is read instead")
@click.option("--offline", is_flag=True, help="Do not try relay, mailbox and listener afterwards")
def command(config: Path | None, offline: bool, **given: Any) -> int:
    """Write a new configuration that has only what differs from the defaults, try what it names, and say what comes
    next.

    Without --address and --agent a person at a terminal is asked, six questions at most. A file that is there is never
    changed. What is wrong is told before anything is written (exit status 78). Then relay and mailbox are logged in to
    and the listener's port is tried; what does not work is told with what helps, and the file stays (exit status 69).
    """
    from maild import config as configuration

    path = configuration.find(config).absolute()
    if path.exists():
        raise Failure(f"{path} is there already; name another with -c FILE, or change it and run: maild check")
    answers = Answers(**given)
    if not (answers.address and answers.agents):
        if not sys.stdin.isatty():
            raise click.UsageError("Say --address and --agent; without them a person at a terminal is asked.")
        answers = _ask(answers)
    text = written(answers, path)
    settings = configuration.parse(text, "what would be written", folder=path.parent)
    _write(path, text)
    if path == configuration.SYSTEM_FILE and os.geteuid() == 0:
        _make_state(Path(STATE).parent)
    output.line(output.printable(f"{path} is written"))
    for warning in configuration.warnings(settings):
        output.say(f"warning: {warning}")
    sound = offline or _tried(path)
    for line in _next(path, settings, again=offline or not sound):
        output.line(line)
    return OK if sound else UNAVAILABLE


def _ask(known: Answers) -> Answers:
    """Ask for what is not known yet; a wrong answer is asked for again."""
    from maild.config.passwords import check_file

    def password(name: str) -> Path:
        file = Path(name).expanduser()
        if fault := check_file(file):
            raise click.UsageError(f"{fault}\nTo make it: install -m 600 /dev/stdin {file}, the password, Ctrl-D")
        return file

    answers = known
    if not answers.address:
        answers = replace(answers, address=_asked("To which address do customers write", _address))
    if not answers.agents:
        agents = _asked("Who answers (Anna=anna@acme.example, separated by commas)", _agents)
        answers = replace(answers, agents=agents)
    if not answers.relay:
        answers = replace(answers, relay=_asked("By which server does mail leave (HOST or HOST:PORT)", str, NEARBY))
    if not (answers.listen or answers.imap):
        come = _asked("Where does mail come in: ADDRESS:PORT to listen on, or an IMAP server", str, LISTEN)
        listens = re.fullmatch(r"(?:[\d.]+|\[[\da-fA-F:.]+\]|localhost):\d+", come) is not None
        answers = replace(answers, listen=come) if listens else replace(answers, imap=come)
    if answers.user is None and (answers.imap or answers.relay != NEARBY):
        user = _asked("With which name does maild log in there (empty: with none)", str, "")
        answers = replace(answers, user=user or None)
    if answers.user and not answers.password_file:
        answers = replace(answers, password_file=_asked("Which file has the password in its first line", password))
    return answers


def _asked(question: str, proc: Callable[[str], Any], default: str | None = None) -> Any:
    return click.prompt(question, default=default, value_proc=proc, err=True, show_default=bool(default))


def _address(text: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from maild.config.kinds.names import MailAddress

    try:
        TypeAdapter(MailAddress).validate_python(text.strip())
    except ValidationError:
        raise click.UsageError("expected a mail address such as support@acme.example") from None
    return text.strip()


def _agents(text: str) -> tuple[str, ...]:
    agents = tuple(each.strip() for each in text.split(",") if each.strip())
    for each in agents:
        _address(_named(each)[1])
    return agents


def _named(agent: str) -> tuple[str, str]:
    """Return name and address of "Anna=anna@acme.example"; without a name it is made of the address."""
    name, equals, address = agent.partition("=")
    if not equals:
        name, address = agent.partition("@")[0].replace(".", " ").title(), agent
    return name.strip(), address.strip()


def _host(text: str) -> dict[str, Any]:
    """Return the keys that HOST, HOST:PORT or [ADDRESS]:PORT mean."""
    found = re.fullmatch(r"(\[.+\]|[^:]+):(\d+)", text.strip())
    if found is None:
        return {"host": text.strip()}
    return {"host": found[1].strip("[]"), "port": int(found[2])}


def written(answers: Answers, path: Path) -> str:
    """Return the configuration that `answers` mean, in the file `path`; what is a default is left out."""
    from maild.config import SYSTEM_FILE

    address = answers.address or ""
    name = re.sub(r"[^a-z0-9_-]+", "-", address.partition("@")[0].lower()).strip("-")[:40] or "support"
    login: dict[str, Any] = {"user": answers.user} if answers.user else {}
    if answers.password_file:
        login["password_file"] = str(answers.password_file.expanduser().absolute())
    relay = _host(answers.relay or NEARBY)
    nearby = relay["host"] in (NEARBY, "127.0.0.1", "::1")  # whose server wants no name of us
    tables = [_table("[maild]", {"database": STATE if path == SYSTEM_FILE else "maild.db"})]
    if answers.listen or not answers.imap:
        tables.append(_table("[smtp]", {"listen": answers.listen or LISTEN}))
    if relay != {"host": NEARBY} or (login and not answers.imap):
        tables.append(_table("[relay]", {**relay, **({} if nearby and answers.imap else login)}))
    tables.append(_table("[[department]]", {"name": name, "address": address}))
    for each in answers.agents:
        agent, at = _named(each)
        tables.append(_table("[[agent]]", {"name": agent, "address": at}))
    if answers.imap:
        tables.append(_table("[[mailbox]]", {"name": name, **_host(answers.imap), **login}))
    return "# Every key is explained by: maild man maild.toml\n\n" + "\n".join(tables)


def _table(head: str, values: dict[str, Any]) -> str:
    # TOML's basic strings have the escapes of JSON
    return "\n".join([head, *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()), ""])


def _write(path: Path, text: str) -> None:
    """Make the file, readable by its owner and by the daemon's group."""
    import grp
    from contextlib import suppress

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, MODE)
    except FileExistsError:
        raise Failure(f"{path} is there already, made this very moment by somebody else") from None
    with os.fdopen(made, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            with suppress(KeyError):  # there is no such group
                os.fchown(made, -1, grp.getgrnam(GROUP).gr_gid)
        os.fchmod(made, MODE)
        file.write(text)
        file.flush()
        os.fsync(made)


def _make_state(folder: Path) -> None:
    """Make the database's folder, for the daemon's user where there is one; a package or systemd does so, too."""
    import pwd
    from contextlib import suppress

    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        with suppress(KeyError):  # there is no such user: then it is root who runs it
            daemon = pwd.getpwnam(GROUP)
            os.chown(folder, daemon.pw_uid, daemon.pw_gid)


def _tried(path: Path) -> bool:
    """Try what the configuration names; return whether all of it works."""
    from maild.cli.answers import examined

    sound = True
    for each in examined.examine(path, connect=True):
        if each.level == examined.FAULT:
            output.say(f"fault: {each.about}: {each.text}")
            sound = False
        elif each.level == examined.FINE:
            output.line(output.printable(f"ok: {each.about}: {each.text}"))
    return sound


def _next(path: Path, settings: "Settings", *, again: bool) -> list[str]:
    from maild.config import SYSTEM_FILE

    where = "" if path == SYSTEM_FILE else f" -c {output.printable(path)}"
    address = settings.departments[0].address
    lines = ["", "Next:"]
    if again:
        lines.append(f"  maild check --connect{where}")
    lines += [f"  chown {GROUP} {shlex.quote(output.printable(each))}" for each in _unread(settings)]
    if path == SYSTEM_FILE and any(each.exists() for each in UNITS):
        privileged = settings.smtp is not None and settings.smtp.listen.port < FREE_PORT
        lines.append(f"  systemctl enable --now {'maild.socket ' if privileged else ''}maild")
    else:
        lines.append(f"  maild run{where}")
    lines.append(f"  maild doctor{where}")
    if settings.smtp is not None:
        listen = settings.smtp.listen
        extended = address.replace("@", "+...@")
        lines.append(
            f"Have your mail server hand mail for {address} and {extended} to {listen.host} port {listen.port}."
        )
    lines.append(f"Then write a mail to {address}: {settings.agents[0].name} is told, and answers by a reply.")
    return lines


def _unread(settings: "Settings") -> list[Path]:
    """Return the files of passwords that root can read, and the daemon not yet."""
    if os.geteuid() != 0:
        return []
    logins = (settings.relay, *settings.mailboxes)
    files = sorted({each.password_file for each in logins if each.password_file is not None})
    return [each for each in files if each.stat().st_uid == 0]
