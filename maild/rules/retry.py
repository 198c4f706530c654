"""When something that failed is tried again: backoff that is stored, not slept.

    outgoing mail   1 min, 5 min, 15 min, 1 h after the first tries, then every hour, for five days (RFC 5321 4.5.4.1);
                    the last try is made when these are over
    inbound mail    at once, 60 s, 600 s: a mail that cannot be filed three times is set aside, never dropped

`attempts` is the number of tries so far, this one included, and `jitter`, from 0 up to 1, is drawn by the caller, so
that what failed together is not tried again together. All instants are aware UTC.
"""

from datetime import datetime, timedelta
from typing import Final

SENDING_WAITS: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
)
SENDING_LASTS: Final = timedelta(days=5)
SENDING_TRIES: Final = 200  # more than five days hold: ends it should the clock have been set back
JITTER: Final = 0.2  # a wait is between 90 % and 110 % of what the table says

FILING_WAITS: Final = (timedelta(0), timedelta(seconds=60), timedelta(seconds=600))


def next_try(attempts: int, first_tried_at: datetime, now: datetime, jitter: float) -> datetime | None:
    """Return when a mail that could not be sent is tried again, None to give up."""
    ends_at = first_tried_at + SENDING_LASTS
    if now >= ends_at or attempts >= SENDING_TRIES:
        return None
    wait = SENDING_WAITS[min(max(attempts, 1), len(SENDING_WAITS)) - 1]
    return min(now + wait * (1 - JITTER / 2 + JITTER * jitter), ends_at)


def next_filing(attempts: int, now: datetime) -> datetime | None:
    """Return when a mail that could not be filed is tried again, None to set it aside."""
    return now + FILING_WAITS[attempts] if attempts < len(FILING_WAITS) else None
