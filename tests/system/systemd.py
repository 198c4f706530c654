"""What systemd is told, by a socket that stands for it."""

import socket
from pathlib import Path


class NotifySocket:
    """Stands for systemd."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(30)

    def until(self, word: str) -> list[str]:
        """Return what was told up to the message with `word`."""
        told: list[str] = []
        while not any(word in each for each in told):
            told.append(self._socket.recv(4096).decode())
        return told

    def close(self) -> None:
        self._socket.close()
