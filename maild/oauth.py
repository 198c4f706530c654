"""OAuth2 tokens for logging in to mail servers: how they are had, kept and renewed.

    device              RFC 8628: a code is shown, a person types it in on the provider's page
    browser             RFC 6749 4.1 with PKCE (RFC 7636): a page is opened, the address it ends at is pasted back
    client-credentials  RFC 6749 4.4: no person; the application has a right of its own

Tokens are in the table `token`, one row for an account and an application, so mailbox and relay of one account share
it. A provider may give a new refresh token with each access token and forget the old one: both are stored in one
statement, by the one thread and node that has leased the row (`renewing_until`); all others wait for what it gets.
Nothing secret is in an error, a log or a repr; errors carry the provider's own words.
"""

import base64
import hashlib
import json
import queue
import secrets
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import or_, select, update

from maild.config import Settings
from maild.config.login import OAuth
from maild.config.passwords import NoPassword
from maild.message.compose import clean
from maild.store.engine import Database
from maild.store.models import TokenRow
from maild.store.upsert import upsert

log = structlog.get_logger("maild.oauth")

ANSWER_S: Final = 30.0  # of a provider, in all
ANSWER_BYTES: Final = 1 << 20
EARLY: Final = timedelta(minutes=2)  # a token that ends so soon is renewed before it is used
USUAL_LIFE_S: Final = 3600  # RFC 6749 5.1 only recommends that the provider says it
RENEWING: Final = timedelta(seconds=90)  # must exceed ANSWER_S: then another may try
LOOK_AGAIN_S: Final = 0.25
REDIRECT: Final = "http://127.0.0.1:53682/"  # nobody listens there: the page's address is all that is needed
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOW_DOWN_S: Final = 5.0  # RFC 8628 3.5

Post = Callable[[str, Mapping[str, str]], dict[str, Any]]


class NoToken(Exception):  # noqa: N818 - a state that the caller reports, with its reason as a sentence
    """No token can be had now; the text says why in the provider's words, `fix` what helps."""

    def __init__(self, words: str, fix: str = "", *, code: str = "") -> None:
        super().__init__(words)
        self.fix = fix
        self.code = code  # "invalid_grant" and so on (RFC 6749 5.2)


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


def post(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a provider answers to a form, its refusals too.

    Raises:
        NoToken: there is no answer within ANSWER_S, or it is not JSON.
    """
    host = urllib.parse.urlsplit(url).hostname or url
    answer: queue.SimpleQueue[dict[str, Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(_ask(url, form))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            answer.put(error)

    # The library's timeout bounds a single wait, not an answer that drips.
    threading.Thread(target=ask, name="oauth", daemon=True).start()
    try:
        found = answer.get(timeout=ANSWER_S)
    except queue.Empty:
        raise NoToken(f"{host} does not answer", "maild asks again by itself") from None
    if isinstance(found, dict):
        return found
    if isinstance(found, urllib.error.HTTPError):
        raise NoToken(f"{host} answers {found.code} without a reason", "check the URLs in [oauth.NAME]") from None
    if isinstance(found, ValueError):
        raise NoToken(f"{host} answers something that is not JSON", "check the URLs in [oauth.NAME]") from None
    reason = getattr(found, "reason", found)
    raise NoToken(f"{host}: {clean(str(reason), 200)}", "maild asks again by itself") from None


def _ask(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the configuration allows https, and http on this machine
        url, urllib.parse.urlencode(form).encode(), {"Accept": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as response:  # noqa: S310 - as above
            found = json.loads(response.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            try:
                found = json.loads(error.read(ANSWER_BYTES))
            except ValueError:
                raise error from None
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - as what is no JSON at all
    return found


class Tokens:
    """The tokens of all accounts of a configuration; may be used by several threads."""

    def __init__(self, database: Database, settings: Settings, now: Callable[[], datetime], post: Post = post) -> None:
        self._database = database
        self._applications = settings.oauth
        self._now = now
        self._post = post

    def access_token(self, application: str, user: str) -> str:
        """Return a token by which `user` may log in now; a new one is asked for if the last one is about to end.

        Raises:
            NoToken: there is none, and none can be had.
        """
        pause = threading.Event()
        give_up_at = self._now() + RENEWING
        while True:
            row = self._row(_name(application, user))
            now = self._now()
            if row is not None and row.access_token and row.expires_at and row.expires_at - EARLY > now:
                return str(row.access_token)
            found = self._renew(application, user, now)
            if found is not None:
                return found
            if now >= give_up_at:
                raise NoToken("another process renews the token, and does not get done", "maild tries again by itself")
            pause.wait(LOOK_AGAIN_S)

    def refused(self, application: str, user: str, token: str) -> None:
        """Forget an access token that a mail server did not take, so that the next one asked for is new."""
        with self._database.write() as connection:
            connection.execute(
                update(TokenRow)
                .where(TokenRow.name == _name(application, user), TokenRow.access_token == token)
                .values(access_token=None)
            )

    def keep(self, application: str, user: str, answer: Mapping[str, Any]) -> None:
        """Store what a provider answered to a login.

        Raises:
            NoToken: it is a refusal.
        """
        _check(answer)
        if "refresh_token" not in answer:
            raise NoToken(
                "the provider gives no refresh token, so maild could not log in again",
                "add the scope for it (Microsoft: offline_access), or remove the consent given before and try again",
            )
        columns = self._columns(answer, None)
        with self._database.write() as connection:
            connection.execute(
                upsert(connection, TokenRow)
                .values(name=_name(application, user), **columns)
                .on_conflict_do_update(index_elements=["name"], set_=columns)
            )

    def _row(self, name: str) -> Any:
        with self._database.read() as connection:
            return connection.execute(select(TokenRow.__table__).where(TokenRow.name == name)).one_or_none()

    def _renew(self, application: str, user: str, now: datetime) -> str | None:
        """Return a new access token, None if another thread or node is about to have one."""
        known = self._applications[application]
        name = _name(application, user)
        until = now + RENEWING
        refresh_token = self._lease(name, now, until, create=known.flow == "client-credentials")
        if refresh_token is None:
            return None
        columns: dict[str, Any] = {"renewing_until": None}
        try:
            if known.flow != "client-credentials" and not refresh_token:
                raise NoToken(f"nobody has logged in {user} yet", LOG_IN)
            answer = self._post(known.token_url, _form(known, refresh_token))
            _check(answer)
            columns = self._columns(answer, refresh_token or None)
            token: str = columns["access_token"]
        except NoPassword as error:
            raise NoToken(str(error), "see [oauth.NAME] in the configuration") from error
        finally:
            with self._database.write() as connection:
                connection.execute(
                    update(TokenRow).where(TokenRow.name == name, TokenRow.renewing_until == until).values(**columns)
                )
        log.info("token renewed", application=application, user=user, until=columns["expires_at"])
        return token

    def _lease(self, name: str, now: datetime, until: datetime, *, create: bool) -> str | None:
        """Return the refresh token ("" if there is none) once its row is ours, None while it is another's.

        Raises:
            NoToken: there is no such row.
        """
        with self._database.write() as connection:
            if create:
                connection.execute(
                    upsert(connection, TokenRow)
                    .values(name=name, changed_at=now)
                    .on_conflict_do_nothing(index_elements=["name"])
                )
            row = connection.execute(
                select(TokenRow.refresh_token, TokenRow.access_token, TokenRow.expires_at)
                .where(TokenRow.name == name)
                .with_for_update()
            ).one_or_none()
            if row is None:
                raise NoToken("nobody has logged in yet", LOG_IN)
            if row.access_token and row.expires_at and row.expires_at - EARLY > now:
                return None  # another one got it meanwhile
            free = or_(TokenRow.renewing_until.is_(None), TokenRow.renewing_until <= now)
            taken = connection.execute(update(TokenRow).where(TokenRow.name == name, free).values(renewing_until=until))
            return (row.refresh_token or "") if taken.rowcount else None

    def _columns(self, answer: Mapping[str, Any], refresh_token: str | None) -> dict[str, Any]:
        now = self._now()
        life_s = answer.get("expires_in", USUAL_LIFE_S)
        try:
            life = timedelta(seconds=float(life_s))
        except (TypeError, ValueError, OverflowError):
            life = timedelta(seconds=USUAL_LIFE_S)
        return {
            "access_token": str(answer["access_token"]),
            "expires_at": now + min(life, timedelta(days=30)),
            "refresh_token": str(answer.get("refresh_token") or refresh_token or "") or None,
            "renewing_until": None,
            "changed_at": now,
        }


LOG_IN: Final = "run: maild mailbox login NAME"


def begin_device(known: OAuth, post: Post = post) -> Device:
    """Ask for a code that a person types in.

    Raises:
        NoToken: the provider gives none.
        NoPassword: the application's own secret cannot be had.
    """
    answer = post(known.device_url or "", {"client_id": known.client_id, "scope": " ".join(known.scopes)})
    _check(answer, "device_code")
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
    form = {"grant_type": DEVICE_GRANT, "device_code": device.device_code, **_client(known)}
    interval_s, waited_s = device.interval_s, 0.0
    while waited_s < device.lasts_s:
        wait(interval_s)
        waited_s += interval_s
        answer = post(known.token_url, form)
        match answer.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval_s += SLOW_DOWN_S
            case _:
                _check(answer)
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
        _check(query)
    if "code" not in query:
        raise NoToken("that address carries no code", "paste the whole address of the page that could not be shown")
    if query.get("state") != consent.state:
        raise NoToken("that address belongs to another login", "open the page again, and paste the address it ends at")
    form = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": consent.verifier,
        **_client(known),
    }
    answer = post(known.token_url, form)
    _check(answer)
    return answer


def _name(application: str, user: str) -> str:
    return f"{user} by {application}"


def _client(known: OAuth) -> dict[str, str]:
    secret = known.client_secret()
    return {"client_id": known.client_id, **({"client_secret": secret.get_secret_value()} if secret else {})}


def _form(known: OAuth, refresh_token: str) -> dict[str, str]:
    form = {"scope": " ".join(known.scopes), **_client(known)}
    if known.flow == "client-credentials":
        return {"grant_type": "client_credentials", **form}
    return {"grant_type": "refresh_token", "refresh_token": refresh_token, **form}


def _check(answer: Mapping[str, Any], wanted: str = "access_token") -> None:
    """Raise a provider's refusal (RFC 6749 5.2) in its own words."""
    if answer.get(wanted) and isinstance(answer[wanted], str):
        return
    code = clean(str(answer.get("error") or ""), 60)
    said = clean(str(answer.get("error_description") or ""), 300)
    words = ": ".join(part for part in (code, said) if part) or f"the provider's answer has no {wanted}"
    fix = {
        "invalid_grant": f"the account's password was changed or the consent withdrawn; {LOG_IN}",
        "invalid_client": "check client_id and client_secret in [oauth.NAME]",
        "unauthorized_client": "allow this flow for the application at the provider",
        "invalid_scope": "check scopes and flow in [oauth.NAME]; Google gives access to mail by the flow browser only",
        "access_denied": "somebody said no on the provider's page",
        "expired_token": "the code was not typed in in time; try again",
    }.get(code, "")
    raise NoToken(words, fix, code=code)
