"""What workers make at random is made anew in each: they are forked from one process, and tokens must not repeat."""

import json
import subprocess
import sys

from maild.workers import forkserver

PROGRAM = """
import email.utils, json, os, random, secrets, ssl, tempfile, uuid
from maild import works

works.load()
print(json.dumps(len(os.listdir("/proc/self/task"))), flush=True)


def made():
    name = next(tempfile._get_candidate_names())
    guarded = [secrets.token_hex(), ssl.RAND_bytes(8).hex(), uuid.uuid4().hex]
    return [random.random(), name, email.utils.make_msgid(), *guarded]


made()  # whatever was loaded may have begun with it
for _ in range(3):
    if os.fork() == 0:
        print(json.dumps(made()), flush=True)
        os._exit(0)
    os.wait()
"""


def test_no_two_workers_make_the_same_at_random() -> None:
    assert forkserver.works.load  # what the fork server has loaded when it forks
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    threads, *made = map(json.loads, said.splitlines())

    assert threads == 1  # a process with more cannot be forked safely
    assert len(made) == 3
    for values in zip(*made, strict=True):
        assert len(set(values)) == 3, values
