"""A worker, as the daemon sees it: its process, its channel, and what it last told."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from maild.services.loop import ServiceState
from maild.workers.channel import Channel

FIRST: Final = "worker"  # the one that is always there; it does more than file
ENDING_S: Final = 5.0  # from the end of the channel to the end of the process
CROWDED_S: Final = 0.05  # of filing without a break
HANG_S: Final = 300.0  # a step of a worker that takes longer is not waited for
LONGEST_FILING_S: Final = 150.0  # what is filed later than that is void: the lease is over
MOST_UNANSWERED: Final = 6  # questions how it is, in a row


class Child:
    """One process that works for the daemon."""

    def __init__(self, number: int, name: str, channel: Channel, configuration: str) -> None:
        self.number = number  # by which the fork server knows it
        self.name = name
        self.channel = channel
        self.configuration = configuration  # for which it was begun, as it was read
        self.ready = False
        self.refused: str | None = None
        self.leaving = False  # it was told to stop
        self.fence: datetime | None = None  # of what it has claimed
        self.begun: Sequence[int] = ()  # mails that it is filing
        self.groups = 0  # of mails that it has filed without a break
        self.useful = False  # it has filed mails since it was begun
        self.idle_since_s: float | None = None  # monotonic; None while it files
        self.busy_since_s = time.monotonic()
        self.unanswered = 0
        self.state: Sequence[Sequence[Any]] = ()  # of each loop: name, steps, whether it works, what it failed of
        self.pid: int | None = None  # None until it is forked
        self.exit_status: int | None = None  # with which it ended
        self.orphaned = False  # the fork server is gone, so that nobody will know with which status
        self.silent_since_s: float | None = None  # monotonic; when its channel ended
        self._process: int | None = None  # means this process and no later one of the same number
        self._progress: dict[str, tuple[int, float]] = {}

    def forked(self, pid: int, process: int) -> None:
        """Note as which process it was begun."""
        self.pid, self._process = pid, process

    def is_alike(self, other: "Child") -> bool:
        """Return whether both are of one reading of the configuration: at each the templates are read anew, too."""
        return self.configuration is other.configuration

    @property
    def ended(self) -> bool:
        """Whether there is no more to be heard of it."""
        return self.silent_since_s is not None and (self.exit_status is not None or self.orphaned)

    def note(self, message: Mapping[str, Any], now_s: float) -> None:
        """Note what the worker told of its work."""
        if "claims" in message:
            self.fence, self.begun = datetime.fromisoformat(message["claims"]), ()
            if self.idle_since_s is not None:
                self.idle_since_s, self.busy_since_s = None, now_s
        elif "begins" in message:
            self.begun = message["begins"]
        elif "did" in message and message["did"] != "ticked":
            self.fence, self.begun = None, ()
            self.useful = self.useful or message["did"] == "filed"
            self.groups = self.groups + 1 if message["did"] == "filed" else 0
            self.idle_since_s = now_s if message["did"] == "idle" else None
        elif "state" in message:
            self.unanswered = 0
            self.state = message["state"]

    def crowded(self, now_s: float) -> bool:
        """Return whether more mails wait than it files: it begins another group, having filed without a break."""
        return self.ready and self.groups > 0 and len(self.begun) > 0 and now_s - self.busy_since_s > CROWDED_S

    def services(self) -> Sequence[ServiceState]:
        """Return how its loops are doing."""
        return [ServiceState(name, failing is None, steps) for name, steps, _, failing in self.state]

    def hangs(self, now_s: float) -> str | None:
        """Return what it hangs in, None if it turns."""
        if self.unanswered > MOST_UNANSWERED:
            return "does not answer"
        if self.silent_since_s is not None and now_s - self.silent_since_s > ENDING_S:
            return "does not end"
        for name, steps, working, _ in self.state:
            before, since_s = self._progress.get(name, (-1, 0.0))
            if steps != before or not working:
                self._progress[name] = (steps, now_s)
            elif now_s - since_s > (LONGEST_FILING_S if name.startswith("filer") else HANG_S):
                return f"{name} does not get on"
        return None

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it."""
        self.kill()
        self.channel.close()
        if self._process is not None:
            os.close(self._process)
            self._process = None

    def how(self) -> str:
        """Return how it ended."""
        if self.exit_status is None:
            return "unknown, the fork server died before it"
        return f"status {self.exit_status}" if self.exit_status >= 0 else signal.Signals(-self.exit_status).name
