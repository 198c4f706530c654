"""Who takes part in a ticket because a mail names him beside us, in To or Cc.

    the first mail           everybody whom it names, unless its From is known to be false
    a later one of theirs    if From is proven and its author takes part himself
    an agent's answer        everybody outside the desk's own domains: a colleague whom he lets know stays among us

Never we, nor agents, nor addresses of ours with a signed part, nor who takes part already. Who left, or was made to
leave, comes back by an agent's word only; `rules.ticket` sees to that. Nobody who joins gets what was said before.
"""

from collections.abc import Collection, Iterator
from typing import Final

from maild.config import Settings
from maild.message.address import Address, normalise, valid
from maild.message.authentication import Trust
from maild.message.classify import Kind
from maild.message.reading import Reading
from maild.message.tokens import looks_signed
from maild.rules.routing import Action, Route

MOST_NAMED: Final = 50  # people of one mail who join by it


def joining(settings: Settings, each: Reading, route: Route, taking_part: Collection[str]) -> tuple[Address, ...]:
    """Return who joins the ticket of a mail by it; `taking_part` are those who are there already, normalised."""
    if each.kind is not Kind.HUMAN or each.authentication.result is Trust.FAIL:
        return ()  # whoever writes in another's name must not get the answers to him
    match route.action:
        case Action.OPEN:
            return tuple(_others(settings, each, {normalise(each.writer.address)}))
        case Action.CUSTOMER if each.authentication.result is Trust.PASS and each.sender in taking_part:
            return tuple(_others(settings, each, taking_part))
        case Action.ANSWER:
            ours = {address.rpartition("@")[2] for address in settings.ours}
            named = _others(settings, each, taking_part)
            return tuple(one for one in named if normalise(one.address).rpartition("@")[2] not in ours)
        case _:
            return ()


def named(each: Reading) -> frozenset[str]:
    """Return to whom a mail went by its own To and Cc, normalised."""
    return frozenset(normalise(one.address) for one in (*each.message.to, *each.message.cc))


def _others(settings: Settings, each: Reading, known: Collection[str]) -> Iterator[Address]:
    """Yield the people in Cc and To, each once, but for `known` and for us."""
    seen = {each.sender, *known}
    message = each.message
    for one in (*message.cc, *message.to)[:MOST_NAMED]:
        normal = normalise(one.address)
        if normal in seen or not valid(one.address) or _is_ours(settings, one.address):
            continue
        seen.add(normal)
        yield one


def _is_ours(settings: Settings, address: str) -> bool:
    return (
        settings.department_of(address) is not None
        or settings.agent_of(address) is not None
        or normalise(address).rpartition("@")[2] in settings.ours
        or looks_signed(address)
    )
