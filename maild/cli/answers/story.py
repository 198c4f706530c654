"""The whole story of a ticket or of a mail, in order: what came, what was read from it, what followed, and why.

Everything is asked of rows that are there anyway: a mail's own columns and evidence, the history, deliveries and their
attempts. Nothing is guessed, and nothing is read from bytes again.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, or_, select

from maild.cli.answers.tickets import CHANGE
from maild.store.models import AttemptRow, DeliveryRow, DeliveryState, Direction, HistoryRow, MailRow, TicketRow

_MAIL: Final = select(
    MailRow.id,
    MailRow.direction,
    MailRow.state,
    MailRow.kind,
    MailRow.purpose,
    MailRow.reason,
    MailRow.source,
    MailRow.login,
    MailRow.released_by,
    MailRow.stored_at,
    MailRow.filed_at,
    MailRow.from_name,
    MailRow.from_address,
    MailRow.subject,
    MailRow.recipients,
    MailRow.size_bytes,
    MailRow.evidence,
    MailRow.ticket_id,
    MailRow.attempts,
    MailRow.due_at,
)
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?\+00:00")
_FIRST, _THEN, _POSTED, _LAST = range(4)  # of what happened at one instant


def of_ticket(connection: Connection, ticket_id: int) -> list[dict[str, Any]] | None:
    """Return what happened to a ticket, oldest first; None if there is none of that number."""
    if connection.scalar(select(TicketRow.id).where(TicketRow.id == ticket_id)) is None:
        return None
    mails = connection.execute(_MAIL.where(MailRow.ticket_id == ticket_id)).all()
    return _in_order(
        [
            *_mails(mails),
            *_changes(connection, HistoryRow.ticket_id == ticket_id),
            *_deliveries(connection, DeliveryRow.ticket_id == ticket_id),
        ]
    )


def of_mail(connection: Connection, mail_id: int) -> list[dict[str, Any]] | None:
    """Return what happened to a mail and because of it, oldest first; None if there is no such mail."""
    about = or_(MailRow.id == mail_id, MailRow.about_id == mail_id)
    mails = connection.execute(_MAIL.where(about)).all()
    if not any(row.id == mail_id for row in mails):
        return None
    ids = [row.id for row in mails]
    return _in_order(
        [
            *_mails(mails),
            *_changes(connection, HistoryRow.mail_id == mail_id),
            *_deliveries(connection, DeliveryRow.mail_id.in_(ids)),
        ]
    )


def mail_of(connection: Connection, message_id: str) -> int | None:
    """Return the mail that has a Message-ID, None if none has."""
    wanted = select(MailRow.id).where(MailRow.message_id == message_id.strip().strip("<>")).order_by(MailRow.id)
    return connection.scalar(wanted.limit(1))


def _in_order(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered = sorted(entries, key=lambda each: (each["at"], each.pop("place")))
    return [{"at": each.pop("at"), **each} for each in ordered]


def _mails(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row.direction is Direction.OUT:
            yield _entry(row.stored_at, (_POSTED, row.id), "mail", row.id, "posted", _posted(row), ticket=row.ticket_id)
            continue
        yield _entry(row.stored_at, (_FIRST, row.id), "mail", row.id, "received", _received(row), ticket=row.ticket_id)
        if row.evidence:
            at = row.filed_at or row.stored_at
            for number, (what, why, facts) in enumerate(_read(row)):
                yield _entry(at, (_FIRST, row.id, number), "mail", row.id, what, why, ticket=row.ticket_id, facts=facts)
        elif row.due_at is not None:
            why = row.reason or "waits for the filer"
            yield _entry(row.due_at, (_LAST, row.id), "mail", row.id, "is filed", why, ticket=row.ticket_id)
        elif row.reason:
            yield _entry(row.stored_at, (_LAST, row.id), "mail", row.id, str(row.state), row.reason)


def _received(row: Any) -> str:
    who = f"{row.from_name or ''} <{row.from_address}>".strip() if row.from_address else "somebody"
    login = f", logged in as {row.login}" if row.login else ""
    to = ", ".join(row.recipients[:3])
    return f'"{row.subject or ""}" from {who} to {to}, {row.size_bytes} bytes by {row.source}{login}'


def _posted(row: Any) -> str:
    speaker = f" by {row.from_name}" if row.purpose == "answer" and row.from_name else ""
    return f'{row.purpose}{speaker} "{row.subject or ""}" to {", ".join(row.recipients[:5])}'


def _read(row: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what was found out about a mail, each with why."""
    found = row.evidence
    kind, trust = found.get("kind", row.kind), found.get("trust")
    yield "classified", _why(kind, found.get("kind_reasons")), {"kind": kind}
    yield "sender", _why(f"trust {trust}", found.get("trust_reasons")), {"trust": trust}
    proof = found.get("proof") or "no proof"
    yield "evidence", _why(proof, found.get("reasons")), {"proof": found.get("proof")}
    words = [f"#{word}" for word in found.get("words", ())]
    released = f"; released by {row.released_by}" if row.released_by else ""
    said = f" ({' '.join(words)})" if words else ""
    why = f"{found.get('action', row.purpose)}{said}: {row.reason or found.get('why', '')}{released}"
    yield "decided", why, {"action": found.get("action"), "state": str(row.state)}


def _why(what: object, reasons: Sequence[str] | None) -> str:
    return f"{what}: {'; '.join(reasons)}" if reasons else str(what)


def _changes(connection: Connection, which: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    """Yield what changed, the fields of one happening together."""
    rows = connection.execute(
        select(HistoryRow.id, HistoryRow.ticket_id, *CHANGE).where(which).order_by(HistoryRow.id)
    ).all()
    together: list[dict[str, Any]] = []
    for row in rows:
        same = (row.at, row.ticket_id, row.actor, row.cause, row.mail)
        change = {"field": row.field, "old": row.old, "new": row.new}
        if together and together[-1]["same"] == same and row.field != "withheld":
            together[-1]["changes"].append(change)
            continue
        together.append({"same": same, "id": row.id, "withheld": row.field == "withheld", "changes": [change]})
    for each in together:
        at, ticket_id, actor, cause, mail_id = each["same"]
        said = "; ".join(_change(change) for change in each["changes"])
        what = "withheld" if each["withheld"] else "changed"
        why = str(each["changes"][0]["new"]) if each["withheld"] else f"{cause} by {actor}: {said}"
        facts = {"cause": cause, "actor": actor, "because_of_mail": mail_id, "changes": each["changes"]}
        yield _entry(at, (_THEN, each["id"]), "ticket", ticket_id, what, why, ticket=ticket_id, facts=facts)


def _change(change: dict[str, Any]) -> str:
    old, new = (_INSTANT.sub(r"\1 \2", str(change[each])) for each in ("old", "new"))
    if change["old"] is None:
        return f"{change['field']} {new}"
    return f"{change['field']} {old} -> {'none' if change['new'] is None else new}"


def _deliveries(connection: Connection, which: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    rows = connection.execute(
        select(
            DeliveryRow.id,
            DeliveryRow.mail_id,
            DeliveryRow.ticket_id,
            DeliveryRow.recipient,
            DeliveryRow.state,
            DeliveryRow.attempts,
            DeliveryRow.due_at,
            DeliveryRow.ended_at,
            DeliveryRow.reply,
        )
        .where(which)
        .order_by(DeliveryRow.id)
    ).all()
    tries = connection.execute(
        select(AttemptRow.delivery_id, AttemptRow.number, AttemptRow.at, AttemptRow.reply).where(
            AttemptRow.delivery_id.in_([row.id for row in rows])
        )
    ).all()
    failed_at = {(each.delivery_id, each.at) for each in tries}
    by_id = {row.id: row for row in rows}
    for each in tries:
        row = by_id[each.delivery_id]
        facts = {"mail": row.mail_id, "recipient": row.recipient, "attempt": each.number}
        why = f"to {row.recipient}, try {each.number}: {each.reply}"
        yield _entry(each.at, (_LAST, row.id), "delivery", row.id, "not sent", why, ticket=row.ticket_id, facts=facts)
    for row in rows:
        yield from _end(row, told=(row.id, row.ended_at) in failed_at)


def _end(row: Any, *, told: bool) -> Iterator[dict[str, Any]]:
    facts = {"mail": row.mail_id, "recipient": row.recipient, "attempts": row.attempts}
    at: datetime | None = row.ended_at or row.due_at
    if at is None:
        return
    if row.state is DeliveryState.QUEUED:
        what, why = "is tried", f"to {row.recipient}, try {row.attempts + 1}"
    elif row.state is DeliveryState.SENT:
        what, why = "sent", f"to {row.recipient}, try {row.attempts}: {row.reply or ''}"
    else:
        what, why = str(row.state), f"to {row.recipient}" + (f": {row.reply}" if row.reply and not told else "")
    yield _entry(at, (_LAST, row.id, 1), "delivery", row.id, what, why, ticket=row.ticket_id, facts=facts)


def _entry(
    at: datetime,
    place: tuple[int, ...],
    about: str,
    number: int,
    what: str,
    why: str,
    *,
    ticket: int | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "at": at,
        "place": place,
        "about": about,
        "id": number,
        "what": what,
        "why": why,
        "ticket": ticket,
        "facts": facts or {},
    }
