"""What the desk does by itself with tickets: the sections `[[route]]`, `[vip]` and `[[escalate]]`."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator

from maild.config.kinds import Section
from maild.config.kinds.names import MailAddress, Name
from maild.config.kinds.times import SpanText
from maild.message.address import normalise, valid
from maild.rules.pattern import Pattern
from maild.rules.placing import Customers, Rule
from maild.rules.policy import Escalation

Priority = Literal["low", "normal", "high", "urgent"]
MOST: Final = 1000  # values of one condition


def _many(value: Any) -> Any:
    """Return one value as a list of one: both may be written."""
    return (value,) if isinstance(value, str) else value


def _customer(text: str) -> str:
    """Return an address or a domain as customers are compared by it."""
    bare = text.strip().removeprefix("*").removeprefix("@")
    if not valid(bare if "@" in bare else f"x@{bare}"):
        raise ValueError("expected an address such as 'ada@customer.example' or a domain such as 'customer.example'")
    return normalise(bare) if "@" in bare else normalise(f"x@{bare}").rpartition("@")[2]


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[!-9;-~]{1,80}", text):  # RFC 5322 3.6.8
        raise ValueError("expected the name of a header, such as X-Form")
    return text


Customer = Annotated[str, AfterValidator(_customer)]
Words = Annotated[str, AfterValidator(lambda text: Pattern.parse(text).text)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
SomeCustomers = Annotated[tuple[Customer, ...], BeforeValidator(_many), Field(max_length=MOST)]
SomeAddresses = Annotated[tuple[MailAddress, ...], BeforeValidator(_many), Field(max_length=MOST)]
SomeWords = Annotated[tuple[Words, ...], BeforeValidator(_many), Field(max_length=MOST)]

SomeNames = Annotated[tuple[Name, ...], BeforeValidator(_many)]
SomePriorities = Annotated[tuple[Priority, ...], BeforeValidator(_many)]
SomeStatuses = Annotated[tuple[Literal["new", "open"], ...], BeforeValidator(_many)]


def customers(written: Iterable[str]) -> Customers:
    """Return the customers that addresses and domains name."""
    both = set(written)
    addresses = frozenset(each for each in both if "@" in each)
    return Customers(addresses, frozenset(both - addresses))


class Route(Section):
    """`[[route]]`: where new requests go that are like this."""

    recipient: SomeAddresses = ()
    customer: SomeCustomers = ()
    subject: SomeWords = ()
    header: Mapping[HeaderName, SomeWords] = {}
    department: Name | None = None
    priority: Priority | None = None
    assign: MailAddress | None = None
    spam: StrictBool | None = None

    @model_validator(mode="after")
    def _asks_and_says(self) -> "Route":
        if not (self.recipient or self.customer or self.subject or self.header):
            raise ValueError("expected a condition: recipient, customer, subject or header")
        if self.department is None and self.priority is None and self.assign is None and self.spam is None:
            raise ValueError("expected what follows: department, priority, assign or spam")
        return self

    def rule(self, number: int) -> Rule:
        """Return the rule for `maild.rules`; reasons call it by its place in the file."""
        return Rule(
            f"[[route]] {number}",
            frozenset(map(normalise, self.recipient)),
            customers(self.customer),
            tuple(map(Pattern.parse, self.subject)),
            {name.lower(): tuple(map(Pattern.parse, words)) for name, words in self.header.items()},
            self.department,
            self.priority,
            normalise(self.assign) if self.assign else None,
            self.spam,
        )


class Escalate(Section):
    """`[[escalate]]`: what happens to tickets in which a customer waits too long."""

    name: Name
    department: SomeNames = ()
    priority: SomePriorities = ()
    status: SomeStatuses = ()
    unassigned_for: SpanText | None = None
    unanswered_for: SpanText | None = None
    breached: StrictBool = False
    raise_to: Priority | None = None
    move_to: Name | None = None
    assign: MailAddress | None = None
    tell: SomeAddresses = ()

    @model_validator(mode="after")
    def _asks_and_says(self) -> "Escalate":
        if self.unassigned_for is None and self.unanswered_for is None and not self.breached:
            raise ValueError("expected when: unassigned_for, unanswered_for or breached = true")
        if not (self.raise_to or self.move_to or self.assign or self.tell):
            raise ValueError("expected what follows: raise_to, move_to, assign or tell")
        return self

    @property
    def rule(self) -> Escalation:
        """The rule for `maild.rules`."""
        return Escalation(
            self.name,
            frozenset(self.department),
            frozenset(self.priority),
            frozenset(self.status),
            self.unassigned_for,
            self.unanswered_for,
            self.breached,
            self.raise_to,
            self.move_to,
            normalise(self.assign) if self.assign else None,
            tuple(map(normalise, self.tell)),
        )


class Vip(Section):
    """`[vip]`: customers whose tickets come first, and are marked for the agents."""

    customers: SomeCustomers = ()
    priority: Priority = "high"
