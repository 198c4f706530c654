"""Checks of those who are written to: agents who get nothing, and addresses that maild has stopped writing to."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select, update

from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.message.address import normalise
from maild.store.models import AddressRow, DeliveryRow, DeliveryState, TicketRow

MANY: Final = 20  # suppressed customers: then it is more than a few old addresses
LATELY: Final = timedelta(days=7)


def _agents(patient: Patient) -> dict[str, str]:
    return {normalise(each.address): each.name for each in patient.desk.agents}


def _reached(patient: Patient) -> Iterator[Finding]:
    agents = _agents(patient)
    with patient.store.read() as connection:
        rows = connection.execute(_suppressed(patient, agents)).all()
        lost = connection.execute(
            select(AddressRow.normal, func.max(DeliveryRow.reply).label("reply"))
            .join(DeliveryRow, DeliveryRow.address_id == AddressRow.id)
            .where(
                AddressRow.normal.in_(agents),
                DeliveryRow.state == DeliveryState.FAILED,
                DeliveryRow.ended_at > patient.now - LATELY,
            )
            .group_by(AddressRow.normal)
        ).all()
    for row in rows:
        until = f"{row.suppressed_until:%Y-%m-%d}"
        yield fault(f"{agents[row.normal]} ({row.address}) gets nothing until {until}: {row.suppressed_reason}")
    known = {row.normal for row in rows}
    for row in lost:
        if row.normal not in known:
            yield warning(f"{agents[row.normal]} ({row.normal}): a mail could not be delivered: {row.reply}")
    if not rows and not lost:
        yield ok(f"{len(agents)} agents, none of whom refuses mail")


def _suppressed(patient: Patient, among: dict[str, str] | None = None) -> Any:
    question = select(AddressRow.normal, AddressRow.address, AddressRow.suppressed_until, AddressRow.suppressed_reason)
    question = question.where(AddressRow.suppressed_until > patient.now)
    return question if among is None else question.where(AddressRow.normal.in_(among))


def _lift(patient: Patient) -> Iterator[str]:
    with patient.store.write() as connection:
        done = connection.execute(
            update(AddressRow)
            .where(AddressRow.normal.in_(_agents(patient)), AddressRow.suppressed_until > patient.now)
            .values(suppressed_until=None, suppressed_reason=None)
        )
    if done.rowcount:
        yield f"agents who are written to again: {done.rowcount}"


def _told(patient: Patient) -> Iterator[Finding]:
    """Look for agents to whom nothing was ever sent although there is work in their departments."""
    settings = patient.desk
    with patient.store.read() as connection:
        written = set(
            connection.scalars(
                select(AddressRow.normal).where(
                    AddressRow.normal.in_(_agents(patient)),
                    select(DeliveryRow.id).where(DeliveryRow.address_id == AddressRow.id).exists(),
                )
            )
        )
        busy = set(connection.scalars(select(TicketRow.department).distinct()))
    forgotten = [
        each for each in settings.agents if normalise(each.address) not in written and busy & {*each.departments}
    ]
    for each in forgotten:
        yield warning(
            f"{each.name} ({each.address}) was never written to, and there are tickets in {', '.join(each.departments)}"
        )
    if not busy:
        yield unknown("there are no tickets yet")
    elif not forgotten:
        yield ok(f"all {len(settings.agents)} have been written to")


def _customers(patient: Patient) -> Iterator[Finding]:
    agents = _agents(patient)
    with patient.store.read() as connection:
        rows = connection.execute(_suppressed(patient)).all()
    others = [row for row in rows if row.normal not in agents]
    if len(others) >= MANY:
        yield warning(f"{len(others)} addresses are not written to; the last reason: {others[-1].suppressed_reason}")
    else:
        yield ok(f"{len(others)} addresses are not written to, after permanent failures")


_WANTS = (Need.CONFIGURATION, Need.DATABASE)
CHECKS = (
    Check(
        "D37",
        Group.PEOPLE,
        "Agents can be reached",
        "An agent whose mailbox refused a mail is not written to any more, and does not know it.",
        "mend his mailbox, then: maild doctor --fix",
        _reached,
        _WANTS,
        _lift,
    ),
    Check(
        "D38",
        Group.PEOPLE,
        "Every agent has been told of something",
        "Who never got a mail cannot answer any.",
        "see his address and departments in [[agent]]",
        _told,
        _WANTS,
    ),
    Check(
        "D39",
        Group.PEOPLE,
        "Few customers refuse our mail",
        "Many at once mean that a provider turns the relay away, not that they are gone.",
        "maild delivery list --state failed shows the servers' words",
        _customers,
        _WANTS,
    ),
)
