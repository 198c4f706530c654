"""No sequence of mails by a stranger changes a ticket or learns of one: generated sequences through the whole desk.

What a stranger can do grows with what he has seen. Whoever saw nothing changes nothing at all, whatever he forges. Who
was forwarded real mails, with every address, link and id in them, is heard as a third party: the ticket may wait for us
again, since he may be its customer under another address; nothing else happens, and nobody but agents hears of him.
Names of others fail authentication, as the host in front says of every domain that publishes DMARC.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import select

from maild.rules.state import Status
from maild.store.engine import Database
from maild.store.models import AddressRow, ParticipantRow
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, MX, SUPPORT, Desk, Received

MALLORY = "mallory@evil.example"
SECRET = "Zanzibar"  # in everything that belongs to the ticket
HIS = "Xanadu"  # in everything that the stranger writes
MAILS = 40  # of one sequence
STATUSES = {
    Status.NEW: "",
    Status.ANSWERED: "Pull the plug of Zanzibar.\r\n",
    Status.RESOLVED: "#resolve\r\n",
    Status.POSTPONED: "#postpone 2d\r\n",
    Status.CLOSED: "#close\r\n",
    Status.SPAM: "#spam\r\n",
}
WORDS = (
    "#resolve",
    "#close",
    "#delete",
    "#merge 1",
    "#spam",
    "#assign bert",
    "#cc mallory@evil.example",
    "#undo",
    "#open",
)
WEAPONS = ("name", "address", "reference", "conversation", "header", "tag", "words", "token", "quote")
THREAD_INDEX = "AQHZ8Q/tAInys2zh1Q1PzxxoCuE8VQL0vUp2"


@dataclass
class Seen:
    """What a stranger has to work with."""

    addresses: list[str] = field(default_factory=list)  # signed ones, as they were or changed
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)  # whole mails to send again


class Scene:
    """Ticket 1 of Ada, with Ben in Cc, in some status; ticket 2 is the stranger's own."""

    def __init__(self, database: Database, clock: FakeClock, status: Status) -> None:
        self.desk = desk = Desk(database, clock)
        index = f"Thread-Index: {THREAD_INDEX}"
        desk.mail(ADA, f"{SECRET} on fire", f"{SECRET} burns.\r\n", proven=True, cc=BEN, headers=index)
        [told] = desk.mails_to(ANNA)
        desk.mail(MALLORY, f"{HIS} on fire", f"{HIS} burns.\r\n", proven=True)
        [second] = desk.mails_to(ANNA)
        desk.clock.advance(minutes=1)
        self.own = [*desk.mails_to(MALLORY)]
        desk.mail(ANNA, second.subject, "Who are you?\r\n", answers=second)
        self.own += desk.mails_to(MALLORY)
        if STATUSES[status]:
            desk.mail(ANNA, told.subject, STATUSES[status], answers=told, proven=True)
        if status is Status.ANSWERED:
            desk.wait(days=8)  # a reminder, with what ends the ticket by a click
            self.own += desk.mails_to(MALLORY)
        assert desk.status(1) is status
        self.real = [*desk.mails_to(ADA), *desk.mails_to(BEN)]
        self.agents = [told, *desk.mails_to(ANNA), *desk.mails_to(BERT)]
        self.before = self.state()

    def state(self) -> dict[str, Any]:
        """All that is known of ticket 1, and which addresses are not written to."""
        row = dict(self.desk.ticket(1)._mapping)
        with self.desk.database.read() as connection:
            joined = connection.execute(select(ParticipantRow.__table__).where(ParticipantRow.ticket_id == 1)).all()
            silenced = connection.execute(
                select(AddressRow.normal).where(AddressRow.suppressed_until.is_not(None))
            ).all()
        return {**row, "joined": joined, "suppressed": silenced, "history": self.desk.history(1)}


def signed_in(mails: Sequence[Received]) -> Seen:
    """Return everything in `mails` that a stranger could use."""
    seen = Seen()
    for each in mails:
        text = each.raw.decode("utf-8", "replace").replace("=\r\n", "").replace("=3D", "=")
        seen.addresses += re.findall(r"support\+[thb]\d+\.[\w.]+@acme\.example", text)
        seen.ids += [each.message.message_id, *each.message.references]
        seen.texts.append(each.text)
        seen.raws.append(each.raw)
    seen.addresses = sorted(set(seen.addresses))
    return seen


def changed(chance: random.Random, address: str) -> str:
    """Return an address that somebody makes up from a real one: another number, role, person or MAC."""
    local, _, domain = address.partition("@")
    ways: list[Callable[[str], str]] = [
        lambda text: re.sub(r"\+([thb])\d+", r"+\g<1>1", text),
        lambda text: re.sub(r"\.([a-z])(\d+)\.", lambda found: f".{chance.choice('canspldx')}{found[2]}.", text),
        lambda text: re.sub(r"\.([a-z])\d+\.", lambda found: f".{found[1]}{chance.randrange(9)}.", text),
        lambda text: text[:-1] + chance.choice("abcdefghijklmnopqrstuvwxyz234567"),
        lambda text: text[: -chance.randrange(1, 20)],
    ]
    made = local
    for way in chance.sample(ways, chance.randrange(1, 4)):
        made = way(made)
    return address if made == local else f"{made}@{domain}"


class Stranger:
    """Writes mails of every kind that he can think of."""

    def __init__(self, scene: Scene, seed: int, seen: Seen) -> None:
        self.scene = scene
        self.chance = random.Random(seed)
        self.seen = seen
        self.own = signed_in(scene.own)
        self.sent: list[bytes] = []

    def address(self) -> str:
        """An address that may lead somewhere: real, or made up from a real one."""
        real = [*self.own.addresses, *self.seen.addresses]
        made = changed(self.chance, self.chance.choice(real))
        if made not in real and self.chance.random() < 0.5:
            return made
        return self.chance.choice(self.seen.addresses or [SUPPORT, "sales@acme.example", *self.own.addresses])

    def id(self) -> str:
        forged = [re.sub(r"^m\d+", "m1", each) for each in self.own.ids if each.startswith("m")]
        return self.chance.choice([*forged, *self.own.ids, *self.seen.ids, *self.seen.ids])

    def mail(self) -> None:
        """Write one."""
        if self.chance.random() < 0.15 and (self.own.raws or self.seen.raws):
            self.deliver(self.chance.choice([*self.own.raws, *self.seen.raws, *self.sent]), self.address())
            return
        self.report() if self.chance.random() < 0.15 else self.letter()

    def head(self, to: str, weapons: frozenset[str] = frozenset()) -> list[str]:
        author = MALLORY
        if "name" in weapons:
            author = self.chance.choice([ADA, BEN, ANNA, BERT, SUPPORT, "mailer-daemon@evil.example"])
        domain = author.partition("@")[2]
        result = self.chance.choice(["pass", "none"]) if domain == "evil.example" else "fail"
        lines = [f"Authentication-Results: {MX}; dmarc={result} header.from={domain}"]
        if self.chance.random() < 0.2:
            lines.append(f"Authentication-Results: {MX}; dmarc=pass header.from={domain}")  # he wrote that himself
        lines += [f"From: {author}", f"To: {to}", f"Date: {format_datetime(self.scene.desk.clock())}"]
        lines.append(f"Message-ID: <{self.chance.choice(['', 'm1.'])}{self.chance.randrange(10**9)}@evil.example>")
        if "reference" in weapons:
            names = self.chance.choice([("In-Reply-To",), ("References",), ("In-Reply-To", "References")])
            lines += [f"{name}: <{self.id()}>" for name in names]
        if "conversation" in weapons:
            lines.append(f"Thread-Index: {THREAD_INDEX}")
        if "header" in weapons:
            headers = (
                "Auto-Submitted: auto-replied",
                "List-Id: <x.evil.example>",
                f"Cc: {MALLORY}, {self.address()}",
                f"Reply-To: {self.chance.choice([MALLORY, ADA, ANNA, self.address()])}",
                f"Sender: {ANNA}",
                f"Delivered-To: {self.address()}",
                f"X-Original-To: {self.address()}",
                f"Resent-To: {self.address()}",
                "Disposition-Notification-To: mallory@evil.example",
            )
            lines.append(self.chance.choice(headers))
        return lines

    def letter(self) -> None:
        weapons = frozenset(self.chance.sample(WEAPONS, self.chance.choice([1, 1, 2, 3])))
        to = self.address() if "address" in weapons else SUPPORT
        subject = f"Re: [#1] {HIS}" if "tag" in weapons else self.chance.choice([HIS, "Solved", "Leave", "get 1"])
        body = [HIS]
        if "words" in weapons:
            body.insert(0, self.chance.choice(WORDS))
        if "token" in weapons:
            body.append(f"Ref: {self.address()}")
        if "quote" in weapons and self.seen.texts:
            body += [f"> {line}" for line in self.chance.choice(self.seen.texts).splitlines()]
        lines = [*self.head(to, weapons), f"Subject: {subject}"]
        self.deliver(("\r\n".join([*lines, "", *body]) + "\r\n").encode(), to)

    def report(self) -> None:
        to = self.address()
        about = self.id()
        lines = [
            *self.head(to, frozenset({self.chance.choice(WEAPONS)})),
            "Subject: Undelivered",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            f"--b\r\nContent-Type: text/plain\r\n\r\n{HIS}\r\n--b\r\nContent-Type: message/delivery-status\r\n",
            "Reporting-MTA: dns; evil.example\r\n",
            f"Final-Recipient: rfc822; {self.chance.choice([ADA, BEN, ANNA])}\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{about}>\r\n\r\n--b--",
        ]
        self.deliver(("\r\n".join(lines) + "\r\n").encode(), to, null=True)

    def deliver(self, raw: bytes, to: str, *, null: bool = False) -> None:
        self.sent.append(raw)
        self.scene.desk.deliver(raw, "" if null else MALLORY, to)


def nobody_learns(scene: Scene) -> None:
    """What the stranger got holds nothing of ticket 1; what its people got holds nothing of his."""
    for each in scene.desk.mails_to(MALLORY):
        shown = f"{each.subject} {each.text} {each.message.html} {each.message.header('reply-to')}"
        assert SECRET not in shown
        assert not re.search(r"\+t1\.|m1\.", shown)
        assert not any(other in shown for other in (ADA, BEN))
    for address in (ADA, BEN):
        for each in scene.desk.mails_to(address):
            assert HIS not in f"{each.subject} {each.text} {each.message.html}"


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("seed", range(2))
def test_who_has_seen_nothing_changes_nothing(
    sqlite_database: Database, clock: FakeClock, status: Status, seed: int
) -> None:
    scene = Scene(sqlite_database, clock, status)
    stranger = Stranger(scene, seed, Seen())

    for _ in range(MAILS):
        stranger.mail()
        assert scene.state() == scene.before, stranger.sent[-1].decode()
        nobody_learns(scene)


_HEARD = {
    Status.NEW: {Status.NEW},
    Status.ANSWERED: {Status.ANSWERED, Status.OPEN},
    Status.RESOLVED: {Status.RESOLVED, Status.OPEN},
    Status.POSTPONED: {Status.POSTPONED, Status.NEW, Status.OPEN},
    Status.CLOSED: {Status.CLOSED},
    Status.SPAM: {Status.SPAM},
}
# What being heard may move: that a customer waits, what follows from it, and that our answer may not have arrived.
_MOVES = {
    "status", "since", "waiting_since", "reminded_at", "told_at", "return_to", "wake_at", "due_at", "target_at",
    "undelivered", "attempts", "offered_to", "offered_until", "silenced_until", "resolving_since", "resolving_s",
    "history",
}  # fmt: skip


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("whose", ["customers", "agents"])
def test_who_was_forwarded_real_mails_is_heard_and_changes_nothing_else(
    sqlite_database: Database, clock: FakeClock, status: Status, seed: int, whose: str
) -> None:
    scene = Scene(sqlite_database, clock, status)
    stranger = Stranger(scene, seed, signed_in(scene.real if whose == "customers" else scene.agents))

    for _ in range(MAILS):
        stranger.mail()
        state = scene.state()
        assert state["status"] in _HEARD[status], stranger.sent[-1].decode()
        moved = {name for name, value in state.items() if value != scene.before.get(name)}
        # The clocks of promises follow from who waits.
        moved -= {name for name in moved if name.endswith(("_until", "_since", "_at", "_s"))}
        assert moved <= _MOVES, (moved, stranger.sent[-1].decode())
        nobody_learns(scene)
