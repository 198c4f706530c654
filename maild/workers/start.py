"""The first lines of the fork server: a script, run by the daemon's own interpreter.

It is told where the daemon found its libraries: a package may have them in a folder that no interpreter knows by
itself.
"""

import gc
import json
import os
import socket
import sys


def way_to_the_daemon() -> socket.socket:
    """Return it, having heard on it where libraries are."""
    gc.disable()  # nothing that is loaded is garbage, and looking for it takes a quarter of the loading
    control = socket.socket(fileno=os.dup(0))
    told = control.recv(1 << 16)
    if not told:
        sys.exit()  # the daemon has ended
    sys.path[:] = json.loads(told)["path"]
    return control


if __name__ == "__main__":
    control = way_to_the_daemon()
    from maild.workers.forkserver import main

    sys.exit(main(control))
