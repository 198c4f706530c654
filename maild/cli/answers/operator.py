"""What an operator asks of tickets from the command line: wishes become events, and the desk handles them.

The actor is "operator" in the history. Only the rules say what is possible; their refusals are handed on as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from maild.cli.answers import tickets
from maild.config import Settings
from maild.desk import Happening
from maild.message.commands.when import UnclearTimeError, instant
from maild.rules.events import Close, Delete, Event, MarkSpam, Merge, NotSpam, Postpone, Reopen, Resolve, Undelete
from maild.rules.refusals import Refused
from maild.rules.state import Status, Ticket
from maild.rules.working_time import Span
from maild.store.engine import Database
from maild.store.models import TicketRow
from maild.works import assemble

OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to become of tickets: one of the three."""

    status: str | None = None
    merge_into: int | None = None
    postpone_until: str | None = None


def fulfil(
    settings: Settings, database: Database, ticket_ids: Sequence[int], wish: Wish, now: datetime
) -> list[dict[str, Any]]:
    """Do what is wished to each ticket, all in one transaction, and return what became of each.

    A ticket that refuses changes nothing, and keeps no other from changing.
    """
    desk = assemble(settings, database, lambda: now).desk
    with database.write() as connection:
        before = tickets.states(connection, ticket_ids)
        results: dict[int, dict[str, Any]] = {}
        happenings: list[Happening] = []
        for ticket_id in ticket_ids:
            results[ticket_id] = _result(ticket_id, before.get(ticket_id))
            try:
                event = _event(connection, settings, ticket_id, before, wish, now)
                happenings.append(Happening(ticket_id, event, OPERATOR))
            except (Refused, UnclearTimeError) as no:
                results[ticket_id]["refused"] = str(no)
        for happening, outcome in zip(happenings, desk.handle(connection, happenings, now), strict=True):
            result = results[happening.ticket]  # type: ignore[index]  # none of them is an Opening
            result |= {"refused": outcome.refused or None, "status": str(outcome.status or "")}
    return list(results.values())


def _result(ticket_id: int, before: Ticket | None) -> dict[str, Any]:
    status = str(before.status) if before else None
    return {"id": ticket_id, "before": status, "status": status, "refused": None}


def _event(
    connection: Connection, settings: Settings, ticket_id: int, before: dict[int, Ticket], wish: Wish, now: datetime
) -> Event:
    """Return what the wish means for one ticket.

    Raises:
        Refused: it makes no sense for it.
        UnclearTimeError: the time to postpone to is none.
    """
    if ticket_id not in before:
        newest = tickets.newest(connection)
        raise Refused(f"There is no such ticket; the newest is {newest}." if newest else "There are no tickets yet.")
    if wish.merge_into is not None:
        return Merge(now, wish.merge_into)
    if wish.postpone_until is not None:
        return Postpone(now, _wake_at(settings, _department(connection, ticket_id), wish.postpone_until, now))
    match Status(wish.status or ""):
        case Status.OPEN:
            return _back(before[ticket_id].status, now)
        case Status.RESOLVED:
            return Resolve(now)
        case Status.CLOSED:
            return Close(now)
        case Status.SPAM:
            return MarkSpam(now)
        case Status.DELETED:
            return Delete(now)
        case Status.NEW | Status.ANSWERED | Status.POSTPONED | Status.MERGED as status:
            raise Refused(f"No ticket becomes {status} by command.")


def _wake_at(settings: Settings, name: str, written: str, now: datetime) -> datetime:
    department = settings.department(name) or settings.departments[0]
    office = settings.office_of(department)

    def business_days(start: datetime, days: int) -> datetime:
        return office.add(start, Span(business_days=days))

    return instant(written, now, department.timezone, business_days)


def _back(status: Status, now: datetime) -> Event:
    match status:
        case Status.SPAM:
            return NotSpam(now)
        case Status.DELETED:
            return Undelete(now)
        case _:
            return Reopen(now)


def _department(connection: Connection, ticket_id: int) -> str:
    return connection.scalars(select(TicketRow.department).where(TicketRow.id == ticket_id)).one()
