"""What becomes of mails is written: people, tickets by way of the desk, failures, and the mails' own rows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, insert

from maild import people
from maild.config import Settings
from maild.desk import Desk, Foresight, Happening, Opening
from maild.inbox import held
from maild.message import language
from maild.message.address import Address, normalise
from maild.message.classify import Kind
from maild.message.rating import read as read_rating
from maild.message.reading import Reading
from maild.outbox.held import Question, Questions
from maild.outbox.letters import FiledMail
from maild.people import Person
from maild.rules.events import (
    AgentWrote,
    CustomerWrote,
    Event,
    Leave,
    MachineWrote,
    MarkSpam,
    NoteWritten,
    Rated,
    Solved,
    StillAProblem,
)
from maild.rules.routing import Action
from maild.rules.state import Tell
from maild.rules.telling import GOOD
from maild.services.filer import columns, delaying
from maild.services.filer.columns import STATES
from maild.services.filer.filing import Filing
from maild.services.filer.joining import named
from maild.services.filer.requests import Requests
from maild.services.filer.telling import transcribe
from maild.store import conversations, tickets
from maild.store.engine import Database
from maild.store.models import HistoryRow

log = structlog.get_logger("maild.filer")

PREPARED_FROM: Final = 4  # mails of a group: a further transaction costs as much as making the letters of one
_TOLD: Final = (Action.OPEN, Action.CUSTOMER, Action.PROBLEM, Action.RATING, Action.ANSWER)  # letters may follow


class Writer:
    """Writes a group in the transaction that it is given."""

    def __init__(
        self, settings: Settings, desk: Desk, questions: Questions, requests: Requests, languages: Iterable[str]
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._questions = questions
        self._requests = requests
        self._languages = tuple(languages)

    def prepare(self, database: Database, filings: Sequence[Filing], now: datetime) -> Foresight | None:
        """Do what can be done before `filings` are written, where many lead to letters; None where few do.

        Most of the work of a mail is the letters that follow, and they bear the number of its ticket. So numbers are
        reserved, and who writes is written down, in a short transaction of their own; what is not used of it is a gap
        in the numbers.
        """
        for filing in filings:
            filing.read = filing.route, columns.ready(database.dialect, filing)
        opening = [filing for filing in filings if filing.route.action is Action.OPEN]
        for filing in opening:
            filing.language = language.detect(filing.reading.message, filing.reply.text, self._languages)
        if sum(filing.route.action in _TOLD for filing in filings) < PREPARED_FROM:
            return None
        wanted = _wanted(filings)
        with database.write(synced=False) as connection:  # as the group itself: `maild.services.filer`
            found = self._meet(connection, filings, wanted, now)
            numbers = tickets.reserve(connection, len(opening)) if opening else []
        self._open(opening, found)
        for filing, number in zip(opening, numbers, strict=True):
            if isinstance(filing.ticket, Opening):
                filing.ticket.number = number
        happenings = []
        for filing in filings:
            happening = self._happening(filing, now)
            filing.happening = filing.route, happening
            if happening is not None:
                happenings.append(happening)
        with database.read() as connection:
            return self._desk.prepare(connection, happenings, now)

    def _meet(
        self, connection: Connection, filings: Sequence[Filing], wanted: Sequence[Address], now: datetime
    ) -> Mapping[str, Person]:
        """Write down who is met for the first time; return all who are `wanted`, by normalised address."""
        people.trust_again(connection, {each.reading.sender for each in filings if each.alive})
        return people.enrol(connection, wanted, now) if wanted else {}

    def _happening(self, filing: Filing, now: datetime) -> Happening | None:
        """Return what a mail does to its ticket, None if it does nothing."""
        events = _events(filing, now, acknowledge=self._acknowledges(filing))
        if not events or filing.ticket is None:
            return None
        return Happening(
            filing.ticket,
            events[0],
            filing.reading.sender,
            self._filed(filing),
            filing.mail.id,
            then=events[1:],
            by_agent=filing.route.action in (Action.ANSWER, Action.NOTE),
            faults=filing.orders.faults,
            priority=filing.priority,
            lines=filing.orders.lines,
        )

    def write(
        self, connection: Connection, filings: Sequence[Filing], now: datetime, foresight: Foresight | None = None
    ) -> None:
        """Write `filings`, by what was prepared; each is told the ticket on which it ended."""
        if foresight is None:
            opening = [filing for filing in filings if filing.route.action is Action.OPEN]
            self._open(opening, self._meet(connection, filings, _wanted(filings), now))
        delaying.foresee(self._desk, connection, filings)
        happenings, owners = [], []
        for filing in filings:
            route, happening = filing.happening or (None, None)
            if route is not filing.route:  # the guard has seen something newer since
                happening = self._happening(filing, now)
            if happening is not None:
                happenings.append(happening)
                owners.append(filing)
        outcomes = self._desk.handle(connection, happenings, now, foresight)
        for filing, outcome in zip(owners, outcomes, strict=True):
            if filing.ticket != outcome.ticket_id and filing.priority != "normal" and isinstance(filing.ticket, int):
                filing.notes.append(f"{filing.priority}, as a new request of his would be")
            filing.ticket = outcome.ticket_id
            if outcome.refused:
                filing.notes.append(f"refused: {outcome.refused}")
        for proven in (True, False):
            failures = {
                delivery: _server_words(filing.reading)
                for filing in filings
                if filing.route.action is Action.BOUNCE and _failed_for_good(filing.reading)
                if bool(filing.reading.bounced) is proven
                for delivery in filing.deliveries
            }
            if failures:
                self._desk.delivery_failed(connection, failures, now, proven=proven)
        columns.update(connection, filings, now)
        _record_released(connection, filings, now)
        self._release(connection, filings, now)
        _put_away(connection, filings)
        delaying.keep(self._desk, connection, filings, now)
        delaying.wake(connection, filings, now)
        self._requests.answer(connection, filings, now)
        transcribe(self._desk, connection, filings, now)
        for filing in filings:
            if filing.collision is not None and isinstance(filing.ticket, int):
                self._desk.tell(connection, filing.ticket, Tell.COLLISION, filing.collision, now)
        self._questions.ask(connection, [self._question(each) for each in filings if _is_asked(each)], now)

    def _release(self, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
        """Let held mails through of which their agents say that they are theirs, due at once; put away the others."""
        for filing in filings:
            asked = filing.reading.release
            if filing.route.action not in (Action.RELEASE, Action.REJECT) or not isinstance(asked, tuple):
                continue
            by, rejects = filing.reading.sender, filing.route.action is Action.REJECT
            if rejects:
                [done] = held.reject(connection, [asked[0]], by)
            else:
                [done] = held.release(connection, [asked[0]], by, now)
            if done.refused is None:  # else another mail of the same batch was first
                log.info("rejected" if rejects else "released", mail=asked[0], by=by, with_mail=filing.mail.id)

    def _question(self, filing: Filing) -> Question:
        each = filing.reading
        agent = self._settings.agent_of(each.author.address)
        if agent is None:
            raise TypeError("only agents are asked")
        return Question(
            filing.mail.id,
            agent,
            filing.department,
            each.message.subject,
            filing.reply.text,
            each.message.date or filing.mail.stored_at,
            filing.absent,
            filing.ticket if isinstance(filing.ticket, int) else None,
        )

    def _acknowledges(self, filing: Filing) -> bool:
        department = self._settings.department(filing.department)
        return filing.route.acknowledge and (department is None or department.acknowledge)

    def _open(self, opening: Sequence[Filing], found: Mapping[str, Person]) -> None:
        """Make the tickets that are to be opened."""
        for filing in opening:
            joining = filing.joining if filing.passed is None else ()  # whom an agent writes to is no customer
            customer = normalise(_customer(filing).address)
            others = {normal: found[normal] for normal in (normalise(one.address) for one in joining)}
            others.pop(customer, None)
            filing.ticket = self._opening(filing, found[customer], tuple(others.values()))

    def _opening(self, filing: Filing, writer: Person, taking_part: tuple[Person, ...]) -> Opening:
        message = filing.reading.message
        department = self._settings.department(filing.department)
        spoken = writer.language or filing.language
        return Opening(
            subject=(filing.passed.subject if filing.passed else message.subject)[:500],
            department=filing.department,
            requester=writer,
            participants=taking_part,
            language=spoken or (department.language if department else None),
            priority=filing.place.priority if filing.place else "normal",
            assignee=filing.place.assignee if filing.place else None,
        )

    def _filed(self, filing: Filing) -> FiledMail:
        each, passed = filing.reading, filing.passed
        return FiledMail(
            filing.mail.id,
            passed.attached or each.message if passed else each.message,
            filing.reply,
            _customer(filing) if passed else each.author,
            third_party=filing.route.third_party,
            trust="none" if passed else each.authentication.result.value,  # nobody has proven the customer
            related=tuple(one for one in filing.verdict.related if one not in filing.verdict.linked),
            note=filing.route.action is Action.NOTE,
            block=filing.orders.block,
            named=named(each),
            also_for=filing.also_for,
            signed=filing.signed,
            brought_by=each.sender if passed else "",
            noted=passed.comment if passed else "",
        )


def _wanted(filings: Sequence[Filing]) -> list[Address]:
    """Return who has to be known before `filings` are written."""
    wanted = [_customer(filing) for filing in filings if filing.route.action is Action.OPEN]
    return wanted + [one for filing in filings for one in (*filing.joining, *filing.orders.people)]


def _customer(filing: Filing) -> Address:
    """Return whose ticket a mail opens."""
    return filing.orders.customer or filing.reading.writer


def _events(filing: Filing, now: datetime, *, acknowledge: bool) -> tuple[Event, ...]:
    """Return what a mail does to its ticket.

    What was in a mailbox before maild tells nobody anything: it becomes a ticket that is resolved, with its own date,
    or a part of one, which it leaves as it is.
    """
    if filing.orders.events and filing.route.action not in STATES:
        return filing.orders.events
    if filing.place is not None and filing.place.spam:
        return CustomerWrote(filing.mail.old_since or now, acknowledge=False, notify=False), MarkSpam(now)
    if filing.mail.old_since is None or filing.route.action in STATES:
        event = _event(filing, now, acknowledge=acknowledge)
        return () if event is None else (event,)
    if filing.route.action is not Action.OPEN:
        return (MachineWrote(now),)
    return CustomerWrote(filing.mail.old_since, acknowledge=False, notify=False), Solved(now, old=True)


def _event(filing: Filing, now: datetime, *, acknowledge: bool) -> Event | None:
    """Return what a mail means to its ticket, None if it means nothing."""
    match filing.route.action:
        case Action.NOTED | Action.HELD | Action.RELEASE | Action.REJECT | Action.DESK | Action.DELAYED:
            return None
        case Action.MACHINE | Action.BOUNCE:
            return MachineWrote(now)
        case Action.OPEN:
            return CustomerWrote(now, acknowledge=acknowledge)
        case Action.CUSTOMER:
            brings = frozenset(normalise(one.address) for one in filing.joining)
            links = frozenset() if filing.route.third_party else frozenset(filing.verdict.linked)
            return CustomerWrote(now, acknowledge=acknowledge, brings=brings, links=links)
        case Action.LEAVE:
            return Leave(now, filing.reading.sender)
        case Action.RATING:
            rating, words = read_rating(filing.reading.message.subject, filing.reply.text)
            return Rated(now, rating or GOOD, words=bool(words))
        case Action.SOLVED:
            return Solved(now)
        case Action.PROBLEM:
            return StillAProblem(now)
        case Action.ANSWER:
            return AgentWrote(now, filing.reading.sender)
        case Action.NOTE:
            return NoteWritten(now)


def _is_asked(filing: Filing) -> bool:
    return filing.route.confirm and filing.mail.old_since is None


def _record_released(connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
    """Keep in the history of tickets which mails are on them on somebody's word."""
    rows = [
        {
            "ticket_id": filing.ticket,
            "at": now,
            "actor": filing.mail.released_by,
            "cause": "Released",
            "field": "released",
            "old": None,
            "new": f"mail {filing.mail.id}, which was held",
            "mail_id": filing.mail.id,
        }
        for filing in filings
        if filing.mail.released_by and isinstance(filing.ticket, int) and filing.route.action not in STATES
    ]
    if rows:
        connection.execute(insert(HistoryRow), rows)


def _put_away(connection: Connection, filings: Sequence[Filing]) -> None:
    """Put away answers that were held since something newer was said, and whose agents have answered anew."""
    answers = [each for each in filings if each.route.action in (Action.ANSWER, Action.DELAYED) and not each.notes]
    spoken = [each for each in answers if any(isinstance(one, AgentWrote) for one in each.orders.events)]
    if not spoken:
        return
    told = conversations.sent(connection, {one for each in spoken for one in each.reading.message.in_reply_to})
    for filing in spoken:
        for name in filing.reading.message.in_reply_to:
            mail = told.get(name)
            if mail is not None and mail.purpose == Tell.COLLISION and mail.about_id != filing.mail.id:
                [done] = held.reject(connection, [mail.about_id or 0], filing.reading.sender)
                if done.refused is None:
                    log.info("rejected", mail=done.id, by=filing.reading.sender, with_mail=filing.mail.id)


def _failed_for_good(each: Reading) -> bool:
    return each.kind is Kind.DSN_FAILED and each.bounce is not None and any(one.permanent for one in each.bounce.failed)


def _server_words(each: Reading) -> str:
    failed = each.bounce.failed if each.bounce else ()
    said = next((_words(one.status, one.diagnostic) for one in failed if one.permanent), "")
    return said or "the mail could not be delivered"


def _words(status: str, diagnostic: str) -> str:
    """Return what a server said, with the status of its report unless it says it itself."""
    plain = diagnostic.strip()
    if plain.lower().startswith("smtp;"):  # the type of what follows, RFC 3464 2.3.6
        plain = plain[5:].strip()
    return plain if status and status in plain else f"{status} {plain}".strip()
