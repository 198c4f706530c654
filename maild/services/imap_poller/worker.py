"""One folder's worker: what is done next, and what is done about trouble.

    lease -> connect, log in, open -> (batch)* -> missed ones -> reconciliation -> IDLE or a pause -> look again

A step does one of these and returns, so that stopping is prompt and the lease is renewed. Any trouble closes the
connection, is recorded, and is followed by a pause that doubles; a mail that brings the connection down again and
again is found by smaller and smaller batches, put aside, and tried again later, while the others come in.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from maild.config import Settings
from maild.config.connections import Mailbox
from maild.oauth.tokens import Tokens
from maild.services.imap_poller import progress
from maild.services.imap_poller.connection import Connection, Seen, Selected
from maild.services.imap_poller.fetching import BATCH_MAILS, LOOK_MAILS, Batch, Fetcher, Submit, apply, newest
from maild.services.imap_poller.login import log_in
from maild.services.imap_poller.progress import Missed, Progress
from maild.services.imap_poller.reconciling import Reconciler
from maild.services.imap_poller.trouble import Step, Trouble
from maild.services.imap_poller.wire import Pace, Watchdog
from maild.store import queues
from maild.store.engine import Database

log = structlog.get_logger("maild.imap")

LOOK_AGAIN_S: Final = 30.0  # at a folder that another node has
RENEW_S: Final = 60.0  # must be far below progress.LEASE
LIVED_S: Final = 60.0  # a session that lasted so long may be ended by the server: no trouble, it is begun anew
POISON_TRIES: Final = 3
TELL_EVERY_S: Final = 10.0  # how often progress with many mails is logged
OLD_LOOKED_AT: Final = 50  # of the mails that are left alone: enough to know when the last one came


class Worker:
    """Reads one folder of one mailbox; `step` is called by one thread, the rest by others."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        mailbox: Mailbox,
        submit: Submit,
        now: Callable[[], datetime],
        watchdog: Watchdog,
        pace: Pace,
        posted: Callable[[], None] = lambda: None,
    ) -> None:
        self._posted = posted
        self._database = database
        self._settings = settings
        self._mailbox = mailbox
        self._folder = mailbox.folder
        self._now = now
        self._watchdog = watchdog
        self._pace = pace
        self._tokens = Tokens(database, settings, now)
        self._fetcher = Fetcher(mailbox, submit, self._beat)
        self._log = log.bind(mailbox=mailbox.name)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # of the connection's place, not of the connection
        self._connection: Connection | None = None
        self._progress: Progress | None = None
        self._uids: list[int] = []  # what is to be fetched, ascending
        self._seen: dict[int, Seen] = {}
        self._mails = 0
        self._opened_s = 0.0
        self._can_idle = False
        self._batch_mails = BATCH_MAILS
        self._tried: dict[int, int] = {}  # how often the connection broke at a mail that was fetched alone
        self._at: list[int] = []  # what is being fetched
        self._unsettled: Batch | None = None  # fetched before that, and being stored
        self._complaint: Trouble | None = None
        self._undone: list[int] = []  # stored, and not yet marked, moved or deleted: the server refused
        self._refusals = 0
        self._catch_up_at = now()
        self._reconciler: Reconciler | None = None
        self._broken_comparisons = 0
        self._told_s = self._entered_s = 0.0
        self._fetched = 0
        self.alive_s = time.monotonic()  # when something was last done: nothing takes longer than its deadline

    def step(self) -> float:
        """Do the next thing; return how long there is nothing to do, in seconds."""
        self.alive_s = time.monotonic()
        if self._progress is None:
            found = progress.claim(self._database, self._mailbox.name, self._folder, self._now, self._posted)
            if isinstance(found, timedelta):
                return min(max(found.total_seconds(), 0.05), LOOK_AGAIN_S)
            self._progress = found
        try:
            return self._work(self._progress)
        except queues.LeaseLost:
            self._log.warning("another node reads this mailbox now")
            self._hang_up()
            self._progress = None
            return 1.0
        except Trouble as trouble:
            self._hang_up()
            return 1.0 if self._stopping.is_set() else self._suffer(self._progress, trouble)

    def _beat(self) -> None:
        """Show that a long step goes on, and keep the lease.

        Raises:
            LeaseLost: another worker has the folder.
        """
        self.alive_s = time.monotonic()
        if self._progress is not None and self.alive_s - self._progress.written_s > RENEW_S:
            self._progress.save()

    def stop(self) -> None:
        """Have the present step end: at once if it only waits."""
        self._stopping.set()
        with self._lock:
            if self._connection is not None and self._connection.waiting:
                self._connection.interrupt()

    def interrupt(self) -> None:
        """Have the present step fail now, whatever it is at; nothing is lost."""
        self._stopping.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()

    def leave(self) -> None:
        """Say good-bye, and let another worker have the folder; only after the last step."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._progress is not None:
            self._progress.give_back()
            self._progress = None

    def _work(self, mine: Progress) -> float:
        connection = self._connection or self._enter(mine)
        if time.monotonic() - self._opened_s > self._pace.reopen_s:
            self._settle(connection, mine)
            self._open(connection, mine)
        if not self._uids:
            if not self._can_idle:
                connection.nothing()
            self._uids = connection.uids_after(mine.state.last_uid, self._mails)
        if self._uids:
            self._fetch(connection, mine)
            return 0.0
        if self._fetch_missed(connection, mine) or self._catch_up(connection) or self._reconcile(connection, mine):
            return 0.0
        self._tell(0)
        if self._stopping.is_set():
            self._renew(mine)
            return 1.0
        if self._can_idle and mine.may_wait(self._pace.save_s):  # the filer is writing what was fetched just now
            connection.wait(self._pace.save_s)
            return 0.0
        self._renew(mine)
        if not self._can_idle:
            return self._pace.poll_s
        connection.wait(self._pace.idle_s)
        return 0.0

    def _enter(self, mine: Progress) -> Connection:
        """Return a connection with the folder open."""
        connection = Connection(self._mailbox, self._watchdog, self._pace)
        with self._lock:
            self._connection = connection
        if self._stopping.is_set():
            raise Trouble(Step.CONNECT, "stopped")
        connection.open()
        log_in(connection, self._mailbox, self._tokens)
        self._can_idle = connection.can("IDLE")
        self._entered_s = time.monotonic()
        self._open(connection, mine)
        self._log.info("connected", host=self._mailbox.host, folder=self._folder, idle=self._can_idle)
        return connection

    def _open(self, connection: Connection, mine: Progress) -> None:
        opened = connection.open_folder(self._folder, to_write=self._mailbox.after != "keep")
        self._opened_s = time.monotonic()
        self._mails = opened.mails
        self._uids, self._seen, self._unsettled = [], {}, None
        state = mine.state
        if state.uid_validity == opened.uid_validity:
            return
        self._reconciler = None
        if state.uid_validity is None:
            self._begin(connection, mine, opened)
            return
        self._undone = []
        # RFC 3501 2.3.1.1: the numbers mean other mails now. All are fetched again, and recognised by what they are.
        self._log.warning("the folder was renumbered, its mails are compared with the store", mails=opened.mails)
        mine.save(uid_validity=opened.uid_validity, last_uid=0, old_uid=opened.uid_next - 1, missed={})

    def _begin(self, connection: Connection, mine: Progress, opened: Selected) -> None:
        """Write down at first contact what was there before us."""
        leave_alone = self._mailbox.start == "now"
        # What came since the folder was opened, a moment ago, is new.
        uids = connection.uids_after(0, opened.mails)[: opened.mails]
        old_uid = max(uids[-1] if uids else 0, opened.uid_next - 1)
        if leave_alone:
            uids = uids[-OLD_LOOKED_AT:]
        came: list[Seen] = []
        for start in range(0, len(uids), LOOK_MAILS):
            self.alive_s = time.monotonic()
            came += connection.look_at(uids[start : start + LOOK_MAILS], dates=True).values()
        now = self._now()
        mine.save(
            uid_validity=opened.uid_validity,
            last_uid=old_uid if leave_alone else 0,
            old_uid=old_uid,
            old_until=(newest(came) or now) if uids else None,
            started_at=now,
            reconciled_at=now,
        )
        what = "left alone" if leave_alone else f"taken as start = {str(self._mailbox.start)!r} says, silently"
        self._log.info("first contact", folder=self._folder, mails=opened.mails, old=what)

    def _fetch(self, connection: Connection, mine: Progress) -> None:
        """Fetch one batch, and settle the one before, which was stored meanwhile."""
        self._at = self._uids[: min(self._batch_mails, BATCH_MAILS)]
        self._look(connection, self._uids, mine)
        uids = self._at = self._fetcher.choose(self._at, self._seen)
        if len(uids) == 1:  # it may have to be put aside, and then all before it must be done
            self._settle(connection, mine)
        broken = self._tried.get(uids[0], 0) if len(uids) == 1 else 0
        batch = self._fetcher.begin(connection, uids, self._seen, mine.state, otherwise=broken % 2 == 1)
        self._at = []
        self._settle(connection, mine)
        self._unsettled = batch
        self._uids = self._uids[len(uids) :]
        for uid in uids:
            self._seen.pop(uid, None)
            self._tried.pop(uid, None)
        self._batch_mails = min(self._batch_mails * 2, BATCH_MAILS)
        if not self._uids or self._batch_mails < BATCH_MAILS or self._stopping.is_set():
            self._settle(connection, mine)

    def _settle(self, connection: Connection, mine: Progress) -> None:
        """Wait until the batch before is stored, do with it what `after` says, and only then count it as read."""
        batch, self._unsettled = self._unsettled, None
        if batch is None:
            return
        self._fetcher.finish(batch)
        self._apply(connection, batch.stored)
        mine.state.missed |= {uid: Missed(0, self._now()).next(self._now()) for uid in batch.missed}
        mine.state.last_uid = max(mine.state.last_uid, batch.uids[-1])
        self._done(batch)
        mine.moved()
        if self._stopping.is_set() or (self._uids and mine.lags(self._pace.save_s)):
            self._renew(mine)

    def _renew(self, mine: Progress) -> None:
        mine.renew(self._settings, self._mailbox.name, self._complaint)

    def _look(self, connection: Connection, uids: Sequence[int], mine: Progress) -> None:
        """Ask for the sizes of what comes next, and for dates where they decide something."""
        if all(uid in self._seen for uid in self._at):
            return
        count = LOOK_MAILS if self._batch_mails == BATCH_MAILS else len(self._at)
        some = [uid for uid in uids[:count] if uid not in self._seen]
        self._seen |= connection.look_at(some, dates=some[0] <= mine.state.old_uid)

    def _done(self, batch: Batch) -> None:
        if batch.missed:
            self._log.warning("not given by the server, tried again later", uids=batch.missed[:20])
        self._fetched += len(batch.stored)
        if time.monotonic() - self._told_s > TELL_EVERY_S:
            self._tell(len(self._uids))

    def _tell(self, left: int) -> None:
        if self._fetched:
            self._log.info("fetched", folder=self._folder, mails=self._fetched, left=left)
            self._fetched = 0
        self._told_s = time.monotonic()

    def _apply(self, connection: Connection, uids: Sequence[int]) -> None:
        try:
            apply(connection, self._mailbox, uids)
        except Trouble as trouble:
            if not trouble.refused:
                raise
            # The mails are safe with us, and those behind them must not wait: it is told, and tried again later.
            self._complaint = Trouble(trouble.step, trouble.words, "check after and move_to in [[mailbox]]")
            self._undone = sorted({*self._undone, *uids})
            self._log.warning("stored, but the server refuses what is to be done then", why=trouble.words)
        else:
            self._undone = sorted(set(self._undone) - set(uids))
            if not self._undone:
                self._complaint, self._refusals = None, 0

    def _catch_up(self, connection: Connection) -> bool:
        """Do again what the server refused to do with stored mails, if it is time to; return whether some is done."""
        now = self._now()
        if not self._undone or now < self._catch_up_at:
            return False
        self._refusals += 1
        self._catch_up_at = now + timedelta(seconds=min(self._pace.poll_s * 2 ** min(self._refusals, 6), 3600))
        left = len(self._undone)
        self._apply(connection, self._undone[:BATCH_MAILS])
        if len(self._undone) == left:
            return False
        self._catch_up_at = now
        return True

    def _fetch_missed(self, connection: Connection, mine: Progress) -> bool:
        """Try one mail again that could not be fetched; return whether there was one."""
        now = self._now()
        due = [uid for uid, each in mine.state.missed.items() if each.again_at <= now]
        if not due:
            return False
        uid = due[0]
        mine.save(missed={**mine.state.missed, uid: mine.state.missed[uid].next(now)})  # counted before it is tried
        seen = connection.look_at([uid], dates=True)
        if uid in seen:
            tries = mine.state.missed[uid].tries
            batch = self._fetcher.take(connection, [uid], seen, mine.state, otherwise=tries % 2 == 0)
            self._apply(connection, batch.stored)
            self._done(batch)
            over = not batch.missed
        else:
            over = not connection.has(uid)
        if over:
            mine.save(missed={each: missed for each, missed in mine.state.missed.items() if each != uid})
        return True

    def _reconcile(self, connection: Connection, mine: Progress) -> bool:
        """Compare some of the folder with the store, if it is time to; return whether there was something to do."""
        if self._reconciler is None:
            since = mine.state.reconciled_at
            if since is not None and (self._now() - since).total_seconds() < self._pace.reconcile_s:
                return False
            self._reconciler = self._comparison()
        if self._reconciler.step(connection, mine.state):
            mine.save(missed=mine.state.missed)
            return True
        self._reconciler, self._broken_comparisons = None, 0
        mine.save(reconciled_at=self._now(), missed=mine.state.missed)
        return False

    def _comparison(self) -> Reconciler:
        return Reconciler(self._database, self._mailbox, self._fetcher, self._apply, self._now)

    def _suffer(self, mine: Progress, trouble: Trouble) -> float:
        """Record trouble, and return how long to leave the mailbox alone."""
        lived_s = time.monotonic() - self._entered_s
        if trouble.step is Step.WAIT and lived_s > LIVED_S and not trouble.wait_s:
            self._log.info("the server ended the session", why=trouble.words)
            return self._pace.first_pause_s / 5
        pause_s = max(progress.pause_s(mine.state.attempts, self._pace), trouble.wait_s)
        at, self._at = self._at, []
        if self._reconciler is not None:
            self._give_up_comparing(mine)
        if trouble.step is Step.FETCH and at and not trouble.wait_s:  # too much is asked for, no mail is at fault
            self._narrow(mine, at, trouble)
            pause_s = min(pause_s, self._pace.first_pause_s)
        self._log.warning("cannot be read", why=str(trouble), fix=trouble.fix, next_try_s=round(pause_s))
        try:
            mine.fail(self._settings, self._mailbox.name, trouble, pause_s)
        except queues.LeaseLost:
            self._log.warning("another node reads this mailbox now")
        self._progress = None  # not before: what cannot be recorded leaves the folder ours, to go on with
        return pause_s

    def _give_up_comparing(self, mine: Progress) -> None:
        """The connection broke during the comparison: begin it anew, and if that is no use leave it for a day."""
        self._reconciler = None
        self._broken_comparisons += 1
        if self._broken_comparisons >= POISON_TRIES:
            self._broken_comparisons = 0
            self._log.error("the folder cannot be compared with the store, tried again in a day")
            mine.save(reconciled_at=self._now())

    def _narrow(self, mine: Progress, at: Sequence[int], trouble: Trouble) -> None:
        """The connection broke while these were fetched: take fewer at a time, and put the culprit aside."""
        self._batch_mails = max(1, len(at) // 10)
        if len(at) > 1:
            return
        uid = at[0]
        self._tried[uid] = self._tried.get(uid, 0) + 1
        if self._tried[uid] < POISON_TRIES:
            return
        self._tried.pop(uid)
        self._log.error("a mail cannot be fetched, it is put aside and tried again later", uid=uid, why=str(trouble))
        missed = {**mine.state.missed, uid: Missed(1, self._now()).next(self._now())}
        mine.save(last_uid=max(mine.state.last_uid, uid), missed=missed)

    def _hang_up(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
        self._uids, self._seen, self._unsettled = [], {}, None
