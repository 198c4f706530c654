"""Brings what the inbox's thread answers to the loop of the sessions: one wake-up for all that a commit answers."""

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

from maild.inbox import Stored


class Answers:
    """Turns futures of threads into futures of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrived: deque[tuple[asyncio.Future[Stored], Future[Stored]]] = deque()

    def of(self, future: Future[Stored]) -> asyncio.Future[Stored]:
        """Return what will be done when `future` is; cancelling it does not touch `future`."""
        waiting = self._loop.create_future()
        future.add_done_callback(lambda done: self._arrive(waiting, done))
        return waiting

    def _arrive(self, waiting: asyncio.Future[Stored], done: Future[Stored]) -> None:
        """Note an answer (in the inbox's thread), and wake the loop unless it has been woken for an earlier one."""
        self._arrived.append((waiting, done))
        if len(self._arrived) == 1:  # else the loop has not been through yet, and will come to this one too
            with suppress(RuntimeError):  # the loop is closed: the listener stopped, and nobody waits
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._arrived:
            waiting, done = self._arrived.popleft()
            if waiting.done():  # cancelled: the client is gone
                continue
            error = done.exception()
            if error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())
