"""Somebody writes in an agent's name, in every way that he has: nothing leaves, nothing changes, the agent is asked.

The mails are signed with real keys, and the DNS is the one below.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from maild import inbox
from maild.admission import accepts
from maild.rules.state import Status
from maild.services import filer
from maild.services.filer import authenticating
from maild.store.engine import Database
from maild.store.models import MailState
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, MX, SUPPORT, Desk
from tests.unit.signing import Dns, published, signed

OUTSIDE = "smtp 93.184.216.34"
ALONE = CONFIG.replace(f'authserv_id = "{MX}"', "")
ZONE: Mapping[str, str] = {
    "acme.example": "v=spf1 ip4:198.51.100.0/24 ~all",
    "evil.example": "v=spf1 ip4:93.184.216.34 -all",
    "good._domainkey.acme.example": published(),
    "revoked._domainkey.acme.example": "v=DKIM1; p=",
    "small._domainkey.acme.example": published(768),
    "good._domainkey.evil.example": published(seed=2),
}
WATCHED = {"_dmarc.acme.example": "v=DMARC1; p=none"}


class Scene:
    """Ticket 1, which Ada opened and Anna was told of."""

    def __init__(self, database: Database, clock: FakeClock, zone: Mapping[str, str]) -> None:
        self.desk = Desk(database, clock, ALONE, Dns(zone, []))
        self.desk.mail(ADA, "Printer on fire")
        [self.told] = self.desk.mails_to(ANNA)
        self.desk.mails_to(BERT)
        self.desk.mails_to(ADA)

    def mail(self, *, to: str = SUPPORT, sender: str = ANNA, top: str = "", text: str = "Send money.\r\n") -> bytes:
        self.desk._number += 1
        return (
            f"{top}From: Anna <{sender}>\r\nTo: {to}\r\nSubject: {self.told.subject}\r\n"
            f"Date: Mon, 2 Mar 2026 12:00:00 +0000\r\nMessage-ID: <forged-{self.desk._number}@acme.example>\r\n"
            f"In-Reply-To: <{self.told.message.message_id}>\r\n\r\n{text}"
        ).encode()

    def send(self, raw: bytes, *, to: str = SUPPORT, envelope_from: str = ANNA, source: str = OUTSIDE) -> Any:
        assert accepts(self.desk.settings, to)
        mail = inbox.Incoming(envelope_from, (to,), source, raw, helo="mail.evil.example")
        with self.desk.database.write() as connection:
            [stored] = inbox.store(connection, [mail], self.desk.clock())
        self.desk.work()
        return self.desk.filed(stored.mail_id)

    def customers_address(self) -> str:
        """What Ada was given to answer to."""
        self.desk.mail(ANNA, self.told.subject, "Pull the plug.\r\n", answers=self.told)
        [answer] = self.desk.mails_to(ADA)
        return answer.reply_to


def forged(scene: Scene, **options: Any) -> bytes:
    return signed(scene.mail(), options.pop("domain", "acme.example"), **options)


WAYS: Mapping[str, Callable[[Scene], Any]] = {
    "nothing": lambda scene: scene.send(scene.mail()),
    "SPF of another domain": lambda scene: scene.send(scene.mail(), envelope_from="m@evil.example"),
    "a signature of another domain": lambda scene: scene.send(
        forged(scene, domain="evil.example", selector="good", seed=2), envelope_from="m@evil.example"
    ),
    "a signature with another's key": lambda scene: scene.send(forged(scene, selector="good", seed=2)),
    "a signature by a revoked key": lambda scene: scene.send(forged(scene, selector="revoked")),
    "a signature by a small key": lambda scene: scene.send(forged(scene, selector="small", bits=768)),
    "text behind a signed part": lambda scene: scene.send(forged(scene, selector="good", l="5") + b"More.\r\n"),
    "an expired signature": lambda scene: scene.send(forged(scene, selector="good", x="1")),
    "a second From over a signed one": lambda scene: scene.send(
        b"From: Anna <anna@acme.example>\r\n"
        + signed(scene.mail(sender="mallory@evil.example"), "evil.example", selector="good", seed=2)
    ),
    "a forged header of a host": lambda scene: scene.send(
        scene.mail(top=f"Authentication-Results: {MX}; dmarc=pass header.from=acme.example\r\n")
    ),
    "the customer's own token": lambda scene: scene.send(
        scene.mail(to=(address := scene.customers_address())), to=address
    ),
    "a colleague's token": lambda scene: scene.send(
        scene.mail(to=scene.told.reply_to, sender=BERT), to=scene.told.reply_to, envelope_from=BERT
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_forged_name_changes_nothing_and_its_owner_is_asked_once(
    sqlite_database: Database, clock: FakeClock, way: str
) -> None:
    scene = Scene(sqlite_database, clock, ZONE)
    if "customer" in way:
        scene.desk.work()
    mail = WAYS[way](scene)

    assert mail.state is MailState.HELD, mail.reason
    assert scene.desk.tickets() == [1]
    assert scene.desk.status(1) in (Status.NEW, Status.ANSWERED)
    assert not [each for each in scene.desk.mails_to(ADA) if "Send money." in each.text]
    owner = BERT if "colleague" in way else ANNA
    asked = [each for each in scene.desk.mails_to(owner) if "held" in each.text]
    assert len(asked) == 1


@pytest.mark.parametrize("way", ["nothing", "SPF of another domain", "a forged header of a host"])
def test_where_dmarc_is_published_a_forged_name_fails_and_nobody_is_asked(
    sqlite_database: Database, clock: FakeClock, way: str
) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, **WATCHED})
    mail = WAYS[way](scene)

    assert mail.state is MailState.HELD
    assert mail.evidence["trust"] == "fail"
    assert scene.desk.mails_to(ADA) == scene.desk.mails_to(ANNA) == scene.desk.mails_to(BERT) == []


def test_a_stolen_address_of_an_agent_is_no_proof_against_dmarc(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, **WATCHED})

    mail = scene.send(scene.mail(to=scene.told.reply_to), to=scene.told.reply_to)

    assert mail.state is MailState.HELD
    assert scene.desk.status(1) is Status.NEW


def answered(scene: Scene, mail: Any) -> bool:
    [got] = scene.desk.mails_to(ADA)
    return mail.purpose == "answer" and "Pull the plug." in got.text


def test_a_good_signature_is_an_agents(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, **WATCHED})

    mail = scene.send(signed(scene.mail(text="Pull the plug.\r\n"), selector="good"))

    assert answered(scene, mail)
    assert mail.evidence["trust_reasons"] == ["own check: dkim=pass for acme.example"]


DESTROY = "#delete\r\n"


def test_what_destroys_needs_the_signed_address_too(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, **WATCHED})

    scene.send(signed(scene.mail(text=DESTROY), selector="good"))

    assert scene.desk.status(1) is Status.NEW


def test_a_customers_address_is_no_signed_address_of_an_agent(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, **WATCHED})
    to = scene.customers_address()

    scene.send(signed(scene.mail(to=to, text=DESTROY), selector="good"), to=to)

    assert scene.desk.status(1) is not Status.DELETED


def test_what_destroys_is_done_with_both_proofs(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, **WATCHED})
    to = scene.told.reply_to

    scene.send(signed(scene.mail(to=to, text=DESTROY), selector="good"), to=to)

    assert scene.desk.status(1) is Status.DELETED


def test_the_agents_own_server_is_known_by_spf(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, "acme.example": "v=spf1 ip4:93.184.216.34 -all"})

    assert answered(scene, scene.send(scene.mail(text="Pull the plug.\r\n")))


def test_a_dns_that_is_away_leaves_the_signed_address_as_proof(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, "_dmarc.acme.example": "!"})
    to = scene.told.reply_to

    assert answered(scene, scene.send(scene.mail(to=to, text="Pull the plug.\r\n"), to=to))


def test_a_customer_whose_address_is_forged_is_not_written_to(sqlite_database: Database, clock: FakeClock) -> None:
    scene = Scene(sqlite_database, clock, {**ZONE, "_dmarc.customer.example": "v=DMARC1; p=reject"})
    raw = scene.mail(sender=ADA).replace(b"In-Reply-To", b"X-Was")

    mail = scene.send(raw, envelope_from="m@evil.example")

    assert mail.state is MailState.FILED
    assert scene.desk.mails_to(ADA) == []


def test_a_bound_of_the_checks_lies_below_the_lease() -> None:
    assert filer.LEASE.total_seconds() >= 3 * authenticating.GROUP_S


@pytest.mark.parametrize(
    "written",
    [f"<{ANNA}> <eve@evil.example>", f"Anna: {ANNA};", f"<@evil.example:{ANNA}>", "=?utf-8?q?anna=40acme.example?="],
)
def test_a_from_that_others_read_otherwise_is_no_agents(
    sqlite_database: Database, clock: FakeClock, written: str
) -> None:
    desk = Desk(sqlite_database, clock)
    desk.mail(ADA, "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.mails_to(ADA)
    checked = f"Authentication-Results: {MX}; dmarc=pass header.from=evil.example\r\n"  # of whom it found in there
    raw = f"{checked}From: {written}\r\nTo: {told.reply_to}\r\nSubject: Re\r\n\r\nPay to this account.\r\n"
    mail_id = desk.deliver(raw.encode(), "eve@evil.example", told.reply_to)

    assert desk.filed(mail_id).state is MailState.HELD
    assert desk.mails_to(ADA) == []
