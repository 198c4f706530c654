"""What is done every so often, by one node at a time: a row of the queue `job` for each, found by its name.

Whoever claims a job leases it, does its work, and writes with `done` when it is due again and how far it got (`mark`,
which only the job understands), in the transaction of the work itself. A crash in between leaves the lease to end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from maild.store import queues
from maild.store.engine import Database
from maild.store.models import JobRow
from maild.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is ours until its lease ends."""

    name: str
    claim: queues.Claim
    mark: str | None  # how far it got
    done_at: datetime | None  # when it was last done


def claim(database: Database, name: str, now: datetime, lease: timedelta) -> Job | None:
    """Return the job of that name if it is due and ours now; one that was never done is due at once."""
    wanted = select(JobRow.id, JobRow.due_at, JobRow.mark, JobRow.done_at).where(JobRow.name == name)
    with database.read() as connection:
        row = connection.execute(wanted).one_or_none()
    if row is not None and (row.due_at is None or row.due_at > now):
        return None
    until = now + lease
    with database.write() as connection:
        if row is None:
            connection.execute(
                upsert(connection, JobRow).values(name=name, due_at=now, attempts=0).on_conflict_do_nothing()
            )
        row = connection.execute(wanted.where(JobRow.due_at <= now).with_for_update(skip_locked=True)).one_or_none()
        if row is None:
            return None
        leased = update(JobRow).where(JobRow.id == row.id).values(due_at=until, attempts=JobRow.attempts + 1)
        attempts = connection.scalars(leased.returning(JobRow.attempts)).one()
    return Job(name, queues.Claim(JobRow, (row.id,), {row.id: attempts}, until), row.mark, row.done_at)


def done(connection: Connection, job: Job, again_at: datetime | None, now: datetime, mark: str | None = None) -> None:
    """Write that a job is done, when it is due again, and how far it got; `mark` None leaves that as it is.

    Raises:
        LeaseLost: another node does the job; the caller's transaction must be rolled back.
    """
    queues.hold(connection, job.claim)
    values = {"due_at": again_at, "done_at": now, "attempts": 0, "mark": job.mark if mark is None else mark}
    connection.execute(update(JobRow).where(JobRow.id == job.claim.ids[0]).values(**values))


def note(connection: Connection, name: str, now: datetime) -> None:
    """Remember that something was done that nobody is to do again by itself."""
    noted = upsert(connection, JobRow).values(name=name, due_at=None, attempts=0, done_at=now)
    connection.execute(noted.on_conflict_do_update(index_elements=["name"], set_={"done_at": now, "due_at": None}))


def differs(connection: Connection, name: str, mark: str, now: datetime) -> bool:
    """Remember how something stands; return whether it stood otherwise when that was last remembered."""
    if connection.scalar(select(JobRow.mark).where(JobRow.name == name)) == mark:
        return False
    note(connection, name, now)
    connection.execute(update(JobRow).where(JobRow.name == name).values(mark=mark))
    return True


def next_due(connection: Connection, name: str) -> datetime | None:
    """Return when a job is due, None if it is not known or never due."""
    return connection.scalar(select(JobRow.due_at).where(JobRow.name == name))
