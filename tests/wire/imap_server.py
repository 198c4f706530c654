"""An IMAP server that fails as it is told: on loopback, a thread a connection, a few commands of RFC 3501.

Everything that it sends is a numbered piece; `fault` is asked for each piece what to do instead of sending it:

    DROP      close the connection            HALF     send a half, then close
    HANG      say nothing any more            DRIP     a byte now and then, for ever
    TWICE     send it twice                   GARBAGE  send bytes that are no IMAP, then go on
    NO, BAD   answer the command so           BYE      say good-bye, and close
    FLOOD     send unasked answers for ever

`shown` holds every mail that a client was ever told of, by its UID in an answer to SEARCH.
"""

import base64
import contextlib
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

DROP: Final = "drop"
HALF: Final = "half"
HANG: Final = "hang"
DRIP: Final = "drip"
TWICE: Final = "twice"
GARBAGE: Final = "garbage"
NO: Final = "no"
BAD: Final = "bad"
BYE: Final = "bye"
FLOOD: Final = "flood"

_CAPABILITIES: Final = "IMAP4rev1 IDLE MOVE UIDPLUS ID AUTH=PLAIN AUTH=XOAUTH2"


@dataclass
class Mail:
    """A mail in a folder."""

    raw: bytes
    came_at: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)
    flags: set[str] = field(default_factory=set)


@dataclass
class Imap:
    """What the server has and does."""

    capabilities: str = _CAPABILITIES
    uid_validity: int = 7
    folders: dict[str, dict[int, Mail]] = field(default_factory=lambda: {"INBOX": {}})
    next_uid: int = 1
    tokens: set[str] = field(default_factory=set)  # by which one may log in with XOAUTH2
    shown: set[bytes] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    pieces: int = 0  # sent so far, over all connections
    connections: int = 0
    port: int = 0
    fault: Callable[[int, bytes], str | None] = lambda _number, _piece: None
    answers: dict[str, str] = field(default_factory=dict)  # instead of the usual, by a command's beginning
    rewrite: Callable[[bytes], bytes] = lambda piece: piece  # lies in what is sent
    lasts: Callable[[], int | None] = lambda: None  # how many bytes a new connection lasts; then it is cut

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.changed = threading.Condition(self.lock)

    @property
    def inbox(self) -> dict[int, Mail]:
        return self.folders["INBOX"]

    def add(self, *mails: bytes, came_at: datetime | None = None) -> list[int]:
        """Have mails arrive; return their UIDs."""
        with self.changed:
            uids = []
            for raw in mails:
                self.inbox[self.next_uid] = Mail(raw, came_at or datetime(2026, 3, 2, 12, tzinfo=UTC))
                uids.append(self.next_uid)
                self.next_uid += 1
            self.changed.notify_all()
            return uids

    def renumber(self) -> None:
        """Give every mail another UID, and the folder another UIDVALIDITY."""
        with self.lock:
            self.uid_validity += 1
            self.folders["INBOX"] = dict(enumerate(self.inbox.values(), 1))
            self.next_uid = len(self.inbox) + 1


class _Gone(Exception):  # noqa: N818 - what happened
    pass


class _Session(socketserver.BaseRequestHandler):
    server: "_Server"

    def setup(self) -> None:
        self.imap = self.server.imap
        self.tag = "*"
        self.folder: str | None = None
        self.known = 0
        self.left = self.imap.lasts()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.request.makefile("rb")
        with self.imap.lock:
            self.imap.connections += 1

    def finish(self) -> None:
        self.file.close()
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)
        self.request.close()

    def handle(self) -> None:
        with contextlib.suppress(_Gone, OSError, ValueError):
            self.send(b"* OK ready\r\n")
            while line := self.file.readline():
                self.line(line.rstrip(b"\r\n").decode("utf-8", "replace"))

    # What is sent

    def send(self, piece: bytes) -> None:
        """Send a piece, or do what the fault says."""
        with self.imap.lock:
            number = self.imap.pieces
            self.imap.pieces += 1
            fault = self.imap.fault(number, piece)
        piece = self.imap.rewrite(piece)
        if self.left is not None and fault is None:
            if self.left < len(piece):
                self.request.sendall(piece[: self.left])
                raise _Gone
            self.left -= len(piece)
        match fault:
            case None:
                self.request.sendall(piece)
            case "drop":
                raise _Gone
            case "half":
                self.request.sendall(piece[: len(piece) // 2])
                raise _Gone
            case "hang":
                self.hang()
            case "drip":
                self.drip()
            case "twice":
                self.request.sendall(piece + piece)
            case "garbage":
                self.request.sendall(b"\xff\x00{5}((((\r\n" + piece)
            case "no" | "bad":
                self.request.sendall(f"{self.tag} {fault.upper()} [UNAVAILABLE] try again later\r\n".encode())
            case "bye":
                self.request.sendall(b"* BYE going down\r\n")
                raise _Gone
            case "flood":
                self.flood()

    def hang(self) -> None:
        self.request.setblocking(True)
        while not self.imap.closing.is_set() and self.request.recv(1000):
            pass
        raise _Gone

    def drip(self) -> None:
        while not self.imap.closing.wait(0.05):
            self.request.sendall(b"*")
        raise _Gone

    def flood(self) -> None:
        while not self.imap.closing.is_set():
            self.request.sendall(b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 1000)
        raise _Gone

    def say(self, text: str) -> None:
        self.send(f"* {text}\r\n".encode())

    def done(self, text: str = "OK done") -> None:
        self.send(f"{self.tag} {text}\r\n".encode())

    # What is asked

    def line(self, line: str) -> None:
        self.tag, _, rest = line.partition(" ")
        with self.imap.lock:
            self.imap.commands.append(rest)
        for beginning, answer in self.imap.answers.items():
            if rest.startswith(beginning):
                self.done(answer)
                return
        verb, _, arguments = rest.removeprefix("UID ").partition(" ")
        handler = getattr(self, f"do_{verb.lower()}", None)
        if handler is None:
            self.done("BAD unknown command")
        else:
            handler(arguments)

    def do_capability(self, _arguments: str) -> None:
        self.say(f"CAPABILITY {self.imap.capabilities}")
        self.done()

    def do_login(self, arguments: str) -> None:
        self.done("OK in" if "secret" in arguments else "NO [AUTHENTICATIONFAILED] wrong password")

    def do_authenticate(self, arguments: str) -> None:
        self.send(b"+ \r\n")
        said = base64.b64decode(self.file.readline()).decode()
        if arguments.startswith("XOAUTH2"):
            token = said.partition("auth=Bearer ")[2].rstrip("\1")
            if token not in self.imap.tokens:
                reason = base64.b64encode(b'{"status":"400","schemes":"Bearer"}')
                self.send(b"+ " + reason + b"\r\n")
                self.file.readline()
                self.done("NO [AUTHENTICATIONFAILED] Invalid credentials")
                return
        self.done("OK in")

    def do_id(self, _arguments: str) -> None:
        self.say('ID ("name" "fake")')
        self.done()

    def do_list(self, _arguments: str) -> None:
        for name in self.imap.folders:
            self.say(f'LIST () "/" "{name}"')
        self.done()

    def do_select(self, arguments: str, word: str = "READ-WRITE") -> None:
        name = arguments.strip('"')
        with self.imap.lock:
            if name not in self.imap.folders:
                self.done(f"NO [NONEXISTENT] there is no {name}")
                return
            self.folder = name
            self.known = len(self.mails)
        self.say(f"{self.known} EXISTS")
        self.say("FLAGS (\\Seen \\Deleted)")
        self.say(f"OK [UIDVALIDITY {self.imap.uid_validity}] valid")
        self.say(f"OK [UIDNEXT {self.imap.next_uid}] next")
        self.done(f"OK [{word}] opened")

    def do_examine(self, arguments: str) -> None:
        self.do_select(arguments, "READ-ONLY")

    @property
    def mails(self) -> dict[int, Mail]:
        return self.imap.folders[self.folder or "INBOX"]

    def tell_news(self) -> None:
        with self.imap.lock:
            count = len(self.mails)
        if count != self.known:
            self.known = count
            self.say(f"{count} EXISTS")

    def do_noop(self, _arguments: str) -> None:
        self.tell_news()
        self.done()

    def do_idle(self, _arguments: str) -> None:
        self.send(b"+ idling\r\n")
        self.request.setblocking(True)
        stop = threading.Event()

        def watch() -> None:
            with contextlib.suppress(_Gone, OSError):
                while not stop.is_set():
                    with self.imap.changed:
                        news = len(self.mails) != self.known
                        if not news:
                            self.imap.changed.wait(0.2)
                    if news and not stop.is_set():
                        self.tell_news()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            self.file.readline()
        finally:
            stop.set()
            with self.imap.changed:
                self.imap.changed.notify_all()
            watcher.join()
        self.done("OK idle over")

    def do_search(self, arguments: str) -> None:
        with self.imap.lock:
            uids = sorted(self.mails)
            if found := re.search(r"\bUID (\d+)(:\*)?", arguments):
                low = int(found[1])
                uids = [uid for uid in uids if uid >= low] if found[2] else [uid for uid in uids if uid == low]
                if found[2] and not uids and self.mails:
                    uids = [max(self.mails)]
            elif arguments.strip("()") == "*":
                uids = uids[-1:]
            self.imap.shown |= {self.mails[uid].raw for uid in uids}
        self.say("SEARCH " + " ".join(map(str, uids)) if uids else "SEARCH")
        self.done()

    def do_fetch(self, arguments: str) -> None:
        named, _, items = arguments.partition(" ")
        if named.endswith(":*"):
            with self.imap.lock:
                named = ",".join(str(uid) for uid in sorted(self.mails) if uid >= int(named[:-2])) or "0"
        for uid in map(int, named.split(",")):
            with self.imap.lock:
                mail = self.mails.get(uid)
                number = sorted(self.mails).index(uid) + 1 if mail else 0
            if mail is None:
                continue
            head = f"* {number} FETCH (UID {uid}"
            if "RFC822.SIZE" in items:
                head += f" RFC822.SIZE {len(mail.raw)}"
            if "INTERNALDATE" in items:
                head += f' INTERNALDATE "{mail.came_at:%d-%b-%Y %H:%M:%S +0000}"'
            literal: bytes | None = None
            if part := re.search(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>", items):
                start = int(part[1])
                literal = mail.raw[start : start + int(part[2])]
                head += f" BODY[]<{start}> {{{len(literal)}}}"
            elif "BODY.PEEK[]" in items:
                literal = mail.raw
                head += f" BODY[] {{{len(literal)}}}"
            elif "HEADER.FIELDS" in items:
                fields = mail.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
                literal = b"".join(one + b"\r\n" for one in fields if one.lower().startswith(b"message-id")) + b"\r\n"
                head += f" BODY[HEADER.FIELDS (MESSAGE-ID)] {{{len(literal)}}}"
            if literal is None:
                self.send(f"{head})\r\n".encode())
                continue
            self.send(f"{head}\r\n".encode())
            self.send(literal)
            self.send(b")\r\n")
        self.done()

    def do_store(self, arguments: str) -> None:
        named, _, change = arguments.partition(" ")
        with self.imap.lock:
            for uid in map(int, named.split(",")):
                if uid in self.mails:
                    self.mails[uid].flags |= set(re.findall(r"\\\w+", change))
        self.done()

    def do_copy(self, arguments: str, *, remove: bool = False) -> None:
        named, _, folder = arguments.partition(" ")
        with self.imap.lock:
            target = self.imap.folders.get(folder.strip('"'))
            if target is None:
                self.done("NO [TRYCREATE] no such folder")
                return
            for uid in map(int, named.split(",")):
                if uid in self.mails:
                    target[max(target, default=0) + 1] = self.mails[uid]
                    if remove:
                        del self.mails[uid]
                        self.known -= 1
        self.done()

    def do_move(self, arguments: str) -> None:
        self.do_copy(arguments, remove=True)

    def do_expunge(self, arguments: str) -> None:
        with self.imap.lock:
            for uid in map(int, arguments.split(",")):
                if uid in self.mails and "\\Deleted" in self.mails[uid].flags:
                    del self.mails[uid]
                    self.known -= 1
            self.imap.changed.notify_all()
        self.done()

    def do_logout(self, _arguments: str) -> None:
        self.say("BYE see you")
        self.done()
        raise _Gone


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50
    imap: Imap


@contextlib.contextmanager
def serving(imap: Imap) -> Iterator[Imap]:
    """Serve on a free port of loopback."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.imap = imap
        imap.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield imap
        finally:
            imap.closing.set()
            server.shutdown()
            thread.join()
