"""The commands by name: help for each, the nearest for a wrong one, and the words that they offer."""

from collections.abc import Iterator

import click
import pytest

from maild import __version__, cli
from maild.cli import delivery, mail, ticket
from maild.message.classify import Kind
from maild.rules.state import Status

FIXED = {  # the operator's interface: names that stay
    "run": (),
    "init": (),
    "check": (),
    "doctor": (),
    "demo": (),
    "status": (),
    "log": (),
    "person": ("export", "anonymise", "delete"),
    "ticket": ("list", "show", "history", "set"),
    "report": (),
    "mail": ("list", "show", "retry", "release", "reject", "parse", "explain"),
    "delivery": ("list", "retry", "cancel"),
    "schedule": ("show", "hold", "release"),
    "template": ("list", "preview"),
    "import": ("mbox", "maildir"),
    "mailbox": ("test", "folders", "login", "progress"),
    "db": ("upgrade", "check", "backup", "restore", "rebuild"),
    "man": (),
    "completion": (),
}


def commands() -> Iterator[tuple[str, ...]]:
    yield ()
    for noun, verbs in FIXED.items():
        yield (noun,)
        yield from ((noun, verb) for verb in verbs)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(list(arguments))
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *words, "--help")

    assert status == 0
    assert out.startswith(f"Usage: maild {' '.join(words)}".rstrip())
    assert err == ""


def test_no_command_is_missing_and_none_is_unknown_to_this_test() -> None:
    context = click.Context(cli.cli)
    found = {}
    for noun in cli.cli.list_commands(context):
        command = cli.cli.get_command(context, noun)
        found[noun] = tuple(sorted(command.commands)) if isinstance(command, click.Group) else ()

    assert found == {noun: tuple(sorted(verbs)) for noun, verbs in FIXED.items()}


def test_help_says_of_every_option_what_it_is_for() -> None:
    context = click.Context(cli.cli)
    for noun in FIXED:
        command = cli.cli.get_command(context, noun)
        for each in command.commands.values() if isinstance(command, click.Group) else [command]:
            for option in each.params:
                assert not isinstance(option, click.Option) or option.help, f"{noun} {each.name} {option.name}"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"maild {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("tiket", "list"), "Did you mean 'ticket'?"),
        (("xyzzy",), "Commands are: run, init, check"),
        (("ticket", "lst"), "list"),
        (("ticket", "list", "--jsn"), "--json"),
        (("ticket", "list", "--status", "opne"), "'open'"),
        (("ticket", "show"), "Missing argument"),
        (("ticket", "show", "abc"), "not a valid integer"),
        (("ticket", "set", "1"), "--merge-into"),
        (("ticket", "set", "1", "--status", "open", "--merge-into", "2"), "Say one of"),
        (("mail", "show", "1", "--raw", "--json"), "--raw"),
        (("mail", "parse"), "Missing argument"),
    ],
)
def test_a_wrong_call_is_answered_with_what_is_right(
    words: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *words)

    assert status == 2
    assert out == ""
    assert hint in err


def test_a_hostile_name_of_a_command_is_shown_without_its_teeth(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "\x1b]0;pwned\x07")

    assert "\x1b" not in err
    assert "\x07" not in err


def test_the_words_that_options_offer_are_those_of_the_desk() -> None:
    from maild.store.models import DeliveryState, MailState

    assert tuple(Status) == ticket.STATUSES
    assert tuple(MailState) == mail.STATES
    assert tuple(Kind) == mail.KINDS
    assert tuple(DeliveryState) == delivery.STATES
    assert set(ticket.WANTED) <= set(ticket.STATUSES)
