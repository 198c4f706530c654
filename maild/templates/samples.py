"""A mail of each kind with everything in it, and one with as little as can be: for `check` and for previews."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from maild.rules.assignment import Because
from maild.templates.mails import (
    Acknowledgement,
    Answer,
    Breached,
    Collision,
    Desk,
    Digest,
    Due,
    Escalated,
    FollowUp,
    HandedOver,
    Held,
    Mail,
    Notification,
    Rated,
    Rating,
    Reminder,
    Report,
    Resolved,
    Returned,
    Shown,
    Transcript,
    Undelivered,
    Waiting,
    Welcome,
)
from maild.templates.pieces import (
    Action,
    Change,
    Coming,
    Counted,
    Deed,
    DueTicket,
    Entry,
    Failure,
    Fault,
    Found,
    HeldMail,
    Listed,
    Presence,
    Promise,
    Row,
    Said,
    Times,
    Who,
)

_AT: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
_ZONE: Final = ZoneInfo("Europe/Berlin")
_ADA: Final = Who("Ada Lovelace", "ada@customer.example")
_ANNA: Final = Who("Anna Berg", "anna@acme.example")
_FRAME: Final[dict[str, Any]] = {
    "department": "Acme Support",
    "subject": "Printer on fire",
    "zone": _ZONE,
    "reference": "t1042.x0.k7qk2m5x3v6c4b2n7t5d3f6h4a2",
}
_SOLVED: Final = "support+t1042.s7.k7qk2m5x3v6c4b2n7t5d3f6h4a2@acme.example"
_PROBLEM: Final = "support+t1042.p7.kd3f6h4a27qk2m5x3v6c4b2n7t5@acme.example"
_RATE: Final = "support+t1042.r7.k3f6h4a27qk2m5x3v6c4b2n7t5d@acme.example"
_REPLY: Final = "support+t1042.a3.kq6h4a2m5x3v6c4b2n7t5d3f7k2@acme.example"
_NOTE: Final = "support+t1042.n3.k2n7t5d3f6h4a27qk2m5x3v6c4b@acme.example"
_DESK: Final = "support+t0.d3.k6h4a27qk2m5x3v6c4b2n7t5d3f@acme.example"
_TEXT: Final = """Good morning,

since the update of last night our printer on the third floor prints black pages, smells of smoke and shows

    E-4711: fuser temperature

The manual (https://printers.example/manual?page=12) says nothing of it. We switched it off.

What shall we do?
Ada"""
_ANSWER: Final = """Hello Ada,

please leave it off. The fuser of this series is faulty; a technician brings a new one tomorrow.

Best regards
Anna"""
_OLDER: Final = (
    Said(_ANNA, _AT - timedelta(hours=2), _ANSWER),
    Said(_ANNA, _AT - timedelta(hours=3), "Third one this month; same batch?", note=True),
    Said(_ADA, _AT - timedelta(hours=4), _TEXT, attachments=(Listed("photo.jpg", 2_411_000),)),
)
_WHY: Final = (
    Change(_AT, "Ada Lovelace", "CustomerWrote", (Deed(1042, "opened", "", "Ada Lovelace"),)),
    Change(_AT, "", "Assign", (Deed(1042, "assignee", "", "Anna Berg"), Deed(1042, "reason", "2", Because.FEWEST))),
    Change(_AT, "", "Tick", (Deed(1042, "told_at"), Deed(1042, "escalated", "", "four-hours"))),
    Change(_AT, "Ada Lovelace", "Rated", (Deed(1042, "rating", "", "3"),)),
    Change(_AT, "Anna Berg", "SetPriority", (Deed(1042, "priority", "", "high"), Deed(1042, "assignee", "Bert", ""))),
)
_ACTIONS: Final = (
    Action("resolve", _REPLY, "#resolve"),
    Action("postpone", _REPLY, "#postpone 2d"),
    Action("take", _REPLY, "#assign me"),
    Action("spam", _REPLY, "#spam"),
)
_TICKET: Final[dict[str, Any]] = {**_FRAME, "ticket_id": 1042, "status": "open", "customer": _ADA}
_FULL: Final[dict[str, Any]] = {
    **_TICKET,
    "promises": (
        Promise("first response", _AT + timedelta(hours=4)),
        Promise("resolution", _AT + timedelta(days=3)),
    ),
    "coming": Coming("tell agents", _AT + timedelta(hours=3)),
    "assignee": "Anna Berg",
    "priority": "high",
    "tags": ("printer", "third-floor"),
    "linked": (977, 1043),
    "vip": True,
    "participants": (Who("Charles Babbage", "charles@customer.example"), Who("", "joseph@elsewhere.example")),
    "more_participants": 3,
    "note": _NOTE,
    "desk": _DESK,
    "actions": _ACTIONS,
    "older": _OLDER,
}
_BARE: Final[dict[str, Any]] = {**_FRAME, "reference": ""}


def samples() -> Iterator[Mail]:
    """Yield mails of every kind that between them go through every branch of the packed templates."""
    yield from _to_customers()
    yield from _notifications()
    yield from _waiting()
    yield from _of_agents()
    yield from _at_the_desk()
    yield from _figures()
    yield from _troubles()
    yield from _of_time()


def _at_the_desk() -> Iterator[Mail]:
    frame = {**_BARE, "desk": _DESK}
    rows = (
        Row(1042, "Printer on fire", "open", _ADA, "Anna Berg", _AT),
        Row(1043, "", "new", Who("", "charles@elsewhere.example")),
    )
    yield Desk(**{**frame, "subject": "mine"}, rows=rows, more=3)
    found = Found("Ada Lovelace", _AT, "… on the third floor prints black pages, smells of smoke and shows E-4711 …")
    yield Desk(**{**frame, "subject": "search smoke"}, rows=(replace(rows[0], found=found),))
    yield Desk(**{**frame, "subject": "list spam"})
    yield Desk(**{**frame, "subject": "next"}, idle=True)
    yield Desk(**{**frame, "subject": "away"}, presence=Presence(away=True, until=_AT + timedelta(days=7)))
    yield Desk(**{**frame, "subject": "away"}, presence=Presence(away=True))
    yield Desk(**{**frame, "subject": "back"}, presence=Presence(away=False))
    yield Desk(**{**frame, "subject": "back"}, presence=Presence(away=False), rows=rows)
    words = (Entry("#resolve", "The matter is solved; a customer's mail opens it again."),)
    yield Desk(**{**frame, "subject": "help"}, words=words, requests=(Entry("mine", "List your tickets."),))
    one = Entry("#postpone friday", "Hide the ticket until then.", "#postpone WHEN", timed=True)
    yield Desk(**{**frame, "subject": "help postpone"}, words=(one,))
    yield Desk(**{**frame, "subject": "mien"}, faults=(Fault("mien", "What is that?", "mine"), Fault("x", "No.")))


def _figures() -> Iterator[Mail]:
    first, last = _AT.date() - timedelta(days=6), _AT.date()
    times = Times("0:45 h", "3:20 h")
    full = Counted("", 42, 39, 57, 6, kept=36, promised=38, first_response=times, resolution=Times("5:10 h", "31:00 h"))
    frame = {**_BARE, "subject": "7d", "first": first, "last": last}
    named = (replace(full, name="Acme Support"), Counted("Acme Sales", 0, 0, 0, 0))
    yield Report(**frame, all=(full, *named), agents=(replace(full, name="Anna Berg", opened=None),), desk=_DESK)
    yield Report(**{**frame, "first": last}, all=(named[1],))
    row = Row(1042, "Printer on fire", "open", _ADA, "Anna Berg", _AT)
    other = Row(1043, "", "new", Who("", "charles@elsewhere.example"))
    frame = {**_BARE, "subject": "", "desk": _DESK}
    held = (HeldMail("Re: Printer on fire", _AT, _REPLY, _REPLY), HeldMail("", _AT, reject=_REPLY))
    sections: dict[str, Any] = {"waking": (other,), "undelivered": (row,), "held": held, "late": (row,)}
    yield Digest(**frame, count=9, due=(row,), to_solve=(row, other), more=6, **sections, counted=named)
    yield Digest(**frame, count=1, to_solve=(other,))
    yield Digest(**frame, count=0, counted=(full,))
    yield Welcome(**frame, name="Anna Berg")


def _to_customers() -> Iterator[Mail]:
    promised_at = _AT + timedelta(hours=8)
    yield Acknowledgement(**_FRAME, name="Ada Lovelace", proven=True, promised_at=promised_at)
    yield Acknowledgement(**_BARE, proven=True)
    yield Acknowledgement(**_FRAME, name="Ada Lovelace", proven=False, promised_at=promised_at)
    yield Acknowledgement(**_BARE, proven=False)
    yield Answer(**_FRAME, text=_ANSWER, first=True)
    yield Answer(**_FRAME, text=_ANSWER)
    yield Answer(**_BARE, text=_ANSWER, html="<p>Hello <b>Ada</b>,</p>\n<p>please leave it off.</p>")
    yield Reminder(
        **_FRAME,
        name="Ada Lovelace",
        answered_at=_AT,
        resolves_at=_AT + timedelta(days=5),
        solved=_SOLVED,
        problem=_PROBLEM,
    )
    yield Reminder(**_BARE, answered_at=_AT)
    yield Resolved(**_FRAME, name="Ada Lovelace", by_silence=True, solved=_SOLVED, problem=_PROBLEM)
    yield Resolved(**_BARE, by_silence=False, problem=_PROBLEM)
    yield Resolved(**_BARE, by_silence=False)
    yield Rating(**_FRAME, name="Ada Lovelace", rate=_RATE)
    yield Rating(**_BARE, rate=_RATE)
    yield FollowUp(**_FRAME, name="Ada Lovelace", promised_at=promised_at)
    yield FollowUp(**_BARE)


def _notifications() -> Iterator[Mail]:
    files = (Listed("photo.jpg", 2_411_000), Listed("log.txt", 812))
    yield Notification(
        **_FULL, author=_ADA, role="customer", proof="proven", at=_AT, text=_TEXT, attachments=files, follows_id=977
    )
    yield Notification(
        **_TICKET,
        author=_ADA,
        role="customer",
        proof="unproven",
        at=_AT,
        text=_TEXT,
        html="<p>Good <b>morning</b></p>",
        opened=True,
        related=(17, 977),
    )
    passed: dict[str, Any] = {**_FULL, "author": _ADA, "role": "customer", "proof": "proven", "at": _AT, "text": _TEXT}
    yield Notification(**passed, brought_by="Bert")
    yield Notification(**passed, brought_by="Bert", noted="She is new.\n\nBert")
    yield Notification(**passed, brought_by="Bert", split_from=977)
    stranger = Who("", "charles@elsewhere.example")
    yield Notification(**_FULL, author=stranger, role="third-party", proof="failed", at=_AT, text=_TEXT)
    yield Notification(
        **_FULL, author=stranger, role="third-party", proof="proven", at=_AT, text=_TEXT, admits=stranger.address
    )
    yield Notification(**_FULL, author=stranger, role="participant", proof="proven", at=_AT, text="")
    yield Notification(
        **_FULL, author=_ANNA, role="agent", proof="proven", at=_AT, text="Same batch again.", internal=True
    )
    yield Notification(**_FULL, author=_ANNA, role="agent", proof="proven", at=_AT, text=_ANSWER)


def _waiting() -> Iterator[Mail]:
    for status in ("new", "open", "answered", "postponed", "resolved", "closed", "spam", "deleted", "merged"):
        yield Waiting(**{**_TICKET, "status": status}, waiting_since=_AT, now=_AT + timedelta(hours=5))
    for step in ("tell agents", "give back", "escalate"):
        for who in ("", "Anna Berg"):
            yield Waiting(**_TICKET, coming=Coming(step, _AT, who, "four-hours"), waiting_since=_AT, now=_AT)
    for step in ("remind customer", "resolve", "come back", "ask customer", "close", "remove"):
        yield Waiting(**_TICKET, coming=Coming(step, _AT), waiting_since=_AT, now=_AT)
    late = {**_FULL, "promises": (Promise("next response", _AT, late=True), Promise("resolution", _AT, late=True))}
    yield from _escalated()
    yield Breached(**late, waiting_since=_AT - timedelta(hours=4), now=_AT + timedelta(hours=1), text=_TEXT)
    yield Breached(**_TICKET, promises=(Promise("resolution", _AT, late=True),), waiting_since=None, now=_AT)
    yield Waiting(**_FULL, waiting_since=_AT, now=_AT + timedelta(days=2), text=_TEXT)
    yield Waiting(**_TICKET, waiting_since=_AT, now=_AT + timedelta(days=2), left_by="Anna Berg")


def _of_agents() -> Iterator[Mail]:
    yield HandedOver(**_FULL, by="Anna Berg", yours=True, noted="You know the lady.", text=_TEXT)
    yield HandedOver(**_FULL, by="Anna Berg", yours=True, answered="Bert will write to you.", text=_TEXT)
    yield HandedOver(**_TICKET, by="Anna Berg", yours=False)
    yield HandedOver(**_TICKET, by="", yours=True)
    yield HandedOver(**_TICKET, by="", yours=False, text=_TEXT)
    yield Shown(**_TICKET)
    for status in ("closed", "spam"):
        yield Shown(**{**_TICKET, "status": status})
    yield Shown(**_FULL, attached=3, left_out=2)
    yield Shown(**_FULL, attached=1)
    yield Shown(**_FULL, until=_AT + timedelta(minutes=30))
    yield Shown(**_FULL, why=_WHY)
    yield Collision(**_FULL, missed=_OLDER[2:], text=_ANSWER, release=_REPLY, reject=_REPLY)
    until = _AT + timedelta(minutes=30)
    deeds = (
        Deed(1042, "status", "open", "resolved"),
        Deed(1042, "assignee", "", "Bert"),
        Deed(1042, "tags", "urgent", "printer"),
        Deed(1042, "wake_at", at=_AT),
        Deed(1043, "opened", "", "Ada Lovelace"),
    )
    yield Transcript(**_FULL, deeds=deeds, undo="u17.t1042.a3.k7qk2m5x3v6c4b2n7t5d3f6h4a2", until=until)
    yield Transcript(**_FULL, deeds=deeds[:1], taken_back=True)
    yield Transcript(**_TICKET, deeds=deeds, taken_back=True, by="Anna Berg")
    yield Transcript(**_FULL, deeds=(), undo="u17", until=until, leaves_at=_AT, text=_ANSWER)
    yield Transcript(**_TICKET, deeds=(), text=_ANSWER)


def _troubles() -> Iterator[Mail]:
    yield Undelivered(
        **_FULL,
        failures=(Failure("ada@customer.example", "550 5.1.1 <ada@customer.example>: Recipient address rejected"),),
        sent_at=_AT,
        text=_ANSWER,
    )
    yield Held(
        **_FRAME,
        author=_ANNA,
        at=_AT,
        text=_ANSWER,
        ticket_id=1042,
        release=_REPLY,
        reject=_REPLY,
    )
    yield Held(**_FRAME, author=_ANNA, at=_AT, text=_ANSWER, both=True, release=_REPLY, reject=_REPLY)
    yield Held(**_FRAME, author=_ANNA, at=_AT, text=_ANSWER, absent=True, ticket_id=7, release=_REPLY, reject=_REPLY)
    yield Held(**_BARE, author=_ANNA, at=_AT, text="")
    faults = (Fault("#reslove", "There is no such word.", "#resolve"), Fault("#postpone soon", "When is that?"))
    yield Returned(**_FRAME, faults=faults, text="#reslove\n\nThank you!", ticket_id=1042)
    yield Returned(**_BARE, faults=faults[:1], text="")


def _of_time() -> Iterator[Mail]:
    failure = Failure("ada@customer.example", "550 5.1.1 <ada@customer.example>: Recipient address rejected")
    yield Undelivered(**_TICKET, failures=(failure,), sent_at=_AT, text="", reminder=True)
    for rating in (1, 2, 3):
        yield Rated(**_TICKET, rating=rating, author=_ADA, text="It took too long." if rating < 3 else "")
    late = (Promise("first response", _AT, late=True), Promise("resolution", _AT + timedelta(days=2)))
    since = _AT - timedelta(hours=7)
    tickets = (
        DueTicket(1042, "Printer on fire", "new", _ADA, since, late, "", _REPLY, _ACTIONS),
        DueTicket(1043, "", "open", Who("", "charles@elsewhere.example"), None, (), "Anna Berg", _REPLY, ()),
    )
    yield Due(**{**_BARE, "subject": ""}, desk=_DESK, now=_AT, tickets=tickets)


def _escalated() -> Iterator[Mail]:
    waited: dict[str, Any] = {"waiting_since": _AT, "now": _AT + timedelta(hours=5)}
    yield Escalated(**_FULL, rules=("nobody-took-it", "four-hours"), yours=True, text=_TEXT, **waited)
    yield Escalated(**_TICKET, rules=("four-hours",), **waited)
