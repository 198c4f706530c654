"""Databases as released versions left them, made again from the rows that their own code wrote."""

import base64
import json
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import MetaData, insert, select, text

from maild.store import schema
from maild.store.engine import Database

RELEASED = sorted((Path(__file__).parent / "released").glob("*.json"))

Rows = dict[str, list[dict[str, Any]]]


def restore(database: Database, released: Path, *, copies: int = 0) -> Rows:
    """Fill an empty database with what a released version wrote, each mail `copies` times more; return the rows."""
    written = json.loads(released.read_text())
    tables = {
        name: [{key: value(each) for key, each in row.items()} for row in rows]
        for name, rows in written["tables"].items()
    }
    _copy(tables, copies)
    with database.migrate() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, written["schema"])
        there = MetaData()
        there.reflect(connection)
        for name, rows in tables.items():
            connection.execute(insert(there.tables[name]), rows)
        if not database.is_sqlite:
            for name, rows in tables.items():
                if "id" in rows[0] and isinstance(rows[0]["id"], int):
                    highest = max(row["id"] for row in rows)
                    connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {highest})"))
    return tables


def _copy(tables: Rows, copies: int) -> None:
    mails, pieces = list(tables["mail"]), list(tables["raw"])
    highest = max(row["id"] for row in mails)
    for copy in range(1, copies + 1):
        by = copy * highest
        for row in mails:
            name = (row["id"] + by).to_bytes(32, "big")
            tables["mail"].append({**row, "id": row["id"] + by, "fingerprint": name, "message_id": f"{name.hex()}@x"})
        tables["raw"] += [{**row, "mail_id": row["mail_id"] + by} for row in pieces]


def value(written: Any) -> Any:
    """Return what stands in the file for instants and bytes."""
    if isinstance(written, dict) and len(written) == 1:
        [(kind, inside)] = written.items()
        match kind:
            case "at":
                return datetime.fromisoformat(inside)
            case "hex":
                return bytes.fromhex(inside)
            case "zlib":
                return zlib.decompress(base64.b64decode(inside))
    return written


def content(database: Database, names: list[str]) -> Rows:
    """Every row of these tables, with the columns that they have now."""
    with database.read() as connection:
        there = MetaData()
        there.reflect(connection)
        return {
            name: [dict(row) for row in connection.execute(select(there.tables[name])).mappings()] for name in names
        }


def same(row: dict[str, Any], before: dict[str, Any]) -> bool:
    """Return whether a row has all that it had before."""
    return all(
        row[key] == each or (isinstance(each, datetime) and row[key].replace(tzinfo=each.tzinfo) == each)
        for key, each in before.items()
    )


def lost(database: Database, tables: Rows) -> list[str]:
    """Return what of `tables` is no longer in the database, or is there twice."""
    found = content(database, list(tables))
    missing = [
        f"{name}: {len(found[name])} rows, not {len(rows)}"
        for name, rows in tables.items()
        if len(found[name]) != len(rows)
    ]
    for name, rows in tables.items():
        key = "id" if "id" in rows[0] else next(iter(rows[0]))
        by_key: dict[Any, list[dict[str, Any]]] = {}
        for row in found[name]:
            by_key.setdefault(row[key], []).append(row)
        missing += [
            f"{name}: {before[key]}"
            for before in rows
            if not any(same(row, before) for row in by_key.get(before[key], []))
        ]
    return missing
