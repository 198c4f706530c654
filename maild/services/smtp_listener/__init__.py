"""The SMTP and LMTP listener: mail comes in, and is answered 250 when it is durable. It decides nothing else.

  gate         who may connect, and the bounds
  connection   a client's connection: time, endings, the loop over commands
  session      what the commands mean
  login        how agents prove who they are
  content      where a mail ends, and its line ends
  spool        where a mail is while it comes in
  trace        the Received field that it gets
  answers      from the inbox's thread back to the loop

One asyncio loop in one thread; no other part of maild has one. This package is the only door to aiosmtpd.
"""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import structlog

from maild.inbox import Incoming, Stored
from maild.services.smtp_listener.answers import Answers
from maild.services.smtp_listener.connection import Reception
from maild.services.smtp_listener.gate import Gate, Limits
from maild.services.smtp_listener.login import Logins
from maild.services.smtp_listener.session import Session

__all__ = ["Limits", "Logins", "SmtpListener", "tls_context"]

log = structlog.get_logger(__name__)

CUT_S: Final = 2.0  # for what is cut off at a stop to notice it
BACKLOG: Final = 256  # connections that the system keeps for us while the loop is busy


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return what STARTTLS needs; `key` is None if it is in the file of the certificate.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: they are no certificate and key, or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class SmtpListener:
    """Listens, from `start` to `stop`."""

    def __init__(
        self,
        submit: Callable[[Incoming], Future[Stored]],
        accepts: Callable[[str], bool],
        clock: Callable[[], datetime],
        *,
        hostname: str,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        sockets: Sequence[socket.socket] = (),
        protocol: Literal["smtp", "lmtp"] = "smtp",
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        spool_directory: Path | None = None,
        logins: Logins | None = None,
    ) -> None:
        """Prepare to listen.

        `submit` is the inbox's; `accepts` says whether an address is ours, in the listener's own thread, so it may not
        wait for anything. Open `sockets` are listened at in place of `listen`, whose port 0 is any free one. Large
        mails are spooled into unlinked files of `spool_directory`, None for the system's place. Without `logins`
        nobody can log in.
        """
        limits = limits or Limits()
        self._loop = asyncio.new_event_loop()
        self._reception = Reception(
            submit=submit,
            accepts=accepts,
            clock=clock,
            hostname=hostname,
            lmtp=protocol == "lmtp",
            limits=limits,
            gate=Gate(limits),
            answers=Answers(self._loop),
            tls=tls,
            spool_directory=spool_directory,
            logins=logins,
        )
        self._listen = listen
        self._given = tuple(sockets)
        self._servers: list[asyncio.Server] = []
        self._address = ("", 0)
        self._thread = threading.Thread(target=self._run, name="smtp_listener", daemon=True)

    def start(self) -> None:
        """Listen; on return clients are served.

        Raises:
            OSError: the address is taken or not ours.
        """
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd logs each command of each client
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        except BaseException:
            self._end_loop()
            raise
        host, port = self.address
        log.info("listening", protocol="lmtp" if self._reception.lmtp else "smtp", host=host, port=port)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port that clients are served at, the first if there are several."""
        return self._address

    def stop(self, grace_s: float) -> bool:
        """Serve nobody any more: idle clients hear 421, one inside a mail may finish it within `grace_s` seconds.

        Returns whether all of them did. The inbox must be stopped after this, not before.
        """
        if not self._thread.is_alive():
            return True
        closing = asyncio.run_coroutine_threadsafe(self._close(grace_s), self._loop)
        try:
            clean = closing.result(grace_s + CUT_S)
        except TimeoutError:  # its thread is held up: a socket that does not close, a machine that does not come to it
            closing.cancel()
            clean = False
        self._end_loop()
        return clean

    def healthy(self, patience_s: float = 5.0) -> bool:
        """Return whether the loop turns and clients can connect; asks the loop, for at most `patience_s` seconds."""
        if not self._thread.is_alive() or self._reception.stopping:
            return False
        turned = threading.Event()
        self._loop.call_soon_threadsafe(turned.set)
        return turned.wait(patience_s) and all(server.is_serving() for server in self._servers)

    @property
    def sessions(self) -> int:
        """How many clients are being served."""
        return len(self._reception.sessions)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CUT_S)

    def _session(self) -> Session:
        return Session(self._reception, self._loop)

    async def _open(self) -> None:
        if self._given:
            for given in self._given:
                given.setblocking(False)
                self._servers.append(await self._loop.create_server(self._session, sock=given, backlog=BACKLOG))
        else:
            host, port = self._listen
            self._servers.append(await self._loop.create_server(self._session, host, port, backlog=BACKLOG))
        name = self._servers[0].sockets[0].getsockname()
        self._address = (name[0], name[1]) if isinstance(name, tuple) else (str(name), 0)

    async def _close(self, grace_s: float) -> bool:
        self._reception.stopping = True
        for server in self._servers:
            server.close()
        sessions = self._reception.sessions
        for session in list(sessions):
            session.stop()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        if running:
            await asyncio.wait(running, timeout=grace_s)
        clean = not sessions
        for session in list(sessions):
            log.warning("session cut at the stop", peer=session.peer)
            session.abort()
        if running:
            await asyncio.wait(running, timeout=CUT_S / 2)  # one may wait for the database
        return clean
