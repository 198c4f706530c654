"""When an agent's digest is sent: once a day, from his hour on, and not after noon."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

NOON: Final = time(12)  # a digest that was missed by then is dropped: the day is no morning any more


def is_time(now: datetime, zone: ZoneInfo, at: time, last: datetime | None) -> bool:
    """Return whether somebody in `zone` is to get today's digest, who gets it from `at` on and got one at `last`."""
    local = now.astimezone(zone)
    if not at <= local.time() < NOON:
        return False
    return last is None or last.astimezone(zone).date() < local.date()


def day(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the day that it is in `zone` began, and when it ends."""
    midnight = datetime.combine(now.astimezone(zone).date(), time(0), zone)
    return midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
