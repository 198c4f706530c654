"""The check of all at once: a mail to a signed address of each department, out by the relay and in again.

It goes to nobody but maild. Its signed Message-ID tells that it is our own, so it is noted and opens no ticket; that
it came in by its signed address shows that the mail server hands on what follows the plus.
"""

import secrets
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import select

from maild import people
from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.cli.answers.doctor.servers import signed
from maild.cli.answers.standing import is_served
from maild.config.settings import Department
from maild.message.address import Address, message_id, normalise
from maild.message.compose import Automatic, Draft
from maild.outbox import ticketless
from maild.store import keys as signing_keys
from maild.store.models import DeliveryRow, DeliveryState, Direction, MailRow

PURPOSE: Final = "round-trip"
LOOK_S: Final = 0.5
WAIT_S: Final = 75.0  # a mailbox without IDLE is looked at every minute
LIMIT_S: Final = 90.0
_TEXT: Final = """\
maild doctor sent this mail to itself, to see whether it comes back.
It opens no ticket. If you read it in a mailbox of people, mail to this address does not reach maild.
"""


def _round_trip(patient: Patient) -> Iterator[Finding]:
    if is_served(patient.store) is False:
        yield unknown("no daemon is running, so nothing would leave (D43)")
        return
    if trouble := patient.relay_trouble():
        yield unknown(f"nothing would leave (D30): {trouble}")
        return
    sent = [(each, *_send(patient, each)) for each in patient.desk.departments]
    patient.tell(f"a mail to itself is on its way; waiting for it, {WAIT_S:.0f} s at most ...")
    waiting = {number: department for department, number, _ in sent}
    ids = {number: id_ for _, number, id_ in sent}
    waited_s = 0.0
    while waiting:
        for number, department in list(waiting.items()):
            found = _outcome(patient, department, number, ids[number], waited_s)
            if found is not None:
                del waiting[number]
                yield found
        if waiting:
            patient.pause(LOOK_S)
            waited_s += LOOK_S


def _send(patient: Patient, department: Department) -> tuple[int, str]:
    """Write the mail into the outbox; return its number and its Message-ID."""
    keys = signing_keys.load(patient.store, patient.now)
    address = signed(patient, department.address)
    made = message_id(keys, 0, secrets.token_hex(12), department.address.rpartition("@")[2])
    with patient.store.write() as connection:
        person = people.enrol(connection, [Address("", address)], patient.now)[normalise(address)]
        draft = Draft(
            from_=Address("maild", department.address),
            to=(person.mailbox,),
            subject="A mail to itself",
            text=_TEXT,
            message_id=made,
            date=patient.now,
            automatic=Automatic.GENERATED,
        )
        return ticketless.write(connection, draft, person, PURPOSE, text=_TEXT), made


def _outcome(patient: Patient, department: Department, number: int, id_: str, waited_s: float) -> Finding | None:
    """Return what became of the mail, None if it may still come."""
    came = _came(patient, id_)
    if came is not None:
        return _judged(department, came, waited_s)
    with patient.store.read() as connection:
        delivery = connection.execute(select(DeliveryRow.__table__).where(DeliveryRow.mail_id == number)).one()
    if delivery.state is DeliveryState.FAILED:
        return fault(f"{department.address}: the relay refuses it: {delivery.reply}", "see D30 and [relay]")
    if waited_s < WAIT_S:
        return None
    if delivery.state is DeliveryState.QUEUED:
        said = delivery.reply or "the daemon has not tried yet"
        return fault(f"{department.address}: not sent within {WAIT_S:.0f} s: {said}", "see D30 and D47")
    return fault(
        f"{department.address}: the relay took it ({delivery.reply}), and it did not come within {WAIT_S:.0f} s",
        f"see where your mail server delivers {delivery.recipient}: it has to hand on what follows the plus "
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
