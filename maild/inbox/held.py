"""Held mails: let through, or put away for good.

A mail is released once: what is not held (any more) is refused, and nothing is written. A released mail is due for the
filer at once, which files it as if the proof that it lacked had been there; see `rules.routing`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from maild.store.models import Direction, MailRow, MailState


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail, as far as it matters for its release."""

    state: MailState
    sender: str  # From, normalised
    trust: str  # message.authentication.Trust, when it was held


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail that was to be released or rejected."""

    id: int
    before: MailState | None
    state: MailState | None
    refused: str | None = None


def kept(connection: Connection, mail_ids: Collection[int]) -> dict[int, Kept]:
    """Return the mails of `mail_ids` that came in, by id."""
    if not mail_ids:
        return {}
    rows = connection.execute(
        select(MailRow.id, MailRow.state, MailRow.from_address, MailRow.evidence).where(
            MailRow.id.in_(set(mail_ids)), MailRow.direction == Direction.IN
        )
    )
    return {row.id: Kept(row.state, row.from_address or "", str((row.evidence or {}).get("trust", ""))) for row in rows}


def release(connection: Connection, mail_ids: Sequence[int], by: str, now: datetime) -> list[Outcome]:
    """Have held mails filed, on the word of `by`: an agent's normalised address, or `rules.routing.OPERATOR`."""
    values = {"state": MailState.STORED, "due_at": now, "attempts": 0, "released_by": by}
    return _move(connection, mail_ids, values)


def reject(connection: Connection, mail_ids: Sequence[int], by: str) -> list[Outcome]:
    """Put held mails away: they stay in the store and are never acted on."""
    return _move(
        connection, mail_ids, {"state": MailState.NOTED, "due_at": None, "purpose": "rejected"}, f"rejected by {by}"
    )


def _move(
    connection: Connection, mail_ids: Sequence[int], values: Mapping[str, object], reason: str = ""
) -> list[Outcome]:
    rows = connection.execute(
        select(MailRow.id, MailRow.state, MailRow.direction, MailRow.reason)
        .where(MailRow.id.in_(set(mail_ids)))
        .order_by(MailRow.id)
        .with_for_update()
    ).all()
    found = {row.id: row for row in rows}
    outcomes = []
    for mail_id in mail_ids:
        row = found.get(mail_id)
        if row is None:
            outcomes.append(Outcome(mail_id, None, None, "there is no such mail"))
        elif row.direction is Direction.OUT:
            outcomes.append(Outcome(mail_id, row.state, row.state, "it is ours"))
        elif row.state is not MailState.HELD:
            outcomes.append(Outcome(mail_id, row.state, row.state, f"it is {row.state}, not held"))
        else:
            words = f"{reason}; it was held: {row.reason}" if reason else row.reason
            connection.execute(update(MailRow).where(MailRow.id == mail_id).values(**values, reason=words))
            outcomes.append(Outcome(mail_id, row.state, MailState(str(values["state"]))))
    return outcomes
