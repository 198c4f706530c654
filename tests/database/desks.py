"""A desk without an outbox, for tests of what happens to its tickets."""

from sqlalchemy import Connection

from maild import config, people
from maild.desk import Opening
from maild.message.address import Address
from maild.outbox.letters import Withheld
from tests.clock import FakeClock

SETTINGS = config.parse("""
[smtp]
listen = "127.0.0.1:0"
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
""")


class NoMail:
    """Stands for the outbox: what is told to whom is the stories' affair."""

    def post(self, *_: object) -> list[Withheld]:
        return []


def opening(connection: Connection, clock: FakeClock, name: str = "ada") -> Opening:
    found = people.enrol(connection, [Address(name.title(), f"{name}@customer.example")], clock())
    return Opening("Printer on fire", "support", found[f"{name}@customer.example"])
