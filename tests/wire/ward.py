"""Where the doctor's patients are made, and which of his checks tests have seen to pass and to fail.

`well` and `ill` mark a test with the checks that it shows; `test_doctor.py` holds that to the table.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from maild import config as configuration
from maild.cli.answers import doctor
from maild.cli.answers.doctor.kinds import Patient, Verdict
from maild.message.lookup import Unavailable
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.parts import free_port

OK, UNKNOWN, WARNING, FAULT = Verdict.OK, Verdict.UNKNOWN, Verdict.WARNING, Verdict.FAULT
Test = TypeVar("Test", bound=Callable[..., object])
CHECKS = {each.number: each for each in doctor.CHECKS}
SHOWN: dict[str, set[str]] = {"well": set(), "ill": set()}
SMALL = """
[smtp]
listen = "127.0.0.1:{listen}"
[relay]
host = "127.0.0.1"
port = {relay}
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
"""


def well(*numbers: str) -> Callable[[Test], Test]:
    """Mark a test in which these checks find nothing wrong."""
    SHOWN["well"].update(numbers)
    return lambda test: test


def ill(*numbers: str) -> Callable[[Test], Test]:
    """Mark a test in which these checks find something."""
    SHOWN["ill"].update(numbers)
    return lambda test: test


class Ward:
    """Where patients are made: a configuration, a database, a DNS that says what it is told to."""

    def __init__(self, folder: Path, store: Database, clock: FakeClock) -> None:
        self.folder = folder
        self.store = store
        self.clock = clock
        self.zone: dict[tuple[str, str], tuple[str, ...]] = {}
        self.silent: set[str] = set()
        self.listen, self.relay = free_port(), free_port()
        self.maild = ""  # more of [maild]

    def lookup(self, name: str, kind: str) -> tuple[str, ...]:
        if name in self.silent:
            raise Unavailable(f"the DNS did not answer for {kind} of {name}")
        return self.zone.get((name, kind), ())

    def patient(self, config: str = SMALL, *, maild: str = "", **more: object) -> Patient:
        path = self.folder / "config.toml"
        text = config.replace("{listen}", str(self.listen)).replace("{relay}", str(self.relay))
        path.write_text(f'[maild]\ndatabase = "{self.store.url}"\nhostname = "desk.acme.example"\n{maild}\n{text}')
        path.chmod(0o640)
        known: dict[str, object] = {"settings": configuration.load(path), "database": self.store}
        return Patient(path, self.clock(), self.lookup, **{**known, **more})


def look(patient: Patient, number: str) -> doctor.Outcome:
    [found] = doctor.examine(patient, [CHECKS[number]])
    return found


def found(patient: Patient, number: str) -> tuple[Verdict, str]:
    """The verdict of a check, and all that it found."""
    outcome = look(patient, number)
    return outcome.verdict, "\n".join(each.found for each in outcome.findings)


def mended(patient: Patient, number: str) -> list[str]:
    return doctor.mended(patient, [look(patient, number)])[number]


def box(user: str, name: str = "box") -> str:
    return f'[[mailbox]]\nname = "{name}"\nhost = "localhost"\nuser = "{user}"\npassword = "x"\n'
