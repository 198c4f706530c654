"""A connection to an IMAP server: the only door to imapclient. Knows no database and decides nothing.

RFC 3501 and 9051; 2177 (IDLE), 6851 (MOVE), 4315 (UIDPLUS), 2971 (ID). What the library does alone, and what is done
about it here:

- it may hang (a server that drips), so every operation has a deadline outside of it (`wire.Watchdog`);
- it reads what it is sent, however long, so every operation has a budget of bytes;
- it raises nearly anything on what a hostile server says, and returns nothing for what it did not get: anything but
  an orderly NO closes the connection, and what was not asked for or is not there is never given on;
- it takes line ends in arguments as they are: no word of a mail ever gets into a command. Commands hold UIDs (whole
  numbers), dates of our clock, and folders of the configuration.

All messages are named by UID. Reading never sets a flag (BODY.PEEK). For one thread; `interrupt` may be called by
others.
"""

import imaplib
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import imapclient
from imapclient.exceptions import CapabilityError, LoginError

from maild.config.connections import Mailbox
from maild.services.imap_poller import advice
from maild.services.imap_poller.protocol import BUDGET_BYTES, Client, XOAuth2
from maild.services.imap_poller.trouble import Step, Trouble, unencrypted, words_of
from maild.services.imap_poller.wire import READ_S, Lever, Pace, Watchdog, dial, tls_context

QUIT_S: Final = 2.0
SEARCH_MAILS: Final = 50_000  # in one SEARCH: the library takes lines of at most 1,000,000 bytes
EMPTY_READS: Final = 5  # "readable" without anything to read, so often in a row: the connection is dead

_MESSAGE_ID: Final = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder, when it was opened."""

    uid_validity: int
    uid_next: int
    mails: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server says of a mail without giving it."""

    size_bytes: int
    came_at: datetime | None = None  # INTERNALDATE, if it was asked for


class Connection:
    """One connection to a mailbox's server."""

    def __init__(self, server: Mailbox, watchdog: Watchdog, pace: Pace) -> None:
        self._server = server
        self._watchdog = watchdog
        self._pace = pace
        self._lever = Lever()
        self._client: Client | None = None
        self.waiting = False  # nothing is lost if it is interrupted now

    def interrupt(self) -> None:
        """End whatever is going on: it fails at once, and the connection with it."""
        self._lever.pull()

    def open(self) -> None:
        """Connect, encrypt and hear the greeting.

        Raises:
            Trouble: that is not possible now.
        """
        server = self._server
        connected = dial(server, self._lever, self._watchdog, self._pace)
        try:
            with self._watchdog.within(self._pace.connect_s, self._lever):
                self._client = Client(connected, server)
        except Exception as error:  # whatever the library makes of what a server says
            connected.close()
            late = self._lever.pulled
            words = f"the server says nothing within {self._pace.connect_s:.0f} s" if late else words_of(error)
            # who waits for TLS to begin says nothing first, or ends it
            fix = 'it may begin with TLS here: use security = "tls"' if server.security != "tls" else ""
            raise Trouble(Step.GREET, words, fix) from error
        if server.security == "starttls":
            self._start_tls(self._client)

    def _start_tls(self, client: Client) -> None:
        server = self._server
        try:
            with self._watchdog.within(self._pace.operation_s, self._lever):
                client.starttls(tls_context(server))
        except CapabilityError as error:  # never on in the clear instead
            self.drop()
            fix = 'use security = "tls" and port 993 if the server has it'
            raise Trouble(Step.ENCRYPT, f"{server.host}:{server.port} does not offer STARTTLS", fix) from error
        except Exception as error:
            self.drop()
            raise unencrypted(server.host, server.port, error) from error

    def log_in(self, user: str, password: str) -> None:
        """Log in with a password.

        Raises:
            Trouble: the server does not let us, in its own words.
        """
        with self._logging_in(advice.of_login(self._server.host, self._server.name)) as client:
            disabled = client.has_capability("LOGINDISABLED")
            if client.has_capability("AUTH=PLAIN") and (disabled or not (user + password).isascii()):
                client.sasl_login("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            elif disabled:
                fix = 'use security = "tls" or "starttls"'
                raise Trouble(Step.LOGIN, "the server takes no passwords on this connection", fix)
            else:
                client.login(user, password)
        self._identify()

    def log_in_by_token(self, user: str, token: str) -> None:
        """Log in with an access token (XOAUTH2).

        Raises:
            Trouble: the server does not let us, in its own words and those of the provider.
        """
        if not self.can("AUTH=XOAUTH2"):
            self.drop()
            raise Trouble(Step.LOGIN, "the server does not offer XOAUTH2", "use a password instead of oauth")
        mechanism = XOAuth2(user, token)
        fix = f"log in again: maild mailbox login {self._server.name}; the account must be allowed to use IMAP"
        try:
            with self._logging_in(fix) as client:
                client.sasl_login("XOAUTH2", mechanism)
        except Trouble as trouble:
            if mechanism.reason:
                raise Trouble(Step.LOGIN, f"{trouble.words} {mechanism.reason}", fix, refused=trouble.refused) from None
            raise
        self._identify()

    @contextmanager
    def _logging_in(self, fix: str) -> Iterator[Client]:
        try:
            with self._operation(Step.LOGIN) as client:
                yield client
        except Trouble as trouble:
            raise Trouble(Step.LOGIN, trouble.words, trouble.fix or fix, refused=trouble.refused) from trouble.__cause__

    def _identify(self) -> None:
        """Tell who we are, where that is asked for: some providers let nobody read who does not (RFC 2971)."""
        with self._operation(Step.LOGIN) as client:
            if client.has_capability("ID"):
                with suppress(imaplib.IMAP4.error):
                    client.id_({"name": "maild"})

    def can(self, capability: str) -> bool:
        """Return whether the server has a capability."""
        with self._operation(Step.FOLDER) as client:
            return bool(client.has_capability(capability))

    def folders(self) -> list[str]:
        """Return the names of the folders that can be read."""
        with self._operation(Step.FOLDER) as client:
            found = client.list_folders()
        return sorted(str(name) for flags, _, name in found if b"\\noselect" not in {flag.lower() for flag in flags})

    def open_folder(self, folder: str, *, to_write: bool) -> Selected:
        """Open a folder, for reading only unless `to_write`.

        Raises:
            Trouble: there is no such folder, it may not be written, or the server numbers its mails anew each time.
        """
        try:
            with self._operation(Step.FOLDER) as client:
                said = client.select_folder(folder, readonly=not to_write)
                validity, following, mails = said.get(b"UIDVALIDITY"), said.get(b"UIDNEXT"), said.get(b"EXISTS")
                mails = mails if isinstance(mails, int) else 0
                if not isinstance(following, int):  # RFC 3501 6.3.1: then it is unknown
                    following = max((int(uid) for uid in client.search(["*"])), default=0) + 1 if mails else 1
        except Trouble as trouble:
            fix = trouble.fix
            if isinstance(trouble.__cause__, imaplib.IMAP4.readonly):
                fix = 'the folder can only be read: use after = "keep"'
            elif trouble.refused and not fix:
                fix = advice.of_folder(folder, self._folders_if_any(), self._server.name)
            raise Trouble(Step.FOLDER, f"{folder}: {trouble.words}", fix, refused=trouble.refused) from trouble
        if not isinstance(validity, int):
            self.drop()
            raise Trouble(Step.FOLDER, f"the server gives {folder} no UIDVALIDITY, so its mails have no names")
        return Selected(validity, following, mails)

    def _folders_if_any(self) -> list[str]:
        try:
            return self.folders()
        except Trouble:  # what failed before is what is told
            return []

    def nothing(self) -> None:
        """Let the server say what is new."""
        with self._operation(Step.WAIT) as client:
            client.noop()

    def uids_after(self, uid: int, mails: int) -> list[int]:
        """Return the UIDs above `uid`, ascending, of a folder that had so many mails when it was opened."""
        found: list[int] = []
        # UIDs ascend with sequence numbers, so what is new is at the end
        for low in reversed(range(1, max(mails, 1) + 1, SEARCH_MAILS)):
            window = f"{low}:{low + SEARCH_MAILS - 1}" if low + SEARCH_MAILS <= mails else f"{low}:*"
            where = [window] if mails > SEARCH_MAILS else []
            with self._operation(Step.SEARCH) as client:
                # RFC 3501 6.4.8: n:* holds the last mail even if its UID is below n
                uids = [each for each in client.search([*where, "UID", f"{uid + 1}:*"]) if each > uid]
            found += uids
            if not uids:
                break
        return sorted(set(found)) or self._beyond(uid)

    def _beyond(self, uid: int) -> list[int]:
        """Return the UIDs above `uid` without SEARCH, of which some servers know nothing for a while, or for ever."""
        try:
            with self._operation(Step.SEARCH) as client:
                return sorted({each for each in client.uids_from(uid + 1) if each > uid})
        except Trouble as trouble:
            if not trouble.refused:  # in an empty folder a server may say NO
                raise
            return []

    def uids_since(self, day: date) -> list[int]:
        """Return the UIDs of mails that came on `day` or later, ascending."""
        with self._operation(Step.SEARCH) as client:
            return sorted(set(client.search(["SINCE", day])))

    def has(self, uid: int) -> bool:
        """Return whether a mail is still there."""
        with self._operation(Step.SEARCH) as client:
            return uid in client.search(["UID", str(uid)])

    def look_at(self, uids: Sequence[int], *, dates: bool = False) -> dict[int, Seen]:
        """Return sizes, and when mails came if `dates`; what is gone is left out."""
        wanted = ["RFC822.SIZE", "INTERNALDATE"] if dates else ["RFC822.SIZE"]
        with self._operation(Step.FETCH) as client:
            found = client.fetch(list(uids), wanted)
        return {
            uid: Seen(items[b"RFC822.SIZE"], _instant(items.get(b"INTERNALDATE")))
            for uid, items in found.items()
            if isinstance(items.get(b"RFC822.SIZE"), int)
        }

    def fetch(self, uids: Sequence[int], size_bytes: int) -> dict[int, bytes]:
        """Return whole mails, of so many bytes in all; what the server does not give is left out."""
        with self._operation(Step.FETCH, size_bytes) as client:
            found = client.fetch(list(uids), ["BODY.PEEK[]"])
        return {uid: raw for uid, items in found.items() if isinstance(raw := items.get(b"BODY[]"), bytes) and raw}

    def fetch_piece(self, uid: int, offset: int, size_bytes: int) -> bytes:
        """Return a piece of a mail, empty behind its end.

        Raises:
            Trouble: the server does not give it.
        """
        with self._operation(Step.FETCH, size_bytes) as client:
            items = client.fetch([uid], [f"BODY.PEEK[]<{offset}.{size_bytes}>"]).get(uid, {})
            names = {f"BODY[]<{offset}>".encode(), f"BODY[]<{offset}.{size_bytes}>".encode()}  # the latter is wrong
            name = next((each for each in items if each in names), b"")
            piece = items.get(name)
            if piece is None and offset and name:
                return b""  # NIL: there is no more
            if not isinstance(piece, bytes):
                raise Trouble(Step.FETCH, f"the server does not give mail {uid}", refused=True)
        return piece

    def heads(self, uids: Sequence[int]) -> dict[int, tuple[bytes, datetime | None]]:
        """Return the header field Message-ID of mails, and when each came."""
        with self._operation(Step.FETCH) as client:
            found = client.fetch(list(uids), [_MESSAGE_ID, "INTERNALDATE"])
        heads = {}
        for uid, items in found.items():
            head = next((value for key, value in items.items() if key.upper().startswith(b"BODY[HEADER.FIELDS")), None)
            if isinstance(head, bytes):
                heads[uid] = (head, _instant(items.get(b"INTERNALDATE")))
        return heads

    def mark_seen(self, uids: Sequence[int]) -> None:
        """Set the flag that says that a mail was read."""
        with self._operation(Step.AFTER) as client:
            client.add_flags(list(uids), [imapclient.SEEN], silent=True)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails to another folder."""
        with self._operation(Step.AFTER) as client:
            if client.has_capability("MOVE"):
                client.move(list(uids), folder)
                return
            client.copy(list(uids), folder)
        self.delete(uids)

    def delete(self, uids: Sequence[int]) -> None:
        """Delete mails; where the server cannot remove them alone they are only marked so, for others may be too."""
        with self._operation(Step.AFTER) as client:
            client.add_flags(list(uids), [imapclient.DELETED], silent=True)
            if client.has_capability("UIDPLUS"):
                client.uid_expunge(list(uids))

    def wait(self, seconds: float) -> None:
        """Return as soon as the server announces something, at the latest after so many seconds (IDLE)."""
        with self._operation(Step.WAIT) as client:
            client.idle()
        self.waiting = True
        try:
            with self._operation(Step.WAIT, waiting_s=seconds) as client:
                self._hear(client, seconds)
        finally:
            self.waiting = False
        with self._operation(Step.WAIT) as client:
            client.socket().settimeout(READ_S)
            client.idle_done()

    def _hear(self, client: Client, seconds: float) -> None:
        """Wait until a line comes.

        The library's own wait looks at the socket only; what came together with the answer to IDLE is in a buffer.
        """
        plugged = client.socket()
        poller = select.poll()
        poller.register(plugged.fileno(), select.POLLIN)
        until = time.monotonic() + seconds
        for _ in range(EMPTY_READS):
            plugged.setblocking(False)
            try:
                if client.protocol._get_line():  # noqa: SLF001 - imapclient reads its own answers to IDLE by it
                    return
            except imaplib.IMAP4.abort as nothing:
                if "EOF" not in str(nothing):
                    raise
            except OSError:  # nothing to read yet
                pass
            if not poller.poll(max(0.0, until - time.monotonic()) * 1000):
                return

    def close(self) -> None:
        """Say good-bye, quickly."""
        if self._client is not None and not self._lever.pulled:
            with suppress(Exception), self._watchdog.within(QUIT_S, self._lever):  # it is thrown away in any case
                self._client.logout()
        self.drop()

    def drop(self) -> None:
        """Close the connection without a word."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError):
                client.shutdown()
        self._lever.release()

    @contextmanager
    def _operation(self, step: Step, size_bytes: int = 0, waiting_s: float = 0.0) -> Iterator[Client]:
        """Give the client for one command, and make one kind of error of all that can go wrong with it."""
        client = self._client
        if client is None:
            raise Trouble(step, "the connection is closed")
        deadline_s = self._pace.operation_s + waiting_s
        client.protocol.budget_bytes = BUDGET_BYTES + size_bytes
        client.protocol.untagged_responses.clear()  # what nobody asked for would pile up
        try:
            with self._watchdog.within(deadline_s, self._lever):
                yield client
        except Trouble as trouble:
            if not trouble.refused:
                self.drop()
            raise
        except Exception as error:  # whatever the library makes of what a server says, RecursionError included
            refused = type(error) in _ORDERLY
            late = self._lever.pulled
            if not refused or late:
                self.drop()
            words = f"not done within {deadline_s:.0f} s, or stopped" if late else words_of(error)
            raise Trouble(step, words, refused=refused and not late) from error


_ORDERLY: Final[frozenset[type[Any]]] = frozenset({imaplib.IMAP4.error, LoginError, CapabilityError})


def _instant(written: object) -> datetime | None:
    if not isinstance(written, datetime):
        return None
    return written.astimezone(UTC) if written.tzinfo else written.replace(tzinfo=UTC)
