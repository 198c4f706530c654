"""The package for Debian and Ubuntu, installed by apt and purged, in a copy of this machine that is thrown away."""

import gzip
import os
import shutil
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.parts import die_with_parent, free_port, missing
from tests.system.systemd import NotifySocket

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD_S = 400
CONFIG = "/etc/maild/config.toml"
DATABASE = "/var/lib/maild/maild.db"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this checkout, as `make deb` builds it."""
    for program, packages in (("dpkg-deb", "dpkg"), ("/usr/bin/py3compile", "python3-minimal")):
        if shutil.which(program) is None:
            missing(program, packages)
    copy = tmp_path_factory.mktemp("deb") / "maild"
    wanted = ("maild", "templates", "systemd", "deb", "docs")
    copy.mkdir()
    for name in wanted:
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "CHANGELOG.md", "config.example.toml", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, copy)
    done = subprocess.run(
        ["deb/build", sys.executable, "-m", "pip"], cwd=copy, capture_output=True, text=True, check=False,
        timeout=BUILD_S, env={**os.environ, "DEB_COMPRESSION": "none"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return copy / done.stdout.strip()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine to install on; this test's folder is its /mnt."""
    if os.geteuid() != 0:
        pytest.skip("not run: only root may install packages")
    made = Machine(tmp_path)
    yield made
    made.close()


def as_version(version: str, package: Path, folder: Path) -> Path:
    """Return the same package as another version of it."""
    tree = folder / f"tree-{version}"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else line for line in lines))
    made = folder / f"maild_{version}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made], check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(tree)
    return made


def test_the_package_is_installed_used_upgraded_removed_and_purged(
    package: Path, machine: Machine, tmp_path: Path
) -> None:
    as_version("0.0.1~old", package, tmp_path)
    shutil.copy(package, tmp_path / "new.deb")

    said = machine.run("apt-get", "install", "-y", "/mnt/maild_0.0.1~old.deb")

    assert "Next, as root: maild init" in said
    assert machine.run("maild", "--version").startswith("maild ")
    assert machine.run("id", "--group", "--name", "maild") == "maild\n"
    assert machine.run("stat", "-c", "%A %U %G", "/etc/maild", "/var/lib/maild").splitlines() == [
        "drwxr-x--- root maild",
        "drwx------ maild maild",
    ]
    for page in ("man1/maild.1", "man1/maild-ticket.1", "man5/maild.toml.5"):
        assert machine.has(f"/usr/share/man/{page}.gz")
    for shell in ("bash-completion/completions/maild", "zsh/vendor-completions/_maild"):
        assert "_MAILD_COMPLETE" in machine.run("cat", f"/usr/share/{shell}")
    assert "_MAILD_COMPLETE" in machine.run("cat", "/usr/share/fish/vendor_completions.d/maild.fish")
    assert "fully" not in machine.run("systemd-analyze", "verify", "maild.service", "maild.socket")

    port = free_port()
    small = ("--address", "support@acme.example", "--agent", "Anna=anna@acme.example", "--offline")
    machine.run("maild", "init", *small, "--listen", f"127.0.0.1:{port}")
    assert machine.run("stat", "-c", "%a %U %G", CONFIG) == "640 root maild\n"
    written = machine.run("cat", CONFIG)
    serve_one_mail(machine, tmp_path, port)
    assert "Hello" in machine.run("runuser", "-u", "maild", "--", "maild", "ticket", "list")

    machine.run("apt-get", "install", "-y", "/mnt/new.deb")
    assert machine.run("cat", CONFIG) == written
    assert "Hello" in machine.run("runuser", "-u", "maild", "--", "maild", "ticket", "list")
    machine.run("apt-get", "remove", "-y", "maild")
    assert [machine.has(each) for each in ("/usr/lib/maild", "/usr/bin/maild", CONFIG, DATABASE)] == [
        False,
        False,
        True,
        True,
    ]
    said = machine.run("apt-get", "purge", "-y", "maild")
    assert "are kept in /var/lib/maild" in said
    assert [machine.has(each) for each in ("/etc/maild", DATABASE)] == [False, True]


def serve_one_mail(machine: Machine, folder: Path, port: int) -> None:
    """Run the daemon as its user, hand it a mail, and stop it."""
    folder.chmod(0o755)
    systemd = NotifySocket(folder)
    systemd.path.chmod(0o666)
    environment = (
        "NOTIFY_SOCKET=/mnt/notify",
        "STATE_DIRECTORY=/var/lib/maild",
    )
    daemon = subprocess.Popen(
        machine.command(*environment, "setpriv", "--reuid=maild", "--regid=maild", "--clear-groups", "maild", "run"),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call; nothing that locks
    )
    try:
        systemd.until("READY=1")
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
            mail = "From: ada@customer.example\r\nTo: support@acme.example\r\nSubject: Hello\r\n\r\nHello\r\n"
            smtp.sendmail("ada@customer.example", ["support@acme.example"], mail)
        daemon.stderr.readline()
        wait_for(daemon, "open")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.communicate()
        systemd.close()


def wait_for(process: "subprocess.Popen[str]", words: str) -> None:
    """Read the log up to a line that holds `words`."""
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"the daemon ended without {words!r}")


def test_installing_needs_no_network(package: Path, tmp_path: Path) -> None:
    fields = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, text=True, check=True).stdout
    subprocess.run(["dpkg-deb", "--control", package, tmp_path], check=True)
    scripts = "".join((tmp_path / name).read_text() for name in ("postinst", "prerm", "postrm"))

    assert "python3 (>= 3." in fields
    assert "python3 (<< 3." in fields
    for program in ("pip", "curl", "wget", "apt"):
        assert program not in scripts


def test_the_package_has_templates_catalogues_migrations_and_units(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    library = tmp_path / "usr" / "lib" / "maild" / "maild"

    for folder in ("templates", "systemd"):
        packed = {each.name for each in (library / "_data" / folder).rglob("*") if each.is_file()}
        assert packed == {each.name for each in (CHECKOUT / folder).rglob("*") if each.is_file()}
    migrations = CHECKOUT / "maild" / "store" / "migrations" / "versions"
    assert {each.name for each in migrations.glob("*.py")} == {
        each.name for each in (library / "store" / "migrations" / "versions").glob("*.py")
    }
    assert gzip.decompress((tmp_path / "usr/share/doc/maild/changelog.gz").read_bytes()).startswith(b"maild (")
    assert not list(tmp_path.rglob("__pycache__"))


def test_lintian_finds_no_fault(package: Path) -> None:
    lintian = shutil.which("lintian")
    if lintian is None:
        pytest.skip("not run: lintian is missing (Debian, Ubuntu: apt-get install lintian)")
    # Of DEB_COMPRESSION, which is set only here.
    hurried = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"
    done = subprocess.run(
        [lintian, "--allow-root", "--fail-on", "error", "--suppress-tags", hurried, package],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
