"""What a mail of ours may be for, as far as it matters where it goes; all that the sender knows of letters."""

from typing import Final

from maild.rules.state import Tell

SOURCE: Final = "maild"  # of mails that no person wrote
TO_AGENTS: Final = frozenset(
    {
        Tell.NOTIFICATION,
        Tell.WAITING,
        Tell.BREACHED,
        Tell.ESCALATED,
        Tell.RATED,
        Tell.HANDED_OVER,
        Tell.SHOWN,
        Tell.COLLISION,
        Tell.TRANSCRIPT,
        Tell.UNDELIVERED,
        Tell.RETURNED,
    }
)
