"""Who gets in by the listener: to which addresses mail is taken, and whose name and password are right."""

import hashlib
import hmac
import os

from maild.config import Settings
from maild.message.address import normalise
from maild.message.tokens import signed_part


def accepts(settings: Settings, address: str) -> bool:
    """Return whether mail to `address` is ours: a department, a signed form of it, or its domain's postmaster."""
    if settings.department_of(address) is not None or signed_part(address, settings.ours) is not None:
        return True
    local, _, domain = normalise(address).rpartition("@")  # RFC 5321 4.5.1: postmaster is always there
    return local == "postmaster" and any(each.endswith("@" + domain) for each in settings.ours)


def agent_login(settings: Settings, user: str, password: str) -> str | None:
    """Return the address, normalised, of the agent whose name and password these are; None if they are nobody's.

    Raises:
        maild.config.passwords.NoPassword: his password cannot be had now.
    """
    agent = settings.agent_of(user)
    wanted = agent.password() if agent else None
    expected = wanted.get_secret_value().encode() if wanted else os.urandom(32)
    genuine = hmac.compare_digest(hashlib.sha256(password.encode()).digest(), hashlib.sha256(expected).digest())
    return normalise(agent.address) if agent and genuine else None
