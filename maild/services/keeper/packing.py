"""Packing: the bytes of mails that have been there for a while become smaller; see `store.raw`.

Not when a mail is stored, since its sender waits for the 250, nor while it is filed and sent, which reads it several
times. A step packs STEP_BYTES outside of any transaction and then writes them; at a rest between two steps this takes
a twentieth of one processor, and works off the mails of a database that an older maild left.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from maild.store import jobs, raw
from maild.store.engine import Database

log = structlog.get_logger("maild.keeper")

AGE: Final = timedelta(minutes=10)  # until then most mails are filed and sent
PERIOD: Final = timedelta(minutes=5)
STEP_BYTES: Final = 2 << 20
STEP_PIECES: Final = 200


class Packing:
    """Packs the bytes of mails, oldest first; its mark is the last piece that it looked at, `mail.number`."""

    name = "pack"

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def step(self, job: jobs.Job) -> None:
        """Pack a few mebibytes, and write how far it got."""
        now = self._now()
        with self._database.read() as connection:
            found = raw.unpacked(connection, _place(job.mark), now - AGE, STEP_BYTES, STEP_PIECES)
        packed = [(place, raw.pack(piece)) for place, piece in found.items()]
        last = packed[-1][0] if packed else None
        with self._database.write() as connection:
            raw.replace(connection, packed)
            mark = f"{last.mail_id}.{last.number}" if last else None
            jobs.done(connection, job, now if last else now + PERIOD, now, mark)
        if packed:
            before = sum(len(piece) for piece in found.values())
            after = sum(len(each.content) for _, each in packed)
            log.debug("packed", pieces=len(packed), bytes=before, now_bytes=after)


def _place(mark: str | None) -> raw.Place:
    mail_id, _, number = (mark or "0.0").partition(".")
    return raw.Place(int(mail_id), int(number))
