"""What agents ask for by words: the block on top of an agent's mail becomes events of its ticket.

    route (an answer, a note) -> block of words, new text without it -> events: people, message, facts, status

It is read before anything is decided. A block with a fault leaves no event at all, and the desk sends the mail back;
so does one of which the rules refuse a single event. Commands alone make no message. What a word means is in `wishes`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message import commands, html
from maild.message.commands import Circumstances, Command
from maild.rules.routing import Action
from maild.rules.working_time import Span
from maild.services.filer import betraying
from maild.services.filer.beginning import Beginner
from maild.services.filer.filing import Filing, Orders
from maild.services.filer.signing import signed_answer
from maild.services.filer.wishes import ASKED, Wishes, names_of_agents, names_of_departments
from maild.store import tickets
from maild.templates.replies import Prepared, Values


class Commander:
    """Reads what agents ask for."""

    def __init__(self, settings: Settings, prepared: Prepared) -> None:
        self._settings = settings
        self._agents = names_of_agents(settings.agents)
        self._departments = names_of_departments(settings.departments)
        self._prepared = prepared
        self._names = {name: name for name in prepared.names}
        self._beginner = Beginner(settings, self._agents, self._departments)

    def _prepared_text(
        self, connection: Connection, filing: Filing, agent: Agent, department: Department, said: Sequence[Command]
    ) -> str:
        """Return the prepared texts that are used, as they are said to this customer; "" for none."""
        names = [str(command.value) for command in said if command.word == "use" and command.value in self._names]
        if not names or not isinstance(filing.ticket, int):
            return ""
        about = tickets.addressed(connection, filing.ticket)
        values = Values(about.name, about.subject, filing.ticket, agent.name, department.title)
        language = about.language or department.language
        texts = (self._prepared.text(name, language, values) for name in names)
        return "\n\n".join(text for text in texts if text)

    def read(self, connection: Connection, filings: Sequence[Filing], now: datetime) -> None:
        """Give each of `filings` that is an agent's words its orders, and leave it the new text without the block."""
        for filing in filings:
            self._beginner.begin(filing, now)
        spoken = [filing for filing in filings if filing.route.action in (Action.ANSWER, Action.NOTE)]
        departments = tickets.departments_of(
            connection, {each.ticket for each in spoken if isinstance(each.ticket, int)}
        )
        for filing in spoken:
            agent = self._settings.agent_of(filing.reading.sender)
            if agent is None or not isinstance(filing.ticket, int):
                continue  # not an agent's, or a ticket that is opened by this mail
            department = self._settings.department(departments.get(filing.ticket, ""))
            self._order(connection, filing, agent, department or self._settings.departments[0], now)

    def _order(
        self, connection: Connection, filing: Filing, agent: Agent, department: Department, now: datetime
    ) -> None:
        office = self._settings.office_of(department)
        circumstances = Circumstances(
            filing.mail.stored_at,  # what he says of time he says when he writes, whenever it is looked at
            self._settings.timezone_of(agent),
            lambda start, days: office.add(start, Span(business_days=days)),
            agents=self._agents,
            departments=self._departments,
            canned=self._names,
        )
        plain = filing.reply
        text = plain.text
        block = commands.parse(text, circumstances)
        if not (block.commands or block.faults) and filing.reply.html:
            # The HTML is what is relayed: no word on top of it may reach a customer, whatever the text beside it says.
            written = html.to_text(filing.reply.html)
            if commands.block_lines(written.splitlines(), circumstances):
                text, block = written, commands.parse(written, circumstances)
        words = tuple(command.word for command in block.commands)
        said = "\n".join(text.splitlines()[: commands.block_lines(text.splitlines(), circumstances)]).strip()
        prepared = self._prepared_text(connection, filing, agent, department, block.commands)
        rest = "\n\n".join(part for part in (prepared, block.rest) if part)
        wishes = Wishes(self._settings, filing, agent, now, block.commands, rest)
        faults = block.faults or tuple(wishes.faults())
        if "note" in words:
            filing.route = replace(filing.route, action=Action.NOTE, reason=f"{filing.route.reason}, with #note")
        if words or faults:
            markup = "" if "note" in words else commands.without_block(filing.reply.html, circumstances)
            filing.reply = filing.reply.rest(rest, commands.before(markup, prepared) if block.rest.strip() else "")
        if not faults and filing.route.action is Action.ANSWER:
            faults = betraying.faults(filing.reply, filing.reading.message.attachments)
        if not faults and department.signature and filing.route.action is Action.ANSWER and rest.strip():
            filing.signed = signed_answer(plain, circumstances, prepared)
        if not faults and ASKED.intersection(words):
            filing.route = replace(filing.route, action=Action.DESK, reason=f"{filing.route.reason}, who asks his desk")
            filing.orders = Orders(block=said, words=words, request=wishes.request())
            return
        if faults:
            filing.orders = Orders(faults=faults, block=said, words=words)
            return
        asked = tuple(wishes.events(note=filing.route.action is Action.NOTE))
        filing.orders = Orders(
            tuple(event for event, _ in asked),
            (),
            wishes.people(),
            said,
            words,
            lines=tuple(line for _, line in asked),
            leaves_at=wishes.leaves_at(agent.send_delay or department.send_delay),
        )
