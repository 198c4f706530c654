"""The program of a worker: files mails, and the first of them also does what time alone does.

Loops are those of a daemon; the channel tells what to do. When that ends, or SIGTERM comes, each loop ends after its
present step. A configuration or a template that cannot be used is told to the daemon before anything is begun.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog

from maild import clock, config, logs
from maild.services import mornings
from maild.services.loop import Bell, Loop, settle
from maild.store.engine import Database
from maild.templates import BrokenTemplatesError
from maild.workers.channel import Channel, HungUp
from maild.workers.child import FIRST
from maild.works import Works, assemble

log = structlog.get_logger("maild.worker")

GATHERING_S: Final = 0.01  # between two groups of mails: a group costs the same for one mail as for twenty
PATIENCE_S: Final = 100.0  # for the present steps, when the daemon is gone
EX_CONFIG: Final = 78


class Worker:
    """Works until it is told to stop."""

    def __init__(self, name: str, works: Works, channel: Channel, facts: logs.Facts, now: clock.Clock) -> None:
        self._works = works
        self._channel = channel
        self._facts = facts
        self._told: dict[tuple[str, str], int] = {}
        self._now = now
        self._stored, self._ticked, self._spoken = Bell(), Bell(), Bell()
        works.filer.overseer = self
        self._rehearsed = False
        if name != FIRST:
            self._loops = [Loop(name, self._file, self._stored, rest_s=self._gathering_s)]
            return
        works.scheduler.every(mornings.EVERY_S, "mornings", works.mornings.step)
        self._loops = [
            Loop("filer", self._file, self._stored, rest_s=self._gathering_s),
            Loop("indexer", works.indexer.step, self._spoken, rest_s=lambda: GATHERING_S),
            Loop("scheduler", self._tick, self._ticked),
            Loop("keeper", works.keeper.step),
        ]

    # What the filer tells of its present step, so that the daemon knows what a death has left behind.

    def claims(self, until: datetime) -> None:
        """Tell the fence of what is claimed next."""
        self._tell(claims=until.isoformat())

    def begins(self, mail_ids: Sequence[int]) -> None:
        """Tell which mails are being filed now."""
        self._tell(begins=list(mail_ids))

    def _tell(self, **message: Any) -> None:
        with suppress(HungUp):  # no fault of any mail; whoever hears the channel ends us after this step
            self._channel.say(**message)

    def _file(self) -> float:
        crowded = self._works.filer.crowded
        idle_s = self._works.filer.step()
        if crowded or not idle_s:
            self._follow()
        self._tell(did="idle" if idle_s else "filed")
        if idle_s and not self._rehearsed:
            self._rehearsed = True
            self._works.filer.rehearse()
        return idle_s

    def _gathering_s(self) -> float:
        """Return how long more mails are waited for before the next group; there is no need where it is full."""
        return 0.0 if self._works.filer.crowded else GATHERING_S

    def _follow(self) -> None:
        """Let those look who go on from what is filed; while more waits than a group they look by themselves."""
        if not self._works.filer.crowded:
            self._ticked.ring()
            self._spoken.ring()

    def _tick(self) -> float:
        before = self._works.database.writes
        idle_s = self._works.scheduler.step()
        if self._works.database.writes != before:  # else nothing can have been posted
            self._tell(did="ticked")
        return idle_s

    def run(self) -> int:
        """Work; return the exit status."""
        for loop in self._loops:
            loop.start()
        try:
            while True:
                for message in self._channel.hear():
                    self._hear(message)
        except HungUp:
            pass
        for loop in self._loops:
            loop.stop()
        deadline = time.monotonic() + PATIENCE_S
        for loop in self._loops:
            loop.join(max(0.1, deadline - time.monotonic()))
        if any(loop.is_alive() for loop in self._loops):
            return 1
        self._works.database.close()
        return 0

    def _hear(self, message: Mapping[str, Any]) -> None:
        if "stop" in message:
            raise HungUp("told to stop")
        if "mail" in message:
            self._stored.ring()
        if "filed" in message:
            self._follow()
        if "how" in message:
            self._now.agree(clock.belief_of(message["how"]).at)
            self._channel.say(state=self._state(), facts=self._news(), belief=clock.written(self._now.belief()))

    def _state(self) -> list[tuple[str, int, bool, str | None]]:
        return [(loop.name, loop.steps, loop.working, loop.failing) for loop in self._loops]

    def _news(self) -> list[tuple[str, str, int]]:
        """Return how often each line was logged since this was asked last."""
        counts = self._facts.counts()
        news = [(*key, count - self._told.get(key, 0)) for key, count in counts.items()]
        self._told = counts
        return [each for each in news if each[2]]


def main(given: Mapping[str, Any], channel: Channel) -> int:
    """Be a worker, as `given` says; return the exit status."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        channel.hang_up()

    signal.signal(signal.SIGTERM, leave)
    facts = logs.Facts()
    logs.configure(level=int(given["level"]), facts=facts)
    try:
        return _serve(given, channel, facts)
    except HungUp:
        return 0  # there is nobody to work for


def _serve(given: Mapping[str, Any], channel: Channel, facts: logs.Facts) -> int:
    file = Path(given["file"])
    settings = config.load(file, given["configuration"])
    now = clock.Clock()
    for message in _first(channel):
        if "go" in message:
            now.go_on(clock.belief_of(message["go"]))
    database = Database(settings.maild.database)
    try:
        works = assemble(settings, database, now)
    except BrokenTemplatesError as error:
        channel.say(refused=str(error))
        return EX_CONFIG
    settle()
    worker = Worker(str(given["name"]), works, channel, facts, now)
    channel.say(ready=os.getpid())
    return worker.run()


def _first(channel: Channel) -> Sequence[Mapping[str, Any]]:
    """Return the first messages; waits for them."""
    messages: Sequence[Mapping[str, Any]] = ()
    while not messages:
        messages = channel.hear()
    if any("stop" in message for message in messages):
        raise HungUp("told to stop")
    return messages
