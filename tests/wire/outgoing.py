"""Deliveries of a small desk, and the sender that serves them."""

from sqlalchemy import insert, select, update

from maild.config import parse as parse_settings
from maild.message.address import Address
from maild.message.compose import Draft, compose
from maild.rules.state import Status, Tell
from maild.services.sender import Sender
from maild.store.engine import Database
from maild.store.models import (
    AddressRow,
    DeliveryRow,
    DeliveryState,
    Direction,
    MailRow,
    MailState,
    PersonRow,
    RawRow,
    TicketRow,
)
from maild.works import assemble
from tests.clock import FakeClock
from tests.wire.sink import Sink

ADA = "ada@customer.example"
BOB = "bob@customer.example"
DESK = "support@acme.example"


class Queue:
    """Deliveries of a small desk, and the sender that serves them."""

    def __init__(self, database: Database, clock: FakeClock, port: int) -> None:
        self.database = database
        self.clock = clock
        self.works = assemble(
            parse_settings(f"""
                [smtp]
                listen = "127.0.0.1:0"
                [relay]
                host = "127.0.0.1"
                port = {port}
                [[department]]
                name = "support"
                address = "{DESK}"
                [[agent]]
                address = "anna@acme.example"
                name = "Anna"
                """),
            database,
            clock,
        )
        self.sender = self.works.sender
        self.again()
        self._addresses: dict[str, int] = {}
        self._number = 0
        self.ticket = self.opened()

    def again(self) -> Sender:
        """A sender as after a restart."""
        works = self.works
        self.sender.close()
        self.sender = Sender(self.database, works.settings, works.desk, works.keys, self.clock, jitter=lambda: 0.5)
        return self.sender

    def opened(self) -> int:
        """Return a new ticket of Ada's that was answered."""
        now = self.clock()
        with self.database.write() as connection:
            address_id = self._address(connection, ADA)
            values = {
                "subject": "x", "department": "support", "requester_id": address_id, "created_at": now,
                "status": Status.ANSWERED, "since": now, "answered_at": now, "undelivered": False, "priority": "normal",
                "attempts": 0,
            }  # fmt: skip
            return connection.scalars(insert(TicketRow).returning(TicketRow.id), [values]).one()

    def _address(self, connection, address: str) -> int:
        if address not in self._addresses:
            person_id = connection.scalars(
                insert(PersonRow).returning(PersonRow.id), [{"name": "", "created_at": self.clock()}]
            ).one()
            values = {"person_id": person_id, "normal": address, "address": address}
            self._addresses[address] = connection.scalars(insert(AddressRow).returning(AddressRow.id), [values]).one()
        return self._addresses[address]

    def post(self, *recipients: str, tell: Tell = Tell.ANSWER, ticket: int | None = None, text: str = "") -> list[int]:
        """Post a mail of the ticket, and return its deliveries."""
        self._number += 1
        now = self.clock()
        people = tuple(Address("", each) for each in recipients if each != "none")
        message_id = f"m{self._number}.n.k@acme.example"
        raw = compose(
            Draft(
                from_=Address("", DESK), to=people or (Address("", ADA),), subject=f"mail {self._number}",
                text=text or f"text {self._number}", message_id=message_id, date=now,
            )
        )  # fmt: skip
        with self.database.write() as connection:
            mail = {
                "direction": Direction.OUT, "state": MailState.OUT, "fingerprint": self._number.to_bytes(32, "big"),
                "stored_at": now, "source": "anna@acme.example", "recipients": list(recipients), "size_bytes": len(raw),
                "ticket_id": ticket or self.ticket, "purpose": tell.value, "message_id": message_id, "attempts": 0,
                "text": f"text {self._number}",
            }  # fmt: skip
            mail_id = connection.scalars(insert(MailRow).returning(MailRow.id), [mail]).one()
            halves = (raw[: len(raw) // 2], raw[len(raw) // 2 :])
            connection.execute(
                insert(RawRow),
                [{"mail_id": mail_id, "number": number, "content": part} for number, part in enumerate(halves)],
            )
            rows = [
                {
                    "mail_id": mail_id, "ticket_id": ticket or self.ticket, "recipient": each,
                    "address_id": self._address(connection, each),
                    "reply_to": f"support+for-{each.partition('@')[0]}@acme.example",
                    "automatic": tell is not Tell.ANSWER, "state": DeliveryState.QUEUED, "created_at": now,
                    "due_at": now, "attempts": 0,
                }
                for each in recipients
            ]  # fmt: skip
            return list(
                connection.scalars(insert(DeliveryRow).returning(DeliveryRow.id, sort_by_parameter_order=True), rows)
            )

    def work(self) -> float:
        """Step until nothing is due; return how long it would sleep."""
        while not (idle_s := self.sender.step()):
            pass
        return idle_s

    def row(self, delivery: int):
        with self.database.read() as connection:
            return connection.execute(select(DeliveryRow.__table__).where(DeliveryRow.id == delivery)).one()

    def rows(self):
        with self.database.read() as connection:
            return connection.execute(select(DeliveryRow.__table__).order_by(DeliveryRow.id)).all()

    def change(self, delivery: int, **values: object) -> None:
        with self.database.write() as connection:
            connection.execute(update(DeliveryRow).where(DeliveryRow.id == delivery).values(**values))


def subjects(smarthost: Sink) -> list[str]:
    return [mail.raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for mail in smarthost.mails]
