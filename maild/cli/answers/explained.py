"""What would become of a mail if it came in now: evidence, verdict, decision. Nothing is filed, sent or changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from maild.admission import accepts
from maild.cli.answers import parsed, tickets
from maild.config import Settings
from maild.message.address import valid
from maild.message.identity import fingerprint
from maild.message.parse import Message, parse
from maild.rules.routing import Action
from maild.services.filer import Filing, Inbound, evidence
from maild.store.engine import Database
from maild.store.models import MailRow, MailState
from maild.works import assemble

# Where servers write down whom a mail was for, before the fields that its author wrote.
_RECIPIENT_FIELDS: Final = ("x-original-to", "delivered-to", "envelope-to")


def mail(
    settings: Settings,
    database: Database,
    raw: bytes,
    *,
    envelope_from: str | None,
    recipients: Sequence[str],
    now: datetime,
) -> dict[str, Any]:
    """Return what `raw` says and what would become of it.

    Without `recipients` they are taken from its header. A desk that has never run gets its signing key here.
    """
    to = tuple(recipients) or _recipients(settings, parse(raw))
    inbound = Inbound(0, envelope_from, to, now, 0, raw)
    filer = assemble(settings, database, lambda: now).filer
    readings = filer.read([inbound], now)
    with database.read() as connection:
        [filing] = filer.examine(connection, [inbound], readings, now)
        same = connection.scalar(select(MailRow.id).where(MailRow.fingerprint == fingerprint(raw)))
        decision = _decision(connection, filing, same)
    verdict, role = filing.verdict, filing.verdict.role
    return {
        **parsed.of(filing.reading.message, filing.reading.classification),
        "reply": filing.reply.text,
        "envelope": {"from": envelope_from, "recipients": list(to)},
        "evidence": evidence(filing),
        "verdict": {
            "ticket": verdict.ticket_id,
            "role": role.name.lower() if role else None,
            "proof": verdict.proof,
            "third_party": verdict.third_party,
            "related": list(verdict.related),
            "reasons": list(verdict.reasons),
        },
        "decision": decision,
    }


def _decision(connection: Connection, filing: Filing, same: int | None) -> dict[str, Any]:
    route = filing.route
    ticket_id = filing.ticket if isinstance(filing.ticket, int) else None
    state = {Action.NOTED: MailState.NOTED, Action.HELD: MailState.HELD}.get(route.action, MailState.FILED)
    ticket = tickets.states(connection, [ticket_id]).get(ticket_id) if ticket_id else None
    return {
        "action": str(route.action),
        "why": route.reason,
        "state": str(state),
        "ticket": ticket_id if state is MailState.FILED else None,
        "ticket_status": str(ticket.status) if ticket and state is MailState.FILED else None,
        "department": filing.department,
        "priority": filing.place.priority if filing.place else None,
        "assignee": filing.place.assignee if filing.place else None,
        "spam": filing.place.spam if filing.place else False,
        "placed": list(filing.place.reasons) if filing.place else [],
        "acknowledged": route.acknowledge,
        "third_party": route.third_party,
        "stored_as": same,  # the very same mail came already: then it is only answered, and nothing happens
    }


def _recipients(settings: Settings, message: Message) -> tuple[str, ...]:
    written = [value.strip(" <>") for name in _RECIPIENT_FIELDS for value in message.headers(name)]
    named = [*written, *(each.address for each in (*message.to, *message.cc))]
    ours = [each for each in dict.fromkeys(named) if valid(each) and accepts(settings, each)]
    return tuple(ours) or (settings.departments[0].address,)
