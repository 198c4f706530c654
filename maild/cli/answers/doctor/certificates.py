"""Checks of the listener's certificate: that it is a pair with its key, private, in time, and for this host.

No library reads certificates here: one side of a handshake in memory does, as another mail server would.
"""

import os
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, warning

SOON: Final = timedelta(days=14)  # who renews by itself does so 30 days before


def _handshake(certificate: Path, key: Path | None, trust: ssl.SSLContext, name: str) -> dict[str, Any]:
    """Return what a client that trusts `trust` reads of the certificate.

    Raises:
        ssl.SSLError: it does not believe it.
        OSError: the files cannot be read.
    """
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = trust.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):  # TLS 1.3 needs two turns
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(client.getpeercert() or {})


def _itself(certificate: Path) -> ssl.SSLContext:
    """Return a trust in nothing but the file itself, whatever its name."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trust.load_verify_locations(certificate)
    return trust


def _files(patient: Patient) -> tuple[Path, Path | None] | None:
    smtp = patient.desk.smtp
    if smtp is None or smtp.tls_certificate is None:
        return None
    return smtp.tls_certificate, smtp.tls_key


def _pair(patient: Patient) -> Iterator[Finding]:
    files = _files(patient)
    if files is None:
        yield ok("no certificate: the listener offers no encryption")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
    except (OSError, ssl.SSLError) as error:
        yield fault(f"{files[0]}: {getattr(error, 'strerror', None) or error}")
    else:
        yield ok(str(files[0]))


def _private(patient: Patient) -> Iterator[Finding]:
    files = _files(patient)
    if files is None:
        yield ok("no certificate")
        return
    key = files[1] or files[0]
    mode = key.stat().st_mode
    if mode & stat.S_IRWXO:
        yield fault(f"{key} can be read or written by everybody ({stat.S_IMODE(mode):04o})")
    else:
        yield ok(f"{key}: {stat.S_IMODE(mode):04o}")


def _close(patient: Patient) -> Iterator[str]:
    files = _files(patient)
    if files is None:
        return
    key = files[1] or files[0]
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & stat.S_IRWXO and (os.geteuid() in (0, key.stat().st_uid)):
        key.chmod(mode & ~stat.S_IRWXO)
        yield f"chmod {mode & ~stat.S_IRWXO:04o} {key}"


def _in_time(patient: Patient) -> Iterator[Finding]:
    files = _files(patient)
    if files is None:
        yield ok("no certificate")
        return
    try:
        found = _handshake(*files, _itself(files[0]), patient.desk.maild.hostname)
    except (OSError, ssl.SSLError) as error:
        yield fault(f"{files[0]}: {_words(error)}")
        return
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)
    if ends_at - patient.now < SOON:
        yield warning(f"{files[0]} ends on {ends_at:%Y-%m-%d}")
    else:
        yield ok(f"{files[0]}: until {ends_at:%Y-%m-%d}")


def _for_this_host(patient: Patient) -> Iterator[Finding]:
    files = _files(patient)
    if files is None:
        yield ok("no certificate")
        return
    name = patient.desk.maild.hostname
    try:
        _handshake(*files, ssl.create_default_context(), name)
    except (OSError, ssl.SSLError) as error:
        yield warning(f"{files[0]} as {name}: {_words(error)}")
    else:
        yield ok(f"{files[0]}: for {name}, by an authority that this machine trusts")


def _words(error: Exception) -> str:
    return str(getattr(error, "verify_message", "") or getattr(error, "strerror", "") or error)


_WANTS = (Need.CONFIGURATION,)
CHECKS = (
    Check(
        "D26",
        Group.CERTIFICATE,
        "Certificate and key are a pair",
        "Else the listener does not start.",
        "name files that belong together in tls_certificate and tls_key, which the daemon can read",
        _pair,
        _WANTS,
    ),
    Check(
        "D27",
        Group.CERTIFICATE,
        "Its key is private",
        "Whoever has it can pretend to be this server.",
        "chmod o-rwx FILE",
        _private,
        _WANTS,
        _close,
    ),
    Check(
        "D28",
        Group.CERTIFICATE,
        "It has not ended, and does not soon",
        "Agents who log in to the listener, and strict senders, then turn away.",
        "renew it, then: systemctl reload maild",
        _in_time,
        _WANTS,
    ),
    Check(
        "D29",
        Group.CERTIFICATE,
        "It is for this host, and complete",
        "Clients that verify want the name by which they came, and every certificate up to a known authority.",
        "use fullchain.pem rather than cert.pem, and a certificate for `hostname`",
        _for_this_host,
        _WANTS,
    ),
)
