"""What becomes of a mail: from what was read of it to one action, with the reason in words.

The filer asks once for every mail. What it may do, and what that needs:

    NOTED      belongs to no ticket: our own mail come back, somebody's out-of-office, a stray report
    MACHINE    filed on its ticket, changes nothing (RFC 3834 2)
    BOUNCE     filed on the ticket of the mail that could not be delivered
    OPEN       a new ticket
    CUSTOMER   filed on its ticket: the customer, or somebody for him, wrote
    SOLVED, PROBLEM, RATING    a customer's action; needs a signed address made for it, and a From that takes part
    LEAVE      a participant wants no more; needs the address in his own copies, and his From
    ANSWER, NOTE       an agent's words; need From and a token made for him, or an authenticated From
    DELAYED    an agent's answer that leaves later, by his word or the department's delay: looked at again then
    DESK       an agent asks for a list, a ticket, help; needs From and the desk address made for him
    HELD       an agent's name without proof, or something that only a person can judge
    RELEASE    an agent says, by the address that only he was sent, that a held mail is his

What proves an agent: a From that is authenticated, or From with a signed address that was made for him. With
`agent_trust = "both"`, and for words that destroy, it has to be both. An address that was made for somebody else is no
proof, it is the opposite. An explicit authentication failure never passes for an agent, unless the operator released
the mail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

OPERATOR: Final = "operator"  # who releases by hand
REOPENINGS_A_DAY: Final = 10  # then a person looks at it: two desks may be talking to each other
# New tickets of one sender within a span; more of his mail goes to the newest of them: a machine, or a loop.
BURSTS: Final = ((timedelta(minutes=10), 10), (timedelta(hours=1), 15))
LONGEST_BURST: Final = max(span for span, _ in BURSTS)
LEAST_BURST: Final = min(most for _, most in BURSTS)


class Action(StrEnum):
    """What becomes of a mail."""

    NOTED = "noted"
    MACHINE = "machine"
    BOUNCE = "bounce"
    OPEN = "open"
    CUSTOMER = "customer"
    SOLVED = "solved"
    PROBLEM = "problem"
    RATING = "rating"
    LEAVE = "leave"
    ANSWER = "answer"
    NOTE = "note"
    HELD = "held"
    RELEASE = "release"
    REJECT = "reject"
    DESK = "desk"
    DELAYED = "delayed"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that routing looks at."""

    kind: str  # message.classify.Kind
    answerable: bool = True  # nothing in it asks not to be answered
    ticket_id: int | None = None  # found by evidence, merged tickets followed
    role: str | None = None  # of the signed address that it was sent to: message.tokens.Role
    proven: bool = False  # the ticket was found by something that we signed
    token_is_senders: bool = False  # that signed address was made for this sender
    third_party: bool = False  # the sender takes no part in that ticket
    takes_part: bool = False  # the sender is requester or participant of that ticket
    requester: bool = False  # he is its requester, under any of his addresses
    agent: bool = False  # From is a configured agent's address
    trust: str = "none"  # message.authentication.Trust: pass, fail, none
    own_list: bool = False  # the list is our own department's address
    bounced_delivery: bool = False  # the report names a delivery of ours
    rating: int | None = None  # that the mail says
    reopenings_today: int = 0  # of this sender
    would_reopen: bool = False
    burst_ticket_id: int | None = None  # the newest of too many tickets that this sender just opened
    both: bool = False  # agents have to prove themselves twice: maild.agent_trust
    checked: bool = True  # somebody says whether a From is genuine: a named host, or our own checks
    released_by: str = ""  # who let it through after it was held: an agent's address, or OPERATOR
    desk: bool = False  # it was sent to a desk address
    desk_is_senders: bool = False  # which was made for this sender
    release: str | None = None  # it asks to release a held mail: "" if that may be, else why not
    rejects: bool = False  # it asks to reject that mail


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of the mail, and why."""

    action: Action
    reason: str
    third_party: bool = False
    acknowledge: bool = False
    confirm: bool = False  # ask the agent whose name it bears whether it is his
    twice: bool = False  # an agent's, who has proven himself by an address and by his From: what destroys asks for it


def route(facts: Facts) -> Route:
    """Return what becomes of a mail of which `facts` are known."""
    if facts.release is not None and facts.kind not in _OURS_OR_ABOUT_OURS:
        return _release(facts)
    if facts.desk and facts.agent and facts.kind not in _OURS_OR_ABOUT_OURS:
        return _to_the_desk(facts)
    if facts.role == "l" and facts.ticket_id is not None and facts.kind in ("human", "auto", "list"):
        return _leaves(facts)
    match facts.kind:
        case "own":
            return Route(Action.NOTED, "our own mail came back")
        case "dsn-failed" | "dsn-delayed" | "dsn-ok":
            return _report(facts)
        case "mdn" | "ooo":
            return _machine(facts, "out-of-office notes and receipts belong to a ticket or to nothing")
        case "auto":
            return _automatic(facts)
        case "list" if not facts.own_list:
            return _automatic(facts)
        case _:
            return _from_agent(facts) if facts.agent else _from_customer(facts)


def _leaves(facts: Facts) -> Route:
    """Return what becomes of a mail to the address of `List-Unsubscribe`; programs send it, marked as they like."""
    if facts.trust == "fail" and not facts.released_by:
        return Route(Action.HELD, "a customer's action from an address whose authentication failed")
    if facts.token_is_senders and facts.takes_part and not facts.requester:
        return Route(Action.LEAVE, "a participant takes part no longer")
    if facts.kind != "human" or (facts.token_is_senders and not facts.takes_part):
        return Route(Action.MACHINE, "nobody leaves: its sender takes no part, or it is his own ticket")
    return _on_ticket(facts, "nobody leaves: the address was made for somebody else, or it is his own ticket")


_OURS_OR_ABOUT_OURS: Final = frozenset({"own", "dsn-failed", "dsn-delayed", "dsn-ok"})


def _release(facts: Facts) -> Route:
    """Return what becomes of a mail that releases or rejects a held one: nothing else, whoever wrote it."""
    if facts.kind != "human":
        return Route(Action.NOTED, "an automatic mail releases nothing")
    if not facts.agent:
        return Route(Action.NOTED, "nothing is released: its sender is no agent")
    if facts.release:
        return Route(Action.NOTED, f"nothing is released: {facts.release}")
    if facts.trust == "fail" or (facts.both and facts.trust != "pass"):
        return Route(Action.NOTED, "nothing is released: its sender is not proven")
    if facts.rejects:
        return Route(Action.REJECT, "the agent says that a held mail is not to be acted on")
    return Route(Action.RELEASE, "the agent says that a held mail is his")


def _to_the_desk(facts: Facts) -> Route:
    """Return what becomes of an agent's mail to a desk address; a stranger's is a mail like any other."""
    if facts.kind != "human":
        return Route(Action.NOTED, "an automatic mail asks for nothing")
    if facts.trust == "fail" and facts.released_by != OPERATOR:
        return Route(Action.HELD, "From is an agent's address, and authentication failed")
    known = facts.desk_is_senders or bool(facts.released_by)
    if not known or (facts.both and facts.trust != "pass" and facts.released_by != OPERATOR):
        return Route(Action.HELD, "an agent's desk address, without proof that he wrote it", confirm=True)
    return Route(Action.DESK, "an agent asks his desk")


def _report(facts: Facts) -> Route:
    if facts.bounced_delivery:
        return Route(Action.BOUNCE, "a report on a mail of ours")
    if facts.ticket_id is not None and facts.proven:
        return Route(Action.MACHINE, "a report that names this ticket")
    return Route(Action.NOTED, "a report on a mail that we did not send")


def _machine(facts: Facts, otherwise: str) -> Route:
    if facts.ticket_id is not None:
        return Route(Action.MACHINE, "an automatic mail on this ticket")
    return Route(Action.NOTED, otherwise)


def _automatic(facts: Facts) -> Route:
    if facts.agent and facts.ticket_id is None:
        return Route(Action.NOTED, "an automatic mail of an agent")
    if facts.ticket_id is not None:
        if facts.kind == "list" and facts.proven and not facts.agent:
            return Route(Action.CUSTOMER, "written to a signed address, by way of a list", facts.third_party)
        return Route(Action.MACHINE, "an automatic mail on this ticket")
    if facts.burst_ticket_id is not None:
        return Route(Action.MACHINE, "one of too many mails of this sender in a short time")
    return Route(Action.OPEN, "an automatic mail that belongs to no ticket yet: kept, never answered")


def _from_agent(facts: Facts) -> Route:
    if facts.trust == "fail" and facts.released_by != OPERATOR:
        return Route(Action.HELD, "From is an agent's address, and authentication failed")
    if facts.role == "c" and facts.token_is_senders and facts.takes_part:
        return _on_ticket(facts, "the agent is this ticket's customer")
    proof = agent_proof(facts, both=facts.both and facts.ticket_id is not None)  # a new request asks for no power
    if proof is None:
        wanted = "as much proof as is asked for" if facts.both else "proof"
        return Route(Action.HELD, f"From is an agent's address, without {wanted} that he wrote it", confirm=True)
    if facts.ticket_id is None:
        return Route(Action.OPEN, f"an agent writes as a customer ({proof})")
    twice = agent_proof(facts, both=True) is not None
    if facts.role == "n":
        return Route(Action.NOTE, f"an agent's note ({proof})", twice=twice)
    return Route(Action.ANSWER, f"an agent's answer ({proof})", twice=twice)


def agent_proof(facts: Facts, *, both: bool) -> str | None:
    """Return what proves that the agent in From wrote the mail, None if nothing or too little does.

    `both` asks for a signed address and an authenticated From. A release by the agent himself stands for the signed
    address that the mail lacked; one by the operator for all that can be asked. Where nobody checks senders the signed
    address has to do, unless the configuration asks for both of every agent's mail.
    """
    if facts.released_by == OPERATOR:
        return "released by the operator"
    if facts.trust == "fail":
        return None
    signed = _signed(facts)
    if not signed and facts.role in ("a", "n"):
        return None  # somebody else's address: a forwarded notification
    genuine = "his address is authenticated" if facts.trust == "pass" else ""
    if both and not facts.checked and not facts.both:
        return signed or None
    if both:
        return f"{signed}, and {genuine}" if signed and genuine else None
    return signed or genuine or None


def _signed(facts: Facts) -> str:
    """Return by which address made for him the agent wrote, "" if by none."""
    if facts.released_by:
        return "released by himself" if facts.released_by != OPERATOR else "released by the operator"
    return "the signed address was made for him" if facts.role in ("a", "n") and facts.token_is_senders else ""


_ACTIONS: Final = frozenset({"s", "p", "r"})


def _from_customer(facts: Facts) -> Route:
    if facts.ticket_id is None:
        return _opens(facts)
    if facts.role in ("a", "n") and facts.token_is_senders and not facts.released_by:
        return Route(Action.HELD, "the signed address was made for him when he was an agent, and he is none now")
    if facts.role in ("a", "n"):
        # A colleague to whom it was forwarded, or a customer who answers to all: he is heard, and is no agent.
        return _on_ticket(facts, "written to an agent's own reply address by somebody else")
    if facts.role in _ACTIONS and facts.trust == "fail" and not facts.released_by:
        return Route(Action.HELD, "a customer's action from an address whose authentication failed")
    if facts.role in _ACTIONS and not facts.takes_part:
        # Whoever is forwarded our mail has its links: he is heard, and closes nothing.
        return _on_ticket(facts, "a customer's action by somebody who takes no part")
    if facts.role == "r" and facts.rating is not None:
        return Route(Action.RATING, "the customer says how we did")
    if facts.role == "s":
        return Route(Action.SOLVED, "the customer says that it is solved")
    if facts.would_reopen and facts.reopenings_today >= REOPENINGS_A_DAY and not facts.released_by:
        return Route(Action.HELD, f"this sender reopened {facts.reopenings_today} tickets within a day")
    if facts.role == "p":
        return Route(Action.PROBLEM, "the customer says that it is still a problem", facts.third_party)
    return _on_ticket(facts, "the customer wrote on this ticket")


def _on_ticket(facts: Facts, reason: str) -> Route:
    third = facts.third_party or facts.trust == "fail"
    return Route(Action.CUSTOMER, "somebody who takes no part wrote on this ticket" if third else reason, third)


def in_burst(opened: Sequence[datetime], now: datetime) -> bool:
    """Return whether a sender who opened tickets at these instants opens too many."""
    if len(opened) < LEAST_BURST:
        return False
    return any(sum(1 for at in opened if at > now - span) >= most for span, most in BURSTS)


def _opens(facts: Facts) -> Route:
    if facts.burst_ticket_id is not None:
        return Route(Action.CUSTOMER, "one of too many mails of this sender in a short time")
    return Route(Action.OPEN, "a new request", acknowledge=facts.answerable and facts.trust != "fail")
