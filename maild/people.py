"""Addresses become people: who is known, and who is met for the first time.

A person may write from several addresses; an address belongs to one person. Agents are named in the configuration
and have rows here only so that proofs can be made for them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, text, update

from maild.message.address import Address, normalise, spelled, valid
from maild.store import driver
from maild.store.models import AddressRow, PersonRow
from maild.store.upsert import upsert

MOST_CHARACTERS: Final = 320  # of an address or a name: the columns' width


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody under one of his addresses."""

    id: int
    address_id: int
    address: str  # as it was written
    normal: str  # as it is compared
    name: str
    language: str | None = None
    suppressed_until: datetime | None = None

    @property
    def mailbox(self) -> Address:
        """Name and address as a header has them."""
        return Address(self.name, self.address)


_COLUMNS = (
    PersonRow.id,
    AddressRow.id.label("address_id"),
    AddressRow.address,
    AddressRow.normal,
    PersonRow.name,
    PersonRow.language,
    AddressRow.suppressed_until,
)
_JOINED = select(*_COLUMNS).join(AddressRow, AddressRow.person_id == PersonRow.id)
_BY_ADDRESS = _JOINED.where(AddressRow.normal.in_(bindparam("normals", expanding=True)))
_BY_ID = _JOINED.where(AddressRow.id.in_(bindparam("ids", expanding=True)))
_TRUST_AGAIN = (
    update(AddressRow)
    .where(AddressRow.normal.in_(bindparam("normals", expanding=True)), AddressRow.suppressed_until.is_not(None))
    .values(suppressed_until=None, suppressed_reason=None)
)
_LAST_PERSON: Final = text("SELECT max(id) FROM person")
_NEXT_PEOPLE: Final = text("SELECT nextval(pg_get_serial_sequence('person', 'id')) FROM generate_series(1, :count)")
_ADD_PEOPLE: Final = driver.insert(PersonRow, "id", "name", "created_at")


def known(connection: Connection, addresses: Iterable[str]) -> dict[str, Person]:
    """Return who is known among `addresses`, by normalised address."""
    return _known(connection, {normalise(each) for each in addresses})


def _known(connection: Connection, normals: Collection[str]) -> dict[str, Person]:
    if not normals:
        return {}
    stored = {normal: _stored(normal) for normal in normals}
    rows = connection.execute(_BY_ADDRESS, {"normals": list(set(stored.values()))})
    people = {row.normal: Person(*row) for row in rows}
    return {normal: people[as_stored] for normal, as_stored in stored.items() if as_stored in people}


def _stored(text: str) -> str:
    """Return an address or a name as the tables hold it; what is longer is nobody's, and must be filed all the same."""
    if text.isascii() and len(text) <= MOST_CHARACTERS and "\x00" not in text:
        return text
    return text[:MOST_CHARACTERS].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def by_id(connection: Connection, address_ids: Iterable[int]) -> dict[int, Person]:
    """Return the people of `address_ids`, by that id."""
    ids = set(address_ids)
    if not ids:
        return {}
    return {row.address_id: Person(*row) for row in connection.execute(_BY_ID, {"ids": list(ids)})}


def enrol(connection: Connection, mailboxes: Iterable[Address], now: datetime) -> dict[str, Person]:
    """Return the people of `mailboxes` by normalised address; those met for the first time are written down."""
    wanted: dict[str, Address] = {}
    for mailbox in mailboxes:
        normal = normalise(mailbox.address)
        if normal not in wanted or (mailbox.name and not wanted[normal].name):
            wanted[normal] = mailbox
    found = _known(connection, wanted)
    _learn_names(connection, wanted, found)
    _respell(connection, wanted, found)
    missing = {normal: mailbox for normal, mailbox in wanted.items() if normal not in found}
    if missing:
        found |= _add(connection, missing, now)
    return found


def _add(connection: Connection, missing: dict[str, Address], now: datetime) -> dict[str, Person]:
    """Write down who is met for the first time: a statement a table, however many they are."""
    fresh = {_stored(normal): mailbox for normal, mailbox in sorted(missing.items())}  # two nodes add in one order
    numbers = dict(zip(fresh, _numbers(connection, len(fresh)), strict=True))
    names = {each: _stored(mailbox.name) for each, mailbox in fresh.items()}
    written = {each: _stored(spelled(mailbox.address)) for each, mailbox in fresh.items()}
    _ADD_PEOPLE.execute(connection, [{"id": numbers[each], "name": names[each], "created_at": now} for each in fresh])
    rows = [{"person_id": numbers[each], "normal": each, "address": written[each]} for each in fresh]
    added = upsert(connection, AddressRow).on_conflict_do_nothing().returning(AddressRow.normal, AddressRow.id)
    ids = {row.normal: row.id for row in connection.execute(added, rows)}
    if len(ids) < len(fresh):  # another node met the same person at the same moment
        others = [numbers[each] for each in fresh if each not in ids]
        connection.execute(delete(PersonRow).where(PersonRow.id.in_(others)))
        return _known(connection, missing)
    found = {each: Person(numbers[each], ids[each], written[each], each, names[each]) for each in fresh}
    return {normal: found[_stored(normal)] for normal in missing}


def _numbers(connection: Connection, count: int) -> Sequence[int]:
    """Return ids for as many people, which nobody else gives."""
    if connection.dialect.name != "sqlite":
        return connection.scalars(_NEXT_PEOPLE, {"count": count}).all()
    last = connection.scalar(_LAST_PERSON) or 0  # nobody else writes
    return range(last + 1, last + 1 + count)


def _learn_names(connection: Connection, wanted: dict[str, Address], found: dict[str, Person]) -> None:
    for normal, person in found.items():
        mailbox = wanted[normal]
        if mailbox.name and not person.name:
            name = _stored(mailbox.name)
            connection.execute(update(PersonRow).where(PersonRow.id == person.id).values(name=name))
            found[normal] = replace(person, name=name)


def _respell(connection: Connection, wanted: dict[str, Address], found: dict[str, Person]) -> None:
    """Give addresses that a release before 0.2.0 wrote down in a spelling of somebody else the one that is theirs."""
    for normal, person in found.items():
        if valid(person.address) and normalise(person.address) == normal:
            continue
        address = _stored(spelled(wanted[normal].address))
        if valid(address) and address != person.address:
            connection.execute(update(AddressRow).where(AddressRow.id == person.address_id).values(address=address))
            found[normal] = replace(person, address=address)


def unite(connection: Connection, address: str, person: Person) -> None:
    """Make `address`, which is known, one of `person`'s."""
    connection.execute(update(AddressRow).where(AddressRow.normal == normalise(address)).values(person_id=person.id))


def suppress(connection: Connection, normals: Iterable[str], until: datetime, reason: str) -> None:
    """Send nothing automatic to these addresses until then."""
    connection.execute(
        update(AddressRow)
        .where(AddressRow.normal.in_(set(normals)))
        .values(suppressed_until=until, suppressed_reason=reason[:1000])
    )


def trust_again(connection: Connection, normals: Iterable[str]) -> None:
    """A mail arrived there: the address works."""
    if wanted := list(normals):
        connection.execute(_TRUST_AGAIN, {"normals": wanted})
