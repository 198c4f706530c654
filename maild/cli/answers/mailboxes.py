"""How it goes to read a mailbox, as an operator sees it."""

from functools import partial

from maild.cli.access import now
from maild.config import Settings
from maild.config.connections import Mailbox
from maild.oauth.tokens import Tokens
from maild.services.imap_poller.probe import Probe, probe
from maild.services.imap_poller.progress import known
from maild.store.engine import Database


def probed(database: Database, settings: Settings, mailbox: Mailbox) -> Probe:
    """Return how all steps of reading a mailbox go, up to the first that fails; nothing is fetched."""
    return probe(
        mailbox, Tokens(database, settings, partial(now, database)), known(database, mailbox.name, mailbox.folder)
    )


def counted(found: Probe) -> str:
    """Return how many mails would be fetched, in words."""
    if found.mails is None or found.taken is None:
        return ""
    left = found.mails - found.taken
    return f"of {found.mails} mails {found.taken} would be fetched, {left} are left alone or here already"
