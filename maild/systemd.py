"""systemd's notification, watchdog and socket-passing protocols (sd_notify(3), sd_listen_fds(3)).

No library: the protocol is a datagram. Outside systemd every call does nothing.
"""

import os
import socket
import time


def notify(*lines: str) -> bool:
    """Tell the service manager `lines` such as READY=1; return whether one listened."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto("\n".join(lines).encode(), "\0" + path[1:] if path.startswith("@") else path)
        except OSError:
            return False  # never fail the service for its supervisor
    return True


def reloading() -> None:
    """Tell that a reload has begun; READY=1 ends it (Type=notify-reload)."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def watchdog_interval_s() -> float | None:
    """Return how often WATCHDOG=1 is to be sent, half of what is allowed; None without a watchdog."""
    allowed_us, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not allowed_us or (pid and int(pid) != os.getpid()):
        return None
    return int(allowed_us) / 1e6 / 2


def listen_sockets() -> list[socket.socket]:
    """Return the sockets that systemd opened for us, and forget them, so that they are taken once."""
    count = int(os.environ.get("LISTEN_FDS", "0")) if os.environ.get("LISTEN_PID") == str(os.getpid()) else 0
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    given = [socket.socket(fileno=3 + number) for number in range(count)]
    for each in given:
        each.set_inheritable(False)
    return given
