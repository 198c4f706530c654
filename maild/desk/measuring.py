"""Tickets that were opened before there were clocks: how long each has been worked on, from its history.

A version without clocks wrote down every change of a status. So the resolution of its living tickets is measured once,
as if the clock had been there: by the hours of their level or department, in the transaction that remembers it.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from typing import Final

import structlog
from sqlalchemy import Connection, bindparam, select

from maild.desk.rows import put_right
from maild.rules import promises
from maild.rules.policy import Policy
from maild.rules.state import Status
from maild.store import jobs
from maild.store.models import AddressRow, HistoryRow, TicketRow

log = structlog.get_logger("maild.desk")

PolicyOf = Callable[[str, str], Policy]

JOB: Final = "resolution"
MEASURED: Final = "measured"
GROUP: Final = 500  # tickets
_UNMEASURED: Final = (
    select(TicketRow.id, TicketRow.department, AddressRow.normal)
    .join(AddressRow, AddressRow.id == TicketRow.requester_id)
    .where(TicketRow.status.in_(promises.BEFORE_DONE), TicketRow.resolving_since.is_(None), TicketRow.resolving_s == 0)
)
_STATUSES: Final = (
    select(HistoryRow.ticket_id, HistoryRow.at, HistoryRow.new)
    .where(HistoryRow.ticket_id.in_(bindparam("ids", expanding=True)), HistoryRow.field == "status")
    .order_by(HistoryRow.ticket_id, HistoryRow.id)
)


def measure(connection: Connection, policy: PolicyOf, now: datetime) -> None:
    """Give living tickets without a clock of their resolution one, once."""
    if not jobs.differs(connection, JOB, MEASURED, now):
        return
    found = connection.execute(_UNMEASURED).all()
    for begin in range(0, len(found), GROUP):
        group = found[begin : begin + GROUP]
        policies = {row.id: policy(row.department, row.normal) for row in group}
        changes = connection.execute(_STATUSES, {"ids": list(policies)}).all()
        for ticket_id, each in groupby(changes, key=lambda change: change.ticket_id):
            statuses = [(change.at, Status(change.new)) for change in each if change.new]
            since, ran_s = promises.measured(statuses, policies[ticket_id])
            put_right(connection, [ticket_id], {"resolving_since": since, "resolving_s": ran_s})
    if found:
        log.info("resolution measured", tickets=len(found))
