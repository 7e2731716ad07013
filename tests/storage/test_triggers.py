"""What is written in a ledger stays: on both engines, by every road a statement can take."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import triggers
from tests.storage import rows

LEDGERS = sorted({*triggers.APPEND_ONLY, *triggers.ERASABLE, "log_entry"})
#: A column of each ledger that a forger would change.
COLUMN = {
    "consent_event": "action = 'withdrawn'",
    "wording": "text = 'x'",
    "template_variant": "label = 'x'",
    "checkpoint": "note = 'x'",
    "erased_item": "kind = 'leaf'",
    "log_payload": "event = 'x'",
    "consent_evidence": "salt = ''",
    "log_entry": "kind = 'send'",
}


def refused(connection: Connection, statement: str) -> bool:
    """Try a statement; whatever it did is undone."""
    attempt = connection.begin_nested()
    try:
        connection.execute(text(statement))
    except DBAPIError as problem:
        assert "append-only" in str(problem.orig) or "by an erasure" in str(problem.orig)  # noqa: PT017
        return True
    finally:
        attempt.rollback()
    return False


def test_a_row_of_a_ledger_is_neither_changed_nor_deleted(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        rows.fill(connection)
        for table in LEDGERS:
            assert refused(connection, f"UPDATE {table} SET {COLUMN[table]}"), table
            assert refused(connection, f"DELETE FROM {table}"), table


def test_a_ledger_is_not_truncated_nor_written_over(runtime: Runtime) -> None:
    over = "INSERT OR REPLACE INTO {0} SELECT * FROM {0}" if runtime.db.sqlite else "TRUNCATE {0} CASCADE"
    with runtime.db.engine.begin() as connection:
        rows.fill(connection)
        for table in LEDGERS:
            assert refused(connection, over.format(table)), table


def test_an_upsert_is_a_change_too(runtime: Runtime) -> None:
    keys = {"erased_item": "kind, item_id, part", "checkpoint": "size", "log_payload": "entry_id"}
    keys["consent_evidence"] = "event_id"
    with runtime.db.engine.begin() as connection:
        rows.fill(connection)
        for table in LEDGERS:
            upsert = f"INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT ({keys.get(table, 'id')})"
            assert refused(connection, f"{upsert} DO UPDATE SET {COLUMN[table]}"), table


def test_a_leaf_gets_its_number_once(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        entry = rows.add(connection, "log_entry", position=None)["id"]
        assert refused(connection, f"UPDATE log_entry SET position = 7, kind = 'send' WHERE id = {entry}")
        assert refused(connection, f"UPDATE log_entry SET position = 7, commitment = '' WHERE id = {entry}")
        assert refused(connection, f"UPDATE log_entry SET position = 7, id = 999999 WHERE id = {entry}")
        connection.execute(text(f"UPDATE log_entry SET position = 7 WHERE id = {entry}"))
        assert refused(connection, f"UPDATE log_entry SET position = 8 WHERE id = {entry}")
        assert refused(connection, f"UPDATE log_entry SET position = NULL WHERE id = {entry}")


def test_two_leaves_never_have_one_number(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        rows.add(connection, "log_entry", position=7)
        with pytest.raises(DBAPIError, match=r"(?i)unique"), connection.begin_nested():
            rows.add(connection, "log_entry", position=7)


@pytest.mark.parametrize(
    "table,key,kind,of",
    [("log_payload", "entry_id", "leaf", "log_entry"), ("consent_evidence", "event_id", "consent", "consent_event")],
)
def test_a_payload_goes_only_after_its_erasure_is_written_down(
    runtime: Runtime, table: str, key: str, kind: str, of: str
) -> None:
    with runtime.db.engine.begin() as connection:
        item = rows.add(connection, table, **{key: rows.add(connection, of)["id"]})[key]
        erasure = rows.add(connection, "log_entry", kind="erasure")["id"]
        other = "consent" if kind == "leaf" else "leaf"
        rows.add(connection, "erased_item", kind=other, item_id=item, part=0, erasure_id=erasure)
        rows.add(connection, "erased_item", kind=kind, item_id=item + 1, part=0, erasure_id=erasure)
        delete = f"DELETE FROM {table} WHERE {key} = {item}"
        assert refused(connection, delete), "the erasure of something else covers nothing"
        rows.add(connection, "erased_item", kind=kind, item_id=item, part=0, erasure_id=erasure)
        assert connection.execute(text(delete)).rowcount == 1
