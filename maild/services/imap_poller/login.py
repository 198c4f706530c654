"""Logging in to a mailbox: by its password, or by a token that its provider gives."""

from maild.config.connections import Mailbox
from maild.config.passwords import NoPassword
from maild.oauth.provider import NoToken
from maild.oauth.tokens import Tokens
from maild.services.imap_poller.connection import Connection
from maild.services.imap_poller.trouble import Step, Trouble


def log_in(connection: Connection, mailbox: Mailbox, tokens: Tokens) -> None:
    """Log in to a server that was greeted.

    Raises:
        Trouble: password or token cannot be had, or the server does not take it.
    """
    if mailbox.oauth is not None:
        _by_token(connection, mailbox, mailbox.oauth, tokens)
        return
    try:
        password = mailbox.password()
    except NoPassword as error:
        raise Trouble(Step.PASSWORD, str(error), "see [[mailbox]] in the configuration") from error
    connection.log_in(mailbox.user or "", password.get_secret_value() if password else "")


def _by_token(connection: Connection, mailbox: Mailbox, application: str, tokens: Tokens) -> None:
    user = mailbox.user or ""
    try:
        token = tokens.access_token(application, user)
    except NoToken as error:
        raise Trouble(Step.PASSWORD, str(error), error.fix_for(mailbox.name)) from error
    try:
        connection.log_in_by_token(user, token)
    except Trouble as trouble:
        if trouble.refused:  # withdrawn before its time: the next try asks for a new one
            tokens.refused(application, user, token)
        raise
