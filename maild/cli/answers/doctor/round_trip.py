"""The check of all at once: a mail to a signed address of each department, out by the relay and in again.

It goes to nobody but maild. Its signed Message-ID tells that it is our own, so it is noted and opens no ticket; that
it came in by its signed address shows that the mail server hands on what follows the plus.
"""

import secrets
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import select

from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.cli.answers.doctor.servers import signed
from maild.config.desks import Department
from maild.message.address import Address, normalise
from maild.message.compose import Automatic, Draft, compose
from maild.message.tokens import message_id
from maild.oauth.tokens import Tokens
from maild.services.sender import Outcome, Relay, RelayTrouble, Result
from maild.store import keys as signing_keys
from maild.store.models import Direction, MailRow
from maild.store.standing import is_served

LOOK_S: Final = 0.5
WAIT_S: Final = 75.0  # a mailbox without IDLE is looked at every minute
LIMIT_S: Final = 90.0
_TEXT: Final = """\
maild doctor sent this mail to itself, to see whether it comes back.
It opens no ticket. If you read it in a mailbox of people, mail to this address does not reach maild.
"""


def _round_trip(patient: Patient) -> Iterator[Finding]:
    if is_served(patient.store) is False:
        yield unknown("no daemon is running, so nothing would come in (D43)")
        return
    if trouble := patient.relay_trouble():
        yield unknown(f"nothing would leave (D30): {trouble}")
        return
    waiting: list[tuple[Department, str, str, str]] = []
    for department in patient.desk.departments:
        address, made, result = _send(patient, department)
        if result.outcome is Outcome.SENT:
            waiting.append((department, address, made, result.words))
        else:
            yield fault(f"{address}: the relay does not take it: {result.words}", "see D30 and [relay]")
    patient.tell(f"a mail to itself is on its way; waiting for it, {WAIT_S:.0f} s at most ...")
    waited_s = 0.0
    while waiting:
        for each in list(waiting):
            found = _outcome(patient, *each, waited_s)
            if found is not None:
                waiting.remove(each)
                yield found
        if waiting:
            patient.pause(LOOK_S)
            waited_s += LOOK_S


def _send(patient: Patient, department: Department) -> tuple[str, str, Result]:
    """Send the mail by the relay; return where to, its Message-ID, and what the relay said.

    It goes at once and not through the outbox: that nothing waits there is looked at by other checks.
    """
    settings = patient.desk
    keys = signing_keys.load(patient.store, patient.now)
    address = signed(patient, department.address)
    made = message_id(keys, 0, secrets.token_hex(12), department.address.rpartition("@")[2])
    draft = Draft(
        from_=Address("maild", department.address),
        to=(Address("", address),),
        subject="A mail to itself",
        text=_TEXT,
        message_id=made,
        date=patient.now,
        automatic=Automatic.GENERATED,
    )
    relay = Relay(settings.relay, settings.maild.hostname, Tokens(patient.store, settings, lambda: patient.now))
    try:  # from the null sender: if it cannot be delivered, nobody is to be told but the doctor
        return address, made, relay.send("", [address], compose(draft), department.address)[address]
    except RelayTrouble as trouble:
        return address, made, Result(Outcome.LATER, str(trouble))
    finally:
        relay.close()


def _outcome(
    patient: Patient, department: Department, address: str, id_: str, words: str, waited_s: float
) -> Finding | None:
    """Return what became of the mail, None if it may still come."""
    came = _came(patient, id_)
    if came is not None:
        return _judged(department, came, waited_s)
    if waited_s < WAIT_S:
        return None
    return fault(
        f"{department.address}: the relay took it ({words}), and it did not come within {WAIT_S:.0f} s",
        f"see where your mail server delivers {address}: it has to hand on what follows the plus "
        '(recipient_delimiter), or set reply_form = "catch-all"',
    )


def _came(patient: Patient, id_: str) -> Any:
    with patient.store.read() as connection:
        return connection.execute(
            select(MailRow.id, MailRow.source, MailRow.recipients, MailRow.stored_at, MailRow.kind)
            .where(MailRow.message_id == id_, MailRow.direction == Direction.IN)
            .limit(1)
        ).one_or_none()


def _judged(department: Department, came: Any, waited_s: float) -> Finding:
    said = f"{department.address}: out by the relay and in by {came.source} within {waited_s + LOOK_S:.0f} s"
    plain = {normalise(each) for each in came.recipients} <= {normalise(department.address)}
    if came.recipients and plain:
        return warning(
            f"{said}, but addressed to {came.recipients[0]}: the signed part was cut off on the way",
            'let the mail server keep what follows the plus, or set reply_form = "catch-all"',
        )
    return ok(said)


CHECKS = (
    Check(
        "D57",
        Group.ROUND_TRIP,
        "A mail to itself comes back",
        "It shows that mail leaves, arrives, and that answers to signed addresses find their way.",
        "see what was found",
        _round_trip,
        (Need.CONFIGURATION, Need.DATABASE, Need.NETWORK),
        None,
        LIMIT_S,
    ),
)
