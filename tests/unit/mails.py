"""Mails to render, and the outline of what is rendered."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

from maild.templates import Acknowledgement, Notification, Templates, Who

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ADA = Who("Ada", "ada@customer.example")
ACKNOWLEDGEMENT = Acknowledgement(
    department="Acme Support", subject="Printer on fire", zone=BERLIN, reference="t1.x0.k2", name="Ada", proven=True
)
NOTIFICATION = Notification(
    department="Acme Support",
    subject="Printer on fire",
    zone=BERLIN,
    ticket_id=1042,
    status="open",
    customer=ADA,
    author=ADA,
    role="customer",
    proof="proven",
    at=NOON,
    text="It burns.",
)
TEMPLATES = Templates()


class Outline(HTMLParser):
    """What stands in an HTML mail: its elements in order, unclosed ones, and its words."""

    VOID = frozenset({"br", "img", "meta", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data
