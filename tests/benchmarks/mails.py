"""The mails of the benchmarks beside those of `smtp_load`: proven senders, and HTML as mail programs write it."""

import random
from binascii import b2a_qp

from tests.benchmarks import smtp_load
from tests.benchmarks.servers import HOST

KINDS = {"4 KB text": 4_096, "40 KB HTML": 40_960, "40 KB file": 40_960, "5 MB file": 5 << 20}


def mail(kind: str, number: int) -> bytes:
    """Return mail `number` of a kind of KINDS, as our own MX passes it on: the sender's domain is proven."""
    size_bytes = KINDS[kind]
    proof = f"Authentication-Results: {HOST}; dmarc=pass header.from=customer{number % 97}.example\r\n".encode()
    return proof + (_html(size_bytes, number) if kind.endswith("HTML") else smtp_load.mail(size_bytes, number))


def _html(size_bytes: int, number: int) -> bytes:
    """Return a mail of about `size_bytes` in plain text and HTML, both quoted-printable."""
    head, _, prose = smtp_load.mail(4_096, number).partition(b"\r\n\r\n")
    chance, words = random.Random(number), prose.decode().split()
    paragraphs = [" ".join(chance.choices(words, k=60)) for _ in range(size_bytes // 630)]
    plain = "\n\n".join(paragraphs[: len(paragraphs) // 3])
    html = "\n".join(
        '<p class="MsoNormal" style="margin:0cm;font-size:11pt;font-family:Calibri,sans-serif">'
        f'<span lang="EN-US" style="color:#1F497D">{each}</span></p>'
        for each in paragraphs
    )
    html = f"<html><head><style>p.MsoNormal{{margin:0cm}}</style></head><body>\n{html}\n</body></html>"
    parts = b"".join(
        f"--b{number}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + b2a_qp(text.encode()).replace(b"\n", b"\r\n")
        + b"\r\n"
        for subtype, text in (("plain", plain), ("html", html))
    )
    start = f'\r\nContent-Type: multipart/alternative; boundary="b{number}"\r\n\r\n'.encode()
    return head + start + parts + f"--b{number}--\r\n".encode()
