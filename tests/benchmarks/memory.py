"""What one large mail costs in memory, from the listener to the ticket, against the naive control.

    python -m tests.benchmarks.memory [--megabytes 50]

The peak is the most that the daemon, its fork server and its worker held (VmHWM of each) from before the mail came
until it was on its ticket with the notification queued, over what they held before. `intake` measures the listener and
the inbox alone.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import servers
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.intake import Server
from tests.benchmarks.smtp_load import mail, send

_FORGET_THE_PEAK = "5"  # proc(5), clear_refs


def measure(megabytes: int = 50, folder: str | None = None) -> list[Figure]:
    """Send one mail to the daemon and to the control."""
    large = mail(megabytes << 20, 2)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        with (
            servers.relay("silent") as port,
            servers.maild(Path(made), f"sqlite:///{made}/maild.db", port, braked=True) as desk,
        ):
            send(desk.address, [mail(4_096, 1)], 1)
            desk.wait_until_filed()
            idle = _begin(desk)
            shared = desk.shared_memory_mib()
            send(desk.address, [large], 1)
            desk.wait_until_filed()
            peak = desk.memory_mib("VmHWM") - idle
        with servers.naive(Path(made)) as control:
            send(control.address, [mail(4_096, 1)], 1)
            naive_idle = _begin(control)
            send(control.address, [large], 1)
            naive = control.memory_mib("VmHWM") - naive_idle
    what = f"mail of {megabytes} MiB, peak over idle"
    return [
        Figure(what, peak, "MiB", "naive", naive, more_is_better=False, goal="<= 32 MiB"),
        Figure(
            "idle after a mail, all processes",
            shared,
            "MiB",
            "naive",
            naive_idle,
            more_is_better=False,
            goal="<= 2 x 64 MiB",
        ),
    ]


def _begin(server: Server) -> float:
    """Let the kernel forget the peaks; return what is held now, in MiB."""
    for pid in server.pids():
        Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_THE_PEAK)
    return server.memory_mib("VmRSS")


def main() -> None:
    """Run it as its arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--folder", default=None, help="where the files go")
    given = parser.parse_args()
    print(table(measure(given.megabytes, given.folder)))  # noqa: T201


if __name__ == "__main__":
    main()
