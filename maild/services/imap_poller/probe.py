"""A mailbox looked at step by step, for an operator: where it fails, and what would be fetched. Changes nothing."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Final

from maild.config.connections import Mailbox
from maild.oauth.tokens import Tokens
from maild.services.imap_poller import advice
from maild.services.imap_poller.connection import Connection
from maild.services.imap_poller.login import log_in
from maild.services.imap_poller.progress import State
from maild.services.imap_poller.trouble import Step, Trouble
from maild.services.imap_poller.wire import Pace, Watchdog

FOLDERS_TOLD: Final = 20
_OPENING = (Step.RESOLVE, Step.CONNECT, Step.ENCRYPT, Step.GREET)


@dataclass(frozen=True, slots=True)
class Finding:
    """How one step went."""

    step: str
    ok: bool
    words: str = ""
    fix: str = ""


@dataclass(slots=True)
class Probe:
    """How all steps went, in order, up to the first that failed."""

    findings: list[Finding] = field(default_factory=list)
    mails: int | None = None  # in the folder
    taken: int | None = None  # of them, that are not in the store yet and would be fetched
    folders: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether mail can be fetched."""
        return all(each.ok for each in self.findings)


def probe(mailbox: Mailbox, tokens: Tokens, state: State | None = None, pace: Pace | None = None) -> Probe:
    """Return how it goes to read a mailbox of which so much has been read."""
    found = Probe()
    connection = Connection(mailbox, Watchdog(), pace or Pace())
    try:
        connection.open()
        _note(found, [step for step in _OPENING if step is not Step.ENCRYPT or mailbox.security != "none"])
        log_in(connection, mailbox, tokens)
        _note(found, [Step.LOGIN], f"as {mailbox.user}")
        found.folders = connection.folders()
        _count(found, connection, mailbox, state)
        _note(found, [Step.WAIT], "told by the server (IDLE)" if connection.can("IDLE") else "looked at every minute")
    except Trouble as trouble:
        _blame(found, mailbox, trouble)
    finally:
        connection.close()
    return found


def list_folders(mailbox: Mailbox, tokens: Tokens, pace: Pace | None = None) -> list[str]:
    """Return the folders of a mailbox.

    Raises:
        Trouble: they cannot be had.
    """
    connection = Connection(mailbox, Watchdog(), pace or Pace())
    try:
        connection.open()
        log_in(connection, mailbox, tokens)
        return connection.folders()
    finally:
        connection.close()


def _count(found: Probe, connection: Connection, mailbox: Mailbox, state: State | None) -> None:
    opened = connection.open_folder(mailbox.folder, to_write=mailbox.after != "keep")  # which must be allowed, too
    found.mails = opened.mails
    _note(found, [Step.FOLDER], f"{mailbox.folder}, mails: {opened.mails}")
    if mailbox.after == "move" and mailbox.move_to not in found.folders:
        wanted = mailbox.move_to or ""
        words = f"there is no folder {wanted} to move mails to; folders are: {', '.join(found.folders[:FOLDERS_TOLD])}"
        fix = f"create it, or change move_to; {advice.of_folder(wanted, found.folders, mailbox.name)}"
        found.findings.append(Finding(Step.AFTER, ok=False, words=words, fix=fix))
    if state is not None and state.uid_validity == opened.uid_validity:
        found.taken = len(connection.uids_after(state.last_uid, opened.mails))
    elif mailbox.start == "now":
        found.taken = 0
    elif mailbox.start == "all":
        found.taken = opened.mails
    else:
        uids = connection.uids_since(mailbox.start)
        since = datetime.combine(mailbox.start, time(), UTC)
        seen = [connection.look_at(uids[start : start + 1000], dates=True) for start in range(0, len(uids), 1000)]
        found.taken = sum(1 for some in seen for each in some.values() if each.came_at and each.came_at >= since)


def _note(found: Probe, steps: list[Step], words: str = "") -> None:
    found.findings += [Finding(step, ok=True, words=words) for step in steps]


def _blame(found: Probe, mailbox: Mailbox, trouble: Trouble) -> None:
    """Put the step that failed behind those that went well before it."""
    if trouble.step in _OPENING:
        before = _OPENING[: _OPENING.index(trouble.step)]
        _note(found, [step for step in before if step is not Step.ENCRYPT or mailbox.security == "tls"])
    found.findings.append(Finding(trouble.step, ok=False, words=trouble.words, fix=trouble.fix))
