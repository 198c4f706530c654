"""imapclient as maild uses it: over a socket that is connected already, with a budget, and without a log of its own."""

import imaplib
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import imapclient

from maild.config.connections import Mailbox
from maild.message.compose import clean
from maild.services.imap_poller.trouble import WORDS_LIMIT
from maild.services.imap_poller.wire import READ_S

BUDGET_BYTES: Final = 4 << 20  # that one command may be answered with, besides the mails asked for

_UID: Final = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)


class Imap(imaplib.IMAP4):
    """The protocol over a socket that is connected already, counting what is read."""

    def __init__(self, connected: socket.socket, host: str, port: int) -> None:
        self._connected = connected
        self.budget_bytes = BUDGET_BYTES
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002 - the library's signature
        return self._connected

    def read(self, size: int) -> bytes:
        """Read a literal."""
        self._spend(size)  # before there is room made for it: a literal may say that it has 4 GB
        return super().read(size)

    def readline(self) -> bytes:
        """Read a line."""
        line = super().readline()
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self.budget_bytes -= size
        if self.budget_bytes < 0:
            raise self.abort("the server sends more than it was asked for")


class Client(imapclient.IMAPClient):  # type: ignore[misc]  # the library has no types
    """imapclient over that."""

    def __init__(self, connected: socket.socket, server: Mailbox) -> None:
        self.protocol: Imap
        self._connected = connected
        super().__init__(server.host, server.port, ssl=False, timeout=READ_S)
        self.protocol.debug = 0  # the library would have everything written to its log, passwords included
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - the library's name
        self.protocol = Imap(self._connected, self.host, self.port)
        return self.protocol

    def uids_from(self, uid: int) -> list[int]:
        """Return the UIDs from `uid` on by FETCH; the library's own takes no ranges without an end."""
        typ, said = self.protocol.uid("FETCH", f"{uid}:*", "(UID)")
        self._checkok("fetch", typ, said)
        return [int(found[1]) for line in said if isinstance(line, bytes) and (found := _UID.search(line))]

    def _proc_folder_list(self, folder_data: Sequence[Any]) -> list[Any]:
        """Read what LIST answered, line by line: one that cannot be read hides no other."""
        folders: list[Any] = []
        for line in folder_data:
            if line:
                with suppress(Exception):  # whatever the library makes of it; a folder without a name cannot be named
                    folders += super()._proc_folder_list([line])
        return folders


class XOAuth2:
    """Answers the challenges of XOAUTH2: the token, and once it is refused nothing, which lets the server say NO."""

    def __init__(self, user: str, token: str) -> None:
        self._first: str | None = f"user={user}\1auth=Bearer {token}\1\1"
        self.reason = ""

    def __call__(self, challenge: bytes) -> bytes:
        """Return the answer to a challenge."""
        first, self._first = self._first, None
        if first is not None:
            return first.encode()
        self.reason = clean(challenge.decode("utf-8", "replace"), WORDS_LIMIT)
        return b""
