"""`maild completion`: what a shell needs to complete the words of maild."""

import click
from click.shell_completion import ShellComplete, get_completion_class

from maild.cli.failures import Failure


@click.command(name="completion", short_help="Print a script that completes maild's words.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script for a shell; with it the Tab key completes commands, options and their values.

    \b
    bash  maild completion bash > ~/.local/share/bash-completion/completions/maild
    zsh   maild completion zsh > "${fpath[1]}/_maild"
    fish  maild completion fish > ~/.config/fish/completions/maild.fish
    """
    from maild.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"click has no completion for {shell}")
    # Not the class's own `source`, which for bash asks the bash of this machine for its version.
    click.echo(ShellComplete.source(kind(cli, {}, "maild", "_MAILD_COMPLETE")))
