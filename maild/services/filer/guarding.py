"""The guard against collisions: an answer that was written before something newer was said is held.

What its agent had read is told by the mail that he answered. If the customer has written since, or a colleague has
answered, the answer waits, and the agent gets what he missed. He lets it go with one mail, answers anew, or says
`#force` at once. A mail that answers none of ours is not guarded: nothing tells what its agent had read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from maild.outbox import Collision
from maild.rules.events import AgentWrote
from maild.rules.routing import Action
from maild.services.filer.filing import Filing
from maild.store import queries
from maild.store.queries import Newer


def guard(connection: Connection, filings: Sequence[Filing]) -> None:
    """Hold those of `filings` that answer publicly although something newer was said."""
    answers = [filing for filing in filings if _answers(filing)]
    if not answers:
        return
    ids = {each for filing in answers for each in _named(filing)}
    read = queries.sent_at(connection, ids)
    if not read:
        return
    tickets = {filing.ticket for filing in answers if isinstance(filing.ticket, int)}
    newest = queries.spoken(connection, tickets, min(read.values()))
    for filing in answers:
        missed = _missed(filing, read, newest)
        if missed:
            reason = "an agent's answer, written before something newer was said"
            filing.route = replace(filing.route, action=Action.HELD, reason=reason)
            filing.collision = Collision(
                filing.reading.sender, filing.mail.id, filing.reply.text, filing.orders.block, missed
            )


def _answers(filing: Filing) -> bool:
    if filing.route.action is not Action.ANSWER or filing.orders.faults or filing.mail.released_by:
        return False
    if "force" in filing.orders.words:
        return False
    events = filing.orders.events
    return not events or any(isinstance(event, AgentWrote) for event in events)


def _named(filing: Filing) -> tuple[str, ...]:
    message = filing.reading.message
    return (*message.in_reply_to, *reversed(message.references))


def _missed(filing: Filing, read: Mapping[str, datetime], newest: Mapping[int, Sequence[Newer]]) -> tuple[Newer, ...]:
    """Return what was said since the newest of our mails that this one answers, oldest first."""
    instants = [read[each] for each in _named(filing) if each in read]
    if not instants or not isinstance(filing.ticket, int):
        return ()
    since, me = max(instants), filing.reading.sender
    return tuple(each for each in newest.get(filing.ticket, ()) if each.at > since and each.address != me)
