"""`maild doctor`: everything that can be wrong with a desk, looked at."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from maild.cli import output
from maild.cli.access import answering_json, configured, database_of, sqlite_file, wall
from maild.cli.failures import CONFIGURATION, FAILED, OK, Failure

if TYPE_CHECKING:
    from maild.cli.answers.doctor import Outcome
    from maild.cli.answers.doctor.kinds import Check, Patient
    from maild.config import Settings

DNS_S: Final = 5.0  # a question
_SIGNS: Final = ("ok  ", "?   ", "warn", "FAIL")


@click.command(name="doctor", short_help="Look for everything that can be wrong, and say what helps.")
@configured
@answering_json
@click.option("--offline", is_flag=True, help="Ask nobody: no DNS, no relay, no mailbox, no mail to itself")
@click.option("--fix", is_flag=True, help="Then mend what can be mended without risk, and look again")
@click.option("--all", "everything", is_flag=True, help="Tell also what is well")
@click.argument("numbers", metavar="[CHECK]...", nargs=-1)
def command(
    config: Path | None, as_json: bool, offline: bool, fix: bool, everything: bool, numbers: tuple[str, ...]
) -> int:
    """Go through all numbered checks (or only those named, as D30), and say what was found, why it matters and what
    helps. Nothing is changed without --fix.

    The last check sends a mail to itself, by the relay to a signed address of each department, and waits for it to come
    in; nobody else gets it, and it opens no ticket.

    Exit status 0 if nothing is broken (warnings are nothing broken), 1 if something is, 78 if the configuration is.
    """
    from maild.cli.answers import doctor

    wanted = _chosen(doctor.CHECKS, numbers)
    with ExitStack() as stack:
        patient = _patient(config, stack, offline=offline, quiet=as_json)
        found = doctor.examine(patient, wanted)
        mended = doctor.mended(patient, found) if fix else {}
        if any(mended.values()):
            again = [each for each in wanted if mended.get(each.number)]
            second = {each.check.number: each for each in doctor.examine(patient, again)}
            found = [second.get(each.check.number, each) for each in found]
    if as_json:
        output.envelope("doctor", _as_dict(patient, found, mended))
    else:
        _print(found, mended, everything=everything or bool(numbers))
    return _status(found)


def _chosen(checks: "Sequence[Check]", numbers: tuple[str, ...]) -> "list[Check]":
    known = {each.number: each for each in checks}
    unknown = [each for each in numbers if each.upper() not in known]
    if unknown:
        raise click.UsageError(
            f"There is no check {output.printable(unknown[0])}; they are {checks[0].number} to {checks[-1].number}."
        )
    return [known[each.upper()] for each in numbers] if numbers else list(checks)


def _patient(config: Path | None, stack: ExitStack, *, offline: bool, quiet: bool) -> "Patient":
    """Return the desk that is named, as much of it as can be had."""
    from sqlalchemy.exc import DBAPIError

    from maild import config as configuration
    from maild.cli.answers.doctor.kinds import Patient
    from maild.cli.answers.doctor.names import resolver
    from maild.store.schema import SchemaError

    path = configuration.find(config).absolute()
    patient = Patient(path, wall(), resolver(DNS_S), offline=offline)
    if not quiet and sys.stderr.isatty():
        patient.tell = output.say
    try:
        patient.settings = configuration.load(path)
    except configuration.ConfigError:
        return patient  # D01 tells it
    patient.daemon_uid = _daemon_uid(patient.settings)
    try:
        patient.database = stack.enter_context(database_of(patient.settings))
    except (Failure, SchemaError, DBAPIError, OSError):
        return patient  # D12 and D13 tell it
    return patient


def _daemon_uid(settings: "Settings") -> int | None:
    """Return whose the daemon is: the owner of its database, else nobody knows."""
    path = sqlite_file(settings)
    return path.stat().st_uid if path is not None and path.exists() else None


def _status(found: "Sequence[Outcome]") -> int:
    from maild.cli.answers.doctor.kinds import Verdict

    broken = {each.check.number for each in found if each.verdict is Verdict.FAULT}
    return CONFIGURATION if "D01" in broken else FAILED if broken else OK


def _as_dict(patient: "Patient", found: "Sequence[Outcome]", mended: dict[str, list[str]]) -> dict[str, Any]:
    from maild import __version__

    return {
        "version": __version__,
        "file": str(patient.path),
        "ok": _status(found) == OK,
        "counts": _counts(found),
        "checks": [{**each.as_dict(), "mended": mended.get(each.check.number, [])} for each in found],
    }


def _counts(found: "Sequence[Outcome]") -> dict[str, int]:
    from maild.cli.answers.doctor.kinds import Verdict

    return {each.name.lower(): sum(1 for outcome in found if outcome.verdict is each) for each in Verdict}


def _print(found: "Sequence[Outcome]", mended: dict[str, list[str]], *, everything: bool) -> None:
    from maild.cli.answers.doctor.kinds import Verdict

    unseen: dict[str, list[str]] = {}
    for outcome in found:
        check = outcome.check
        if not everything and not mended.get(check.number):
            if outcome.verdict is Verdict.OK:
                continue
            if outcome.lacking:
                unseen.setdefault(outcome.lacking, []).append(check.number)
                continue
        output.line(f"{_SIGNS[outcome.verdict]}  {check.number}  {check.name}")
        fixes: list[str] = []
        for each in outcome.findings:
            if everything or each.verdict is not Verdict.OK:
                output.line(output.printable(f"            {each.found}"))
            fix = each.fix or (check.fix if each.verdict > Verdict.UNKNOWN else "")
            if fix and fix not in fixes:
                fixes.append(fix)
        if outcome.verdict > Verdict.UNKNOWN:
            output.line(f"      why   {check.why}")
        for fix in fixes:
            output.line(output.printable(f"      fix   {fix}"))
        for done in mended.get(check.number, []):
            output.line(output.printable(f"      done  {done}"))
    for lacking, numbers in unseen.items():
        output.line(f"?     {len(numbers)} checks could not be made, for want of {lacking}")
    counts = _counts(found)
    told = {"ok": "well", "unknown": "not known", "warning": "warnings", "fault": "broken"}
    output.line(f"{len(found)} checks: " + ", ".join(f"{counts[name]} {words}" for name, words in told.items()))
