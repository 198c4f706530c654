"""What every command answers with `--json`: one envelope, and keys that stay (more may come).

`CONTRACT` has for each command how it is called at a small desk, the kind of its answer and the keys that are promised:
`a[b c]` is a list of tables with b and c, `a(b c)` a table with them.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import insert

from maild import cli
from maild.store.models import MailboxRow
from tests.database.commands import Shell
from tests.stories.driver import ADA, ANNA

CONTRACT: dict[str, tuple[str, str, str]] = {
    "check": (
        "check",
        "check",
        "file ok findings[level about text file line key]",
    ),
    "doctor": (
        "doctor --offline D01 D12",
        "doctor",
        (
            "version file ok counts(ok unknown warning fault) checks[number group name verdict why "
            "findings[verdict found fix] took_s mended]"
        ),
    ),
    "status": (
        "status",
        "status",
        (
            "at daemon(running processes) queues(mail(scheduled due oldest_due_at) ticket(scheduled due oldest_due_at) "
            "delivery(scheduled due oldest_due_at) mailbox(scheduled due oldest_due_at) job(scheduled due "
            "oldest_due_at)) ages(mail(5m 1h 1d older) delivery(5m 1h 1d older) waiting(5m 1h 1d older)) "
            "mails(stored filed noted held failed out) deliveries(queued sent failed cancelled) tickets(new "
            "open answered postponed resolved closed spam deleted merged) departments waiting(count "
            "oldest_ticket oldest_since) domains failures(mails_set_aside deliveries_failed_lately "
            "deliveries_tried_again) filing(count) held(count oldest_at) mailboxes[name folder "
            "last_success_at failing_since error due_at unread] relay(waiting failing_since reason) "
            "last(mail_stored_at delivery_sent_at ticket_opened_at) disk(database_bytes free_bytes "
            "total_bytes) integrity(checked_at fault) backup(at) version database(url schema journal(mode "
            "synchronous reason)) level alarms[level name text fix]"
        ),
    ),
    "ticket history": (
        "ticket history 1",
        "ticket-history",
        "id history[at actor cause field old new mail]",
    ),
    "ticket list": (
        "ticket list",
        "ticket-list",
        (
            "[id subject status department requester requester_name assignee priority language waiting_since "
            "due_at next(what at)]"
        ),
    ),
    "ticket set": (
        "ticket set 1 --status resolved",
        "ticket-set",
        "[id before status refused]",
    ),
    "ticket show": (
        "ticket show 1",
        "ticket",
        (
            "id subject status department requester requester_name assignee priority language waiting_since "
            "due_at next(what at) created_at since answered_at reminded_at wake_at return_to undelivered "
            "silenced_until merged_into merged_from follows followed_by participants messages[mail direction "
            "state kind purpose from(name address) recipients subject at date size text]"
        ),
    ),
    "mail explain": (
        "mail explain mail.eml",
        "mail-explain",
        (
            "file message_id in_reply_to references from(name address) sender reply_to to cc date subject "
            "kind kind_reasons language text reply html html_only attachments bounce defects envelope(from "
            "recipients) evidence verdict(ticket role proof third_party related reasons) decision(action why "
            "state ticket ticket_status department priority assignee spam placed acknowledged third_party "
            "stored_as)"
        ),
    ),
    "mail list": (
        "mail list",
        "mail-list",
        ("[id direction state kind purpose ticket from(name address) recipients subject stored_at size reason]"),
    ),
    "mail reject": (
        "mail reject 99",
        "mail-reject",
        "[id before state refused]",
    ),
    "mail release": (
        "mail release 99",
        "mail-release",
        "[id before state refused]",
    ),
    "mail retry": (
        "mail retry 99",
        "mail-retry",
        "[id before state refused]",
    ),
    "mail show": (
        "mail show 1",
        "mail",
        (
            "id direction state kind purpose ticket from(name address) recipients subject stored_at size "
            "reason source login released_by envelope_from message_id references date due_at attempts "
            "fingerprint evidence text attachments defects deliveries"
        ),
    ),
    "delivery cancel": (
        "delivery cancel 99",
        "delivery-cancel",
        "[id before state refused]",
    ),
    "delivery list": (
        "delivery list",
        "delivery-list",
        ("[id state mail ticket recipient automatic attempts created_at due_at ended_at reply purpose subject]"),
    ),
    "delivery retry": (
        "delivery retry 99",
        "delivery-retry",
        "[id before state refused]",
    ),
    "mailbox test": (
        "mailbox test",
        "mailbox-test",
        "",
    ),
    "schedule hold": (
        "schedule hold",
        "schedule",
        "at seen_at held_at braked_until doubted_since doubted_clock due",
    ),
    "schedule release": (
        "schedule release",
        "schedule",
        "at seen_at held_at braked_until doubted_since doubted_clock due",
    ),
    "schedule show": (
        "schedule show",
        "schedule",
        "at seen_at held_at braked_until doubted_since doubted_clock due",
    ),
    "template list": (
        "template list",
        "template-list",
        "languages templates[name own file]",
    ),
    "template preview": (
        "template preview reminder",
        "template-preview",
        "index mails[name language subject]",
    ),
    "report": (
        "report",
        "report",
        (
            "period(first last) total(in solved answers first_response resolution promises(kept missed) backlog) "
            "departments agents"
        ),
    ),
    "log": ("log 1", "log", "ticket story[at about id what why ticket facts]"),
    "person export": ("person export ada@customer.example ada.zip", "person-export", "file mails tickets"),
    "person anonymise": (
        "person anonymise ada@customer.example --yes",
        "person-anonymise",
        "done addresses names tickets elsewhere mails naming deliveries history",
    ),
    "person delete": (
        "person delete ada@customer.example --yes",
        "person-delete",
        "done addresses names tickets elsewhere mails naming deliveries history",
    ),
    "db rebuild": (
        "db rebuild --dry-run",
        "db-rebuild",
        "database dry_run resumed_at mails tickets different first",
    ),
    "import mbox": ("import mbox old.mbox", "import-mbox", "[file mails new known too_long]"),
    "import maildir": ("import maildir old", "import-maildir", "[file mails new known too_long]"),
    "db backup": (
        "db backup backup.db",
        "db-backup",
        "database file size_bytes schema rows",
    ),
    "db check": (
        "db check",
        "db-check",
        "database ok faults",
    ),
    "db restore": (
        "db restore --force full.db",
        "db-restore",
        "database file before schema rows queued kept",
    ),
    "db upgrade": (
        "db upgrade",
        "db-upgrade",
        "database before schema changed",
    ),
}
ELSEWHERE = {"mailbox folders", "mailbox progress"}  # they need a server: tests/wire
NO_ENVELOPE = {"mail parse"}  # it answers with one object a line, each at once
NOTHING_TO_ANSWER = {"run", "init", "demo", "mailbox login", "man", "completion"}


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))
    else:
        yield " ".join(path), command


def keys(value: Any) -> str:
    """Return the keys of an answer, written as in the contract."""
    if isinstance(value, list):
        tables = [each for each in value if isinstance(each, dict)]
        return f"[{keys(tables[0])}]" if tables else ""
    if not isinstance(value, dict):
        return ""
    return " ".join(f"{name}{within(each)}" for name, each in value.items())


def within(value: Any) -> str:
    inner = keys(value)
    return inner if isinstance(value, list) or not inner else f"({inner})"


def parsed(written: str) -> dict[str, Any]:
    """Return the tree of keys that the contract writes down."""
    root: dict[str, Any] = {}
    stack = [root]
    last = ""
    for token in re.findall(r"[\w.@+-]+|[\[\](){}]", written):
        if token in "[(":
            stack.append(stack[-1].setdefault(last, {}))
        elif token in "])":
            stack.pop()
        else:
            last = token
            stack[-1].setdefault(token, {})
    return root


def lacking(wanted: dict[str, Any], found: dict[str, Any], at: str = "") -> list[str]:
    missing = [f"{at}{name}" for name in wanted if name not in found]
    return missing + [
        each for name in wanted if name in found for each in lacking(wanted[name], found[name], f"{at}{name}.")
    ]


@pytest.fixture
def small(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A desk with a ticket, an answer, a held mail and a mailbox that was read."""
    shell.desk.mail(ADA, "Printer on fire")
    [told] = shell.desk.mails_to(ANNA)
    shell.desk.mail(ANNA, "Re: Printer on fire", "We come.\r\n", answers=told)
    shell.desk.mail(ANNA, "Not from me")
    with shell.desk.database.write() as connection:
        connection.execute(insert(MailboxRow).values(name="box", folder="INBOX", attempts=0, last_uid=0, old_uid=0))
    (tmp_path / "mail.eml").write_bytes(b"From: ada@customer.example\r\nSubject: Hello\r\n\r\nHello\r\n")
    (tmp_path / "old.mbox").write_bytes(b"From x Mon Mar  2 09:00:00 2020\nSubject: old\n\nold\n")
    for name in ("cur", "new"):
        (tmp_path / "old" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return shell


def test_every_command_that_answers_has_its_contract() -> None:
    answering = {name for name, each in commands(cli.cli) if any("--json" in option.opts for option in each.params)}
    silent = {name for name, _ in commands(cli.cli)} - answering

    assert answering == set(CONTRACT) | ELSEWHERE | NO_ENVELOPE
    assert silent == NOTHING_TO_ANSWER, "whoever answers takes --json"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("command", CONTRACT)
def test_an_answer_is_in_the_envelope_with_the_keys_that_were_promised(command: str, small: Shell) -> None:
    words, kind, promised = CONTRACT[command]
    if command == "db restore":
        assert small("db", "backup", "full.db").status == 0
    answer = small(*words.split(), "--json")
    envelope = json.loads(answer.out)

    assert set(envelope) == {"maild", "kind", "data"}
    assert (envelope["maild"], envelope["kind"]) == (1, kind)
    assert answer.out.isascii()
    data = envelope["data"]
    found = parsed(f"data{within(data)}")["data"]
    wanted = parsed(f"data{promised}" if promised.startswith("[") else f"data({promised})")["data"]
    assert lacking(wanted, found) == [], f"now it has: {keys(data)}"
