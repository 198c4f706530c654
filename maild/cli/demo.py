"""`maild demo`: a whole desk in the terminal, without accounts or configuration."""

import threading
from pathlib import Path

import click

from maild.cli import output


@click.command(name="demo", short_help="Show a whole desk, with no configuration at all.")
@click.option(
    "--mails",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-mails"),
    show_default=True,
    help="Where the mails that leave are kept, to be opened in any mail client.",
)
@click.option("--pause", type=click.FloatRange(0, 60), default=0.0, help="Seconds to wait before each step.")
def command(mails: Path, pause: float) -> int:
    """Show the life of a ticket from its first mail to the follow-up months later.

    A sample customer and a sample agent write real mails, by SMTP over loopback; a clock of the demo's own lets the
    days pass at once. Nothing is configured, nothing leaves this machine, nothing stays but the folder of mails.
    """
    import logging

    import structlog

    from maild import demo

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    waited = threading.Event()
    demo.run(mails, output.line, lambda: waited.wait(pause))
    return 0
