"""A smarthost that keeps what it gets and fails as it is told: SMTP on loopback, a thread a connection.

    with sink() as smarthost:
        smarthost.on("RCPT", "451 4.7.1 Greylisted", about="ada@", times=2)
        smarthost.on("DOT", DROP)         # the mail is kept, its sender hears nothing: it may be sent twice
        ...
        [mail] = smarthost.mails

A rule is asked at its step (CONNECT EHLO STARTTLS AUTH MAIL RCPT DATA CONTENT DOT RSET), before the sink does what it
would do by itself. DOT comes after the mail was kept, CONTENT at the first line of a mail.
"""

import base64
import contextlib
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.parts import program

DROP: Final = "drop"  # close the connection
STALL: Final = "stall"  # say nothing until the sink is closed


@dataclass(frozen=True)
class Mail:
    """What one transaction brought."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    options: str  # what stood behind MAIL FROM:<...>
    encrypted: bool
    user: str | None
    connection: int  # which one, from 1


@dataclass
class _Rule:
    step: str
    answer: str
    about: str
    left: int | None


@dataclass
class Sink:
    """A scriptable SMTP server."""

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    users: dict[str, str] = field(default_factory=dict)  # user and password; if there are any, AUTH is demanded
    tls: ssl.SSLContext | None = None
    tls_at_once: bool = False
    mails: list[Mail] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def on(self, step: str, answer: str, *, about: str = "", times: int | None = None) -> None:
        """Answer so at `step` (or DROP, or STALL) when its line contains `about`, for so many times."""
        with self._lock:
            self._rules.append(_Rule(step, answer, about, times))

    def forget(self) -> None:
        """Be a well-behaved server from now on."""
        with self._lock:
            self._rules.clear()

    def asked(self, step: str, line: str) -> str | None:
        """Return what a rule answers at this step."""
        with self._lock:
            for rule in self._rules:
                if rule.step == step and rule.about in line and rule.left != 0:
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.answer
        return None

    def to(self, recipient: str) -> list[Mail]:
        """Return what came for a recipient, in order."""
        with self._lock:
            return [mail for mail in self.mails if recipient in mail.recipients]

    def keep(self, mail: Mail) -> None:
        """Keep a mail."""
        with self._lock:
            self.mails.append(mail)


class _Gone(Exception):  # noqa: N818 - a rule says so
    """The connection ends."""


class _Session(socketserver.StreamRequestHandler):
    server: "_Server"

    def setup(self) -> None:
        self.sink = self.server.sink
        self.encrypted = False
        self.user: str | None = None
        with self.sink._lock:
            self.sink.connections += 1
            self.sink.open_connections += 1
            self.number = self.sink.connections
        if self.sink.tls_at_once:
            self.encrypt()
        super().setup()

    def encrypt(self) -> None:
        assert self.sink.tls is not None
        self.request = self.sink.tls.wrap_socket(self.request, server_side=True)
        self.encrypted = True

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()
        with self.sink._lock:
            self.sink.open_connections -= 1

    def handle(self) -> None:
        self.forget()
        with contextlib.suppress(_Gone, OSError):
            self.say("CONNECT", "", "220 sink.example ESMTP")
            while line := self.rfile.readline():
                self.command(line.decode("utf-8", "replace").rstrip("\r\n"))

    def forget(self) -> None:
        self.sender: str | None = None
        self.options = ""
        self.recipients: list[str] = []

    def write(self, answer: str) -> None:
        self.wfile.write(answer.encode() + b"\r\n")

    def say(self, step: str, line: str, usual: str) -> bool:
        """Answer a step; return whether the usual was answered."""
        answer = self.sink.asked(step, line)
        if answer == DROP:
            raise _Gone
        if answer == STALL:
            self.sink.closing.wait()
            raise _Gone
        self.write(answer or usual)
        if answer and answer.startswith("421"):
            raise _Gone
        return answer is None

    def command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        self.sink.commands.append(f"{verb.upper()} {rest}".rstrip())
        match verb.upper():
            case "EHLO":
                self.ehlo(line)
            case "STARTTLS":
                if self.say("STARTTLS", line, "220 go ahead"):
                    self.connection = self.request
                    self.encrypt()
                    socketserver.StreamRequestHandler.setup(self)
            case "AUTH":
                self.authenticate(line, rest)
            case "MAIL":
                self.mail(line, rest)
            case "RCPT":
                if self.sender is None:
                    self.write("503 5.5.1 from whom?")
                elif self.say("RCPT", line, "250 2.1.5 ok"):
                    self.recipients.append(rest.partition("<")[2].partition(">")[0])
            case "DATA":
                self.data(line)
            case "RSET":
                self.forget()
                self.say("RSET", line, "250 ok")
            case "QUIT":
                self.write("221 bye")
                raise _Gone
            case _:
                self.write("500 what?")

    def ehlo(self, line: str) -> None:
        offers = list(self.sink.extensions)
        if self.sink.tls and not self.encrypted:
            offers.append("STARTTLS")
        if self.sink.users:
            offers.append("AUTH PLAIN LOGIN")
        answer = self.sink.asked("EHLO", line)
        if answer == DROP:
            raise _Gone
        lines = ["sink.example", *offers]
        self.write(
            answer or "\r\n".join(f"250{'-' if n < len(lines) else ' '}{each}" for n, each in enumerate(lines, 1))
        )

    def authenticate(self, line: str, rest: str) -> None:
        if answer := self.sink.asked("AUTH", line):
            self.write(answer)
            return
        how, _, initial = rest.partition(" ")
        if how.upper() == "PLAIN":
            _, user, password = base64.b64decode(initial).decode().split("\0")
        else:
            user = base64.b64decode(initial).decode()
            self.write("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.rfile.readline()).decode()
        if self.sink.users.get(user) == password:
            self.user = user
            self.write("235 2.7.0 welcome")
        else:
            self.write("535 5.7.8 who are you?")

    def mail(self, line: str, rest: str) -> None:
        if self.sink.users and self.user is None:
            self.write("530 5.7.0 Authentication required")
        elif self.sender is not None:
            self.write("503 5.5.1 one mail after the other")
        elif self.say("MAIL", line, "250 2.1.0 ok"):
            self.sender = rest.partition("<")[2].partition(">")[0]
            self.options = rest.partition(">")[2].strip()

    def data(self, line: str) -> None:
        if not self.recipients:
            self.write("503 5.5.1 for whom?")
            return
        if not self.say("DATA", line, "354 go ahead"):
            return
        lines: list[bytes] = []
        while (one := self.rfile.readline()) != b".\r\n":
            if not one:
                raise _Gone
            if not lines and self.sink.asked("CONTENT", "") == DROP:
                raise _Gone
            lines.append(one.removeprefix(b"."))
        mail = Mail(
            self.sender or "",
            tuple(self.recipients),
            b"".join(lines),
            self.options,
            self.encrypted,
            self.user,
            self.number,
        )
        verdict = self.sink.asked("DOT", "")
        if verdict is None or verdict in (DROP, STALL) or verdict.startswith("2"):
            self.sink.keep(mail)
        self.forget()
        match verdict:
            case "drop":
                raise _Gone
            case "stall":
                self.sink.closing.wait()
                raise _Gone
            case _:
                self.write(verdict or f"250 2.0.0 kept as {len(self.sink.mails)}")
                if verdict and verdict.startswith("421"):
                    raise _Gone


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, kept: Sink) -> None:
        self.sink = kept
        super().__init__(("127.0.0.1", kept.port), _Session)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off, or a handshake that fails, is what some tests are about."""


@contextlib.contextmanager
def sink(port: int = 0, **settings: object) -> Iterator[Sink]:
    """Run a sink on a free port of loopback, or on `port`."""
    kept = Sink(port=port, **settings)  # type: ignore[arg-type]
    server = _Server(kept)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """Return the server's side of a new certificate for `name`, and the file of the authority that a client trusts."""
    openssl = program("openssl", "openssl")
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context, chain
