"""A desk put together: configuration and database become services that can be stepped; no threads.

The daemon runs it, and commands, the demo and the tests use it as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from maild import clock
from maild.config import Settings
from maild.desk import Desk
from maild.message import reading
from maild.message.tokens import Keys
from maild.outbox.held import Questions
from maild.outbox.posting import Outbox
from maild.outbox.replies import Replies
from maild.services.filer import Ask, Authenticator, Filer
from maild.services.filer.rederiving import Rederiver
from maild.services.indexer import Indexer
from maild.services.keeper import Keeper
from maild.services.mornings import Mornings
from maild.services.scheduler import Scheduler
from maild.services.sender import Sender
from maild.store import keys as signing_keys
from maild.store.engine import Database
from maild.templates import Templates

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Works:
    """A desk put together, without threads."""

    settings: Settings
    database: Database
    keys: Keys
    templates: Templates
    desk: Desk
    filer: Filer
    scheduler: Scheduler
    sender: Sender
    indexer: Indexer
    keeper: Keeper
    mornings: Mornings


def assemble(settings: Settings, database: Database, now: Clock, ask: Ask | None = None) -> Works:
    """Put a desk together on a migrated database; `ask` stands for the DNS in tests.

    Raises:
        maild.templates.BrokenTemplatesError: a template cannot be used.
    """
    keys = signing_keys.load(database, now())
    templates = _templates(settings)
    desk = Desk(settings, Outbox(settings, templates, keys))
    organisation = _organisation()
    known = _known(settings, keys, organisation)
    senders = Authenticator(settings, organisation, ask or _dns())
    questions = Questions(settings, templates, keys)
    replies = Replies(settings, templates, keys)
    return Works(
        settings,
        database,
        keys,
        templates,
        desk,
        Filer(
            database,
            settings,
            desk,
            known,
            now,
            senders,
            questions,
            replies,
            templates.prepared,
            languages=templates.languages,
        ),
        Scheduler(database, desk, now, settings, now if isinstance(now, clock.Clock) else None),
        Sender(database, settings, desk, keys, now),
        Indexer(database, now),
        Keeper(database, settings, now),
        Mornings(database, settings, replies, now),
    )


def desk_of(settings: Settings, database: Database, now: Clock) -> Desk:
    """Return the desk alone.

    Raises:
        maild.templates.BrokenTemplatesError: a template cannot be used.
    """
    keys = signing_keys.load(database, now())
    return Desk(settings, Outbox(settings, _templates(settings), keys))


def rederiver(settings: Settings, database: Database, now: datetime) -> Rederiver:
    """Return what reads mails again that were read before."""
    return Rederiver(settings, _known(settings, signing_keys.load(database, now), _organisation()))


def load() -> None:
    """Load what each desk needs, whatever its configuration, so that the next is put together within milliseconds."""
    _packed_templates().warm()
    _organisation()
    _dns()


def _templates(settings: Settings) -> Templates:
    own = settings.maild.templates
    return _packed_templates() if own is None else Templates(own)


@cache
def _packed_templates() -> Templates:
    return Templates()


def _known(settings: Settings, keys: Keys, organisation: Callable[[str], str | None] | None) -> reading.Known:
    return reading.Known(keys, settings.ours, settings.maild.authserv_id, organisation)


def _dns() -> Ask | None:
    """Return what asks the DNS, None without the extra `auth`."""
    try:
        import dkim  # noqa: F401, PLC0415 - an extra; without it there is nothing to ask for

        from maild.services.filer.resolver import Resolver  # noqa: PLC0415 - as above
    except ImportError:
        return None
    return Resolver().ask


@cache
def _organisation() -> Callable[[str], str | None] | None:
    """Return what tells the organisation of a domain, None without the extra `auth`."""
    try:
        from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    organisation: Callable[[str], str | None] = PublicSuffixList().privatesuffix
    return organisation
