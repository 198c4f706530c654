"""Figures of a period, asked of what was written when it happened: tickets, answers, clocks that ended, history.

Nothing is counted in advance, so a report is never out of step with the desk. What was purged is in no report any more.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, func, select

from maild.config import Settings
from maild.message.address import normalise
from maild.rules.figures import Answered, Clock, Fact, Figures, Opened, Period, Report, Spread, Waiting, report
from maild.rules.levels import Kind, Outcome
from maild.rules.state import Status, Tell
from maild.store.models import ClockRow, Direction, HistoryRow, MailRow, TicketRow
from maild.templates.pieces import Counted, Times

OWED: Final = frozenset({Status.NEW, Status.OPEN, Status.POSTPONED})  # the backlog
_AWAY: Final = (Status.SPAM, Status.DELETED, Status.MERGED)


def of_period(
    connection: Connection, settings: Settings, period: Period, zone: ZoneInfo, departments: Collection[str] = ()
) -> Report:
    """Return the figures of `period` in `zone`, of these departments or of all, and of everybody who works there."""
    names = [each.name for each in settings.departments if not departments or each.name in departments]
    since, until = period.begins_at(zone), period.ends_at(zone)
    facts: list[Fact] = [
        *_opened(connection, names, since, until),
        *_answered(connection, names, since, until),
        *_clocks(connection, names, since, until),
        *_backlog(connection, names, until),
    ]
    agents = [normalise(each.address) for each in settings.agents if set(each.departments) & set(names)]
    return report(period, facts, names, agents)


def told(found: Report, settings: Settings, agents: Collection[str] | None = None) -> dict[str, Any]:
    """Return the fields of `templates.mails.Report` that say `found`, with the figures of `agents`, or of all."""
    titles = {each.name: each.title for each in settings.departments}
    names = {normalise(each.address): each.name for each in settings.agents}
    departments = tuple(_counted(titles[name], each) for name, each in found.departments.items())
    return {
        "first": found.period.first,
        "last": found.period.last,
        "all": departments if len(departments) == 1 else (_counted("", found.total), *departments),
        "agents": tuple(
            replace(_counted(names[agent], each), opened=None)
            for agent, each in found.agents.items()
            if agents is None or agent in agents
        ),
    }


def _counted(name: str, figures: Figures) -> Counted:
    return Counted(
        name,
        figures.opened,
        figures.solved,
        figures.answers,
        figures.backlog,
        figures.met,
        figures.met + figures.missed,
        _times(figures.first_response),
        _times(figures.resolution),
    )


def _times(spread: Spread | None) -> Times | None:
    return Times(hours(spread.median), hours(spread.p90)) if spread else None


def hours(length: timedelta) -> str:
    """Return working time in hours and minutes: no number of days would say how long these were."""
    minutes = int(length.total_seconds() + 30) // 60
    return f"{minutes // 60}:{minutes % 60:02} h"


def _opened(connection: Connection, names: list[str], since: datetime, until: datetime) -> Iterator[Fact]:
    rows = connection.execute(
        select(TicketRow.department, func.count())
        .where(
            TicketRow.created_at >= since,
            TicketRow.created_at < until,
            TicketRow.department.in_(names),
            TicketRow.status.not_in(_AWAY),
        )
        .group_by(TicketRow.department)
    )
    for department, count in rows:
        yield from [Opened(department)] * count


def _answered(connection: Connection, names: list[str], since: datetime, until: datetime) -> Iterator[Fact]:
    rows = connection.execute(
        select(TicketRow.department, MailRow.from_address, func.count())
        .join(TicketRow, TicketRow.id == MailRow.ticket_id)
        .where(
            MailRow.purpose == Tell.ANSWER,
            MailRow.direction == Direction.OUT,
            MailRow.stored_at >= since,
            MailRow.stored_at < until,
            TicketRow.department.in_(names),
        )
        .group_by(TicketRow.department, MailRow.from_address)
    )
    for department, agent, count in rows:
        yield from [Answered(department, agent or "")] * count


def _clocks(connection: Connection, names: list[str], since: datetime, until: datetime) -> Iterator[Fact]:
    rows = connection.execute(
        select(
            ClockRow.kind, ClockRow.department, ClockRow.agent, ClockRow.used_s, ClockRow.outcome, TicketRow.assignee
        )
        .join(TicketRow, TicketRow.id == ClockRow.ticket_id)
        .where(
            ClockRow.stopped_at >= since,
            ClockRow.stopped_at < until,
            ClockRow.department.in_(names),
            TicketRow.status.not_in(_AWAY),
        )
    )
    for kind, department, agent, used_s, outcome, assignee in rows:
        by = assignee if kind == Kind.RESOLUTION else agent
        yield Clock(Kind(kind), department, by, timedelta(seconds=used_s), Outcome(outcome) if outcome else None)


def _backlog(connection: Connection, names: list[str], until: datetime) -> Iterator[Fact]:
    """Yield what is owed at `until`: what is owed now, but for what became so or ceased to be so since then."""
    now = connection.execute(
        select(TicketRow.department, TicketRow.assignee, func.count())
        .where(TicketRow.status.in_(OWED), TicketRow.department.in_(names))
        .group_by(TicketRow.department, TicketRow.assignee)
    )
    for department, agent, count in now:
        yield Waiting(department, agent, count)
    for row in _changed_since(connection, names, until):
        owed_then = row.old in OWED
        if owed_then != (row.status in OWED):
            yield Waiting(row.department, row.assignee, 1 if owed_then else -1)


def _changed_since(connection: Connection, names: list[str], until: datetime) -> list[Any]:
    """Return the tickets whose status changed since then, with the one that they had."""
    of_status = and_(HistoryRow.field == "status", HistoryRow.at >= until)
    first = select(func.min(HistoryRow.id).label("id")).where(of_status).group_by(HistoryRow.ticket_id).subquery()
    return list(
        connection.execute(
            select(HistoryRow.old, TicketRow.status, TicketRow.department, TicketRow.assignee)
            .join(first, first.c.id == HistoryRow.id)
            .join(TicketRow, TicketRow.id == HistoryRow.ticket_id)
            .where(TicketRow.department.in_(names))
        )
    )
