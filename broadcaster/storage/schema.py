"""Bring a database to this version's schema, or say that it is not."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from broadcaster.core.errors import Conflict, IntegrityFailure, Unavailable
from broadcaster.storage import triggers
from broadcaster.storage.database import Database, plain_trouble

_LOCATION = "broadcaster.storage:migrations"
_ADVISORY_LOCK = 7_305_116_288


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's settings; there is no ini file."""
    made = Config()
    made.set_main_option("script_location", _LOCATION)
    made.set_main_option("path_separator", "os")
    if connection is not None:
        made.attributes["connection"] = connection
    return made


def head() -> str:
    found = ScriptDirectory.from_config(config()).get_current_head()
    assert found is not None, "the package ships at least one migration"
    return found


def current(database: Database) -> str | None:
    """Return the revision the database is at, None if it is empty."""
    with database.reading() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema up to *revision*, in one transaction; two at once wait for each other.

    Raises Unavailable if the database does not answer.
    """
    with plain_trouble(), database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        command.upgrade(config(connection), revision)
        _check_triggers(connection)


def downgrade(database: Database, revision: str) -> None:
    """Take the schema down to *revision* (``base``: to nothing)."""
    with database.engine.begin() as connection:
        command.downgrade(config(connection), revision)
        if revision != "base":
            _check_triggers(connection)


def _check_triggers(connection: Connection) -> None:
    lost = triggers.missing(connection)
    if lost:
        raise IntegrityFailure(f"triggers are missing after the migration: {', '.join(sorted(lost))}")


def require_current(database: Database) -> None:
    """Refuse to work on a schema that is not this version's.

    Raises Unavailable for a missing or older one (run ``broadcaster init``), Conflict for a newer one.
    """
    found = current(database)
    if found == head():
        return
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if found is None or found in known:
        raise Unavailable("the database has no schema of this version: run `broadcaster init`", code="schema_older")
    raise Conflict("the database was made by a newer version of the broadcaster", code="schema_newer")
