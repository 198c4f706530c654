"""The queue side of the sender: which delivery goes next, from whom, and what is written down of it.

A step claims a few deliveries, hands each to this thread's `Relay` and records what became of them. What was sent is
recorded within RECORD_AFTER_S; if the database is away just then, the records are kept and written first thing in the
next step. A delivery that a crash leaves unrecorded is sent again when its lease is over, with the same Message-ID.

A delivery waits for an older one of its ticket to the same address, so that a conversation arrives in order. It is
parked until that one's next try, and made due as soon as that one has ended.

Several threads help against a relay that lets them wait. Where one needs less than QUICK_S for a mail, what it does is
computing, which threads do in turn: then the others stand aside until it pauses.

Automatic mail to customers leaves from <>, everything else from an address that says which delivery a bounce is about.
"""

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from maild.config import Settings
from maild.message.compose import Unsendable, for_recipient, route
from maild.message.tokens import Keys, bounce_address
from maild.oauth.tokens import Tokens
from maild.rules.retry import SENDING_LASTS, SENDING_WAITS, next_try
from maild.services.sender import queue
from maild.services.sender.queue import Conversation, Letter
from maild.services.sender.relay import IDLE_S, Outcome, Relay, RelayTrouble, Result
from maild.store import queues, raw
from maild.store.engine import Database
from maild.store.models import AttemptRow, DeliveryRow, DeliveryState
from maild.store.passing import is_passing

log = structlog.get_logger("maild.sender")

BATCH: Final = 20  # deliveries of one claim, so that other threads have a share
LARGEST_BATCH: Final = 200  # ... where the relay is so quick that claiming and recording take longer than sending
LEASE: Final = timedelta(minutes=10)  # must exceed STEP_S + relay.MAIL_S
STEP_S: Final = 20.0  # no mail is begun later in a step: the rest of the batch is given back
SMALL_BYTES: Final = 256 << 10  # mails up to this size are fetched together
RECORD_AFTER_S: Final = 0.25
QUICK_S: Final = 0.001  # of a mail: as little as this is spent on computing, not on waiting
PAUSE_S: Final = 1.0  # after a mail: who was quick is held up
STAND_ASIDE_S: Final = 0.1
LONGEST_SLEEP_S: Final = 60.0
BUSY: Final = timedelta(seconds=1)  # another worker has what is due
LOOK_AGAIN: Final = timedelta(minutes=1)  # at what waits for another delivery
UNTOLD_AGAIN: Final = timedelta(hours=1)  # of a failure that could not be told to its author
TROUBLE: Final = "relay: "  # how the words begin that blame the relay, not the recipient
_RECORD: Final = update(DeliveryRow).where(DeliveryRow.id == bindparam("delivery_id"))
_INSERT_ATTEMPT: Final = {  # counted anew after `maild delivery retry`: the older story stays
    "sqlite": sqlite.insert(AttemptRow).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(AttemptRow).on_conflict_do_nothing(),
}


class Desk(Protocol):
    """Who is told of what cannot be delivered: `maild.desk`, or who calls it."""

    def delivery_failed(self, connection: Connection, failures: Mapping[int, str], now: datetime) -> None:
        """Note that deliveries (by id) failed for good, with the server's own words."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a letter, to be recorded."""

    letter: Letter
    result: Result
    again_at: datetime | None = None  # of what is tried again


@dataclass(slots=True)
class _Worker:
    """What each sending thread has for itself."""

    relay: Relay
    at_work: threading.Lock = field(default_factory=threading.Lock)
    unrecorded: list[tuple[queues.Claim, Done]] = field(default_factory=list)
    batch: int = BATCH
    sent_at_s: float = 0.0  # monotonic; when its last mail was over


class Sender:
    """Sends what is due; `step` may be called by several threads at once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        desk: Desk,
        keys: Keys,
        now: Callable[[], datetime],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._settings = settings
        self._desk = desk
        self._keys = keys
        self._now = now
        self._jitter = jitter
        self._tokens = Tokens(database, settings, now)
        self._mine = threading.local()
        self._workers: list[_Worker] = []
        self._quick: _Worker | None = None  # who sends so quickly that others would only be in his way
        self._stopping = threading.Event()
        self._trouble = True  # a start is a recovery: what an earlier run could not send may go now

    def step(self) -> float:
        """Send a batch; return how long there is nothing to do, in seconds."""
        worker = self._worker()
        with worker.at_work:
            if worker.unrecorded:
                self._record(worker)
            if self._stopping.is_set():
                worker.relay.close()
                return LONGEST_SLEEP_S
            if self._stands_aside(worker):
                worker.relay.close_if_idle()
                return STAND_ASIDE_S
            # Whatever made these mails is durable before anybody gets one: filing is not synced by itself.
            claim = queues.claim(self._database, DeliveryRow, self._now(), LEASE, worker.batch, synced=True)
            if not claim:
                self._yield_quick(worker)
                return self._sleep_s(connected=worker.relay.close_if_idle())
            try:
                self._send_all(worker, claim)
            finally:
                self._record(worker)
                if self._stopping.is_set():
                    worker.relay.close()
            return 0.0

    def stop(self) -> None:
        """Let each step end after its present mail, and begin none; what is not begun is given back."""
        self._stopping.set()

    def close(self) -> None:
        """Stop, and close the connections; a thread that is within a step closes its own at the step's end."""
        self.stop()
        for worker in self._workers:
            if worker.at_work.acquire(blocking=False):
                try:
                    worker.relay.close()
                finally:
                    worker.at_work.release()

    def _worker(self) -> _Worker:
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            relay = Relay(self._settings.relay, self._settings.maild.hostname, self._tokens)
            worker = self._mine.worker = _Worker(relay)
            self._workers.append(worker)
        return worker

    def _stands_aside(self, worker: _Worker) -> bool:
        """Return whether another thread sends so quickly that this one would only take its time away."""
        quick = self._quick
        return quick is not None and quick is not worker and time.monotonic() - quick.sent_at_s < PAUSE_S

    def _yield_quick(self, worker: _Worker) -> None:
        if self._quick is worker:
            self._quick = None

    def _pace(self, worker: _Worker, mails: int, took_s: float, *, lost: bool) -> None:
        """Choose how much a thread takes next, and whether it does so alone, by the batch that it has sent."""
        if took_s >= RECORD_AFTER_S:
            worker.batch = BATCH
        elif mails == worker.batch:
            worker.batch = min(2 * worker.batch, LARGEST_BATCH)
        if not lost and took_s < QUICK_S * mails:
            self._quick = worker
        else:
            self._yield_quick(worker)

    def _send_all(self, worker: _Worker, claim: queues.Claim) -> None:
        letters, parked = self._take(claim)
        begun_s = recorded_s = time.monotonic()
        late: dict[Conversation, datetime] = {}  # in which a mail of this batch is to be tried again
        trouble: RelayTrouble | None = None
        raws = self._bytes({letter.mail_id for letter in letters if letter.size_bytes <= SMALL_BYTES})
        for place, letter in enumerate(letters):
            if self._stopping.is_set() or time.monotonic() - begun_s > STEP_S:
                parked |= {each.id: self._now() for each in letters[place:]}
                break
            if letter.conversation in late:
                parked[letter.id] = self._look_again(late[letter.conversation])
                continue
            if trouble is None:
                if letter.mail_id not in raws:
                    raws = {each: raw for each, raw in raws.items() if len(raw) <= SMALL_BYTES}  # one large at a time
                    raws |= self._bytes({letter.mail_id})
                try:
                    result = self._send(worker.relay, letter, raws.get(letter.mail_id, b""))
                except RelayTrouble as found:
                    self._trouble, trouble = True, found
                    log.warning("relay cannot be used", why=str(found), deliveries=len(letters) - place)
                worker.sent_at_s = time.monotonic()
            if trouble is not None:
                result = Result(Outcome.LATER, f"{TROUBLE}{trouble}")
            done = self._judge(letter, result)
            worker.unrecorded.append((claim, done))
            if done.again_at:
                late[letter.conversation] = done.again_at
            if time.monotonic() - recorded_s > RECORD_AFTER_S:
                self._record(worker)
                recorded_s = time.monotonic()
        self._pace(worker, len(letters), time.monotonic() - begun_s, lost=trouble is not None)
        self._park(claim, parked)

    def _take(self, claim: queues.Claim) -> tuple[list[Letter], dict[int, datetime]]:
        """Return the claimed letters that may go now, oldest first, and until when the others wait."""
        with self._database.read() as connection:
            letters = queue.claimed(connection, claim)
            waits = queue.waits(connection, claim)
        blocked = {letter.conversation: self._look_again(waits[letter.id]) for letter in letters if letter.id in waits}
        free = [letter for letter in letters if letter.conversation not in blocked]
        return free, {each.id: blocked[each.conversation] for each in letters if each.conversation in blocked}

    def _look_again(self, at: datetime) -> datetime:
        """Return when to look at a delivery that waits for one due at `at`; soon enough not to be overlooked."""
        now = self._now()
        return min(max(at, now + BUSY), now + LOOK_AGAIN)

    def _send(self, relay: Relay, letter: Letter, raw: bytes) -> Result:
        if not raw:
            return Result(Outcome.FAILED, "the mail's bytes are gone")
        named = self._settings.department(letter.department or "")
        department = named or self._settings.departments[0]
        bounces = bounce_address(self._keys, letter.id, department.address, self._settings.maild.reply_form)
        try:
            recipient = route(letter.recipient)
            copy = for_recipient(raw, letter.reply_to, letter.leave) if letter.reply_to else raw
        except Unsendable as error:
            return Result(Outcome.FAILED, str(error))
        return relay.send("" if letter.from_null else bounces, [recipient], copy, instead=bounces)[recipient]

    def _judge(self, letter: Letter, result: Result) -> Done:
        """Give a result its consequence: when it is tried again, or that it is not."""
        if result.outcome is not Outcome.LATER:
            return Done(letter, result)
        now = self._now()
        tried_since = max(letter.created_at, now - _longest_trying(letter.attempts))
        again_at = next_try(letter.attempts, tried_since, now, self._jitter())
        if again_at is None:
            given_up = f"given up after {letter.attempts} tries in {SENDING_LASTS.days} days: {result.words}"
            return Done(letter, Result(Outcome.FAILED, given_up))
        return Done(letter, result, again_at)

    def _record(self, worker: _Worker) -> None:
        """Write down what became of letters; on return nothing waits to be written."""
        while worker.unrecorded:
            claim = worker.unrecorded[0][0]
            group = [done for of, done in worker.unrecorded if of is claim]
            self._write_or_split(claim, [done for done in group if done.result.outcome is not Outcome.FAILED])
            for done in group:
                if done.result.outcome is Outcome.FAILED:  # each by itself: what the desk does with it may fail
                    self._write_failed(claim, done)
            worker.unrecorded = [each for each in worker.unrecorded if each[0] is not claim]
            if any(done.result.outcome is Outcome.SENT for done in group):
                self._hurry_after_trouble()

    def _write_failed(self, claim: queues.Claim, done: Done) -> None:
        """Record a failure, of which its author is told; where that cannot be done it is tried again later.

        Nothing is sent before all is recorded, so one ticket must not keep the mail of all others here.
        """
        try:
            self._write_or_split(claim, [done])
        except Exception as error:  # an operator's own templates, for one, may fail on what this ticket says
            if is_passing(error):
                raise
            again_at = self._now() + UNTOLD_AGAIN
            log.exception("failure not told to the author", delivery=done.letter.id, next_try=again_at)
            self._write_or_split(claim, [Done(done.letter, Result(Outcome.LATER, done.result.words), again_at)])

    def _write_or_split(self, claim: queues.Claim, group: Sequence[Done]) -> None:
        if not group:
            return
        try:
            with self._database.write() as connection:
                queues.hold(connection, claim.only([done.letter.id for done in group]))
                self._write(connection, group)
        except queues.LeaseLost:
            if len(group) > 1:
                for done in group:
                    self._write_or_split(claim, [done])
                return
            log.warning("delivery was changed meanwhile", delivery=group[0].letter.id, result=group[0].result.outcome)
            return
        for done in group:
            _tell(done)

    def _write(self, connection: Connection, group: Sequence[Done]) -> None:
        now = self._now()
        sent = [_row(done, DeliveryState.SENT, now) for done in group if done.result.outcome is Outcome.SENT]
        later = [_row(done, DeliveryState.QUEUED, now) for done in group if done.result.outcome is Outcome.LATER]
        if rows := sent + later:
            connection.execute(_RECORD, rows)
        tries = [_attempt(done, now) for done in group if done.result.outcome is not Outcome.SENT]
        if tries:
            connection.execute(_INSERT_ATTEMPT[connection.dialect.name], tries)
        failed = {done.letter.id: done.result.words for done in group if done.result.outcome is Outcome.FAILED}
        if failed:
            self._desk.delivery_failed(connection, failed, now)
        queue.unpark(connection, [done.letter for done in group if done.again_at is None], now)

    def _park(self, claim: queues.Claim, until: dict[int, datetime]) -> None:
        """Give claimed deliveries back untried."""
        if not until:
            return
        rows = [
            {
                "delivery_id": each,
                "leased_until": claim.until,
                "due_at": at,
                "attempts": claim.attempts[each] - 1,
            }
            for each, at in until.items()
        ]
        leased = (DeliveryRow.id == bindparam("delivery_id")) & (DeliveryRow.due_at == bindparam("leased_until"))
        with self._database.write() as connection:
            connection.execute(update(DeliveryRow).where(leased), rows)

    def _hurry_after_trouble(self) -> None:
        """A mail got through: what waits long because of the relay alone is due now."""
        if not self._trouble:
            return
        self._trouble = False
        now = self._now()
        with self._database.write() as connection:
            connection.execute(
                update(DeliveryRow)
                .where(
                    DeliveryRow.due_at > now + LEASE,  # what is due earlier may be leased, and comes soon anyway
                    DeliveryRow.state == DeliveryState.QUEUED,
                    DeliveryRow.reply.startswith(TROUBLE),
                )
                .values(due_at=now)
            )

    def _bytes(self, mail_ids: Collection[int]) -> dict[int, bytes]:
        with self._database.read() as connection:
            return raw.of(connection, mail_ids)

    def _sleep_s(self, *, connected: bool) -> float:
        with self._database.read() as connection:
            due_at = queues.next_due(connection, DeliveryRow)
        longest_s = IDLE_S if connected else LONGEST_SLEEP_S
        if due_at is None:
            return longest_s
        return min(max((due_at - self._now()).total_seconds(), BUSY.total_seconds()), longest_s)


def _row(done: Done, state: DeliveryState, now: datetime) -> dict[str, object]:
    ended_at = now if state is DeliveryState.SENT else None
    return {
        "delivery_id": done.letter.id,
        "state": state,
        "due_at": done.again_at,
        "ended_at": ended_at,
        "reply": done.result.words,
    }


def _attempt(done: Done, now: datetime) -> dict[str, object]:
    letter = done.letter
    return {"delivery_id": letter.id, "number": letter.attempts, "at": now, "reply": done.result.words}


def _tell(done: Done) -> None:
    letter, result = done.letter, done.result
    said = {"delivery": letter.id, "to": letter.recipient, "attempt": letter.attempts, "reply": result.words[:200]}
    match result.outcome:
        case Outcome.SENT:
            log.info("sent", **said)
        case Outcome.LATER:
            log.info("not sent yet", **said, next_try=done.again_at)
        case Outcome.FAILED:
            log.warning("not sent", **said)


def _longest_trying(attempts: int) -> timedelta:
    """Return how long that many tries take at most: a queue that nobody served meanwhile was not tried."""
    waits = sum(SENDING_WAITS[: attempts - 1], timedelta())
    return waits * 1.1 + SENDING_WAITS[-1] * 1.1 * max(0, attempts - 1 - len(SENDING_WAITS))
