"""A private Dovecot for the tests: a real IMAP server on free ports of loopback, with mailboxes in Maildir.

It runs as root and as an ordinary user. Plain, STARTTLS and IMAPS are offered; the certificate is for `localhost` and
127.0.0.1 and signs itself, so whoever verifies takes `certificate` as its authority.
"""

import grp
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.parts import die_with_parent, free_port, program

PASSWORD: Final = "secret"  # anybody's; a file of users is read again only a second later
PACKAGES: Final = "dovecot-imapd openssl"
START_S: Final = 20.0

_COMMON: Final = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
namespace inbox {{
  inbox = yes
  separator = /
}}
auth_failure_delay = 0
service anvil {{
  chroot =
  # a wrong password makes nobody wait
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""

_UNTIL_2_3: Final = """\
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
"""

_SINCE_2_4: Final = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = {folder}/certificate.pem
ssl_server_key_file = {folder}/key.pem
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/mail/%{{user}}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the server, whose INBOX is empty at first."""

    user: str
    password: str
    maildir: Path


class Dovecot:
    """One server; `start` and `kill` may be repeated, the mailboxes stay."""

    host: Final = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        """Write the configuration; `folder` must be one that everybody may enter."""
        self._program = program("dovecot", PACKAGES)
        openssl = program("openssl", PACKAGES)
        self.folder = folder
        self.port = free_port()
        self.tls_port = free_port()
        self.certificate = folder / "certificate.pem"
        self.configuration = folder / "dovecot.conf"
        self._accounts = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        root = os.geteuid() == 0
        me = pwd.getpwuid(os.geteuid())
        owner = pwd.getpwnam("mail") if root else me  # Dovecot refuses mail that belongs to root
        (folder / "mail").mkdir()
        if root:
            os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        _make_certificate(openssl, folder)
        answer = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=True)
        version = tuple(map(int, re.findall(r"\d+", answer.stdout)[:2]))
        own = _SINCE_2_4 if version >= (2, 4) else _UNTIL_2_3
        self.configuration.write_text(
            (own + _COMMON).format(  # Dovecot 2.4 wants its version on the first line
                folder=folder,
                password=PASSWORD,
                port=self.port,
                tls_port=self.tls_port,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                internal="dovecot" if root else me.pw_name,
                internal_group="dovecot" if root else grp.getgrgid(me.pw_gid).gr_name,
                login="dovenull" if root else me.pw_name,
            )
        )

    def start(self) -> None:
        """Start the server; on return it greets."""
        with (self.folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(
                [self._program, "-F", "-c", self.configuration],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one system call; nothing that locks
            )
        pause = threading.Event()
        deadline = time.monotonic() + START_S
        while not self._greets():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = [
                    path.read_text() for path in (self.folder / "stderr", self.folder / "dovecot.log") if path.exists()
                ]
                self.kill()
                raise RuntimeError("Dovecot did not start:\n" + "\n".join(said))
            pause.wait(0.02)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 2) as connection:
                return connection.recv(4) == b"* OK"  # it may listen before it can check passwords
        except OSError:
            return False

    def kill(self) -> None:
        """End the server at once, with all sessions: an orderly stop takes seconds."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def account(self) -> Account:
        """Return a new user, who may log in at once."""
        user = f"user{next(self._accounts)}"
        return Account(user, PASSWORD, self.folder / "mail" / user)

    def doveadm(self, *arguments: str) -> str:
        """Run `doveadm` and return what it printed: `kick USER` drops his sessions, `who` lists them."""
        command = [program("doveadm", PACKAGES), "-c", str(self.configuration), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    def log(self) -> str:
        """Return what the server logged."""
        return (self.folder / "dovecot.log").read_text(errors="replace")


def _make_certificate(openssl: str, folder: Path) -> None:
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def server() -> Iterator[Dovecot]:
    """Give a running server of one's own, to be crashed as one likes."""
    folder = Path(tempfile.mkdtemp(prefix="maild-dovecot-"))  # not tmp_path: only its owner may enter that
    folder.chmod(0o755)
    try:
        private = Dovecot(folder)
        try:
            private.start()
            yield private
        finally:
            private.kill()
    finally:
        shutil.rmtree(folder)
