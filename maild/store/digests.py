"""What an agent's digest lists; the most urgent first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from maild.rules.state import Status
from maild.store.lists import LISTED, WAITING, Listed, Seen
from maild.store.models import Direction, MailRow, MailState, TicketRow


@dataclass(frozen=True, slots=True)
class Held:
    """A mail in an agent's name that was not acted on."""

    id: int
    subject: str
    at: datetime
    failed: bool  # it was proven not to be his


def to_solve(connection: Connection, seen: Seen) -> tuple[list[Listed], int]:
    """Return the most urgent tickets in which a customer waits, of an agent or of nobody, and how many there are."""
    wanted = and_(TicketRow.status.in_(WAITING), _his_or_nobodys(seen))
    count = connection.scalar(select(func.count()).select_from(TicketRow).where(wanted)) or 0
    return _listed(connection, wanted), count


def waking(connection: Connection, seen: Seen, until: datetime) -> list[Listed]:
    """Return the tickets that come back before then."""
    awake = and_(TicketRow.status == Status.POSTPONED, TicketRow.wake_at < until)
    return _listed(connection, and_(awake, _his_or_nobodys(seen)))


def undelivered(connection: Connection, seen: Seen) -> list[Listed]:
    """Return the tickets whose last answer did not arrive, and that are not done."""
    alive = TicketRow.status.in_((Status.NEW, Status.OPEN, Status.ANSWERED, Status.POSTPONED))
    return _listed(connection, and_(TicketRow.undelivered.is_(True), alive, _his_or_nobodys(seen)))


def late(connection: Connection, seen: Seen, departments: Sequence[str], now: datetime) -> list[Listed]:
    """Return the tickets of other agents in `departments` whose customers should have heard from us by now."""
    if not departments:
        return []
    overdue = and_(TicketRow.status.in_(WAITING), TicketRow.target_at < now)
    theirs = and_(TicketRow.assignee.is_not(None), TicketRow.assignee != seen.agent)
    return _listed(connection, and_(overdue, theirs, TicketRow.department.in_(departments)))


def held(connection: Connection, agent: str) -> list[Held]:
    """Return the mails in an agent's name that wait, the newest first."""
    rows = connection.execute(
        select(MailRow.id, MailRow.subject, MailRow.stored_at, MailRow.evidence)
        .where(MailRow.state == MailState.HELD, MailRow.from_address == agent, MailRow.direction == Direction.IN)
        .order_by(MailRow.id.desc())
        .limit(50)
    )
    return [Held(row.id, row.subject or "", row.stored_at, (row.evidence or {}).get("trust") == "fail") for row in rows]


def has_mails_before(connection: Connection, at: datetime) -> bool:
    """Return whether the desk had mails then."""
    first = connection.execute(select(MailRow.stored_at).order_by(MailRow.id).limit(1)).first()
    return first is not None and first.stored_at < at


def _his_or_nobodys(seen: Seen) -> ColumnElement[bool]:
    nobodys = and_(TicketRow.assignee.is_(None), TicketRow.department.in_(seen.departments))
    return or_(TicketRow.assignee == seen.agent, nobodys)


def _listed(connection: Connection, wanted: ColumnElement[bool]) -> list[Listed]:
    return [Listed(*row) for row in connection.execute(LISTED.where(wanted))]
