"""Reconciliation: the folder against the store, once a day.

What should be impossible is looked for all the same: a mail in the folder, from maild's time, that is not in the
store. Mails are compared by Message-ID, which costs little; one that the store does not know, or knows less often
than the folder has it, is fetched whole, and its identity decides. Mails that are stored and should have been
marked, moved or deleted are given to that again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select

from maild.config.connections import Mailbox
from maild.message.parse import parse
from maild.services.imap_poller.connection import Connection, Seen
from maild.services.imap_poller.fetching import Fetcher
from maild.services.imap_poller.progress import Missed, State
from maild.store.engine import Database
from maild.store.models import MailRow

log = structlog.get_logger("maild.imap")

OVERLAP: Final = timedelta(days=2)
CHUNK: Final = 100  # mails that are compared in one step


class Reconciler:
    """One comparison, in steps."""

    def __init__(
        self,
        database: Database,
        mailbox: Mailbox,
        fetcher: Fetcher,
        apply: Callable[[Connection, Sequence[int]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._mailbox = mailbox
        self._fetcher = fetcher
        self._apply = apply
        self._now = now
        self._uids: list[int] | None = None
        self._compared = 0
        self._found = 0

    def step(self, connection: Connection, state: State) -> bool:
        """Compare some mails; return whether more are left. What cannot be fetched is added to `state.missed`."""
        if self._uids is None:
            since = (state.reconciled_at or state.started_at or self._now()) - OVERLAP
            uids = connection.uids_since(since.date())
            self._uids = [uid for uid in uids if uid <= state.last_uid and uid not in state.missed]
        chunk, self._uids = self._uids[:CHUNK], self._uids[CHUNK:]
        if chunk:
            self._compare(connection, chunk, state)
        if not self._uids:
            log.info("reconciled", mailbox=self._mailbox.name, compared=self._compared, found=self._found)
        return bool(self._uids)

    def _compare(self, connection: Connection, chunk: Sequence[int], state: State) -> None:
        heads = connection.heads(chunk)
        ids: dict[int, str] = {}
        for uid, (head, came_at) in heads.items():
            if self._fetcher.is_wanted(uid, Seen(0, came_at), state):
                ids[uid] = parse(head).message_id
        self._compared += len(ids)
        stored = self._stored(set(ids.values()))
        here = Counter(ids.values())
        unknown = [uid for uid, message_id in ids.items() if not message_id or stored[message_id] < here[message_id]]
        for uid in unknown:
            batch = self._fetcher.take(connection, [uid], connection.look_at([uid], dates=True), state)
            self._found += batch.new
            self._apply(connection, batch.stored)
            if batch.missed:
                state.missed[uid] = Missed(0, self._now()).next(self._now())
        if self._mailbox.after != "keep":
            done = sorted(set(ids) - set(unknown))
            self._apply(connection, done)

    def _stored(self, message_ids: set[str]) -> Counter[str]:
        with self._database.read() as connection:
            rows = connection.execute(
                select(MailRow.message_id, func.count())
                .where(MailRow.message_id.in_(message_ids - {""}))
                .group_by(MailRow.message_id)
            ).all()
        return Counter({message_id: count for message_id, count in rows if message_id})
