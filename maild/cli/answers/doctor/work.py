"""Checks of what waits and what failed: queues, mails set aside or held, deliveries, tickets that nobody is told of."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, or_, select, update

from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, Verdict, fault, ok, unknown, warning
from maild.desk import MAILD, Happening
from maild.rules.events import Tick
from maild.rules.state import Status
from maild.store import standing
from maild.store.models import DeliveryRow, DeliveryState, JobRow, MailboxRow, MailRow, MailState, TicketRow
from maild.works import assemble

SLOW: Final = timedelta(minutes=5)  # overdue so long: a look
STUCK: Final = timedelta(minutes=30)  # overdue so long: nobody works
WAITS_TO_LEAVE: Final = timedelta(hours=1)
HELD_LONG: Final = timedelta(days=2)
LATELY: Final = timedelta(days=1)
SILENT: Final = timedelta(hours=1)  # of a mailbox that should be looked at every minute
SHOWN: Final = 3
MOST_MENDED: Final = 1_000  # at a time


def _queue(name: str, *tables: Any) -> Callable[[Patient], Iterator[Finding]]:
    """Return a check that nothing of these tables is overdue."""

    def look(patient: Patient) -> Iterator[Finding]:
        for table in tables:
            with patient.store.read() as connection:
                due, oldest = connection.execute(
                    select(func.count(), func.min(table.due_at)).where(table.due_at <= patient.now)
                ).one()
            late = patient.now - oldest if oldest else timedelta(0)
            noun = name if len(tables) == 1 else table.__tablename__
            if late > SLOW:
                text = f"{noun}: {due} overdue, the oldest for {_span(late)}"
                yield Finding(Verdict.FAULT if late > STUCK else Verdict.WARNING, text)
            else:
                yield ok(f"{noun}: {due} due now, none for longer than {_span(SLOW)}")

    return look


def _set_aside(patient: Patient) -> Iterator[Finding]:
    rows = _some(patient, select(MailRow.id, MailRow.reason).where(MailRow.state == MailState.FAILED), MailRow.id)
    for row in rows:
        yield fault(
            f"mail {row.id}: {row.reason or 'no reason is written'}",
            f"maild mail show {row.id}, then: maild mail retry {row.id}",
        )
    if not rows:
        yield ok("none")


def _held(patient: Patient) -> Iterator[Finding]:
    with patient.store.read() as connection:
        count, oldest = connection.execute(
            select(func.count(), func.min(MailRow.stored_at)).where(MailRow.state == MailState.HELD)
        ).one()
    if not count:
        yield ok("none")
    elif patient.now - oldest > HELD_LONG:
        yield warning(f"{count}, the oldest for {_span(patient.now - oldest)}")
    else:
        yield ok(f"{count}, none for longer than {_span(HELD_LONG)}")


def _failed(patient: Patient) -> Iterator[Finding]:
    rows = _some(
        patient,
        select(DeliveryRow.id, DeliveryRow.recipient, DeliveryRow.reply).where(
            DeliveryRow.state == DeliveryState.FAILED, DeliveryRow.ended_at > patient.now - LATELY
        ),
        DeliveryRow.id,
    )
    for row in rows:
        yield warning(f"delivery {row.id} to {row.recipient}: {row.reply or 'no words'}")
    if not rows:
        yield ok("none within a day")


def _tried_again(patient: Patient) -> Iterator[Finding]:
    rows = _some(
        patient,
        select(DeliveryRow.id, DeliveryRow.recipient, DeliveryRow.reply, DeliveryRow.attempts).where(
            DeliveryRow.state == DeliveryState.QUEUED,
            DeliveryRow.attempts > 1,
            DeliveryRow.created_at < patient.now - WAITS_TO_LEAVE,
        ),
        DeliveryRow.id,
    )
    for row in rows:
        yield warning(f"delivery {row.id} to {row.recipient}: {row.attempts} attempts; {row.reply or 'no words yet'}")
    if not rows:
        yield ok("nothing waits for longer than an hour")


def _fetched(patient: Patient) -> Iterator[Finding]:
    with patient.store.read() as connection:
        rows = connection.execute(select(MailboxRow.__table__)).all()
    known = {(each.name, each.folder) for each in patient.desk.mailboxes}
    for row in rows:
        if (row.name, row.folder) not in known:
            continue
        if row.failing_since is not None:
            yield fault(f"mailbox {row.name}: not read since {row.failing_since:%Y-%m-%d %H:%M} UTC: {row.error}")
        elif row.last_success_at is None or patient.now - row.last_success_at > SILENT:
            when = f"{row.last_success_at:%Y-%m-%d %H:%M} UTC" if row.last_success_at else "never"
            yield warning(f"mailbox {row.name}: last looked at: {when}", "is the daemon running? see D43")
        else:
            yield ok(f"mailbox {row.name}: looked at {_span(patient.now - row.last_success_at)} ago")
    if not any((row.name, row.folder) in known for row in rows):
        yield ok("no mailbox was read yet")


def _promises(patient: Patient) -> Iterator[Finding]:
    """Look for tickets in which a customer waits and nobody will ever be told."""
    waits = TicketRow.waiting_since.is_not(None) & TicketRow.status.in_((Status.NEW, Status.OPEN, Status.POSTPONED))
    rows = _some(patient, select(TicketRow.id).where(waits, TicketRow.due_at.is_(None)), TicketRow.id)
    for row in rows:
        yield fault(f"ticket {row.id}: a customer waits, and it is never due")
    with patient.store.read() as connection:
        count = connection.scalar(select(func.count()).where(waits)) or 0
    if not rows:
        yield ok(f"customers wait in {count} tickets, and each has an instant at which somebody is told")


def _make_due(patient: Patient) -> Iterator[str]:
    """Let time happen to what was never due; the rules then find the right instant."""
    final = (Status.CLOSED, Status.MERGED)
    forgotten = select(TicketRow.id).where(
        TicketRow.due_at.is_(None), TicketRow.status.not_in(final), TicketRow.waiting_since.is_not(None)
    )
    works = assemble(patient.desk, patient.store, lambda: patient.now)
    with patient.store.write() as connection:
        ids = list(connection.scalars(forgotten.limit(MOST_MENDED)))
        works.desk.handle(connection, [Happening(each, Tick(patient.now), MAILD) for each in ids], patient.now)
    if ids:
        yield f"tickets that the scheduler looks at again: {len(ids)}"


def _leases(patient: Patient) -> Iterator[Finding]:
    if standing.is_served(patient.store) is not False:
        yield ok("a daemon works, or the database is shared: what is leased is at work")
        return
    with patient.store.read() as connection:
        count = connection.scalar(select(func.count()).where(*_leased(patient))) or 0
    if count:
        yield warning(f"mails that a daemon had taken before it ended: {count}; the next start takes them anew")
    else:
        yield ok("none is leased")


def _leased(patient: Patient) -> tuple[Any, ...]:
    return MailRow.state == MailState.STORED, MailRow.due_at > patient.now, MailRow.attempts > 0


def _end_leases(patient: Patient) -> Iterator[str]:
    if standing.is_served(patient.store) is not False:
        return
    with patient.store.write() as connection:
        done = connection.execute(update(MailRow).where(*_leased(patient)).values(due_at=MailRow.stored_at))
    if done.rowcount:
        yield f"mails that are due again: {done.rowcount}"


def _last_seen(patient: Patient) -> Iterator[Finding]:
    with patient.store.read() as connection:
        newest = connection.scalar(select(func.max(MailRow.stored_at)))
        due = connection.scalar(
            select(func.count()).where(or_(TicketRow.due_at > patient.now + timedelta(days=5 * 365)))
        )
    if newest is None:
        yield unknown("no mail has come yet", "write one to a department's address")
    elif newest > patient.now + timedelta(minutes=10):
        yield fault(f"the newest mail is of {newest:%Y-%m-%d %H:%M} UTC, in the future", "see D41")
    elif due:
        yield fault(f"tickets that are due in more than five years: {due}: a clock was wrong", "see D41")
    else:
        yield ok(f"the newest of {newest:%Y-%m-%d %H:%M} UTC")


def _some(patient: Patient, question: Any, key: Any) -> list[Any]:
    with patient.store.read() as connection:
        return list(connection.execute(question.order_by(key.desc()).limit(SHOWN)).all())


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


_WANTS = (Need.CONFIGURATION, Need.DATABASE)
_ADVICE = "is the daemon running (D43)? its log says what keeps it: journalctl -u maild"
CHECKS = (
    Check(
        "D46",
        Group.WORK,
        "Mails are filed as they come",
        "A mail that waits here is stored, and on no ticket yet.",
        _ADVICE,
        _queue("mail", MailRow),
        _WANTS,
    ),
    Check(
        "D47",
        Group.WORK,
        "Mails leave when they are due",
        "Answers and acknowledgements wait here.",
        _ADVICE,
        _queue("delivery", DeliveryRow),
        _WANTS,
    ),
    Check(
        "D48",
        Group.WORK,
        "What is due happens",
        "Reminders, resolving by silence, mailboxes to be read and jobs wait here.",
        _ADVICE,
        _queue("", TicketRow, MailboxRow, JobRow),
        _WANTS,
    ),
    Check(
        "D49",
        Group.WORK,
        "No mail was set aside",
        "maild failed to file it three times; nobody has seen it.",
        "maild mail show ID, and after mending: maild mail retry ID",
        _set_aside,
        _WANTS,
    ),
    Check(
        "D50",
        Group.WORK,
        "No mail is held for long",
        "It bears an agent's name without proof; if it was his, a customer waits for it.",
        "maild mail list --state held, then: maild mail release ID, or reject ID",
        _held,
        _WANTS,
    ),
    Check(
        "D51",
        Group.WORK,
        "No delivery failed lately",
        "A customer did not get what was written to him; the author was told.",
        "correct the address, and answer again",
        _failed,
        _WANTS,
    ),
    Check(
        "D52",
        Group.WORK,
        "No delivery is tried again and again",
        "The relay, or the server behind it, does not take it now; after 5 days it fails.",
        "see the words; after mending: maild delivery retry ID",
        _tried_again,
        _WANTS,
    ),
    Check(
        "D53",
        Group.WORK,
        "Every mailbox was read lately",
        "What came since is not on any ticket.",
        "maild mailbox test NAME",
        _fetched,
        _WANTS,
    ),
    Check(
        "D54",
        Group.WORK,
        "No customer waits unnoticed",
        "Every ticket in which a customer waits has an instant at which somebody is told.",
        "maild doctor --fix makes the scheduler look at it",
        _promises,
        _WANTS,
        _make_due,
    ),
    Check(
        "D55",
        Group.WORK,
        "Nothing is leased to a daemon that is gone",
        "It waits for the end of its lease, two minutes at most, or the next start.",
        "start the daemon",
        _leases,
        _WANTS,
        _end_leases,
    ),
    Check(
        "D56",
        Group.WORK,
        "Mails come, and none from the future",
        "Instants ahead of the clock make things happen late, or never.",
        "write a mail to a department's address",
        _last_seen,
        _WANTS,
    ),
)
