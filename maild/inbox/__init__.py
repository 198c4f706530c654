"""Store a mail once, durably. Left of here nothing is decided; from here on a mail cannot be lost.

`store` writes mails in the caller's transaction. The same mail again (`message.identity`) is the same row: recipients
that are new are added to it, and whatever was done with it stays done. `GroupCommit` is how the services store: all
mails that wait go into one transaction of one writer, and each is answered after the commit. What a commit is worth,
`store.engine` says.
"""

from maild.inbox.group_commit import GroupCommit, QueueFullError, StoppedError, is_full
from maild.inbox.mail import Incoming, Spooled, Stored
from maild.inbox.rows import raw_of, store

__all__ = [
    "GroupCommit",
    "Incoming",
    "QueueFullError",
    "Spooled",
    "StoppedError",
    "Stored",
    "is_full",
    "raw_of",
    "store",
]
