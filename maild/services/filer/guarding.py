"""The guard against collisions: an answer that was written before something newer was said is held.

What its agent had read is told by the mail that he answered: all that the desk had when it wrote that mail, if the mail
shows the ticket. One that shows only his own words (`returned`) tells no more than the mail that those words answered.
If the customer has written since, or a colleague has answered, the answer waits, and the agent gets what he missed. He
lets it go with one mail, answers anew, or says `#force` at once. A mail that answers none of ours is not guarded:
nothing tells what its agent had read.

A mail that was held and is released is guarded like any other: it may have waited for days. What its agent was shown
when it was held for this very reason counts as read. The operator's release of such a mail is his word that it goes.

It is asked twice where several nodes may file: when a mail is looked at, and with its ticket in hand when it is sent.

What counts is when the desk had something, not when it was stored: a mail that was stored first may be filed last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from maild.outbox.letters import Collision
from maild.rules.events import AgentWrote
from maild.rules.routing import OPERATOR, Action
from maild.services.filer.filing import Filing
from maild.store import conversations
from maild.store.conversations import Newer, Sent
from maild.store.tickets import hold_tickets
from maild.templates.mails import SHOW_THE_TICKET

MOST_RETURNS: Final = 10  # of one answer, again and again; whoever needs more has read the newest


@dataclass(frozen=True, slots=True)
class _Read:
    """How much of a ticket an agent has read: all that the desk had then, and of that very instant as much as this."""

    at: datetime
    mail_id: int = 0  # of ours, which he answers: what we wrote later he has not
    about_id: int | None = None  # of theirs, of which it told: what was stored later has a mail of its own


def guard(connection: Connection, filings: Sequence[Filing]) -> None:
    """Hold those of `filings` that answer publicly although something newer was said."""
    answers = [filing for filing in filings if _answers(filing)]
    if not answers:
        return
    read = _read_by_mail(connection, {each for filing in answers for each in _named(filing)})
    reads = {id(filing): found for filing in answers if (found := _read(filing, read)) is not None}
    if not reads:
        return
    tickets = {filing.ticket for filing in answers if isinstance(filing.ticket, int)}
    newest = conversations.spoken(connection, tickets, min(each.at for each in reads.values()))
    for filing in answers:
        missed = _missed(filing, reads.get(id(filing)), newest)
        if missed:
            reason = "an agent's answer, written before something newer was said"
            filing.route = replace(filing.route, action=Action.HELD, reason=reason)
            filing.collision = Collision(
                filing.reading.sender, filing.mail.id, filing.reply.text, filing.orders.block, missed
            )


def guard_again(connection: Connection, filings: Sequence[Filing]) -> None:
    """Do the same within the transaction that sends, if another node may have filed something since."""
    if connection.dialect.name == "postgresql" and any(_answers(filing) for filing in filings):
        hold_tickets(connection, {each.ticket for each in filings if isinstance(each.ticket, int)})
        guard(connection, filings)


def _answers(filing: Filing) -> bool:
    if filing.route.action is not Action.ANSWER or filing.orders.faults:
        return False
    if filing.mail.released_by == OPERATOR and filing.mail.guarded_at is not None:
        return False
    if "force" in filing.orders.words:
        return False
    events = filing.orders.events
    return not events or any(isinstance(event, AgentWrote) for event in events)


def _named(filing: Filing) -> tuple[str, ...]:
    message = filing.reading.message
    return (*message.in_reply_to, *reversed(message.references))


def _read(filing: Filing, read: Mapping[str, _Read]) -> _Read | None:
    """Return how much the author of an answer has read, None if nothing tells."""
    found = [read[each] for each in _named(filing) if each in read]
    if filing.mail.guarded_at is not None:
        found.append(_Read(filing.mail.guarded_at))
    if filing.mail.delayed and not found:  # it waited: what was said since nobody can have read before he wrote
        found.append(_Read(filing.mail.stored_at))
    return max(found, key=lambda each: (each.at, each.mail_id), default=None)


def _read_by_mail(connection: Connection, named: set[str]) -> dict[str, _Read]:
    """Return how much has been read by whoever answers our mails of these ids."""
    sent: dict[str, Sent] = {}
    answered: dict[int, list[str]] = {}  # what the mails answer of which ours tell that show no ticket
    wanted = named
    for _ in range(MOST_RETURNS):
        found = conversations.sent(connection, wanted - sent.keys())
        sent |= found
        about = {each.about_id for each in found.values() if not _shows(each) and each.about_id is not None}
        fresh = conversations.references(connection, about - answered.keys())
        answered |= fresh
        wanted = {each for some in fresh.values() for each in some}
        if not wanted:
            break
    by_mail = {name: _Read(each.at, each.mail_id, each.about_id) for name, each in sent.items() if _shows(each)}
    for name, each in sorted(sent.items(), key=lambda pair: pair[1].mail_id):  # what they lead to is older
        if name not in by_mail:
            before = [by_mail[one] for one in answered.get(each.about_id or 0, ()) if one in by_mail]
            if before:
                by_mail[name] = max(before, key=lambda one: (one.at, one.mail_id))
    return by_mail


def _shows(mail: Sent) -> bool:
    """Return whether a mail of ours shows what was said on its ticket; those of before 0.2.0 tell of nothing."""
    return mail.purpose in SHOW_THE_TICKET or mail.about_id is None


def _missed(filing: Filing, read: _Read | None, newest: Mapping[int, Sequence[Newer]]) -> tuple[Newer, ...]:
    """Return what was said since `read`, oldest first."""
    if read is None or not isinstance(filing.ticket, int):
        return ()
    said, me = newest.get(filing.ticket, ()), filing.reading.sender
    return tuple(each for each in said if _is_unread(each, read) and each.address != me)


def _is_unread(said: Newer, read: _Read) -> bool:
    known_at = said.known_at or said.at
    if known_at != read.at:
        return known_at > read.at
    if said.ours:
        return 0 < read.mail_id < said.mail_id
    return read.about_id is not None and said.mail_id > read.about_id
