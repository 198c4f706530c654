"""Reading what is new in a mail, and what kind it is, takes time in proportion to its size, hostile ones included."""

import gc
import time
from collections.abc import Callable

import pytest

from maild.message import bounce, classify, language, reply
from maild.message.parse import Message, parse

SIZE = 25_000  # bytes; and twice that
SLACK_S = 0.03  # below this a clock tells nothing

TEXTS = [
    "On On ",
    "> a\n",
    ">",
    "a b c:\n",
    "On 12/12/2024 10:30, <a@b.c> wrote:\n",
    "a@",
    "a.b.c.",
    "-",
    "-- \nx\n",
    "From: a\nSent: b\n",
    "From: x <a@b.c>\n",
    " ",
    "12:30 2024 ",
    "_" * 50 + "\n",
    "Sent from my \n",
    "This message is confidential\n\n",
    " wrote:",
    "x On Mon, wrote:\n",
    " On Mon, Jan wrote: ",
    "\n",
    "Message-ID:\n",
    "550 5.1.1 a@b.c\n",
    "ü:\n",
    "\t",
    "<",
    "<a@b ",
    "Final-Recipient: rfc822; a@b.c\nAction: failed\n",
    "> a\nb\n",
    "Original Message\n",
    "x <\n",
    "---- Forwarded message\n",
    "(http://",
    "> (http://a\nb)\n",
    "copy of the message ",
    "##- -##\n",
    "*",
    "a---- b ",
    "a ---- Original Message ----b\n",
    "out of office ",
    "P.S.\n",
    "From:\n\n",
    "a:",
    "the und que ",
    "5.1.",
    "a@b.c 550\n",
]
HTML = [
    "<div>",
    "<blockquote>",
    "<blockquote type=cite>x",
    "<br>",
    "<p>x</p>",
    '<div class="gmail_quote">a</div>b',
    "<b>",
    '<div style="border-top:solid #E1E1E1 1.0pt"><b>a</b><b>a</b><b>a</b>@',
    '<a href="http://x.example">x</a><br>',
    '<div class="gmail_signature">x</div>',
    "<ul><li>x",
    "<table><tr><td>x",
    '<div style="border-top:solid 1pt">',
    "x<hr>",
]


def mail(body: str, kind: str) -> Message:
    head = (
        "From: MAILER-DAEMON@x.example\nSubject: Re: Undelivered mail\nReturn-Path: <>\nIn-Reply-To: <1@x.example>\n"
        f"Content-Type: text/{kind}; charset=utf-8\n\n"
    )
    message = parse((head + body).encode())
    assert message.text is not None
    return message


def spent_s(body: str, kind: str, work: Callable[[Message], object]) -> float:
    best = 1e9
    for _ in range(2):
        message = mail(body, kind)
        gc.disable()  # else a collection of other tests' litter falls into one of the two
        try:
            begun = time.process_time()
            work(message)
            best = min(best, time.process_time() - begun)
        finally:
            gc.enable()
    return best


def everything(message: Message) -> object:
    return (
        reply.new_text(message),
        reply.new_text(message, [message.text[:20_000]]),
        classify.classify(message, ""),
        bounce.read(message),
        language.detect(message, message.text, ["en", "de"]),
    )


@pytest.mark.parametrize(("unit", "kind"), [(one, "plain") for one in TEXTS] + [(one, "html") for one in HTML])
def test_twice_the_mail_takes_no_more_than_twice_the_time(unit: str, kind: str) -> None:
    once = spent_s(unit * (SIZE // len(unit)), kind, everything)
    twice = spent_s(unit * (2 * SIZE // len(unit)), kind, everything)

    assert twice <= 2.5 * once + SLACK_S
