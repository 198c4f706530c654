"""Files shipped with maild are found in a wheel and in a checkout."""

from pathlib import Path

import pytest

from maild import resources
from maild.resources import resource


def test_a_checkout_has_them_beside_the_package() -> None:
    assert resource("config.example.toml").read_text().startswith("#")
    assert resource("systemd").is_dir()
    assert resource("templates").is_dir()


def test_a_wheel_has_them_inside_and_these_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, beside = tmp_path / "maild" / "_data" / "templates", tmp_path / "templates"
    inside.mkdir(parents=True)
    beside.mkdir()
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "maild" / "resources.py"))

    assert resource("templates") == inside


def test_what_an_installation_lacks_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="installed without nonsense"):
        resource("nonsense")
