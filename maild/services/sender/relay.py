"""One connection to the smarthost: SMTP as its client speaks it. Knows no database.

RFC 5321; 3207 (STARTTLS), 4954 (AUTH), 1870 (SIZE), 6531 (SMTPUTF8). On the wire a mail is exactly the bytes that were
given, with CR LF at the end of every line and dots doubled.

A socket's timeout bounds one answer, not a mail; MAIL_S bounds the whole mail, so that a lease can outlast it.
"""

import re
import smtplib
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from maild.config.connections import Relay as RelaySettings
from maild.config.passwords import NoPassword
from maild.message.compose import clean, in_ascii, needs_utf8
from maild.oauth.provider import NoToken
from maild.oauth.tokens import Tokens

CONNECT_S: Final = 30.0
COMMAND_S: Final = 60.0
DOT_S: Final = 180.0  # RFC 5321 4.5.3.2.6 says 10 minutes; giving up earlier may send twice, later holds up the rest
MAIL_S: Final = 240.0  # connecting included; must be below sending.LEASE, and below the daemon's patience with a step
MAILS_A_CONNECTION: Final = 100
IDLE_S: Final = 20.0  # an unused connection is closed after this; smarthosts do so themselves after a minute or more
WORDS_LIMIT: Final = 500  # characters of a server's answer that are kept

_PIECE: Final = 1 << 16
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_LOGIN_WANTED: Final = frozenset({454, 530, 534, 535, 538})  # RFC 4954 6: the operator's affair, no mail's fault


class Outcome(StrEnum):
    """What became of a mail for one recipient."""

    SENT = "sent"
    LATER = "later"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it, and the server's own words."""

    outcome: Outcome
    words: str


class RelayTrouble(Exception):  # noqa: N818 - no fault of ours, and none of any mail
    """The relay cannot be used now; nothing was sent. The text says why, in words for an operator."""


class Relay:
    """One connection to the smarthost, opened when needed and used again; for one thread."""

    def __init__(self, settings: RelaySettings, hostname: str, tokens: Tokens | None = None) -> None:
        self._settings = settings
        self._hostname = hostname
        self._tokens = tokens
        self._smtp: smtplib.SMTP | None = None
        self._mails = 0
        self._used_at_s = 0.0  # monotonic
        self._null_sender: bool | None = None  # whether MAIL FROM:<> is let through here, None: not known yet
        self._ends_at_s = 0.0  # monotonic; when the present mail must be over

    def send(self, sender: str, recipients: Sequence[str], raw: bytes, instead: str = "") -> dict[str, Result]:
        """Send one mail, and return what became of it by recipient.

        `sender` "" is the null sender; where a relay refuses that, `instead` is used if given.

        Raises:
            RelayTrouble: no connection could be had; nothing was sent to anybody.
        """
        self._ends_at_s = time.monotonic() + MAIL_S
        again = self._smtp is not None  # the relay may have closed the connection meanwhile: no fault of the mail's
        while True:
            try:
                return self._mail(self._connected(), sender, recipients, raw, instead)
            except _Lost as lost:
                self._drop()
                if lost.content_began or not again:
                    return dict.fromkeys(recipients, Result(Outcome.LATER, str(lost)))
                again = False
            except RelayTrouble:
                self._drop()
                raise

    def probe(self) -> None:
        """Connect and log in, as for a mail.

        Raises:
            RelayTrouble: that is not possible now.
        """
        self._ends_at_s = time.monotonic() + MAIL_S
        try:
            self._connected()
        finally:
            self.close()

    def close(self) -> None:
        """Say good-bye."""
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):  # it is thrown away in any case
                _wait_at_most(self._smtp, 2.0)
                self._smtp.quit()
            self._drop()

    def close_if_idle(self) -> bool:
        """Close a connection that was not used for IDLE_S; return whether one is still open."""
        if self._smtp is not None and time.monotonic() - self._used_at_s >= IDLE_S:
            self.close()
        return self._smtp is not None

    def _connected(self) -> smtplib.SMTP:
        """Return a connection that is logged in and knows of no mail."""
        if self._smtp is not None and self._mails >= MAILS_A_CONNECTION:
            self.close()
        if self._smtp is not None:
            self._be_patient(self._smtp, COMMAND_S)
            if time.monotonic() - self._used_at_s > 1.0:
                _ask(self._smtp, "RSET")  # finds out whether it is still there, before a mail is told to it
            return self._smtp
        try:
            smtp = self._connect()
        except (smtplib.SMTPException, OSError, NoPassword, NoToken, ValueError, _Lost) as error:
            self._drop()
            raise RelayTrouble(f"{self._settings.host}:{self._settings.port}: {_reason(error)}") from error
        self._mails, self._null_sender = 0, None
        self._used_at_s = time.monotonic()
        return smtp

    def _connect(self) -> smtplib.SMTP:
        relay = self._settings
        trust = None
        if relay.security != "none":
            trust = ssl.create_default_context(cafile=str(relay.tls_ca_file) if relay.tls_ca_file else None)
        if relay.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=self._hostname, timeout=CONNECT_S, context=trust)
        else:
            smtp = smtplib.SMTP(local_hostname=self._hostname, timeout=CONNECT_S)
        self._smtp = smtp
        # set only by a constructor that connects, which would leave the socket open if the greeting fails
        smtp._host = relay.host  # type: ignore[attr-defined]  # noqa: SLF001 - what the certificate must name
        code, words = smtp.connect(relay.host, relay.port)
        if code != 220:
            raise RelayTrouble(f"{relay.host}:{relay.port} does not greet: {_words(code, words)}")
        smtp.ehlo_or_helo_if_needed()
        if relay.security == "starttls":
            if not smtp.has_extn("starttls"):  # never on in the clear instead
                raise RelayTrouble(f"{relay.host}:{relay.port} does not offer STARTTLS")
            smtp.starttls(context=trust)
            smtp.ehlo_or_helo_if_needed()
        self._be_patient(smtp, COMMAND_S)
        self._log_in(smtp)
        return smtp

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        if self._settings.oauth is not None:
            self._log_in_by_token(smtp, self._settings.oauth, self._settings.user or "")
            return
        user, password = self._settings.user, self._settings.password()
        if user is None or password is None:
            return
        offered = str(smtp.esmtp_features.get("auth", "")).upper().split()
        secret = password.get_secret_value()
        if "PLAIN" in offered or not offered:  # smtplib's own login takes ASCII only
            code, words = smtp.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{secret}"))
        elif "LOGIN" in offered:
            code, words = smtp.docmd("AUTH", "LOGIN " + _base64(user))
            if code == 334:
                code, words = smtp.docmd(_base64(secret))
        else:
            code, words = smtp.login(user, secret)
        if code not in (235, 503):
            raise RelayTrouble(f"{self._settings.host} does not let {user} log in: {_words(code, words)}")

    def _log_in_by_token(self, smtp: smtplib.SMTP, application: str, user: str) -> None:
        """Log in by OAuth2: XOAUTH2, as Google and Microsoft have it."""
        if self._tokens is None:
            raise RelayTrouble("to see whether OAuth2 works here, let the daemon send a mail")
        token = self._tokens.access_token(application, user)
        code, words = smtp.docmd("AUTH", "XOAUTH2 " + _base64(f"user={user}\1auth=Bearer {token}\1\1"))
        reason = ""
        if code == 334:  # the provider's reason; an empty answer lets the server say no
            reason = _decoded(words)
            code, words = smtp.docmd("")
        if code not in (235, 503):
            self._tokens.refused(application, user, token)  # withdrawn before its time: the next try has a new one
            raise RelayTrouble(f"{self._settings.host} does not let {user} log in: {_words(code, words)} {reason}")

    def _mail(
        self, smtp: smtplib.SMTP, sender: str, recipients: Sequence[str], raw: bytes, instead: str
    ) -> dict[str, Result]:
        """Speak one mail's transaction (RFC 5321 3.3)."""
        raw = _with_lawful_lines(raw)
        ascii_only = all(map(str.isascii, (sender, *recipients)))
        wider: list[str] = []
        if needs_utf8(raw) or not ascii_only:
            if smtp.has_extn("smtputf8"):
                wider = ["BODY=8BITMIME", "SMTPUTF8"]  # RFC 6531 3.1 (8): who offers the latter has the former
            elif (shown := in_ascii(raw) if ascii_only else None) is not None:
                raw = shown  # somebody else's address cannot be written here: no reason to keep the mail from this one
            else:
                why = "the relay takes no addresses beyond ASCII (SMTPUTF8, RFC 6531)"
                return dict.fromkeys(recipients, Result(Outcome.FAILED, why))
        options = [*([f"SIZE={len(raw)}"] if smtp.has_extn("size") else []), *wider]
        smtp.command_encoding = "utf-8"  # for those addresses; all else is ASCII
        envelope = self._envelope(smtp, sender, recipients, instead, options)
        if envelope.refused:
            return dict.fromkeys(recipients, envelope.refused)
        results = {each: _result(*said) for each, said in envelope.said.items() if said[0] not in (250, 251)}
        accepted = [recipient for recipient in recipients if recipient not in results]
        if accepted:
            results |= dict.fromkeys(accepted, self._content(smtp, raw, envelope.data))
        elif envelope.data is not None and envelope.data[0] == 354:  # it waits for a mail that is for nobody
            self._drop()
        else:
            _ask(smtp, "RSET")
        self._mails += 1
        self._used_at_s = time.monotonic()
        return results

    def _envelope(
        self, smtp: smtplib.SMTP, sender: str, recipients: Sequence[str], instead: str, options: list[str]
    ) -> "_Envelope":
        """Say from whom and to whom a mail is; at one go where the relay offers that (RFC 2920)."""
        to = [f"RCPT TO:<{each}>" for each in recipients]
        if not sender and self._null_sender is False:
            sender = instead
        if smtp.has_extn("pipelining") and (sender or not instead or self._null_sender):
            first, *said, data = _ask_all(smtp, [" ".join((f"MAIL FROM:<{sender}>", *options)), *to, "DATA"])
            if first[0] == 250:
                return _Envelope(None, dict(zip(recipients, said, strict=True)), data)
            if data[0] == 354:  # it waits for a mail that it refused
                self._drop()
            return _Envelope(_result(*first))
        if refused := self._refused_sender(smtp, sender, instead, options):
            return _Envelope(refused)
        return _Envelope(None, {each: _ask(smtp, command) for each, command in zip(recipients, to, strict=True)})

    def _refused_sender(self, smtp: smtplib.SMTP, sender: str, instead: str, options: list[str]) -> Result | None:
        code, words = _ask(smtp, " ".join((f"MAIL FROM:<{sender}>", *options)))
        if not sender:
            self._null_sender = code == 250
        if code >= 500 and not sender and instead and code not in _LOGIN_WANTED:
            # seen in practice: submission servers that let nobody send from <>
            code, words = _ask(smtp, " ".join((f"MAIL FROM:<{instead}>", *options)))
            self._null_sender = None if code != 250 else False
        return None if code == 250 else _result(code, words)

    def _content(self, smtp: smtplib.SMTP, raw: bytes, data: "_Reply | None") -> Result:
        """Send a mail's bytes; `data` is what was said to DATA, if that was asked already."""
        code, words = data or _ask(smtp, "DATA")
        if code != 354:
            _ask(smtp, "RSET")
            return _result(code, words)
        try:
            for start in range(0, len(raw), _PIECE):
                self._be_patient(smtp, COMMAND_S)
                last = start + _PIECE >= len(raw)
                # the dot goes with the last piece: alone it would wait 40 ms for the other's acknowledgement
                smtp.send(raw[start : start + _PIECE] + b".\r\n" * last)
        except (smtplib.SMTPException, OSError) as error:
            raise _Lost(f"the connection ended within the content: {_reason(error)}", content_began=True) from error
        try:
            self._be_patient(smtp, DOT_S)
            code, words = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            said = f"no answer after the content, it may have been taken: {_reason(error)}"
            raise _Lost(said, content_began=True) from error
        if code == 421:
            raise _Lost(_words(code, words), content_began=True)
        self._be_patient(smtp, COMMAND_S)
        return Result(Outcome.SENT, _words(code, words)) if code == 250 else _result(code, words)

    def _be_patient(self, smtp: smtplib.SMTP, seconds: float) -> None:
        """Wait for the next answer at most so long, and not beyond the time of the mail.

        Raises:
            TimeoutError: that is over.
        """
        left_s = self._ends_at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"the mail took longer than {MAIL_S:.0f} s")
        _wait_at_most(smtp, min(seconds, left_s))

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


_Reply = tuple[int, bytes]


class _Envelope(NamedTuple):
    """What a relay said to an envelope."""

    refused: Result | None  # to its sender
    said: dict[str, _Reply] = {}  # noqa: RUF012 - never changed; by recipient
    data: _Reply | None = None  # to DATA, if that was asked along with it


class _Lost(Exception):  # noqa: N818 - what happened, as its name says
    """The connection ended within a mail."""

    def __init__(self, words: str, *, content_began: bool = False) -> None:
        super().__init__(words)
        self.content_began = content_began  # then trying again at once is not for the relay to decide


def _ask(smtp: smtplib.SMTP, command: str) -> _Reply:
    """Send a command and return the answer."""
    [reply] = _ask_all(smtp, [command])
    return reply


def _ask_all(smtp: smtplib.SMTP, commands: Sequence[str]) -> list[_Reply]:
    """Send commands at one go and return the answers."""
    lines = "\r\n".join(commands) + "\r\n"
    if lines.count("\r") != len(commands) or lines.count("\n") != len(commands):
        raise ValueError("a command is one line")
    replies: list[_Reply] = []
    for command in commands:
        try:
            if not replies:
                smtp.send(lines)
            code, words = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise _Lost(f"the connection ended after {command.split(':', maxsplit=1)[0]}: {_reason(error)}") from error
        if code == 421:  # RFC 5321 3.8: the server ends the session
            raise _Lost(_words(code, words))
        if code in _LOGIN_WANTED:
            raise RelayTrouble(f"the relay wants another login: {_words(code, words)}")
        replies.append((code, words))
    return replies


def _wait_at_most(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock is not None:
        smtp.sock.settimeout(seconds)


def _with_lawful_lines(raw: bytes) -> bytes:
    """Return `raw` as it goes over the wire: CR LF at each line's end, dots doubled (RFC 5321 4.5.2)."""
    ends = raw.count(b"\r\n")
    if raw.count(b"\r") != ends or raw.count(b"\n") != ends:
        raw = _LINE_END.sub(b"\r\n", raw)
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    raw = raw.replace(b"\n.", b"\n..")
    return b"." + raw if raw[:1] == b"." else raw


def _result(code: int, words: bytes) -> Result:
    return Result(Outcome.FAILED if 500 <= code <= 599 else Outcome.LATER, _words(code, words))


def _words(code: int, words: bytes) -> str:
    """Return a server's answer as one line: it is shown to people, so nothing in it may do harm."""
    return clean(f"{code} {words.decode('utf-8', 'replace')}", WORDS_LIMIT)


def _reason(error: BaseException) -> str:
    """Return why the relay could not be spoken to, in words for operators."""
    if isinstance(error, NoToken):
        return clean("; ".join(filter(None, (str(error), error.fix_for("relay")))), WORDS_LIMIT)
    if isinstance(error, NoPassword):
        return clean(str(error), WORDS_LIMIT)
    if isinstance(error, ssl.SSLCertVerificationError):
        return clean(f"its certificate cannot be trusted: {error.verify_message}", WORDS_LIMIT)
    if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL"}:
        return 'it does not begin with TLS here: "tls" is usual on port 465, "starttls" on 587 and 25'
    if isinstance(error, TimeoutError):
        return clean(str(error), WORDS_LIMIT) or "no answer"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError | smtplib.SMTPException):
        return clean(error.strerror, WORDS_LIMIT)
    return clean(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, WORDS_LIMIT)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _decoded(words: bytes) -> str:
    try:
        return clean(b64decode(words).decode("utf-8", "replace"), WORDS_LIMIT)
    except ValueError:
        return ""
