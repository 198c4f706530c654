"""The filer: mails that are stored become mails on tickets.

    claim a group -> read each (pure) -> is From genuine? -> look up what all of them need, route each -> transaction
    __init__         examining           authenticating      examining                                    writing

A group is all that is due, up to GROUP mails or GROUP_BYTES. Look-ups, inserts and updates are one statement a table
for the whole group; the mails are decided in the order in which they were stored. A group that fails is filed again
one by one, so that a poisoned mail costs only itself; a mail that fails three times is set aside, where an operator
sees it (`maild mail list --state failed`) and can have it tried again.

Nothing here talks to the network but `resolver`, which is asked before any transaction. A crash anywhere rolls back;
the lease ends and the mail is filed again from its bytes. So is one whose filing a power cut takes back: a group is not
synced by itself, but by whoever sends the first mail that it made, before that leaves (`services.sender`). What becomes
of a mail is said in `rules.routing`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import structlog
from sqlalchemy import Connection, bindparam, select, update

from maild.config import Settings
from maild.desk import Desk
from maild.message import reading
from maild.message.address import normalise
from maild.message.parse import parse
from maild.message.reading import Reading
from maild.outbox.held import Questions
from maild.outbox.replies import Replies
from maild.rules import routing
from maild.rules.retry import FILING_WAITS, next_filing
from maild.rules.routing import Action
from maild.services.filer.authenticating import Ask, Authenticator
from maild.services.filer.examining import Examiner
from maild.services.filer.filing import Filing, Inbound, evidence, fetch
from maild.services.filer.guarding import guard_again
from maild.services.filer.requests import Requests
from maild.services.filer.writing import Writer
from maild.store import queues, raw
from maild.store.engine import Database
from maild.store.models import MailRow, MailState
from maild.store.passing import is_collision, is_passing
from maild.templates.replies import Prepared

__all__ = ["Ask", "Authenticator", "Filer", "Filing", "Inbound", "evidence", "fetch"]

log = structlog.get_logger("maild.filer")

GROUP: Final = 200  # mails
GROUP_BYTES: Final = 8 << 20
LEASE: Final = timedelta(minutes=2)  # must exceed the longest time that GROUP_BYTES of mails take ...
FILED_WITHIN: Final = LEASE / 2  # ... which are begun within so long; what is left of the claim is given back
IDLE_S: Final = 30.0  # the bell makes it prompt, this makes it sure
SHORTEST_S: Final = 0.05  # what is due and cannot be claimed is in other hands
PUT_OFF: Final = timedelta(minutes=1)  # of what met a database in trouble
LOOK_AGAIN: Final = timedelta(seconds=1)  # at a mail that waits for another one
MOST_DEATHS: Final = 4  # of a process, one among others and three alone with it: that is no chance
MOST_BEGUN: Final = 30  # times, of a mail that is there when the whole daemon dies: many kills are no fault of it
MOST_UNFILED: Final = 500  # of mails that others are filing, looked through for the ones that are answered ...
AWAITED: Final = timedelta(minutes=5)  # ... and where there are more, an answer so young waits until there are fewer
MOST_OPENED: Final = routing.BURSTS[0][1]  # tickets of one sender in one transaction


_KNOWN: Final = select(MailRow.id, MailRow.size_bytes, MailRow.deaths).where(
    MailRow.id.in_(bindparam("ids", expanding=True))
)


_REHEARSED: Final = b"From: Nobody <nobody@maild.invalid>\r\nSubject: Rehearsal\r\n\r\nThere is no such mail.\r\n"


class Overseer(Protocol):
    """Who is told of the present step before it goes on, and so knows what a death has left behind."""

    def claims(self, until: datetime) -> None:
        """Mails are claimed, whose lease ends `until`."""

    def begins(self, mail_ids: Sequence[int]) -> None:
        """Some of them are being filed."""


class Filer:
    """Files mails, a group at a step."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        desk: Desk,
        known: reading.Known,
        now: Callable[[], datetime],
        senders: Authenticator,
        questions: Questions,
        replies: Replies,
        prepared: Prepared,
        *,
        languages: Iterable[str] = ("en",),
    ) -> None:
        self.overseer: Overseer | None = None
        self.crowded = False  # the last group was as large as may be: more waits
        self._database = database
        self._now = now
        self._senders = senders
        self._examiner = Examiner(settings, known, prepared)
        self._writer = Writer(
            settings, desk, questions, Requests(settings, desk, replies, known.keys, prepared.names), languages
        )

    def step(self) -> float:
        """File one group; return how long there is nothing to do, in seconds."""
        now = self._now()
        if self.overseer is not None:
            self.overseer.claims(now + LEASE)
        claim = queues.claim(self._database, MailRow, now, LEASE, GROUP)
        self.crowded = len(claim.ids) == GROUP
        if not claim:
            return self._idle_s()
        portions = self._portions(claim)
        while portions and self._now() < now + FILED_WITHIN:
            self._file_or_split(portions.pop(0))
        if portions:
            self._give_back_rest(claim, portions, now)
        return 0.0

    def rehearse(self) -> None:
        """Do what is done with every mail but write it, so that no first mail waits for what is made once."""
        now = self._now()
        mails = [Inbound(0, None, (), now, 1, _REHEARSED)]
        with self._database.read() as connection:
            self.examine(connection, mails, self._examiner.read(mails, now), now)

    def _idle_s(self) -> float:
        """Return how long there is nothing to do: mails that wait or are to be tried again ring no bell."""
        with self._database.read() as connection:
            due_at = queues.next_due(connection, MailRow)
        left_s = IDLE_S if due_at is None else (due_at - self._now()).total_seconds()
        return min(max(left_s, SHORTEST_S), IDLE_S)

    def _portions(self, claim: queues.Claim) -> list[queues.Claim]:
        """Cut a claim so that no transaction holds more than GROUP_BYTES, one large mail excepted.

        Mails that processes died of, or may have, come last, each by itself: `_spare`.
        """
        with self._database.read() as connection:
            known = {row.id: row for row in connection.execute(_KNOWN, {"ids": claim.ids})}
        portions: list[list[int]] = []
        room = 0
        suspects = self._spare(claim, {mail_id: row.deaths for mail_id, row in known.items()})
        for mail_id in sorted(set(claim.ids) - suspects.keys()):
            size = known[mail_id].size_bytes if mail_id in known else 0
            if not portions or size > room:
                portions.append([])
                room = GROUP_BYTES
            portions[-1].append(mail_id)
            room -= size
        begun = [mail_id for mail_id, is_begun in suspects.items() if is_begun]
        return [claim.only(ids) for ids in (*portions, *([each] for each in begun))]

    def _spare(self, claim: queues.Claim, deaths: Mapping[int, int]) -> dict[int, bool]:
        """Return which mails of a claim may have killed a process, the most suspect last, and whether they are begun.

        Where the daemon saw the death it knows which mails were begun: each of them is filed by itself, so that the
        guilty one is the only one that is begun when it kills again, and after MOST_DEATHS it is set aside. Where the
        whole daemon died nobody knows more than that a mail was claimed more often than it may fail. Of those one is
        begun and the others are given back untried; after MOST_BEGUN it is set aside.
        """
        seen = sorted((each for each in claim.ids if deaths.get(each)), key=lambda each: (deaths[each], each))
        unseen = sorted(each for each in claim.ids if claim.attempts[each] > len(FILING_WAITS) and each not in seen)
        guilty = [each for each in seen if deaths[each] >= MOST_DEATHS]
        guilty += [each for each in unseen if claim.attempts[each] > MOST_BEGUN]
        spared = [each for each in unseen if each not in guilty][1:]
        if guilty or spared:
            with self._database.write() as connection:
                _give_back(connection, claim, dict.fromkeys(spared, self._now()))
                _set_aside(connection, claim, {each: deaths.get(each) or claim.attempts[each] - 1 for each in guilty})
        return {each: each not in guilty and each not in spared for each in (*seen, *unseen)}

    def _file_or_split(self, claim: queues.Claim) -> None:
        try:
            self._file(claim)
        except queues.LeaseLost:
            if len(claim.ids) == 1:
                log.warning("lease lost, another worker files this mail", mail=claim.ids[0])
                return
            # Some may have been changed by hand, or claimed by another; the others must not wait for their lease.
            with self._database.read() as connection:
                ours = queues.still_held(connection, claim)
            log.warning("lease lost, another worker files these mails", mails=len(claim.ids) - len(ours.ids))
            for some in [ours] if len(ours.ids) < len(claim.ids) else [claim.only([each]) for each in claim.ids]:
                if some.ids:
                    self._file_or_split(some)
        except Exception as error:
            if is_passing(error) and not (len(claim.ids) > 1 and is_collision(error)):
                self._put_off(claim)
                log.exception("the database is in trouble, mails wait", mails=len(claim.ids))
                return
            if len(claim.ids) == 1:
                again = self._set_back(claim)
                log.exception("filing failed", mail=claim.ids[0], next_try=again or "never: set aside")
                return
            log.exception("group failed, its mails are filed one by one", mails=len(claim.ids))
            for mail_id in claim.ids:
                self._file_or_split(claim.only([mail_id]))

    def _give_back_rest(self, claim: queues.Claim, portions: Sequence[queues.Claim], due_at: datetime) -> None:
        """Let others file what is left of a claim, before the lease runs out."""
        rest = [mail_id for part in portions for mail_id in part.ids]
        with self._database.write() as connection:
            _give_back(connection, claim, dict.fromkeys(rest, due_at))
        log.warning("mails take long to file, the rest is given back", mails=len(rest))

    def _put_off(self, claim: queues.Claim) -> None:
        """Have mails tried again soon, uncounted: what stood in the way is no fault of theirs."""
        again = self._now() + PUT_OFF
        with self._database.write() as connection:
            _give_back(connection, claim, dict.fromkeys(claim.ids, again))

    def _set_back(self, claim: queues.Claim) -> datetime | None:
        """Have a mail that failed tried again later, or set it aside where an operator finds it; return when."""
        mail_id = claim.ids[0]
        attempts = claim.attempts[mail_id]
        again = next_filing(attempts, self._now())
        state = MailState.STORED if again else MailState.FAILED
        reason = f"filing failed {attempts} times; see the log, then: maild mail retry {mail_id}"
        with self._database.write() as connection:
            queues.hold(connection, claim)
            connection.execute(
                update(MailRow).where(MailRow.id == mail_id).values(due_at=again, state=state, reason=reason)
            )
        return again

    def _file(self, claim: queues.Claim) -> None:
        now = self._now()
        if self.overseer is not None:
            self.overseer.begins(claim.ids)
        mails = fetch(self._database, claim.ids)
        readings = self.read(mails, now)
        with self._database.read() as connection:
            # Before anything else is looked up: what is filed by another just then is found by the look-ups.
            answering = any(each.clues.message_ids for each in readings)
            elsewhere = _unfiled(connection, claim.ids) if answering else _Unfiled({}, is_all=True)
            filings, later = _independent(self.examine(connection, mails, readings, now))
        filings, waiting = _in_order(filings, elsewhere, now)
        foresight = self._writer.prepare(self._database, filings, now)
        with self._database.write(synced=False) as connection:  # a power cut has them filed again; see the docstring
            _give_back(connection, claim, waiting)
            if filings:
                queues.hold(connection, claim.only([filing.mail.id for filing in filings]))
                guard_again(connection, filings)
                self._writer.write(connection, filings, now, foresight)
        said = log.bind()  # once: each line would do it anew
        for filing in filings:
            said.info(
                filing.route.action.value,
                mail=filing.mail.id,
                ticket=filing.ticket if isinstance(filing.ticket, int) else "-",
                kind=filing.reading.kind.value,
                why=filing.route.reason,
            )
        if later:
            self._file_or_split(claim.only([filing.mail.id for filing in later]))

    def read(self, mails: Sequence[Inbound], now: datetime) -> list[Reading]:
        """Return what `mails` say, and whether their From is genuine; may wait for the DNS, so in no transaction."""
        return self._senders.check(mails, self._examiner.read(mails, now))

    def examine(
        self, connection: Connection, mails: Sequence[Inbound], readings: Sequence[Reading], now: datetime
    ) -> list[Filing]:
        """Return what would become of `mails`, of which `readings` are known; nothing is written."""
        return self._examiner.examine(connection, mails, readings, now)


def _independent(filings: Sequence[Filing]) -> tuple[list[Filing], list[Filing]]:
    """Part a group into the mails that can be filed now, and those that must see the others filed first.

    A mail waits if it answers one of this very group, if it is an agent's answer on a ticket on which something else
    is said, or if its sender has opened as many tickets in it as he may at once.
    """
    now: list[Filing] = []
    later: list[Filing] = []
    seen: set[str] = set()
    spoken: set[object] = set()  # tickets on which something is said
    opened: dict[str, int] = {}
    for filing in filings:  # the first one never waits, so each round files something
        sender = normalise(filing.reading.writer.address)
        opens = filing.route.action is Action.OPEN
        if filing.route.action is Action.ANSWER and filing.ticket in spoken:
            later.append(filing)  # the guard against collisions must see what was said before
            continue
        spoken.add(filing.ticket)
        refers = not seen.isdisjoint(filing.reading.clues.message_ids)
        seen.add(filing.reading.message.message_id)
        if opens and (refers or opened.get(sender, 0) >= MOST_OPENED):
            later.append(filing)
            continue
        opened[sender] = opened.get(sender, 0) + opens
        now.append(filing)
    return now, later


class _Unfiled(NamedTuple):
    """Mails that others file, or that are tried again."""

    named: Mapping[str, tuple[int, datetime]]  # by Message-ID: id, and when due
    is_all: bool  # False: there are more than were looked at


def _in_order(
    filings: Sequence[Filing], elsewhere: _Unfiled, now: datetime
) -> tuple[list[Filing], dict[int, datetime]]:
    """Part off the mails that answer an older one that is not filed yet, each with when to look at it again.

    Filed first they would open a ticket beside the one that their conversation is about to get.
    """
    free: list[Filing] = []
    waiting: dict[int, datetime] = {}
    for filing in filings:
        ids = filing.reading.clues.message_ids
        named = [elsewhere.named[each] for each in ids if each in elsewhere.named]
        awaited = [due_at for mail_id, due_at in named if mail_id < filing.mail.id]  # so none waits for each other
        if ids and not elsewhere.is_all and filing.mail.stored_at > now - AWAITED:
            awaited.append(now)
        if filing.route.action is Action.OPEN and awaited:
            leased = max(awaited) <= now + LEASE  # most likely by another worker, which is done at once
            waiting[filing.mail.id] = (now if leased else max(awaited)) + LOOK_AGAIN
            log.info("waits for the mail that it answers", mail=filing.mail.id, until=waiting[filing.mail.id])
        else:
            free.append(filing)
    return free, waiting


def _unfiled(connection: Connection, claimed: Sequence[int]) -> _Unfiled:
    """Return the older mails that others file, or that are tried again, the newest of them.

    Also those that seem to be free: another worker may be about to claim them.
    """
    rows = connection.execute(
        select(MailRow.id, MailRow.due_at)
        .where(MailRow.due_at.is_not(None), MailRow.id < max(claimed), MailRow.id.not_in(claimed))
        .order_by(MailRow.id.desc())
        .limit(MOST_UNFILED + 1)
    ).all()
    is_all, rows = len(rows) <= MOST_UNFILED, rows[:MOST_UNFILED]
    heads = raw.heads(connection, [row.id for row in rows])
    found = ((parse(heads.get(row.id, b"")).message_id, row.id, row.due_at) for row in rows)
    return _Unfiled({message_id: (mail_id, due_at) for message_id, mail_id, due_at in found if message_id}, is_all)


def _give_back(connection: Connection, claim: queues.Claim, until: Mapping[int, datetime]) -> None:
    """Give mails back untried until then."""
    for mail_id, due_at in until.items():
        connection.execute(
            update(MailRow)
            .where(MailRow.id == mail_id, MailRow.due_at == claim.until)
            .values(due_at=due_at, attempts=claim.attempts[mail_id] - 1)
        )


def _set_aside(connection: Connection, claim: queues.Claim, begun: Mapping[int, int]) -> None:
    """Set mails aside that were begun too often, where an operator finds them."""
    for mail_id, count in begun.items():
        reason = f"filing was begun {count} times and never ended: maild died of it; then: maild mail retry {mail_id}"
        connection.execute(
            update(MailRow)
            .where(MailRow.id == mail_id, MailRow.due_at == claim.until)
            .values(due_at=None, state=MailState.FAILED, reason=reason)
        )
        log.error("set aside", mail=mail_id, begun=count)
