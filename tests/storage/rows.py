"""One plausible row for any table, past all actions: for tests of what the database itself holds."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Boolean, Connection, Date, DateTime, Float, LargeBinary, Numeric, Table, insert, inspect, select
from sqlalchemy.types import Integer
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.storage.tables import metadata

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_counter = itertools.count(1000)

#: What a CHECK or a trigger asks for beyond the column's type.
SPECIAL: dict[str, dict[str, Any]] = {
    "account": {"state": "active", "concurrency": 4},
    "address": {"status": "ok", "digest": b"d", "value_ct": b"v"},
    "attribute_definition": {"type": "text"},
    "campaign": {"state": "draft"},
    "consent_event": {"action": "granted", "actor": "person", "source": "web_form", "basis": "consent"},
    "consent_state": {"standing": "granted", "basis": "consent"},
    "contact": {"kind": "consumer", "state": "active"},
    "contact_group": {"kind": "list"},
    "conversation": {"state": "open"},
    "erased_item": {"kind": "step"},
    "import_job": {"state": "uploaded"},
    "log_entry": {"kind": "admin"},
    "message": {"kind": "inbound"},
    "own_word": {"kind": "contest"},
    "privacy_request": {"kind": "access", "state": "received"},
    "purpose": {"kind": "marketing"},
    "receipt": {"kind": "sent"},
    "run": {"state": "running"},
    "staff": {"role": "agent"},
    "step": {"state": "planned"},
    "suppression": {"reason": "list"},
}


def add(connection: Connection, name: str, **values: Any) -> dict[str, Any]:
    """Insert a row into table *name* and what it refers to; return the row as stored."""
    table: Table = metadata.tables[name]
    row = {**SPECIAL.get(name, {}), **values}
    for column in table.columns:
        if column.name in row or (column.nullable and not column.foreign_keys):
            continue
        if column.foreign_keys and not column.nullable:
            target = next(iter(column.foreign_keys)).column
            row[column.name] = _any_of(connection, target.table.name)[target.name]
        elif not column.nullable and not (column.autoincrement is True and column.primary_key):
            row[column.name] = _value(column)
    for column in table.columns:  # unique bytes must differ
        if isinstance(column.type, LargeBinary) and column.unique and column.name not in values:
            row[column.name] = b"%d" % next(_counter)
    made = connection.execute(insert(table).values(**row).returning(*table.columns)).mappings().one()
    return dict(made)


def _any_of(connection: Connection, name: str) -> dict[str, Any]:
    found = connection.execute(select(metadata.tables[name]).limit(1)).mappings().first()
    return add(connection, name) if found is None else dict(found)


def _value(column: Any) -> Any:
    kind, number = column.type, next(_counter)
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, UTCDateTime | DateTime):
        return NOW
    if isinstance(kind, Date):
        return date(2026, 3, 2)
    if isinstance(kind, LargeBinary):
        return b"%d" % number
    if isinstance(kind, Integer | Float | Numeric):
        return number if column.primary_key or column.name == "position" else 1
    if kind.__class__.__name__ in ("JSON", "JSONB"):
        return {}
    return f"w{number}"


def fill(connection: Connection) -> None:
    """Put a row into every table that has none."""
    for table in metadata.sorted_tables:
        _any_of(connection, table.name)


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of rows of every table there is."""
    there = inspect(connection).get_table_names()
    return {
        name: len(connection.execute(select(table)).all()) for name, table in metadata.tables.items() if name in there
    }
