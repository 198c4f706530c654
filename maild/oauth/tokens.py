"""The tokens of accounts: kept in the table `token`, and renewed by one thread of one node at a time."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import or_, select, update

from maild.config import Settings
from maild.config.login import OAuth
from maild.config.passwords import NoPassword
from maild.oauth.provider import LOG_IN, NoToken, Post, check, client, post
from maild.store.engine import Database
from maild.store.models import TokenRow
from maild.store.upsert import upsert

log = structlog.get_logger("maild.oauth")

EARLY: Final = timedelta(minutes=2)  # a token that ends so soon is renewed before it is used
USUAL_LIFE_S: Final = 3600  # RFC 6749 5.1 only recommends that the provider says it
RENEWING: Final = timedelta(seconds=90)  # must exceed ANSWER_S: then another may try
LOOK_AGAIN_S: Final = 0.25


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
                raise NoToken("another process renews the token, and does not get done", passing=True)
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
        check(answer)
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
            check(answer)
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


def _name(application: str, user: str) -> str:
    return f"{user} by {application}"


def _form(known: OAuth, refresh_token: str) -> dict[str, str]:
    form = {"scope": " ".join(known.scopes), **client(known)}
    if known.flow == "client-credentials":
        return {"grant_type": "client_credentials", **form}
    return {"grant_type": "refresh_token", "refresh_token": refresh_token, **form}
