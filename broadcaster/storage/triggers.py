"""Triggers that hold what a constraint cannot: ledgers are append-only, payloads go only with an erasure.

One helper makes them for both engines; migrations call it, and ``missing`` is checked after each migration and by
``doctor``-like checks, because SQLite's batch mode drops triggers without a word.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

#: Never updated, never deleted.
APPEND_ONLY = ("consent_event", "wording", "template_variant", "checkpoint", "erased_item")
#: Table -> condition under which a row may be deleted: it stands in ``erased_item`` (same transaction or before).
ERASABLE = {
    "log_payload": "kind = 'leaf' AND item_id = OLD.entry_id",
    "consent_evidence": "kind = 'consent' AND item_id = OLD.event_id",
}

_SQLITE_BLOCK = (
    "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
)
_SQLITE_ERASABLE = (
    "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
    "WHEN NOT EXISTS (SELECT 1 FROM erased_item WHERE {condition}) BEGIN "
    "SELECT RAISE(ABORT, '{table} is deleted only by an erasure'); END"
)
_SQLITE_ENTRY = (
    "CREATE TRIGGER log_entry_no_update BEFORE UPDATE ON log_entry "
    "WHEN OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind "
    "OR NEW.commitment <> OLD.commitment OR NEW.created_at <> OLD.created_at BEGIN "
    "SELECT RAISE(ABORT, 'log_entry is append-only'); END"
)
_PG_BLOCK_FUNCTION = (
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation'; END $$"
)
_PG_BLOCK = "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
_PG_ERASABLE_FUNCTION = (
    "CREATE OR REPLACE FUNCTION {table}_erasable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NOT EXISTS (SELECT 1 FROM erased_item WHERE {condition}) THEN "
    "RAISE EXCEPTION '{table} is deleted only by an erasure' USING ERRCODE = 'check_violation'; END IF; "
    "RETURN OLD; END $$"
)
_PG_ERASABLE = (
    "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_erasable()"
)
_PG_ENTRY = (
    "CREATE TRIGGER log_entry_no_update BEFORE UPDATE ON log_entry FOR EACH ROW "
    "WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind "
    "OR NEW.commitment <> OLD.commitment OR NEW.created_at <> OLD.created_at) EXECUTE FUNCTION refuse_change()"
)
_PG_TRUNCATE = (
    "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
)


def statements(dialect: str) -> list[str]:
    """Return the statements that create every trigger, for ``sqlite`` or ``postgresql``."""
    if dialect == "sqlite":
        made = [_SQLITE_BLOCK.format(table=table, verb=verb) for table, verb in _blocked()]
        made += [_SQLITE_ERASABLE.format(table=table, condition=rule) for table, rule in ERASABLE.items()]
        return [*made, _SQLITE_ENTRY]
    made = [_PG_BLOCK_FUNCTION]
    made += [_PG_BLOCK.format(table=table, verb=verb) for table, verb in _blocked()]
    for table, rule in ERASABLE.items():
        made += [_PG_ERASABLE_FUNCTION.format(table=table, condition=rule), _PG_ERASABLE.format(table=table)]
    made += [_PG_TRUNCATE.format(table=table) for table in (*APPEND_ONLY, *ERASABLE, "log_entry")]
    return [*made, _PG_ENTRY]


def _blocked() -> list[tuple[str, str]]:
    pairs = [(table, verb) for table in APPEND_ONLY for verb in ("update", "delete")]
    return [*pairs, *((table, "update") for table in ERASABLE), ("log_entry", "delete")]


def names(dialect: str) -> set[str]:
    """Return the names of the triggers that must exist."""
    return {line.split()[2] for line in statements(dialect) if line.startswith("CREATE TRIGGER")}


def missing(connection: Connection) -> set[str]:
    """Return the triggers that should exist and do not."""
    dialect = connection.dialect.name
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if dialect == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    return names(dialect) - {row[0] for row in connection.execute(text(query))}


def drop(connection: Connection) -> None:
    """Remove every trigger (a downgrade to nothing)."""
    dialect = connection.dialect.name
    for line in statements(dialect):
        words = line.split()
        if words[1] != "TRIGGER":
            continue
        on = f" ON {words[words.index('ON') + 1]}" if dialect != "sqlite" else ""
        connection.execute(text(f"DROP TRIGGER IF EXISTS {words[2]}{on}"))
    if dialect != "sqlite":
        for function in ("refuse_change", *(f"{table}_erasable" for table in ERASABLE)):
            connection.execute(text(f"DROP FUNCTION IF EXISTS {function}()"))
