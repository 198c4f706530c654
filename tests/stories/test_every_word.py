"""Every word of the table, from mail to mail: an agent writes it, and what somebody then has shows that it was done.

A word that is added to the table without a line here makes this fail.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from maild.message.commands import WORDS
from maild.rules.state import Status
from maild.services.filer.requests import ANSWERED
from maild.services.filer.wishes import AVAILABLE
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BEN, BERT, CONFIG, SUPPORT, Desk, Received

CARA = "cara@customer.example"
HOME = "ada@home.example"


class Scene:
    """Tickets 1 of Ada and 2 of Ben, of which Anna and Bert were told; everybody has read his mail."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
        desk.mail(f"Ben <{BEN}>", "No paper", proven=True)
        self.told, self.other = desk.mails_to(ANNA)
        self.bert = desk.mails_to(BERT)[0]
        self.read()

    def read(self) -> None:
        for each in (ADA, ANNA, BEN, BERT, CARA, HOME):
            self.desk.mails_to(each)

    def say(self, text: str, told: Received | None = None) -> "Scene":
        """Let an agent answer what he was told of ticket 1, with both proofs."""
        told = told or self.told
        self.desk.clock.advance(minutes=1)
        self.desk.mail(told.recipient, f"Re: {told.subject}", f"{text}\r\n", answers=told, proven=True)
        return self

    def ask(self, text: str) -> str:
        """Let Anna ask her desk; return what she has then."""
        address, _ = self.told.click("help")
        self.desk.mail(ANNA, text, "", to=address)
        return self.got(ANNA)

    def got(self, who: str) -> str:
        """All that somebody got since he last looked."""
        return "\n".join(f"{each.subject}\n{each.text}" for each in self.desk.mails_to(who))

    def status(self, number: int = 1) -> Status:
        return self.desk.status(number)


def ends(word: str, status: Status) -> Callable[[Scene], bool]:
    return lambda at: at.say(word).status() is status


def _note(at: Scene) -> bool:
    at.say("#note\r\nShe is a friend.")
    return at.got(ADA) == "" and "She is a friend." in at.say("#assign bert").got(BERT)


def _force(at: Scene) -> bool:
    at.desk.mail(ADA, "Re: x", "More.\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True)
    return "Pull the plug." in at.say("#force\r\nPull the plug.").got(ADA)


def _away(at: Scene) -> bool:
    at.ask("away until friday")
    at.desk.mail(CARA, "Hello", proven=True)
    return "Hello" not in at.got(ANNA) and "Hello" in at.got(BERT)


def _back(at: Scene) -> bool:
    at.ask("away until friday")
    at.ask("back")
    at.desk.mail(CARA, "Hello", proven=True)
    return "Hello" in at.got(ANNA)


def _pass(at: Scene) -> bool:
    first = at.ask("next")
    return ("Printer on fire" in first) != ("Printer on fire" in at.ask("pass"))


def _undo(at: Scene) -> bool:
    at.say("#priority high\r\n#postpone 2d")
    done = at.desk.mails_to(ANNA)[-1]
    address, text = done.click("#undo")
    at.desk.mail(ANNA, "", text, to=address)
    return at.status() is Status.NEW and "Taken back" in at.got(ANNA)


def _cancel(at: Scene) -> bool:
    at.say("#send tomorrow 9:00\r\n\r\nPull the plug.")
    at.say("#cancel")
    at.desk.wait(days=2)
    return "Pull the plug." not in at.got(ADA)


def _send(at: Scene) -> bool:
    early = at.say("#send tomorrow 9:00\r\n\r\nPull the plug.").got(ADA)
    at.desk.wait(days=1)
    return early == "" and "Pull the plug." in at.got(ADA)


def _split(at: Scene) -> bool:
    at.desk.mail(ADA, "Re: x", "The lamp, too.\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True)
    second = at.desk.mails_to(ANNA)[-1]
    at.say("#split A second matter", second)
    return at.desk.tickets() == [1, 2, 3]


def _for(at: Scene) -> bool:
    at.desk.mail(ANNA, "Your order", f"#for {CARA}\r\n\r\nIt is ready.\r\n", proven=True)
    return "It is ready." in at.got(CARA)


def _requester(at: Scene) -> bool:
    at.say(f"#requester {CARA}\r\n\r\nYour printer?")
    return "Your printer?" in at.got(CARA) and at.got(ADA) == ""


def _alias(at: Scene) -> bool:
    at.desk.mail(HOME, "Re: x", "Me, at home.\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True)
    at.say(f"#alias {HOME}")
    at.read()
    at.desk.mail(HOME, "Re: x", "Me again.\r\n", headers="In-Reply-To: <mail-1@client.example>", proven=True)
    return "does not take part" not in at.got(ANNA)


def _merge(at: Scene) -> bool:
    at.say("#merge 2")
    return "One answer." in at.say("#force\r\nOne answer.", at.other).got(ADA)


EFFECTS: dict[str, Callable[[Scene], bool]] = {
    "note": _note,
    "use": lambda at: "Hello Ada" in at.say("#use greeting\r\n\r\nPull the plug.").got(ADA),
    "send": _send,
    "cancel": _cancel,
    "force": _force,
    "silent": lambda at: at.say("#silent\r\n#resolve").got(ADA) == "" and at.status() is Status.RESOLVED,
    "resolve": lambda at: at.say("#resolve").got(ADA) != "" and at.status() is Status.RESOLVED,
    "close": ends("#close", Status.CLOSED),
    "open": lambda at: at.say("#resolve").say("#open").status() is Status.OPEN,
    "postpone": ends("#postpone 2d", Status.POSTPONED),
    "spam": ends("#spam", Status.SPAM),
    "notspam": lambda at: at.say("#spam").say("#notspam").status() is Status.NEW,
    "delete": ends("#delete", Status.DELETED),
    "undelete": lambda at: at.say("#delete").say("#undelete").status() is Status.NEW,
    "merge": _merge,
    "assign": lambda at: "Printer on fire" in at.say("#assign bert").got(BERT),
    "take": lambda at: "Printer on fire" in at.say("#take").ask("mine"),
    "department": lambda at: "Printer on fire" in at.say("#department sales").got(BERT),
    "priority": lambda at: at.say("#priority high").desk.ticket(1).priority == "high",
    "tag": lambda at: "printer" in at.say("#tag printer").ask("get 1"),
    "title": lambda at: "Third floor" in at.say("#title Third floor").ask("get 1"),
    "link": lambda at: "#2" in at.say("#link 2").ask("get 1"),
    "split": _split,
    "cc": lambda at: "Pull the plug." in at.say(f"#cc {CARA}\r\n\r\nPull the plug.").got(CARA),
    "for": _for,
    "requester": _requester,
    "alias": _alias,
    "next": lambda at: "It does not work." in at.ask("next"),
    "pass": _pass,
    "mine": lambda at: "No paper" in at.say("#take", at.other).ask("mine"),
    "list": lambda at: "Printer on fire" in at.ask("list new"),
    "search": lambda at: "No paper" in at.ask("search paper"),
    "get": lambda at: "It does not work." in at.ask("get 2"),
    "why": lambda at: "wrote\n" in at.ask("why 1"),
    "release": lambda at: "Printer on fire" not in (at.say("#take").ask("release 1"), at.ask("mine"))[1],
    "away": _away,
    "back": _back,
    "undo": _undo,
    "report": lambda at: "2" in at.ask("report today"),
    "help": lambda at: "#postpone tomorrow 9:00" in at.ask("help"),
}


@pytest.fixture
def scene(sqlite_database: Database, clock: FakeClock, tmp_path: Path) -> Scene:
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "greeting.txt").write_text("Hello {{ name }},\n")
    return Scene(Desk(sqlite_database, clock, CONFIG.replace("[maild]\n", f'[maild]\ntemplates = "{tmp_path}"\n', 1)))


def test_every_word_has_an_effect_here() -> None:
    assert set(EFFECTS) == set(WORDS)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_does_what_it_says_from_mail_to_mail(scene: Scene, word: str) -> None:
    if word not in AVAILABLE | ANSWERED:
        scene.say(f"{WORDS[word].example}\r\n\r\nPull the plug.")
        assert "not available" in scene.got(ANNA)  # it comes back, and nobody gets the answer
        assert scene.got(ADA) == ""
        return

    assert EFFECTS[word](scene)


@pytest.mark.parametrize("sender", [ADA, "mallory@evil.example"])
def test_no_word_that_is_no_agents_does_anything(scene: Scene, sender: str) -> None:
    before = scene.desk.ticket(1), scene.desk.history(1)

    for word in WORDS.values():
        scene.desk.clock.advance(minutes=20)  # else it is a flood, which goes to one ticket
        scene.desk.mail(sender, "Hello", f"{word.example}\r\n", to=SUPPORT, proven=True)
        assert word.example in scene.got(ANNA)  # a customer may write what he likes

    assert (scene.desk.ticket(1), scene.desk.history(1)) == before
