"""The operator's commands. One module per noun; this one finds them, and turns every ending into an exit status.

    init check doctor      the configuration, and all that can be wrong
    run demo status        the daemon
    ticket mail delivery   what it keeps
    report                 what happened in a period
    log                    the story of one of them
    person                 what is kept of somebody
    mailbox                where it gets mail
    schedule               what time alone does
    template               how it writes
    import                 old mail from elsewhere
    db                     where it keeps all this
    man completion         itself

A command is imported when it is called, and what a command needs when it does its work: `maild --help` and
`maild mail parse` load no database library. Data goes to standard output, talk to standard error. `--json` answers
with one envelope, `{"maild": 1, "kind": ..., "data": ...}`, whose keys may grow and do not change; `mail parse` alone
answers with one object a line.

    answers/    what a command says: rows in, values out; no printing
    output      how it is printed; nothing of a mail reaches the terminal but through it
    access      how configuration and database are reached without disturbing the daemon
    failures    exit statuses, and the words for what went wrong
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

from maild import __version__
from maild.cli import failures, output

COMMANDS: Final = {  # name -> module of maild.cli, whose `command` it is
    "run": "run",
    "init": "init",
    "check": "check",
    "doctor": "doctor",
    "demo": "demo",
    "status": "status",
    "ticket": "ticket",
    "report": "report",
    "mail": "mail",
    "delivery": "delivery",
    "log": "log",
    "person": "person",
    "mailbox": "mailbox",
    "schedule": "schedule",
    "template": "template",
    "import": "imports",
    "db": "database",
    "man": "man",
    "completion": "completion",
}


class Rooms(click.Group):
    """The group of all commands; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return a command, None if there is none of that name."""
        room = COMMANDS.get(cmd_name)
        if room is None:
            return None
        command: click.Command = importlib.import_module(f"maild.cli.{room}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest that there is."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"Commands are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command {output.printable(name)!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Rooms,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="The configuration is -c FILE, else $MAILD_CONFIG, else /etc/maild/config.toml.",
)
@click.version_option(__version__, prog_name="maild", message="%(prog)s %(version)s")
def cli() -> None:
    """A help desk that lives in e-mail: customers write, agents answer from any mail client."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (those of the process) name; return the exit status."""
    output.prepare()
    try:
        ended = cli.main(args=arguments, prog_name="maild", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough: `maild ticket list | head`
        output.forget_stdout()
        return failures.FAILED  # as click ends it when the pipe breaks earlier
    except BaseException as error:  # noqa: BLE001 - the one place where what happened becomes an exit status
        return failures.explain(error)
    return ended if isinstance(ended, int) else failures.OK
