"""Mails as commands show them, and have them filed again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from maild.cli.answers import deliveries, parsed
from maild.inbox import held
from maild.rules.routing import OPERATOR
from maild.store import raw as stored
from maild.store.models import Direction, MailRow, MailState

_COLUMNS: Final = (
    MailRow.id,
    MailRow.direction,
    MailRow.state,
    MailRow.kind,
    MailRow.purpose,
    MailRow.ticket_id,
    MailRow.from_name,
    MailRow.from_address,
    MailRow.subject,
    MailRow.recipients,
    MailRow.stored_at,
    MailRow.size_bytes,
    MailRow.reason,
)
_MORE: Final = (
    MailRow.source,
    MailRow.login,
    MailRow.released_by,
    MailRow.envelope_from,
    MailRow.message_id,
    MailRow.references,
    MailRow.sent_at,
    MailRow.due_at,
    MailRow.attempts,
    MailRow.fingerprint,
    MailRow.evidence,
    MailRow.text,
)


def listed(
    connection: Connection,
    *,
    states: Sequence[MailState] = (),
    ticket: int | None = None,
    kind: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return mails, newest first; all states if none is named."""
    wanted = select(*_COLUMNS)
    if states:
        wanted = wanted.where(MailRow.state.in_(states))
    if ticket is not None:
        wanted = wanted.where(MailRow.ticket_id == ticket)
    if kind is not None:
        wanted = wanted.where(MailRow.kind == kind)
    return [_mail(row) for row in connection.execute(wanted.order_by(MailRow.id.desc()).limit(limit))]


def shown(connection: Connection, mail_id: int) -> dict[str, Any] | None:
    """Return all that is known of a mail but its bytes, with its deliveries; None if there is no such mail.

    `text` is the new text of theirs, and the whole text of ours.
    """
    row = connection.execute(select(*_COLUMNS, *_MORE).where(MailRow.id == mail_id)).one_or_none()
    if row is None:
        return None
    said = parsed.mail(raw(connection, mail_id) or b"")
    return {
        **_mail(row),
        "source": row.source,
        "login": row.login,
        "released_by": row.released_by,
        "envelope_from": row.envelope_from,
        "message_id": row.message_id,
        "references": list(row.references or ()),
        "date": row.sent_at,
        "due_at": row.due_at,
        "attempts": row.attempts,
        "fingerprint": row.fingerprint.hex(),
        "evidence": row.evidence,
        "text": row.text or said["reply" if row.direction is Direction.IN else "text"],
        "attachments": said["attachments"],
        "defects": said["defects"],
        "deliveries": deliveries.of_mail(connection, mail_id),
    }


def raw(connection: Connection, mail_id: int) -> bytes | None:
    """Return a mail's bytes, None if there is no such mail."""
    return stored.of(connection, [mail_id]).get(mail_id)


def newest(connection: Connection) -> int | None:
    """Return the newest mail's id, None if there is none."""
    return connection.scalar(select(func.max(MailRow.id)))


def retry(connection: Connection, ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """Have mails that were set aside, or that wait for their next try, filed at once; others are refused."""
    rows = connection.execute(
        select(MailRow.id, MailRow.state, MailRow.direction, MailRow.ticket_id)
        .where(MailRow.id.in_(ids))
        .order_by(MailRow.id)
        .with_for_update()
    ).all()
    found = {row.id: row for row in rows}
    last = newest(connection)
    results = []
    for mail_id in ids:
        row = found.get(mail_id)
        refused = _refusal(row, last)
        if refused is None:
            connection.execute(
                update(MailRow)
                .where(MailRow.id == mail_id)
                .values(state=MailState.STORED, due_at=now, attempts=0, deaths=0, reason=None)
            )
        before = str(row.state) if row else None
        results.append(
            {
                "id": mail_id,
                "before": before,
                "state": before if refused else str(MailState.STORED),
                "refused": refused,
            }
        )
    return results


def release(connection: Connection, ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """Have held mails filed on the operator's word; others are refused."""
    return [_moved(each) for each in held.release(connection, ids, OPERATOR, now)]


def reject(connection: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Put held mails away; others are refused."""
    return [_moved(each) for each in held.reject(connection, ids, OPERATOR)]


def _moved(outcome: held.Outcome) -> dict[str, Any]:
    return {
        "id": outcome.id,
        "before": str(outcome.before) if outcome.before else None,
        "state": str(outcome.state) if outcome.state else None,
        "refused": outcome.refused,
    }


def _refusal(row: Any, last: int | None) -> str | None:
    """Return why a mail is not filed again, None if it can be."""
    if row is None:
        return "there is no such mail" + (f"; the newest is {last}" if last else "")
    if row.direction is Direction.OUT:
        return "it is ours; see its deliveries: maild delivery list"
    match row.state:
        case MailState.FAILED | MailState.STORED:
            return None
        case MailState.FILED:
            return f"it is on ticket {row.ticket_id} already"
        case _:
            return f"it is {row.state}, filing it did not fail"


def _mail(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "direction": str(row.direction),
        "state": str(row.state),
        "kind": row.kind,
        "purpose": row.purpose,
        "ticket": row.ticket_id,
        "from": {"name": row.from_name or "", "address": row.from_address or ""},
        "recipients": list(row.recipients),
        "subject": row.subject or "",
        "stored_at": row.stored_at,
        "size": row.size_bytes,
        "reason": row.reason,
    }
