"""A daemon whose workers are not as they should be.

python -m tests.system.workers deadly CONFIG      they die of a mail with DEADLY in it, as of a parser's fault
python -m tests.system.workers none CONFIG        there are none to be had
"""

import json
import os
import signal
import sys
from pathlib import Path

from maild import logs

DEADLY = b"DEADLY"


def daemon(kind: str, config: Path) -> int:
    """Be the daemon."""
    from maild.daemon import serve

    logs.configure()
    deadly = [sys.executable, "-m", "tests.system.workers", "worker"]
    return serve(config, print, worker=deadly if kind == "deadly" else ["/no/such/program"])


def worker() -> int:
    """Be a worker of the deadly kind."""
    from maild.message import reading
    from maild.workers.worker import main

    read = reading.read

    def reads(raw: bytes, *more: object) -> object:
        if DEADLY in raw:
            os.kill(os.getpid(), signal.SIGSEGV)
        return read(raw, *more)

    reading.read = reads
    return main(json.load(sys.stdin))


if __name__ == "__main__":
    sys.exit(worker() if sys.argv[1] == "worker" else daemon(sys.argv[1], Path(sys.argv[2])))
