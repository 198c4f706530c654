"""The first lines of a worker: not a module but a script, run by the daemon's own interpreter.

It is given what it begins with as standard input, and finds its libraries where the daemon found them: a package may
have them in a folder that no interpreter knows by itself.
"""

import json
import sys

if __name__ == "__main__":
    given = json.loads(sys.stdin.buffer.read())
    sys.path[:] = given["path"]
    from maild.workers.worker import main

    sys.exit(main(given))
