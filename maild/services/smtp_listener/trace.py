"""The `Received` header field that a mail gets on its way in (RFC 5321 4.4); no I/O."""

import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

_ODD = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


def received(*, name: str, peer: str, hostname: str, protocol: str, recipients: Sequence[str], at: datetime) -> bytes:
    """Return the field, with its line end, for a mail from the client `peer` that called itself `name`.

    `protocol` is a word of the registry of RFC 3848. A recipient is named only if there are no others to give away.
    """
    shown = _ODD.sub("?", name)[:255]
    address = f" ([{'IPv6:' if ':' in peer else ''}{peer}])" if peer else ""
    only = recipients[0] if len(recipients) == 1 else ""
    given = f"\r\n\tfor <{only}>" if only and only.isascii() and only.isprintable() and " " not in only else ""
    return (
        f"Received: from {shown}{address}\r\n\tby {hostname} (maild) with {protocol}{given};"
        f"\r\n\t{format_datetime(at)}\r\n"
    ).encode("ascii", errors="replace")
