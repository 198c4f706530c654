"""Where a new request goes: its department, its priority and who gets it, by the rules of the configuration.

A rule fits if all that it asks for is so; of several values of one kind one is enough. The rules are read in order, and
for each of department, priority, assignee and spam the first rule that fits and says something of it is followed. So
rules that say different things add up, and one further up makes an exception for those below.

VIP customers have at least the priority of VIPs, whatever the rules say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from maild.rules.levels import more_urgent
from maild.rules.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers by address, or by domain with all below it; normalised."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.domains)

    def __contains__(self, address: str) -> bool:
        if address in self.addresses:
            return True
        domain = address.rpartition("@")[2]
        while domain:
            if domain in self.domains:
                return True
            domain = domain.partition(".")[2]
        return False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it asks for, and what it says."""

    name: str  # as reasons call it
    recipients: frozenset[str] = frozenset()  # normalised
    customers: Customers = Customers()
    subject: tuple[Pattern, ...] = ()
    headers: Mapping[str, tuple[Pattern, ...]] = field(default_factory=dict)
    department: str | None = None
    priority: str | None = None
    assignee: str | None = None  # normalised
    spam: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is looked at of a mail that opens a ticket."""

    department: str  # to which it was addressed
    recipients: frozenset[str]  # of envelope and header, normalised
    customer: str  # normalised
    subject: str
    headers: Callable[[str], Sequence[str]]  # all values of a header


@dataclass(frozen=True, slots=True)
class Place:
    """Where it goes, and why."""

    department: str
    priority: str = "normal"
    assignee: str | None = None
    spam: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placing:
    """The rules of a configuration."""

    rules: tuple[Rule, ...] = ()
    vips: Customers = Customers()
    vip_priority: str = "high"
    agents: Mapping[str, frozenset[str]] = field(default_factory=dict)  # who works in each department

    def place(self, request: Request) -> Place:
        """Return where `request` goes."""
        said: dict[str, tuple[Rule, str | bool]] = {}
        for rule in self.rules:
            values: dict[str, str | bool | None] = {"department": rule.department, "priority": rule.priority}
            values |= {"assignee": rule.assignee, "spam": rule.spam}
            news = {what: value for what, value in values.items() if value is not None and what not in said}
            if news and fits(rule, request):
                said |= {what: (rule, value) for what, value in news.items()}
        department = str(said["department"][1]) if "department" in said else request.department
        priority = str(said["priority"][1]) if "priority" in said else "normal"
        assignee = str(said["assignee"][1]) if "assignee" in said else None
        reasons = [f"{_WORDS[what].format(value)} by rule {rule.name}" for what, (rule, value) in said.items() if value]
        if assignee is not None and assignee not in self.agents.get(department, frozenset()):
            reasons.append(f"not for {assignee}, who does not work in {department}")
            assignee = None
        if request.customer in self.vips and more_urgent(priority, self.vip_priority) != priority:
            priority = self.vip_priority
            reasons.append(f"{priority}, as a VIP customer's")
        spam = "spam" in said and bool(said["spam"][1])
        return Place(department, priority, assignee, spam, tuple(reasons))


_WORDS: Final = {"department": "for {}", "priority": "{}", "assignee": "for {}", "spam": "spam"}


def fits(rule: Rule, request: Request) -> bool:
    """Return whether all that `rule` asks for is so."""
    if rule.recipients and rule.recipients.isdisjoint(request.recipients):
        return False
    if rule.customers and request.customer not in rule.customers:
        return False
    if rule.subject and not any(each.found_in(request.subject) for each in rule.subject):
        return False
    return all(
        any(pattern.found_in(value) for value in request.headers(name) for pattern in patterns)
        for name, patterns in rule.headers.items()
    )
