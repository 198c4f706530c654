"""What the row of a mail says: what was read from its bytes, where it went and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Dialect

from maild.message.address import Address, normalise
from maild.message.forwarded import Passed
from maild.message.reading import Reading
from maild.rules.routing import Action
from maild.services.filer.filing import Filing, evidence
from maild.store import driver, search
from maild.store.models import MailRow, MailState

TEXT_KEPT: Final = 64_000  # characters of the new text that are kept beside the bytes
DERIVED: Final = (  # is read from the bytes alone, so it can be read from them anew: `rederiving`
    "kind",
    "message_id",
    "references",
    "thread_index",
    "from_address",
    "from_name",
    "subject",
    "sent_at",
    "text",
    "passed_by",
    "noted",
)
_READ: Final = ("evidence", *DERIVED)
_FILED: Final = ("due_at", "filed_at", "guarded_at", "state", "ticket_id", "purpose", "reason", "id")
_UPDATE: Final = driver.update(MailRow, "id", *_READ, *_FILED[:-1])
_OF_READ, _OF_FILED = driver.Values(MailRow, _READ), driver.Values(MailRow, _FILED)
STATES: Final = {
    Action.NOTED: MailState.NOTED,
    Action.RELEASE: MailState.NOTED,
    Action.REJECT: MailState.NOTED,
    Action.DESK: MailState.NOTED,
    Action.DELAYED: MailState.DELAYED,
    Action.HELD: MailState.HELD,
}


def ready(dialect: Dialect, filing: Filing) -> driver.Ready:
    """Return what a mail's row says of its bytes, and why it goes where it goes, as the driver takes it."""
    return _OF_READ.ready(dialect, {"evidence": evidence(filing), **columns_read(filing)})


def update(connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
    """Write the rows of mails that are filed, and note what is to be found by its words."""
    dialect, rows, found = connection.dialect, [], []
    for filing in filings:
        columns = _filed(filing, now)
        route, read = filing.read or (None, [])
        if route is not filing.route:  # the guard has seen something newer since
            read = ready(dialect, filing)
        rows.append([*read, *_OF_FILED.ready(dialect, columns)])
        if _is_found(columns):
            found.append(filing.mail.id)
    _UPDATE.execute_ready(connection, rows)
    search.note(connection, found, now)


def _filed(filing: Filing, now: datetime) -> dict[str, Any]:
    on_ticket = filing.ticket if isinstance(filing.ticket, int) else None
    state = STATES.get(filing.route.action, MailState.FILED)
    return {
        "id": filing.mail.id,
        "due_at": None,
        "filed_at": now,
        "guarded_at": now if filing.collision else filing.mail.guarded_at,
        "state": state,
        "ticket_id": on_ticket if state is MailState.FILED else None,
        "purpose": filing.route.action.value,
        "reason": "; ".join([filing.route.reason, *filing.notes]),
    }


def columns_read(filing: Filing) -> dict[str, Any]:
    """Return the columns that say what was read from a mail; `rederiving` reads them again from its bytes."""
    each, message = filing.reading, filing.reading.message
    return {
        "kind": each.kind.value,
        "message_id": _stored(message.message_id, 998),
        "references": [*message.in_reply_to, *reversed(message.references)][:50],
        "thread_index": _thread_index(each),
        "from_address": each.sender[:320],
        "from_name": _stored(each.author.name, 320),
        "subject": _stored(message.subject, 998),
        "sent_at": message.date,
        "text": _stored(filing.reply.text, TEXT_KEPT),
        "passed_by": each.sender[:320] if filing.passed else None,
        "noted": _stored(filing.passed.comment, TEXT_KEPT) if filing.passed else None,
        **(_of_passed(filing.passed) if filing.passed else {}),
    }


def _of_passed(passed: Passed) -> dict[str, Any]:
    """Return what the row of a mail says that an agent passed on: its author's, and what his program knows it by."""
    author = passed.author or Address("", "")
    said: dict[str, Any] = {
        "from_address": normalise(author.address)[:320],
        "from_name": _stored(author.name, 320),
        "subject": _stored(passed.subject, 998),
    }
    if passed.attached is not None:
        original = passed.attached
        said["references"] = [each for each in (original.message_id, *reversed(original.references)) if each][:50]
    return said


def _is_found(columns: dict[str, Any]) -> bool:
    """Return whether a mail is found by its words: one on a ticket, but for answers, which are found as they left."""
    return columns["ticket_id"] is not None and columns["purpose"] != Action.ANSWER


def _thread_index(each: Reading) -> str | None:
    return next(iter(each.clues.thread_indexes), None)


def _stored(text: str, limit: int) -> str | None:
    """Return text as a database takes it: no NUL (PostgreSQL refuses it), no half characters, not endless."""
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode("utf-8") or None
