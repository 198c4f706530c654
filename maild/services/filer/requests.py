"""What agents ask their desk address for: lists, tickets, help; and tickets that they take and give back there.

An answer is a mail for reading on a phone, whose lines begin the next request. A request is the subject of the mail,
or the first line of its text if that says more. Whoever asks sees the tickets of his departments and his own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from maild import people, reports
from maild.config import Settings
from maild.config.desks import Agent
from maild.desk import Desk, Happening, undoing
from maild.message import commands, search
from maild.message.address import normalise
from maild.message.commands import Block, Circumstances, Command, Fault, Says, fault
from maild.message.tokens import Keys, read_undo_token
from maild.outbox import words
from maild.outbox.letters import Asked
from maild.outbox.replies import Replies
from maild.rules import figures
from maild.rules.events import Assign, Event, Offer
from maild.rules.refusals import No, Refused
from maild.rules.routing import Action
from maild.rules.state import Status, Tell
from maild.services.filer import delaying, helping, narrowing, splitting
from maild.services.filer.filing import Filing
from maild.services.filer.recounting import recount
from maild.services.filer.telling import tell_done, tell_taken_back
from maild.store import agents, lists, threads
from maild.store.lists import Listed, Seen
from maild.store.search import Hit
from maild.templates import mails, pieces
from maild.templates.pieces import Entry, Row, Who

OFFERED_FOR: Final = timedelta(minutes=30)
ALIVE: Final = (Status.NEW, Status.OPEN, Status.ANSWERED, Status.POSTPONED)
MOST_SHOWN: Final = 10  # tickets that one mail gets


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request."""

    connection: Connection
    filing: Filing
    agent: Agent
    seen: Seen
    command: Command
    now: datetime


class Requests:
    """Answers what agents ask."""

    def __init__(
        self, settings: Settings, desk: Desk, replies: Replies, keys: Keys, prepared: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._replies = replies
        self._keys = keys
        self._prepared = prepared

    def answer(self, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
        """Answer each of `filings` that asks for something, in the transaction that it is given."""
        for filing in filings:
            agent = self._settings.agent_of(filing.reading.sender)
            if filing.route.action is not Action.DESK or agent is None:
                continue
            if filing.orders.faults:  # in a mail that was to begin a ticket
                seen = Seen(agent.departments, normalise(agent.address))
                self._return(_Asking(connection, filing, agent, seen, Command("help"), now), filing.orders.faults)
                continue
            block = _block(filing, Circumstances(now, self._settings.timezone_of(agent), lambda start, _: start))
            command = next(iter(block.commands), Command("help"))
            seen = Seen(agent.departments, normalise(agent.address))
            asking = _Asking(connection, filing, agent, seen, command, now)
            if block.faults:
                self._return(asking, block.faults)
            else:
                _ANSWERS[command.word](self, asking)

    def _reply(self, asking: _Asking, request: str, **answer: Any) -> None:
        message = asking.filing.reading.message
        self._replies.write(asking.connection, asking.agent, message, {"subject": request, **answer}, asking.now)

    def _return(self, asking: _Asking, faults: Sequence[Fault]) -> None:
        message, lines = asking.filing.reading.message, asking.filing.reply.text.splitlines()
        first = next((line for line in lines if line.strip()), "")
        written = (first if message.in_reply_to else "") or message.subject or first
        shown = [replace(each, suggestion=each.suggestion.lstrip("#")) for each in faults]
        told = tuple(words.told(each, written[:80]) for each in shown)
        self._reply(asking, written[:80], faults=told)

    def help(self, asking: _Asking) -> None:
        """Tell every word that there is, or all of one."""
        written = str(asking.command.value or "")
        found = helping.one_word(written, ANSWERED) if written else helping.every_word(ANSWERED)
        if isinstance(found, Fault):
            self._return(asking, [found])
        else:
            prepared = self._uses() if written.lstrip("#").casefold() in ("", "use") else ()
            self._reply(asking, f"help {written}".strip(), words=(*found[0], *prepared), requests=found[1])

    def _uses(self) -> Iterator[Entry]:
        """Yield the prepared texts, each with what it begins with."""
        for name, first in self._prepared.items():
            yield Entry(f"#use {name}", first.replace("%", "%%"))  # no placeholder of a translation

    def mine(self, asking: _Asking) -> None:
        """List the tickets of the agent that are not done."""
        self._list(
            asking, "mine", *lists.listed(asking.connection, asking.seen, statuses=ALIVE, assignee=asking.seen.agent)
        )

    def list(self, asking: _Asking) -> None:
        """List the tickets of a status, a department or an agent, else those in which a customer waits."""
        written = str(asking.command.value or "")
        wanted = narrowing.read(written, self._settings)
        if isinstance(wanted, Fault):
            self._return(asking, [wanted])
            return
        found, count = lists.listed(asking.connection, asking.seen, **wanted)
        self._list(asking, f"list {written}".strip(), found, count)

    def _list(self, asking: _Asking, request: str, found: Sequence[Listed], count: int) -> None:
        self._reply(asking, request, rows=self._rows(asking, found), more=count - len(found))

    def _rows(self, asking: _Asking, found: Sequence[Listed]) -> tuple[Row, ...]:
        return tuple(self._row(asking.seen.agent, each) for each in found)

    def _row(self, agent: str, each: Listed, hit: Hit | None = None) -> Row:
        assignee = self._settings.agent_of(each.assignee) if each.assignee else None
        customer = Who(each.name, each.address)
        due_at = each.target_at if each.waiting_since else None
        name, take = assignee.name if assignee else "", each.assignee != agent and each.status in ALIVE
        said = pieces.Found(hit.author, hit.at, hit.snippet) if hit and hit.at else None
        return Row(each.id, each.subject, each.status.value, customer, name, due_at, said, take)

    def search(self, asking: _Asking) -> None:
        """List the newest tickets in which something was written."""
        text = str(asking.command.value)
        query = search.query(text)
        if unknown := [each for each in query.statuses if each not in set(Status)]:
            self._return(asking, [narrowing.no_status(unknown[0], "search printer status:open")])
            return
        rows = tuple(self._row(asking.seen.agent, *each) for each in lists.found(asking.connection, asking.seen, query))
        self._reply(asking, f"search {text}", rows=rows)

    def get(self, asking: _Asking) -> None:
        """Send tickets, each as a mail whose reply answers its customer, with the mails that it consists of."""
        self._show(asking, _tickets(asking.command)[:MOST_SHOWN], whole=True)

    def why(self, asking: _Asking) -> None:
        """Send a ticket with its history."""
        self._show(asking, _tickets(asking.command)[:1], history=True)

    def take(self, asking: _Asking) -> None:
        """Give the agent a ticket, and send it."""
        self._assign(asking, asking.seen.agent)

    def release(self, asking: _Asking) -> None:
        """Give a ticket back to all."""
        self._assign(asking, None)

    def away(self, asking: _Asking) -> None:
        """Note that the agent is away, until then or until he is back."""
        until = asking.command.value if isinstance(asking.command.value, datetime) else None
        agents.leave(asking.connection, asking.seen.agent, until or agents.FOR_EVER)
        self._reply(asking, "away", presence=pieces.Presence(away=True, until=until))

    def back(self, asking: _Asking) -> None:
        """Note that the agent is there again, and list his tickets."""
        agents.leave(asking.connection, asking.seen.agent, asking.now)
        rows, count = lists.listed(asking.connection, asking.seen, assignee=asking.seen.agent)
        shown = self._rows(asking, rows)
        self._reply(asking, "back", presence=pieces.Presence(away=False), rows=shown, more=count - len(shown))

    def report(self, asking: _Asking) -> None:
        """Send the figures of a period: of the agent's departments and his own; a lead's with those of his agents."""
        text, mine = str(asking.command.value or ""), asking.seen.agent
        zone = self._settings.timezone_of(asking.agent)
        try:
            period = figures.period(text, asking.now.astimezone(zone).date())
        except figures.NoPeriodError:
            told = {"text": text, "known": ", ".join(figures.NAMES)}
            self._return(asking, [fault(Says.NO_PERIOD, "report last-month", values=told)])
            return
        found = reports.of_period(asking.connection, self._settings, period, zone, asking.seen.departments)
        shown = {mine, *self._settings.led_by(mine)}
        values = {"subject": text or str(period), **reports.told(found, self._settings, shown)}
        message = asking.filing.reading.message
        words_in = lambda frame: mails.Report(**frame, **values)  # noqa: E731 - it is a value here
        self._replies.answer(asking.connection, asking.agent, message, words_in, asking.now)

    def next(self, asking: _Asking) -> None:
        """Offer the agent the most urgent ticket, and nobody else for a while."""
        ticket_id = lists.most_urgent(asking.connection, asking.seen, asking.now)
        if ticket_id is None:
            self._reply(asking, "next", idle=True)
            return
        until = asking.now + OFFERED_FOR
        if self._happen(asking, ticket_id, Offer(asking.now, asking.seen.agent, until)):
            self._send(asking, ticket_id, until=until, whole=True)

    def pass_on(self, asking: _Asking) -> None:
        """Leave tickets to others, that which was offered if none is named; then offer the next."""
        named = _tickets(asking.command)
        for ticket_id in named or lists.offered(asking.connection, asking.seen.agent, asking.now):
            mine = lists.visible(asking.connection, asking.seen, [ticket_id])
            if mine and not self._happen(asking, ticket_id, Offer(asking.now, asking.seen.agent, asking.now)):
                return
        self.next(asking)

    def undo(self, asking: _Asking) -> None:
        """Take back what a mail did: the one of a link's word, else his last, on this ticket if he is on one."""
        mine = asking.filing.mail.id
        if not asking.command.value and self._cancel(asking, self._here(asking), mine=True):
            return  # an answer that has not left is the last that he did
        try:
            mail_id = self._to_undo(asking)
            deeds = self._desk.take_back(asking.connection, mail_id, asking.seen.agent, mine, asking.now)
        except Refused as no:
            self._return(asking, [Fault(no.sentence, values=tuple(no.values.items()))])
            return
        agent = asking.agent
        tell_taken_back(self._desk, asking.connection, mail_id, deeds, asking.seen.agent, agent.name, asking.now)

    def split(self, asking: _Asking) -> None:
        """Make a ticket of its own from the mail that was answered, and send it."""
        title = str(asking.command.value or "")
        try:
            opened = splitting.split(self._desk, asking.connection, asking.filing, asking.seen.agent, title, asking.now)
        except Refused as no:
            self._return(asking, [Fault(no.sentence, values=tuple(no.values.items()))])
            return
        tell_done(self._desk, asking.connection, asking.filing, asking.now)
        self._desk.tell(asking.connection, opened, Tell.SHOWN, Asked(asking.agent.address), asking.now)

    def cancel(self, asking: _Asking) -> None:
        """Keep back answers that have not left: those of a ticket, else his last."""
        tickets = lists.visible(asking.connection, asking.seen, _tickets(asking.command))
        named = bool(_tickets(asking.command))
        if (named and not tickets) or not self._cancel(asking, tickets, mine=not named):
            self._return(asking, [Fault(No.NOTHING_WAITS.value)])

    def _cancel(self, asking: _Asking, tickets: Sequence[int], *, mine: bool) -> bool:
        agent = asking.seen.agent
        found = delaying.waiting(asking.connection, tickets, agent=agent if mine else None)
        return delaying.cancel(self._desk, asking.connection, found, agent, asking.agent.name, asking.now)

    @staticmethod
    def _here(asking: _Asking) -> tuple[int, ...]:
        """Return the ticket on which it is asked, if it is asked on one."""
        return (asking.filing.ticket,) if isinstance(asking.filing.ticket, int) else ()

    def _to_undo(self, asking: _Asking) -> int:
        """Return the mail whose doing is to be taken back.

        Raises:
            Refused: there is none, or it is not the agent's affair.
        """
        connection, seen, written = asking.connection, asking.seen, str(asking.command.value or "").split()
        if not written:
            latest = undoing.latest(connection, seen.agent, asking.now, next(iter(self._here(asking)), None))
            if latest is None:
                raise Refused(No.NOTHING_TO_UNDO)
            return latest
        token = read_undo_token(self._keys, written[0], asking.now)
        if token is None:
            raise Refused(No.NOT_GENUINE)
        me = people.known(connection, [seen.agent]).get(seen.agent)
        changed = undoing.tickets_of(connection, token.mail_id)
        colleague = set(changed) <= set(lists.visible(connection, seen, changed))
        if not colleague and (me is None or me.address_id != token.address_id):
            raise Refused(No.NOT_YOURS)
        return token.mail_id

    def _happen(self, asking: _Asking, ticket_id: int, event: Event) -> bool:
        """Let `event` happen to a ticket; tell the agent why not, if it is refused."""
        mine = Happening(ticket_id, event, asking.seen.agent, mail_id=asking.filing.mail.id)
        [outcome] = self._desk.handle(asking.connection, [mine], asking.now)
        if outcome.refused:
            self._return(asking, outcome.faults)
        return not outcome.refused

    def _assign(self, asking: _Asking, agent: str | None) -> None:
        tickets = lists.visible(asking.connection, asking.seen, _tickets(asking.command)[:1])
        for ticket_id in tickets:
            if not self._happen(asking, ticket_id, Assign(asking.now, agent, asking.seen.agent)):
                return
        if tickets and agent is None:
            self.mine(asking)
        else:
            self._show(asking, _tickets(asking.command)[:1], whole=True)

    def _send(self, asking: _Asking, ticket_id: int, *, whole: bool = False, **told: Any) -> None:
        """Send the agent a ticket, with its mails if he is to have it whole."""
        thread, left_out = threads.whole(asking.connection, ticket_id) if whole else ([], 0)
        asked = Asked(asking.agent.address, thread=tuple(thread), left_out=left_out, **told)
        self._desk.tell(asking.connection, ticket_id, Tell.SHOWN, asked, asking.now)

    def _show(self, asking: _Asking, wanted: Sequence[int], *, history: bool = False, whole: bool = False) -> None:
        found = lists.visible(asking.connection, asking.seen, wanted)
        for ticket_id in found:
            why = recount(ticket_id, lists.changes(asking.connection, ticket_id)) if history else ()
            self._send(asking, ticket_id, why=why, whole=whole)
        if missing := [ticket_id for ticket_id in wanted if ticket_id not in found]:
            self._return(asking, [fault(Says.NOT_YOURS_TO_SEE, values={"number": each}) for each in missing])
        elif not wanted:
            self._return(asking, [fault(Says.WHICH_TICKET, values={"word": asking.command.word})])


_REQUESTS: Final[Mapping[str, Callable[[Requests, _Asking], None]]] = {
    "help": Requests.help,
    "next": Requests.next,
    "pass": Requests.pass_on,
    "mine": Requests.mine,
    "list": Requests.list,
    "search": Requests.search,
    "get": Requests.get,
    "why": Requests.why,
    "take": Requests.take,
    "release": Requests.release,
    "report": Requests.report,
    "away": Requests.away,
    "back": Requests.back,
    "undo": Requests.undo,
    "cancel": Requests.cancel,
}
_ON_TICKETS: Final[Mapping[str, Callable[[Requests, _Asking], None]]] = {"split": Requests.split}
_ANSWERS: Final = {**_REQUESTS, **_ON_TICKETS}
ANSWERED: Final = frozenset(_REQUESTS)


def _block(filing: Filing, circumstances: Circumstances) -> Block:
    """Return what the mail asks for: its block, or its subject (on a phone), or its text (by a link)."""
    if filing.orders.request is not None:
        return Block((filing.orders.request,))
    by_subject = commands.parse_request(filing.reading.message.subject, circumstances)
    by_text = commands.parse_request(filing.reply.text, circumstances)
    if by_subject.commands:
        return by_subject
    if by_text.commands or not by_subject.faults:
        return by_text
    replies = bool(filing.reading.message.in_reply_to) and by_text.faults  # its subject is ours, not his
    return by_text if replies else by_subject


def _tickets(command: Command) -> tuple[int, ...]:
    return tuple(each for each in command.value if isinstance(each, int)) if isinstance(command.value, tuple) else ()
