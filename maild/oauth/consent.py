"""A person lets maild in, once: by a code that he types in, or by a page whose last address he pastes.

device   RFC 8628: a code is shown, a person types it in on the provider's page
browser  RFC 6749 4.1 with PKCE (RFC 7636): a page is opened, the address it ends at is pasted back
"""

import base64
import hashlib
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from maild.config.login import OAuth
from maild.oauth.provider import NoToken, Post, check, client, post

REDIRECT: Final = "http://127.0.0.1:53682/"  # nobody listens there: the page's address is all that is needed
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOW_DOWN_S: Final = 5.0  # RFC 8628 3.5


@dataclass(frozen=True, slots=True)
class Device:
    """What a person needs to let maild in, and how to ask whether he did."""

    url: str
    user_code: str
    device_code: str
    interval_s: float
    lasts_s: float


@dataclass(frozen=True, slots=True)
class Consent:
    """A page that a person opens, and what the page's last address must carry."""

    url: str
    state: str
    verifier: str


def begin_device(known: OAuth, post: Post = post) -> Device:
    """Ask for a code that a person types in.

    Raises:
        NoToken: the provider gives none.
        NoPassword: the application's own secret cannot be had.
    """
    answer = post(known.device_url or "", {"client_id": known.client_id, "scope": " ".join(known.scopes)})
    check(answer, "device_code")
    url = answer.get("verification_uri") or answer.get("verification_url")  # Google's name for it
    if not url or not answer.get("user_code"):
        raise NoToken("the provider gives no code to type in")
    interval_s, lasts_s = (float(answer.get(key) or usual) for key, usual in (("interval", 5), ("expires_in", 900)))
    return Device(str(url), str(answer["user_code"]), str(answer["device_code"]), interval_s, lasts_s)


def finish_device(known: OAuth, device: Device, wait: Callable[[float], object], post: Post = post) -> dict[str, Any]:
    """Return what the provider answers once the person has let maild in; `wait` is called with seconds.

    Raises:
        NoToken: he did not, or not in time.
        NoPassword: the application's own secret cannot be had.
    """
    form = {"grant_type": DEVICE_GRANT, "device_code": device.device_code, **client(known)}
    interval_s, waited_s = device.interval_s, 0.0
    while waited_s < device.lasts_s:
        wait(interval_s)
        waited_s += interval_s
        try:
            answer = post(known.token_url, form)
        except NoToken as error:
            if not error.passing:
                raise
            interval_s *= 2  # RFC 8628 3.5: the person may be typing all the same
            continue
        match answer.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval_s += SLOW_DOWN_S
            case _:
                check(answer)
                return answer
    raise NoToken("the code was not typed in in time", "try again")


def begin_browser(known: OAuth, user: str) -> Consent:
    """Return the page on which a person lets maild in."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": known.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": " ".join(known.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": user,
        "access_type": "offline",  # Google gives a refresh token only so, and only with a fresh consent
        "prompt": "consent",
    }
    return Consent(f"{known.authorize_url}?{urllib.parse.urlencode(query)}", state, verifier)


def finish_browser(known: OAuth, consent: Consent, address: str, post: Post = post) -> dict[str, Any]:
    """Return what the provider answers to the address at which the page ended.

    Raises:
        NoToken: the address carries no code, or the provider refuses it.
        NoPassword: the application's own secret cannot be had.
    """
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address.strip()).query))
    if "error" in query:
        check(query)
    if "code" not in query:
        raise NoToken("that address carries no code", "paste the whole address of the page that could not be shown")
    if query.get("state") != consent.state:
        raise NoToken("that address belongs to another login", "open the page again, and paste the address it ends at")
    form = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": consent.verifier,
        **client(known),
    }
    answer = post(known.token_url, form)
    check(answer)
    return answer
