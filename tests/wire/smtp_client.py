"""A client on a raw socket, which can say what no library would."""

import socket
import ssl
from types import TracebackType
from typing import Self


class SmtpClient:
    """Speaks SMTP or LMTP to a listener on this machine; every wait ends after `patience_s`."""

    def __init__(
        self, address: tuple[str, int], *, hello: str | None = "EHLO client.example", patience_s: float = 20
    ) -> None:
        self.socket = socket.create_connection(address, timeout=patience_s)
        self._held = b""
        self.greeting = self.reply()
        self.offered = self.say(hello) if hello is not None else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, raw: bytes) -> None:
        """Put bytes on the wire."""
        self.socket.sendall(raw)

    def line(self) -> str:
        """Return the next line, "" if the server closed the connection."""
        while b"\n" not in self._held:
            try:
                more = self.socket.recv(65_536)
            except ConnectionResetError:
                more = b""
            if not more:
                return ""
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line.decode().rstrip("\r")

    def reply(self) -> str:
        """Return the next reply, its lines joined, "" if the server closed the connection."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def say(self, command: str) -> str:
        """Send a command and return its reply."""
        self.send(command.encode("utf-8", "surrogateescape") + b"\r\n")
        return self.reply()

    def envelope(self, sender: str = "ada@customer.example", *recipients: str) -> None:
        """Get as far as 354."""
        assert self.say(f"MAIL FROM:<{sender}>").startswith("250 ")
        for recipient in recipients or ("support@acme.example",):
            assert self.say(f"RCPT TO:<{recipient}>").startswith("250 ")
        assert self.say("DATA").startswith("354 ")

    def mail(self, raw: bytes, sender: str = "ada@customer.example", *recipients: str) -> str:
        """Send `raw`, whose line ends must be right, and return the reply."""
        self.envelope(sender, *recipients)
        return self.content(raw)

    def content(self, raw: bytes) -> str:
        """Send the bytes of a mail after 354 and return the reply."""
        stuffed = raw.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self.send(stuffed + b".\r\n")
        return self.reply()

    def start_tls(self, context: ssl.SSLContext, *, behind: bytes = b"", hello: str = "EHLO client.example") -> None:
        """Begin TLS; `behind` goes into the packet of the command, in the clear."""
        self.send(b"STARTTLS\r\n" + behind)
        assert self.reply().startswith("220 ")
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.offered = self.say(hello)

    def closed(self) -> bool:
        """Return whether the server closes the connection without another word."""
        return self.line() == ""
