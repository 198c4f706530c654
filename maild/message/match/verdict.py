"""What the evidence proves: the ticket, the standing of the sender there, and why.

The rules are at the top of `maild.message.match`; `judge` applies them to what the store answered.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, TypeVar

from maild.message.address import normalise
from maild.message.authentication import Trust
from maild.message.match.evidence import Clues, Signed
from maild.message.tokens import Role

_T = TypeVar("_T")

Proof = Literal["signed", "stored", "claimed"]


@dataclass(frozen=True, slots=True)
class KnownTicket:
    """What the store knows of a ticket: the normalised addresses that take part, and what it was merged into."""

    participants: frozenset[str]
    merged_into: int | None = None
    requester: frozenset[str] = frozenset()  # all addresses of his, which are among the participants


@dataclass(frozen=True, slots=True)
class Known:
    """What the store answered: tickets by Message-ID and conversation, and all tickets named anywhere.

    `tickets` must hold the tickets that Message-IDs and conversations lead to, and those that any of them was merged
    into; a ticket that is not in it does not exist.
    """

    message_ids: Mapping[str, int] = field(default_factory=dict)
    tickets: Mapping[int, KnownTicket] = field(default_factory=dict)
    thread_indexes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ticket a mail belongs to, None for a new one, and what its sender may do there.

    `role` and `address_id` are those of the signed address it was sent to, on this ticket. With `Role.AGENT` and
    `Role.NOTE` the caller must still see that From is that agent: a customer who answers to all may hold an agent's
    address, which then proves the ticket and nothing else.
    """

    ticket_id: int | None
    role: Role | None = None
    address_id: int = 0
    proof: Proof | None = None
    third_party: bool = False
    related: tuple[int, ...] = ()
    linked: tuple[int, ...] = ()  # of those, the ones that proofs name: older or weaker than the one that won
    reasons: tuple[str, ...] = ()


# What speaks first when a mail was sent to several signed addresses of one ticket: the careful reading of the two.
_ROLES = (Role.NOTE, Role.AGENT, Role.PROBLEM, Role.SOLVED, Role.RATE, Role.LEAVE, Role.CUSTOMER, Role.THREAD)


@dataclass(frozen=True, slots=True)
class _Claim:
    """One piece of evidence, its ticket found and mergers followed."""

    proof: Proof
    ticket_id: int
    reason: str
    signed: Signed | None = None


def judge(clues: Clues, known: Known, sender: str, authenticated: Trust) -> Verdict:
    """Return the ticket that `clues` lead to, by the rules at the top of `maild.message.match`.

    `sender` is the address in From, `authenticated` what is known of it.
    """
    sender = normalise(sender)
    claims: list[_Claim] = []
    related: list[int] = []
    asides: list[str] = []  # what was seen and counts for nothing
    for claim in _claims(clues, known, asides):
        doubt = _doubt(claim, known, sender, authenticated)
        if doubt is None:
            claims.append(claim)
        else:
            related.append(claim.ticket_id)
            asides.append(f"{claim.reason}, but {doubt}: related only")
    asides.extend(f"{reason}: counts as no proof" for reason in clues.forged)
    if not claims:
        return Verdict(None, related=_once(related), reasons=_once([*asides, "nothing proves a ticket: a new one"]))
    winner = min(claims, key=lambda claim: _STRENGTH[claim.proof])  # the first of the strongest
    role, address_id = _role(claims, winner.ticket_id)
    stranger = _stranger(winner, known, sender, authenticated)
    others = [claim for claim in claims if claim.ticket_id != winner.ticket_id]
    reasons = [claim.reason for claim in claims if claim.ticket_id == winner.ticket_id]
    reasons += [f"{claim.reason}, which is older or weaker: related only" for claim in others]
    reasons += [f"{stranger}: third-party"] if stranger else []
    return Verdict(
        ticket_id=winner.ticket_id,
        role=role,
        address_id=address_id,
        proof=winner.proof,
        third_party=stranger is not None,
        linked=_once(claim.ticket_id for claim in others if claim.proof != "claimed"),
        related=_once(one for one in (*(claim.ticket_id for claim in others), *related) if one != winner.ticket_id),
        reasons=_once([*reasons, *asides]),
    )


def _doubt(claim: _Claim, known: Known, sender: str, authenticated: Trust) -> str | None:
    """Return why `claim` must not lead this sender to its ticket, None if it may."""
    if claim.proof != "claimed":
        return None
    if sender not in known.tickets[claim.ticket_id].participants:
        return "the sender takes no part in it"
    return "the sender failed authentication" if authenticated is Trust.FAIL else None


def _stranger(winner: _Claim, known: Known, sender: str, authenticated: Trust) -> str | None:
    """Return why the sender is third-party on the ticket of `winner`, None if he takes part in it."""
    if sender not in known.tickets[winner.ticket_id].participants:
        return "the sender takes no part in the ticket"
    if authenticated is Trust.FAIL and winner.proof != "signed":  # From may be anybody's, and nothing was made for it
        return "the sender failed authentication and nothing signed speaks for him"
    return None


def _once(items: Iterable[_T]) -> tuple[_T, ...]:
    """Return `items` in order, each once."""
    return tuple(dict.fromkeys(items))


_STRENGTH: Mapping[Proof, int] = {"signed": 0, "stored": 1, "claimed": 2}


def _claims(clues: Clues, known: Known, reasons: list[str]) -> Iterator[_Claim]:
    """Yield what each clue says once its ticket is found; clues that lead nowhere go into `reasons`."""
    found: Iterable[tuple[Proof, int | None, str, Signed | None]] = chain(
        (("signed", clue.ticket_id, clue.where, clue) for clue in clues.signed),
        (
            ("stored", known.message_ids.get(one), "a stored Message-ID among its references", None)
            for one in clues.message_ids
        ),
        (("claimed", tag, "subject tag", None) for tag in clues.tags),
        (
            ("claimed", known.thread_indexes.get(index), "Thread-Index of a stored mail", None)
            for index in clues.thread_indexes
        ),
    )
    for proof, named, what, clue in found:
        if not named:  # nothing, or our desk address and mails that belong to no ticket
            continue
        ticket_id = _follow(named, known)
        if ticket_id is None:
            reasons.append(f"{what} names ticket {named}, which does not exist")
        else:
            merged = "" if ticket_id == named else f", merged into {ticket_id}"
            yield _Claim(proof, ticket_id, f"{what}: ticket {named}{merged}", clue)


def _follow(ticket_id: int, known: Known) -> int | None:
    """Return the ticket that `ticket_id` lives on in, None if there is none; a ring of mergers is its first."""
    path: list[int] = []
    visited: set[int] = set()
    while ticket_id not in visited:
        visited.add(ticket_id)
        path.append(ticket_id)
        ticket = known.tickets.get(ticket_id)
        if ticket is None:
            return None
        if ticket.merged_into is None:
            return ticket_id
        ticket_id = ticket.merged_into
    return min(path[path.index(ticket_id) :])


def _role(claims: Iterable[_Claim], ticket_id: int) -> tuple[Role | None, int]:
    """Return the role and address of the signed addresses of `ticket_id` that the mail was sent to."""
    held = [
        (claim.signed.role, claim.signed.address_id)
        for claim in claims
        if claim.ticket_id == ticket_id and claim.signed is not None and claim.signed.role is not None
    ]
    return min(held, key=lambda one: _ROLES.index(one[0]), default=(None, 0))
