"""A machine to spoil: this one's files under an overlay, as root, with programs installed and changed at will."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.parts import die_with_parent

CHECKOUT: Final = Path(__file__).resolve().parents[1]
# Its loopback is switched on without any program that a machine may lack: SIOCSIFFLAGS with IFF_UP.
_LOOPBACK: Final = (
    f" && {sys.executable} -c 'import fcntl, socket, struct;"
    ' fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))\''
)


class Machine:
    """A second root over this machine's own: what is changed there lies in `folder`, and goes with it."""

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        """Make one below `folder`, which is its /mnt; `alone`, with a loopback of its own and no other network."""
        self.root = folder / "root"
        self._alone = alone
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        script = (
            f"mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {self.root} &&"
            f" mount --rbind /dev {self.root}/dev && mount -t proc proc {self.root}/proc &&"
            f" mount -t tmpfs tmpfs {self.root}/run && mount -t tmpfs tmpfs {self.root}/mnt &&"
            f" mount --bind {folder} {self.root}/mnt{self._elsewhere()}{_LOOPBACK if alone else ''} &&"
            " echo ready && exec sleep infinity"
        )
        # The mounts live in a namespace of this process: however the test ends, nothing is left of them.
        self._holder = subprocess.Popen(
            ["unshare", "--mount", *(["--net"] if alone else []), "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call; nothing that locks
        )
        if self._holder.stdout.readline() != "ready\n":
            said = self._holder.communicate()[1].strip()
            pytest.skip(f"not run: it takes root, and a kernel that mounts an overlay over / ({said})")

    def _elsewhere(self) -> str:
        """Return what mounts this checkout and its Python too, if they lie on another disk than /."""
        wanted = {str(CHECKOUT), sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])}
        apart = [each for each in sorted(wanted) if Path(each).stat().st_dev != Path("/").stat().st_dev]
        return "".join(f" && mkdir -p {self.root}{each} && mount --rbind {each} {self.root}{each}" for each in apart)

    def command(self, *words: object) -> list[str]:
        """Return the command that runs `words` there."""
        inside = ["nsenter", f"--target={self._holder.pid}", "--mount", *(["--net"] if self._alone else [])]
        inside += ["chroot", str(self.root)]
        return [*inside, "/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", *map(str, words)]

    def run(self, *words: object, status: int = 0) -> str:
        """Run a program there; return what it says."""
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        for name in [each for each in environment if each.startswith(("PYTHON", "MAILD"))]:
            del environment[name]
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, timeout=300, env=environment
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def has(self, path: str) -> bool:
        """Return whether a file is there."""
        return subprocess.run(self.command("test", "-e", path), check=False).returncode == 0

    def close(self) -> None:
        """Throw it away."""
        self._holder.kill()
        self._holder.communicate()
