"""What the parts of a configuration say about each other: names that must exist, addresses that must differ.

It works on the tables as they were read, before and beside the checks of single fields, so that all faults are found
at once; what is of the wrong kind is passed over here, because those checks report it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from maild.config.kinds import nearest
from maild.config.kinds.hosts import endpoint, is_loopback, is_wildcard
from maild.config.kinds.names import NAME
from maild.config.kinds.times import is_zone
from maild.message.address import normalise, valid
from maild.message.tokens import fits

Path = tuple[str | int, ...]
Fault = tuple[Path, str]
Tables = Mapping[str, Any]

LOCALHOST: Final = frozenset({"localhost", "127.0.0.1", "::1"})  # one may mean the other


def filled_in(written: Tables) -> dict[str, Any]:
    """Return the tables with the defaults that depend on other tables: departments of agents and mailboxes, zones."""
    names = [name for name in _names_of(written, "department") if re.fullmatch(NAME, name)]
    names = names or ["none"]  # there is a fault already
    filled = dict(written)
    if isinstance(written.get("agent"), list | tuple):
        filled["agent"] = [_with(table, departments=names) for table in written["agent"]]
    if isinstance(written.get("mailbox"), list | tuple):
        filled["mailbox"] = [_with(table, department=names[0]) for table in written["mailbox"]]
    if isinstance(calendars := written.get("calendar"), dict):
        zone = next((table.get("timezone", "UTC") for _, table in _tables(written, "department")), "UTC")
        usable = zone if is_zone(zone) else "UTC"  # the department's fault is reported once
        filled["calendar"] = {name: _with(table, timezone=usable) for name, table in calendars.items()}
    return filled


def faults(written: Tables) -> Iterator[Fault]:
    """Yield what is wrong between the tables, as (path, what was expected)."""
    if "smtp" not in written and not written.get("mailbox"):
        yield ("smtp",), "expected a table [smtp] or [[mailbox]]: nothing would receive mail"
    if written.get("department") == []:
        yield ("department",), "expected at least one table [[department]]"
    yield from _names(written)
    yield from _addresses(written)
    yield from _routes(written)
    yield from _escalations(written)
    yield from _loop(written)


def _names(written: Tables) -> Iterator[Fault]:
    departments = _names_of(written, "department")
    yield from _repeated(written, "department", "name")
    yield from _repeated(written, "mailbox", "name")
    for index, table in _tables(written, "department"):
        yield from _unknown(table.get("sla"), _keys(written, "sla"), ("department", index, "sla"), "a table [sla.{}]")
    yield from _leads(written)
    for name, table in _named(written, "sla"):
        known = _keys(written, "calendar")
        for key in ("calendar", "warn_in"):
            yield from _unknown(table.get(key), known, ("sla", name, key), "a table [calendar.{}]")
    for index, table in _tables(written, "mailbox"):
        path = ("mailbox", index, "department")
        yield from _unknown(table.get("department"), departments, path, "a department of that name")
    applications = _keys(written, "oauth")
    for index, table in _tables(written, "mailbox"):
        yield from _unknown(table.get("oauth"), applications, ("mailbox", index, "oauth"), "a table [oauth.{}]")
    yield from _domains(written)
    yield from _unknown(_table(written, "relay").get("oauth"), applications, ("relay", "oauth"), "a table [oauth.{}]")
    for index, table in _tables(written, "agent"):
        calendars, path = _keys(written, "calendar"), ("agent", index, "calendar")
        yield from _unknown(table.get("calendar"), calendars, path, "a table [calendar.{}]")
        named = table.get("departments")
        for place, name in enumerate(named if isinstance(named, list | tuple) else ()):
            yield from _unknown(name, departments, ("agent", index, "departments", place), "a department of that name")


def _routes(written: Tables) -> Iterator[Fault]:
    departments, agents = _names_of(written, "department"), _departments_of_agents(written)
    for index, table in _tables(written, "route"):
        path: Path = ("route", index)
        yield from _unknown(table.get("department"), departments, (*path, "department"), "a department of that name")
        yield from _no_agent(table.get("assign"), agents, (*path, "assign"))
        yield from _works_elsewhere(table.get("assign"), table.get("department"), agents, (*path, "assign"))


def _escalations(written: Tables) -> Iterator[Fault]:
    departments, agents = _names_of(written, "department"), _departments_of_agents(written)
    yield from _repeated(written, "escalate", "name")
    for index, table in _tables(written, "escalate"):
        path: Path = ("escalate", index)
        for where, name in _each((*path, "department"), table.get("department")):
            yield from _unknown(name, departments, where, "a department of that name")
        yield from _unknown(table.get("move_to"), departments, (*path, "move_to"), "a department of that name")
        for where, address in _each((*path, "tell"), table.get("tell")):
            yield from _no_agent(address, agents, where)
        yield from _no_agent(table.get("assign"), agents, (*path, "assign"))
        yield from _works_elsewhere(table.get("assign"), table.get("move_to"), agents, (*path, "assign"))


def _each(path: Path, written: Any) -> list[tuple[Path, Any]]:
    """Return the values of a key that takes one or several, each with its place."""
    if isinstance(written, list | tuple):
        return [((*path, place), value) for place, value in enumerate(written)]
    return [(path, written)]


def _departments_of_agents(written: Tables) -> dict[str, Any]:
    departments = _names_of(written, "department")
    return {
        normalise(table["address"]): table.get("departments", departments)
        for _, table in _tables(written, "agent")
        if isinstance(table.get("address"), str)
    }


def _works_elsewhere(agent: Any, department: Any, agents: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    if isinstance(department, str) and isinstance(agent, str) and normalise(agent) in agents:
        works_in = agents[normalise(agent)]
        if isinstance(works_in, list | tuple) and department not in works_in:
            yield path, f"expected an agent of department {department!r}"


def _no_agent(address: Any, agents: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    if isinstance(address, str) and valid(address.strip()) and normalise(address) not in agents:
        yield path, "expected the address of an agent" + nearest(normalise(address), list(agents))


def _leads(written: Tables) -> Iterator[Fault]:
    agents = _departments_of_agents(written)
    for index, table in _tables(written, "department"):
        yield from _no_agent(table.get("lead"), agents, ("department", index, "lead"))


def _domains(written: Tables) -> Iterator[Fault]:
    """No customer has two levels of service."""
    owners: dict[str, str] = {}
    for name, table in _named(written, "sla"):
        domains = table.get("domains")
        for place, domain in enumerate(domains if isinstance(domains, list | tuple) else ()):
            if not isinstance(domain, str):
                continue
            plain = normalise(f"a@{domain.strip().removeprefix('@')}")
            if owner := owners.get(plain):
                yield ("sla", name, "domains", place), f"expected another domain: this one has the level {owner!r}"
            owners.setdefault(plain, name)


def _addresses(written: Tables) -> Iterator[Fault]:
    """No address means two things; in particular mail to an agent must not come back to a department, for ever."""
    owners: dict[str, str] = {}
    for path, ours, name in _addresses_of_departments(written):
        if owner := owners.get(normalise(ours)):
            yield path, f"expected another address: this one is {owner}"
        owners.setdefault(normalise(ours), f"that of department {name!r}")
    yield from _unsignable(written)
    for index, table in _tables(written, "agent"):
        address = table.get("address")
        if not isinstance(address, str):
            continue
        if owner := owners.get(normalise(address)):
            loop = "; mail to the agent would come back as mail to the department" if "department" in owner else ""
            yield ("agent", index, "address"), f"expected another address: this one is {owner}{loop}"
        owners.setdefault(normalise(address), f"that of agent {table.get('name', index + 1)!r}")
    operator = _table(written, "maild").get("operator")
    if isinstance(operator, str) and "department" in (owner := owners.get(normalise(operator), "")):
        yield ("maild", "operator"), f"expected another address: this one is {owner}, so alerts would become tickets"


def _addresses_of_departments(written: Tables) -> Iterator[tuple[Path, str, Any]]:
    """Yield each address of a department, with its place and what the department is called."""
    for index, table in _tables(written, "department"):
        aliases = table.get("aliases")
        some = list(enumerate(aliases if isinstance(aliases, list | tuple) else ()))
        places: list[tuple[Path, Any]] = [(("department", index, "address"), table.get("address"))]
        places += [(("department", index, "aliases", place), alias) for place, alias in some]
        yield from ((path, one, table.get("name", index + 1)) for path, one in places if isinstance(one, str))


def _unsignable(written: Tables) -> Iterator[Fault]:
    """Answers to a department carry a signed part, for which its address must leave room."""
    if _table(written, "maild").get("reply_form", "plus") != "plus":
        return
    expected = "expected at most 16 characters before the @: the signed part that answers carry needs the rest of 64"
    for index, table in _tables(written, "department"):
        address = table.get("address")
        if isinstance(address, str) and valid(address.strip()) and not fits(address, "plus"):
            yield ("department", index, "address"), expected


def _loop(written: Tables) -> Iterator[Fault]:
    smtp, relay = _table(written, "smtp"), _table(written, "relay")
    if smtp.get("protocol") == "lmtp":
        return
    try:
        listen = endpoint(str(smtp.get("listen", "")))
    except ValueError:
        return
    to = relay.get("host", "localhost")
    near = is_loopback(to) if isinstance(to, str) else False
    same = to == listen.host or (near and (is_wildcard(listen.host) or {to, listen.host} <= LOCALHOST))
    if not same or listen.port != relay.get("port", 25):
        return
    if "port" in relay:
        yield ("relay", "port"), "expected another port: maild itself listens there, and would send its mail to itself"
    else:
        text = (
            "expected another port, or host and port in [relay]: mail leaves to localhost:25, and that is maild itself"
        )
        yield ("smtp", "listen"), text


def _repeated(written: Tables, kind: str, key: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, table in _tables(written, kind):
        value = table.get(key)
        if isinstance(value, str):
            if value in seen:
                yield (kind, index, key), f"expected another {key}: there is a {kind} {value!r} above"
            seen.add(value)


def _unknown(name: Any, known: list[str], path: Path, expected: str) -> Iterator[Fault]:
    if not isinstance(name, str) or name in known:
        return
    hint = nearest(name, known) or (f"; there is {', '.join(map(repr, known))}" if known else "; there is none")
    yield path, f"expected {expected.format(name)}{hint}"


def _table(written: Tables, key: str) -> Tables:
    found = written.get(key)
    return found if isinstance(found, dict) else {}


def _tables(written: Tables, key: str) -> list[tuple[int, Tables]]:
    found = written.get(key)
    if not isinstance(found, list | tuple):
        return []
    return [(index, table) for index, table in enumerate(found) if isinstance(table, dict)]


def _named(written: Tables, key: str) -> list[tuple[str, Tables]]:
    return [(name, table) for name, table in _table(written, key).items() if isinstance(table, dict)]


def _keys(written: Tables, key: str) -> list[str]:
    return list(_table(written, key))


def _names_of(written: Tables, key: str) -> list[str]:
    return [table["name"] for _, table in _tables(written, key) if isinstance(table.get("name"), str)]


def _with(table: Any, **defaults: Any) -> Any:
    return {**defaults, **table} if isinstance(table, dict) else table
