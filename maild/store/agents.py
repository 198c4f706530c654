"""What is remembered of agents: who is away, whose turn it is, what he was sent; the rest is in the configuration.

An agent is his normalised address. He gets a row when there is something to remember; `duty` has his turn in each
department that assigns. Whoever chooses among the agents of a department locks their rows of `duty` first, all of
them in one order, so that two nodes never give two tickets in one turn.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, or_, select, update

from maild.rules.state import TO_SOLVE
from maild.store.models import AgentRow, DutyRow, TicketRow
from maild.store.upsert import upsert

FOR_EVER: Final = datetime(9000, 1, 1, tzinfo=UTC)  # away until he is back


@dataclass(frozen=True, slots=True)
class Turn:
    """How an agent stands in a department."""

    department: str
    agent: str
    turn: int


_AWAY: Final = select(AgentRow.agent, AgentRow.away_until).where(AgentRow.away_until > bindparam("now"))


def away(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Return who said that he is away, and until when."""
    return {row.agent: row.away_until for row in connection.execute(_AWAY, {"now": now})}


def leave(connection: Connection, agent: str, until: datetime) -> None:
    """Note that an agent is away until then; an instant that is past: that he is back."""
    enrol(connection, [agent])
    connection.execute(update(AgentRow).where(AgentRow.agent == agent).values(away_until=until))


def enrol(connection: Connection, agents: Iterable[str]) -> None:
    """Write down those of `agents` who have no row."""
    rows = [{"agent": agent} for agent in agents]
    if rows:
        connection.execute(upsert(connection, AgentRow).on_conflict_do_nothing(), rows)


_TURNS: Final = select(DutyRow.department, DutyRow.agent, DutyRow.turn)


def turns(
    connection: Connection, duties: Iterable[tuple[str, str]], *, lock: bool = True
) -> dict[tuple[str, str], int]:
    """Return the turn of each (department, agent), locked until the transaction ends; without `lock` as it is now."""
    if not lock:
        return {(row.department, row.agent): row.turn for row in connection.execute(_TURNS)}
    rows = [{"department": department, "agent": agent, "turn": 0} for department, agent in sorted(duties)]
    if rows:
        connection.execute(upsert(connection, DutyRow).on_conflict_do_nothing(), rows)
    found = connection.execute(_TURNS.order_by(DutyRow.department, DutyRow.agent).with_for_update())
    return {(row.department, row.agent): row.turn for row in found}


_TAKE_TURN: Final = (
    update(DutyRow)
    .where(DutyRow.department == bindparam("of"), DutyRow.agent == bindparam("by"))
    .values(turn=bindparam("to"))
)


def take_turns(connection: Connection, taken: Collection[Turn]) -> None:
    """Write the turns that were taken."""
    if taken:
        connection.execute(_TAKE_TURN, [{"of": each.department, "by": each.agent, "to": each.turn} for each in taken])


def waiting(connection: Connection, agents: Collection[str]) -> dict[str, int]:
    """Return how many tickets of each of `agents` a customer waits in."""
    counted = (
        select(TicketRow.assignee, func.count())
        .where(TicketRow.status.in_(TO_SOLVE), TicketRow.assignee.in_(agents))
        .group_by(TicketRow.assignee)
    )
    return {agent: count for agent, count in connection.execute(counted) if agent is not None}


def welcomed(connection: Connection) -> set[str]:
    """Return who was welcomed."""
    return set(connection.scalars(select(AgentRow.agent).where(AgentRow.welcomed_at.is_not(None))))


def welcome(connection: Connection, agent: str, now: datetime) -> bool:
    """Note that an agent is welcomed in this transaction; return whether he was not before."""
    enrol(connection, [agent])
    first = update(AgentRow).where(AgentRow.agent == agent, AgentRow.welcomed_at.is_(None)).values(welcomed_at=now)
    return connection.execute(first).rowcount == 1


def digested(connection: Connection) -> dict[str, datetime]:
    """Return when each agent last got his digest, or would have if there had been anything in it."""
    rows = connection.execute(select(AgentRow.agent, AgentRow.digested_at).where(AgentRow.digested_at.is_not(None)))
    return {row.agent: row.digested_at for row in rows}


def claim_digest(connection: Connection, agent: str, now: datetime, since: datetime) -> bool:
    """Note that an agent's digest is made in this transaction; return whether he had none since then."""
    enrol(connection, [agent])
    none = or_(AgentRow.digested_at.is_(None), AgentRow.digested_at < since)
    first = update(AgentRow).where(AgentRow.agent == agent, none).values(digested_at=now)
    return connection.execute(first).rowcount == 1
