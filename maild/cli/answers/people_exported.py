"""What is kept of a person, in a zip file: `person.json`, `tickets.json`, and each mail as it came or left."""

import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, or_, select

from maild.desk.forgetting import Found
from maild.store import raw
from maild.store.models import AddressRow, DeliveryRow, Direction, MailRow, PersonRow, TicketRow


def write(connection: Connection, found: Found, file: Path, now: datetime) -> dict[str, int]:
    """Write the file, readable by its owner only, and return how many mails and tickets are in it."""
    file.touch(mode=0o600)
    person = connection.execute(select(PersonRow.__table__).where(PersonRow.id == found.person)).mappings().one()
    addresses = connection.execute(select(AddressRow.__table__).where(AddressRow.id.in_(found.addresses))).mappings()
    wanted = TicketRow.id.in_([*found.tickets, *found.elsewhere])
    tickets = connection.execute(
        select(
            TicketRow.id,
            TicketRow.subject,
            TicketRow.department,
            TicketRow.status,
            TicketRow.priority,
            TicketRow.language,
            TicketRow.created_at,
            TicketRow.since,
        )
        .where(wanted)
        .order_by(TicketRow.id)
    ).mappings()
    mails = _mails(connection, found)
    data = {
        "exported_at": now,
        "person": dict(person),
        "addresses": [dict(each) for each in addresses],
    }
    listed = [dict(each) for each in tickets]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", _json(data))
        archive.writestr("tickets.json", _json({"tickets": listed, "mails": mails}))
        for each in mails:
            with archive.open(f"mails/{each['id']:08}.eml", "w") as mail:
                for piece in raw.pieces(connection, each["id"]):
                    mail.write(piece)
    return {"mails": len(mails), "tickets": len(listed)}


def _mails(connection: Connection, found: Found) -> list[dict[str, Any]]:
    """Return the mails that he wrote, and those that were sent to him."""
    to_him = select(DeliveryRow.mail_id).where(DeliveryRow.address_id.in_(found.addresses))
    his = (MailRow.direction == Direction.IN) & MailRow.from_address.in_(found.normals)
    rows = connection.execute(
        select(MailRow.id, MailRow.direction, MailRow.ticket_id, MailRow.stored_at, MailRow.subject, MailRow.purpose)
        .where(or_(his, MailRow.id.in_(to_him)))
        .order_by(MailRow.id)
    ).mappings()
    return [dict(row) for row in rows]


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, default=str)
