"""What reading a mail costs, as a ratio to the standard library's `policy.default` reading the same mails.

    python -m tests.benchmarks.parse

Columns: `parse` reads headers, text and attachments; `all` adds class and new text, which is what the filer asks of
each mail. Goals: both <= 0.25 at 4 KB and 40 KB, <= 0.05 at 5 MB. Then the growth of hostile mails from half a megabyte
to one: 2 is linear. CPU time, the least of several interleaved rounds. Exits with 1 if a goal is missed.
"""

import base64
import email.policy
import gc
import random
import sys
import time
from collections.abc import Callable
from email.parser import BytesParser

from maild.message.classify import classify
from maild.message.parse import Message, parse
from maild.message.reply import new_text
from tests.unit.hostile import MAILS
from tests.unit.reading import read_all

ROUNDS = 7
GOALS = {"4 KB": 0.25, "40 KB": 0.25, "5 MB": 0.05}
HOSTILE_BYTES = 1_000_000
HOSTILE_GOAL_S = 2.0
HEADERS = (
    "subject",
    "from",
    "to",
    "cc",
    "reply-to",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "auto-submitted",
)
WORDS = tuple(f"word{number}" for number in range(16))


def mail(number: int, text_bytes: int, attachment_bytes: int, rich: bool) -> bytes:
    """Return an ordinary mail: relays, a signature of the domain, text, HTML and a file where asked for."""
    chance = random.Random(number)
    hops = "".join(
        f"Received: from mx{hop}.customer.example (mx{hop}.customer.example [192.0.2.{hop}])\r\n"
        f"\tby relay{hop}.example with ESMTPS id {number:08X}\r\n"
        f"\tfor <support@desk.example>; Thu, 19 Nov 2026 10:0{hop}:00 +0000 (UTC)\r\n"
        for hop in range(3)
    )
    seal = "\r\n\t".join(base64.b64encode(chance.randbytes(45)).decode() for _ in range(6))
    head = (
        f"{hops}DKIM-Signature: v=1; a=rsa-sha256; d=customer.example; s=a;\r\n\th=from:to:subject; b={seal}\r\n"
        f'From: "J=?utf-8?Q?=C3=BC?=rgen {number}" <user{number}@customer.example>\r\nTo: <support@desk.example>\r\n'
        f"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_{number}?=\r\nDate: Thu, 19 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}@customer.example>\r\nIn-Reply-To: <a{number}@desk.example>\r\n"
        f"References: <b{number}@desk.example>\r\n <a{number}@desk.example>\r\nMIME-Version: 1.0\r\n"
    )
    lines = [" ".join(chance.choices(WORDS, k=12)) for _ in range(max(4, text_bytes // 65))]
    lines[len(lines) // 2 : len(lines) // 2] = ["", "On Wed, 18 Nov 2026 at 09:00, Support wrote:"]
    text = "\r\n".join(line if index < len(lines) // 2 + 2 else "> " + line for index, line in enumerate(lines))
    plain = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n"
    if not rich:
        return (head + plain).encode()
    html = "".join(f"<div>{line}</div>\r\n" for line in lines)
    forms = (
        f"Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n{plain}\r\n--in\r\n"
        f"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>{html}</body></html>\r\n--in--\r\n"
    )
    if not attachment_bytes:
        return (head + forms).encode()
    file = base64.encodebytes(chance.randbytes(attachment_bytes)).replace(b"\n", b"\r\n")
    return (
        f"{head}Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n{forms}\r\n--out\r\n"
        'Content-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + file + b"--out--\r\n"  # fmt: skip


def standard(raw: bytes) -> None:
    """Read a mail with `policy.default`: headers, texts and files."""
    message = BytesParser(policy=email.policy.default).parsebytes(raw)
    for name in HEADERS:
        str(message[name] or "")
    for part in message.walk():
        if part.is_multipart():
            continue
        if part.get_content_maintype() == "text" and not part.get_filename():
            part.get_content()
        else:
            part.get_filename()
            part.get_payload(decode=True)


def ours(raw: bytes) -> Message:
    """Read a mail: headers, text and files."""
    message = parse(raw)
    _ = (message.subject, message.from_, message.to, message.cc, message.reply_to, message.date, message.message_id)
    _ = (message.in_reply_to, message.references, message.header("auto-submitted"), message.text)
    _ = [one.name for one in message.attachments]
    return message


def everything(raw: bytes) -> None:
    """Read a mail, and ask for its class and its new text."""
    message = ours(raw)
    classify(message, None)
    _ = new_text(message).text


def cost_s(work: Callable[[bytes], object], mails: list[bytes]) -> float:
    """Return the CPU time that `work` takes for one of `mails`."""
    start = time.process_time()
    for raw in mails:
        work(raw)
    return (time.process_time() - start) / len(mails)


def best_s(works: list[Callable[[bytes], object]], mails: list[bytes], rounds: int = ROUNDS) -> list[float]:
    """Return the least CPU time of each of `works`, measured in turns."""
    for work in works:
        work(mails[0])  # imports and caches
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        best = [min(least, cost_s(work, mails)) for least, work in zip(best, works, strict=True)]
    return best


def say(line: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Print the ratios; return 1 if a goal is missed."""
    sets = {
        "4 KB": [mail(number, 2_500, 0, rich=False) for number in range(100)],
        "40 KB": [mail(number, 9_000, 12_000, rich=True) for number in range(30)],
        "5 MB": [mail(number, 9_000, 3_700_000, rich=True) for number in range(2)],
    }
    gc.disable()
    missed = 0
    say(f"{'mail':8} {'bytes':>9} {'standard':>12} {'parse':>10} {'ratio':>6} {'all':>10} {'ratio':>6}")
    for name, mails in sets.items():
        reference, reading, whole = best_s([standard, ours, everything], mails)
        missed += whole / reference > GOALS[name]
        say(
            f"{name:8} {len(mails[0]):9} {reference * 1e6:9.0f} us {reading * 1e6:7.0f} us {reading / reference:6.3f}"
            f" {whole * 1e6:7.0f} us {whole / reference:6.3f}"
        )
    gc.enable()
    say(f"\n{'hostile':32} {'1 MB':>8} {'growth':>7}")
    for name, maker in MAILS.items():
        half, full = (best_s([read_all], [maker(size)], 1)[0] for size in (HOSTILE_BYTES // 2, HOSTILE_BYTES))
        if full > 0.2:
            say(f"{name:32} {full:6.2f} s {full / half:7.1f}")
        missed += full > HOSTILE_GOAL_S
    say("all others below 0.2 s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
