"""People of ours for the tests, and a way to let time pass."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.actions import staff
from broadcaster.actions.runtime import Runtime

ADMIN = "ada@example.org"
PASSWORD = "a calm grey heron"


def first(runtime: Runtime) -> int:
    """Create the first administrator."""
    token = staff.setup_token(runtime)
    assert token is not None
    return staff.create_first(runtime, token, email=ADMIN, name="Ada Admin", password=PASSWORD)


def add(runtime: Runtime, email: str, role: str, *, by: int) -> int:
    """Add somebody who has chosen PASSWORD."""
    made = staff.create(runtime, email=email, name=f"The {role}", role=role, by=by)
    return staff.join(runtime, staff.invite(runtime, made, by=by).rpartition("/")[2], PASSWORD)


def wind_back(runtime: Runtime, table: str, column: str, by: timedelta) -> None:
    """Move a time in every row of *table* into the past."""
    read = text(f"SELECT {column} FROM {table}").columns(**{column: UTCDateTime()})
    write = text(f"UPDATE {table} SET {column} = :moved WHERE {column} = :was").bindparams(
        bindparam("moved", type_=UTCDateTime()), bindparam("was", type_=UTCDateTime())
    )
    with runtime.db.engine.connect() as connection:
        found: list[datetime] = [row[0] for row in connection.execute(read) if row[0] is not None]
        for moment in found:
            connection.execute(write, {"moved": moment - by, "was": moment})
        connection.commit()
