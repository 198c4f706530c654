"""Sends mails over SMTP as fast as they are taken: so many connections, each mail after the reply to the one before."""

import asyncio
import random
import time
from base64 import encodebytes
from dataclasses import dataclass, field
from statistics import quantiles

MAILS_A_CONNECTION = 20

_PROSE = (
    "the printer on the second floor burns again",
    "nobody who wrote to us before has answered our question",
    "about paper, toner, drivers, invoices or the door",
    "that does not open since Monday",
    "thank you for your help with this",
)


def mail(size_bytes: int, number: int) -> bytes:
    """Return a mail of about `size_bytes` that no other number gives: headers as relays leave them, prose, a file."""
    chance = random.Random(number)
    signature = encodebytes(chance.randbytes(256)).decode().replace("\n", "\r\n\t").strip()
    head = (
        f"Received: from mx.customer{number % 97}.example (mx.customer.example [192.0.2.{number % 250}])\r\n"
        f"\tby relay.example.net (Postfix) with ESMTPS id {chance.getrandbits(40):010X}\r\n"
        "\tfor <support@acme.example>; Mon, 02 Mar 2026 10:00:00 +0000 (UTC)\r\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=s1;\r\n\tb={signature}\r\n"
        f"From: Person {number} <person{number}@customer{number % 97}.example>\r\n"
        f"To: support@acme.example\r\nSubject: Question {number}\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}.{chance.getrandbits(64):x}@customer.example>\r\nMIME-Version: 1.0\r\n"
    )
    if size_bytes <= 8_192:
        return (head + "\r\n" + _prose(chance, size_bytes - len(head))).encode()
    prose = _prose(chance, 3_000)
    file = encodebytes(chance.randbytes((size_bytes - len(head) - len(prose)) * 57 // 78))
    return (
        f'{head}Content-Type: multipart/mixed; boundary="b{number}"\r\n\r\n'
        f"--b{number}\r\nContent-Type: text/plain\r\n\r\n{prose}"
        f"--b{number}\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + (file.replace(b"\n", b"\r\n") + f"--b{number}--\r\n".encode())


def _prose(chance: random.Random, size_bytes: int) -> str:
    lines = []
    while size_bytes > 0:
        lines.append(" ".join(chance.choices(_PROSE, k=2)))
        size_bytes -= len(lines[-1]) + 2
    return "\r\n".join([*lines, ""])


@dataclass
class Load:
    """What came of it."""

    mails: int
    took_s: float
    waits_s: list[float] = field(repr=False)  # from MAIL to the 250 of each mail

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.mails / self.took_s

    def wait_ms(self, percent: int) -> float:
        """The wait that `percent` of the mails did not exceed, in milliseconds."""
        return quantiles(self.waits_s, n=100)[percent - 1] * 1e3


class _Client(asyncio.Protocol):
    """One connection: each reply leads to the next command."""

    def __init__(self, queue: list[bytes], waits_s: list[float], over: asyncio.Future[None]) -> None:
        self._queue = queue
        self._waits_s = waits_s
        self._over = over
        self._held = b""
        self._step = self._hello
        self._left = MAILS_A_CONNECTION
        self._began_s = 0.0
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\n")) >= 0:
            line, self._held = self._held[:end], self._held[end + 1 :]
            if line[3:4] == b"-":
                continue
            if line[:1] not in b"23":
                raise RuntimeError(f"the server said {line!r}")
            self._step()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _then(self, command: bytes, step: "object") -> None:
        self._transport.write(command)
        self._step = step  # type: ignore[assignment]  # a method of this class

    def _hello(self) -> None:
        self._then(b"EHLO client.example\r\n", self._mail)

    def _mail(self) -> None:
        if not self._left or not self._queue:
            self._then(b"QUIT\r\n", self._bye)
            return
        self._left -= 1
        self._body = self._queue.pop()
        self._began_s = time.perf_counter()
        self._then(b"MAIL FROM:<ada.lovelace@customer.example>\r\n", self._rcpt)

    def _rcpt(self) -> None:
        self._then(b"RCPT TO:<support@acme.example>\r\n", self._data)

    def _data(self) -> None:
        self._then(b"DATA\r\n", self._dot)

    def _dot(self) -> None:
        self._then(self._body, self._stored)

    def _stored(self) -> None:
        self._waits_s.append(time.perf_counter() - self._began_s)
        self._mail()

    def _bye(self) -> None:
        self._transport.close()


def send(address: tuple[str, int], mails: list[bytes], connections: int) -> Load:
    """Send `mails` over so many connections at a time and return what came of it."""
    queue = [raw.replace(b"\r\n.", b"\r\n..") + b".\r\n" for raw in reversed(mails)]
    waits_s: list[float] = []

    async def one_after_another() -> None:
        loop = asyncio.get_running_loop()
        while queue:
            over = loop.create_future()
            await loop.create_connection(lambda: _Client(queue, waits_s, over), *address)  # noqa: B023 - made at once
            await over

    async def all_of_them() -> float:
        began_s = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(connections)))
        return time.perf_counter() - began_s

    took_s = asyncio.run(all_of_them())
    if len(waits_s) != len(mails):
        raise RuntimeError(f"{len(mails)} mails sent, {len(waits_s)} taken")
    return Load(len(mails), took_s, waits_s)
