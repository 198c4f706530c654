"""What would become of mails: everything that is asked before anything is written.

`Examiner.examine` reads each mail, asks the database once for what all of them need, judges and routes. It writes
nothing, so `maild mail explain` uses it as it is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from maild import people
from maild.config import Settings
from maild.inbox import held
from maild.inbox.held import Kept
from maild.message import authorship, reading, reply
from maild.message.address import normalise
from maild.message.authentication import Trust
from maild.message.classify import Kind
from maild.message.match import Known, KnownTicket, Verdict, judge
from maild.message.rating import read as read_rating
from maild.message.reading import Reading
from maild.message.tokens import Forged, Role
from maild.people import Person
from maild.rules import routing
from maild.rules.levels import PRIORITIES
from maild.rules.placing import Request
from maild.rules.routing import Action, Facts, route
from maild.services.filer import delaying
from maild.services.filer.commanding import Commander
from maild.services.filer.doubting import doubt
from maild.services.filer.filing import Filing, Inbound
from maild.services.filer.guarding import guard
from maild.services.filer.joining import joining, named
from maild.store import conversations, tickets
from maild.store.clues import deliveries_of_mail, known_for, known_tickets, tickets_of_deliveries
from maild.store.models import MailState
from maild.templates.replies import Prepared

log = structlog.get_logger("maild.filer")

_MAY_BEGIN_ANEW: Final = (Action.CUSTOMER, Action.PROBLEM)  # where the ticket that they are for is closed
_UNREADABLE: Final = b"Subject: Unreadable mail\r\n\r\nThis mail could not be read. It is kept as it came.\r\n"


@dataclass(frozen=True, slots=True)
class _Habits:
    """What the database knows for a group."""

    known: Known
    reopenings: Mapping[str, int]
    resolved: Collection[int]
    opened: Mapping[str, Sequence[tickets.Opened]]
    crowds: Mapping[int, KnownTicket]  # of those the ones that may be too many
    people: Mapping[str, Person]
    by_delivery: Mapping[int, int]
    kept: Mapping[int, Kept]  # mails that somebody asks to release


class Examiner:
    """Says what would become of mails."""

    def __init__(self, settings: Settings, known: reading.Known, prepared: Prepared) -> None:
        self._settings = settings
        self._known = known
        self._commander = Commander(settings, prepared)

    def read(self, mails: Sequence[Inbound], now: datetime) -> list[Reading]:
        """Return what each of `mails` says by itself."""
        return [self._read(mail, now) for mail in mails]

    def examine(
        self, connection: Connection, mails: Sequence[Inbound], readings: Sequence[Reading], now: datetime
    ) -> list[Filing]:
        """Return what would become of `mails`, of which `readings` are known; nothing is written."""
        deliveries = [self._bounced_deliveries(connection, each) for each in readings]
        by_delivery = tickets_of_deliveries(connection, {each for some in deliveries for each in some})
        clues = [each.clues for each in readings]
        known = known_for(
            connection,
            {one for each in clues for one in each.message_ids},
            {one for each in clues for one in each.thread_indexes},
            {*(one for each in clues for one in each.ticket_ids), *by_delivery.values()},
        )
        verdicts = [judge(each.clues, known, each.sender, each.authentication.result) for each in readings]
        said = conversations.latest(connection, {each.ticket_id for each in verdicts if each.ticket_id is not None})
        senders = {each.sender for each in readings}
        reopenings = tickets.reopenings(connection, senders, now - timedelta(days=1))
        writers = {normalise(each.writer.address) for each in readings}
        opened = tickets.opened_since(connection, writers, now - routing.LONGEST_BURST)
        many = (one.ticket_id for some in opened.values() if len(some) >= routing.LEAST_BURST for one in some)
        habits = _Habits(
            known,
            reopenings,
            tickets.resolved_among(connection, known.tickets) if reopenings else frozenset(),
            opened,
            known_tickets(connection, many),
            people.known(connection, senders | {normalise(each.author.address) for each in readings}),
            by_delivery,
            held.kept(connection, [each.release[0] for each in readings if isinstance(each.release, tuple)]),
        )
        filings = []
        for mail, each, verdict, failed in zip(mails, readings, verdicts, deliveries, strict=True):
            facts = self._facts(mail, each, verdict, failed, habits, now)
            chosen = route(facts)
            known_texts = [one.text for one in said.get(verdict.ticket_id or 0, ()) if one.text]
            new = reply.new_text(each.message, known_texts)
            ticket = None if chosen.action is Action.OPEN else facts.ticket_id or facts.burst_ticket_id
            first, *others = self._departments(mail, each)
            filing = Filing(mail, each, verdict, chosen, new, first, tuple(others), failed, ticket)
            there = known.tickets.get(facts.ticket_id or 0)
            filing.joining = joining(self._settings, each, chosen, there.participants if there else ())
            filing.alive, filing.by_agent = _shows_life(each, facts), facts.agent and facts.kind == "human"
            if chosen.action in _MAY_BEGIN_ANEW and there is not None:
                filing.priority = self._urgency(filing, there)
            filings.append(filing)
        self._commander.read(connection, filings, now)
        doubt(connection, filings)
        for filing in filings:
            if filing.route.action is Action.OPEN:
                self._place(filing)
        guard(connection, filings)
        delaying.delay(filings, now)
        return filings

    def _read(self, mail: Inbound, now: datetime) -> Reading:
        try:
            return self._answered(reading.read(mail.raw, mail.envelope_from, mail.recipients, self._known, now))
        except Exception:  # a foreign parser under ours may raise on anything; the mail must not be lost for it
            log.exception("mail cannot be read, it becomes a ticket as it is", mail=mail.id)
            return reading.read(_UNREADABLE, mail.envelope_from, mail.recipients, self._known, now)

    def _answered(self, each: Reading) -> Reading:
        """Return `each` with its author as the one who is answered, if its Reply-To names one of our agents."""
        if each.writer is each.author or self._settings.agent_of(each.writer.address) is None:
            return each
        return replace(each, writer=each.author)

    def _bounced_deliveries(self, connection: Connection, each: Reading) -> tuple[int, ...]:
        """Return our deliveries that a mail reports on, by its envelope recipient or by what it returns."""
        if each.bounced or each.bounce is None or not each.bounce.original_message_id:
            return each.bounced
        sent = deliveries_of_mail(connection, each.bounce.original_message_id)
        failed = {normalise(failure.recipient) for failure in each.bounce.failed}
        return tuple(
            delivery for recipient, delivery in sent.items() if normalise(recipient) in failed or len(sent) == 1
        )

    def _facts(
        self, mail: Inbound, each: Reading, verdict: Verdict, failed: Sequence[int], habits: "_Habits", now: datetime
    ) -> Facts:
        ticket_id = verdict.ticket_id
        if ticket_id is None:
            ticket_id = next((habits.by_delivery[one] for one in failed if one in habits.by_delivery), None)
        holder = habits.people.get(normalise(each.author.address))
        agent = self._settings.agent_of(each.author.address) is not None
        taking_part = habits.known.tickets.get(ticket_id or 0)
        # Who forges a name must not get his mails onto the tickets of its owner, nor draw the owner's onto his: least
        # of all onto one in which he takes part himself, since he would get the answer.
        opened = [
            one
            for one in habits.opened.get(normalise(each.writer.address), [])
            if one.trust == each.authentication.result.value and _brings_all(each, habits.crowds, one.ticket_id)
        ]
        burst = routing.in_burst([one.at for one in opened], now)
        return Facts(
            kind=each.kind.value,
            answerable=each.classification.answerable,
            ticket_id=ticket_id,
            role=verdict.role.value if verdict.role else None,
            rating=read_rating(each.message.subject, each.message.text)[0] if verdict.role is Role.RATE else None,
            proven=verdict.proof == "signed",
            # Of two authors neither is known to have written it.
            token_is_senders=holder is not None
            and holder.address_id == verdict.address_id
            and (authorship.is_plain(each.message) if agent else len(each.message.froms) == 1),
            third_party=verdict.third_party,
            takes_part=taking_part is not None and each.sender in taking_part.participants,
            requester=taking_part is not None and each.sender in taking_part.requester,
            agent=agent,
            trust=each.authentication.result.value,
            own_list=self._is_own_list(each),
            bounced_delivery=bool(failed),
            reopenings_today=habits.reopenings.get(each.sender, 0),
            would_reopen=ticket_id in habits.resolved,
            burst_ticket_id=opened[-1].ticket_id if burst else None,
            both=self._settings.maild.agent_trust == "both",
            checked=self._settings.maild.check_senders or self._settings.maild.authserv_id is not None,
            released_by=mail.released_by or "",
            desk=bool(desks := _desks(each)),
            desk_is_senders=holder is not None and holder.address_id in desks and authorship.is_plain(each.message),
            release=_release(each, holder, habits.kept),
            rejects=each.rejects,
        )

    def _is_own_list(self, each: Reading) -> bool:
        """Return whether the list that brought the mail is one of our own addresses: `support@` may be a group."""
        list_id = each.message.header("list-id").rpartition("<")[2].strip("> ").lower()
        return bool(list_id) and any(list_id == ours.replace("@", ".", 1) for ours in self._known.ours)

    def _departments(self, mail: Inbound, each: Reading) -> list[str]:
        """Return the departments to which a mail is addressed; the ticket is the first one's."""
        named = [*mail.recipients, *(one.address for one in (*each.message.to, *each.message.cc))]
        found = (self._settings.department_of(address) for address in named)
        return list(dict.fromkeys(each.name for each in found if each)) or [self._usual_department(mail)]

    def _place(self, filing: Filing) -> None:
        """Find where a new request goes by the rules of the configuration."""
        customer = filing.orders.customer or filing.reading.writer
        place = self._settings.placing.place(_request(filing, normalise(customer.address)))
        asked = filing.orders
        place = replace(
            place,
            department=asked.department or place.department,
            priority=asked.priority or place.priority,
            assignee=asked.assignee or place.assignee,
        )
        filing.place, filing.department = place, place.department
        filing.also_for = () if place.spam else tuple(each for each in filing.also_for if each != place.department)
        filing.notes += place.reasons
        if place.spam:
            filing.route = replace(filing.route, acknowledge=False)

    def _urgency(self, filing: Filing, there: KnownTicket) -> str:
        """Return the priority that a new request of a ticket's customer would have: his old one may be closed."""
        placing = self._settings.placing
        places = [placing.place(_request(filing, customer)) for customer in sorted(there.requester)]
        return min((place.priority for place in places), key=PRIORITIES.index, default="normal")

    def _usual_department(self, mail: Inbound) -> str:
        """Return whose mail it is if no address says so: that of its mailbox, else the first."""
        via, _, name = mail.source.partition(" ")
        boxes = self._settings.mailboxes if via == "imap" else ()
        return next((box.department for box in boxes if box.name == name), self._settings.departments[0].name)


def _request(filing: Filing, customer: str) -> Request:
    """Return what rules look at of a mail of `customer`."""
    message = filing.reading.message
    recipients = [*filing.mail.recipients, *(one.address for one in (*message.to, *message.cc))]
    subject = filing.passed.subject if filing.passed else message.subject
    return Request(filing.department, frozenset(map(normalise, recipients)), customer, subject, message.headers)


def _brings_all(each: Reading, crowds: Mapping[int, KnownTicket], ticket_id: int) -> bool:
    """Return whether a mail names everybody besides the requester who takes part in a ticket, or where it lives on."""
    seen: set[int] = set()
    here: int | None = ticket_id
    while here is not None and here in crowds and here not in seen:
        seen.add(here)
        here = crowds[here].merged_into
    return all(crowds[one].participants - crowds[one].requester <= named(each) for one in seen)


def _shows_life(each: Reading, facts: Facts) -> bool:
    """Return whether a mail shows that its sender's address works, whatever failed there before.

    Anybody can write its name into From: it has to be proven, or to be sent to an address that only its owner got.
    """
    proven = each.authentication.result is Trust.PASS or (facts.role is not None and facts.token_is_senders)
    return each.kind is Kind.HUMAN and each.authentication.result is not Trust.FAIL and proven


def _desks(each: Reading) -> set[int]:
    """Return for whom the desk addresses were made that a mail was sent to."""
    return {one.address_id for one in each.clues.signed if one.role is Role.DESK}


def _release(each: Reading, holder: Person | None, kept: Mapping[int, Kept]) -> str | None:
    """Return why a mail does not release the one that it asks for, "" if it does, None if it asks for none."""
    if each.release is None:
        return None
    if isinstance(each.release, Forged):
        return each.release.reason
    mail_id, address_id = each.release
    asked = kept.get(mail_id)
    if asked is None or holder is None or holder.address_id != address_id or asked.sender != each.sender:
        return f"mail {mail_id} is not his"
    if not authorship.is_plain(each.message):
        return "its From can be read in two ways"
    if asked.state is not MailState.HELD:
        return f"mail {mail_id} is not held (any more)"
    if asked.trust == "fail" and not each.rejects:  # whoever forged it gains nothing if it is put away
        return f"mail {mail_id} failed authentication: the operator has to look at it"
    return ""
