"""What a provider is asked and answers, in its own words where it refuses (RFC 6749 5.2)."""

import json
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

from maild.config.login import OAuth
from maild.message.compose import clean

ANSWER_S: Final = 30.0  # of a provider, in all
ANSWER_BYTES: Final = 1 << 20
LOG_IN: Final = "run: maild mailbox login NAME"  # of a mailbox, or "relay": see `NoToken.fix_for`

Post = Callable[[str, Mapping[str, str]], dict[str, Any]]


class NoToken(Exception):  # noqa: N818 - a state that the caller reports, with its reason as a sentence
    """No token can be had now; the text says why in the provider's words, `fix_for` what helps."""

    def __init__(self, words: str, fix: str = "", *, code: str = "", passing: bool = False) -> None:
        super().__init__(words)
        self._fix = fix
        self.code = code  # "invalid_grant" and so on (RFC 6749 5.2)
        self.passing = passing  # the provider cannot be reached, or gives no answer of its own

    def fix_for(self, name: str) -> str:
        """Return what helps with the mailbox of this name, or with "relay"; "" if nobody knows."""
        return "maild asks again by itself" if self.passing else self._fix.replace("NAME", name)


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
        raise NoToken(f"{host} does not answer", passing=True) from None
    if isinstance(found, dict):
        return found
    if isinstance(found, urllib.error.HTTPError) and found.code >= 500:
        raise NoToken(f"{host} answers {found.code}", passing=True) from None
    if isinstance(found, urllib.error.HTTPError):
        raise NoToken(f"{host} answers {found.code} without a reason", "check the URLs in [oauth.NAME]") from None
    if isinstance(found, ValueError):
        raise NoToken(f"{host} answers something that is not JSON", "check the URLs in [oauth.NAME]") from None
    reason = getattr(found, "reason", found)
    raise NoToken(f"{host}: {clean(str(reason), 200)}", passing=True) from None


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


def client(known: OAuth) -> dict[str, str]:
    """Return the fields by which the application names and proves itself.

    Raises:
        NoPassword: its own secret cannot be had.
    """
    secret = known.client_secret()
    return {"client_id": known.client_id, **({"client_secret": secret.get_secret_value()} if secret else {})}


def check(answer: Mapping[str, Any], wanted: str = "access_token") -> None:
    """See that an answer has what was `wanted`.

    Raises:
        NoToken: it is a refusal (RFC 6749 5.2), told in the provider's own words.
    """
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
