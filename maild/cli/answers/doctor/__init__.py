"""The doctor: a table of checks, each with what it finds, why that matters and what helps; looked at side by side.

    kinds           what a check is, and what it is given
    configuration files database names certificates servers people system work round_trip
                    the checks, by what they are about

A check only looks. It takes as long as its limit allows and no longer, and whatever goes wrong inside it is its own
finding: the others go on. What it needs and is not there (a configuration, the database, a network) makes it
*unknown*, which is no fault. `mended` does what is safe to do without asking.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from maild.cli.answers.doctor import (
    certificates,
    configuration,
    database,
    files,
    names,
    people,
    round_trip,
    servers,
    system,
    work,
)
from maild.cli.answers.doctor.kinds import Check, Finding, Patient, Verdict, fault, unknown
from maild.message.compose import clean

_ROOMS: Final = (configuration, files, database, names, certificates, servers, people, system, work, round_trip)
CHECKS: Final[tuple[Check, ...]] = tuple(
    sorted((each for room in _ROOMS for each in room.CHECKS), key=lambda check: check.number)
)
LONGEST_CHARS: Final = 1_000  # of what is told of one finding: servers say what they like


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found."""

    check: Check
    findings: tuple[Finding, ...]
    took_s: float
    lacking: str = ""  # for want of what it was not looked at

    @property
    def verdict(self) -> Verdict:
        """The worst of what was found."""
        return max((each.verdict for each in self.findings), default=Verdict.UNKNOWN)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "number": self.check.number,
            "group": str(self.check.group),
            "name": self.check.name,
            "verdict": self.verdict.name.lower(),
            "why": self.check.why,
            "findings": [
                {
                    "verdict": each.verdict.name.lower(),
                    "found": each.found,
                    "fix": (each.fix or self.check.fix) if each.verdict > Verdict.UNKNOWN else each.fix or None,
                }
                for each in self.findings
            ],
            "took_s": round(self.took_s, 3),
        }


class _Looking(threading.Thread):
    """One check at work, in a thread that nobody waits for longer than it may take."""

    def __init__(self, check: Check, patient: Patient) -> None:
        super().__init__(name=check.number, daemon=True)
        self.check = check
        self._patient = patient
        self._began_s = time.monotonic()
        self._done: tuple[tuple[Finding, ...], float] | None = None
        self.start()

    def run(self) -> None:
        """Look; whatever goes wrong is a finding."""
        found: list[Finding] = []
        try:
            found += self.check.look(self._patient)
        except Exception as error:  # noqa: BLE001 - one check must not keep the others from being told
            found.append(fault(f"the check itself failed: {type(error).__name__}: {error}", "please report this"))
        self._done = tuple(found), time.monotonic() - self._began_s

    def outcome(self) -> Outcome:
        """Return what was found within the check's limit."""
        self.join(max(0.0, self._began_s + self.check.limit_s - time.monotonic()))
        if self._done is None:
            slow = unknown(f"not done within {self.check.limit_s:.0f} s", "try it alone")
            return Outcome(self.check, (slow,), self.check.limit_s)
        findings = tuple(
            each._replace(found=clean(each.found, LONGEST_CHARS), fix=clean(each.fix, LONGEST_CHARS))
            for each in self._done[0]
        )
        return Outcome(self.check, findings, self._done[1])


def examine(patient: Patient, checks: Sequence[Check] = CHECKS) -> list[Outcome]:
    """Return what all checks find, in their order."""
    at_work = [_Looking(each, patient) for each in checks if not _lacking(each, patient)]
    found = {each.check.number: each.outcome() for each in at_work}
    for each in checks:
        if each.number not in found:
            lacking = _lacking(each, patient)
            found[each.number] = Outcome(each, (unknown(f"not looked at, for want of {lacking}"),), 0.0, lacking)
    return [found[each.number] for each in checks]


def _lacking(check: Check, patient: Patient) -> str:
    return next((str(each) for each in check.needs if patient.lacks(each)), "")


def mended(patient: Patient, outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """Do what is safe against what was found; return what was done, by the number of the check."""
    done: dict[str, list[str]] = {}
    for each in outcomes:
        if each.check.mend is None or each.verdict < Verdict.WARNING:
            continue
        try:
            done[each.check.number] = list(each.check.mend(patient))
        except OSError as error:
            done[each.check.number] = [f"not possible: {error.strerror or error}"]
    return done


def table() -> str:
    """Return the table of all checks as Markdown, for docs/doctor.md."""
    lines: list[str] = []
    group = None
    for each in CHECKS:
        if each.group != group:
            group = each.group
            lines += [
                "",
                f"## {str(group)[:1].upper()}{str(group)[1:]}",
                "",
                "| | all is well if | why it matters | what helps | `--fix` |",
            ]
            lines += ["|---|---|---|---|---|"]
        cells = (each.number, each.name, each.why, each.fix, "yes" if each.mend else "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines[1:]) + "\n"
