"""Tickets that an agent begins for a customer, by a mail to the address of a department.

    #for ada@customer.example      his text goes to her, as the first mail of a ticket that is answered
    a customer's mail passed on    becomes her ticket, as if she had written to us; she is told nothing

Only a mail by which an agent has proven himself gets here (`rules.routing`). Whose mail is passed on is read for
certain or not at all; else the agent is asked, and nothing has happened. He says it himself with `#requester` above it.
What he wrote above the mail is for colleagues, and no part of what the customer said.

Words about a ticket (`_BEGINS`) may stand beside these and mean the new one. Where a customer's mail is passed on the
department, the priority and the agent are those with which it is opened, so nobody else is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from maild.config import Settings
from maild.message import commands
from maild.message.address import Address, normalise
from maild.message.commands import Block, Circumstances, Fault, Says, fault
from maild.message.forwarded import Passed, passed_on
from maild.rules.events import Admit, AgentWrote, CustomerWrote, Event
from maild.rules.routing import Action
from maild.rules.working_time import Span
from maild.services.filer import betraying
from maild.services.filer.filing import Filing, Orders
from maild.services.filer.signing import signed_answer
from maild.services.filer.wishes import Wishes, addresses

FORWARD: Final = "forward"  # what the record calls a mail that was passed on
_WHOSE: Final = frozenset({"for", "requester"})
_OPENS: Final = frozenset({"assign", "take", "department", "priority"})
_ENDS: Final = frozenset({"resolve", "close", "postpone"})
_BEGINS: Final = _WHOSE | _OPENS | _ENDS | {"tag", "title", "link", "cc", "note", "silent", "force"}


class Beginner:
    """Reads what agents begin."""

    def __init__(self, settings: Settings, agents: Mapping[str, str], departments: Mapping[str, str]) -> None:
        self._settings = settings
        self._agents = agents
        self._departments = departments

    def begin(self, filing: Filing, now: datetime) -> None:
        """Give `filing` its orders if it is an agent's mail that begins a ticket for a customer, or passes on his mail.

        What an agent passes on that is on a ticket already is a note there: it is no answer to the customer.
        """
        agent = self._settings.agent_of(filing.reading.sender)
        if agent is None or filing.reading.kind.value != "human":
            return
        if filing.route.action is Action.ANSWER and filing.verdict.role is None:
            if passed_on(filing.reading.message, filing.reply.text) is not None:
                reason = "an agent passes on a mail that is on this ticket"
                filing.route = replace(filing.route, action=Action.NOTE, reason=reason)
            return
        if filing.route.action is not Action.OPEN or filing.mail.old_since is not None:
            return
        department = self._settings.department(filing.department) or self._settings.departments[0]
        office = self._settings.office_of(department)
        seen = Circumstances(
            filing.mail.stored_at,
            self._settings.timezone_of(agent),
            lambda start, days: office.add(start, Span(business_days=days)),
            agents=self._agents,
            departments=self._departments,
        )
        block = commands.parse(filing.reply.text, seen)
        passed = passed_on(filing.reading.message, block.rest)
        if not (block.commands or block.faults or passed):
            return  # he writes as anybody does
        orders = self._orders(Wishes(self._settings, filing, agent, now, block.commands, block.rest), block, passed)
        said = "\n".join(filing.reply.text.splitlines()[: commands.block_lines(filing.reply.text.splitlines(), seen)])
        filing.orders = replace(orders, block=said.strip())
        if orders.faults:
            filing.route = replace(filing.route, action=Action.DESK, reason="an agent's words that cannot be done")
        elif orders.words[0] == "for":
            plain = filing.reply
            filing.reply = plain.rest(block.rest, commands.without_block(plain.html, seen))
            if department.signature:
                filing.signed = signed_answer(plain, seen)
            filing.route = replace(filing.route, reason=f"{filing.route.reason}, to a customer")
        elif passed is not None:
            filing.passed = replace(passed, author=orders.customer)
            filing.reply = filing.reply.rest(passed.text, "")
            filing.route = replace(filing.route, reason=f"{filing.route.reason}, who passes on a customer's")

    def _orders(self, wishes: Wishes, block: Block, passed: Passed | None) -> Orders:
        filing, now = wishes.filing, wishes.now
        words = {command.word: command.value for command in block.commands}
        faults = block.faults or tuple(self._faults(filing, block, passed))
        if faults:
            return Orders(faults=faults, words=tuple(words))
        named = next((str(words[each]) for each in ("for", "requester") if each in words), None)
        customer = Address("", named) if named else passed.author if passed else None
        if customer is None:
            return Orders(faults=(fault(Says.NO_AUTHOR),))
        joining = tuple(Address("", each) for one in block.commands if one.word == "cc" for each in addresses(one))
        begins = "for" if "for" in words else FORWARD
        first: tuple[Event, ...]
        if begins == "for":
            filing.joining = (*filing.joining, *joining)
            first, besides = (AgentWrote(now, filing.reading.sender),), {"department", "priority"}
            assignee = ""  # he is told by being handed the ticket: what he gets is no customer's mail
        else:
            first, besides = (CustomerWrote(now, acknowledge=False, notify=not _ENDS & words.keys()),), set(_OPENS)
            if joining:
                first = (*first, Admit(now, frozenset(normalise(one.address) for one in joining)))
            given = next((wishes.assign(one).agent for one in block.commands if one.word in ("assign", "take")), None)
            assignee = given or ""
        done = tuple(wishes.facts(silent=True, besides=besides | _WHOSE))
        return Orders(
            (*first, *(event for event, _ in done)),
            (),
            (customer, *joining),
            words=(begins, *(each for each in words if each not in _WHOSE)),
            customer=customer,
            lines=(*("" for _ in first), *(line for _, line in done)),
            department=str(words.get("department", "")),
            priority=str(words.get("priority", "")),
            assignee=assignee,
        )

    def _faults(self, filing: Filing, block: Block, passed: Passed | None) -> Iterator[Fault]:
        words = {command.word: str(command.value) for command in block.commands}
        for word in sorted(words.keys() - _BEGINS):
            yield fault(Says.ONLY_BEGINS, line=f"#{word}", values={"word": word})
        named = [words[each] for each in sorted(words.keys() & _WHOSE)]
        if len(named) > 1:
            yield fault(Says.ONE_STATUS, values={"words": "#for, #requester"})
        joining = (each for one in block.commands if one.word == "cc" for each in addresses(one))
        for address in (*named, *joining):
            yield from self._unfit(address)
        if "for" in words and (not block.rest.strip() or passed is not None):
            yield fault(Says.NEEDS_ANSWER, line="#for")
        elif "for" in words:
            yield from betraying.faults(
                filing.reply.rest(block.rest, filing.reply.html), filing.reading.message.attachments
            )
        if not named and passed is not None:
            if passed.author is None:
                yield fault(Says.NO_AUTHOR)
            elif self._is_ours(passed.author.address):
                yield fault(Says.PASSED_BY_US, values={"address": passed.author.address})

    def _unfit(self, address: str) -> Iterator[Fault]:
        if self._settings.agent_of(address) is not None:
            yield fault(Says.IS_AGENT, line=address, values={"address": address})
        elif self._settings.department_of(address) is not None:
            yield fault(Says.IS_OURS, line=address, values={"address": address})

    def _is_ours(self, address: str) -> bool:
        return (
            self._settings.agent_of(address) is not None or self._settings.department_of(normalise(address)) is not None
        )
