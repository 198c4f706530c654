"""How long a process that died is not begun again."""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

SHORTEST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0


class _Pause(NamedTuple):
    deaths: int
    until_s: float  # monotonic


class Pauses:
    """Longer for each time that a process of this name died without having been of use."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def begin(self, name: str, *, anew: bool = False) -> float:
        """Begin the next pause, of no length if it is counted `anew`; return how long it is, in seconds."""
        deaths = 0 if anew or name not in self._pauses else self._pauses[name].deaths
        pause_s = min(SHORTEST_PAUSE_S * 2 ** (deaths - 1), LONGEST_PAUSE_S) if deaths else 0.0
        self._pauses[name] = _Pause(deaths + 1, time.monotonic() + pause_s)
        return pause_s

    def is_over(self, name: str) -> bool:
        """Return whether it may be begun."""
        return name not in self._pauses or time.monotonic() >= self._pauses[name].until_s

    def ends_s(self) -> Iterator[float]:
        """Give when the pauses of now are over, on the monotonic clock."""
        now_s = time.monotonic()
        return (pause.until_s for pause in self._pauses.values() if pause.until_s > now_s)
