"""`maild check`: what is wrong, before it runs."""

from pathlib import Path

import click

from maild.cli import output
from maild.cli.access import answering_json, configured
from maild.cli.failures import CONFIGURATION, OK


@click.command(name="check", short_help="Say all that is wrong before it runs.")
@configured
@answering_json
@click.option("--connect", is_flag=True, help="Also log in to the relay and the mailboxes, and try the listener's port")
def command(config: Path | None, as_json: bool, connect: bool) -> int:
    """Say all that is wrong with the configuration, the templates and the database; with --connect also with the relay,
    the mailboxes and the listener's port. Nothing is changed.

    Exit status 78 if there is a fault; warnings are none.
    """
    from maild import config as configuration
    from maild.cli.answers import examined

    path = configuration.find(config)
    found = list(examined.examine(path, connect=connect))
    faults = [each for each in found if each.level == examined.FAULT]
    if as_json:
        findings = [each.as_dict() for each in found]
        output.envelope("check", {"file": str(path), "ok": not faults, "findings": findings})
        return CONFIGURATION if faults else OK
    for each in found:
        if each.level == examined.FAULT and each.about == "configuration":
            output.say(each.text)  # with its file and line in front, as compilers write them
        elif each.level == examined.FAULT:
            output.say(f"fault: {each.about}: {each.text}")
        else:
            for line in output.printable_lines(f"{each.level}: {each.about}: {each.text}"):
                output.line(line)
    if faults:
        output.say(output.count(len(faults), "fault"))
    return CONFIGURATION if faults else OK
