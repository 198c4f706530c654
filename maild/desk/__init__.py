"""The desk: the one way to change a ticket.

    happenings (ticket, event) -> snapshots -> rules.ticket.decide, in order -> rows, history, mails: one transaction

`Desk.handle` takes a batch, of which one happening is the simplest. Tickets are read once and locked, decided on in
memory in the order given (two events of one ticket see each other), and written with one statement a table. The
history is computed from the difference between the ticket before and after, so no rule can forget it. The mails that
a decision asks for go to `outbox` in the same transaction.

A customer's mail on a closed ticket goes to the ticket that follows it, an open one if there is one, else a new one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, select, update

from maild import people
from maild.config import Settings
from maild.desk import measuring, undoing
from maild.desk.assigning import Rota
from maild.desk.batch import Batch
from maild.desk.foresight import Decided, Foresight, is_certain
from maild.desk.happenings import MAILD, Happening, Opening, Outcome
from maild.desk.rows import last_answers, load, make_due, make_ready, number, purge, record_withheld, reminded, write
from maild.desk.undoing import Deed
from maild.message import bounce
from maild.message.address import normalise
from maild.message.commands import Fault
from maild.outbox.letters import About, FiledMail, Post, Undelivered, Withheld
from maild.outbox.posting import Outbox
from maild.rules import promises
from maild.rules.assignment import Mode
from maild.rules.events import DeliveryFailed
from maild.rules.policy import Policy
from maild.rules.state import Tell
from maild.store import jobs
from maild.store.models import DeliveryRow, DeliveryState, MailRow

__all__ = ["MAILD", "Deed", "Desk", "Foresight", "Happening", "Opening", "Outcome"]

log = structlog.get_logger("maild.desk")

_SUPPRESSED_FOR: Final = timedelta(days=60)  # a later success lifts it


class Desk:
    """Handles events by the policies of the configuration."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox

    def policy(self, department: str, requester: str) -> Policy:
        """Return the policy of a department for a customer; that of the first for one that is configured no more."""
        found = self._settings.department(department) or self._settings.departments[0]
        return self._settings.policy_of(found, requester)

    def prepare(self, connection: Connection, happenings: Sequence[Happening], now: datetime) -> Foresight:
        """Return what can be known of `happenings` before they happen; nothing is written.

        Each ticket that they open has a number that was reserved for it, and everybody in them is written down.
        """
        foresight = Foresight()
        tickets = [each.ticket for each in happenings if isinstance(each.ticket, int)]
        rota = Rota(self._settings, connection, lock=False)
        batch = Batch(connection, self.policy, tickets, rota, lock=False)
        for happening in happenings:
            begin = len(batch.posts)
            card, faults = batch.happen(happening)
            if not faults and is_certain(happening) and not self._gives_by_turn(card.state.department):
                foresight.decided[id(happening)] = Decided(happening, card, tuple(batch.posts[begin:]))
        for card in batch.cards():
            if card.opening is not None:
                number(card)
        for each in foresight.decided.values():
            make_ready(connection, each.card)
        foresight.letters = self._outbox.prepare(connection, batch.posts, now)
        return foresight

    def _gives_by_turn(self, name: str) -> bool:
        department = self._settings.department(name)
        return department is not None and Mode(department.assign) is not Mode.NONE

    def handle(
        self,
        connection: Connection,
        happenings: Sequence[Happening],
        now: datetime,
        foresight: Foresight | None = None,
    ) -> list[Outcome]:
        """Let `happenings` happen in order, and return what became of each.

        An event that the rules refuse writes nothing and is told in its outcome; the others go on. What is in
        `foresight` is not worked out anew.

        Raises:
            KeyError: there is no such ticket.
        """
        foresight = foresight or Foresight()
        rota = Rota(self._settings, connection)
        tickets = [each.ticket for each in happenings if isinstance(each.ticket, int)]
        batch = Batch(connection, self.policy, tickets, rota, foresight.decided)
        ended = [batch.happen(happening) for happening in happenings]
        write(connection, batch.cards(), now)
        rota.write()
        withheld = self._outbox.post(connection, batch.posts, now, foresight.letters)
        record_withheld(connection, withheld, now)
        self._return_answers(connection, withheld, now)
        purge(connection, [card.thread.ticket_id for card in batch.cards() if card.purge])
        outcomes = [Outcome(card.thread.ticket_id, refused, card.state.status) for card, refused in ended]
        said = log.bind()  # once: each line would do it anew
        for happening, outcome in zip(happenings, outcomes, strict=True):
            event = type(happening.event).__name__
            if outcome.refused:
                said.info(
                    "refused", ticket=outcome.ticket_id, event_name=event, actor=happening.actor, why=outcome.refused
                )
            else:
                said.info("changed", ticket=outcome.ticket_id, by=event, actor=happening.actor, status=outcome.status)
        return outcomes

    def _return_answers(self, connection: Connection, withheld: Sequence[Withheld], now: datetime) -> None:
        """Tell the authors of answers that nobody can get; their tickets open again."""
        happenings = [
            Happening(
                each.thread.ticket_id,
                DeliveryFailed(now),
                MAILD,
                Undelivered(each.about.id, each.about.reply.text, now, each.recipient, each.reason),
            )
            for each in withheld
            if each.tell is Tell.ANSWER and isinstance(each.about, FiledMail)
        ]
        if happenings:
            self.handle(connection, happenings, now)

    def review(self, connection: Connection, now: datetime) -> None:
        """Look at all tickets in which a customer waits anew if what is promised is not what it was at the last look.

        They are then due, and the next tick says when they really are.
        """
        measuring.measure(connection, self.policy, now)
        if jobs.differs(connection, "promises", self._settings.promises, now):
            count = make_due(connection, promises.RUNNING, now)
            log.info("promises changed", tickets=count)

    def tell(self, connection: Connection, ticket_id: int, tell: Tell, about: About, now: datetime) -> None:
        """Post a mail about a ticket that nothing happens to.

        Raises:
            KeyError: there is no such ticket.
        """
        card = load(connection, [ticket_id])[ticket_id]
        post = Post(tell, card.thread, card.state, card.state, about, None, tell.value)
        record_withheld(connection, self._outbox.post(connection, [post], now), now)

    def foresee(self, connection: Connection, happening: Happening) -> tuple[Fault, ...]:
        """Return why `happening` would be refused if it happened now, () if it would not; nothing is written."""
        tickets = [happening.ticket] if isinstance(happening.ticket, int) else []
        batch = Batch(connection, self.policy, tickets, Rota(self._settings, connection))
        return batch.happen(happening)[1]

    def take_back(
        self, connection: Connection, mail_id: int, actor: str, by_mail: int, now: datetime
    ) -> tuple[Deed, ...]:
        """Undo what a mail did to tickets, and return it backwards; see `undoing`.

        Raises:
            Refused: it cannot be undone (any more); nothing was written.
        """
        return undoing.take_back(connection, self.handle, self.policy, mail_id, actor, by_mail, now)

    def delivery_failed(
        self, connection: Connection, failures: Mapping[int, str], now: datetime, *, proven: bool = True
    ) -> None:
        """Note that deliveries (by id) failed for good, with the server's own words.

        An address that does not exist gets nothing automatic for a while. If it was the last public answer of a
        ticket, or the reminder of it, the ticket opens again and the answer's author is told. What is not `proven` came
        from somebody who knows the mail's Message-ID, as all its recipients do: it silences no address.
        """
        rows = connection.execute(
            select(
                DeliveryRow.id,
                DeliveryRow.ticket_id,
                DeliveryRow.recipient,
                DeliveryRow.mail_id,
                MailRow.purpose,
                MailRow.text,
                MailRow.stored_at,
            )
            .join(MailRow, MailRow.id == DeliveryRow.mail_id)
            .where(DeliveryRow.id.in_(failures), DeliveryRow.state.in_((DeliveryState.QUEUED, DeliveryState.SENT)))
            .order_by(DeliveryRow.id)
        ).all()
        for row in rows:
            said = failures[row.id][:2000]
            ended = {"state": DeliveryState.FAILED, "due_at": None, "ended_at": now, "reply": said}
            connection.execute(update(DeliveryRow).where(DeliveryRow.id == row.id).values(ended))
            # A full mailbox or a policy passes; and agents must hear of what waits.
            if proven and bounce.blames_address(said) and self._settings.agent_of(row.recipient) is None:
                people.suppress(connection, [normalise(row.recipient)], now + _SUPPRESSED_FOR, said)
            log.warning("delivery failed for good", delivery=row.id, ticket=row.ticket_id, reply=said[:200])
        awaited = [row for row in rows if row.purpose in (Tell.ANSWER, Tell.REMINDER) and row.ticket_id is not None]
        last = last_answers(connection, {row.ticket_id for row in awaited})
        silent = reminded(connection, {row.ticket_id for row in awaited if row.purpose == Tell.REMINDER})
        happenings = [
            Happening(
                row.ticket_id,
                DeliveryFailed(now),
                MAILD,
                Undelivered(row.mail_id, row.text or "", row.stored_at, row.recipient, failures[row.id], row.purpose),
            )
            for row in awaited
            if last.get(row.ticket_id) == row.mail_id or (row.purpose == Tell.REMINDER and row.ticket_id in silent)
        ]
        if happenings:
            self.handle(connection, happenings, now)
