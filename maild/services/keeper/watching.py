"""Watching: what is wrong with the desk is told to the operator by mail, once when it begins and once when it is over.

What can be wrong, and how long it must last before it is told, is said in `rules.troubles`. A trouble that comes and
goes within minutes is one trouble: it is over when it has not been seen for QUIET. What was told is kept in the table
`trouble`, so neither a restart nor a second node tells it again. Mailboxes are told by their poller, which knows more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, delete, insert, select, update

from maild.config import Settings
from maild.outbox import alert
from maild.rules import troubles
from maild.rules.troubles import QUIET, Trouble
from maild.store import jobs, standing
from maild.store.engine import Database
from maild.store.models import TroubleRow

log = structlog.get_logger("maild.keeper")

PERIOD: Final = timedelta(minutes=3)  # between two looks ...
CLOSELY: Final = timedelta(minutes=1)  # ... and as long as something is wrong; must be shorter than QUIET


class Watching:
    """Looks at the desk every few minutes; its mark is not used."""

    name = "watch"

    def __init__(self, database: Database, settings: Settings, now: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._now = now

    def step(self, job: jobs.Job) -> None:
        """Look, and tell what has begun or is over."""
        now = self._now()
        found = standing.standing(self._database, now, counted=False)
        seen = {each.name: each for each in troubles.found(found) if each.told_after is not None}
        with self._database.write() as connection:
            known = {row.name: row for row in connection.execute(select(TroubleRow.__table__))}
            jobs.done(connection, job, now + (CLOSELY if seen or known else PERIOD), now)
            for name, trouble in seen.items():
                row = known.get(name)
                since, told_at = (row.since, row.told_at) if row else (now, None)
                if told_at is None and trouble.told_after is not None and now - since >= trouble.told_after:
                    alert.post(connection, self._settings, *_begun_words(trouble, since), now)
                    told_at = now
                _keep(connection, trouble, since, told_at, now, known=row is not None)
            for name, row in known.items():
                if name not in seen and now - row.seen_at >= QUIET:
                    connection.execute(delete(TroubleRow).where(TroubleRow.name == name))
                    log.info("over", trouble=name, since=row.since)
                    if row.told_at is not None:
                        alert.post(connection, self._settings, *_over_words(row.text, row.since, row.seen_at), now)


def _keep(
    connection: Connection, trouble: Trouble, since: datetime, told_at: datetime | None, now: datetime, *, known: bool
) -> None:
    values = {"text": trouble.text, "since": since, "seen_at": now, "told_at": told_at}
    if known:
        connection.execute(update(TroubleRow).where(TroubleRow.name == trouble.name).values(values))
        return
    connection.execute(insert(TroubleRow).values(name=trouble.name, **values))
    log.warning("trouble", trouble=trouble.name, why=trouble.text, fix=trouble.fix)


def _begun_words(trouble: Trouble, since: datetime) -> tuple[str, str]:
    lines = [
        f"{_sentence(trouble.text)}.",
        "",
        f"Seen since {since:%Y-%m-%d %H:%M} UTC.",
        f"What to do: {trouble.fix}",
        "",
        "maild status shows how the desk stands. There will be one more mail when this is over.",
    ]
    return _subject(trouble.text), "\n".join(lines) + "\n"


def _over_words(text: str, since: datetime, until: datetime) -> tuple[str, str]:
    minutes = round((until - since).total_seconds() / 60)
    lines = [f"This is over: {text}.", "", f"It lasted {minutes} minutes, until {until:%Y-%m-%d %H:%M} UTC."]
    return f"Over: {_subject(text)}", "\n".join(lines) + "\n"


def _subject(text: str) -> str:
    """Return the words up to the first figure in brackets or reason: what is wrong, for a subject."""
    return _sentence(text.partition(" (")[0])[:120]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
