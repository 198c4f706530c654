"""How much automatic mail may leave: the brake on loops, and on whoever would use the desk to flood somebody.

Each automatic mail to a customer is asked for here, with what was sent before. A refusal is a sentence, kept in the
ticket's history. An agent's answer is never asked for: a person wrote it.

    per ticket and address    3 in 10 minutes, 5 in an hour, 10 in a day
    four in an hour           the ticket sends nothing automatic for 24 hours: a machine may be answering us
    acknowledgements          2 an hour and 5 a day to an address, 300 an hour in all
    how we did                a customer is asked once in 30 days
    to an unproven address    100 acknowledgements an hour in all, 1 a day to an address, 50 a day to a domain

The counts are asked for within the transaction that sends. On SQLite one connection writes, so they are exact. Of
several nodes on PostgreSQL none sees what another is about to commit: each may go beyond a limit by what it sends in
one group, 200 mails at most, once. What goes on is stopped by the next group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

PER_TICKET: Final = ((10 * MINUTE, 3), (HOUR, 5), (DAY, 10))
PER_ADDRESS: Final = ((HOUR, 2), (DAY, 5))
PER_UNPROVEN_ADDRESS: Final = ((DAY, 1),)
PER_UNPROVEN_DOMAIN: Final = ((DAY, 50),)
IN_ALL: Final = ((HOUR, 300),)
IN_ALL_UNPROVEN: Final = ((HOUR, 100),)
EXCHANGES: Final = 4  # automatic mails to one address on one ticket within an hour
SILENCE: Final = 24 * HOUR
RATED_AGAIN: Final = 30 * DAY  # a customer is asked how we did
TO_AGENT: Final = ((HOUR, 30),)  # notifications on one ticket to one agent


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent automatically before, newest last is not needed: instants only."""

    on_ticket: Sequence[datetime] = ()  # to this address, on this ticket
    acknowledged: Sequence[datetime] = ()  # acknowledgements to this address, on any ticket
    asked: bool = False  # how we did, within RATED_AGAIN
    in_all: int = 0  # acknowledgements within the last hour, to anybody
    in_all_unproven: int = 0  # of those, the ones to unproven addresses
    in_domain_unproven: int = 0  # of those within a day, the ones to the domain of this address


class Limit(StrEnum):
    """Why a mail is not sent: every sentence, as the history has it with the first number put in."""

    SILENCED = "the ticket's automatic mail is silenced: a machine may be answering it"
    FAILED = "mail to this address failed before"
    ASKED = "he was asked how we did within %(count)s days"
    EXCHANGES = "four automatic mails within an hour on this ticket"
    TICKET_AT_ONCE = "%(count)s automatic mails within 10 minutes on this ticket"
    TICKET_HOUR = "%(count)s automatic mails within an hour on this ticket"
    TICKET_DAY = "%(count)s automatic mails within a day on this ticket"
    ADDRESS_HOUR = "%(count)s automatic mails within an hour acknowledged to this address"
    ADDRESS_DAY = "%(count)s automatic mails within a day acknowledged to this address"
    UNPROVEN_DAY = "%(count)s automatic mails within a day acknowledged to this address, which is unproven"
    ALL = "%(count)s acknowledgements in all within an hour"
    ALL_UNPROVEN = "%(count)s acknowledgements to unproven addresses within an hour"
    DOMAIN = "%(count)s acknowledgements to unproven addresses of this domain within a day"
    AGENT = "%(count)s automatic mails within an hour to this agent on this ticket"
    NO_ADDRESS = "there is no address to write to"
    OURSELVES = "it would go to ourselves"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an automatic mail is not sent."""

    reason: str
    silence_until: datetime | None = None  # the ticket sends nothing automatic until then


def refuses(
    sent: Sent,
    now: datetime,
    *,
    acknowledgement: bool = False,
    rating: bool = False,
    proven: bool = True,
    silenced_until: datetime | None = None,
    suppressed_until: datetime | None = None,
) -> Refusal | None:
    """Return why one more automatic mail to a customer may not be sent now; None if it may."""
    if silenced_until is not None and now < silenced_until:
        return Refusal(Limit.SILENCED.value)
    if suppressed_until is not None and now < suppressed_until:
        return Refusal(Limit.FAILED.value)
    if rating and sent.asked:
        return Refusal("he was asked how we did within 30 days")
    if _count(sent.on_ticket, now, HOUR) >= EXCHANGES:
        return Refusal(Limit.EXCHANGES.value, now + SILENCE)
    over = _over(sent.on_ticket, now, PER_TICKET)
    if over:
        return Refusal(f"{over} on this ticket")
    return _refuses_acknowledgement(sent, now, proven=proven) if acknowledgement else None


def _refuses_acknowledgement(sent: Sent, now: datetime, *, proven: bool) -> Refusal | None:
    over = _over(sent.acknowledged, now, PER_ADDRESS if proven else PER_UNPROVEN_ADDRESS)
    if over:
        return Refusal(f"{over} acknowledged to this address" + ("" if proven else ", which is unproven"))
    if sent.in_all >= IN_ALL[0][1]:
        return Refusal(f"{sent.in_all} acknowledgements in all within an hour")
    if not proven and sent.in_all_unproven >= IN_ALL_UNPROVEN[0][1]:
        return Refusal(f"{sent.in_all_unproven} acknowledgements to unproven addresses within an hour")
    if not proven and sent.in_domain_unproven >= PER_UNPROVEN_DOMAIN[0][1]:
        return Refusal(f"{sent.in_domain_unproven} acknowledgements to unproven addresses of this domain within a day")
    return None


def refuses_agent(on_ticket: Sequence[datetime], now: datetime) -> Refusal | None:
    """Return why one more notification on a ticket may not be sent to an agent now; None if it may."""
    over = _over(on_ticket, now, TO_AGENT)
    return Refusal(f"{over} to this agent on this ticket") if over else None


def _count(instants: Sequence[datetime], now: datetime, within: timedelta) -> int:
    return sum(1 for each in instants if each > now - within)


def _over(instants: Sequence[datetime], now: datetime, limits: Sequence[tuple[timedelta, int]]) -> str:
    for within, most in limits:
        if _count(instants, now, within) >= most:
            return f"{most} automatic mails within {_words(within)}"
    return ""


def _words(span: timedelta) -> str:
    if span == HOUR:
        return "an hour"
    return "a day" if span == DAY else f"{span // MINUTE} minutes"
