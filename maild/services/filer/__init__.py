"""The filer: mails that are stored become mails on tickets.

    claim a group -> read each (pure) -> is From genuine? -> look up what all of them need, route each -> transaction
    __init__         examining           authenticating      examining                                    writing

A group is all that is due, up to GROUP mails or GROUP_BYTES. Look-ups, inserts and updates are one statement a table
for the whole group; the mails are decided in the order in which they were stored. A group that fails is filed again
one by one, so that a poisoned mail costs only itself; a mail that fails three times is set aside, where an operator
sees it (`maild mail list --state failed`) and can have it tried again.

Nothing here talks to the network but `resolver`, which is asked before any transaction. A crash anywhere rolls back;
the lease ends and the mail is filed again from its bytes. What becomes of a mail is said in `rules.routing`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, select, update

from maild.config import Settings
from maild.desk import Desk
from maild.message import reading
from maild.message.address import normalise
from maild.message.parse import parse
from maild.message.reading import Reading
from maild.outbox.held import Questions
from maild.outbox.replies import Replies
from maild.rules import routing
from maild.rules.retry import next_filing
from maild.rules.routing import Action
from maild.services.filer.authenticating import Ask, Authenticator
from maild.services.filer.examining import Examiner
from maild.services.filer.filing import Filing, Inbound, evidence, fetch
from maild.services.filer.requests import Requests
from maild.services.filer.writing import Writer
from maild.store import queries, queues
from maild.store.engine import Database
from maild.store.models import MailRow, MailState

__all__ = ["Ask", "Authenticator", "Filer", "Filing", "Inbound", "evidence", "fetch"]

log = structlog.get_logger("maild.filer")

GROUP: Final = 100  # mails
GROUP_BYTES: Final = 8 << 20
LEASE: Final = timedelta(minutes=2)  # must exceed the longest time that a group takes
IDLE_S: Final = 30.0  # the bell makes it prompt, this makes it sure
MOST_UNFILED: Final = 500  # of mails that others are filing, looked through for the ones that are answered
MOST_OPENED: Final = routing.BURSTS[0][1]  # tickets of one sender in one transaction


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
        *,
        languages: Iterable[str] = ("en",),
    ) -> None:
        self._database = database
        self._now = now
        self._senders = senders
        self._examiner = Examiner(settings, known)
        self._writer = Writer(settings, desk, questions, Requests(settings, desk, replies), languages)

    def step(self) -> float:
        """File one group; return how long there is nothing to do, in seconds."""
        claim = queues.claim(self._database, MailRow, self._now(), LEASE, GROUP)
        if not claim:
            return IDLE_S
        for part in self._portions(claim):
            self._file_or_split(part)
        return 0.0

    def _portions(self, claim: queues.Claim) -> list[queues.Claim]:
        """Cut a claim so that no transaction holds more than GROUP_BYTES, one large mail excepted."""
        with self._database.read() as connection:
            rows = connection.execute(select(MailRow.id, MailRow.size_bytes).where(MailRow.id.in_(claim.ids)))
            sizes = {row.id: row.size_bytes for row in rows}
        portions: list[list[int]] = []
        room = 0
        for mail_id in sorted(claim.ids):
            size = sizes.get(mail_id, 0)
            if not portions or size > room:
                portions.append([])
                room = GROUP_BYTES
            portions[-1].append(mail_id)
            room -= size
        return [claim.only(ids) for ids in portions]

    def _file_or_split(self, claim: queues.Claim) -> None:
        try:
            self._file(claim)
        except queues.LeaseLost:
            log.warning("lease lost, another worker files these mails", mails=len(claim.ids))
        except Exception:
            if len(claim.ids) == 1:
                again = self._set_back(claim)
                log.exception("filing failed", mail=claim.ids[0], next_try=again or "never: set aside")
                return
            log.exception("group failed, its mails are filed one by one", mails=len(claim.ids))
            for mail_id in claim.ids:
                self._file_or_split(claim.only([mail_id]))

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
        with self._database.read() as connection:
            mails = fetch(connection, claim.ids)
        readings = self.read(mails, now)
        with self._database.read() as connection:
            filings, later = _independent(self.examine(connection, mails, readings, now))
            filings, waiting = self._in_order(connection, claim, filings)
        with self._database.write() as connection:
            _postpone(connection, claim, waiting)
            queues.hold(connection, claim.only([filing.mail.id for filing in filings]))
            self._writer.write(connection, filings, now)
        for filing in filings:
            log.info(
                filing.route.action.value,
                mail=filing.mail.id,
                ticket=filing.ticket if isinstance(filing.ticket, int) else "-",
                kind=filing.reading.kind.value,
                why=filing.route.reason,
            )
        if later:
            self._file_or_split(claim.only([filing.mail.id for filing in later]))

    def _in_order(
        self, connection: Connection, claim: queues.Claim, filings: list[Filing]
    ) -> tuple[list[Filing], dict[int, datetime]]:
        """Part off the mails that answer one which another worker has, or which is to be tried again, with its time.

        Filed first they would open a ticket beside the one that their conversation is about to get.
        """
        if not any(filing.route.action is Action.OPEN and filing.reading.clues.message_ids for filing in filings):
            return filings, {}
        elsewhere = _unfiled(connection, claim.ids)
        now: list[Filing] = []
        waiting: dict[int, datetime] = {}
        for filing in filings:
            awaited = [elsewhere[each] for each in filing.reading.clues.message_ids if each in elsewhere]
            if filing.route.action is Action.OPEN and awaited:
                waiting[filing.mail.id] = max(awaited)
            else:
                now.append(filing)
        return now, waiting

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


def _unfiled(connection: Connection, claimed: Collection[int]) -> dict[str, datetime]:
    """Return the Message-IDs of mails that somebody else files, or that are tried again, with when they are due."""
    rows = connection.execute(
        select(MailRow.id, MailRow.due_at)
        .where(MailRow.due_at.is_not(None), MailRow.attempts > 0, MailRow.id.not_in(claimed))
        .limit(MOST_UNFILED)
    ).all()
    heads = queries.heads(connection, [row.id for row in rows])
    found = ((parse(heads.get(row.id, b"")).message_id, row.due_at) for row in rows)
    return {message_id: due_at for message_id, due_at in found if message_id and due_at is not None}


def _postpone(connection: Connection, claim: queues.Claim, waiting: Mapping[int, datetime]) -> None:
    """Give mails back untried until then."""
    for mail_id, due_at in waiting.items():
        connection.execute(
            update(MailRow)
            .where(MailRow.id == mail_id, MailRow.due_at == claim.until)
            .values(due_at=due_at + timedelta(seconds=1), attempts=claim.attempts[mail_id] - 1)
        )
        log.info("waits for the mail that it answers", mail=mail_id, until=due_at)
