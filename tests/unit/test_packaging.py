"""What is installed is whole: templates, the example configuration and the system's unit are found in the wheel too."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from maild.resources import resource

CHECKOUT = Path(__file__).resolve().parent.parent.parent
UNIT = CHECKOUT / "systemd" / "maild.service"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is built from the files of this checkout, into a folder."""
    hatchling = pytest.importorskip("hatchling.build", reason="not run: hatchling, which builds the wheel, is missing")
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from {hatchling.__name__} import build_wheel; print(build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT, capture_output=True)
    [built] = folder.glob("*.whl")
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(unpacked)
    return unpacked


def files(folder: Path) -> set[str]:
    """Return the names of the files below `folder`."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_module_and_every_template(wheel: Path) -> None:
    assert {f"maild/{name}" for name in files(CHECKOUT / "maild") if name.endswith(".py")} <= files(wheel)
    assert files(CHECKOUT / "templates") == files(wheel / "maild" / "_data" / "templates")
    assert files(CHECKOUT / "systemd") == files(wheel / "maild" / "_data" / "systemd")
    assert (wheel / "maild" / "_data" / "config.example.toml").read_bytes() == (
        CHECKOUT / "config.example.toml"
    ).read_bytes()


def test_the_sdist_has_all_that_a_wheel_a_package_and_the_tests_are_made_of(tmp_path: Path) -> None:
    hatchling = pytest.importorskip("hatchling.build", reason="not run: hatchling, which builds the sdist, is missing")
    code = f"from {hatchling.__name__} import build_sdist; print(build_sdist({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT, capture_output=True)
    [built] = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for folder in ("maild", "templates", "systemd", "deb", "docs"):
        assert {f"{folder}/{name}" for name in files(CHECKOUT / folder)} <= names, folder
    assert {"config.example.toml", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "tests/setup.sh"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".db", ".pyc"))]


def test_the_wheel_has_no_tests_and_nothing_private(wheel: Path) -> None:
    names = files(wheel)

    assert not [name for name in names if name.startswith(("tests/", "docs/", ".")) or name.endswith((".db", ".pyc"))]
    assert {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")} == {"maild"}


def test_what_was_installed_from_the_wheel_finds_its_files_and_migrates(wheel: Path, tmp_path: Path) -> None:
    # The libraries are this environment's; maild is the wheel's.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import maild; from maild.resources import resource;"
        "assert maild.__file__.startswith(sys.argv[1]);"
        "names = ('templates', 'config.example.toml', 'systemd');"
        "assert all(str(resource(name)).startswith(sys.argv[1]) for name in names);"
        "from maild.store.engine import Database; from maild.store import schema; database = Database(sys.argv[2]);"
        "schema.upgrade(database); schema.require(database); database.close()"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(wheel), f"sqlite:///{tmp_path / 'maild.db'}"], check=True, cwd=tmp_path
    )


@pytest.mark.parametrize("name", ["templates", "config.example.toml", "systemd"])
def test_a_checkout_finds_its_files(name: str) -> None:
    assert resource(name).exists()


def test_the_unit_asks_for_hardly_any_right() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("not run: systemd is not here to judge its unit")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=15", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_the_unit_does_not_start_again_with_a_wrong_configuration() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()

    assert {"Type=notify", "Restart=on-failure", "RestartPreventExitStatus=78", "KillMode=mixed"} <= set(lines)
