"""How an agent proves to the listener who he is: SMTP AUTH (RFC 4954), PLAIN (RFC 4616) and LOGIN; no I/O.

A password is heard under TLS, or from this machine itself. Who is logged in may send in his own name only, and to
nobody else than others may: it is a proof, and no right to relay.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

MOST_FAILURES: Final = 5  # of a session
USER_PLEASE: Final = "334 VXNlcm5hbWU6"  # "Username:"
PASSWORD_PLEASE: Final = "334 UGFzc3dvcmQ6"  # noqa: S105 - "Password:"

WELCOME: Final = "235 2.7.0 You are logged in"
WRONG: Final = "535 5.7.8 Name or password is wrong"
CANCELLED: Final = "501 5.7.0 The login was cancelled"
MALFORMED: Final = "501 5.5.2 That is no answer in base64"
TOO_MANY: Final = "421 4.7.0 Too many failed logins"
NOT_NOW: Final = "454 4.7.0 Too many failed logins from your address, please try again later"
NO_PASSWORD: Final = "454 4.7.0 The login cannot be checked now, please try again later"  # noqa: S105 - a reply
IN_THE_CLEAR: Final = "538 5.7.11 A password is heard under TLS only: STARTTLS comes first"


@dataclass(frozen=True, slots=True)
class Logins:
    """Who may log in."""

    offered: Callable[[], bool]  # in the listener's own thread: it may not wait
    # Returns the agent's normalised address, None if name or password is wrong; may wait, in a thread of its own.
    # Raises config.passwords.NoPassword if it cannot be known now.
    check: Callable[[str, str], str | None]


class Credentials(NamedTuple):
    """What a client says of itself."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(...)"  # a password is never shown


def decoded(answer: str) -> str | None:
    """Return what a client answered in base64, None if it is none; "=" is an empty answer (RFC 4954 4)."""
    if answer == "=":
        return ""
    try:
        return base64.b64decode(answer.encode("ascii"), validate=True).decode()
    except (UnicodeError, binascii.Error):
        return None


def plain(answer: str) -> Credentials | None:
    """Return what an answer of PLAIN says, None if it is malformed or asks to act for somebody else."""
    said = decoded(answer)
    parts = said.split("\0") if said is not None else []
    if len(parts) != 3 or not parts[1]:
        return None
    acting_for, user, password = parts
    return Credentials(user, password) if acting_for in ("", user) else None
