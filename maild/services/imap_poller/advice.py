"""What helps, by what a server says: the words of the large providers, and the codes of RFC 5530.

The words are those that the servers were seen to say; `wait_s` is how long to leave a server alone that asks for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

LONGEST_WAIT_S: Final = 3600.0  # that is taken from a server
BUSY_S: Final = 300.0  # for one that says that it is too much, and not for how long

_BROWSER: Final = "log in to the account once in a web browser and confirm there that it was you; then it works again"
_APP_PASSWORD: Final = "make an app password in the account's security settings, and give maild that one"  # noqa: S105 - words
_SWITCH_ON: Final = "switch IMAP on in the settings of the account; in a company its administrator may have to"
_NO_MAILBOX: Final = (
    "the log-in is right, but opens no mailbox: `user` must be the mailbox's own address, with a licence, and IMAP"
    " switched on; with oauth the one who logged in must be allowed to open it"
)
_TOO_MANY: Final = (
    "other programs are logged in to the account, too: end some of them; maild needs one connection a mailbox"
)
_TOO_MUCH: Final = "the provider slows the account down; maild waits and goes on by itself, nothing is lost"
_LATER: Final = "a fault at the provider, which should pass; if it lasts, ask him"

_BACKOFF: Final = re.compile(r"backoff time: (\d{1,9}) milliseconds", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Advice:
    """What an operator can do, "" if nobody knows, and how long the server wants to be left alone."""

    fix: str = ""
    wait_s: float = 0.0


_SAYINGS: Final[tuple[tuple[re.Pattern[str], Advice], ...]] = tuple(
    (re.compile(words, re.IGNORECASE), advice)
    for words, advice in (
        (r"app(lication)?[- ]specific password|app password|InvalidSecondFactor", Advice(_APP_PASSWORD)),
        (r"web ?login|web browser|\[WEBALERT", Advice(_BROWSER)),
        (
            r"not enabled for IMAP|enable IMAP|IMAP (access )?(is )?(not enabled|disabled|deactivated)",
            Advice(_SWITCH_ON),
        ),
        (r"BasicAuth|basic authentication", Advice("passwords are switched off there: use oauth")),
        (r"authenticated but not connected", Advice(_NO_MAILBOX)),
        (
            r"too many .*connections|(connections?|sessions?) limit|maximum number of connections",
            Advice(_TOO_MANY, 60.0),
        ),
        (
            r"throttled|bandwidth|rate limit|too many (requests|commands|logins)|\[(OVERQUOTA|LIMIT)\]",
            Advice(_TOO_MUCH, BUSY_S),
        ),
        (r"\[EXPIRED\]|password (has )?expired", Advice("the password has expired: set a new one at the provider")),
        (
            r"\[(CONTACTADMIN|AUTHORIZATIONFAILED)\]",
            Advice("the provider must allow it: ask him, or the account's administrator"),
        ),
        (r"\[PRIVACYREQUIRED\]", Advice('use security = "tls" or "starttls"')),
        (r"\[(UNAVAILABLE|INUSE|SERVERBUG)\]|server unavailable|internal (server )?error|system error", Advice(_LATER)),
    )
)

_PROVIDERS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (
        ("gmail.com", "googlemail.com", "google.com"),
        "Google takes an app password (Google account, Security, 2-Step Verification) or oauth, not the usual password",
    ),
    (
        ("office365.com", "outlook.com", "live.com", "hotmail.com"),
        "Microsoft takes no passwords by IMAP: use oauth, and log in by maild mailbox login NAME",
    ),
    (
        ("yahoo.com", "aol.com"),
        "Yahoo and AOL take an app password (Account security, Generate app password), not the usual one",
    ),
    (
        ("me.com", "icloud.com"),
        "Apple takes an app-specific password (account.apple.com, Security); user is the part before @icloud.com",
    ),
    (
        ("gmx.net", "gmx.com", "gmx.de", "gmx.at", "gmx.ch", "web.de"),
        "switch IMAP on first (in the web mailbox: Settings, POP3/IMAP); with two-factor log-in make an app password",
    ),
    (
        ("t-online.de",),
        "Telekom wants the password for e-mail programs, set in its customer center, not the one of the log-in",
    ),
    (
        ("yandex.com", "yandex.ru", "mail.ru", "zoho.com", "zoho.eu", "fastmail.com"),
        "check that IMAP is switched on in the mailbox's settings, and make an app password there",
    ),
)


def of_words(words: str) -> Advice:
    """Return what helps against what a server said."""
    advice = next((each for pattern, each in _SAYINGS if pattern.search(words)), Advice())
    asked = _BACKOFF.search(words)
    return Advice(advice.fix, min(int(asked[1]) / 1000, LONGEST_WAIT_S)) if asked else advice


def of_login(host: str, mailbox: str) -> str:
    """Return what helps when the provider at `host` does not take user and password."""
    for domains, fix in _PROVIDERS:
        if any(host.lower() == each or host.lower().endswith(f".{each}") for each in domains):
            return fix.replace("NAME", mailbox)
    return "check user and password; many providers want an app password, or IMAP switched on in the account's settings"


def of_folder(wanted: str, folders: Sequence[str], mailbox: str) -> str:
    """Return what helps when there is no folder `wanted`: the name that was meant, or where all are."""
    small = {each.casefold(): each for each in folders}
    same_end = [each for key, each in small.items() if re.split(r"[./\\]", key)[-1] == wanted.casefold()]
    meant = same_end or [small[each] for each in get_close_matches(wanted.casefold(), small, n=1, cutoff=0.7)]
    nearest = f'did you mean "{meant[0]}"? ' if meant else ""
    return f"{nearest}All names: maild mailbox folders {mailbox}"
