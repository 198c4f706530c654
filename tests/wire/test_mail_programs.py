"""Agents and customers write with the programs of the world, over a real line: what the other side gets.

Each mail goes by SMTP through a daemon of its own process to a smarthost that keeps it.
"""

import re
import smtplib
import threading
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from sqlalchemy import select

from maild.rules.state import Status
from maild.store.models import TicketRow
from tests.system.daemon import DaemonProcess
from tests.wire.mail_programs import PDF, PNG, PROGRAMS, Program, Writing
from tests.wire.sink import Mail, Sink, sink

ANNA = "Anna Ames <anna@acme.example>"
SUPPORT = "support@acme.example"
SIGNED = "Anna Ames, second floor"
WAIT_S = 20.0
NEVER = re.compile(
    r"\+t\d+\.[and]|[+]h\d+\.|anna@acme|bert@acme|mailto:|#resolve|Assigned to|Internal note|unproven|nothing proves"
    r"|Original message|wrote:|From:",
    re.IGNORECASE,
)
INLINE = [name for name in PROGRAMS if "plain" not in name]


class Line:
    """The line to a desk, and where its mails come out."""

    def __init__(self, daemon: DaemonProcess, smarthost: Sink) -> None:
        self.daemon = daemon
        self.smarthost = smarthost

    def send(self, mail: EmailMessage | bytes, sender: str, recipient: str) -> None:
        raw = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP)
        with smtplib.SMTP("127.0.0.1", self.daemon.port, timeout=WAIT_S) as smtp:
            smtp.sendmail(sender, [recipient], raw)

    def got(self, recipient: str, number: int, about: str = "") -> EmailMessage:
        """Return the mail with that number, from 1, that came for somebody about something; wait for it."""
        until_s, pause = time.monotonic() + WAIT_S, threading.Event()
        while time.monotonic() < until_s:
            found = [mail for mail in self.smarthost.to(recipient) if about in _subject(mail)]
            if len(found) >= number:
                return message_from_bytes(found[number - 1].raw, policy=SMTP)
            pause.wait(0.02)
        log = "\n".join(self.daemon.lines[-15:])
        raise AssertionError(f"{recipient} got no mail {number} about {about!r}:\n{log}")


def _subject(mail: Mail) -> str:
    return str(message_from_bytes(mail.raw, policy=SMTP)["Subject"])


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("desk")
    with sink() as smarthost:
        daemon = DaemonProcess(folder, f"sqlite:///{folder}/maild.db", relay_port=smarthost.port)
        daemon.start()
        try:
            yield Line(daemon, smarthost)
        finally:
            daemon.close()


@pytest.fixture
def case(line: Line, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A customer of his own, and a subject by which his mails are told from others."""
    number = abs(hash(request.node.name)) % 10**9
    return f"ada{number}@customer.example", f"Printer {number} on fire"


def ask(line: Line, ada: str, subject: str) -> EmailMessage:
    """Let Ada ask; return Anna's notification."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = f"Ada Lovelace <{ada}>", SUPPORT, subject
    mail["Message-ID"] = f"<first-{ada}>"
    mail.set_content("It burns.\n\nAda\n")
    line.send(mail, ada, SUPPORT)
    return line.got("anna@acme.example", 1, subject)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return "" if body is None else body.get_content().replace("\r\n", "\n")


def markup_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    return "" if body is None else body.get_content()


def reference_cut(text: str) -> str:
    """The text without the line by which we find the ticket, which is meant to be there."""
    return re.sub(r"Ref: t\d+\.x0\.\w+", "", text)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_customer_gets_what_his_agent_wrote_and_nothing_else(line: Line, case: tuple[str, str], name: str) -> None:
    ada, subject = case
    told = ask(line, ada, subject)

    reply = PROGRAMS[name](Writing(ANNA, told, file=True, picture=name in INLINE))
    line.send(reply, "anna@acme.example", str(reply["To"]))
    got = line.got(ada, 2)

    assert str(got["From"]) == '"Anna (Support)" <support@acme.example>'
    assert str(got["To"]) == f"Ada Lovelace <{ada}>"
    assert str(got["Subject"]) == f"Re: {subject}"
    assert f"<first-{ada}>" in str(got["References"])
    assert str(got["In-Reply-To"]) in (f"<first-{ada}>", str(line.got(ada, 1)["Message-ID"]))
    assert re.match(r"support\+t\d+\.c\d+\.", str(got["Reply-To"]))
    assert got["Auto-Submitted"] is None
    text = reference_cut(text_of(got))
    assert re.sub(r"\s*(\[?(cid:[^\]]*|image: ?)?image001[^\]]*\]?|\[cid:[^\]]*\]|￼)", "", text).split() == (
        ["Please", "pull", "the", "plug.", "Then", "wait", "a", "minute."]
    )
    markup = markup_of(got)
    for part in (text, reference_cut(markup)):
        assert not NEVER.search(part), NEVER.search(part)
    assert not re.search(r"<blockquote|<hr|#e1e1e1|border-left:1px solid rgb", markup, re.IGNORECASE)  # empty frames
    if name in INLINE:
        assert re.search(r"<(b|strong)[^>]*>a minute</\1>", markup)
        [shown] = re.findall(r'src="cid:([^"]+)"', markup)
        pictures = [part for part in got.walk() if str(part["Content-ID"]) == f"<{shown}>"]
        assert [part.get_content() for part in pictures] == [PNG]
    files = [part for part in got.iter_attachments() if part.get_content_type() == "application/pdf"]
    assert [(part.get_filename(), part.get_content()) for part in files] == [("Anleitung für Drucker.pdf", PDF)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_words_on_top_are_done_and_seen_by_no_customer(line: Line, case: tuple[str, str], name: str) -> None:
    ada, subject = case
    told = ask(line, ada, subject)

    reply = PROGRAMS[name](Writing(ANNA, told, words=("#priority high", "#resolve")))
    line.send(reply, "anna@acme.example", str(reply["To"]))
    got = line.got(ada, 2)

    assert reference_cut(text_of(got)).split() == ["Please", "pull", "the", "plug.", "Then", "wait", "a", "minute."]
    for part in (text_of(got), markup_of(got)):
        assert "#" not in re.sub(r"&#\d+;|#[0-9a-f]{6}|#[0-9a-f]{3}\b", "", part)
    with line.daemon.database().read() as connection:
        row = connection.execute(select(TicketRow.status, TicketRow.priority).where(TicketRow.subject == subject)).one()
    assert row == (Status.RESOLVED, "high")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_signature_is_no_part_of_what_is_said_in_text(line: Line, case: tuple[str, str], name: str) -> None:
    ada, subject = case
    told = ask(line, ada, subject)

    reply = PROGRAMS[name](Writing(ANNA, told, signed=SIGNED))
    line.send(reply, "anna@acme.example", str(reply["To"]))
    got = line.got(ada, 2)

    text = reference_cut(text_of(got)).replace(SIGNED, "")
    assert text.split() == ["Please", "pull", "the", "plug.", "Then", "wait", "a", "minute."]
    for part in (text_of(got), reference_cut(markup_of(got))):
        assert not NEVER.search(part), NEVER.search(part)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_agent_reads_what_his_customer_wrote_this_time(line: Line, case: tuple[str, str], name: str) -> None:
    ada, subject = case
    told = ask(line, ada, subject)
    reply = PROGRAMS["Gmail"](Writing(ANNA, told, says=("Have you tried another socket?",)))
    line.send(reply, "anna@acme.example", str(reply["To"]))
    got = line.got(ada, 2)

    says = ("Yes, three of them.", "It still burns for a minute.")
    answer = PROGRAMS[name](Writing(f"Ada Lovelace <{ada}>", got, says=says, file=True, picture=name in INLINE))
    line.send(answer, ada, str(answer["To"]))
    told = line.got("anna@acme.example", 2, subject)

    news = text_of(told)
    assert "Yes, three of them." in news
    before, _, older = news.partition("A reply to this message answers the customer.")
    assert "another socket" not in before  # it is shown below, once
    assert older.count("another socket") == 1
    assert news.count("Yes, three of them.") == 1
    assert [part.get_content() for part in told.iter_attachments() if part.get_content_type() == "application/pdf"] == [
        PDF
    ]
    if name in INLINE:
        [shown] = set(re.findall(r'src="cid:([^"]+)"', markup_of(told)))
        assert [part.get_content() for part in told.walk() if str(part["Content-ID"]) == f"<{shown}>"] == [PNG]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_long_conversation_stays_one_and_each_mail_says_only_what_is_new(
    line: Line, case: tuple[str, str], name: str
) -> None:
    ada, subject = case
    program: Program = PROGRAMS[name]
    told = ask(line, ada, subject)
    for turn in range(1, 4):
        reply = program(Writing(ANNA, told, says=(f"Answer {turn} of Anna.",), bold="Anna"))
        line.send(reply, "anna@acme.example", str(reply["To"]))
        got = line.got(ada, turn + 1)
        assert reference_cut(text_of(got)).split() == f"Answer {turn} of Anna.".split()
        for other in range(1, turn):
            assert f"Answer {other} of" not in markup_of(got)
        answer = program(Writing(f"Ada <{ada}>", got, says=(f"Question {turn} of Ada.",), bold="Ada"))
        line.send(answer, ada, str(answer["To"]))
        told = line.got("anna@acme.example", turn + 1, subject)

    with line.daemon.database().read() as connection:
        tickets = connection.scalars(select(TicketRow.id).where(TicketRow.subject == subject)).all()
    assert len(tickets) == 1
