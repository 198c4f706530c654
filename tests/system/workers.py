"""A daemon whose workers are not as they should be.

python -m tests.system.workers deadly CONFIG      they die of a mail with DEADLY in it, as of a parser's fault
python -m tests.system.workers none CONFIG        there are none to be had
python -m tests.system.workers impatient CONFIG   asked each second how they are: who hangs is seen soon
"""

import os
import signal
import sys
from pathlib import Path

from maild import logs

DEADLY = b"DEADLY"


def daemon(kind: str, config: Path) -> int:
    """Be the daemon."""
    from maild.daemon import serve
    from maild.workers import supervisor
    from maild.workers.spawning import ForkServer

    logs.configure()
    supervisor.ASKED_EVERY_S = 1.0 if kind == "impatient" else supervisor.ASKED_EVERY_S
    words = {"deadly": [sys.executable, "-m", "tests.system.workers", "fork-server"], "none": ["/no/such/program"]}
    return serve(config, print, fork_server=ForkServer(words.get(kind)))


def fork_server() -> int:
    """Be a fork server whose workers are of the deadly kind."""
    from maild.message import reading
    from maild.workers import forkserver, start

    read = reading.read

    def reads(raw: bytes, *more: object) -> object:
        if DEADLY in raw:
            os.kill(os.getpid(), signal.SIGSEGV)
        return read(raw, *more)

    reading.read = reads
    return forkserver.main(start.way_to_the_daemon())


if __name__ == "__main__":
    sys.exit(fork_server() if sys.argv[1] == "fork-server" else daemon(sys.argv[1], Path(sys.argv[2])))
