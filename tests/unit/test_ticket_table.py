"""Every cell of the table of a ticket's life, taken from its own documentation."""

import itertools

import pytest

from maild.rules import ticket as rules
from maild.rules.events import (
    Admit,
    AgentWrote,
    Assign,
    CustomerWrote,
    Delete,
    Dismiss,
    Event,
    MachineWrote,
    MarkSpam,
    MoveTo,
    NoteWritten,
    NotSpam,
    Postpone,
    Reopen,
    Resolve,
    SetRequester,
    StillAProblem,
    TakeBack,
    Tick,
    Undelete,
)
from maild.rules.refusals import Refused
from maild.rules.state import Decision, Status, Tell, Ticket
from maild.rules.ticket import decide
from tests.clock import NOON
from tests.unit.tickets import ANNA, DAY, FIRST, HOUR, IN_STATUS, KINDS, MAILS, POLICY, after, happens, outcome

LATER = NOON + 12 * HOUR
EVENTS = {kind.__name__: kind for kind in KINDS}


def table() -> dict[tuple[str, Status], str]:
    """Return the table in the docstring: what each event (row) does in each status (column)."""
    lines = (rules.__doc__ or "").splitlines()
    head = next(number for number, line in enumerate(lines) if line.split()[:2] == ["new", "open"])
    columns = [Status(word) for word in lines[head].split()]
    rows = itertools.takewhile(str.strip, lines[head + 1 :])
    cells = {}
    for name, *row in map(str.split, rows):
        cells.update({(name, status): cell for status, cell in zip(columns, row, strict=True)})
    return cells


TABLE = table()
CELLS = [pytest.param(name, status, cell, id=f"{name}-{status}") for (name, status), cell in TABLE.items()]


def test_the_documented_table_has_every_event_and_every_status_but_the_alias() -> None:
    assert {name for name, _ in TABLE} == set(EVENTS)
    assert {status for _, status in TABLE} == set(Status) - {Status.MERGED}
    assert len(TABLE) == len(EVENTS) * (len(Status) - 1)


@pytest.mark.parametrize(("name", "status", "cell"), [cell for cell in CELLS if cell.values[0] != "Tick"])
def test_what_happens_is_what_the_table_says(name: str, status: Status, cell: str) -> None:
    ticket = IN_STATUS[status]

    decision = outcome(ticket, happens(EVENTS[name], LATER))

    if cell == "refused":
        assert decision is None
        return
    assert decision is not None
    assert not decision.purge
    if cell == "follow-up":
        assert decision.follow_up
        assert decision.after == ticket
        return
    assert not decision.follow_up
    assert decision.after.status is (ticket.return_to if cell == "return_to" else Status(cell))


@pytest.mark.parametrize(("name", "status", "cell"), [cell for cell in CELLS if cell.values[0] == "Tick"])
def test_what_time_alone_does_is_what_the_table_says(name: str, status: Status, cell: str) -> None:
    ticket = IN_STATUS[status]
    if status is Status.ANSWERED:
        assert ticket.due_at is not None
        ticket = decide(ticket, Tick(ticket.due_at), POLICY).after
    if cell == "-":
        assert ticket.due_at is None
        assert decide(ticket, Tick(NOON + 10_000 * DAY), POLICY) == Decision(ticket)
        return
    assert ticket.due_at is not None

    decision = decide(ticket, Tick(ticket.due_at), POLICY)

    expected = {
        "reminders": (status, (Tell.WAITING,), False),
        "resolved": (Status.RESOLVED, (Tell.RESOLVED,), False),
        "return_to": (ticket.return_to, (Tell.WAITING,), False),
        "closed": (Status.CLOSED, (), False),
        "purged": (status, (), True),
    }[cell]
    assert (decision.after.status, decision.tells, decision.purge) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_ticket_is_an_alias(kind: type[Event]) -> None:
    merged = IN_STATUS[Status.MERGED]
    event = happens(kind, LATER)

    if kind in (NoteWritten, MachineWrote, TakeBack, Tick):
        assert decide(merged, event, POLICY) == Decision(merged)
    else:
        with pytest.raises(match=r"merged into #7\b"):
            decide(merged, event, POLICY)


@pytest.mark.parametrize("kind", [kind for kind in MAILS if kind is not AgentWrote])
def test_no_mail_changes_a_closed_ticket(kind: type[Event]) -> None:
    closed = IN_STATUS[Status.CLOSED]

    decision = decide(closed, happens(kind, LATER), POLICY)

    assert decision.after == closed
    assert decision.follow_up is (kind in (CustomerWrote, StillAProblem))


@pytest.mark.parametrize("status", [Status.POSTPONED, Status.SPAM, Status.DELETED])
@pytest.mark.parametrize("before", [Status.NEW, Status.OPEN, Status.ANSWERED])
def test_a_ticket_that_comes_back_is_new_or_open_as_it_was(before: Status, status: Status) -> None:
    away = {Status.POSTPONED: Postpone, Status.SPAM: MarkSpam, Status.DELETED: Delete}[status]

    ticket = decide(IN_STATUS[before], happens(away, LATER), POLICY).after

    assert ticket.status is status
    assert ticket.return_to is (Status.NEW if before is Status.NEW else Status.OPEN)


def test_an_open_ticket_without_an_answer_comes_back_open() -> None:
    reopened = after(FIRST, Resolve(NOON + HOUR), CustomerWrote(NOON + 2 * HOUR))

    assert reopened.status is Status.OPEN
    assert after(
        FIRST, Resolve(NOON + HOUR), CustomerWrote(NOON + 2 * HOUR), Postpone(LATER, LATER + DAY)
    ).return_to is (Status.OPEN)


@pytest.mark.parametrize("away", [MarkSpam, Delete, Postpone])
def test_a_postponed_ticket_comes_back_to_where_it_was_before(away: type[Event]) -> None:
    postponed = after(
        FIRST, AgentWrote(NOON + HOUR, ANNA), CustomerWrote(NOON + 2 * HOUR), Postpone(LATER, LATER + DAY)
    )
    again = decide(postponed, happens(away, LATER + HOUR), POLICY).after

    assert again.return_to is postponed.return_to is Status.OPEN


def test_spam_that_is_deleted_and_had_back_is_what_it_was_before_it_was_spam() -> None:
    deleted = after(FIRST, MarkSpam(NOON + HOUR), Delete(NOON + 2 * HOUR))

    assert decide(deleted, Undelete(LATER), POLICY).after.status is Status.NEW


@pytest.mark.parametrize("until", [LATER, LATER - HOUR])
def test_nobody_postpones_to_the_past(until: object) -> None:
    with pytest.raises(match="instant that is past"):
        decide(IN_STATUS[Status.NEW], Postpone(LATER, until), POLICY)  # type: ignore[arg-type]  # parametrized


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        (
            AgentWrote,
            Status.CLOSED,
            "This ticket is closed. With #open on top your answer opens it again, and leaves.",
        ),
        (AgentWrote, Status.SPAM, "A ticket that is spam cannot be answered."),
        (Postpone, Status.RESOLVED, "A ticket that is resolved cannot be postponed."),
        (Undelete, Status.NEW, "A ticket that is new cannot be taken out of the bin."),
        (NotSpam, Status.OPEN, "A ticket that is open cannot be taken out of spam."),
        (Reopen, Status.SPAM, "A ticket that is spam cannot be opened again."),
    ],
)
def test_a_refusal_is_a_sentence_for_whoever_asked(kind: type[Event], status: Status, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        decide(IN_STATUS[status], happens(kind, LATER), POLICY)

    assert str(refused.value) == sentence


def changed(event: Event, ticket: Ticket = IN_STATUS[Status.OPEN]) -> Decision:
    return decide(ticket, event, POLICY)


def test_whoever_is_given_a_ticket_is_told_unless_he_took_it_himself() -> None:
    given = changed(Assign(LATER, "bert@desk.example", ANNA))

    assert given.after.assignee == "bert@desk.example"
    assert given.tells == (Tell.HANDED_OVER,)
    assert changed(Assign(LATER, "bert@desk.example", "bert@desk.example")).tells == ()
    assert changed(Assign(LATER, "bert@desk.example", ANNA), given.after).tells == ()
    assert changed(Assign(LATER, None, ANNA)).after.assignee is None


def test_an_assignee_who_works_in_the_new_department_keeps_the_ticket() -> None:
    assert changed(MoveTo(LATER, "sales", frozenset({ANNA}))).after.assignee == ANNA
    assert changed(MoveTo(LATER, "sales", frozenset({"bert@desk.example"}))).after.assignee is None


def test_the_requester_is_no_participant_and_nobody_leaves_who_takes_no_part() -> None:
    opened = changed(SetRequester(LATER, "ada@customer.example")).after
    joined = changed(Admit(LATER, frozenset({"ada@customer.example", "ben@customer.example"})), opened).after

    assert joined.participants == {"ben@customer.example"}
    assert changed(SetRequester(LATER, "ben@customer.example"), joined).after.participants == frozenset()
    with pytest.raises(match=r"ada@customer\.example does not take part"):
        changed(Dismiss(LATER, frozenset({"ada@customer.example"})), joined)


def test_a_silent_resolution_tells_nobody() -> None:
    assert changed(Resolve(LATER, silent=True)).tells == ()
    assert changed(Resolve(LATER)).tells == (Tell.RESOLVED,)
