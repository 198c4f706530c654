"""Tickets are given in turn by several nodes at once, as if they were one."""

import threading
from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select

from maild import config, people
from maild.desk import Desk, Happening, Opening
from maild.message.address import Address
from maild.rules.events import CustomerWrote
from maild.store import agents
from maild.store.engine import Database
from maild.store.models import AgentRow, DutyRow, TicketRow
from tests.clock import NOON, FakeClock
from tests.database.desks import NoMail

AGENTS = tuple(f"agent{number}@acme.example" for number in range(3))
SETTINGS = config.parse(
    """
[smtp]
listen = "127.0.0.1:0"
[[department]]
name = "support"
address = "support@acme.example"
assign = "round-robin"
"""
    + "".join(f'[[agent]]\nname = "A{at}"\naddress = "{each}"\n' for at, each in enumerate(AGENTS))
)
NODES, TICKETS = 4, 9


def open_some(database: Database, node: int) -> None:
    """Open tickets as the filer of one node does, in groups of three."""
    desk = Desk(SETTINGS, NoMail())
    for group in range(TICKETS // 3):
        with database.write() as connection:
            ada = people.enrol(connection, [Address("Ada", f"ada{node}@customer.example")], NOON)
            wanted = [Opening(f"{group}.{each}", "support", next(iter(ada.values()))) for each in range(3)]
            desk.handle(connection, [Happening(each, CustomerWrote(NOON), "ada") for each in wanted], NOON)


def test_nodes_that_give_tickets_at_once_share_them_evenly(database: Database, database_url: str) -> None:
    nodes = [Database(database_url) for _ in range(NODES)]
    threads = [threading.Thread(target=open_some, args=(each, at)) for at, each in enumerate(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for node in nodes:
        node.close()

    with database.read() as connection:
        got = Counter(connection.scalars(select(TicketRow.assignee)).all())
        turns = sorted(connection.scalars(select(DutyRow.turn)))
    assert got == dict.fromkeys(AGENTS, NODES * TICKETS // len(AGENTS))
    assert turns == [NODES * TICKETS - 2, NODES * TICKETS - 1, NODES * TICKETS]


def test_who_is_away_is_so_until_then(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        agents.leave(connection, AGENTS[0], clock() + timedelta(days=1))
        agents.leave(connection, AGENTS[1], agents.FOR_EVER)
        agents.leave(connection, AGENTS[1], agents.FOR_EVER)
        agents.leave(connection, AGENTS[2], clock())

        assert set(agents.away(connection, clock())) == set(AGENTS[:2])
        assert set(agents.away(connection, clock() + timedelta(days=2))) == {AGENTS[1]}
        assert connection.scalar(select(func.count()).select_from(AgentRow)) == 3
