"""To whom a ticket is given that has nobody: a choice among the agents of its department, with its reason.

    round-robin   in turn: whoever got one longest ago
    least-open    whoever has the fewest tickets in which a customer waits; among equals in turn

Whoever answered the customer before is preferred, wherever he is, unless he is away. Agents who are away get nothing;
among the others those come first who are at work now. Where all are away nobody gets it, and all are told.

Each agent has a turn: the number of the last ticket of the department that he was given. Whoever comes back, or is new,
is next once, and does not get all that he missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How a department gives its tickets; the value is what the configuration says."""

    NONE = "none"  # all are told, and who answers first owns it
    ROUND_ROBIN = "round-robin"
    LEAST_OPEN = "least-open"


class Because(StrEnum):
    """Why somebody gets a ticket: every sentence, as the history has it with the number put in."""

    BEFORE = "he had the ticket before"
    TURN = "round-robin: his turn"
    TURN_AT_NIGHT = "round-robin: his turn, nobody is at work"
    FEWEST = "least-open: %(count)s of his wait"
    FEWEST_AT_NIGHT = "least-open: %(count)s of his wait, nobody is at work"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent of the department."""

    agent: str  # his normalised address
    turn: int = 0  # greater: he got one later; 0: never
    waiting: int = 0  # his tickets in which a customer waits
    at_work: bool = True
    away: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets a ticket, None for nobody, and why."""

    agent: str | None
    reason: str


def choose(mode: Mode, candidates: Sequence[Candidate], preferred: str | None = None) -> Choice:
    """Return who of `candidates` gets a ticket; `preferred` is who had the customer's ticket before."""
    if mode is Mode.NONE:
        return Choice(None, "the department assigns nobody")
    present = [each for each in candidates if not each.away]
    if any(each.agent == preferred for each in present):
        return Choice(preferred, Because.BEFORE)
    if not present:
        return Choice(None, "everybody is away")
    at_work = [each for each in present if each.at_work]
    chosen = min(at_work or present, key=lambda each: (each.waiting if mode is Mode.LEAST_OPEN else 0, each.turn))
    if mode is Mode.LEAST_OPEN:
        fewest = Because.FEWEST if at_work else Because.FEWEST_AT_NIGHT
        return Choice(chosen.agent, fewest % {"count": chosen.waiting})
    return Choice(chosen.agent, Because.TURN if at_work else Because.TURN_AT_NIGHT)
