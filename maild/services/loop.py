"""How every service runs: step until stop; a bell for promptness, a look now and then for certainty."""

import gc
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

log = structlog.get_logger("maild.services")

LONGEST_PAUSE_S: Final = 60.0


class ServiceState(NamedTuple):
    """How a service is doing."""

    name: str
    working: bool  # False: its last step failed, or it hangs
    steps: int


def settle() -> None:
    """Let the collector of garbage pass over what is there by now: at every group it would take a tenth of filing.

    It is off while modules are loaded, which are no garbage and take a quarter longer to load with it.
    """
    gc.freeze()
    gc.enable()


class Bell:
    """Wakes a waiting loop; ringing it while the loop works makes the loop look once more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """Wake the loop."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Wait for the bell, at most `seconds`, and silence it."""
        self._event.wait(seconds)
        self._event.clear()


class Loop(threading.Thread):
    """A thread that calls `step` until it is stopped.

    A step returns the seconds that it may sleep when it found nothing to do (the bell ends that early), or 0 to be
    called again, after `rest_s()`: what comes meanwhile is then done at one go. A step that raises is logged and tried
    again after a pause that doubles up to LONGEST_PAUSE_S, so a database that is away is asked seldom and a service
    never dies.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        bell: Bell | None = None,
        *,
        pause_s: float = 1.0,
        rest_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._step = step
        self._pause_s = pause_s
        self._rest_s = rest_s
        self._halt = threading.Event()
        self.bell = bell or Bell()
        self.steps = 0  # for the watchdog: counts up as long as the loop turns
        self.working = False
        self.failing: str | None = None  # what the last step died of

    def run(self) -> None:
        """Step until stopped."""
        pause_s = self._pause_s
        while not self._halt.is_set():
            self.working = True
            try:
                idle_s = self._step()
            except Exception as error:
                self.failing = f"{type(error).__name__}: {error}"
                log.exception("step failed", service=self.name, next_try_s=round(pause_s))
                self.working = False
                self.bell.wait(0)
                self._halt.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            finally:
                self.steps += 1
            self.working = False
            self.failing = None
            pause_s = self._pause_s
            if idle_s > 0 and not self._halt.is_set():
                self.bell.wait(idle_s)
            elif rest_s := self._rest_s():
                self._halt.wait(rest_s)

    def stop(self) -> None:
        """Ask the loop to end after its present step; `join` waits for it."""
        self._halt.set()
        self.bell.ring()
