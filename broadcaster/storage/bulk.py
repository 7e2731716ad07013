"""Many rows at once, past the object layer: ``executemany`` on SQLite, COPY on PostgreSQL.

SQLAlchemy's own bulk insert spends more time on each row than the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from broadcaster.storage.database import note_written


def is_sqlite(session: Session) -> bool:
    return session.connection().dialect.name == "sqlite"


def moments(session: Session) -> Callable[[datetime | None], Any]:
    """Return what turns a time into what the driver stores when no column type stands in between."""
    return _sqlite_text if is_sqlite(session) else lambda at: at


def _sqlite_text(at: datetime | None) -> str | None:
    if at is None:
        return None
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(" ", "microseconds")[:26]


def insert_rows(session: Session, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert *rows* of plain values: times by ``moments``, JSON as text. The caller writes the log event."""
    if not rows:
        return
    connection = session.connection()
    names = ", ".join(columns)
    if is_sqlite(session):
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(rows))
        return
    # COPY is no statement that the listener sees: say what it writes to
    note_written(connection, frozenset({table}))
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def in_chunks(session: Session, query: str, values: Iterable[Any]) -> Iterator[Any]:
    """Run *query*, which ends in ``IN``, over *values* of one type, some hundreds at a time; yield plain rows."""
    wanted = list(values)
    connection = session.connection()
    mark = "?" if is_sqlite(session) else "%s"
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        marks = ", ".join([mark] * len(part))
        yield from connection.exec_driver_sql(f"{query} ({marks})", tuple(part))
