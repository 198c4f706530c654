"""What can go wrong with a mailbox: the step that failed, the other side's own words, and what helps."""

import re
import socket
import ssl
from enum import StrEnum
from typing import Final

from maild.message.compose import clean
from maild.services.imap_poller import advice

WORDS_LIMIT: Final = 400  # characters of a server's answer that are kept

_PLACE: Final = re.compile(r" \(_ssl\.c:\d+\)")  # in the library's source
_BYTES: Final = re.compile(r"""\bb(['"])(.*?)\1""", re.DOTALL)


class Step(StrEnum):
    """Where in a visit something happened; the value is read by operators."""

    RESOLVE = "looking up the host"
    CONNECT = "connecting"
    ENCRYPT = "starting TLS"
    GREET = "the server's greeting"
    PASSWORD = "getting the password"  # noqa: S105 - the name of a step
    LOGIN = "logging in"
    FOLDER = "opening the folder"
    SEARCH = "looking for mail"
    FETCH = "fetching mail"
    STORE = "storing mail"
    AFTER = "marking, moving or deleting what is stored"
    WAIT = "waiting for mail"


class Trouble(Exception):  # noqa: N818 - no fault of ours; it is told to operators
    """A mailbox cannot be used now. The text says at which step and why, `fix` what helps, "" if nobody knows.

    `wait_s` is how long the server asks to be left alone.
    """

    def __init__(self, step: Step, words: str, fix: str = "", *, refused: bool = False) -> None:
        super().__init__(f"{step}: {words}")
        self.step = step
        self.words = words
        known = advice.of_words(words)
        self.fix = known.fix or fix
        self.wait_s = known.wait_s
        self.refused = refused  # the server said NO, in order: the connection is as good as before


def words_of(error: BaseException) -> str:
    """Return an error as one harmless line."""
    text = _BYTES.sub(r"\2", str(error))
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        text = error.strerror
    return clean(_PLACE.sub("", text), WORDS_LIMIT) or type(error).__name__


def unresolved(host: str, error: OSError) -> Trouble:
    """Return the trouble of a host whose address is not known."""
    return Trouble(Step.RESOLVE, f"{host}: {words_of(error)}", "check host in [[mailbox]], and this machine's DNS")


def unreachable(host: str, port: int, error: OSError, security: str) -> Trouble:
    """Return the trouble of a host that does not answer."""
    words = "no answer" if isinstance(error, TimeoutError) else words_of(error)
    usual = 993 if security == "tls" else 143
    fix = "a firewall may be in the way" if isinstance(error, TimeoutError) else "is an IMAP server running there?"
    if port != usual:
        fix += f' (with security = "{security}" the usual port is {usual})'
    return Trouble(Step.CONNECT, f"{host}:{port}: {words}", fix)


def unencrypted(host: str, port: int, error: Exception) -> Trouble:
    """Return the trouble of a connection that cannot be encrypted, with what is wrong with the certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        fix = "name the authority that signed it in tls_ca_file; if it expired, the server's operator must renew it"
        if "ostname" in why or "IP address" in why:
            fix = "set host to the name that the certificate is for"
        elif why == "self-signed certificate":
            fix = "name the certificate's file in tls_ca_file, if the server is yours; a provider's is signed by others"
        return Trouble(Step.ENCRYPT, f"{host}:{port}: its certificate cannot be trusted: {clean(why, 200)}", fix)
    fix = ""
    if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL"}:
        fix = 'the server does not begin with TLS here: use port 993, or security = "starttls"'
    if isinstance(error, TimeoutError | socket.timeout):
        fix = 'the server may not begin with TLS here: use port 993, or security = "starttls"'
    return Trouble(Step.ENCRYPT, f"{host}:{port}: {words_of(error)}", fix)
