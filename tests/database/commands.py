"""A desk with a configuration file, and `maild` called as an operator calls it, at the desk's own time."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import time_machine

from maild import cli
from tests.stories.driver import CONFIG, Desk

HOSTILE = "=?utf-8?b?G11bMzFtG10wO3B3bmVkBwlbL2JdIFtiYWRdIOKArmV4ZS5ncGo=?="  # ESC, OSC, a tab, markup, an override
OBEYED = "\x1b\x07\x9b\u202e\r\t"


@dataclass
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What is in the envelope of `--json`."""
        assert self.out, self.err
        answer = json.loads(self.out)
        assert set(answer) == {"maild", "kind", "data"}
        assert answer["maild"] == 1
        return answer["data"]

    @property
    def kind(self) -> str:
        kind: str = json.loads(self.out)["kind"]
        return kind


class Shell:
    """Where an operator types."""

    def __init__(self, desk: Desk, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.desk = desk
        self.config = config
        self._capsys = capsys

    def __call__(self, *words: object) -> Answer:
        """Run `maild WORDS` with this desk's configuration."""
        self._capsys.readouterr()
        with time_machine.travel(self.desk.clock(), tick=False):
            status = cli.main([str(each) for each in words])
        said = self._capsys.readouterr()
        return Answer(status, said.out, said.err)


def write_config(folder: Path, database_url: str) -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG.replace("[maild]", f'[maild]\ndatabase = "{database_url}"\nhostname = "desk.example"', 1))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Call `maild WORDS` in this process; return its status, what it said and what it said of errors."""
    status = cli.main(list(words))
    said = capsys.readouterr()
    return status, said.out, said.err
