"""A file system whose power can be cut: what was not synced is gone, or torn.

    python -m tests.system.power_cut SEEN DURABLE MOUNTPOINT [SEED]

Whatever is written is seen at once (in SEEN); DURABLE has each file as of its last fsync, and files that were removed
until their directory is synced. SIGUSR1 is the cut: from then on nothing becomes durable, and of what was not synced
any set of sectors is, as a disk's cache leaves them. Then kill the daemon, unmount, and go on from DURABLE.

Simpler than the world: a new file is durable with its own fsync, a rename with the next fsync of its target.
"""

# Paths are text here, as the kernel gives them.
# ruff: noqa: PTH101, PTH104, PTH105, PTH108, PTH116, PTH208

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECTOR = 512


def serve(seen: str, durable: str, mountpoint: str, seed: int) -> None:
    """Serve the file system until it is unmounted."""
    from mfusepy import FUSE, FuseOSError, Operations

    lock = threading.Lock()
    unsynced: dict[str, list[tuple[int, bytes]]] = {}
    cut_off = threading.Event()

    def cut(_number: int, _frame: object) -> None:
        cut_off.set()
        rnd = random.Random(seed)
        for path, writes in list(unsynced.items()):
            try:
                file = os.open(durable + path, os.O_RDWR)  # what was never synced has no name yet
            except OSError:
                continue
            for offset, data in writes:
                at = 0
                while at < len(data):
                    size = SECTOR - (offset + at) % SECTOR
                    if rnd.random() < 0.5:
                        os.pwrite(file, data[at : at + size], offset + at)
                    at += size
            os.close(file)

    signal.signal(signal.SIGUSR1, cut)

    def told(work: Callable[[], object]) -> object:
        try:
            return work()
        except OSError as error:
            raise FuseOSError(error.errno) from error

    class Files(Operations):  # type: ignore[misc]
        use_ns = True

        def getattr(self, path, fh=None):
            found = told(lambda: os.lstat(seen + path))
            names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
            times = {"st_atime": found.st_atime_ns, "st_mtime": found.st_mtime_ns, "st_ctime": found.st_ctime_ns}
            return {**{name: getattr(found, name) for name in names}, **times}

        def readdir(self, path, fh):
            return [".", "..", *os.listdir(seen + path)]

        def access(self, path, mode):
            return 0

        def chmod(self, path, mode):
            told(lambda: os.chmod(seen + path, mode))
            return 0

        def chown(self, path, uid, gid):
            return 0

        def utimens(self, path, times=None):
            return 0

        def unlink(self, path):
            unsynced.pop(path, None)
            told(lambda: os.unlink(seen + path))
            return 0

        def rename(self, old, new, flags=0):
            told(lambda: os.rename(seen + old, seen + new))
            return 0

        def open(self, path, flags):
            return told(lambda: os.open(seen + path, flags & ~os.O_DIRECT))

        def create(self, path, mode, fi=None):
            return told(lambda: os.open(seen + path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode))

        def read(self, path, size, offset, fh):
            return os.pread(fh, size, offset)

        def write(self, path, data, offset, fh):
            with lock:
                if not cut_off.is_set():
                    unsynced.setdefault(path, []).append((offset, bytes(data)))
            return os.pwrite(fh, data, offset)

        def truncate(self, path, length, fh=None):
            told(lambda: os.truncate(seen + path, length))
            return 0

        def flush(self, path, fh):
            return 0

        def release(self, path, fh):
            os.close(fh)
            return 0

        def fsync(self, path, datasync, fh):
            with lock:
                if not cut_off.is_set():
                    unsynced.pop(path, None)
                    shutil.copyfile(seen + path, durable + path + ".~")
                    os.replace(durable + path + ".~", durable + path)
            return 0

        def fsyncdir(self, path, datasync, fh):
            with lock:
                if not cut_off.is_set():
                    live = set(os.listdir(seen + path))
                    for name in os.listdir(durable + path):
                        if name not in live:
                            os.unlink(f"{durable}{path}/{name}")
            return 0

        def statfs(self, path):
            found = os.statvfs(seen)
            names = (
                "f_bavail",
                "f_bfree",
                "f_blocks",
                "f_bsize",
                "f_favail",
                "f_ffree",
                "f_files",
                "f_flag",
                "f_frsize",
            )
            return {name: getattr(found, name) for name in (*names, "f_namemax")}

    FUSE(Files(), mountpoint, foreground=True, nothreads=False)


class Mounted:
    """The file system, mounted for as long as its process lives."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seen, self.durable, self.at = (folder / name for name in ("seen", "durable", "at"))
        for each in (self.seen, self.durable, self.at):
            each.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.system.power_cut", *map(str, (self.seen, self.durable, self.at, seed))]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        pause, deadline = threading.Event(), time.monotonic() + 20
        while not os.path.ismount(self.at):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise OSError("cannot be mounted: " + self._process.stderr.read().decode(errors="replace")[-500:])
            pause.wait(0.02)

    def cut(self) -> None:
        """Cut the power."""
        self._process.send_signal(signal.SIGUSR1)

    def unmount(self) -> None:
        """Go away; what was seen is forgotten, what is durable is all there is."""
        subprocess.run(["umount", "-l", str(self.at)], check=False, capture_output=True)
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process.stderr.close()
        shutil.rmtree(self.seen)
        shutil.copytree(self.durable, self.seen)


@contextmanager
def mounted(folder: Path, seed: int) -> Iterator[Mounted]:
    """Give the file system on `folder`, until the power is cut or the work is done."""
    there = Mounted(folder, seed)
    try:
        yield there
    finally:
        there.unmount()


def usable() -> bool:
    """Return whether this machine can do it: FUSE, its library, and the right to mount."""
    try:
        import mfusepy  # noqa: F401 - loads libfuse, too
    except (ImportError, OSError):
        return False
    return os.geteuid() == 0 and Path("/dev/fuse").exists() and stat.S_ISCHR(os.stat("/dev/fuse").st_mode)


if __name__ == "__main__":
    serve(*sys.argv[1:4], seed=int(sys.argv[4]))
