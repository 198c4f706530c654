"""The channel between the daemon and a worker: a message is a line of JSON."""

import json
import socket
import threading
from collections.abc import Mapping
from typing import Any, Final

PIECE: Final = 1 << 16


class HungUp(Exception):  # noqa: N818 - nothing failed: the other one has ended
    """The other end of the channel is gone."""


class Channel:
    """One end. Several threads may speak; one listens."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._speaking = threading.Lock()
        self._held = b""

    def fileno(self) -> int:
        """Return the descriptor, for whoever waits on several lines."""
        return self._socket.fileno()

    def say(self, **message: Any) -> None:
        """Send a message; waits while the other end does not listen.

        Raises:
            HungUp: nobody is there.
        """
        content = _written(message)
        try:
            with self._speaking:
                self._socket.sendall(content)
        except OSError as error:
            raise HungUp(str(error)) from None

    def mention(self, **message: Any) -> None:
        """Send a message if that needs no waiting: where it does, many are there that have not been heard yet."""
        content = _written(message)
        try:
            with self._speaking:
                self._socket.send(content, socket.MSG_DONTWAIT)  # a message as short as these goes whole or not at all
        except OSError:
            return  # whoever is gone is seen to be gone by the one who listens

    def hear(self) -> list[Mapping[str, Any]]:
        """Return the messages that came, at least one piece of them; waits for it.

        Raises:
            HungUp: there will be no more.
        """
        try:
            piece = self._socket.recv(PIECE)
        except OSError:
            piece = b""
        if not piece:
            raise HungUp("the channel has ended")
        *whole, self._held = (self._held + piece).split(b"\n")
        return [json.loads(each) for each in whole]

    def hang_up(self) -> None:
        """Hear no more: whoever waits in `hear` is told that the channel has ended."""
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            return

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def _written(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
