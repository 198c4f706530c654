"""Any course of things: customers, strangers, machines and agents do what they like over several tickets, in any order.

Hypothesis makes up the course; after each step what must always hold is looked at. What a mail says is told by marks:
each mail holds one of its own, so it is seen in whose mailbox it ends.
"""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from maild.message.address import normalise
from maild.rebuilding import Rebuilding
from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import DeliveryRow, Direction, HistoryRow, MailRow, MailState, RawRow, TicketRow
from maild.works import rederiver
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received

EVE: Final = "eve@evil.example"
CARA: Final = "cara@customer.example"
CUSTOMERS: Final = (ADA, BEN, CARA)
AGENTS: Final = (ANNA, BERT)
OTHERS: Final = (*CUSTOMERS, EVE)
WORDS: Final = (
    "",
    "",
    "#note",
    "#resolve",
    "#close",
    "#open",
    "#postpone 2d",
    "#spam",
    "#notspam",
    "#delete",
    "#undelete",
    "#take",
    "#assign bert",
    "#department sales",
    "#priority high",
    "#tag red",
    "#title Another matter",
    "#link 2",
    "#merge 1",
    "#merge 2",
    "#split A second matter",
    f"#cc {CARA}",
    f"#cc -{CARA}",
    f"#requester {CARA}",
    f"#alias {EVE}",
    "#send tomorrow 9:00",
    "#cancel",
    "#force",
    "#priority low\n#take",
    f"#cc {BEN}\n#resolve",
    "#tag blue\n#postpone 1d",
)
ASKED: Final = ("next", "pass", "mine", "list open", "get 1", "away until friday", "back", "undo", "search mark")
MACHINES: Final = (
    "Auto-Submitted: auto-replied\r\n",
    "Auto-Submitted: auto-generated\r\n",
    "Precedence: bulk\r\nList-Id: <l.customer.example>\r\n",
)

# What has no history, and goes on from when it was taken back.
UNRECORDED: Final = ("attempts", "due_at", "kept_since", "resolving_since", "resolving_s")

choices = st.integers(0, 30)
courses = st.lists(st.tuples(st.integers(0, 13), choices, choices, choices), min_size=3, max_size=24)


class Course:
    """What happened so far, and what is known of it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.numbers = itertools.count(1)
        self.author: dict[str, str] = {}  # of each mark
        self.kinds: dict[str, str] = {}  # of each mark: public, note
        self.boxes: dict[str, list[Received]] = {each: [] for each in (*OTHERS, *AGENTS)}
        self.looked = 0
        self.sent: list[int] = []

    def mark(self, author: str, kind: str) -> str:
        mark = f"mark{next(self.numbers)}x"
        self.author[mark], self.kinds[mark] = author, kind
        return mark

    def write(self, sender: str, subject: str, text: str, *, marked: bool = True, **more: Any) -> None:
        body = text + "\r\n"
        if marked:
            mark = self.mark(sender, "customer" if sender in OTHERS else "note" if "#note" in text else "answer")
            body += f"It is {mark}.\r\n"
        with suppress(AssertionError):  # refused at RCPT, as the listener would
            self.sent.append(self.desk.mail(sender, subject, body, work=False, **more))
        self.desk.work()
        self.read()

    def read(self) -> None:
        new, self.looked = self.desk.post_office.got[self.looked :], len(self.desk.post_office.got)
        for each in new:
            self.boxes.setdefault(normalise(each.recipient), []).append(each)
            _in_no_wrong_box(self, each)

    def pick(self, who: str, which: int) -> Received | None:
        box = self.boxes[who]
        return box[-1 - which % len(box)] if box else None


def _in_no_wrong_box(course: Course, mail: Received) -> None:
    """No customer reads what another customer wrote, nor a note; an answer comes to who takes part."""
    recipient = normalise(mail.recipient)
    if recipient in AGENTS:
        return
    marks = set(re.findall(r"mark\d+x", mail.raw.decode()))
    for mark in marks:
        assert course.kinds[mark] != "note", (recipient, mail.text)
        if course.kinds[mark] == "customer":
            assert course.author[mark] == recipient, (recipient, mail.text)


def opens(course: Course, a: int, b: int, c: int) -> None:
    cc = CUSTOMERS[c % 3] if c % 4 == 0 else ""
    to = "sales@acme.example" if b % 5 == 0 else None
    course.write(OTHERS[a % 4], f"Matter {b}", "It does not work.", proven=b % 3 > 0, cc=cc, to=to)


def answers_back(course: Course, a: int, b: int, c: int) -> None:
    who = OTHERS[a % 4]
    if got := course.pick(who, b):
        course.write(who, f"Re: {got.subject}", "Still.", answers=got, proven=c % 2 > 0)


def another_answers(course: Course, a: int, b: int, c: int) -> None:
    """Somebody writes to an address that was made for somebody else, or by ids that he saw."""
    if got := course.pick(OTHERS[a % 4], b):
        course.write(OTHERS[c % 4], f"Re: {got.subject}", "Me, too.", answers=got, proven=c % 2 > 0)


def machine_answers(course: Course, a: int, b: int, c: int) -> None:
    who = (*OTHERS, *AGENTS)[a % 6]
    if got := course.pick(who, b):
        course.write(who, f"Automatic reply: {got.subject}", "Away.", answers=got, headers=MACHINES[c % 3])


def agent_answers(course: Course, a: int, b: int, c: int) -> None:
    who = AGENTS[a % 2]
    if got := course.pick(who, b):
        words = WORDS[c % len(WORDS)]
        text, says = words.replace("\n", "\r\n"), b % 2 > 0 or words in ("", "#note")
        course.write(who, f"Re: {got.subject}", text + "\r\n" * 2 * says, answers=got, proven=True, marked=says)


def agent_asks(course: Course, a: int, b: int, c: int) -> None:
    who = AGENTS[a % 2]
    if (got := course.pick(who, b)) and (address := _desk_address(got)):
        course.write(who, ASKED[c % len(ASKED)], "", to=address, marked=False)


def clicks(course: Course, a: int, b: int, c: int) -> None:
    """Whoever has a mail clicks at one of its links."""
    who = (*OTHERS, *AGENTS)[a % 6]
    if got := course.pick(who, b):
        found = re.findall(r"mailto:([^?\s]+)\?(\S+)", got.text)
        if found:
            address, query = found[c % len(found)]
            body = re.search(r"body=([^&]*)", query)
            course.write(who, "", unquote(body[1]) if body else "", to=unquote(address))


def imposter(course: Course, a: int, b: int, c: int) -> None:
    """A stranger takes an agent's name, with what a customer was sent."""
    if got := course.pick(OTHERS[a % 4], b):
        text = WORDS[c % len(WORDS)].replace("\n", "\r\n")
        course.write(AGENTS[b % 2], f"Re: {got.subject}", f"{text}\r\nIt is me.", answers=got)


def comes_again(course: Course, a: int, _b: int, c: int) -> None:
    """The same bytes once more, some by another address of ours."""
    if course.sent:
        mail_id = course.sent[a % len(course.sent)]
        with course.desk.database.read() as connection:
            pieces = connection.scalars(
                select(RawRow.content).where(RawRow.mail_id == mail_id).order_by(RawRow.number)
            ).all()
            row = connection.execute(select(MailRow.__table__).where(MailRow.id == mail_id)).one_or_none()
        if row is not None and pieces:
            to = "sales@acme.example" if c % 2 else "support@acme.example"
            course.desk.deliver(b"".join(pieces), row.envelope_from or "", to)
            course.read()


def bounces(course: Course, a: int, _b: int, _c: int) -> None:
    course.desk.post_office.refusals = {} if a % 2 else {OTHERS[a % 4]: "550 5.1.1 no such user"}


def time_passes(course: Course, a: int, b: int, _c: int) -> None:
    spans = ({"minutes": 3}, {"minutes": 40}, {"hours": 5}, {"days": 1}, {"days": 4}, {"days": 12})
    course.desk.wait(**spans[(a + b) % 6])
    course.read()


def undone(course: Course, a: int, b: int, c: int) -> None:
    """An agent says a word and takes it back: all is as it was."""
    who = AGENTS[a % 2]
    got = course.pick(who, b)
    if got is None:
        return
    course.desk.clock.advance(seconds=1)
    before = _tickets(course.desk)
    words = WORDS[2 + c % (len(WORDS) - 2)].replace("\n", "\r\n")
    course.write(who, f"Re: {got.subject}", words, answers=got, proven=True, marked=a % 3 == 0)
    mail_id = course.sent[-1]
    course.desk.clock.advance(seconds=1)
    if address := _desk_address(got):
        course.write(who, "undo", "", to=address, marked=False)
        with course.desk.database.read() as connection:
            marked = connection.scalar(
                select(HistoryRow.id).where(HistoryRow.field == "undone", HistoryRow.new == f"mail {mail_id}")
            )
        after = _tickets(course.desk)
        if marked:
            different = [
                (number, name, was[name], after[number][name])
                for number, was in before.items()
                for name in was
                if was[name] != after[number][name]
            ]
            assert different == [], (words, different)


def _desk_address(got: Received) -> str:
    """Return the address of the desk that a mail to an agent holds, "" if it holds none."""
    return next((unquote(each) for each in re.findall(r"mailto:([^?\s]+)\?", got.text) if ".d" in unquote(each)), "")


STEPS: Final[tuple[Callable[[Course, int, int, int], None], ...]] = (
    opens,
    answers_back,
    another_answers,
    machine_answers,
    agent_answers,
    agent_answers,
    agent_answers,
    agent_asks,
    clicks,
    imposter,
    comes_again,
    bounces,
    time_passes,
    undone,
)


def _tickets(desk: Desk) -> dict[int, dict[str, Any]]:
    with desk.database.read() as connection:
        rows = connection.execute(select(TicketRow.__table__)).mappings().all()
    return {row["id"]: {key: value for key, value in row.items() if key not in UNRECORDED} for row in rows}


def _must_hold(course: Course) -> None:
    desk = course.desk
    now = desk.clock()
    found = Rebuilding(desk.database, rederiver(desk.settings, desk.database, now), now, _nobody, only_look=True).run()
    assert [(each.table, each.id, each.columns) for each in found.first] == []
    with desk.database.read() as connection:
        tickets = connection.execute(select(TicketRow.__table__)).all()
        mails = connection.execute(select(MailRow.__table__)).all()
        deliveries = connection.execute(select(DeliveryRow.mail_id, DeliveryRow.address_id)).all()
    assert len(deliveries) == len(set(deliveries))
    numbers = {each.id for each in tickets}
    for each in tickets:
        quiet = each.status in (Status.CLOSED, Status.MERGED)
        assert quiet or each.due_at is not None, each
        assert each.due_at is None or each.due_at > now, each
        assert (each.merged_into is not None) == (each.status is Status.MERGED), each
        assert each.merged_into is None or each.merged_into in numbers, each
        assert (each.wake_at is not None) == (each.status is Status.POSTPONED), each
    for mail in mails:
        if mail.state is MailState.FILED:
            assert mail.ticket_id in numbers, mail.id
        assert mail.state is not MailState.FAILED, (mail.id, mail.reason)
        assert mail.state is not MailState.STORED, mail.id
    told = [
        (each.about_id, each.purpose, each.ticket_id, each.envelope_from)
        for each in mails
        if each.direction is Direction.OUT and each.purpose == "answer"
    ]
    assert len(told) == len(set(told)), "an answer left twice"


def _nobody(*_: object) -> None:
    """Whom nobody tells how far it is."""


@contextmanager
def opened(template: Path, folder: Path) -> Iterator[Database]:
    path = folder / "course.db"
    for each in folder.glob("course.db*"):
        each.unlink()
    shutil.copyfile(template, path)
    database = Database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(courses)
def test_whatever_happens_in_whatever_order_what_must_hold_holds(
    _sqlite_template: Path,  # noqa: PT019 - its path is needed, for a database an example
    tmp_path: Path,
    course: list[tuple[int, int, int, int]],
) -> None:
    with opened(_sqlite_template, tmp_path) as database:
        going = Course(Desk(database, FakeClock()))
        opens(going, 0, 1, 1)
        for which, a, b, c in course:
            STEPS[which](going, a, b, c)
        _must_hold(going)
