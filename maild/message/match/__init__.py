"""Which ticket a mail belongs to: evidence in, verdict and reasons out.

Six kinds of evidence are collected, all of them, before anything is decided:

    1 signed reply address among the recipients (envelope, To, Cc, Delivered-To, ...)      signed
    2 our own Message-ID in In-Reply-To or References                                      signed
    3 the stored Message-ID of somebody's mail there                                       stored
    4 signed token in the text or in a link of the body                                    signed
    5 subject tag [#1042]                                                                  claimed
    6 Outlook's Thread-Index of a stored mail                                              claimed

Signed beats stored beats claimed. Of several proofs of one strength that name different tickets the newest reference
wins (2, newest id first; then 1; then 4, which may be an old quotation), and the others are named as related. Claimed
evidence counts only for a sender who takes part in the ticket and whose From is not known to be false; for everybody
else it is a relation that an agent may look at. Never by likeness of subjects.

Who sends decides nothing about the ticket and all about the standing: a sender who takes no part in it is third-party,
whatever he holds. What a mail may *do* (`Role`) comes from evidence 1 alone. What looks signed and is not counts as
nothing, and is told in the reasons.

`collect` needs no database and says what must be looked up; `judge` gets what was found. Neither fails on any mail, and
both are linear in its size: the body is searched in its first `MOST_BODY_CHARS`.

RFC 5322 3.6.4 (In-Reply-To, References).
"""

from maild.message.match.evidence import Clues, Kind, Signed, collect, conversation, maybe_signed
from maild.message.match.verdict import Known, KnownTicket, Proof, Verdict, judge

__all__ = [
    "Clues",
    "Kind",
    "Known",
    "KnownTicket",
    "Proof",
    "Signed",
    "Verdict",
    "collect",
    "conversation",
    "judge",
    "maybe_signed",
]
