"""All benchmarks in their short form, in one table: `make bench`, or `python -m tests.benchmarks [NAME ...]`.

    intake       mails taken in durably, against a bare aiosmtpd that throws them away
    processing   mails from SMTP to the ticket, against a naive build of the same stack
    imap         a mailbox's backlog, the wait for one new mail, and memory, against a bare imapclient
    sending      a queue of deliveries that leaves through the smarthost, against smtplib
    memory       of one large mail, against the same
    idle         what a daemon with a mailbox costs while nothing happens, over two minutes
    start        time to serve, and what an idle daemon costs
    search       by the index of words, against comparing texts; what the index costs a mail
    scheduler    a look and a tick, with few tickets and with many
    packing      what is left of a mail's bytes and what that costs, against zlib

Each name is a module with options of its own: `python -m tests.benchmarks.processing --help`. A machine that does
other things disturbs figures, hardly ratios: what is compared runs in turn. A few minutes in all.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

import pytest

from tests.benchmarks import idle, imap, intake, memory, packing, processing, scheduler, search, sending, start
from tests.benchmarks.figures import Figure, table

SHORT_INTAKE = ((4_096, 1, 200), (4_096, 10, 600), (4_096, 100, 900), (40_960, 10, 200))


def _intake() -> list[Figure]:
    """Print the table of `intake`, whose columns are its own."""
    with tempfile.TemporaryDirectory() as folder:
        intake.compare(f"sqlite:///{folder}/maild.db", folder, 3, SHORT_INTAKE)
    return []


BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "intake": _intake,
    "processing": lambda: processing.measure(rounds=3, mails=500),
    "imap": imap.measure,
    "sending": sending.measure,
    "memory": memory.measure,
    "idle": idle.measure,
    "start": lambda: start.measure(rounds=3, idle_s=5.0),
    "search": lambda: search.measure(sizes=(20_000,)),
    "scheduler": lambda: scheduler.measure(sizes=(1_000, 20_000)),
    "packing": packing.measure,
}


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - BENCHMARKS.keys():
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    figures: list[Figure] = []
    for name in names:
        began_s = time.perf_counter()
        try:
            figures += BENCHMARKS[name]()
        except pytest.skip.Exception as missing:  # a server that this machine lacks
            print(f"{name}: {missing}", flush=True)  # noqa: T201
            continue
        print(f"{name}: {time.perf_counter() - began_s:.0f} s", flush=True)  # noqa: T201
    if figures:
        print("\n" + table(figures))  # noqa: T201


if __name__ == "__main__":
    main()
