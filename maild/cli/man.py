"""`maild man`: the manual, made of the commands themselves."""

import shutil
import subprocess
import sys
from pathlib import Path

import click

from maild.cli import output
from maild.cli.failures import Failure


@click.command(name="man", short_help="Show the manual.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write all pages into FOLDER/man1 and FOLDER/man5.",
)
@click.argument("page", nargs=-1)
def command(folder: Path | None, page: tuple[str, ...]) -> int:
    """Show a page of the manual: of a command, such as "ticket", of the configuration, "maild.toml", else of maild.

    On a terminal it is opened by man(1); else it is printed as roff.
    """
    if folder is not None:
        if page:
            raise click.UsageError("Say --to or a page; --to writes all pages.")
        for (name, section), text in _pages().items():
            written = folder / f"man{section}" / f"{name}.{section}"
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(text)
            output.line(output.printable(written))
        return 0
    text = _page(" ".join(page))
    man = shutil.which("man")
    if man is None or not sys.stdout.isatty():
        click.echo(text, nl=False)
        return 0
    return subprocess.run([man, "-l", "-"], input=text, encoding="utf-8", check=False).returncode  # noqa: S603 - man(1)


def _pages() -> dict[tuple[str, int], str]:
    """Return all pages by name and section."""
    from maild import __version__
    from maild.cli import cli, failures, roff
    from maild.resources import resource

    context = click.Context(cli, info_name="maild")
    example = resource("config.example.toml").read_text(encoding="utf-8")
    return {
        ("maild", 1): roff.general_page(cli, __version__, failures.__doc__ or ""),
        **{(roff.name_of(each), 1): roff.command_page(cli, each, __version__) for each in cli.list_commands(context)},
        ("maild.toml", 5): roff.configuration_page(example, __version__),
    }


def _page(wanted: str) -> str:
    """Return the page that somebody asks for, by a name of a page or the words of a command."""
    pages = {name: text for (name, _), text in _pages().items()}
    first = wanted.split(maxsplit=1)[0] if wanted else "maild"
    for name in (first, f"maild-{first}"):
        if name in pages:
            return pages[name]
    raise Failure(f"there is no page {output.printable(wanted)!r}; there are: {', '.join(pages)}")
