"""A connection to the listener: the gate, the bounds of time, the loop over commands, and the ends.

What happens to a session, by what it is doing:

                     silence        a stop                the client vanishes
  between commands   421, closed    421, closed           closed
  inside DATA        421, closed    goes on, then 421     the mail is not ours; nothing is kept
  during the commit  goes on        goes on, then 421     the mail is stored; sent again it is the same row

`session.Session` adds what the commands mean.

This module and that one know insides of aiosmtpd 1.4 (`_reader`, `_writer`, `_getaddr`, `_tls_protocol`,
`_original_transport`, `_handle_client`, `_handler_coroutine`, `_timeout_handle`, `_reset_timeout`, `_timeout_cb`,
`_set_rset_state`, `_set_post_data_state`); the tests of the wire would notice if one of them changed.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from maild.inbox import Incoming, Stored
from maild.services.smtp_listener.answers import Answers
from maild.services.smtp_listener.gate import Gate, Limits
from maild.services.smtp_listener.login import Logins

log = structlog.get_logger(__name__)

COMMAND_BYTES: Final = 2_048  # RFC 5321 4.5.3.1.4 asks for 512, and extensions add to it
STREAM_BYTES: Final = 64 << 10  # read of a client at a time; when twice that waits for us, it must wait
CLOSING_S: Final = 2.0  # for the last words to a client that does not listen

TROUBLE: Final = "451 4.3.0 Trouble on our side, please try again later"
TROUBLE_AND_END: Final = "421 4.3.0 Trouble on our side, please try again later"
STOPPING: Final = "421 4.3.2 The service is shutting down, please try again later"

COMMANDS: Final = frozenset(
    ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "HELP", "STARTTLS", "AUTH")
)
LMTP_COMMANDS: Final = COMMANDS - {"EHLO", "HELO", "AUTH"} | {"LHLO"}  # RFC 2033 4.1

_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3} ")
# RFC 2034: what the replies of aiosmtpd lack, by their codes.
_ENHANCED_OF: Final = {
    "220": "2.0.0",
    "221": "2.0.0",
    "250": "2.0.0",
    "454": "4.7.0",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "553": "5.1.3",
    "555": "5.5.4",
}


class Gone(Exception):  # noqa: N818 - nobody's fault
    """The session is over; there is nobody to answer."""


@dataclass(slots=True)
class Reception:
    """What all sessions of a listener share."""

    submit: Callable[[Incoming], Future[Stored]]
    accepts: Callable[[str], bool]
    clock: Callable[[], datetime]
    hostname: str
    lmtp: bool
    limits: Limits
    gate: Gate
    answers: Answers
    tls: ssl.SSLContext | None
    spool_directory: Path | None
    logins: Logins | None = None
    stopping: bool = False
    sessions: "set[Connection]" = field(default_factory=set)


class Connection(SMTP):
    """A client's connection, from the gate to the last reply."""

    line_length_limit = STREAM_BYTES  # the class's name for it; lines may be of any length

    def __init__(self, reception: Reception, hooks: object, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            hooks,
            data_size_limit=None,  # the sizes are judged here
            enable_SMTPUTF8=True,
            hostname=reception.hostname,
            ident="maild",
            tls_context=reception.tls,
            loop=loop,
        )
        self._reception = reception
        self._limits = reception.limits
        self.peer = ""  # an address, "" for a socket of the file system
        self._turned_away = False
        self._over = False  # the last words are said
        self._ended = asyncio.Event()  # for whoever waits inside the session
        self._receiving = False  # between 354 and the end of the mail
        self._busy = False  # between 354 and the reply to the mail
        self._listening = False  # the next line is a command
        self._mails = 0
        self._errors = 0
        self._began_s = loop.time()
        self._heard_s = self._began_s
        self._window_s = self._began_s  # of the rate of DATA
        self._window_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or turn it away; called again when TLS has begun."""
        if self.transport is not None:
            super().connection_made(transport)
            return
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        refusal = STOPPING if self._reception.stopping else self._reception.gate.enter(self.peer, self.loop.time())
        if refusal is not None:
            log.warning("client turned away", peer=self.peer, reply=refusal)
            self._turned_away = True
            _say_and_close(transport, refusal)
            return
        self._reception.sessions.add(self)
        # asyncio would read 256 KiB of each client at a time: with many floods at once the others would wait long.
        transport.max_size = STREAM_BYTES  # type: ignore[attr-defined]  # of asyncio's own sockets
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the client; a mail that is being stored is stored all the same."""
        if self not in self._reception.sessions:  # turned away, or known already
            return
        self._reception.sessions.discard(self)
        self._reception.gate.leave(self.peer)
        if self._errors or not self._mails:  # what came of a good session, the inbox has told
            log.info("session ended", peer=self.peer, mails=self._mails, errors=self._errors)
        self._over = True
        self._ended.set()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; plain commands that were waited for are answered without waking the session."""
        transport = cast("asyncio.WriteTransport", self.transport)
        # A client that does not read its replies is served the long way, which waits for it.
        if self._listening and not self._reader._buffer and not transport.get_write_buffer_size():  # type: ignore[attr-defined]  # noqa: SLF001 - see above
            data = self.obey_at_once(data)
        if data:
            super().data_received(data)

    def obey_at_once(self, data: bytes) -> bytes:
        """Answer the commands at the beginning of `data` that need no waiting; return the rest."""
        return data

    def eof_received(self) -> bool | None:
        """Go on answering what the client sent before it closed its side."""
        if self._turned_away or self.session is None or self.session.ssl is not None:
            return False
        return asyncio.StreamReaderProtocol.eof_received(self)  # aiosmtpd's own would end the session here

    def _reset_timeout(self, duration: float | None = None) -> None:  # noqa: ARG002 - aiosmtpd's signature
        self._heard_s = self.loop.time()
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_later(self._until_next_look(), self._timeout_cb)

    def _until_next_look(self) -> float:
        limits = self._limits
        return min(limits.data_window_s, limits.command_s, limits.crowded_command_s, limits.session_s)

    def _timeout_cb(self) -> None:
        """Look whether the client takes too long; one timer does for all the bounds, and none is set for a command."""
        reply = self._too_long(self.loop.time())
        if reply is None:
            self._timeout_handle = self.loop.call_later(self._until_next_look(), self._timeout_cb)
            return
        log.warning("session cut", peer=self.peer, reply=reply)
        self.end(reply)

    def _too_long(self, now_s: float) -> str | None:
        limits = self._limits
        if self._busy and not self._receiving:
            return None  # the client waits for us
        quiet_s = limits.crowded_command_s if self._reception.gate.crowded else limits.command_s
        if now_s - self._heard_s >= quiet_s:
            return "421 4.4.2 Nothing was heard of you for too long"
        if now_s - self._began_s >= limits.session_s:
            return "421 4.4.2 The session takes too long"
        if self._receiving and now_s - self._window_s >= limits.data_window_s:
            if self._window_bytes < limits.data_rate_bytes_s * (now_s - self._window_s):
                return "421 4.4.2 The mail comes too slowly"
            self._window_s, self._window_bytes = now_s, 0
        return None

    def end(self, reply: str) -> None:
        """Say `reply`, the last word, and close."""
        if self._over or self.transport is None:
            return
        self._over = True
        self._ended.set()
        _say_and_close(self.transport, reply)
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_later(CLOSING_S, self.abort)

    def abort(self) -> None:
        """Close without a word, and without waiting for what the client has not read."""
        self._over = True
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()

    def _close(self) -> None:
        if self.transport is not None and not self._over:
            self._over = True
            self.transport.close()

    def stop(self) -> None:
        """End the session now, or after the mail that it is in."""
        if not self._busy:
            self.end(STOPPING)

    async def _handle_client(self) -> None:
        try:
            await self._say(f"220 {self.hostname} {'LMTP' if self._reception.lmtp else 'ESMTP'} maild")
            while not self._over:
                self._listening = True
                line = await self._reader.readuntil(b"\n")
                self._listening = False
                await self._obey(line)
        except (Gone, ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone: there is nobody to tell
        except asyncio.LimitOverrunError:
            self.end("421 4.5.2 That line has no end")
        except TLSSetupException as error:
            log.info("no TLS came about", peer=self.peer, reason=str(error.__cause__))
            self._close()
            self.connection_lost(error)  # asyncio tells only protocols whose handshake went well
        finally:
            self._close()

    async def _obey(self, line: bytes) -> None:
        if len(line) > COMMAND_BYTES:
            await self.push("500 5.5.2 The line is too long")
            return
        verb, _, rest = line.rstrip(b"\r\n").partition(b" ")
        name = verb.decode("ascii", errors="replace").upper()
        if name not in (LMTP_COMMANDS if self._reception.lmtp else COMMANDS):
            await self.push("500 5.5.2 The command is not known here")
            return
        self._heard_s = self.loop.time()
        argument = rest.strip().decode("utf-8", errors="surrogateescape") or None
        try:
            await getattr(self, f"smtp_{name}")(argument)
        except (Gone, ConnectionError, asyncio.IncompleteReadError, TLSSetupException):
            raise
        except Exception:  # our own fault, whatever it is, must not cost the client its mail
            log.exception("command failed", peer=self.peer, command=name)
            if self._receiving:  # the rest of a mail would be taken for commands
                self.end(
                    STOPPING if self._reception.stopping else "421 4.3.0 Trouble on our side, please try again later"
                )
                return
            await self.push(TROUBLE)

    async def push(self, status: Any) -> None:
        """Send a reply; the one error too many ends the session."""
        reply: str = status
        enhanced = _ENHANCED_OF.get(reply[:3])
        if enhanced is not None and not _ENHANCED.match(reply, 4):
            reply = f"{reply[:4]}{enhanced} {reply[4:]}"
        await self._say(reply)
        self.count_error(reply)

    def count_error(self, reply: str) -> None:
        """Count `reply` if it is an error."""
        if reply.startswith("5"):
            self._errors += 1
            if self._errors >= self._limits.errors:
                log.warning("session cut", peer=self.peer, reply=reply, errors=self._errors)
                self.end("421 4.7.0 Too many errors")

    async def _say(self, reply: str) -> None:
        if self._over:
            raise Gone
        self._writer.write(reply.encode("utf-8", errors="replace") + b"\r\n")
        await self._writer.drain()

    async def handle_exception(self, error: Exception) -> str:
        """Answer for aiosmtpd; our own loop over commands does not let it come to that."""
        log.error("session failed", peer=self.peer, exc_info=error)
        return TROUBLE


def _say_and_close(transport: asyncio.BaseTransport, reply: str) -> None:
    connected = cast("asyncio.WriteTransport", transport)
    connected.write(reply.encode() + b"\r\n")
    connected.close()
