"""The schema goes up, down and up again with data in every table, is what the code thinks it is, and says when not."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from broadcaster.core.errors import Conflict, IntegrityFailure, Unavailable
from broadcaster.storage import schema, triggers
from broadcaster.storage.database import Database
from broadcaster.storage.tables import metadata
from tests.storage import rows


@pytest.fixture
def database(migrated_url: str) -> Database:
    return Database(migrated_url)


def test_the_schema_goes_down_and_up_with_data_in_every_table(database: Database) -> None:
    with database.engine.begin() as connection:
        rows.fill(connection)
        assert all(rows.counts(connection).values()), "the test must not leave a table empty"
    schema.downgrade(database, "base")
    with database.engine.begin() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
        assert not triggers.names(connection.dialect.name) - triggers.missing(connection)
    schema.upgrade(database)
    with database.engine.begin() as connection:
        rows.fill(connection)
        assert not triggers.missing(connection)
    schema.require_current(database)
    database.close()


def test_going_up_twice_changes_nothing(database: Database) -> None:
    with database.engine.begin() as connection:
        rows.fill(connection)
        before = rows.counts(connection)
    schema.upgrade(database)
    with database.engine.begin() as connection:
        assert rows.counts(connection) == before
    database.close()


def test_the_migrated_tables_are_the_ones_the_code_describes(database: Database) -> None:
    with database.engine.begin() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert found == []
    database.close()


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_sqlite_keeps_the_rows_of_a_table_in_the_tree_of_its_key_where_the_code_says_so(database: Database) -> None:
    query = text("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%WITHOUT ROWID%'")
    with database.engine.begin() as connection:
        found = set(connection.execute(query).scalars())
    told = {name: table.dialect_options["sqlite"]["with_rowid"] for name, table in metadata.tables.items()}
    assert found == {name for name, rowid in told.items() if not rowid}
    assert "consent_state" in found
    database.close()


def test_a_trigger_that_is_lost_is_noticed(database: Database) -> None:
    on = "" if database.sqlite else " ON consent_event"
    with database.engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER consent_event_no_update{on}"))
        assert triggers.missing(connection) == {"consent_event_no_update"}
    with pytest.raises(IntegrityFailure, match="consent_event_no_update"):
        schema.upgrade(database)
    database.close()


def test_an_empty_database_is_told_to_be_initialised(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(Unavailable, match="broadcaster init") as caught:
        schema.require_current(database)
    assert caught.value.code == "schema_older"
    database.close()


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict) as caught:
        schema.require_current(database)
    assert caught.value.code == "schema_newer"
    database.close()


def test_this_versions_schema_is_accepted(database: Database) -> None:
    schema.require_current(database)
    database.close()
