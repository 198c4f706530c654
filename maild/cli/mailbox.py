"""`maild mailbox`: is a mailbox read, and if not, why; logging in by OAuth2."""

import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, database_of, desk_or_empty, now, settings_of
from maild.cli.failures import CONFIGURATION, FAILED, OK, UNAVAILABLE, Failure

if TYPE_CHECKING:
    from maild.cli.answers.fetched import Look
    from maild.config import Settings
    from maild.config.connections import Mailbox
    from maild.oauth.tokens import Tokens
    from maild.services.imap_poller.probe import Probe
    from maild.store.engine import Database


@click.group(name="mailbox", short_help="Test mailboxes, log in, list folders.")
def command() -> None:
    """Mailboxes: folders of mail servers that are read by IMAP."""


@command.command("test")
@configured
@answering_json
@click.argument("name", required=False)
def test(config: Path | None, as_json: bool, name: str | None) -> int:
    """Go through all steps of reading a mailbox (all of them without NAME), and say which one fails and what helps.

    It also counts what would be taken. Nothing is fetched, and nothing is changed. Exit status 69 if a step fails.
    """
    settings = settings_of(config)
    with desk_or_empty(settings) as database:
        boxes = [_mailbox(settings, name)] if name else list(settings.mailboxes)
        found = [(each, _probe(database, settings, each)) for each in boxes]
    if as_json:
        output.envelope("mailbox-test", [_as_dict(box, probe) for box, probe in found])
    elif not found:
        output.say("no mailboxes")
    else:
        for box, probe in found:
            _print(box, probe)
    return OK if all(probe.ok for _, probe in found) else UNAVAILABLE


@command.command("progress")
@configured
@answering_json
@click.argument("name")
def progress(config: Path | None, as_json: bool, name: str) -> int:
    """Show how far the daemon is with the mails of a mailbox, until all of them are here; Ctrl-C ends it.

    Made for the first reading of old mail. On a terminal one line moves on, in a pipe each look is a line.
    """
    from maild.cli.answers import fetched

    settings = settings_of(config)
    mailbox = _mailbox(settings, name)
    with database_of(settings) as database:
        probe = _probe(database, settings, mailbox)
        if not probe.ok:
            _print(mailbox, probe)
            return UNAVAILABLE
        looks = fetched.looks(database, mailbox.name, probe.taken or 0, time.monotonic, threading.Event().wait)
        last = None
        with suppress(KeyboardInterrupt):
            for last in looks:
                _move_on(last, as_json=as_json)
    if sys.stdout.isatty() and not as_json and last is not None:
        output.line()
    return OK


def _move_on(look: "Look", *, as_json: bool) -> None:
    if as_json:
        output.json_line(look.as_dict())
    elif sys.stdout.isatty():
        click.echo(f"\r{look.words()}\x1b[K", nl=False)
    else:
        output.line(look.words())


@command.command("folders")
@configured
@answering_json
@click.argument("name")
def folders(config: Path | None, as_json: bool, name: str) -> int:
    """List the folders of a mailbox, as `folder` and `move_to` in the configuration want them."""
    from maild.services.imap_poller.probe import list_folders
    from maild.services.imap_poller.trouble import Trouble

    settings = settings_of(config)
    with desk_or_empty(settings) as database:
        try:
            found = list_folders(_mailbox(settings, name), _tokens(database, settings))
        except Trouble as trouble:
            raise Failure(_sentence(str(trouble), trouble.fix), UNAVAILABLE) from trouble
    if as_json:
        output.envelope("mailbox-folders", found)
    else:
        for each in found:
            output.line(output.printable(each))
    return OK


@command.command("login")
@configured
@click.argument("name")
def login(config: Path | None, name: str) -> int:
    """Open an account to maild by OAuth2: NAME is a mailbox, or `relay`. Then maild logs in by itself.

    With Microsoft 365 a code is shown that is typed in on a web page; with Google a page is opened, and the address at
    which it ends is pasted back. Any browser on any machine will do.
    """
    from maild.config.passwords import NoPassword
    from maild.oauth.provider import NoToken
    from maild.store import schema

    settings = settings_of(config)
    application, user = _account(settings, name)
    with database_of(settings, create=True, any_schema=True) as database:
        schema.upgrade(database)
        tokens = _tokens(database, settings)
        try:
            _log_in(settings, tokens, application, user)
        except NoToken as error:
            fix = "try again in a while" if error.passing else error.fix_for(name)
            raise Failure(_sentence(f"{user}: {error}", fix), FAILED) from error
        except NoPassword as error:
            raise Failure(f"[oauth.{application}]: {error}", CONFIGURATION) from error
        output.say(f"{user}: logged in; tokens are kept in the database and renewed")
        relay = settings.relay
        ours = (relay.oauth, relay.user) == (application, user)
        refusal = _relay_refusal(settings, tokens) if ours else None
        probes = [
            (box, _probe(database, settings, box))
            for box in settings.mailboxes
            if (box.oauth, box.user) == (application, user)
        ]
    for box, probe in probes:
        _print(box, probe)
    if ours:
        output.line(f"relay: {relay.host}:{relay.port}")
        went = f"FAIL  logging in: {refusal}" if refusal else f"ok    logging in: as {user}"
        output.line(output.printable(f"  {went}"))
    return OK if refusal is None and all(probe.ok for _, probe in probes) else UNAVAILABLE


def _relay_refusal(settings: "Settings", tokens: "Tokens") -> str | None:
    """Return why the relay cannot be used, None if it can."""
    from maild.services.sender import Relay, RelayTrouble

    try:
        Relay(settings.relay, settings.maild.hostname, tokens).probe()
    except RelayTrouble as trouble:
        return str(trouble)
    return None


def _log_in(settings: "Settings", tokens: "Tokens", application: str, user: str) -> None:
    from maild.oauth import consent

    known = settings.oauth[application]
    match known.flow:
        case "device":
            device = consent.begin_device(known)
            output.say(f"Open {device.url} and type in the code {device.user_code}, as {user}. Waiting ...")
            answer = consent.finish_device(known, device, threading.Event().wait)
        case "browser":
            page = consent.begin_browser(known, user)
            output.say("Open this page in any browser, and let maild in:\n")
            click.echo(page.url, err=True)
            output.say("\nIt ends at a page that cannot be shown. Copy the address of that page.")
            pasted = click.prompt("Paste it here", err=True)
            answer = consent.finish_browser(known, page, pasted)
        case "client-credentials":
            tokens.access_token(application, user)
            return
    tokens.keep(application, user, answer)


def _account(settings: "Settings", name: str) -> tuple[str, str]:
    """Return the application and the user of a mailbox, or of the relay."""
    named = {each.name for each in settings.mailboxes}
    server = settings.relay if name == "relay" and name not in named else _mailbox(settings, name, also=", and relay")
    if server.oauth is None or server.user is None:
        raise Failure(
            f"{name} logs in with a password, there is nothing to do; to use OAuth2 set `oauth` in the configuration",
            CONFIGURATION,
        )
    return server.oauth, server.user


def _mailbox(settings: "Settings", name: str, also: str = "") -> "Mailbox":
    found = next((each for each in settings.mailboxes if each.name == name), None)
    if found is None:
        names = ", ".join(each.name for each in settings.mailboxes) or "none"
        raise Failure(f"there is no mailbox {name!r} in the configuration; there is: {names}{also}", CONFIGURATION)
    return found


def _tokens(database: "Database", settings: "Settings") -> "Tokens":
    from maild.oauth.tokens import Tokens

    return Tokens(database, settings, partial(now, database))


def _probe(database: "Database", settings: "Settings", mailbox: "Mailbox") -> "Probe":
    from maild.cli.answers.mailboxes import probed

    return probed(database, settings, mailbox)


def _print(mailbox: "Mailbox", probe: "Probe") -> None:
    from maild.cli.answers.mailboxes import counted

    output.line(f"mailbox {mailbox.name}: {mailbox.host}:{mailbox.port}")
    for each in probe.findings:
        said = f"  {'ok  ' if each.ok else 'FAIL'}  {each.step}" + (f": {each.words}" if each.words else "")
        output.line(output.printable(said).rstrip())
        if each.fix:
            output.line(output.printable(f"        fix: {each.fix}"))
    if counts := counted(probe):
        output.line(f"  {counts}")


def _as_dict(mailbox: "Mailbox", probe: "Probe") -> dict[str, Any]:
    steps = [
        {"step": str(each.step), "ok": each.ok, "words": each.words or None, "fix": each.fix or None}
        for each in probe.findings
    ]
    return {
        "name": mailbox.name,
        "folder": mailbox.folder,
        "ok": probe.ok,
        "steps": steps,
        "mails": probe.mails,
        "would_be_fetched": probe.taken,
    }


def _sentence(words: str, fix: str) -> str:
    return f"{words}\n{fix}" if fix else words
