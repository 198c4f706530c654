"""`maild run`: the daemon, in the foreground."""

import gc
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maild.cli import output
from maild.cli.access import configured

if TYPE_CHECKING:
    from maild.workers.spawning import ForkServer


@click.command(name="run", short_help="Run the daemon in the foreground.")
@configured
@click.option("-v", "--verbose", is_flag=True, help="Log more than an operator reads daily.")
def command(config: Path | None, verbose: bool) -> int:
    """Run the daemon until SIGTERM or Ctrl-C, which finish what is at work; SIGHUP takes a changed configuration.

    Under systemd it tells READY, STATUS and STOPPING and feeds the watchdog. The log goes to standard error, one line
    a fact. Exit status 78: the configuration is wrong; 75: another daemon serves the database.
    """
    from maild.workers.spawning import ForkServer

    gc.disable()  # nothing that is loaded is garbage, and looking for it takes a quarter of the loading
    fork_server = ForkServer()
    with suppress(OSError):  # tried again by whoever has the workers
        fork_server.begin()  # first of all: it loads what it needs while we do
    try:
        return _serve(config, fork_server, verbose=verbose)
    finally:
        fork_server.kill()


def _serve(config: Path | None, fork_server: "ForkServer", *, verbose: bool) -> int:
    from maild import config as configuration
    from maild import daemon, logs

    facts = logs.Facts()
    level = logging.DEBUG if verbose else logging.INFO
    logs.configure(level=level, facts=facts)
    return daemon.serve(configuration.find(config), output.say, facts.counts, level, fork_server)
