"""Whole processing: from SMTP to the ticket, with everything that a new mail sets off, against the naive control.

    python -m tests.benchmarks.processing [--rounds 3] [--mails 1000] [--relay silent|closed|sink] [--database KIND]

Ten connections send mails of proven senders, each another person, to the daemon and to `naive` in turn. A round of the
daemon is over when the last mail is on its ticket, with an acknowledgement and an agent's notification rendered (plain
text and HTML) and queued; the control acknowledges nothing. CPU is that of the whole process, so with `--relay sink`
it includes sending both mails, and the round is over when they have left.
"""

import argparse
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median

from tests.benchmarks import servers
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.mails import KINDS, mail
from tests.benchmarks.smtp_load import send

CONNECTIONS = 10
KINDS_MEASURED = ("4 KB text", "40 KB HTML")
RELAYS = ("silent", "closed", "sink")


def measure(
    rounds: int = 3,
    mails: int = 1_000,
    kinds: tuple[str, ...] = KINDS_MEASURED,
    relay: str = "silent",
    database: str = "sqlite",
    folder: str | None = None,
) -> list[Figure]:
    """Load daemon and control in turn and return the medians."""
    numbers = count()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=folder) as made:
        with (
            servers.relay(relay) as port,
            servers.new_database(database, Path(made)) as url,
            servers.maild(Path(made), url, port) as desk,
            servers.naive(Path(made)) as control,
        ):
            for kind in kinds:
                each = max(20, mails * 4_096 // max(KINDS[kind], 4_096))
                rate: dict[str, list[float]] = {"maild": [], "naive": []}
                cpu_us: dict[str, list[float]] = {"maild": [], "naive": []}
                for _ in range(rounds):
                    for name, at in (("naive", control), ("maild", desk)):
                        batch = [mail(kind, next(numbers)) for _ in range(each)]
                        began_s, before_s = time.perf_counter(), at.cpu_s()
                        send(at.address, batch, CONNECTIONS)
                        if name == "maild":
                            desk.wait_until_filed()
                            if relay == "sink":
                                desk.wait_until_sent()
                        took_s = time.perf_counter() - began_s
                        rate[name].append(each / took_s)
                        cpu_us[name].append((at.cpu_s() - before_s) / each * 1e6)
                    desk.wait_until_quiet()
                end = "sent" if relay == "sink" else "filed"
                figures += [
                    Figure(
                        f"{kind}, {end}", median(rate["maild"]), "mails/s", "naive", median(rate["naive"]), goal="4.5x"
                    ),
                    Figure(
                        f"{kind}, CPU",
                        median(cpu_us["maild"]) / 1e3,
                        "ms a mail",
                        "naive",
                        median(cpu_us["naive"]) / 1e3,
                        more_is_better=False,
                    ),
                ]
            written = desk.count()
        lacking = {name for name in ("acknowledgement", "notification") if written.get(name) != written.get("open")}
        if lacking:
            raise RuntimeError(f"not every mail led to {lacking}: {written}")
    return figures


def main() -> None:
    """Run it as its arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=1_000, help="of 4 KB in a round; of larger ones fewer")
    parser.add_argument("--kind", action="append", choices=KINDS, help="may be given several times")
    parser.add_argument(
        "--relay", choices=RELAYS, default="silent", help="what becomes of outgoing mail, see `servers`"
    )
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="of the daemon")
    parser.add_argument("--folder", default=None, help="where the files go; it decides which disk is measured")
    given = parser.parse_args()
    kinds = tuple(given.kind or KINDS_MEASURED)
    print(table(measure(given.rounds, given.mails, kinds, given.relay, given.database, given.folder)))  # noqa: T201


if __name__ == "__main__":
    main()
