"""The doctor's checks of domains, certificates, relay, mailboxes and listener."""

import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from maild import config as configuration
from maild.cli.answers.doctor import certificates
from maild.cli.answers.doctor.kinds import Patient, Verdict
from maild.inbox import GroupCommit
from maild.message.tokens import message_id
from maild.services.smtp_listener import SmtpListener
from maild.store.models import TokenRow
from tests.clock import NOON
from tests.dovecot import Dovecot
from tests.parts import free_port, program
from tests.stories.driver import ADA, SUPPORT, Desk
from tests.wire.sink import sink
from tests.wire.ward import FAULT, OK, SMALL, UNKNOWN, WARNING, Ward, found, ill, look, mended, well

# Domains

SOUND_ZONE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("acme.example", "MX"): ("mx.acme.example",),
    ("mx.acme.example", "A"): ("192.0.2.25",),
    ("acme.example", "TXT"): ("v=spf1 mx ip4:192.0.2.7 -all",),
    ("relay.acme.example", "A"): ("192.0.2.7",),
    ("selector1._domainkey.acme.example", "TXT"): ("v=DKIM1; k=rsa; p=MIIB",),
    ("_dmarc.acme.example", "TXT"): ("v=DMARC1; p=quarantine",),
    ("desk.acme.example", "A"): ("192.0.2.9",),
}
FAR = SMALL.replace('host = "127.0.0.1"', 'host = "relay.acme.example"')


@well("D20", "D21", "D22", "D23", "D24", "D25")
def test_a_sound_zone_is_well(ward: Ward) -> None:
    ward.zone = dict(SOUND_ZONE)
    patient = ward.patient(FAR)

    for number in ("D20", "D21", "D22", "D23", "D24", "D25"):
        assert look(patient, number).verdict is OK, found(patient, number)


@ill("D20", "D21", "D22", "D23", "D25")
@pytest.mark.parametrize(
    ("number", "name", "kind", "records", "verdict", "said"),
    [
        ("D20", "acme.example", "MX", (), FAULT, "neither MX nor address"),
        ("D20", "acme.example", "MX", (".",), FAULT, "null MX"),
        ("D20", "mx.acme.example", "A", (), FAULT, "mx.acme.example has no address"),
        ("D21", "acme.example", "TXT", (), WARNING, "no SPF record"),
        ("D21", "acme.example", "TXT", ("v=spf1 -all", "v=spf1 mx -all"), FAULT, "2 SPF records"),
        ("D21", "acme.example", "TXT", ("v=spf1 mx -all",), WARNING, "does not let relay.acme.example (192.0.2.7)"),
        ("D21", "acme.example", "TXT", ("v=spf1 include:acme.example -all",), FAULT, "is wrong or asks for too much"),
        ("D22", "selector1._domainkey.acme.example", "TXT", (), WARNING, "none of the usual selectors"),
        ("D23", "_dmarc.acme.example", "TXT", (), WARNING, "no DMARC record"),
        ("D23", "_dmarc.acme.example", "TXT", ("v=DMARC1; p=perhaps",), FAULT, "cannot be read"),
        ("D25", "desk.acme.example", "A", (), WARNING, "not in the DNS"),
    ],
)  # fmt: skip
def test_a_zone_that_lacks_something_is_told(
    ward: Ward, number: str, name: str, kind: str, records: tuple[str, ...], verdict: Verdict, said: str
) -> None:
    ward.zone = {**SOUND_ZONE, (name, kind): records}
    seen, words = found(ward.patient(FAR), number)

    assert seen is verdict, words
    assert said in words


@pytest.mark.parametrize("number", ["D20", "D21", "D22", "D23", "D25"])
def test_a_silent_dns_is_no_fault(ward: Ward, number: str) -> None:
    ward.zone = dict(SOUND_ZONE)
    ward.silent = {name for name, _ in SOUND_ZONE}
    verdict, said = found(ward.patient(FAR), number)

    assert verdict is UNKNOWN, said
    assert "did not answer" in said


def test_a_signature_whose_key_is_gone_is_told(ward: Ward, desk: Desk) -> None:
    ward.zone = dict(SOUND_ZONE)
    patient = ward.patient(FAR)
    keys = desk.works.keys
    ours = message_id(keys, 0, "abc", "acme.example")
    signature = "DKIM-Signature: v=1; a=rsa-sha256; d=acme.example;\r\n s=old; b=x"
    raw = f"{signature}\r\nFrom: {SUPPORT}\r\nMessage-ID: <{ours}>\r\nSubject: back\r\n\r\nx\r\n".encode()
    desk.deliver(raw, SUPPORT, SUPPORT)

    assert found(patient, "D22")[0] is FAULT
    assert "selector old" in found(patient, "D22")[1]


@ill("D24")
def test_senders_that_cannot_be_proven_are_told(ward: Ward, desk: Desk) -> None:
    weak = ward.patient(maild="check_senders = false")
    shut = ward.patient(maild='check_senders = false\nagent_trust = "both"')
    assert look(weak, "D24").verdict is WARNING
    assert look(shut, "D24").verdict is FAULT

    named = ward.patient(maild='authserv_id = "elsewhere.example"')
    assert look(named, "D24").verdict is OK
    desk.mail(ADA, "Printer on fire")
    verdict, said = found(named, "D24")
    assert verdict is WARNING
    assert "none of the latest" in said


# Certificate


def make_certificate(folder: Path, name: str, days: int) -> tuple[Path, Path]:
    openssl = program("openssl", "openssl")
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    key.chmod(0o600)
    return chain, key


def with_certificate(ward: Ward, chain: Path, key: Path) -> Patient:
    listen = 'listen = "127.0.0.1:{listen}"'
    patient = ward.patient(SMALL.replace(listen, f'{listen}\ntls_certificate = "{chain}"\ntls_key = "{key}"'))
    patient.now = datetime.now(UTC)
    return patient


@well("D26", "D27", "D28", "D29")
def test_a_certificate_that_fits_is_well(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = make_certificate(ward.folder, "desk.acme.example", 90)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    patient = with_certificate(ward, chain, key)

    for number in ("D26", "D27", "D28", "D29"):
        assert look(patient, number).verdict is OK, found(patient, number)


@ill("D26", "D27", "D28", "D29")
def test_certificates_that_do_not_fit_are_told(ward: Ward) -> None:
    chain, key = make_certificate(ward.folder, "other.example", 5)
    patient = with_certificate(ward, chain, key)
    assert look(patient, "D28").verdict is WARNING
    verdict, said = found(patient, "D29")
    assert verdict is WARNING
    assert "self" in said

    key.chmod(0o644)
    assert look(patient, "D27").verdict is FAULT
    assert mended(patient, "D27") == [f"chmod 0640 {key}"]
    assert look(patient, "D27").verdict is OK
    _, stranger = make_certificate(ward.folder, "stranger.example", 5)
    assert look(with_certificate(ward, chain, stranger), "D26").verdict is FAULT


def test_a_certificate_that_has_ended_is_told(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = make_certificate(ward.folder, "desk.acme.example", 1)
    patient = with_certificate(ward, chain, key)
    patient.now += timedelta(days=2)

    assert look(patient, "D28").verdict is WARNING
    assert timedelta(days=7) < certificates.SOON


# Servers


@well("D30", "D31")
@ill("D30")
def test_a_relay_is_logged_in_to(ward: Ward) -> None:
    assert look(ward.patient(), "D30").verdict is FAULT
    with sink() as smarthost:
        ward.relay = smarthost.port
        assert look(ward.patient(), "D30").verdict is OK
        assert look(ward.patient(), "D31").verdict is OK
        smarthost.on("CONNECT", "554 go away")
        assert "554" in found(ward.patient(), "D30")[1]
        assert smarthost.mails == []


@pytest.fixture
def listener(ward: Ward) -> Iterator[SmtpListener]:
    """A listener of maild on the ward's address, which takes the support department's mail."""
    inbox = GroupCommit(ward.store, ward.clock, lambda: None)
    inbox.start()
    patient = ward.patient()
    assert patient.settings is not None
    assert patient.settings.smtp is not None
    made = SmtpListener(
        inbox.submit,
        lambda address: address.startswith("support"),
        ward.clock,
        hostname="desk.acme.example",
        listen=patient.settings.smtp.listen,
    )
    made.start()
    yield made
    made.stop(1)
    inbox.stop(1)


@ill("D31")
@well("D34", "D35")
def test_a_listener_of_ours_is_known_by_its_greeting(ward: Ward, listener: SmtpListener) -> None:
    assert "maild listens there already" in found(ward.patient(), "D34")[1]
    assert look(ward.patient(), "D34").verdict is OK
    verdict, said = found(ward.patient(), "D35")
    assert verdict is OK, said
    assert "support+t0.x0." in said

    ourselves = ward.patient()
    ward.relay = ward.listen
    near = SMALL.replace('listen = "127.0.0.1:{listen}"', 'listen = "127.0.0.2:2525"')
    ourselves = ward.patient(near)
    assert look(ourselves, "D31").verdict is FAULT


@ill("D34", "D35")
def test_a_port_that_another_program_has_and_addresses_that_are_refused_are_told(
    ward: Ward, listener: SmtpListener
) -> None:
    sales = ward.patient(SMALL.replace("support@", "sales@"))
    verdict, said = found(sales, "D35")
    assert verdict is FAULT
    assert "sales@acme.example: 5" in said

    with sink() as other:
        ward.listen = other.port
        assert look(ward.patient(), "D34").verdict is FAULT
        assert look(ward.patient(), "D35").verdict is UNKNOWN
    ward.listen = free_port()
    assert look(ward.patient(), "D35").verdict is UNKNOWN


@pytest.mark.dovecot
@well("D32", "D33")
@ill("D32", "D33")
def test_mailboxes_are_logged_in_to_and_their_folders_opened(ward: Ward, dovecot_server: Dovecot) -> None:
    account = dovecot_server.account()
    secret = ward.folder / "secret"
    secret.write_text(account.password)
    secret.chmod(0o600)
    box = (
        f'[[mailbox]]\nname = "box"\nhost = "127.0.0.1"\nport = {dovecot_server.port}\nsecurity = "none"\n'
        f'user = "{account.user}"\npassword_file = "secret"\n'
    )
    patient = ward.patient(SMALL + box)
    assert look(patient, "D32").verdict is OK, found(patient, "D32")
    assert look(patient, "D33").verdict is OK
    before_the_first_start = ward.patient(SMALL + box, database=None)
    before_the_first_start.path.write_text(before_the_first_start.path.read_text().replace("maild.db", "none.db"))
    before_the_first_start.settings = configuration.load(before_the_first_start.path)
    assert look(before_the_first_start, "D32").verdict is OK

    gone = ward.patient(SMALL + box + 'folder = "Gone"\n')
    assert look(gone, "D32").verdict is OK
    assert look(gone, "D33").verdict is FAULT
    secret.write_text("wrong")
    shut = ward.patient(SMALL + box)
    assert look(shut, "D32").verdict is FAULT
    assert look(shut, "D33").verdict is UNKNOWN


OFFICE = """
[oauth.office]
provider = "microsoft"
client_id = "00000000-0000-0000-0000-000000000000"
[[mailbox]]
name = "box"
host = "outlook.office365.com"
user = "support@acme.example"
oauth = "office"
"""


@well("D36")
@ill("D36")
def test_tokens_that_are_missing_over_or_too_narrow_are_told(ward: Ward) -> None:
    assert look(ward.patient(), "D36").verdict is OK
    patient = ward.patient(SMALL + OFFICE)
    assert found(patient, "D36") == (FAULT, "support@acme.example: nobody has logged in")
    row = {"name": "support@acme.example by office", "changed_at": NOON, "access_token": "x"}
    with ward.store.write() as connection:
        connection.execute(insert(TokenRow).values(**row, refresh_token="r", expires_at=NOON + timedelta(hours=1)))
    assert look(patient, "D36").verdict is OK, found(patient, "D36")

    patient.now = NOON + timedelta(days=1)
    assert look(patient, "D36").verdict is WARNING
    with ward.store.write() as connection:
        connection.execute(update(TokenRow).values(refresh_token=None))
    assert "no refresh token" in found(patient, "D36")[1]
    narrow = ward.patient(SMALL + OFFICE.replace("[[mailbox]]", 'scopes = ["offline_access"]\n[[mailbox]]', 1))
    assert "does not ask for https://outlook.office.com/IMAP.AccessAsUser.All" in found(narrow, "D36")[1]
    assert "SMTP" not in found(narrow, "D36")[1]
