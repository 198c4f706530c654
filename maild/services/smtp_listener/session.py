"""What the commands of a session mean: who may be written to, how much, and what becomes of the mail.

The grammar of MAIL and RCPT is aiosmtpd's. After 354 nothing that fails may lead back to reading commands, since what
follows would be a mail's text: a mail that is refused is read to its end first, and what cannot be read to its end
closes the connection. Our own trouble is 451 or 452 with a fixed text, never 5xx: the sender keeps the mail.
"""

import asyncio
import re
from contextlib import suppress
from typing import ClassVar, Final, cast

import structlog
from aiosmtpd.smtp import Envelope, TLSSetupException
from aiosmtpd.smtp import Session as Greeting

from maild import inbox
from maild.config.passwords import NoPassword
from maild.inbox import Incoming, QueueFullError, StoppedError
from maild.message.address import normalise
from maild.message.authentication import Trust, of_login
from maild.message.parse import parse
from maild.services.smtp_listener import login, trace
from maild.services.smtp_listener.connection import (
    COMMAND_BYTES,
    STOPPING,
    STREAM_BYTES,
    TROUBLE,
    TROUBLE_AND_END,
    Connection,
    Gone,
    Reception,
)
from maild.services.smtp_listener.content import Content
from maild.services.smtp_listener.gate import client_of
from maild.services.smtp_listener.spool import NO_ROOM, TOO_LARGE, Spool

log = structlog.get_logger(__name__)

ADDRESS_CHARACTERS: Final = 320  # what is stored of an address

SMUGGLING: Final = "554 5.5.2 A dot stands alone between broken line ends; that is how mail is smuggled"
LOOP: Final = "554 5.4.6 The mail has been through too many servers; it seems to go round"

# The addresses that nearly all mail has; for others aiosmtpd's parser, which costs twenty times as much.
_PLAIN_ADDRESS: Final = re.compile(r"<([A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+)>(.*)\Z", re.DOTALL)
# The two commands as nearly all clients send them, which need no parser and nobody to wait for.
_PLAIN_COMMAND: Final = re.compile(
    rb"(?:MAIL FROM:<([A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+)>((?: (?:SIZE=\d{1,12}|BODY=8BITMIME))*)"
    rb"|RCPT TO:<([A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+)>)\r\n",
    re.IGNORECASE,
)


class _Hooks:
    """What aiosmtpd calls when it has understood a command."""

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, session: "Session", _greeting: Greeting, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return session.sender(envelope, address, options)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, session: "Session", _greeting: Greeting, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        return session.recipient(envelope, address)


class Session(Connection):
    """A client's session: greetings, envelopes, mails."""

    _hooks: ClassVar = _Hooks()

    def __init__(self, reception: Reception, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reception, self._hooks, loop)
        self._login: str | None = None  # the agent's address, normalised
        self._failed_logins = 0

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet, and tell what is offered."""
        if not hostname:
            await self.push("501 5.5.4 Say your name after EHLO")
            return
        offered = [
            self.hostname,
            "PIPELINING",
            f"SIZE {self._limits.size_bytes}",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
        ]
        if self.tls_context is not None and self._tls_protocol is None:
            offered.append("STARTTLS")
        if self._may_log_in() is None:
            offered.append("AUTH PLAIN LOGIN")
        self._greeted(hostname, extended=True)
        await self._say("".join(f"250-{each}\r\n" for each in offered) + "250 HELP")

    async def smtp_LHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet as EHLO does (RFC 2033 4.1)."""
        await self.smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet a client of old."""
        if not hostname:
            await self.push("501 5.5.4 Say your name after HELO")
            return
        self._greeted(hostname, extended=False)
        await self._say(f"250 {self.hostname}")

    def _greeted(self, hostname: str, *, extended: bool) -> None:
        greeting = cast("Greeting", self.session)  # there since the connection was made
        self._set_rset_state()  # type: ignore[no-untyped-call]  # aiosmtpd's
        greeting.host_name = hostname
        greeting.extended_smtp = extended

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Begin TLS, once; what the client sent ahead in the clear is forgotten (RFC 3207 5)."""
        if self.tls_context is None or self._tls_protocol is not None:
            await self.push("502 5.5.1 TLS is not offered" if self.tls_context is None else "503 5.5.1 TLS is on")
            return
        self._login = None  # RFC 3207 4.2: what was said in the clear is forgotten
        await super().smtp_STARTTLS(arg)
        if cast("Greeting", self.session).ssl is None and not arg:  # it was ended amid the handshake
            raise TLSSetupException

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Let an agent prove who he is (RFC 4954)."""
        refusal = self._may_log_in()
        envelope = cast("Envelope", self.envelope)  # there since the connection was made
        if refusal is not None:
            await self.push(refusal)
            return
        if await self.check_helo_needed("EHLO"):
            return
        if self._login is not None or envelope.mail_from is not None:
            await self.push("503 5.5.1 You are logged in" if self._login else "503 5.5.1 Not inside a mail")
            return
        mechanism, _, initial = (arg or "").partition(" ")
        match mechanism.upper():
            case "PLAIN":
                answer = initial.strip() or await self._ask_client("334 ")
                said = login.plain(answer)
            case "LOGIN":
                user = login.decoded(initial.strip() or await self._ask_client(login.USER_PLEASE))
                password = login.decoded(await self._ask_client(login.PASSWORD_PLEASE)) if user else None
                answer = "" if user else "*"
                said = login.Credentials(user, password) if user and password is not None else None
            case _:
                await self.push("504 5.5.4 PLAIN and LOGIN are known here")
                return
        if said is None:
            await self.push(login.CANCELLED if answer == "*" else login.MALFORMED)
            return
        await self._check_login(said)

    def _may_log_in(self) -> str | None:
        """Return why the client may not log in, None if it may."""
        logins = self._reception.logins
        if logins is None or self._reception.lmtp or not logins.offered():
            return "502 5.5.1 There are no logins here"
        if self._tls_protocol is None and client_of(self.peer) is not None:
            return login.IN_THE_CLEAR
        return None

    async def _ask_client(self, question: str) -> str:
        """Return the client's next line, which is no command."""
        await self._say(question)
        line = await self._reader.readuntil(b"\n")
        self._heard_s = self.loop.time()
        return line[:COMMAND_BYTES].decode("ascii", errors="replace").strip()

    async def _check_login(self, said: login.Credentials) -> None:
        gate, logins = self._reception.gate, self._reception.logins
        if logins is None or not gate.may_log_in(self.peer, self.loop.time()):
            await self.push(login.NOT_NOW)
            return
        try:
            agent = await asyncio.to_thread(logins.check, said.user, said.password)
        except NoPassword as error:
            log.error("login not checked", peer=self.peer, reason=str(error))  # noqa: TRY400 - a state, no frames wanted
            await self.push(login.NO_PASSWORD)
            return
        if agent is not None:
            self._login = agent
            log.info("logged in", peer=self.peer, agent=agent)
            await self.push(login.WELCOME)
            return
        self._failed_logins += 1
        gate.login_failed(self.peer, self.loop.time())
        log.warning("login failed", peer=self.peer, failures=self._failed_logins)
        with suppress(TimeoutError):  # the usual case; an end of the session ends the wait
            await asyncio.wait_for(self._ended.wait(), self._failed_logins * self._limits.login_delay_s)
        if self._failed_logins >= login.MOST_FAILURES:
            self.end(login.TOO_MANY)
            raise Gone
        await self.push(login.WRONG)

    async def smtp_VRFY(self, arg: str) -> None:  # noqa: ARG002, N802 - aiosmtpd's signature
        """Give nothing away (RFC 5321 7.3)."""
        await self.push("252 2.5.0 Send the mail, then it is known")

    async def smtp_HELP(self, arg: str) -> None:  # noqa: ARG002, N802 - aiosmtpd's signature
        """Say what this is."""
        await self.push("214 2.0.0 This is a help desk; write to it by mail")

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        plain = _PLAIN_ADDRESS.match(arg)
        if plain is not None:
            return plain[1], plain[2]
        return super()._getaddr(arg)

    def obey_at_once(self, data: bytes) -> bytes:
        """Answer plain MAIL and RCPT, whose order is right; whatever is unusual goes the long way."""
        replies: list[str] = []
        while not self._over and (found := _PLAIN_COMMAND.match(data)) and found.end() <= COMMAND_BYTES:
            try:
                reply = self._answer_at_once(*found.groups())
            except Exception:  # noqa: BLE001 - our own fault, whatever it is; the long way meets it again and tells of it
                break
            if reply is None:
                break
            replies.append(reply)
            data = data[found.end() :]
        if replies:
            self._heard_s = self.loop.time()
            self._writer.write("".join(f"{each}\r\n" for each in replies).encode())
            for each in replies:
                self.count_error(each)
        return data

    def _answer_at_once(self, sender: bytes | None, options: bytes | None, recipient: bytes | None) -> str | None:
        greeting, envelope = cast("Greeting", self.session), cast("Envelope", self.envelope)
        if recipient is not None and envelope.mail_from:
            return self.recipient(envelope, recipient.decode())
        if sender is None or not greeting.host_name or envelope.mail_from or (options and not greeting.extended_smtp):
            return None
        envelope.smtp_utf8 = False
        return self.sender(envelope, sender.decode(), (options or b"").decode().upper().split())

    def sender(self, envelope: Envelope, address: str, options: list[str]) -> str:
        """Begin a mail from `address`, "<>" for the null sender; return the reply."""
        for option in options:
            if option.startswith("SIZE=") and int(option[5:]) > self._limits.size_bytes:  # digits: aiosmtpd looked
                return TOO_LARGE.format(self._limits.size_bytes)
        if not _sound(address):
            return "553 5.1.7 That address is malformed"
        if self._login is not None and normalise(address) != self._login:
            return f"553 5.7.1 You are logged in as {self._login}, and write as yourself"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    def recipient(self, envelope: Envelope, address: str) -> str:
        """Add a recipient, if it is ours; return the reply."""
        if len(envelope.rcpt_tos) >= self._limits.recipients:
            return "452 4.5.3 Too many recipients"  # RFC 5321 4.5.3.1.10: the sender tries the rest again
        if not _sound(address):
            return "553 5.1.3 That address is malformed"
        if not self._reception.accepts(address):
            log.info("recipient refused", peer=self.peer, recipient=address)
            return "550 5.1.1 There is no such address here"
        if address not in envelope.rcpt_tos or self._reception.lmtp:  # LMTP: a reply each, so they must be counted
            envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Take a mail."""
        envelope = cast("Envelope", self.envelope)  # there since the connection was made
        if await self.check_helo_needed():
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
        elif not envelope.mail_from:
            await self.push("503 5.5.1 MAIL comes first")
        elif not envelope.rcpt_tos:
            await self.push("554 5.5.1 No valid recipients")  # RFC 2920 3.1
        else:
            await self._mail(envelope)

    async def _mail(self, envelope: Envelope) -> None:
        spool = Spool(self._limits.size_bytes, self._reception.spool_directory)
        self._busy = True
        try:
            await self._say("354 End data with <CR><LF>.<CR><LF>")
            reply = await self._receive(spool) or await self._store(envelope, spool)
            self._set_post_data_state()  # type: ignore[no-untyped-call]  # aiosmtpd's
            for _ in envelope.rcpt_tos if self._reception.lmtp else (None,):  # RFC 2033 4.2: one for each
                await self.push(reply)
        except (Gone, ConnectionError, asyncio.IncompleteReadError):
            raise
        except Exception:  # our own fault; the mail may not have been read to its end
            log.exception("mail failed", peer=self.peer)
            self.end(TROUBLE_AND_END)
            return
        finally:
            spool.close()
            self._busy = self._receiving = False
        self._mails += 1
        if self._reception.stopping:
            self.end(STOPPING)
        elif self._mails >= self._limits.mails:
            self.end("421 4.7.0 Enough for one session, please come again")

    async def _receive(self, spool: Spool) -> str | None:
        """Read a mail to its end; return the reply that refuses it, None if it is sound."""
        content = Content()
        self._window_s, self._window_bytes = self.loop.time(), 0
        self._receiving = True
        while not content.ended:
            chunk = await self._reader.read(STREAM_BYTES)
            if not chunk:
                log.info("client vanished inside a mail", peer=self.peer, bytes=spool.size_bytes)
                raise Gone
            self._heard_s = self.loop.time()
            self._window_bytes += len(chunk)
            spool.add(content.feed(chunk))
            if spool.size_bytes > 2 * self._limits.size_bytes + STREAM_BYTES:  # it was told the limit by EHLO
                self.end(TOO_LARGE.format(self._limits.size_bytes))
                raise Gone
        self._receiving = False
        self._heard_s = self.loop.time()
        if content.rest:
            self._reader._buffer[:0] = content.rest  # type: ignore[attr-defined]  # noqa: SLF001 - no other way back
        if content.smuggling:
            return self._refused(SMUGGLING)
        return None if spool.refusal is None else self._refused(spool.refusal)

    async def _store(self, envelope: Envelope, spool: Spool) -> str:
        """Have a mail stored; return the reply."""
        fingerprint = spool.fingerprint()
        if spool.hops() > self._limits.received:
            return self._refused(LOOP)
        if self._login is not None and self._in_another_name(spool):
            return self._refused(f"550 5.7.1 From has to be your own address alone, {self._login}")
        sender = envelope.mail_from or ""
        mail = Incoming(
            envelope_from="" if sender == "<>" else sender,
            recipients=tuple(envelope.rcpt_tos),
            source=f"{'lmtp' if self._reception.lmtp else 'smtp'} {self.peer}".rstrip(),
            content=spool.content(self._received(envelope)),
            fingerprint=fingerprint,
            helo=cast("Greeting", self.session).host_name,
            login=self._login,
        )
        try:
            answer = self._reception.answers.of(self._reception.submit(mail))
        except (QueueFullError, StoppedError) as error:
            mail.close()
            log.error("mail not stored", peer=self.peer, reason=str(error))  # noqa: TRY400 - a state, no frames wanted
            return TROUBLE
        try:
            stored = await answer  # a client that vanishes ends this wait, not the commit
        except Exception as error:  # noqa: BLE001 - the inbox has logged it; to the sender all of it is our trouble
            return NO_ROOM if inbox.is_full(error) else TROUBLE
        return f"250 2.0.0 Stored as {stored.mail_id}"

    def _in_another_name(self, spool: Spool) -> bool:
        message = parse(spool.header() + b"\r\n\r\n")
        return of_login(message, self._login or "").result is not Trust.PASS

    def _refused(self, reply: str) -> str:
        log.warning("mail refused", peer=self.peer, reply=reply)
        return reply

    def _received(self, envelope: Envelope) -> bytes:
        greeting = cast("Greeting", self.session)  # there since the connection was made
        # RFC 3848 and RFC 6531 4.3: the words for the ways that a mail may come.
        protocol = "LMTP" if self._reception.lmtp else "ESMTP" if greeting.extended_smtp else "SMTP"
        if envelope.smtp_utf8:
            protocol = f"UTF8{protocol.removeprefix('E')}"
        if self._tls_protocol is not None:
            protocol += "S"
        if self._login is not None:
            protocol += "A"
        return trace.received(
            name=greeting.host_name or "",
            peer=self.peer,
            hostname=self.hostname,
            protocol=protocol,
            recipients=envelope.rcpt_tos,
            at=self._reception.clock(),
        )


def _sound(address: str) -> bool:
    """Return whether `address` can be stored, logged and compared: it is no grammar."""
    return len(address) <= ADDRESS_CHARACTERS and address.isprintable()
